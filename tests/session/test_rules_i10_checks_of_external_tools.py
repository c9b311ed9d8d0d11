"""I10: an external tool takes sync and async checks; the session decides whether it can await them."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from muscle_mem import AskAgent, Check, Engine, Finished, Missed
from scripted_framework import asked, ended, handed

state = {"order": "open"}


def look(order: str) -> str:
    return state["order"]


async def alook(order: str) -> str:
    await asyncio.sleep(0)
    return state["order"]


async def acompare(one: Any, two: Any) -> bool:
    await asyncio.sleep(0)
    return bool(one == two)


CHECKS = {"sync": Check(look), "async": Check(alook), "async compare": Check(look, acompare)}


async def once(engine: Engine, *plan: str) -> Any:
    """One run in an async session: what it ended with, and what was replayed."""
    turns, replayed = list(plan), []
    async with engine.asession("task") as session:
        while not isinstance(turn := await session.next(), Finished):
            if isinstance(turn, AskAgent):
                await session.said([("refund", {"order": turns.pop(0)})] if turns else [])
                continue
            replayed += [turn.name] if turn.replayed else []  # type: ignore[union-attr]
            await session.done(turn, "refunded")  # type: ignore[arg-type]
    return turn.outcome, replayed


@pytest.mark.parametrize("check", CHECKS)
def test_i10_an_async_session_takes_both(check: str) -> None:
    engine = Engine()
    engine.external_tool("refund", effect="write", pre_check=CHECKS[check], post_check=Check(look))
    assert asyncio.run(once(engine, "a"))[0].learned
    outcome, replayed = asyncio.run(once(engine))
    assert outcome
    assert replayed == ["refund"]
    state["order"] = "refunded"
    try:
        assert asyncio.run(once(engine))[0].reason == "first_check_refused"
    finally:
        state["order"] = "open"


@pytest.mark.parametrize("check", ["async", "async compare"])
def test_i10_a_plain_session_misses_what_it_would_have_to_await(check: str) -> None:
    engine = Engine()
    engine.external_tool("refund", effect="write", pre_check=CHECKS[check])
    assert asyncio.run(once(engine, "a"))[0].learned
    with engine.session("task") as session:
        turn = session.next()
        assert isinstance(turn, AskAgent)
        assert turn.reason == "needs_acall"
    with pytest.raises(Missed), engine.session("task", mode="replay") as session:
        session.next()
    assert asyncio.run(once(engine))[0]


def test_i10_a_plain_session_takes_plain_checks() -> None:
    engine = Engine()
    engine.external_tool("refund", effect="write", pre_check=CHECKS["sync"])
    with engine.session("task") as session:
        asked(session).said([("refund", {"order": "a"})])
        session.done(handed(session), "refunded")
        asked(session).said([])
    assert ended(session).learned
    with engine.session("task") as session:
        session.done(handed(session), "refunded")
        assert isinstance(session.next(), Finished)
