"""Hits inside a framework: what they take beyond the framework's own loop with a model that answers immediately."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator

from muscle_mem import Engine

from ..clients import Run, anthropic_runs, openai_runs
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


@scenario("frameworks")
def pydantic_ai(bench: Bench) -> Iterator[Row]:
    """Both run the agent's loop over the same tools; one asks a model, the other the memory."""
    from ..agents import pydantic_ai_runs

    yield _row(bench, "pydantic_ai", "in pydantic-ai, beyond its own loop", pydantic_ai_runs)


@scenario("frameworks")
def langchain(bench: Bench) -> Iterator[Row]:
    """Both run the agent's graph over the same tools; one asks a model, the other the memory."""
    from ..agents import langchain_runs

    yield _row(bench, "langchain", "in LangChain, beyond its own loop", langchain_runs)


@scenario("frameworks")
def openai(bench: Bench) -> Iterator[Row]:
    """Both are loops around a client with the same messages; one asks a model, the other the memory."""
    yield _row(bench, "openai", "around a client of OpenAI, beyond the same loop", openai_runs)


@scenario("frameworks")
def anthropic(bench: Bench) -> Iterator[Row]:
    """Both are loops around a client with the same messages; one asks a model, the other the memory."""
    yield _row(bench, "anthropic", "around a client of Anthropic, beyond the same loop", anthropic_runs)


def _row(bench: Bench, name: str, where: str, runs_of: Callable[[Engine, int], tuple[Run, Run]]) -> Row:
    id, title = f"frameworks.{name}", f"hit of {STEPS} steps {where}"
    try:
        alone, hit = runs_of(Engine(observers=[]), STEPS)
    except ImportError as error:
        return Row(id, title, "us", note=f"skipped: {error}")
    return beyond_row(bench, id, title, block_of(hit), block_of(alone), target=LIMIT)


def _block(loop: asyncio.Runner, run: Callable[[], Awaitable[None]]) -> Block:
    async def once() -> None:
        await run()

    return block_of(lambda: loop.run(once()))
