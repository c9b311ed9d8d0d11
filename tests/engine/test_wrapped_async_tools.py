"""G8: a plain function around an async tool is learned and replayed under acall as the async tool itself."""

from __future__ import annotations

import asyncio
import functools
import gc
import inspect
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from muscle_mem import Check, Engine, Reason


def by_wraps(function: Callable[..., Awaitable[Any]]) -> Callable[..., Any]:
    @functools.wraps(function)
    def inner(*args: Any, **kwargs: Any) -> Any:
        return function(*args, **kwargs)

    return inner


def by_closure(function: Callable[..., Awaitable[Any]]) -> Callable[..., Any]:
    def act(what: str) -> Any:
        return function(what)

    return act


def twice(function: Callable[..., Awaitable[Any]]) -> Callable[..., Any]:
    return by_wraps(by_wraps(function))


class Callable_:
    """An object whose call returns a coroutine."""

    def __init__(self, function: Callable[..., Awaitable[Any]]) -> None:
        self.__wrapped__ = function

    def __call__(self, *args: Any) -> Any:
        return self.__wrapped__(*args)


WAYS = [by_wraps, by_closure, twice, lambda function: by_wraps(functools.partial(function)), Callable_]


class World:
    def __init__(self, way: Callable[..., Any], store: Any = None, **checks: Any) -> None:
        self.engine, self.calls, self.raises = Engine(store), [], 0

        async def act(what: str) -> str:
            self.calls.append(f"begin {what}")
            await asyncio.sleep(0)
            if self.raises:
                self.raises -= 1
                raise ConnectionError(what)
            inner(what)
            self.calls.append(f"end {what}")
            return f"did {what}"

        @self.engine.tool(name="inner")
        def inner(what: str) -> None:
            self.calls.append(f"inner {what}")

        self.inner = inner
        self.act = self.engine.tool(name="act", **checks)(way(act))

    def run(self, agent: Callable[..., Any], task: str = "t", **options: Any) -> Any:
        self.calls = []
        self.engine.set_agent(agent)
        return asyncio.run(self.engine.acall(task, **options))


@pytest.mark.parametrize("way", WAYS)
def test_g8_it_is_learned_and_replayed_whole(way: Any, tmp_path: Path) -> None:
    world = World(way, tmp_path / "s.db")

    async def agent(task: str) -> str:
        await world.act("a")
        return str(await world.act("b"))

    outcome = world.run(agent)
    assert (outcome.learned, outcome.value) == (True, "did b"), outcome.not_learned_message
    done = ["begin a", "inner a", "end a", "begin b", "inner b", "end b"]
    assert world.calls == done
    again = world.run(agent)
    assert (again.status, again.value, again.steps, world.calls) == ("hit", "did b", 2, done)
    other = World(way, tmp_path / "s.db")
    restarted = other.run(agent)
    assert (restarted.status, restarted.value, other.calls) == ("hit", "did b", done)


def test_g8_outside_of_a_run_and_under_the_plain_call_nothing_changes() -> None:
    world = World(by_wraps)
    assert asyncio.run(world.act("x")) == "did x"
    world.engine.set_agent(lambda task: asyncio.run(world.act("x")))
    outcome = world.engine("t")
    assert outcome.value == "did x"
    assert outcome.not_learned is Reason.STILL_RUNNING


def test_g8_a_recording_of_acall_is_no_hit_of_the_plain_call() -> None:
    world = World(by_wraps)

    async def agent(task: str) -> None:
        await world.act("a")

    assert world.run(agent).learned
    world.calls = []
    world.engine.set_agent(lambda task: world.inner("plain"))
    outcome = world.engine("t")
    assert outcome.reason is Reason.NEEDS_ACALL
    assert world.calls == ["inner plain"]


@pytest.mark.filterwarnings("ignore:coroutine", "ignore::pytest.PytestUnraisableExceptionWarning")
def test_g8_a_call_that_is_never_awaited_is_not_learned() -> None:
    world = World(by_wraps)

    async def agent(task: str) -> None:
        world.act("a")
        gc.collect()
        await world.act("b")

    assert world.run(agent).not_learned is Reason.STILL_RUNNING


def test_g8_its_exceptions_reach_the_agent_and_count_as_failures() -> None:
    world = World(by_wraps)

    async def agent(task: str) -> None:
        try:
            await world.act("a")
        except ConnectionError:
            await world.act("b")

    world.raises = 1
    assert world.run(agent).not_learned is Reason.FAILED_WRITE


def test_g8_gathered_calls_are_a_group() -> None:
    world = World(by_wraps)

    async def agent(task: str) -> Any:
        return (await asyncio.gather(world.act("a"), world.act("b")))[1]

    assert world.run(agent).learned
    again = world.run(agent)
    assert again
    assert sorted(world.calls) == ["begin a", "begin b", "end a", "end b", "inner a", "inner b"]


def test_g8_checks_are_captured_around_the_awaited_call() -> None:
    seen: list[str] = []

    def note(what: str, place: str) -> int:
        seen.append(f"{place} {what}")
        return len(world.calls)

    world = World(
        by_wraps,
        pre_check=Check(lambda what: note(what, "pre"), lambda now, then: True),
        post_check=Check(lambda what: note(what, "post"), lambda now, then: now == then),
    )

    async def agent(task: str) -> None:
        await world.act("a")

    assert world.run(agent).learned
    assert world.run(agent)
    assert set(seen) == {"pre a", "post a"}


def test_g8_a_restarted_agent_awaits_what_the_replay_has_done() -> None:
    world = World(by_wraps)
    place = ["first"]

    @world.engine.tool(pre_check=Check(lambda: place[0]))
    def last() -> None:
        world.calls.append(f"last {place[0]}")

    async def agent(task: str) -> Any:
        value = await world.act("a")
        last()
        return value

    assert world.run(agent).learned
    place[0] = "second"
    outcome = world.run(agent)
    assert (outcome.status, outcome.value) == ("diverged", "did a")
    assert world.calls == ["begin a", "inner a", "end a", "last second"]


def test_g8_a_wrapper_that_waits_by_itself_stays_plain() -> None:
    world = World(by_wraps)
    engine, calls = world.engine, world.calls

    async def later(what: str) -> str:
        await asyncio.sleep(0)
        world.calls.append(what)
        return what

    @engine.tool
    @functools.wraps(later)
    def now(what: str) -> str:
        return asyncio.run(later(what))

    engine.set_agent(lambda task: now("x"))
    assert not inspect.iscoroutinefunction(now)
    assert engine("plain").learned
    assert engine("plain").value == "x"
    assert calls == ["x", "x"]
