"""The checks that look at data: web addresses, rows, JSON, embeddings."""

from __future__ import annotations

import re
import sqlite3
import threading
import time
from collections.abc import Iterator
from datetime import date
from decimal import Decimal
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import numpy
import pytest

from muscle_mem import checks
from muscle_mem._core import codec
from muscle_mem.checks import json_values, vectors
from ready_made_checks import again, attached, learned, reason, told


class Site(ThreadingHTTPServer):
    """A site on loopback that answers what it is told to."""

    body: bytes = b"hello"
    headers: dict[str, str]
    status = 200
    pause = 0.0
    asked: list[str]

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/page"


class Answer(BaseHTTPRequestHandler):
    server: Site

    def do_GET(self) -> None:
        self.server.asked.append(self.path)
        self.send_response(self.server.status)
        self.send_header("Content-Length", str(len(self.server.body)))
        for name, value in self.server.headers.items():
            self.send_header(name, value)
        self.end_headers()
        half = len(self.server.body) // 2
        try:
            self.wfile.write(self.server.body[:half])
            self.wfile.flush()
            time.sleep(self.server.pause)
            self.wfile.write(self.server.body[half:])
        except OSError:  # the check has given up
            pass

    def log_message(self, *args: Any) -> None: ...


@pytest.fixture
def site() -> Iterator[Site]:
    with Site(("127.0.0.1", 0), Answer) as server:
        server.headers, server.asked = {}, []
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        yield server
        server.shutdown()
        thread.join()


# --- http_unchanged


def test_a_body_is_known_by_its_bytes_and_an_etag_counts_for_all_of_it(site: Site) -> None:
    engine = learned(checks.http_unchanged(site.address))
    assert engine("a task")
    site.body = b"goodbye"
    assert told(engine) == (False, "7 bytes, sha256 82e35a63ceba", "5 bytes, sha256 2cf24dba5fb0")
    site.headers = {"ETag": '"1"'}
    engine = learned(checks.http_unchanged(site.address))
    site.body = b"another, as the server says, equal"
    assert engine("a task")
    site.headers = {"ETag": '"2"'}
    assert told(engine) == (False, "the ETag '\"2\"'", "the ETag '\"1\"'")


def test_the_address_may_depend_on_the_tools_arguments(site: Site) -> None:
    engine = learned(checks.http_unchanged(lambda page: f"{site.address}/{page}"), lambda page: None, 7)
    assert engine("a task")
    assert site.asked == ["/page/7", "/page/7"]


@pytest.mark.parametrize(
    ("trouble", "words"),
    [
        ({"status": 404}, "404"),
        ({"status": 302, "headers": {"Location": "file:///etc/passwd"}}, "file"),
        ({"body": b"x" * 200}, "at most 100 bytes"),
        ({"pause": 2.5}, "timed out|within 2 s"),
    ],
    ids=["an error", "a redirect to a file", "too much", "too slow"],
)
def test_a_page_that_cannot_be_had_is_an_error_of_the_check(trouble: dict[str, Any], words: str, site: Site) -> None:
    engine = learned(checks.http_unchanged(site.address, timeout=2 if "pause" in trouble else 10, limit=100))
    for name, value in trouble.items():
        setattr(site, name, value)
    outcome = engine("a task", mode="frozen")
    assert outcome.reason == "first_check_refused"
    assert "errored" in outcome.message
    assert re.search(words, outcome.message), outcome.message


def test_a_function_of_the_users_may_fetch() -> None:
    body: list[Any] = ["text"]
    engine = learned(checks.http_unchanged("https://shop.test/prices", fetch=lambda address: body[0]))
    body[0] = b"text"
    assert engine("a task")
    body[0] = None
    assert "text from fetch=" in engine("a task", mode="frozen").message
    body[0] = "other"
    assert not engine("a task")


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"url": "file:///etc/passwd"}, "http and https"),
        ({"url": "ftp://a/b"}, "http and https"),
        ({"url": "https://"}, "http and https"),
        ({"url": "http://[1"}, "http and https"),
        ({"url": 3}, "callable"),
        ({"timeout": 0}, "above 0"),
        ({"timeout": "5"}, "number of seconds"),
        ({"limit": 0}, "number of bytes"),
        ({"fetch": 1}, "callable"),
    ],
    ids=repr,
)
def test_wrong_options_of_http_unchanged_are_refused_at_once(options: dict[str, Any], words: str) -> None:
    with pytest.raises((TypeError, ValueError), match=words):
        checks.http_unchanged(**{"url": "https://shop.test", **options})


# --- row_unchanged


@pytest.fixture
def shop(tmp_path: Path) -> Any:
    path = str(tmp_path / "shop.db")

    def change(*statements: str) -> None:
        with sqlite3.connect(path) as connection:
            for statement in statements:
                connection.execute(statement)
        connection.close()

    change(
        "CREATE TABLE item (id INTEGER, name, price)",
        "INSERT INTO item VALUES (1, 'jam', 2.5), (2, NULL, x'00ff')",
    )
    return path, change


def test_rows_are_known_by_their_values_and_types(shop: Any) -> None:
    path, change = shop
    opened: list[sqlite3.Connection] = []

    def connect() -> sqlite3.Connection:
        opened.append(sqlite3.connect(path))
        return opened[-1]

    engine = learned(checks.row_unchanged(connect, "SELECT * FROM item"))
    assert engine("a task")
    back = "UPDATE item SET name = NULL WHERE id = 2"
    for statement in ("UPDATE item SET name = '' WHERE id = 2", "UPDATE item SET name = 0 WHERE id = 2"):
        change(statement)
        passed, seen, expected = told(engine)
        assert not passed
        assert seen.startswith("2 rows, sha256 ")
        assert seen != expected
        change(back)
        assert engine("a task")
    change("DELETE FROM item WHERE id = 1")
    assert told(engine)[1].startswith("1 row, sha256 ")
    with pytest.raises(sqlite3.ProgrammingError):
        opened[0].execute("SELECT 1")


def test_the_order_of_rows_counts_only_if_asked_for(shop: Any) -> None:
    path, change = shop
    loose, strict = (
        learned(checks.row_unchanged(lambda: sqlite3.connect(path), "SELECT name FROM item", ordered=ordered))
        for ordered in (False, True)
    )
    change("DELETE FROM item WHERE id = 1", "INSERT INTO item VALUES (1, 'jam', 2.5)")
    assert loose("a task")
    assert not strict("a task")


def test_parameters_may_come_from_the_tool_and_a_connection_may_stay_open(shop: Any) -> None:
    path, change = shop
    connection = sqlite3.connect(path)
    connection.row_factory = sqlite3.Row
    check = checks.row_unchanged(connection, "SELECT name FROM item WHERE id = ?", lambda item: (item,))
    engine = learned(check, lambda item: None, 1)
    change("UPDATE item SET name = 'gone' WHERE id = 2")
    assert engine("a task")
    change("UPDATE item SET name = 'gone' WHERE id = 1")
    assert not engine("a task")
    connection.close()


@pytest.mark.parametrize("sql", ["SELECT nothing FROM item", "DELETE FROM item", "SELECT 1 WHERE ?"])
def test_a_query_that_fails_or_finds_no_rows_at_all_is_an_error_of_the_check(sql: str, shop: Any) -> None:
    outcome = attached(checks.row_unchanged(lambda: sqlite3.connect(shop[0]), sql))("a task")
    assert outcome.not_learned == "capture_failed"


class PaperCursor:
    """A cursor of another database module: rows as dicts, values of many types."""

    description = (("a", None), ("b", None))

    def execute(self, sql: str, params: Any = None) -> None: ...

    def fetchmany(self, size: int) -> list[Any]:
        self.fetchmany = lambda size: []
        return [{"a": Decimal("1.0"), "b": date(2026, 1, 1)}, {"a": memoryview(b"x"), "b": None}]

    def close(self) -> None: ...


class PaperConnection:
    def cursor(self) -> PaperCursor:
        return PaperCursor()


def test_rows_of_other_databases_are_compared_too() -> None:
    engine = learned(checks.row_unchanged(PaperConnection(), "SELECT a, b FROM t"))
    assert engine("a task")
    assert told(engine)[1].startswith("2 rows")


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ((3, "SELECT 1"), "connection or a function"),
        ((PaperConnection(), ""), "query as text"),
        ((PaperConnection(), "SELECT 1", "abc"), "sequence, a mapping or a function"),
    ],
    ids=["connection", "query", "params"],
)
def test_wrong_arguments_of_row_unchanged_are_refused_at_once(given: Any, words: str) -> None:
    with pytest.raises(TypeError, match=words):
        checks.row_unchanged(*given)


# --- json_subset


RECORDED = {"id": 7, "items": [{"sku": "a", "price": 10, "at": 1}, {"sku": "b", "price": 2.0, "at": 2}], "ok": True}


@pytest.mark.parametrize(
    ("current", "seen", "expected"),
    [
        ({**RECORDED, "more": 1}, "all that was recorded", "all that was recorded"),
        ({**RECORDED, "id": 7.0}, "all that was recorded", "all that was recorded"),
        ({**RECORDED, "id": True}, "id: True", "id: 7"),
        ({"items": RECORDED["items"], "ok": True}, "id: missing", "id: 7"),
        ({**RECORDED, "items": []}, "items: 0 entries", "items: 2 entries"),
        ({**RECORDED, "items": None, "ok": 1}, "items: None; ok: 1", "items: [{'price': 10, 'sku': 'a'}, "),
        ([], "all of it: []", "all of it: {'id': 7, "),
        (
            {**RECORDED, "items": [{"sku": "a", "price": 12, "at": 5}, {"sku": "b", "price": 2, "at": None}]},
            "items[0].price: 12",
            "items[0].price: 10",
        ),
        ({}, "id: missing; items: missing; ok: missing", "id: 7; items: "),
    ],
)
def test_recorded_json_must_be_contained_and_what_differs_is_told(current: Any, seen: str, expected: str) -> None:
    found: list[Any] = [RECORDED]
    engine = learned(checks.json_subset(lambda: found[0], ignore=["items[*].at"]))
    found[0] = current
    passed, saw, wanted = told(engine)
    assert passed is (seen == "all that was recorded")
    assert saw == seen
    assert wanted.startswith(expected)


def test_json_may_come_as_text_and_what_is_ignored_is_not_stored(tmp_path: Path) -> None:
    def body() -> bytes:
        return b'{"a": [1, {"token": "s3cret-token"}], "n": null}'

    def make() -> Any:
        return checks.json_subset(body, ignore=["a[*].token"])

    assert again(make, tmp_path / "m.db") == ["miss", "hit"]
    assert b"s3cret" not in (tmp_path / "m.db").read_bytes()
    assert reason(make, lambda: checks.json_subset(body), tmp_path / "n.db") == "check_changed"
    assert reason(make, lambda: checks.json_subset(dict), tmp_path / "o.db") == "check_changed"


@pytest.mark.parametrize(
    ("text", "path"),
    [
        ("a", ("a",)),
        ("items[*].updated_at", ("items", None, "updated_at")),
        ("[0].b", (0, "b")),
        ("*", (None,)),
        ("meta.*", ("meta", None)),
        ('headers["x.y"].z', ("headers", "x.y", "z")),
        ("a b-c", ("a b-c",)),
    ],
)
def test_paths_are_read(text: str, path: Any) -> None:
    assert json_values.parsed(text) == path


@pytest.mark.parametrize("text", ["", ".a", "a..b", "a[", "a[x]", "a]", "a.", "[0]b", 3])
def test_what_is_no_path_is_refused(text: Any) -> None:
    with pytest.raises((TypeError, ValueError), match="path"):
        checks.json_subset(lambda: 1, ignore=[text])


@pytest.mark.parametrize("value", [object(), {1: 2}, "{", {"a": {1, 2}}], ids=["object", "key", "text", "set"])
def test_what_is_no_json_is_an_error_of_the_check(value: Any) -> None:
    assert attached(checks.json_subset(lambda: value))("a task").not_learned == "capture_failed"
    with pytest.raises(TypeError, match="list of paths"):
        checks.json_subset(lambda: value, ignore="a")


# --- vector_similar


def test_vectors_that_point_the_same_way_pass() -> None:
    seen: list[Any] = [[1.0, 0.0, 1.0]]
    engine = learned(checks.vector_similar(lambda: seen[0], threshold=0.9))
    seen[0] = numpy.array([5, 1, 5])
    assert engine("a task")
    seen[0] = (1, 1, 0)
    assert told(engine) == (False, "a cosine of 0.500", "at least 0.9")
    seen[0] = [1.0, 0.0]
    assert told(engine) == (False, "a vector of 2 numbers", "one of 3")


def test_a_vector_takes_four_bytes_a_dimension_and_is_found_again(tmp_path: Path) -> None:
    assert len(codec.canonical(vectors.packed(numpy.ones(384)))) < 384 * 4 + 20

    def embed() -> list[float]:
        return [0.25] * 8

    def make(threshold: float = 0.9) -> Any:
        return lambda: checks.vector_similar(embed, threshold=threshold)

    assert again(make(1.0), tmp_path / "m.db") == ["miss", "hit"]
    assert reason(make(), make(0.8), tmp_path / "n.db") == "check_changed"


@pytest.mark.parametrize(
    "vector", [[], [[1.0]], ["a"], None, [0.0, 0.0], [float("nan")], [1.0, float("inf")]], ids=repr
)
def test_what_is_no_vector_is_an_error_of_the_check(vector: Any) -> None:
    assert attached(checks.vector_similar(lambda: vector, threshold=0.5))("a task").not_learned == "capture_failed"


def test_a_threshold_of_vectors_is_asked_for_and_must_be_a_cosine() -> None:
    with pytest.raises(TypeError, match="threshold"):
        checks.vector_similar(lambda: [1])
    with pytest.raises(ValueError, match="between -1 and 1"):
        checks.vector_similar(lambda: [1], threshold=2)


def test_many_at_once_are_judged_as_one_by_one() -> None:
    spread = numpy.random.default_rng(3)
    for dimensions in (1, 3, 17, 384, 1000):
        current, *others = (vectors.packed(row) for row in spread.normal(size=(40, dimensions)))
        others.insert(5, vectors.packed([1.0] * (dimensions + 1)))
        assert vectors.cosines(current, others) == [vectors.cosines(current, [one])[0] for one in others]
