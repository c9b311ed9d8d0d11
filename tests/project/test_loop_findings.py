"""The counts of programs that go through lists: what is worked through, and that nothing is wrong."""

from __future__ import annotations

from typing import Any

import pytest
from benchmarks import learning
from benchmarks.scenarios.bytecodes import counted

from list_shop import TASK, ListShop
from loop_findings import findings, is_by_chance
from loop_programs import FAMILIES, Program, programs
from muscle_mem import Check, Engine
from muscle_mem._core.plan import loop_answers
from muscle_mem._core.replay import loops

EXITS = ("until_bool", "until_word", "until_number")
OTHERS = sorted(name for name, family in FAMILIES.items() if not family.is_whole and name not in EXITS)


def test_whole_lists_of_another_length_are_worked_through_after_two_recordings() -> None:
    found = findings(programs(40, 5, ["whole"]), 2)
    assert found[1].counts["hit"] == 0
    assert found[2].share("hit") >= 95
    assert found[2].wrong == []


@pytest.mark.parametrize("name", EXITS)
def test_early_exits_are_never_wrong(name: str) -> None:
    by_number = findings(programs(20, 5, [name]))
    assert [found.wrong for found in by_number.values()] == [[], [], []]
    assert by_number[2].counts["acted"] > 0


@pytest.mark.parametrize("name", OTHERS)
def test_no_other_program_is_wrong_for_a_reason_that_its_recordings_show(name: str) -> None:
    assert [found.wrong for found in findings(programs(8, 5, [name])).values()] == [[], [], []]


def test_lists_that_are_empty_or_much_longer_are_handed_over() -> None:
    found = findings(programs(8, 5, ["empty_or_long"]), 2)
    assert (found[2].counts["diverged"], found[2].counts["hit"], found[2].wrong) == (8, 0, [])


def test_what_no_recording_shows_is_counted_apart() -> None:
    found = findings(programs(30, 5, ["first_n"]), 2)
    assert found[2].counts["by chance"] > 0
    assert found[2].wrong == []


def test_without_the_rule_early_exits_would_be_wrong(monkeypatch: pytest.MonkeyPatch) -> None:
    """The control of the proof: no answer stops a loop."""
    monkeypatch.setattr(loop_answers.Answers, "unseen", lambda self, output: iter(()))
    found = findings(programs(20, 5, ["until_bool"]), 2)
    assert found[2].wrong


def test_without_the_rule_pages_would_be_wrong(monkeypatch: pytest.MonkeyPatch) -> None:
    """The control of the proof: nothing beside a list, and no new answer, stops a loop."""
    monkeypatch.setattr(loops, "why_not_whole", lambda *given: "")
    monkeypatch.setattr(loop_answers.Answers, "unseen", lambda self, output: iter(()))
    found = findings(programs(60, 5, ["pages_by_cursor", "pages_by_flag"]), 2)
    assert found[2].wrong


def test_by_chance_is_what_no_recording_shows() -> None:
    program = Program("judgement", 1)
    assert is_by_chance(program, [(0, 1), (0, 1, 2)], [2, 3])
    assert is_by_chance(program, [(1,), (1,)], [4, 5])
    assert not is_by_chance(program, [(0,), (1, 2)], [4, 5])
    assert not is_by_chance(Program("filter_by_word", 1), [(0, 1), (0, 1, 2)], [2, 3])


def test_the_table_has_each_family_and_all() -> None:
    lines = learning.table_of_lists(learning.lists(len(FAMILIES), 3, 1)).splitlines()
    assert lines[0].startswith("| program | 1: runs, acted, wrong, by chance, handed over |")
    assert lines[-1].startswith("| all |")
    assert len(lines) > 10


def test_an_iteration_is_one_capture_one_compare_and_one_call() -> None:
    done: list[str] = []

    def capture(order_id: str) -> str:
        done.append("capture")
        return "open"

    def compare(now: str, then: str) -> bool:
        done.append("compare")
        return now == then

    shop = ListShop(check=Check(capture, compare))
    shop.answer = lambda order_id: done.append("call")
    shop.teach(2, 5)
    done.clear()
    assert shop.run(9)
    assert done == ["capture", "compare", "call"] * 9


def test_an_iteration_takes_less_than_three_times_the_bytecodes_of_a_step_that_reads_an_output() -> None:
    iteration = (counted(loop_over(12))[0] - counted(loop_over(4))[0]) / 8
    step = (counted(steps_that_read(5))[0] - counted(steps_that_read(1))[0]) / 8
    assert iteration < 3 * step


def loop_over(count: int) -> Any:
    shop = ListShop().teach(3, 12)
    shop.stock(count)

    def hit() -> None:
        shop.shipped.clear()
        assert shop.engine(TASK)

    return hit


def steps_that_read(count: int) -> Any:
    """Return a hit of so many pairs of steps, of which the second reads the first one's output."""
    engine = Engine()
    numbers = iter(range(71_000, 90_000))
    create = engine.tool(name="create")(lambda name: {"order_id": f"ORD-{next(numbers)}"})
    pay = engine.tool(name="pay")(lambda order_id: {"ok": True})
    engine.set_agent(lambda task: [pay(create(f"no. {at}")["order_id"]) for at in range(count)] and None)
    engine(TASK)
    engine(TASK)

    def hit() -> None:
        assert engine(TASK)

    return hit
