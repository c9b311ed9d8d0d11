"""I16: an exception of the user in a session shows its own traceback, and nothing of the package."""

from __future__ import annotations

import asyncio
import traceback
from pathlib import Path
from typing import Any

import pytest

import muscle_mem
from scripted_framework import Bench, asked, handed

OURS = str(Path(muscle_mem.__file__).parent)


def shown(error: BaseException) -> str:
    text = "".join(traceback.format_exception(error))
    assert OURS not in text
    assert "During handling" not in text
    assert "StopIteration" not in text
    return text


@pytest.mark.parametrize("where", ["start", "asked", "call", "replay", "diverged", "off"])
def test_i16_an_exception_in_a_block_has_its_own_traceback_only(where: str) -> None:
    bench = Bench()
    if where in ("replay", "diverged"):
        bench.learn("ab")
    options: dict[str, Any] = {"mode": "off"} if where == "off" else {}
    with pytest.raises(ValueError, match="mine") as raised, bench.session(**options) as session:  # noqa: PT012
        if where == "replay":
            handed(session)
        elif where == "diverged":
            bench.state["b"] = "moved"
            session.done(handed(session), bench.press("a"))
            asked(session)
        elif where != "start":
            asked(session)
        if where == "call":
            session.said([("press", {"name": "a"})])
            handed(session)
        raise ValueError("mine")
    assert raised.value.__context__ is None
    assert len(traceback.extract_tb(raised.value.__traceback__)) == 1
    shown(raised.value)


def test_i16_what_it_was_raised_from_stays() -> None:
    bench = Bench()
    with pytest.raises(ValueError, match="mine") as raised, bench.session() as session:  # noqa: PT012
        asked(session)
        try:
            raise KeyError("first")
        except KeyError as first:
            raise ValueError("mine") from first
    assert isinstance(raised.value.__cause__, KeyError)
    assert isinstance(raised.value.__context__, KeyError)
    text = "".join(traceback.format_exception(raised.value))
    assert OURS not in text


def test_i16_async_blocks_too() -> None:
    bench = Bench()

    async def main() -> None:
        async with bench.engine.asession("task") as session:
            await session.next()
            raise ValueError("mine")

    with pytest.raises(ValueError, match="mine") as raised:
        asyncio.run(main())
    shown(raised.value)


@pytest.mark.parametrize("replayed", [True, False])
def test_i16_an_error_of_a_tool_is_the_same_after_done(replayed: bool) -> None:
    bench = Bench()
    if replayed:
        bench.learn("a")
    error: Exception | None = None
    with bench.session() as session:
        if not replayed:
            asked(session).said([("press", {"name": "a"})])
        call = handed(session)
        try:
            raise ConnectionError("down")
        except ConnectionError as raised:
            error = raised
        before = error.__traceback__
        session.done(call, error=error)
        assert error.__traceback__ is before
        assert error.__context__ is None
        asked(session)
    shown(error)


def test_i16_close_leaves_the_error_of_the_model_as_it_is() -> None:
    bench = Bench()
    session = asked(bench.session())
    error = ConnectionError("the model is down")
    session.close(error)
    assert error.__traceback__ is None
    assert error.__context__ is None
