"""Many at once: threads on one engine, tasks on one event loop."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

from muscle_mem import Engine

from ..ours import check_of, must_hit, plain, recorded
from ..scenario import Bench, Row, ends, scenario
from ..timing import Spread

THREADS = 8
NAP = 0.01


@scenario("many")
def threads(bench: Bench) -> Iterator[Row]:
    """Hits a second of eight threads on one engine, against those of one."""
    hits = bench.pick(40, 800)
    hit = must_hit(recorded(plain(), 10))
    hit()
    rates = []
    for _ in range(bench.pick(3, 15)):
        alone, together = _seconds(hit, 1, hits), _seconds(hit, THREADS, hits // THREADS)
        rates.append(alone / together)
    found = Spread.over(rates)
    yield Row(
        "many.threads",
        f"{THREADS} threads on one engine: throughput against one thread's",
        "x",
        found.median,
        ends(found),
        "keeps the state of a run on the engine",
    )


def _seconds(hit: Callable[[], None], threads: int, hits: int) -> float:
    def work() -> None:
        ready.wait()
        for _ in range(hits):
            hit()

    ready = threading.Barrier(threads + 1)
    workers = [threading.Thread(target=work) for _ in range(threads)]
    for worker in workers:
        worker.start()
    ready.wait()
    began = time.perf_counter()
    for worker in workers:
        worker.join()
    return time.perf_counter() - began


@scenario("many")
def tasks(bench: Bench) -> Iterator[Row]:
    """Asyncio tasks that replay one step with a tool that sleeps 10 ms: the time of all of them over 10 ms."""
    count = bench.pick(50, 1_000)
    engine = Engine()

    @engine.tool(pre_check=check_of(plain()))
    async def nap(n: int) -> int:
        await asyncio.sleep(NAP)
        return n

    async def agent(task: str) -> None:
        await nap(1)

    engine.set_agent(agent)
    asyncio.run(engine.acall("task"))
    ours, loop = [], []
    for _ in range(bench.pick(2, 7)):
        loop.append(asyncio.run(_all(lambda: asyncio.sleep(NAP), count)) / NAP)
        ours.append(asyncio.run(_all(lambda: engine.acall("task"), count)) / NAP)
    if not asyncio.run(engine.acall("task")):
        raise RuntimeError("a miss where a hit was expected")
    found = Spread.over(ours)
    yield Row(
        "many.tasks",
        f"{count:,} asyncio tasks with a tool of 10 ms: time of all over 10 ms",
        "x",
        found.median,
        ends(found),
        "has no acall",
        loop=Spread.over(loop).median,
        loop_unit="x",
    )


async def _all(make: Callable[[], Awaitable[Any]], count: int) -> float:
    began = time.perf_counter()
    await asyncio.gather(*(make() for _ in range(count)))
    return time.perf_counter() - began
