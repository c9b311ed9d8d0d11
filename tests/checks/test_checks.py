"""The ready-made checks: what passes, what does not, and what `explain` says of it."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from muscle_mem import Check, Engine, Explanation, Reason, checks


def learned(check: Check, fn: Any = None, *args: Any) -> Engine:
    """An engine that has learned one call of a tool under the check."""
    engine = Engine()
    tool = engine.tool(pre_check=check)(fn or (lambda: None))
    engine.set_agent(lambda task: tool(*args))
    outcome = engine("a task")
    assert outcome.learned, outcome.not_learned_message
    return engine


def told(engine: Engine) -> tuple[bool, str, str]:
    """Whether a replay would start, and what was seen and expected."""
    explanation: Explanation = engine.explain("a task")
    (one,) = explanation.considered
    assert one.seen in str(explanation)
    return bool(explanation), one.seen, one.expected


# --- equal


def test_equal_passes_while_the_capture_returns_exactly_the_same() -> None:
    seen: list[Any] = [{"rows": 1}]
    engine = learned(checks.equal(lambda: seen[0]))
    assert told(engine) == (True, "{'rows': 1}", "{'rows': 1}")
    assert engine("a task")

    seen[0] = {"rows": True}
    assert told(engine) == (False, "{'rows': True}", "{'rows': 1}")
    outcome = engine("a task")
    assert outcome.reason is Reason.FIRST_CHECK_REFUSED
    assert "expected {'rows': 1}, got {'rows': True}" in outcome.message


def test_equal_takes_the_options_of_a_check() -> None:
    check = checks.equal(lambda: 1, wait=2.0, every=0.5, refresh=True)
    assert (check.wait, check.every, check.refresh, check.is_equality) == (2.0, 0.5, True, True)


def test_what_explain_shows_is_one_short_line() -> None:
    seen = ["a\nb" * 1000]
    _, text, _ = told(learned(checks.equal(lambda: seen[0])))
    assert "\n" not in text
    assert len(text) < 200


# --- age


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.mark.parametrize(("later", "passed"), [(0, True), (60, True), (60.001, False), (-0.001, False), (1e9, False)])
def test_age_passes_up_to_its_limit_and_never_for_a_recording_from_the_future(later: float, passed: bool) -> None:
    clock = Clock()
    engine = learned(checks.age(60, clock=clock))
    clock.now += later
    assert bool(engine("a task")) is passed


def test_age_says_how_old_the_recording_is() -> None:
    clock = Clock()
    engine = learned(checks.age(60, clock=clock))
    clock.now += 61.5
    assert told(engine) == (False, "an age of 61.500 s", "from 0 to 60 s")


def test_age_runs_out_in_spite_of_hits_and_slides_with_refresh() -> None:
    for refresh in (False, True):
        clock = Clock()
        engine = learned(checks.age(60, clock=clock, refresh=refresh))
        hits = []
        for _ in range(5):
            clock.now += 40
            hits.append(engine("a task", mode="auto").status == "hit")
        assert hits[1] is refresh
        assert all(hits) is refresh
        clock.now += 61
        assert not engine("a task")


@pytest.mark.parametrize("seconds", [-1, float("nan"), float("inf"), "60", True, None])
def test_age_refuses_a_limit_that_is_none(seconds: Any) -> None:
    with pytest.raises((TypeError, ValueError), match="seconds"):
        checks.age(seconds)


def test_another_limit_is_another_check() -> None:
    prints = {checks.age(seconds).identify(lambda _: None) for seconds in (60, 60.0, 61)}
    assert len(prints) == 2


# --- file_unchanged


def read(path: Any, mode: str = "r") -> None: ...


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "a file.txt"
    path.write_text("hello")
    return path


def test_file_unchanged_passes_while_the_bytes_are_the_same(file: Path) -> None:
    engine = learned(checks.file_unchanged("path"), read, file)
    os.utime(file, (1, 1))
    assert engine("a task")

    file.write_text("hellO")
    passed, seen, expected = told(engine)
    assert not passed
    assert seen.startswith("a file of 5 bytes, sha256 ")
    assert expected.startswith("a file of 5 bytes, sha256 2cf24dba5fb0")
    file.write_text("hello")
    assert engine("a task")


@pytest.mark.parametrize("missing", ["gone.txt", "a file.txt/below"])
def test_file_unchanged_knows_a_file_that_is_not_there(file: Path, missing: str) -> None:
    engine = learned(checks.file_unchanged("path"), read, str(file.parent / missing))
    assert told(engine) == (True, "no such file", "no such file")
    assert engine("a task")


def test_file_unchanged_refuses_when_a_file_appears_or_goes(file: Path) -> None:
    there = learned(checks.file_unchanged("path"), read, file)
    gone = learned(checks.file_unchanged("path"), read, file.with_name("new"))
    file.with_name("new").write_text("")
    file.unlink()
    assert told(there)[1] == "no such file"
    assert told(gone)[2] == "no such file"
    assert not there("a task")
    assert not gone("a task")


def test_file_unchanged_looks_at_the_names_in_a_directory(tmp_path: Path) -> None:
    (tmp_path / "a\nb").touch()
    engine = learned(checks.file_unchanged("path"), read, tmp_path)
    assert engine("a task")
    (tmp_path / "a\nb").unlink()
    (tmp_path / "a").touch()
    (tmp_path / "b").touch()
    passed, seen, expected = told(engine)
    assert not passed
    assert seen.startswith("a directory of 2 entries")
    assert expected.startswith("a directory of 1 entries")


@pytest.mark.parametrize("spelling", ["position", "name", "default"])
def test_file_unchanged_finds_its_argument_however_it_is_passed(spelling: str, file: Path) -> None:
    engine = Engine()

    @engine.tool(pre_check=checks.file_unchanged("path"))
    def show(lines: int = 3, path: Path = file) -> None: ...

    calls = {"position": lambda: show(3, file), "name": lambda: show(path=file), "default": lambda: show(4)}
    engine.set_agent(lambda task: calls[spelling]())
    assert engine("a task").learned
    assert engine("a task")
    file.write_text("changed")
    assert not engine("a task")


def test_file_unchanged_works_on_a_method(file: Path) -> None:
    engine = Engine()

    class Shell:
        @engine.tool(pre_check=checks.file_unchanged("path"))
        def show(self, path: Path) -> None: ...

    shell = Shell()
    engine.set_context(shell).set_agent(lambda task: shell.show(file))
    assert engine("a task").learned
    assert engine("a task")
    file.write_text("changed")
    assert not engine("a task")


def test_one_file_check_may_serve_tools_with_other_signatures(file: Path) -> None:
    engine = Engine()
    check = checks.file_unchanged("path")
    first = engine.tool(pre_check=check, name="first")(lambda path: None)
    second = engine.tool(pre_check=check, name="second")(lambda mode, path: None)
    engine.set_agent(lambda task: (first(file), second("r", file)))
    assert engine("a task").learned
    assert engine("a task")


def test_file_unchanged_of_an_argument_that_the_tool_does_not_have_is_refused() -> None:
    with pytest.raises(ValueError, match="path, mode"):
        Engine().tool(pre_check=checks.file_unchanged("file"))(read)
    with pytest.raises(TypeError, match="name of a tool's argument"):
        checks.file_unchanged(3)


# --- combinations


def combined(how: Any) -> tuple[Engine, dict[str, Any]]:
    state: dict[str, Any] = {"a": 1, "b": 1}
    return learned(how(checks.equal(lambda: state["a"]), checks.equal(lambda: state["b"]))), state


def test_all_of_passes_when_every_one_does_and_any_of_when_one_does() -> None:
    both, state_of_both = combined(checks.all_of)
    one, state_of_one = combined(checks.any_of)
    for a, b in ((1, 1), (1, 2), (2, 1), (2, 2)):
        state_of_both.update(a=a, b=b)
        state_of_one.update(a=a, b=b)
        assert bool(both.explain("a task")) is (a == b == 1)
        assert bool(one.explain("a task")) is (a == 1 or b == 1)


def test_a_combination_says_which_of_its_checks_said_no() -> None:
    both, state = combined(checks.all_of)
    state["b"] = 2
    assert told(both) == (False, "1 and 2 (no)", "1 and 1")
    one, state = combined(checks.any_of)
    state["a"] = 3
    assert told(one) == (True, "3 (no) or 1", "1 or 1")


@pytest.mark.parametrize("trouble", [None, float("nan"), ZeroDivisionError()], ids=repr)
def test_one_that_cannot_decide_says_no_in_any_of_and_stops_all_of(trouble: Any) -> None:
    troubled: list[bool] = []

    def compare(current: int, candidate: int) -> Any:
        if troubled and isinstance(trouble, Exception):
            raise trouble
        return trouble if troubled else True

    parts = (Check(lambda: 1, compare), checks.equal(lambda: 1))
    engines = learned(checks.any_of(*parts)), learned(checks.all_of(*parts))
    troubled.append(True)
    assert engines[0]("a task")
    outcome = engines[1]("a task")
    assert outcome.reason is Reason.FIRST_CHECK_REFUSED
    assert "errored" in outcome.message


def test_thresholds_count_within_a_combination() -> None:
    score = [1.0]
    near = Check(lambda: 1, lambda current, candidate: score[0], threshold=0.5)
    engine = learned(checks.all_of(near, checks.equal(lambda: 1)))
    score[0] = 0.6
    assert engine("a task")
    score[0] = 0.4
    assert not engine("a task")


def test_an_undeclared_threshold_within_a_combination_warns(caplog: pytest.LogCaptureFixture) -> None:
    learned(checks.all_of(Check(lambda: 1, lambda current, candidate: 1.0)))
    assert sum("threshold" in record.getMessage() for record in caplog.records) == 1


def test_combinations_nest_and_take_file_checks(file: Path) -> None:
    state = [1]
    check = checks.all_of(
        checks.file_unchanged("path"), checks.any_of(checks.equal(lambda *_: state[0]), checks.age(60))
    )
    engine = learned(check, read, file)
    state[0] = 2
    assert engine("a task")
    file.write_text("changed")
    assert not engine("a task")


def test_a_combination_refreshes_only_the_parts_that_say_so() -> None:
    clock = Clock()
    drift = [0]
    near = Check(lambda: drift[0], lambda current, candidate: abs(current - candidate) <= 1)
    engine = learned(checks.all_of(checks.age(60, clock=clock, refresh=True), near))
    for drift[0] in (0, 1, 1, 0, 1):
        clock.now += 50
        assert engine("a task")
    drift[0] = 2
    assert not engine("a task")


def test_a_combination_waits_as_long_and_looks_as_often_as_its_parts_ask_for() -> None:
    parts = [Check(lambda: 1, wait=3, every=0.5), Check(lambda: 1, wait=1, every=0.25), Check(lambda: 1, every=0.01)]
    check = checks.all_of(*parts)
    assert (check.wait, check.every) == (3.0, 0.25)
    assert checks.all_of(*parts, wait=9).wait == 9.0


def test_another_part_is_another_check() -> None:
    def name(*parts: Check) -> str:
        return checks.all_of(*parts).identify(lambda _: None)

    assert name(checks.age(1)) == name(checks.age(1))
    assert len({name(checks.age(1)), name(checks.age(2)), name(checks.age(1), checks.age(2))}) == 3
    assert checks.any_of(checks.age(1)).identify(lambda _: None) != name(checks.age(1))


async def compared(current: int, candidate: int) -> bool:
    return True


@pytest.mark.parametrize(
    "parts",
    [(), (1,), (Check(lambda: 1, compared),), (lambda: 1,)],
    ids=["nothing", "a number", "an async one", "a function"],
)
@pytest.mark.parametrize("how", [checks.all_of, checks.any_of])
def test_what_cannot_be_combined_is_refused(how: Any, parts: Any) -> None:
    with pytest.raises((TypeError, ValueError), match=how.__name__):
        how(*parts)
