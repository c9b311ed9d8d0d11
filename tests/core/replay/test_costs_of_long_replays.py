"""What a replay costs grows with its steps, and not with their square: counted in calls of Python functions."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any

import pytest

from muscle_mem import Check, Engine

SIZES = (60, 240)


def calls_of(work: Callable[[], Any]) -> int:
    """The calls of Python functions, with each resumption of a generator."""
    count = 0

    def note(frame: FrameType, event: str, argument: Any) -> None:
        nonlocal count
        count += event == "call"

    sys.setprofile(note)
    try:
        work()
    finally:
        sys.setprofile(None)
    return count


def engine_of(steps: int, store: str | None, post_check: bool, output: Callable[[int], Any]) -> Engine:
    engine = Engine(store)
    seen = Check(lambda number: "as before", version=1)

    @engine.tool(version=1, pre_check=seen, post_check=seen if post_check else None)
    def act(number: int) -> Any:
        return output(number)

    def agent(task: str) -> None:
        for number in range(steps):
            act(number)

    return engine.set_agent(agent)


def text(number: int) -> Any:
    return f"done with {number}"


def flag(number: int) -> Any:
    return {"ok": True, "number": number}


@pytest.mark.parametrize("output", [text, flag])
@pytest.mark.parametrize("post_check", [False, True])
def test_a_hit_with_four_times_the_steps_makes_four_times_the_calls(post_check: bool, output: Any) -> None:
    counted = []
    for steps in SIZES:
        with engine_of(steps, None, post_check, output) as engine:
            engine("task")
            assert engine("task")
            counted.append(calls_of(lambda engine=engine: engine("task")))  # type: ignore[misc]
    assert counted[1] < 4.5 * counted[0], counted


@pytest.mark.parametrize("output", [text, flag])
def test_so_does_the_first_hit_of_a_new_engine(output: Any, tmp_path: Path) -> None:
    counted = []
    for steps in SIZES:
        path = str(tmp_path / f"{steps}.db")
        with engine_of(steps, path, False, output) as engine:
            engine("task")
        with engine_of(1, path, False, output) as warm:  # What is loaded late is not counted.
            warm("task")
        with engine_of(steps, path, False, output) as engine:
            counted.append(calls_of(lambda engine=engine: engine("task")))  # type: ignore[misc]
    assert counted[1] < 4.5 * counted[0], counted
