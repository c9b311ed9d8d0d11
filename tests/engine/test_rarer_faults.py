"""Rare faults: blocks left in another context, odd objects, thread numbers that are used again, clear messages."""

from __future__ import annotations

import asyncio
import contextvars
import copy
import dataclasses
import gc
import logging
import pickle
import threading
import weakref
from collections.abc import Callable
from typing import Any

import pytest

from muscle_mem import Check, Engine, Reason, current_run
from muscle_mem._core.codec import registry
from muscle_mem.errors import InvalidTypeError


class Page:
    """A class with a method tool; which engine, the test says."""


def shop(**options: Any) -> tuple[Engine, list[Any], Callable[[Any], Any]]:
    engine, calls = Engine(**options), []

    @engine.tool
    def act(what: Any) -> Any:
        calls.append(what)
        return f"did {what}"

    return engine, calls, act


# --- G7a: blocks left in another context ------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["context", "record", "disabled", "session"])
def test_g7a_a_block_may_be_left_in_another_context(kind: str) -> None:
    engine, _calls, act = shop()
    engine.set_agent(lambda task: act("agent"))
    make = {
        "context": lambda: engine.context(Page()),
        "record": lambda: engine.record("shown"),
        "disabled": engine.disabled,
        "session": lambda: engine.session("stepped"),
    }[kind]
    block: Any = make()
    entered = contextvars.copy_context()
    entered.run(block.__enter__)
    if kind == "record":
        entered.run(act, "shown")
    block.__exit__(None, None, None)
    assert current_run() is None
    assert entered.run(current_run) is None
    for run in (entered.run, lambda function, *args: function(*args)):
        assert run(engine, f"task {run}").learned
        assert run(engine, f"task {run}")
    if kind == "record":
        assert engine("shown")


def test_g7a_an_agent_is_off_and_has_its_objects_within_the_block_alone() -> None:
    engine, _calls, act = shop()
    engine.set_agent(lambda task: act("agent"))
    inner, outer = engine.disabled(), contextvars.copy_context()
    outer.run(inner.__enter__)
    assert outer.run(engine, "t").not_learned is Reason.MODE
    inner.__exit__(None, None, None)
    assert outer.run(engine, "t").learned
    with engine.disabled(), engine.disabled():
        assert engine("t").not_learned is Reason.MODE
    assert engine("t")


def test_g7a_a_call_in_a_context_of_a_left_demonstration_is_one_without_a_run() -> None:
    engine, _calls, act = shop()
    block, entered = engine.record("shown"), contextvars.copy_context()
    entered.run(block.__enter__)
    entered.run(act, "shown")
    block.__exit__(None, None, None)
    engine.set_agent(lambda task: (act("mine"), entered.run(act, "stray")))
    outcome = engine("t")
    assert outcome.not_learned is Reason.INCOMPLETE_THREADS


# --- G7a: reports and types -------------------------------------------------------------------------------


@pytest.mark.parametrize("count", [None, "many", float("nan"), float("inf"), object(), [1]])
def test_g7a_report_tokens_never_raises(count: Any, caplog: pytest.LogCaptureFixture) -> None:
    engine, _, act = shop()

    def agent(task: str) -> None:
        run = current_run()
        assert run is not None
        run.report_tokens(count)
        run.report_tokens(7)
        act("x")

    engine.set_agent(agent)
    with caplog.at_level(logging.WARNING, "muscle_mem"):
        assert engine("t").learned
    assert "report_tokens" in caplog.text
    assert engine("t").saved_tokens == 7


def test_g7a_a_check_keeps_no_class_alive() -> None:
    engine, current = Engine(), []
    check = Check(lambda: current[-1], lambda now, then: bool(now.x == then.x))

    @engine.tool(pre_check=check)
    def act() -> None: ...

    engine.set_agent(lambda task: act())
    saved = registry.snapshot()

    def once() -> weakref.ref[type]:
        made = dataclasses.make_dataclass("Made", ["x"])
        current.append(made(1))
        engine("t", mode="record")
        assert made in check.verified_types
        current.clear()
        return weakref.ref(made)

    kept = once()
    registry.restore(saved)  # The codec knows a class for as long as recordings may need it.
    engine.cache_clear()
    gc.collect()
    assert kept() is None
    assert not check.verified_types


# --- messages ---------------------------------------------------------------------------------------------


def test_g4_an_engine_says_that_it_cannot_be_pickled() -> None:
    engine = Engine()
    with pytest.raises(InvalidTypeError, match="pickle an Engine"):
        pickle.dumps(engine)
    assert copy.copy(engine) is engine
    assert copy.deepcopy({"engine": engine})["engine"] is engine


def test_g4_a_lone_surrogate_is_not_called_too_large() -> None:
    engine = Engine()

    @engine.tool
    def act(**named: Any) -> None: ...

    engine.set_agent(lambda task: act(**{"a\ud800": 1}))
    outcome = engine("t")
    assert outcome.not_learned is Reason.UNLEARNABLE
    assert "surrogate" in outcome.not_learned_message


def test_c9_a_task_that_was_started_before_the_run_is_called_a_task() -> None:
    engine, _, act = shop()
    go = asyncio.Event()

    async def early() -> None:
        await go.wait()
        act("early")

    async def agent(task: str) -> None:
        act("mine")
        go.set()
        await asyncio.sleep(0.01)

    engine.set_agent(agent)

    async def main() -> Any:
        started = asyncio.create_task(early())
        await asyncio.sleep(0)
        outcome = await engine.acall("t")
        await started
        return outcome

    outcome = asyncio.run(main())
    assert outcome.not_learned is Reason.INCOMPLETE_THREADS
    assert "asyncio task" in outcome.not_learned_message
    assert "threading.Thread" not in outcome.not_learned_message


def test_b2_a_compare_that_gives_an_awaitable_under_the_plain_call_says_so() -> None:
    engine = Engine()

    async def same(now: Any, then: Any) -> bool:
        return bool(now == then)

    @engine.tool(pre_check=Check(lambda: 1, lambda now, then: same(now, then)))
    def act() -> None: ...

    engine.set_agent(lambda task: act())
    outcome = engine("t")
    assert outcome.not_learned is Reason.CHECK_FAILED
    assert "awaitable" in outcome.not_learned_message
    assert "acall" in outcome.not_learned_message


# --- C9: threads ------------------------------------------------------------------------------------------


def test_c9_an_abandoned_session_excuses_no_other_thread_of_the_same_number() -> None:
    engine, _calls, act = shop()
    kept: list[Any] = []

    def abandon() -> None:
        session = engine.session("stepped")
        session.next()
        session.said([(act, {"what": "x"})])
        session.next()
        kept.append((session, threading.get_ident()))

    numbers = set()
    for _ in range(50):
        first = threading.Thread(target=abandon)
        first.start()
        first.join()
        outcomes: list[Any] = []

        def other() -> None:
            numbers.add(threading.get_ident())
            act("not recorded")

        def agent(task: str) -> None:
            act("mine")
            thread = threading.Thread(target=other)
            thread.start()
            thread.join()

        engine.set_agent(agent)
        outcomes.append(engine(f"t {len(kept)}"))
        assert outcomes[0].not_learned is Reason.INCOMPLETE_THREADS
        if numbers & {number for _, number in kept}:
            return
    pytest.skip("no number was used again")
