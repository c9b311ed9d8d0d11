"""Hits inside a framework: what they take beyond the framework's own loop with a model that answers immediately."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator

from muscle_mem import Engine

from ..scenario import Bench, Row, Target, beyond_row, scenario
from ..timing import Block
from ..workload import block_of

STEPS = 3
LIMIT = Target(1_000)  # us


@scenario("frameworks")
def openai_agents(bench: Bench) -> Iterator[Row]:
    """Both run the SDK's loop over the same tools; one asks a model, the other the memory."""
    id, title = "frameworks.openai_agents", f"hit of {STEPS} steps in the OpenAI Agents SDK, beyond its own loop"
    try:
        from ..openai_agents import runs_of
    except ImportError as error:
        yield Row(id, title, "us", note=f"skipped: {error}")
        return
    with asyncio.Runner() as loop:
        alone, hit = loop.run(runs_of(Engine(observers=[]), STEPS))
        yield beyond_row(bench, id, title, _block(loop, hit), _block(loop, alone), target=LIMIT)


def _block(loop: asyncio.Runner, run: Callable[[], Awaitable[None]]) -> Block:
    async def once() -> None:
        await run()

    return block_of(lambda: loop.run(once()))
