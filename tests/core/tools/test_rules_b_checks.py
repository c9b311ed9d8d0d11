"""Rules B: is it safe here? What a check sees, what its answer means, and which checks a step replays under."""

from __future__ import annotations

import asyncio
import decimal
import fractions
import logging
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from check_cases import Log, engine_with
from muscle_mem import Check, Engine, Reason
from muscle_mem._core.tools.check import CheckError, interpret


class Truthy:
    def __init__(self, answer: Any) -> None:
        self.answer = answer

    def __bool__(self) -> bool:
        if isinstance(self.answer, Exception):
            raise self.answer
        return bool(self.answer)


def check_of(answer: Callable[[], Any], *, capture: Callable[[], Any] = lambda: 1, **options: Any) -> Check:
    return Check(capture, lambda current, candidate: answer(), **options)


# --- B1: captured once, at its place


def test_b1_a_pre_check_is_captured_once_right_before_its_tool() -> None:
    log: Log = []

    def compare(current: int, candidate: int) -> bool:
        log.append("compare")
        return current == candidate

    engine = engine_with(Check(lambda: log.append("look") or 1, compare), log=log)
    engine("a task")
    log.clear()

    assert engine("a task")
    assert log == ["look", "compare", "act"]


def test_b1_several_recordings_of_one_call_share_one_capture() -> None:
    log: Log = []
    state = {"n": 1}

    def look() -> int:
        log.append("look")
        return state["n"]

    engine = engine_with(Check(look, lambda current, candidate: current == candidate), log=log)
    for n in (1, 2, 3):
        state["n"] = n
        engine("a task", mode="record")
    log.clear()
    state["n"] = 1

    assert engine("a task")
    assert log == ["look", "act"]


# --- B2: what an answer means

PASSING = (True, np.bool_(True), 1, 1.0, 2, np.float32(1.0), np.float64(1.5), np.array(True), np.array(1.0))
PASSING += (Truthy(1), decimal.Decimal(1), fractions.Fraction(3, 2), float("inf"))
FAILING = (False, np.bool_(False), 0, 0.3, np.float32(0.3), np.float64(0.3), np.array(0.3), np.int64(0), -1.0)
FAILING += (Truthy(0), decimal.Decimal("0.99"), np.array(False))
NO_VERDICT = (None, float("nan"), np.float32("nan"), decimal.Decimal("NaN"), decimal.Decimal("sNaN"), np.array(None))
NO_VERDICT += (np.array([True]), np.array([1.0]), np.array([]), np.ones((2, 2)), Truthy(ValueError("no truth")))
NO_VERDICT += ("yes", "", "False", b"1", [True], (), {}, object(), 1j)


@pytest.mark.parametrize("answer", PASSING, ids=lambda answer: type(answer).__name__)
def test_b2_what_passes(answer: Any) -> None:
    assert interpret(check_of(lambda: None), answer)


@pytest.mark.parametrize("answer", FAILING, ids=lambda answer: type(answer).__name__)
def test_b2_what_does_not_pass(answer: Any) -> None:
    assert not interpret(check_of(lambda: None), answer)


@pytest.mark.parametrize("answer", NO_VERDICT, ids=lambda answer: type(answer).__name__)
def test_b2_what_is_no_verdict_at_all(answer: Any) -> None:
    with pytest.raises(CheckError):
        interpret(check_of(lambda: None), answer)


def test_b2_an_enum_like_truth_is_not_a_length() -> None:
    with pytest.raises(CheckError, match=r"\[1, 2, 3\]"):
        interpret(check_of(lambda: None), [1, 2, 3])


@pytest.mark.parametrize(("score", "hit"), [(0.5, True), (0.49, False), (True, True), (False, False), (2, True)])
def test_b2_a_score_is_held_against_the_threshold_and_a_bool_is_taken_as_it_is(score: Any, hit: bool) -> None:
    now: list[Any] = [True]
    engine = engine_with(check_of(lambda: now[0], threshold=0.5))
    engine("a task")
    now[0] = score

    assert bool(engine("a task")) is hit


def test_b2_a_threshold_of_zero_lets_a_score_of_zero_pass_and_false_not() -> None:
    check = check_of(lambda: None, threshold=0)
    assert interpret(check, 0.0)
    assert not interpret(check, False)


@pytest.mark.parametrize("answer", NO_VERDICT, ids=lambda answer: type(answer).__name__)
def test_b2_in_a_replay_no_verdict_is_a_refusal_and_says_so(answer: Any) -> None:
    now: list[Any] = [True]
    log: Log = []
    engine = engine_with(check_of(lambda: now[0]), log=log)
    engine("a task")
    now[0] = answer
    outcome = engine("a task")

    assert outcome.status == "miss"
    assert outcome.reason is Reason.FIRST_CHECK_REFUSED
    assert "errored" in outcome.message
    assert log == ["act", "act"]


def warnings_of(caplog: pytest.LogCaptureFixture, word: str) -> list[str]:
    return [r.getMessage() for r in caplog.records if r.levelno == logging.WARNING and word in r.getMessage()]


def test_b2_an_undeclared_threshold_warns_once_and_asks_for_one(caplog: pytest.LogCaptureFixture) -> None:
    score = [1.0]
    engine = engine_with(check_of(lambda: score[0]))
    for _ in range(4):
        engine("a task")
    score[0] = 0.97

    assert not engine("a task")
    assert len(warnings_of(caplog, "threshold")) == 1
    assert "act" in warnings_of(caplog, "threshold")[0]


def test_b2_the_first_score_may_be_seen_in_a_replay(caplog: pytest.LogCaptureFixture) -> None:
    answer: list[Any] = [True]
    engine = engine_with(check_of(lambda: answer[0]))
    engine("a task")
    assert not warnings_of(caplog, "threshold")
    answer[0] = 0.4
    engine("a task", mode="auto")

    assert len(warnings_of(caplog, "threshold")) == 1


@pytest.mark.parametrize("options", [{"threshold": 0.9}, {"threshold": 1.0}])
def test_b2_a_declared_threshold_does_not_warn(options: Any, caplog: pytest.LogCaptureFixture) -> None:
    engine = engine_with(check_of(lambda: 1.0, **options))
    engine("a task")
    assert engine("a task")
    assert not warnings_of(caplog, "threshold")


@pytest.mark.parametrize("threshold", ["0.9", True, float("nan"), None.__class__])
def test_b2_a_threshold_that_no_score_can_be_held_against_is_refused(threshold: Any) -> None:
    with pytest.raises((TypeError, ValueError), match="threshold"):
        Check(lambda: 1, lambda a, b: 1.0, threshold=threshold)


# --- B5: no check, captured None, capture failed


def test_b5_no_check_captured_none_and_failed_capture_are_three_things() -> None:
    def broken() -> None:
        raise OSError("no page")

    unchecked, none, failed = engine_with(None), engine_with(Check(lambda: None)), engine_with(Check(broken))
    first = [engine("a task") for engine in (unchecked, none, failed)]

    assert [outcome.not_learned for outcome in first] == [None, None, Reason.CAPTURE_FAILED]
    assert [bool(engine("a task")) for engine in (unchecked, none, failed)] == [True, True, False]


def test_b5_a_captured_none_is_held_against_what_is_seen_later() -> None:
    seen: list[Any] = [None]
    engine = engine_with(Check(lambda: seen[0]))
    engine("a task")
    seen[0] = 0

    outcome = engine("a task")
    assert outcome.reason is Reason.FIRST_CHECK_REFUSED
    assert "expected None, got 0" in outcome.message


def test_b5_a_compare_is_given_the_captured_none() -> None:
    given: list[Any] = []
    engine = engine_with(Check(lambda: None, lambda *pair: given.append(pair) or True))
    engine("a task")
    given.clear()

    assert engine("a task")
    assert given == [(None, None)]


# --- B6: polling


@pytest.fixture
def fake_time(monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    """A clock that only sleeping moves; `slept` says how long each sleep was."""
    fake = SimpleNamespace(now=100.0, slept=[])

    def sleep(seconds: float) -> None:
        fake.slept.append(round(seconds, 6))
        fake.now += seconds

    fake.sleep = sleep
    fake.time = lambda: fake.now
    fake.perf_counter = lambda: fake.now
    monkeypatch.setattr("muscle_mem._runtime.runtime.time", fake)
    monkeypatch.setattr("muscle_mem._runtime.performer.time", fake)
    return fake


def waiting(answers: list[bool], log: Log, role: str = "pre_check", **options: Any) -> Engine:
    """One tool under a check that waits; its later answers are `answers`, then False."""
    engine = Engine()
    recorded: list[bool] = []

    def compare(current: int, candidate: int) -> bool:
        if not recorded:
            return True
        log.append("compare")
        return answers.pop(0) if answers else False

    @engine.tool(**{role: Check(lambda: 1, compare, **options)}, effect="read")
    def act() -> None:
        log.append("act")

    engine.set_agent(lambda task: act())
    engine("a task")
    recorded.append(True)
    log.clear()
    return engine


def test_b6_a_check_that_passes_later_is_waited_for(fake_time: SimpleNamespace) -> None:
    log: Log = []
    engine = waiting([False, False, True], log, wait=2.0, every=0.5)

    assert engine("a task")
    assert log == ["compare", "compare", "compare", "act"]
    assert fake_time.slept == [0.5, 0.5]


def test_b6_the_deadline_ends_it_after_a_last_look(fake_time: SimpleNamespace) -> None:
    log: Log = []
    engine = waiting([], log, wait=1.2, every=0.5)

    assert engine("a task").reason is Reason.FIRST_CHECK_REFUSED
    assert fake_time.slept == [0.5, 0.5, 0.2]
    assert log == ["compare"] * 4 + ["act"]


def test_b6_a_post_check_waits_too(fake_time: SimpleNamespace) -> None:
    log: Log = []
    engine = waiting([False, True], log, "post_check", wait=1.0, every=0.25)

    assert engine("a task")
    assert log == ["act", "compare", "compare"]
    assert fake_time.slept == [0.25]


def test_b6_all_candidates_share_one_deadline(fake_time: SimpleNamespace) -> None:
    state = [1]
    engine = engine_with(Check(lambda: state[0], wait=1.0, every=0.5))
    for state[0] in (1, 2, 3):
        engine("a task", mode="record")
    state[0] = 99

    assert not engine("a task")
    assert fake_time.slept == [0.5, 0.5]


def test_b6_recording_and_a_passing_check_never_sleep(fake_time: SimpleNamespace) -> None:
    engine = engine_with(Check(lambda: 1, wait=5.0))
    engine("a task")
    assert engine("a task")
    assert fake_time.slept == []


def test_b6_without_wait_a_check_looks_once(fake_time: SimpleNamespace) -> None:
    log: Log = []
    waiting([False, True], log)("a task")
    assert log == ["compare", "act"]
    assert fake_time.slept == []


def test_b6_under_acall_the_loop_sleeps(fake_time: SimpleNamespace, monkeypatch: pytest.MonkeyPatch) -> None:
    async def sleep(seconds: float) -> None:
        fake_time.sleep(seconds)

    log: Log = []
    engine = waiting([False, True], log, wait=2.0, every=0.5)
    monkeypatch.setattr(asyncio, "sleep", sleep)

    assert asyncio.run(engine.acall("a task"))
    assert fake_time.slept == [0.5]


@pytest.mark.parametrize("options", [{"wait": -1}, {"wait": "2"}, {"every": float("inf")}, {"wait": float("nan")}])
def test_b6_a_wait_that_is_no_time_is_refused(options: Any) -> None:
    with pytest.raises((TypeError, ValueError), match="seconds"):
        Check(lambda: 1, **options)
