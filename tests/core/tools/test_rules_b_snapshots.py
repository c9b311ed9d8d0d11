"""Rules B: is it safe here? Snapshots, which check sees them, and what a check may do with them."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from check_cases import Log, engine_with
from muscle_mem import Check, Engine, Reason


def warnings_of(caplog: pytest.LogCaptureFixture, word: str) -> list[str]:
    return [r.getMessage() for r in caplog.records if r.levelno == logging.WARNING and word in r.getMessage()]


# --- B3: the first meeting with a type of snapshot


class Page:
    """Equal only to itself, and storable only through `register`."""


class Text(str):
    """Not storable, and not a str."""

    __slots__ = ()


def test_b3_a_check_that_judges_the_stored_form_otherwise_makes_the_step_not_replayable(
    caplog: pytest.LogCaptureFixture,
) -> None:
    engine = engine_with(Check(lambda: [1], lambda current, candidate: current is candidate))
    outcome = engine("a task")

    assert outcome.not_learned is Reason.CHECK_FAILED
    assert "stored" in outcome.not_learned_message
    assert not engine("a task")
    assert len(warnings_of(caplog, "act")) == 1


def test_b3_a_check_that_depends_on_the_order_of_a_dict_is_found_out() -> None:
    engine = engine_with(Check(lambda: {"b": 1, "a": 2}, lambda now, then: list(now.items()) == list(then.items())))
    assert engine("a task").not_learned is Reason.CHECK_FAILED


def test_b3_a_compare_that_cannot_judge_its_own_snapshot_is_refused_for_good(caplog: pytest.LogCaptureFixture) -> None:
    engine = engine_with(Check(lambda: "text", lambda current, candidate: current - candidate))

    for _ in range(3):
        outcome = engine("a task")
        assert outcome.status == "miss"
        assert outcome.not_learned is Reason.CHECK_FAILED
        assert "TypeError" in outcome.not_learned_message
    assert len(warnings_of(caplog, "TypeError")) == 1


@pytest.mark.parametrize("answer", [None, float("nan"), "no"])
def test_b3_an_answer_that_is_no_verdict_shows_at_the_first_meeting(answer: Any) -> None:
    engine = engine_with(Check(lambda: 1, lambda current, candidate: answer))
    outcome = engine("a task")
    assert outcome.not_learned is Reason.CHECK_FAILED
    assert "no verdict" in outcome.not_learned_message


def test_b3_each_type_of_snapshot_is_met_once_and_judged_on_itself_and_its_stored_form() -> None:
    calls: list[tuple[Any, Any]] = []
    seen: list[Any] = [1]
    engine = engine_with(Check(lambda: seen[0], lambda *pair: calls.append(pair) or True))
    for seen[0] in (1, 2, "a", "b", 3):
        engine("a task", mode="record")

    assert sorted(map(repr, calls)) == ["('a', 'a')", "('a', 'a')", "(1, 1)", "(1, 1)"]


def test_b3_a_check_that_refuses_its_own_snapshot_is_legitimate_and_reported_once(
    caplog: pytest.LogCaptureFixture,
) -> None:
    version = [1]
    engine = engine_with(Check(lambda: version[0], lambda current, candidate: current > candidate))

    assert engine("a task").learned
    assert not engine("a task")
    version[0] = 2
    assert engine("a task")
    assert len(warnings_of(caplog, "itself")) == 1


def test_b3_trouble_of_one_check_is_not_another_checks() -> None:
    good, bad = Check(lambda: 1), Check(lambda: 1, lambda current, candidate: None)
    assert engine_with(bad)("a task").not_learned is Reason.CHECK_FAILED
    assert engine_with(good)("a task").learned


@pytest.mark.parametrize("make", [Page, lambda: Text("a"), lambda: (n for n in "a"), lambda: print])
def test_b3_a_snapshot_that_cannot_be_stored_is_said_to_be_one(make: Callable[[], Any]) -> None:
    engine = engine_with(Check(make, lambda current, candidate: True))
    outcome = engine("a task")
    assert outcome.not_learned is Reason.CAPTURE_FAILED
    assert "cannot be stored" in outcome.not_learned_message


def test_b3_a_compare_that_empties_what_it_is_given_changes_neither_the_world_nor_later_hits() -> None:
    world = {"page": "inbox", "time": 1}

    def compare(current: dict[str, Any], candidate: dict[str, Any]) -> bool:
        candidate.pop("time")
        return {**current, "time": 0} == {**candidate, "time": 0}

    engine = engine_with(Check(lambda: world, compare))
    assert engine("a task").learned
    assert world == {"page": "inbox", "time": 1}
    assert [bool(engine("a task")) for _ in range(3)] == [True, True, True]


@pytest.mark.parametrize("refresh", [False, True])
def test_b3_a_compare_may_empty_both_sides(refresh: bool) -> None:
    state = {"page": "inbox"}

    def compare(current: dict[str, Any], candidate: dict[str, Any]) -> bool:
        del current["time"], candidate["time"]
        return current == candidate

    engine = engine_with(Check(lambda: {**state, "time": 1}, compare, refresh=refresh))
    for page in ("outbox", "inbox", "trash"):
        state["page"] = page
        assert engine("a task", mode="record").learned
    for page in ("inbox", "trash", "outbox", "inbox"):
        state["page"] = page
        assert engine("a task"), page
    state["page"] = "drafts"
    assert engine("a task").reason is Reason.FIRST_CHECK_REFUSED


def test_b3_a_capture_may_return_a_live_object_that_the_next_tool_changes() -> None:
    world = {"step": 0, "menu": ""}
    opens = ["files"]
    done: list[str] = []
    engine = Engine()

    @engine.tool(pre_check=Check(lambda what: world, lambda current, candidate: current == candidate))
    def click(what: str) -> None:
        done.append(what)
        world.update(step=world["step"] + 1, menu=opens[0])

    def agent(task: str) -> None:
        click("menu")
        click(world["menu"])

    engine.set_agent(agent)
    for opens[0] in ("files", "people"):
        world.update(step=0, menu="")
        engine("a task", mode="record")
    world.update(step=0, menu="")
    opens[0] = "files"
    done.clear()

    assert engine("a task")
    assert done == ["menu", "files"]


# --- B4: a capture or compare that raises


def test_b4_a_raising_capture_never_breaks_the_agent_while_recording(caplog: pytest.LogCaptureFixture) -> None:
    def broken() -> None:
        raise OSError("no page")

    log: Log = []
    outcome = engine_with(Check(broken), log=log)("a task")

    assert log == ["act"]
    assert outcome.status == "miss"
    assert outcome.not_learned is Reason.CAPTURE_FAILED
    assert "no page" in outcome.not_learned_message
    assert len(warnings_of(caplog, "no page")) == 1


def test_b4_a_raising_post_capture_costs_the_recording_only() -> None:
    def broken(x: int) -> None:
        raise StopIteration

    engine = Engine()

    @engine.tool(post_check=Check(broken))
    def double(x: int) -> int:
        return x * 2

    engine.set_agent(lambda task: double(2))
    outcome = engine("a task")
    assert outcome.value == 4
    assert outcome.not_learned is Reason.CAPTURE_FAILED


@pytest.mark.parametrize("half", ["capture", "compare"])
@pytest.mark.parametrize("error", [OSError("gone"), StopIteration("gone"), AssertionError("gone")], ids=repr)
def test_b4_in_a_replay_what_raises_is_a_refusal_with_the_exception_as_reason(half: str, error: Exception) -> None:
    broken: list[str] = []

    def part(name: str, value: Any) -> Any:
        if name in broken:
            raise error
        return value

    log: Log = []
    check = Check(lambda: part("capture", 1), lambda current, candidate: part("compare", True))
    engine = engine_with(check, log=log)
    engine("a task")
    broken.append(half)
    outcome = engine("a task")

    assert outcome.status == "miss"
    assert outcome.reason is Reason.FIRST_CHECK_REFUSED
    assert "gone" in outcome.message
    assert log == ["act", "act"]
    broken.clear()
    assert engine("a task")


def test_b4_an_interruption_in_a_capture_passes_through() -> None:
    pressed: list[str] = []

    def capture() -> int:
        if pressed:
            raise KeyboardInterrupt(pressed.pop())
        return 1

    engine = engine_with(Check(capture))
    engine("a task")
    pressed.append("stop")
    with pytest.raises(KeyboardInterrupt, match="stop"):
        engine("a task")
    assert engine("a task")


def test_b4_the_plain_capture_that_returns_a_coroutine_is_refused_and_closed() -> None:
    async def title() -> str:
        return "Inbox"

    outcome = engine_with(Check(lambda: title()))("a task")
    assert outcome.not_learned is Reason.CAPTURE_FAILED
    assert "awaitable" in outcome.not_learned_message


# --- B11: no compare


class Same:
    """Pairs that exact equality must keep apart, and some that it must not."""

    apart = ((True, 1), (1, 1.0), (0, False), (None, 0), ("1", 1), ([1], (1,)), (0.0, -0.0), ({1}, frozenset({1})))
    alike = (({"a": 1, "b": 2}, {"b": 2, "a": 1}), (float("nan"), float("nan")), ([1, [2]], [1, [2]]), ({3, 1}, {1, 3}))


@pytest.mark.parametrize(("then", "now"), [*Same.apart, *[(b, a) for a, b in Same.apart]], ids=repr)
def test_b11_without_compare_types_count(then: Any, now: Any) -> None:
    seen = [then]
    engine = engine_with(Check(lambda: seen[0]))
    engine("a task")
    seen[0] = now
    assert engine("a task").reason is Reason.FIRST_CHECK_REFUSED


@pytest.mark.parametrize(("then", "now"), Same.alike, ids=repr)
def test_b11_without_compare_equal_content_is_equal(then: Any, now: Any) -> None:
    seen = [then]
    engine = engine_with(Check(lambda: seen[0]))
    engine("a task")
    seen[0] = now
    assert engine("a task")


def test_b11_one_of_many_exact_snapshots_is_found_and_an_unseen_one_is_not(tmp_path: Path) -> None:
    seen: list[Any] = [None]
    done: list[int] = []
    engine = Engine(tmp_path / "memory.db")

    @engine.tool(pre_check=Check(lambda n: {"n": seen[0], "of": [1, 2]}))
    def act(n: int) -> None:
        done.append(n)

    engine.set_agent(lambda task: act(seen[0]))
    for seen[0] in range(30):
        engine("a task", mode="record")
    done.clear()
    for seen[0] in (7, 29, 0):
        assert engine("a task", mode="auto")
    assert done == [7, 29, 0]
    seen[0] = 30
    assert engine("a task").reason is Reason.FIRST_CHECK_REFUSED
    engine.close()
