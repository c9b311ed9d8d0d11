"""Tending a store: forget deletes what is named, doctor finds what is wrong."""

from __future__ import annotations

import contextlib
import json
from pathlib import Path

import pytest

from cli_cases import as_json, edit, lit, plain_body, plain_row, run, seal
from muscle_mem._core import codec
from muscle_mem._core.model.records import Guard, Node, Par, Ref, StepRecord, Tpl
from muscle_mem.store.digest import sha256
from muscle_mem.store.sqlite.opening import Access, connect
from muscle_mem.store.sqlite.rows import Digests

# --- forget


def test_forget_deletes_what_is_named(shop: tuple[str, list[str]]) -> None:
    path, ids = shop
    assert run("forget", ids[0][:8], ids[0], "--store", path).stdout == "Deleted 1 trajectory.\n"
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
        assert "everything from sqlite:" in result.stderr
    assert run("forget", "--scope", "tenant", "--store", path, stdin="n\n").exit_code == 1
    assert len(as_json("ls", "--store", path)) == 3
    result = run("forget", "--state", "quarantined", "--json", "--store", path, stdin="y\n")
    assert json.loads(result.stdout) == {"forgotten": 1, "ids": [ids[1]]}
    assert as_json("forget", "--task", "no such thing", "--store", path) == {"forgotten": 0, "ids": []}
    assert run("forget", "--all", "--store", path, stdin="y\n").stdout == "Deleted 2 trajectories.\n"
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
    assert "no problems" in run("doctor", "--store", path).stdout


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
    assert "1 damaged row" in listing.stderr
    assert as_json("stats", "--full", "--store", path)["damaged"] == 1
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
        "parameter 'p'",
        "parameter 'q'",
        "parameter 'r'",
        "expected 2",
    ):
        assert words in told
