"""What a capture looks at decides how often it is asked: a sight that no argument changes serves every call."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import pytest

from muscle_mem import Check, Engine
from muscle_mem._core.tools.argument_use import used_parameters

PAGE = {"title": "start", "seen": 0}


def nothing(x: int, *rest: Any, y: int = 0, **more: Any) -> str:
    PAGE["seen"] += 1
    return PAGE["title"]


def second(x: int, y: int) -> int:
    return y


def keyword(x: int, *, y: int) -> int:
    return y


def several(x: int, *rest: Any, **more: Any) -> Any:
    return rest, more


def enclosed(x: int) -> Any:
    return [lambda: x]


def overwritten(x: int) -> str:
    x = 3
    return str(x)


def deleted(x: int) -> str:
    del x
    return PAGE["title"]


def peeping(x: int) -> Any:
    return locals()


def evaluating(x: int) -> Any:
    return eval("x")


def nested(x: int) -> Any:
    return [z + 1 for z in (1, 2)], (lambda x: x)(1)


class Screen:
    def look(self, x: int) -> str:
        return PAGE["title"]

    def __call__(self, x: int) -> str:
        return PAGE["title"]


@pytest.mark.parametrize(
    ("capture", "places"),
    [
        (nothing, set()),
        (second, {1}),
        (keyword, {1}),
        (several, {1, 2}),
        (enclosed, {0}),
        (overwritten, {0}),
        (deleted, {0}),
        (nested, set()),
        (lambda *_: PAGE["title"], set()),
        (lambda x, y: (y, x), {0, 1}),
        (Screen.look, set()),
    ],
)
def test_the_arguments_that_a_function_names_are_those_it_heeds(capture: Any, places: set[int]) -> None:
    assert used_parameters(capture) == places


@pytest.mark.parametrize(
    "capture",
    [peeping, evaluating, len, functools.partial(second, 1), Screen().look, Screen(), functools.lru_cache(second)],
)
def test_of_what_cannot_be_read_nothing_is_claimed(capture: Any) -> None:
    assert used_parameters(capture) is None


def recorded(check: Check, count: int, steps: int = 2) -> tuple[Engine, Callable[[], None]]:
    """An engine with many recordings under one key, each with arguments and a page of its own."""
    engine = Engine()

    @engine.tool(pre_check=check)
    def click(x: int) -> int:
        return x

    run = iter(range(10_000))

    def agent(task: str) -> None:
        number = next(run)
        PAGE["title"] = f"page {number}" if PAGE["title"] != "elsewhere" else "elsewhere"
        for step in range(steps):
            click(1_000 * step + number)

    engine.set_agent(agent)
    for _ in range(count):
        PAGE["title"] = "recording"
        assert engine("task", mode="record").learned
    PAGE["seen"] = 0
    return engine, lambda: PAGE.update(seen=0)


def test_a_capture_that_heeds_nothing_looks_once_for_all_recordings_of_a_place() -> None:
    engine, _ = recorded(Check(nothing), 40)
    PAGE["title"] = "page 7"
    outcome = engine("task")
    assert outcome
    assert outcome.value is None
    assert PAGE["seen"] == 2, "one sight a step"
    PAGE.update(title="elsewhere", seen=0)
    outcome = engine("task", mode="frozen")
    assert outcome.reason == "first_check_refused"
    assert PAGE["seen"] == 1 + 2, "one sight for forty recordings, and the two of the agent's own run"


def test_an_opaque_compare_is_asked_of_each_recording_about_one_sight() -> None:
    compared: list[tuple[Any, Any]] = []

    def same(current: Any, candidate: Any) -> bool:
        compared.append((current, candidate))
        return bool(current == candidate)

    engine, _ = recorded(Check(nothing, same), 20)
    compared.clear()
    PAGE["title"] = "elsewhere"
    with pytest.raises(Exception, match="first_check_refused"):
        engine("task", mode="replay")
    assert PAGE["seen"] == 1
    assert {candidate for _, candidate in compared} == {f"page {number}" for number in range(20)}


def test_a_capture_that_looks_at_its_arguments_is_asked_for_each_call() -> None:
    seen: list[int] = []

    def near(x: int) -> str:
        seen.append(x)
        return f"{PAGE['title']} near {x}"

    engine, _ = recorded(Check(near), 20)
    seen.clear()
    PAGE["title"] = "page 7"
    assert engine("task"), "only the call that it was recorded with sees what was recorded"
    assert sorted(set(seen)) == [*sorted(set(range(7, 20))), 1_007]


def test_a_capture_that_heeds_self_alone_looks_once_for_a_method_tool() -> None:
    class Desk:
        def __init__(self) -> None:
            self.title = "start"
            self.seen = 0

    def look(self: Desk, x: int) -> str:
        self.seen += 1
        return self.title

    engine = Engine()

    class Worker(Desk):
        @engine.method(pre_check=Check(look))
        def click(self, x: int) -> int:
            return x

    worker = Worker()
    run = iter(range(100))

    def agent(task: str) -> None:
        number = next(run)
        worker.title = f"page {number}"
        worker.click(1_000 + number)

    engine.set_agent(agent).set_context(worker)
    for _ in range(15):
        assert engine("task", mode="record").learned
    worker.title, worker.seen = "page 4", 0
    outcome = engine("task")
    assert outcome
    assert worker.seen == 1
    worker.title, worker.seen = "elsewhere", 0
    with pytest.raises(Exception, match="first_check_refused"):
        engine("task", mode="replay")
    assert worker.seen == 1
