"""This project as a subject: engines over a workload, made the way a user makes them."""

from __future__ import annotations

import asyncio
import inspect
import time
from collections.abc import Callable
from typing import Any

from muscle_mem import Check, Engine
from muscle_mem.store.base import Store

from .timing import Block
from .workload import WORLDS, World, agent_of


def check_of(world: World, **options: Any) -> Check:
    return Check(world.capture, world.compare, **options)


def engine_of(
    world: World,
    steps: int,
    store: Store | str | None = None,
    *,
    both: bool = False,
    check: Check | None = None,
    **options: Any,
) -> tuple[Engine, Callable[[Any], Any]]:
    """An engine with one tool and an agent that calls it `steps` times."""
    engine = Engine(store, **options)
    pre = check or check_of(world)
    tool = engine.tool(pre_check=pre, post_check=check_of(world) if both else None)(world.tool)
    engine.set_agent(agent_of(tool, world, steps))
    return engine, tool


def recorded(world: World, steps: int, store: Store | str | None = None, **options: Any) -> Engine:
    """An engine that has learned `task`."""
    engine, _ = engine_of(world, steps, store, **options)
    must_learn(engine)
    return engine


def must_learn(engine: Engine, task: str = "task", **given: Any) -> None:
    outcome = engine(task, **given)
    if not outcome.learned:
        raise RuntimeError(f"nothing was learned: {outcome.not_learned} {outcome.not_learned_message}")


def must_hit(engine: Engine, task: str = "task", **given: Any) -> Callable[[], None]:
    """A hit, or RuntimeError: a miss must never be measured as one."""

    def hit() -> None:
        outcome = engine(task, **given)
        if not outcome:
            raise RuntimeError(f"{outcome.status} ({outcome.reason}) where a hit was expected: {outcome.message}")

    return hit


def plain(world: str = "plain") -> World:
    return WORLDS[world]


def takes(option: str) -> bool:
    """Whether this Engine knows an option."""
    return option in inspect.signature(Engine).parameters


def acall_block(engine: Engine) -> Block:
    """Hits under acall, one after the other on one event loop."""

    async def several(n: int) -> int:
        await engine.acall("task")
        began = time.perf_counter_ns()
        for _ in range(n):
            if not await engine.acall("task"):
                raise RuntimeError("a miss where a hit was expected")
        return time.perf_counter_ns() - began

    return lambda n: asyncio.run(several(n))
