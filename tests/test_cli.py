"""The command line: what a store holds, told to people and programs, without the code that recorded it."""

from __future__ import annotations

import contextlib
import dataclasses
import enum
import json
import os
import re
import shutil
import sqlite3
import subprocess
import sys
from pathlib import Path
from typing import Any

import msgspec
import pytest
from click.testing import CliRunner, Result

import muscle_mem
from muscle_mem import Check, Engine
from muscle_mem._core import codec
from muscle_mem._core.codec_types import restore, snapshot
from muscle_mem._core.model import FORM, Body, Guard, Lit, Node, Par, Ref, Row, StepRecord, Tpl
from muscle_mem.cli import main
from muscle_mem.cli.text import duration, iso, local, size, visible
from muscle_mem.store import MemoryStore, Observation, Sealed, SqliteStore
from muscle_mem.store.digest import sha256
from muscle_mem.store.opening import Access, connect
from muscle_mem.store.rows import Digests

NASTY = "log in \x1b[31mred\x1b[0m \x07\x9b\u202eevil\u2028[bold]x[/bold]"


@dataclasses.dataclass(frozen=True)
class Point:
    x: int
    label: str


class Colour(enum.Enum):
    RED = 1


@pytest.fixture(autouse=True)
def no_store_in_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("MUSCLE_MEM_STORE", "MUSCLE_MEM_MODE", "FORCE_COLOR", "TTY_COMPATIBLE", "COLUMNS"):
        monkeypatch.delenv(name, raising=False)


def run(*arguments: str, stdin: str = "", env: dict[str, str] | None = None) -> Result:
    result = CliRunner().invoke(main, list(arguments), input=stdin, env=env)
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result


def as_json(*arguments: str, code: int = 0) -> Any:
    result = run(*arguments, "--json")
    assert result.exit_code == code, result.output

    def refuse(constant: str) -> None:
        raise AssertionError(f"{constant} is no JSON")

    assert result.stdout.isascii()
    return json.loads(result.stdout, parse_constant=refuse)


def record_orders(path: Path | str, **options: Any) -> list[str]:
    """A store of three trajectories by a real engine, with every kind of argument; their ids, oldest first."""
    engine = Engine(str(path), **options)
    world: dict[str, Any] = {"visits": 0}

    def saw(self: Any, target: str, text: str) -> Any:
        return {"at": Point(1, target)}

    class Page:
        @engine.tool(
            pre_check=Check(saw, lambda now, then: True),
            post_check=Check(lambda self, target, text: world["visits"], lambda now, then: True),
            effect="write",
        )
        def type_text(self, target: str, text: str) -> dict[str, Any]:
            world["visits"] += 1
            return {"order": {"id": "ORD-4711"}, "rows": [Point(3, "three"), Colour.RED]}

        @engine.tool(effect="read", ignore=["client"], inject={"client": lambda: None})
        def find(self, order_id: str, body: str, found: Any, client: Any, *rest: Any) -> str:
            return "found"

    page = Page()
    engine.set_context(page)

    def agent(task: str) -> str:
        name = world["name"]
        found = page.type_text("Username", name)
        return page.find("ORD-4711", f"Dear {name}, {{ok}}", [found, Point(2, name)], object(), 7)

    engine.set_agent(agent)

    def do(task: str, name: str, **options: Any) -> Any:
        world["name"] = name
        return engine(task, params={"name": name}, tags=["a", "[red]b"], **options)

    ids = []
    for task in ("order for", "second task", NASTY):
        outcome = do(task, "John Smith")
        assert outcome.learned
        ids.append(str(outcome.trajectory_id))
    assert do("order for", "Jane Doe")
    assert do("order for", "Jane Doe", mode="record").trajectory_id == ids[0]
    engine.report_bad(ids[1], "looks [bold]wrong\x07")
    engine.close()
    return ids


@pytest.fixture(scope="module")
def recorded_once(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[str]]:
    """A store by a real engine; what it made known of the user's classes is unknown again afterwards."""
    path = tmp_path_factory.mktemp("recorded") / "shop.db"
    saved = snapshot()
    ids = record_orders(path, scope="tenant")
    restore(saved)
    return path, ids


@pytest.fixture
def shop(recorded_once: tuple[Path, list[str]], tmp_path: Path) -> tuple[str, list[str]]:
    """A copy of that store, and its ids."""
    path, ids = recorded_once
    return str(shutil.copy(path, tmp_path / "shop.db")), list(ids)


def lit(value: Any) -> Lit:
    return Lit(codec.encode(value))


def seal(
    path: Path, id: str, body: Body | bytes, row: Row | bytes, *, task: str = "task", steps: int = 1, **more: Any
) -> None:
    """A trajectory put into a store by hand."""
    store = SqliteStore(path)
    packed = [part if isinstance(part, bytes) else msgspec.msgpack.encode(part) for part in (body, row)]
    store.seal(
        Sealed(id=id, key=b"k" * 32, body=packed[0], steps=steps, task=task, created=1e9, **more),
        Observation(id="o" + id, body=packed[1], created=1e9),
    )
    store.close()


def plain_row(steps: int = 1, **more: Any) -> Row:
    none: tuple[None, ...] = (None,) * steps
    return msgspec.structs.replace(Row(FORM, none, none), **more)


def plain_body(*steps: StepRecord, **more: Any) -> Body:
    return Body(FORM, steps or (StepRecord("tool", "f", (("x", lit("hello")),)),), **more)


def edit(path: str | Path, sql: str, *values: Any) -> None:
    with contextlib.closing(sqlite3.connect(path)) as connection:
        connection.execute(sql, values)
        connection.commit()


# --- which store


def test_the_store_is_named_by_the_command_the_group_or_the_environment(shop: tuple[str, list[str]]) -> None:
    path, ids = shop
    assert ids[0] in run("ls", "--store", path).stdout
    assert ids[0] in run("--store", path, "ls").stdout
    assert ids[0] in run("ls", env={"MUSCLE_MEM_STORE": path}).stdout
    assert ids[0] in run("ls", "--store", f"sqlite:///{path}?busy_timeout=5").stdout
    assert ids[0] in run("--store", "/nowhere.db", "ls", "--store", path, env={"MUSCLE_MEM_STORE": "/x"}).stdout


@pytest.mark.parametrize("command", ["ls", "show abcdef", "stats", "forget abcdef", "forget --all --yes", "doctor"])
def test_no_command_makes_a_store_that_is_not_there(command: str, tmp_path: Path) -> None:
    for name in ("new.db", "no/such/folder/new.db"):
        result = run(*command.split(), "--store", str(tmp_path / name))
        assert result.exit_code == 2
        assert "There is no store at" in result.stderr
        assert result.stderr.count("\n") == 1
    result = run(*command.split(), "--store", f"sqlite:///{tmp_path}/new%20one.db")
    assert result.exit_code == 2
    assert "new one.db" in result.stderr
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("command", ["ls", "stats", "doctor"])
def test_a_store_that_cannot_be_used_is_one_line_and_code_2(command: str, tmp_path: Path) -> None:
    (tmp_path / "text.db").write_text("no database at all, and long enough to be looked at " * 40)
    edit(tmp_path / "foreign.db", "CREATE TABLE t(x)")
    MemoryStore().close()
    SqliteStore(tmp_path / "newer.db").close()
    edit(tmp_path / "newer.db", "PRAGMA user_version = 99")
    edit(tmp_path / "newer.db", "UPDATE meta SET value = 99")
    (tmp_path / "empty.db").touch()
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir() if path.suffix == ".db"}
    cases = {
        str(tmp_path / "text.db"): "not a SQLite database",
        str(tmp_path / "foreign.db"): "not a muscle_mem store",
        str(tmp_path / "newer.db"): "newer release",
        str(tmp_path / "empty.db"): "is empty",
        str(tmp_path): f"is named 'folder:///{tmp_path}'",
        "folder:///not/there": "takes four slashes",
        "memory:": "memory of one process",
        "sqlite://": "memory of one process",
        "mongodb://u:hunter2@host/db": "unknown scheme",
        "sqlite://host/db": "names a host",
        "": "is no path",
        "a" * 5000: "cannot be looked at",
    }
    for name, words in cases.items():
        result = run(command, "--store", name)
        assert (result.exit_code, result.stderr.count("\n"), result.stdout) == (2, 1, ""), name
        assert words in result.stderr
        assert "hunter2" not in result.stderr
    assert before == {path.name: path.read_bytes() for path in tmp_path.iterdir() if path.suffix == ".db"}


def test_without_any_store_the_message_says_how_to_name_one() -> None:
    for env in ({}, {"MUSCLE_MEM_STORE": ""}):
        result = run("ls", env=env)
        assert result.exit_code == 2
        assert "MUSCLE_MEM_STORE" in result.stderr


def test_a_read_only_store_is_read_and_not_forgotten_in(
    shop: tuple[str, list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    path, ids = shop
    monkeypatch.setattr("muscle_mem.store.opening.os.access", lambda *_: False)
    assert len(as_json("ls", "--store", path)) == 3
    assert as_json("doctor", "--store", path)["ok"] is True
    result = run("forget", ids[0], "--store", path)
    assert result.exit_code == 2
    assert "read-only" in result.stderr


# --- ls


def test_ls_lists_newest_first_with_stable_keys(shop: tuple[str, list[str]]) -> None:
    path, ids = shop
    listed = as_json("ls", "--store", path)
    assert [one["id"] for one in listed] == [ids[0], ids[2], ids[1]]
    assert list(listed[0]) == [
        "id", "task", "scope", "tags", "steps", "state", "reason", "held", "hits", "failures", "agreed", "disagreed",
        "strikes",
        "observations", "seq", "key", "created", "recorded", "last_hit",
    ]  # fmt: skip
    first = listed[0]
    assert (first["scope"], first["tags"], first["steps"]) == ("tenant", ["[red]b", "a"], 2)
    assert (first["state"], first["hits"], first["observations"]) == ("trusted", 1, 2)
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", first["recorded"])
    assert re.fullmatch(r"[0-9a-f]{64}", first["key"])
    assert listed[1]["last_hit"] is None
    assert listed[1]["task"] == NASTY
    assert (listed[2]["state"], listed[2]["held"]) == ("quarantined", True)


def test_ls_filters(shop: tuple[str, list[str]]) -> None:
    path, ids = shop

    def listed(*options: str) -> list[str]:
        return [one["id"] for one in as_json("ls", "--store", path, *options)]

    assert listed("--limit", "1") == [ids[0]]
    assert listed("--state", "quarantined") == [ids[1]]
    assert listed("--state", "quarantined", "--state", "trusted") == [ids[0], ids[1]]
    assert listed("--task", "SECOND") == [ids[1]]
    assert listed("--scope", "tenant", "--limit", "2") == [ids[0], ids[2]]
    assert listed("--scope", "") == []
    assert run("ls", "--store", path, "--scope", "").stdout == "No trajectories like that.\n"
    assert run("ls", "--store", path, "--state", "rotten").exit_code == 2
    assert run("ls", "--store", path, "--limit", "0").exit_code == 2


def test_ls_pages_through_a_long_store(tmp_path: Path) -> None:
    path = tmp_path / "long.db"
    store = SqliteStore(path)
    for number in range(230):
        body, row = msgspec.msgpack.encode(plain_body()), msgspec.msgpack.encode(plain_row())
        store.seal(
            Sealed(id=f"{number:032x}", key=b"k" * 32, body=body, steps=1, task=f"task {number}"),
            Observation(id="o", body=row),
        )
    store.close()
    assert [one["seq"] for one in as_json("ls", "--store", str(path))] == list(range(230, 0, -1))
    assert as_json("stats", "--store", str(path))["trajectories"] == 230
    assert as_json("doctor", "--store", str(path))["trajectories"] == 230
    result = run("show", "0000", "--store", str(path))
    assert result.exit_code == 1
    assert "230 ids" in result.stderr
    assert "210 more" in result.stderr


def test_nothing_is_cut_where_no_terminal_is(tmp_path: Path) -> None:
    path = tmp_path / "wide.db"
    seal(path, "f" * 32, plain_body(), plain_row(), task="word " * 200 + "end", tags=("t" * 90,), scope="s" * 90)
    for env in ({}, {"COLUMNS": "20", "TERM": "dumb"}, {"NO_COLOR": "1"}):
        result = run("ls", "--store", str(path), env=env)
        lines = result.stdout.splitlines()
        assert len(lines) == 2
        assert "f" * 32 in lines[1]
        assert "word " * 200 + "end" in lines[1]
        assert "t" * 90 + " @" + "s" * 90 in lines[1]
        assert "\x1b" not in result.stdout


def test_an_empty_store_says_so(tmp_path: Path) -> None:
    path = str(tmp_path / "none.db")
    SqliteStore(path).close()
    assert run("ls", "--store", path).stdout == "No trajectories.\n"
    assert as_json("ls", "--store", path) == []
    assert as_json("stats", "--store", path)["agent_seconds_saved"] == 0
    assert run("stats", "--store", path).exit_code == 0
    assert as_json("doctor", "--store", path)["ok"] is True
    assert as_json("forget", "--all", "--yes", "--store", path) == {"forgotten": 0, "ids": None}


# --- show


def test_show_reads_as_a_script(shop: tuple[str, list[str]]) -> None:
    path, ids = shop
    shown = run("show", ids[0], "--store", path).stdout
    first = next(line for line in shown.splitlines() if line.startswith("  0  "))
    assert "Page.type_text(target='Username', text=name)" in first
    assert re.search(r"# write; pre-check, post-check; [\d<.]+ m?s$", first)
    assert "  1  " in shown
    assert "find('ORD-4711', f'Dear {name}, {{ok}}', [output[0], " in shown
    assert "Point(x=2, label=name)], <injected>, 7)" in shown
    assert "# read; unchecked; " in shown
    for line in (
        "self <- context object",
        "text <- param name",
        "body <- template with param name",
        "found[0] <- output of step 0 (record_orders.<locals>.Page.type_text)",
        "found[1].label <- param name",
        "client <- not stored; injected at replay, or the tool's default",
        "at ['order']['id'] must still hold 'ORD-4711'",
        "post saw: 5",
        "output: 'found' (what the agent returned)",
    ):
        assert line in shown, line
    assert "order_id <- literal, guarded: output of step 0" in shown
    assert "pre saw: {'at': " in shown
    for line in ("scope   [red]b, a @tenant", "state        trusted", "1 of 2, recorded", "params       name"):
        assert line in shown


def test_show_tells_the_observation_that_is_asked_for(shop: tuple[str, list[str]]) -> None:
    path, ids = shop
    newest, oldest = (run("show", ids[0], "--observation", n, "--store", path).stdout for n in "12")
    assert newest == run("show", ids[0], "--store", path).stdout
    assert "2 of 2, recorded" in oldest
    assert newest.count("post saw: ") == oldest.count("post saw: ") == 1
    assert newest != oldest
    assert [one["number"] for one in as_json("show", ids[0], "--store", path)["observations"]] == [1, 2]
    picked = as_json("show", ids[0], "--observation", "2", "--store", path)["observations"]
    assert [one["number"] for one in picked] == [2]
    result = run("show", ids[0], "--observation", "3", "--store", path)
    assert result.exit_code == 1
    assert "has 2 observations" in result.stderr


def test_show_json_gives_all_of_it(shop: tuple[str, list[str]]) -> None:
    path, ids = shop
    found = as_json("show", ids[0], "--store", path)
    assert found["id"] == ids[0]
    assert (found["params"], found["fixed_params"], found["equal_params"]) == (["name"], [], [])
    assert (found["step_count"], found["observation_count"], found["error"]) == (2, 2, None)
    first, second = found["steps"]
    assert (first["effect"], first["method"], bool(first["pre_check"])) == ("write", True, True)
    assert (second["effect"], second["pre_check"]) == ("read", None)
    kinds = {source["place"]: source["kind"] for one in second["arguments"] for source in one["sources"]}
    assert kinds == {
        "order_id": "guarded",
        "body": "template",
        "found[0]": "output",
        "found[1].label": "param",
        "client": "injected",
        "*0": "literal",
    }
    assert second["guards"][0] == {
        "step": 0,
        "path": second["guards"][0]["path"],
        "place": "['order']['id']",
        "value": {"type": "str", "text": "'ORD-4711'", "value": "ORD-4711"},
    }
    seen = found["observations"][0]["steps"]
    assert "value" not in seen[0]["pre"]
    assert seen[1]["pre"] is None
    assert seen[1]["output"]["value"] == "found"
    assert found["observations"][0]["result"] == 1


def test_ids_may_be_cut_to_what_is_unique(tmp_path: Path) -> None:
    path = tmp_path / "ids.db"
    for id in ("abcd1111", "abcd2222", "abcd", "efgh\x1b3333"):
        seal(path, id, plain_body(), plain_row(), task=f"task of {id}")
    store = str(path)
    assert as_json("show", "abcd1", "--store", store)["id"] == "abcd1111"
    assert as_json("show", "abcd", "--store", store)["id"] == "abcd"
    assert as_json("show", "efgh", "--store", store)["id"] == "efgh\x1b3333"
    seal(path, "abcd111133", plain_body(), plain_row())
    result = run("show", "abcd11", "--store", store)
    assert (result.exit_code, result.stdout) == (1, "")
    assert "abcd1111 (task of abcd1111)" in result.stderr
    assert "abcd111133" in result.stderr
    for given, words in (("efg", "first 4 characters"), ("zzzz", "There is no trajectory"), ("", "first 4")):
        result = run("show", given, "--store", store)
        assert result.exit_code == 1
        assert words in result.stderr


def test_whatever_the_bytes_hold_show_shows_it(tmp_path: Path) -> None:
    path = tmp_path / "odd.db"
    dataclass_kind = "dataclass\x00shop:Order\x1b\x00id"
    steps = (
        StepRecord(
            "go\x1b[2J",
            "f",
            (
                ("bytes", Lit(b"\xff\xfe")),
                ("huge", lit(10**5000)),
                ("nan", lit(float("nan"))),
                ("pair", Node("tuple", (Par("a"),))),
                ("map", Node("dict", (lit("k"), Ref(7, (3, 1))))),
                ("some", Node("set", (Tpl(("{", "a", "}\n")),))),
                ("frozen", Node("frozenset", (Par("a"),))),
                ("order", Node(dataclass_kind, (Par("a"),))),
                ("model", Node("pydantic\0shop:Model\0id\0\0zz", (Par("a"),))),
                ("broken", Node("dataclass\0shop:Broken", (Par("a"), Par("a")))),
                ("**k", lit("\u202e")),
            ),
            guards=(Guard(5, (9, 9), codec.encode("x")), Guard(-3, (), b"")),
        ),
    )
    body = plain_body(*steps, params=("a", "b"), fixed=(("a", b"x" * 32),), equal=(("a", "b"),))
    row = plain_row(
        outputs=(b"\x01\xc1",), notes=("n",), seconds=(float("nan"),), run_seconds=float("inf"), effects=("\x1b",)
    )
    seal(path, "odd-one", body, row, task="odd")
    shown = run("show", "odd-one", "--store", str(path))
    assert shown.exit_code == 0
    assert all(character.isprintable() or character == "\n" for character in shown.stdout)
    for words in (
        "go\\x1b[2J(",
        "<2 undecodable bytes: fffe>",
        "whose repr raised ValueError",
        "(a,)",
        "{'k': output[7][#3][#1]}",
        "{f'{{{a}}}\\n'}",
        "frozenset([a])",
        "Order\\x1b(id=a)",
        "fixed: only for the recorded value",
        "a, b had equal values",
        "an unknown time",
        "guarded: output of step 5 at [#9][#9] must still hold 'x'",
        "<undecodable: no bytes>",
    ):
        assert words in shown.stdout, words
    found = as_json("show", "odd-one", "--store", str(path))
    assert found["observations"][0]["run_seconds"] is None
    assert "error" in found["observations"][0]["steps"][0]["output"]
    assert as_json("doctor", "--store", str(path), code=1)["ok"] is False


@pytest.mark.parametrize(
    ("body", "row"),
    [
        (b"\xc1", plain_row()),
        (b"", plain_row()),
        (msgspec.msgpack.encode([FORM, "x"]), plain_row()),
        (Body(FORM + 1, ()), plain_row()),
        (plain_body(), b"\xc1"),
        (plain_body(), plain_row(3)),
        (plain_body(), plain_row(result=9)),
        (plain_body(), plain_row(pre=(codec.encode(1),))),
        (plain_body(), plain_row(pre=(b"",), post=(b"\x02",))),
        (plain_body(), msgspec.structs.replace(plain_row(), form=FORM + 1)),
        (Body(FORM, ()), plain_row(0)),
    ],
)
def test_no_stored_bytes_break_a_command(body: Body | bytes, row: Row | bytes, tmp_path: Path) -> None:
    path = tmp_path / "odd.db"
    seal(path, "odd-one", body, row)
    store = ("--store", str(path))
    unreadable = isinstance(body, bytes) or body.form != FORM
    for options in ((), ("--json",)):
        assert run("show", "odd-one", *store, *options).exit_code == int(unreadable)
    assert run("ls", *store).exit_code == 0
    assert run("stats", *store).exit_code == 0
    report = as_json("doctor", *store, code=1)
    assert {one["kind"] for one in report["problems"]} <= {"unreadable", "misfit"}
    assert {one["id"] for one in report["problems"]} == {"odd-one"}


# --- stats


def test_stats_counts_what_hits_have_saved(shop: tuple[str, list[str]]) -> None:
    path, ids = shop
    found = as_json("stats", "--store", path)
    assert found["states"] == {"fresh": 1, "trusted": 1, "quarantined": 1, "retired": 0}
    assert (found["trajectories"], found["observations"], found["keys"]) == (3, 4, 3)
    assert (found["hits"], found["failures"], found["damaged"], found["unreadable"]) == (1, 1, 0, 0)
    newest = as_json("show", ids[0], "--store", path)["observations"][0]
    assert found["agent_seconds_saved"] == pytest.approx(newest["agent_seconds"])
    assert found["bytes_on_disk"] >= os.path.getsize(path)
    assert found["top_tasks"] == [
        {
            "task": "order for",
            "scope": "tenant",
            "trajectories": 1,
            "hits": 1,
            "agent_seconds_saved": found["agent_seconds_saved"],
        }
    ]
    assert as_json("stats", "--top", "0", "--store", path)["top_tasks"] == []
    shown = run("stats", "--store", path).stdout
    assert "3 (1 fresh, 1 trusted, 1 quarantined)" in shown
    assert "hits times what the newest recording's agent spent outside of tools" in shown


def test_stats_survive_numbers_that_are_none(tmp_path: Path) -> None:
    path = tmp_path / "odd.db"
    seal(path, "aaaa", plain_body(), plain_row(agent_seconds=float("inf")))
    seal(path, "bbbb", plain_body(), plain_row(agent_seconds=2.5, tokens=100))
    store = SqliteStore(path)
    store.note(tuple(muscle_mem.store.Note(id=id, hits=4) for id in ("aaaa", "bbbb")))
    store.close()
    found = as_json("stats", "--store", str(path))
    assert (found["hits"], found["agent_seconds_saved"], found["tokens_saved"]) == (8, 10.0, 400)
    assert "10.0 s: hits times" in run("stats", "--store", str(path)).stdout


# --- forget


def test_forget_deletes_what_is_named(shop: tuple[str, list[str]]) -> None:
    path, ids = shop
    assert run("forget", ids[0][:8], ids[0], "--store", path).stdout == "Forgot 1 trajectory.\n"
    result = run("forget", ids[1], "ffffffffff", "--store", path)
    assert result.exit_code == 1
    assert len(as_json("ls", "--store", path)) == 2
    assert as_json("forget", ids[1], ids[2], "--store", path) == {"forgotten": 2, "ids": ids[1:]}
    assert as_json("ls", "--store", path) == []


def test_forgetting_all_or_many_asks_first(shop: tuple[str, list[str]]) -> None:
    path, ids = shop
    for stdin in ("n\n", ""):
        result = run("forget", "--all", "--store", path, stdin=stdin)
        assert result.exit_code == 1
        assert "Forget everything in sqlite:" in result.stderr
    assert run("forget", "--scope", "tenant", "--store", path, stdin="n\n").exit_code == 1
    assert len(as_json("ls", "--store", path)) == 3
    result = run("forget", "--state", "quarantined", "--json", "--store", path, stdin="y\n")
    assert json.loads(result.stdout) == {"forgotten": 1, "ids": [ids[1]]}
    assert as_json("forget", "--task", "no such thing", "--store", path) == {"forgotten": 0, "ids": []}
    assert run("forget", "--all", "--store", path, stdin="y\n").stdout == "Forgot 2 trajectories.\n"
    assert as_json("ls", "--store", path) == []


@pytest.mark.parametrize("options", [[], ["abcdef", "--all"], ["--all", "--state", "fresh"], ["abcdef", "--task", "x"]])
def test_forget_wants_to_know_exactly_what(options: list[str], shop: tuple[str, list[str]]) -> None:
    result = run("forget", *options, "--yes", "--store", shop[0])
    assert result.exit_code == 2
    assert len(as_json("ls", "--store", shop[0])) == 3


# --- doctor


def test_doctor_finds_nothing_wrong_in_what_an_engine_wrote(shop: tuple[str, list[str]]) -> None:
    path, ids = shop
    report = as_json("doctor", "--store", path)
    assert (report["ok"], report["trajectories"], report["observations"], report["problems"]) == (True, 3, 4, [])
    notices = [(one["kind"], one["id"]) for one in report["notices"]]
    assert notices == [("quarantined", ids[1]), ("unknown_class", None), ("unknown_class", None)]
    assert "looks [bold]wrong" in report["notices"][0]["what"]
    assert "verdict    fine" in run("doctor", "--store", path).stdout


DAMAGE = {
    "UPDATE trajectory SET task = 'x' WHERE id = ?": "the trajectory fails its digest",
    "UPDATE trajectory SET body = x'00' WHERE id = ?": "the trajectory fails its digest",
    "UPDATE standing SET hits = 9 WHERE n = (SELECT n FROM trajectory WHERE id = ?)": "the standing fails its digest",
    "UPDATE observation SET seq = 0 WHERE trajectory = (SELECT n FROM trajectory WHERE id = ?)": "fails its digest",
}


@pytest.mark.parametrize(("sql", "words"), DAMAGE.items())
def test_doctor_finds_damaged_rows(sql: str, words: str, shop: tuple[str, list[str]]) -> None:
    path, ids = shop
    edit(path, sql, ids[2])
    report = as_json("doctor", "--store", path, code=1)
    damaged = [one for one in report["problems"] if one["kind"] == "damaged"]
    assert [one["id"] for one in damaged] == [ids[2]]
    assert words in damaged[0]["what"]
    listing = run("ls", "--store", path)
    assert listing.exit_code == 0
    assert "1 damaged row left out; see `muscle-mem doctor`." in listing.stderr
    assert as_json("stats", "--store", path)["damaged"] == 1
    result = run("doctor", "--store", path)
    assert result.exit_code == 1
    assert words in result.stdout
    if "observation" not in sql:
        result = run("show", ids[2], "--store", path)
        assert result.exit_code == 2
        assert "is damaged" in result.stderr
    assert as_json("forget", ids[2][:10], "--store", path)["forgotten"] == 1
    assert as_json("doctor", "--store", path)["ok"] is True


def test_doctor_finds_rows_that_belong_to_nothing(shop: tuple[str, list[str]]) -> None:
    path, ids = shop
    edit(path, "DELETE FROM standing WHERE n = (SELECT n FROM trajectory WHERE id = ?)", ids[0])
    edit(path, "DELETE FROM trajectory WHERE id = ?", ids[1])
    report = as_json("doctor", "--store", path, code=1)
    found = [(one["kind"], one["id"]) for one in report["problems"]]
    assert ("orphan", ids[0]) in found
    assert ("damaged", None) in found
    assert sum(kind == "orphan" for kind, _ in found) == 2
    assert run("forget", ids[0], "--store", path).exit_code == 0
    assert run("forget", "--all", "--yes", "--store", path).exit_code == 0
    assert as_json("doctor", "--store", path)["ok"] is True


@pytest.mark.parametrize(
    "sql", ["UPDATE sequence SET last = 77", "DELETE FROM sequence", "UPDATE sequence SET last = 1, digest = ?"]
)
def test_doctor_looks_at_the_sequence_number(sql: str, shop: tuple[str, list[str]]) -> None:
    edit(shop[0], sql, *([Digests(sha256).of_sequence(1)] if "?" in sql else []))
    assert [one["kind"] for one in as_json("doctor", "--store", shop[0], code=1)["problems"]] == ["sequence"]


def test_doctor_looks_at_the_pages_of_the_file(tmp_path: Path) -> None:
    path = tmp_path / "pages.db"
    for number in range(40):
        seal(path, f"id-{number}", plain_body(StepRecord("t", "f", (("x", lit("y" * 900)),))), plain_row())
    with contextlib.closing(connect(str(path), Access.WRITE, 1.0)) as connection:
        connection.execute("PRAGMA writable_schema = OFF")
        root = connection.execute("SELECT rootpage FROM sqlite_master WHERE name = 'trajectory_key'").fetchone()[0]
        page = connection.execute("PRAGMA page_size").fetchone()[0]
    with open(path, "r+b") as file:
        file.seek((root - 1) * page + 8)
        file.write(b"\xff" * 64)
    report = as_json("doctor", "--store", str(path), code=1)
    assert "file" in {one["kind"] for one in report["problems"]}


def test_doctor_finds_what_leads_nowhere(tmp_path: Path) -> None:
    path = tmp_path / "odd.db"
    step = StepRecord(
        "t",
        "f",
        (("x", Ref(0)), ("y", Par("p")), ("z", Node("list", (Tpl(("a", "q", "")),)))),
        guards=(Guard(4, (), codec.encode(1)),),
    )
    seal(path, "odd-one", plain_body(step, fixed=(("r", b""),)), plain_row(), steps=2)
    report = as_json("doctor", "--store", str(path), code=1)
    told = " ".join(one["what"] for one in report["problems"])
    assert {one["kind"] for one in report["problems"]} == {"dangling", "misfit"}
    for words in (
        "output of step 0",
        "output of step 4",
        "the param 'p'",
        "the param 'q'",
        "a param 'r'",
        "says 2 steps",
    ):
        assert words in told


# --- stored text


def test_no_stored_text_reaches_the_terminal_raw(shop: tuple[str, list[str]]) -> None:
    path, ids = shop
    outputs = [run(*command, "--store", path).stdout for command in (["ls"], ["stats"], ["doctor"], ["show", ids[2]])]
    for output in outputs:
        assert all(character.isprintable() or character == "\n" for character in output)
    assert "log in \\x1b[31mred\\x1b[0m \\x07\\x9b\\u202eevil\\u2028[bold]x[/bold]" in outputs[0]
    assert "looks [bold]wrong\\x07" in outputs[0]
    assert "[red]b, a @tenant" in outputs[0]


def test_a_lone_surrogate_is_shown_and_told(tmp_path: Path) -> None:
    path = tmp_path / "lone.db"
    body = plain_body(StepRecord("t", "f", (("x", lit("\udc80")),)))
    seal(path, "abcd", body, plain_row(), task="a \ud800 b")
    for command in ("ls", "show abcd"):
        shown = run(*command.split(), "--store", str(path)).stdout
        assert "a \\ud800 b" in shown
    assert "t(x='\\udc80')" in shown
    assert as_json("ls", "--store", str(path))[0]["task"].encode("utf-8", "surrogatepass") == b"a \xed\xa0\x80 b"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain text, Grüße, 漢字, 🎉", "plain text, Grüße, 漢字, 🎉"),
        ("a\nb\r\tc", "a\\nb\\r\\tc"),
        ("\x00\x1b]0;title\x07\x7f\x85\x9b", "\\x00\\x1b]0;title\\x07\\x7f\\x85\\x9b"),
        ("\u202a\u202e\u2066\u200b\ufeff\u2028", "\\u202a\\u202e\\u2066\\u200b\\ufeff\\u2028"),
        ("\ud800\udfff\U000e0041\u3164", "\\ud800\\udfff\\U000e0041\\u3164"),
        ("", ""),
    ],
)
def test_what_is_not_plainly_printable_is_shown_by_its_number(text: str, shown: str) -> None:
    assert visible(text) == shown


def test_every_code_point_comes_out_printable() -> None:
    everything = "".join(map(chr, (*range(0x10000), *range(0x10000, 0x110000, 97))))
    assert visible(everything).isprintable()
    assert visible("\x1b" * 100, 10) == "\\x1b\\x1b\\…"


def test_times_and_sizes_for_people() -> None:
    assert [duration(s) for s in (0, 1e-6, 0.0042, 0.12, 12.34, 303, 7500)] == [
        "0 s", "<0.1 ms", "4.2 ms", "0.12 s", "12.3 s", "5 min 3 s", "2 h 5 min",
    ]  # fmt: skip
    assert [size(n) for n in (0, 999, 41_000, 2_500_000)] == ["0 bytes", "999 bytes", "41.0 kB", "2.5 MB"]
    assert iso(1e9) == "2001-09-09T01:46:40.000Z"
    for odd in (0.0, float("inf"), 1e300, -1e300):
        assert iso(odd) is None
        assert local(odd) == "never"


# --- demo


def test_the_demo_is_run_with_its_options(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    calls: list[tuple[Any, bool]] = []

    def fake(store: str | None = None, headless: bool = True, console: Any = None) -> int:
        console.print("the story")
        calls.append((store, headless))
        return len(calls) // 3

    monkeypatch.setattr("muscle_mem.demo.run", fake)
    path = str(tmp_path / "demo.db")
    assert run("demo", env={"MUSCLE_MEM_STORE": "mine.db"}).stdout == "the story\n"
    result = run("demo", "--json", "--headed", "--store", path)
    assert json.loads(result.stdout) == {"ok": True, "store": path}
    assert result.stderr == "the story\n"
    assert run("--store", f"sqlite:///{path}", "demo").exit_code == 1
    assert calls == [(None, True), (path, False), (path, True)]


def test_trouble_with_the_demos_store_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fake(store: str | None = None, **_: Any) -> int:
        Engine(store).close()
        return 0

    monkeypatch.setattr("muscle_mem.demo.run", fake)
    for name in (str(tmp_path), "mongodb://x/y"):
        result = run("demo", "--store", name)
        assert (result.exit_code, result.stderr.count("\n")) == (2, 1)


# --- the program


def program(*arguments: str, **env: str) -> subprocess.CompletedProcess[str]:
    variables = {name: value for name, value in os.environ.items() if not name.startswith("MUSCLE_MEM")}
    return subprocess.run(
        [sys.executable, "-W", "error", "-m", "muscle_mem", *arguments],
        capture_output=True,
        text=True,
        encoding="utf-8",
        env={**variables, **env},
        stdin=subprocess.DEVNULL,
        timeout=60,
    )


def test_a_program_without_the_users_code_reads_the_store(shop: tuple[str, list[str]]) -> None:
    path, ids = shop
    done = program("show", ids[0][:6], MUSCLE_MEM_STORE=path)
    assert (done.returncode, done.stderr) == (0, "")
    assert re.search(r"pre saw: \{'at': <Record of [\w.]*test_cli:Point\(x=1, label='Username'\)>\}", done.stdout)
    assert "type_text(target='Username', text=name)" in done.stdout
    report = json.loads(program("doctor", "--json", MUSCLE_MEM_STORE=path).stdout)
    assert report["ok"] is True
    unknown = [one["what"] for one in report["notices"] if one["kind"] == "unknown_class"]
    assert [re.split(r"[: ]", one)[1] for one in unknown] == ["Colour", "Point"]
    assert all("in 3 trajectories" in one for one in unknown)


def test_a_terminal_of_few_letters_gets_numbers_for_the_rest(tmp_path: Path) -> None:
    path = tmp_path / "letters.db"
    seal(path, "abcd", plain_body(StepRecord("grüße", "f", (("x", lit("漢字")),))), plain_row(), task="Grüße 漢字 🎉")
    for command in ("ls", "show abcd"):
        done = program(*command.split(), MUSCLE_MEM_STORE=str(path), PYTHONIOENCODING="ascii")
        assert (done.returncode, done.stderr) == (0, "")
        assert "Gr\\xfc\\xdfe" in done.stdout


def test_the_program_fails_in_one_line_without_a_traceback(tmp_path: Path) -> None:
    done = program("ls", "--store", str(tmp_path / "no.db"))
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (2, "", 1)
    assert done.stderr.startswith("Error: There is no store at ")


def test_importing_the_library_loads_nothing_of_the_command_line() -> None:
    code = "import muscle_mem, sys; print([m for m in ('click', 'rich', 'muscle_mem.cli') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.strip() == "[]"


def test_the_version_is_the_librarys() -> None:
    assert run("--version").stdout == f"muscle-mem {muscle_mem.__version__}\n"


def test_every_command_has_help_with_an_example_and_json() -> None:
    assert sorted(main.commands) == [
        "approve",
        "backup",
        "copy",
        "demo",
        "diff",
        "doctor",
        "export",
        "forget",
        "import",
        "ls",
        "migrate",
        "prune",
        "report-bad",
        "report-good",
        "show",
        "stats",
        "verify",
    ]
    overview = run("--help").stdout
    for name, command in main.commands.items():
        text = run(name, "--help").stdout
        assert f"Example:\n    muscle-mem {name}" in text
        assert "--json" in text
        assert command.short_help is not None
        assert f"  {name}" in overview
        assert command.short_help in overview


@pytest.mark.skipif(sys.platform == "win32", reason="no pseudo-terminals")
def test_on_a_terminal_ids_are_short_and_lines_fit(shop: tuple[str, list[str]]) -> None:
    path, ids = shop
    shown = on_terminal(["ls", "--store", path], columns=100)
    plain = re.sub(r"\x1b\[[0-9;]*m", "", shown)
    assert ids[0][:12] in plain
    assert ids[0] not in plain
    assert max(map(len, plain.splitlines())) <= 100
    narrow = re.sub(r"\x1b\[[0-9;]*m", "", on_terminal(["ls", "--store", path], columns=30))
    assert "quarantine" in narrow
    assert ids[0][:12] in narrow


def on_terminal(arguments: list[str], columns: int) -> str:
    """What a person would see in a window of so many columns."""
    import fcntl
    import struct
    import termios

    ours, theirs = os.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 40, columns, 0, 0))
    env = {**os.environ, "TERM": "xterm"}
    process = subprocess.Popen(
        [sys.executable, "-m", "muscle_mem", *arguments], stdin=theirs, stdout=theirs, stderr=theirs, env=env
    )
    os.close(theirs)
    seen = b""
    try:
        while part := os.read(ours, 4096):
            seen += part
    except OSError:  # how Linux says that the other end is closed
        pass
    os.close(ours)
    assert process.wait(60) == 0
    return seen.decode()
