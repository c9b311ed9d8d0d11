"""Looking into a store: ls, show and stats, for people and for programs."""

from __future__ import annotations

import os
import re
from pathlib import Path

import msgspec
import pytest

import muscle_mem
from cli_cases import NASTY, as_json, lit, plain_body, plain_row, run, seal
from muscle_mem._core import codec
from muscle_mem._core.model.records import FORM, Body, Guard, Lit, Node, Par, Ref, Row, StepRecord, Tpl
from muscle_mem.store import Observation, Sealed, SqliteStore

# --- ls


def test_ls_lists_newest_first_with_stable_keys(shop: tuple[str, list[str]]) -> None:
    path, ids = shop
    listed = as_json("ls", "--store", path)
    assert [one["id"] for one in listed] == [ids[0], ids[2], ids[1]]
    assert list(listed[0]) == [
        "id", "task", "scope", "tags", "steps", "state", "reason", "held", "hits", "failures", "agreed", "disagreed",
        "strikes",
        "observations", "seq", "key", "created", "recorded", "last_hit", "kind",
    ]  # fmt: skip
    first = listed[0]
    assert (first["scope"], first["tags"], first["steps"]) == ("tenant", ["[red]b", "a"], 2)
    assert (first["state"], first["hits"], first["observations"]) == ("trusted", 1, 2)
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", first["recorded"])
    assert re.fullmatch(r"[0-9a-f]{64}", first["key"])
    assert listed[1]["last_hit"] is None
    assert {one["kind"] for one in listed} == {"recording"}
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
    assert run("ls", "--store", path, "--scope", "").stdout == "No trajectories match.\n"
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
        "at ['order']['id'] must be 'ORD-4711'",
        "post-snapshot: 5",
        "output: 'found' (returned by the agent)",
    ):
        assert line in shown, line
    assert "order_id <- literal, guarded: output of step 0" in shown
    assert "pre-snapshot: {'at': " in shown
    for line in ("scope   [red]b, a @tenant", "state        trusted", "1 of 2, recorded", "params       name"):
        assert line in shown


def test_show_tells_the_observation_that_is_asked_for(shop: tuple[str, list[str]]) -> None:
    path, ids = shop
    newest, oldest = (run("show", ids[0], "--observation", n, "--store", path).stdout for n in "12")
    assert newest == run("show", ids[0], "--store", path).stdout
    assert "2 of 2, recorded" in oldest
    assert newest.count("post-snapshot: ") == oldest.count("post-snapshot: ") == 1
    assert newest != oldest
    assert [one["number"] for one in as_json("show", ids[0], "--store", path)["observations"]] == [1, 2]
    picked = as_json("show", ids[0], "--observation", "2", "--store", path)["observations"]
    assert [one["number"] for one in picked] == [2]
    result = run("show", ids[0], "--observation", "3", "--store", path)
    assert result.exit_code == 1
    assert "--observation" in result.stderr
    assert "got 3" in result.stderr


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
    for given, words in (("efg", "4 or more"), ("zzzz", "'zzzz'"), ("", "4 or more")):
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
        "guarded: output of step 5 at [#9][#9] must be 'x'",
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
    found = as_json("stats", "--full", "--store", path)
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
    assert as_json("stats", "--full", "--top", "0", "--store", path)["top_tasks"] == []
    shown = run("stats", "--full", "--store", path).stdout
    assert "3 (1 fresh, 1 trusted, 1 quarantined)" in shown
    assert "hits times the agent's time" in shown


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
