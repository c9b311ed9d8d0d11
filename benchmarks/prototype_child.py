"""Drives muscle-mem 0.1.0 inside its own environment: one JSON request a line in, one answer a line out.

It prints around each tool call; its standard output goes to a sink, so that no terminal is measured.
"""

from __future__ import annotations

import dataclasses
import gc
import io
import json
import random
import sys
import time
import tracemalloc
from collections.abc import Callable
from typing import Any

import workload

from muscle_mem import Check, Engine  # the prototype's

PAGE_SIZE = 20  # it looks at this many recordings at once; each hit adds one


def engine_of(world: workload.World, steps: int, both: bool = False) -> tuple[Any, Callable[[Any], Any]]:
    engine = Engine()
    check = Check(world.capture, world.compare)
    tool = engine.function(pre_check=check, post_check=check if both else None)(world.tool)
    engine.set_agent(workload.agent_of(tool, world, steps)).finalize()
    return engine, tool


def recorded(world: workload.World, steps: int) -> Any:
    engine, _ = engine_of(world, steps)
    if engine("task"):
        raise RuntimeError("a hit where a miss was expected")
    return engine


def must_hit(engine: Any) -> Callable[[], None]:
    def hit() -> None:
        if not engine("task"):
            raise RuntimeError("a miss where a hit was expected")

    return hit


def replay(world: str, steps: int) -> Callable[[int], int]:
    """Steady: as after twenty hits, for it looks at twenty recordings and every hit adds one."""
    engine = recorded(workload.WORLDS[world], steps)
    (key, [first]) = next(iter(engine.db.trajectories.items()))
    must_hit(engine)()
    engine.db.trajectories[key] = [first] * PAGE_SIZE
    return workload.block_of(must_hit(engine))


def first(world: str, steps: int) -> Callable[[int], int]:
    return workload.fresh_block_of(lambda: must_hit(recorded(workload.WORLDS[world], steps)))


def rows(steps: int, count: int, seed: int) -> Callable[[int], int]:
    """Recordings of the same calls with other snapshots; hits on any of them."""
    engine = recorded(workload.WORLDS["plain"], steps)
    (key, [first]) = next(iter(engine.db.trajectories.items()))
    engine.db.trajectories[key] = [
        dataclasses.replace(
            first, steps=[dataclasses.replace(step, pre_check_snapshot=f"page {i}") for step in first.steps]
        )
        for i in range(count)
    ]
    chance = random.Random(seed)
    hit = must_hit(engine)

    def any_hit() -> None:
        workload.state["page"] = f"page {chance.randrange(count)}"
        hit()

    return workload.block_of(any_hit)


def recording(world: str, calls: int) -> Callable[[int], int]:
    """Nanoseconds of `calls` tool calls inside a run that records them, with both checks; only the calls are timed."""
    kind = workload.WORLDS[world]
    arguments = [kind.argument(i) for i in range(calls)]

    def once() -> int:
        engine, tool = engine_of(kind, calls, both=True)
        spent = 0

        def agent(task: str) -> None:
            nonlocal spent
            began = time.perf_counter_ns()
            for argument in arguments:
                tool(argument)
            spent = time.perf_counter_ns() - began

        engine.agent = agent
        engine("task")
        return spent

    return lambda n: sum(once() for _ in range(n))


def outside(calls: int) -> Callable[[int], int]:
    _, tool = engine_of(workload.WORLDS["plain"], 1, both=True)
    arguments = list(range(calls))

    def call() -> None:
        for argument in arguments:
            tool(argument)

    return workload.block_of(call)


def miss(others: int) -> Callable[[int], int]:
    """A task that is not known, with many recordings under other tags."""
    engine = recorded(workload.WORLDS["plain"], 1)
    (_, [first]) = next(iter(engine.db.trajectories.items()))
    engine.db.trajectories = {(f"tag {i}",): [first] for i in range(others)}
    engine.agent = lambda task: None

    def ask() -> None:
        if engine("task", tags=["unknown"]):
            raise RuntimeError("a hit where a miss was expected")
        engine.db.trajectories.pop(("unknown",))  # it keeps even the empty run, which would hit from now on

    return workload.block_of(ask)


def hits_memory(hits: int) -> dict[str, Any]:
    """Bytes and blocks that hits leave behind."""
    return workload.left_by(must_hit(recorded(workload.WORLDS["plain"], 1)), hits)


def recorded_memory(runs: int, steps: int) -> dict[str, Any]:
    """Bytes that a recorded step takes."""
    engine, _ = engine_of(workload.WORLDS["plain"], steps)
    engine("warm up", tags=["warm up"])
    gc.collect()
    tracemalloc.start()
    for i in range(runs):
        engine(f"task {i}", tags=[f"task {i}"])
    gc.collect()
    return {"bytes": tracemalloc.get_traced_memory()[0] / (runs * steps)}


def counted(steps: int) -> dict[str, Any]:
    """Captures, compares and calls of one hit."""
    hit = must_hit(recorded(workload.WORLDS["counted"], steps))
    workload.reset_counts()
    hit()
    return dict(workload.counts)


WORKLOADS: dict[str, Callable[..., Any]] = {
    made.__name__: made
    for made in (replay, first, rows, recording, outside, miss, hits_memory, recorded_memory, counted)
}


def answer(request: dict[str, Any], block: Callable[[int], int] | None) -> tuple[dict[str, Any], Any]:
    workload.state["page"] = "page 0" if request["do"] != "block" else workload.state["page"]
    if request["do"] == "block":
        assert block is not None
        return {"ns": block(request["n"])}, block
    make = WORKLOADS[request["workload"]]
    try:
        made = make(**request["options"])
        if request["do"] == "measure":
            return made, None
        made(1)
    except Exception as error:  # what it cannot do is told in its cell
        return {"cannot": f"cannot ({type(error).__name__}: {error})"}, None
    return {}, made


def main() -> None:
    out, sys.stdout = sys.stdout, io.StringIO()
    block = None
    for line in sys.stdin:
        said, block = answer(json.loads(line), block)
        sys.stdout.seek(0)
        sys.stdout.truncate()
        out.write(json.dumps(said) + "\n")
        out.flush()


if __name__ == "__main__":
    main()
