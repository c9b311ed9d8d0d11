"""The doctor's word on checks that always say the same."""

from __future__ import annotations

import json
from pathlib import Path

import msgspec
from click.testing import CliRunner

from muscle_mem import Check, Engine
from muscle_mem._core.model.records import FORM, Body, StepRecord
from muscle_mem._reading.check_lint import MANY_NO, MANY_YES, Answers, collect_answers, lint
from muscle_mem.cli import main
from muscle_mem.store import Sealed, Standing, Stored
from muscle_mem.store.base import Tally


def stored(hits: int, *tallies: Tally, steps: tuple[StepRecord, ...] = (), body: bytes | None = None) -> Stored:
    """A trajectory that was hit so often, of a click with a pre-check and a save with a post-check."""
    given = steps or (StepRecord("click", "s:1", (), pre="p"), StepRecord("save", "s:2", (), post="q"))
    data = msgspec.msgpack.encode(Body(FORM, given)) if body is None else body
    sealed = Sealed(id="t", key=b"k" * 32, body=data, steps=len(given))
    return Stored(sealed=sealed, seq=1, standing=Standing(hits=hits, checks=tallies))


def notices(*many: Stored) -> list[str]:
    answers = Answers()
    for one in many:
        collect_answers(one, answers)
    found = list(lint(answers))
    assert not any(one.problem for one in found)
    return [f"{one.kind}: {one.what.partition('. ')[0]}" for one in found]


def test_a_check_that_never_said_no_is_told_once_it_was_asked_often() -> None:
    assert notices(stored(MANY_YES - 1)) == []
    assert notices(stored(MANY_YES, Tally("save post", 0, 1))) == [
        "never_no: the pre-check of click passed 50 times and never failed"
    ]
    assert notices(stored(MANY_YES - 1, Tally("click pre", 1, 0), Tally("save post", 0, 1))) != []


def test_a_check_that_never_said_yes_is_told() -> None:
    assert notices(stored(0, Tally("click pre", 0, MANY_NO - 1))) == []
    assert notices(stored(0, Tally("click pre", 0, MANY_NO))) == [
        "never_yes: the pre-check of click failed 5 times and never passed"
    ]
    assert notices(stored(1, Tally("click pre", 0, MANY_NO))) == []


def test_what_a_check_said_is_added_up_over_trajectories_and_told_apart_by_its_code() -> None:
    half = MANY_YES // 2
    both = ["never_no: the pre-check of click passed 50 times and never failed"]
    no = Tally("save post", 0, 1)
    assert notices(stored(half, no), stored(half, no)) == both
    assert notices(stored(half, no), stored(half, no, Tally("click pre", 0, 1))) == []
    changed = (StepRecord("click", "s:1", (), pre="other"),)
    assert notices(stored(half, no), stored(half, steps=changed)) == []


def test_steps_without_checks_unread_bodies_and_tallies_of_nothing_say_nothing() -> None:
    bare = (StepRecord("click", "s:1", ()),)
    assert notices(stored(1000, Tally("click pre", 0, 9), steps=bare)) == []
    assert notices(stored(1000, body=b"\xc1")) == []


def test_the_doctor_tells_it(tmp_path: Path) -> None:
    path = str(tmp_path / "memory.db")
    with Engine(path) as engine:
        click = engine.tool(name="click", pre_check=Check(lambda: 1))(lambda: None)
        engine.set_agent(lambda task: click())
        engine("a task")
        for _ in range(MANY_YES):
            assert engine("a task")
    result = CliRunner().invoke(main, ["doctor", "--store", path, "--json"])
    assert result.exit_code == 0
    report = json.loads(result.stdout)
    assert [one["kind"] for one in report["notices"]] == ["never_no"]
    assert "the pre-check of click passed 50 times" in report["notices"][0]["what"]
