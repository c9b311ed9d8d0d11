"""Sessions beside others: decorated tools, other runs, and whatever else a run of the engine can be told."""

from __future__ import annotations

import random
import threading
from collections.abc import Callable
from typing import Any

import pytest

from muscle_mem import Check, Diverged, Engine, Handover, current_run
from scripted_framework import Bench, asked, ended, handed


def in_thread(fn: Callable[[], Any]) -> None:
    thread = threading.Thread(target=fn)
    thread.start()
    thread.join()


@pytest.mark.parametrize("block", [True, False])
def test_a_framework_may_call_the_decorated_function_and_it_is_recorded_once(block: bool) -> None:
    bench = Bench()
    session = bench.session()
    if block:
        session.__enter__()
    asked(session).said([("press", {"name": "a"})])
    call = handed(session)
    session.done(call, bench.press(**call.arguments))
    asked(session).said([])
    assert ended(session).learned
    if block:
        session.__exit__(None, None, None)
    assert bench.run().steps == 1


@pytest.mark.parametrize("block", [True, False])
def test_a_tool_that_is_called_behind_the_sessions_back_makes_the_run_incomplete(block: bool) -> None:
    bench = Bench()
    session = bench.session()
    if block:
        session.__enter__()
    asked(session)
    bench.press("secretly")
    session.said([("press", {"name": "a"})])
    call = handed(session)
    session.done(call, bench.press(**call.arguments))
    asked(session).said([])
    assert ended(session).not_learned == "incomplete_threads"
    assert "session.said()" in ended(session).not_learned_message
    if block:
        session.__exit__(None, None, None)


def test_the_call_of_a_session_makes_no_run_of_another_thread_incomplete() -> None:
    bench = Bench()
    at_work, go_on = threading.Event(), threading.Event()

    def agent(task: str) -> None:
        bench.press("mine")
        at_work.set()
        assert go_on.wait(60)

    bench.engine.set_agent(agent)
    outcomes: list[Any] = []
    thread = threading.Thread(target=lambda: outcomes.append(bench.engine("other task")))
    thread.start()
    assert at_work.wait(60)
    session = bench.session()
    asked(session).said([("press", {"name": "a"})])
    call = handed(session)
    session.done(call, bench.press(**call.arguments))
    asked(session).said([])
    go_on.set()
    thread.join()
    assert ended(session).learned
    assert outcomes[0].learned


def test_a_stray_call_of_another_thread_still_makes_the_session_incomplete() -> None:
    bench = Bench()
    with bench.session() as session:
        asked(session).said([("press", {"name": "a"})])
        call = handed(session)
        in_thread(lambda: bench.press("stray"))
        session.done(call.id, "x")
        asked(session).said([])
        assert ended(session).not_learned == "incomplete_threads"


def test_a_run_inside_a_session_is_nested_unless_it_is_inside_a_call() -> None:
    bench = Bench()
    other = Engine().set_agent(lambda task: None)
    for nested, reason in ((True, "nested_run"), (False, None)):
        with bench.session(mode="record") as session:
            asked(session)
            if nested:
                other("inner")
            session.said([("press", {"name": "a"})])
            call = handed(session)
            other("inner")
            session.done(call, "x")
            asked(session).said([])
            assert ended(session).not_learned == reason


def test_async_checks_under_a_plain_session_cost_the_recording_and_nothing_else() -> None:
    bench = Bench(asynchronous=True)
    with bench.session() as session:
        asked(session).said([("press", {"name": "a"})])
        session.done(handed(session), "x")
        asked(session).said([])
        assert ended(session).not_learned == "capture_failed"


# -- what else there is


def test_modes_that_do_not_learn_or_do_not_replay_are_those_of_any_run() -> None:
    bench = Bench()
    assert bench.run("ab", mode="frozen").not_learned == "mode"
    bench.learn("ab")
    before = bench.engine.cache_info()
    assert bench.run(mode="frozen")
    assert bench.engine.cache_info().hits == before.hits
    shadowed = bench.run("ab", mode="shadow")
    assert bench.wanted == ["a", "b"]
    assert not bench.replayed
    assert shadowed.shadow is not None
    assert shadowed.shadow.agreed


@pytest.mark.parametrize("approved", [True, False])
def test_an_irreversible_call_is_handed_out_only_once_it_is_approved(approved: bool) -> None:
    bench = Bench(effect="irreversible")
    bench.learn("ab")
    shown: list[Any] = []

    def approve(step: Any) -> bool:
        shown.append(step.arguments["name"])
        return approved or step.arguments["name"] != "b"

    outcome = bench.run("b", approve=approve)
    assert shown == ["a", "b"]
    assert bench.log == ["a", "b"]
    assert bench.replayed == (["a", "b"] if approved else ["a"])
    assert outcome.reason == ("hit" if approved else "not_approved")


def test_an_optional_step_is_not_handed_out_where_it_does_not_fit() -> None:
    world = {"popup": "shown", "page": "here"}
    engine = Engine()

    @engine.tool(Check(lambda: world["popup"]), optional=True)
    def dismiss() -> None: ...

    @engine.tool(Check(lambda: world["page"]))
    def go_on() -> None: ...

    def agent(task: str) -> None:
        dismiss()
        go_on()

    engine.set_agent(agent)("task")
    world["popup"] = "not there"
    with engine.session("task") as session:
        call = handed(session)
        assert call.name == "go_on"
        session.done(call)
        session.next()
        assert ended(session)


def test_each_call_has_an_idempotency_key_of_its_own_in_its_block_and_from_the_session() -> None:
    bench = Bench()
    keys: list[str] = []

    def key_of(session: Any) -> str:
        run = current_run()
        assert run is not None
        assert run.idempotency_key == session.run.idempotency_key == run.idempotency_key
        return run.idempotency_key

    with bench.session() as session:
        for name in "ab":
            asked(session).said([("press", {"name": name})])
            call = handed(session)
            keys.append(key_of(session))
            session.done(call, "x")
        asked(session).said([])
    bench.state["b"] = "moved"
    with bench.session() as session:
        call = handed(session)
        keys.append(key_of(session))
        session.done(call, "x")
        asked(session).said([("press", {"name": "b"})])
        handed(session)
        keys.append(key_of(session))
    assert len(set(keys)) == 4


@pytest.mark.parametrize("seed", range(40))
def test_a_session_decides_as_the_engine_does_with_an_agent_that_takes_a_handover(seed: int) -> None:
    """The same random story, told once by `engine(...)` and once by sessions: the same outcomes, calls and counts."""
    rng = random.Random(seed)
    effect = rng.choice([None, "read", "write", "irreversible"])
    theirs, ours = Bench(effect=effect), Bench(effect=effect)
    rest: list[str] = []

    def agent(task: str, handover: Handover | None = None) -> str:
        for name in rest:
            theirs.press(name)
        return "said"

    theirs.engine.set_agent(agent)
    for _ in range(12):
        names = [rng.choice("abc") for _ in range(rng.randint(1, 4))]
        place, what = rng.choice("abc"), rng.choice(["state", "after"])
        value = rng.choice([None, None, "other"])
        options: Any = {"mode": rng.choice(["auto", "auto", "auto", "record", "frozen"])}
        options["on_divergence"] = rng.choice(["auto", "absorb", "continue", "raise"])
        ends = []
        for bench in (theirs, ours):
            bench.log.clear()
            getattr(bench, what)[place] = value
            try:
                if bench is theirs:
                    rest[:] = names
                    outcome = bench.engine("task", **options)
                else:
                    outcome = bench.run(names, **options)
                end: Any = (outcome.status, outcome.reason, outcome.message, outcome.steps, outcome.value)
                end = (*end, outcome.learned, outcome.not_learned, outcome.value_source)
            except Diverged as error:
                end = (str(error), error.handover.step, len(error.handover.executed))
            ends.append((end, list(bench.log), bench.engine.cache_info()))
        assert ends[0] == ends[1]
