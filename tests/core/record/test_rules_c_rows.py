"""Rules C: what is learned? Calls that raised, and how recordings of the same calls pile up."""

from __future__ import annotations

import asyncio
import gc
import inspect
import logging
import sys
from typing import Any

import pytest

from muscle_mem import Check, Engine, Reason
from recording_cases import Bench, Log

# --- C5: a call that raised


def swallowing(*calls: Any) -> Any:
    def plan() -> None:
        for call in calls:
            try:
                call()
            except (ValueError, TypeError):
                pass

    return plan


def test_c5_a_failed_call_of_a_reading_tool_is_left_out(bench: Bench) -> None:
    bench.fails.append("x")
    bench.plan = swallowing(lambda: bench.read("x"), lambda: bench.write("y"))
    assert bench.engine("a task").learned

    assert bench.again()
    assert bench.log == ["write y"]


@pytest.mark.parametrize("name", ["read", "write", "plain", "checked"])
def test_c5_a_call_whose_arguments_did_not_bind_is_left_out(bench: Bench, name: str) -> None:
    checked = bench.tool("checked", pre_check=Check(lambda what: what), post_check=Check(lambda what: what))
    tool = checked if name == "checked" else getattr(bench, name)
    bench.plan = swallowing(lambda: tool("x", "too", "many"), lambda: tool(object(), no=1), lambda: tool("y"))
    assert bench.engine("a task").learned

    assert bench.again()
    assert bench.log == [f"{name} y"]


@pytest.mark.parametrize("name", ["write", "plain"])
def test_c5_a_failed_write_is_kept_in_quarantine_until_somebody_says_it_is_good(
    bench: Bench, name: str, caplog: pytest.LogCaptureFixture
) -> None:
    bench.fails.append("x")
    tool = getattr(bench, name)
    bench.plan = swallowing(lambda: tool("x"), lambda: tool("y"))
    outcome = bench.engine("a task")
    assert not outcome.learned
    assert outcome.not_learned is Reason.FAILED_WRITE
    warned = [r.getMessage() for r in caplog.records if r.levelno == logging.WARNING]
    assert [name in message and "failed_write" in message for message in warned] == [True]

    again = bench.again()
    assert again.reason is Reason.QUARANTINED
    assert "failed_write" in again.message
    outcome.report_good()
    assert bench.again()
    assert bench.log == [f"{name} y"]


def test_c5_a_type_error_from_within_a_write_is_a_failed_write(bench: Bench) -> None:
    @bench.engine.tool()
    def odd(x: int) -> None:
        raise TypeError("odd() takes 0 positional arguments but 1 was given")

    bench.plan = swallowing(lambda: odd(1), lambda: bench.write("y"))
    assert bench.engine("a task").not_learned is Reason.FAILED_WRITE


def test_c5_a_type_error_of_a_write_whose_signature_nobody_knows_is_a_failed_write(bench: Bench) -> None:
    with pytest.raises(ValueError, match="signature"):
        inspect.signature(max)
    largest = bench.engine.tool(max, name="largest")
    bench.plan = swallowing(lambda: largest(1, "x"), lambda: bench.write("y"))
    assert bench.engine("a task").not_learned is Reason.FAILED_WRITE


def test_c5_a_failed_write_that_the_agent_did_not_survive_leaves_nothing(bench: Bench) -> None:
    bench.fails.append("x")
    bench.plan = lambda: bench.write("x")
    with pytest.raises(ValueError, match="x failed"):
        bench.engine("a task")
    assert bench.engine.cache_info().loaded == 0


def test_c5_trouble_of_a_call_that_is_left_out_does_not_count(bench: Bench) -> None:
    strict = bench.tool("strict", effect="read", pre_check=Check(lambda what: 1 / len(what)))
    opaque: Any = object()
    bench.fails.append(opaque)
    bench.plan = swallowing(lambda: strict(opaque), lambda: bench.write("y"))
    assert bench.engine("a task").learned
    assert bench.again()


def test_c5_a_call_that_was_cancelled_in_its_capture_was_never_made() -> None:
    engine = Engine()
    log: Log = []
    hang = [True]

    async def capture() -> int:
        if hang:
            hang.clear()
            await asyncio.Event().wait()
        return 1

    @engine.tool(pre_check=Check(capture))
    async def first() -> None:
        log.append("first")

    @engine.tool(effect="read")
    async def second() -> None:
        log.append("second")

    async def agent(task: str) -> None:
        call = asyncio.create_task(first())
        await asyncio.sleep(0)
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call
        await second()

    engine.set_agent(agent)
    assert asyncio.run(engine.acall("a task")).learned
    assert asyncio.run(engine.acall("a task"))
    assert log == ["second", "second"]


# --- C6: rows


def stateful() -> tuple[Engine, dict[str, Any], Log]:
    """Two steps, each under a check of its own that looks at its own state."""
    engine = Engine()
    state: dict[str, Any] = {"one": 0, "two": 0}
    log: Log = []

    @engine.tool(pre_check=Check(lambda name: state[name], lambda current, candidate: current == candidate))
    def act(name: str) -> None:
        log.append(name)

    def agent(task: str) -> None:
        log.append("agent")
        act("one")
        act("two")

    return engine.set_agent(agent), state, log


def test_c6_equal_calls_are_one_trajectory_with_a_row_for_each_recording() -> None:
    engine, state, _ = stateful()
    ids = set()
    for row in ((1, 1), (2, 2), (1, 1)):
        state["one"], state["two"] = row
        ids.add(engine("a task", mode="record").trajectory_id)
    (id,) = ids
    stored = engine._runtime.library.store.get(str(id))
    assert stored is not None
    assert len(stored.observations) == 2


@pytest.mark.parametrize("mixed", [(1, 2), (2, 1)])
def test_c6_rows_are_never_mixed(mixed: tuple[int, int]) -> None:
    engine, state, log = stateful()
    for row in ((1, 1), (2, 2)):
        state["one"], state["two"] = row
        engine("a task", mode="record")
    for row in ((1, 1), (2, 2)):
        state["one"], state["two"] = row
        assert engine("a task"), row
    log.clear()
    state["one"], state["two"] = mixed

    outcome = engine("a task", on_divergence="continue")
    assert outcome.status == "diverged"
    assert log == ["one", "agent", "one", "two"]


def test_c6_hits_add_no_rows_and_leave_constant_memory(bench: Bench) -> None:
    bench.plan = lambda: bench.read("a")
    engine = bench.engine
    id = str(engine("a task").trajectory_id)

    def blocks_after(hits: int) -> int:
        for _ in range(hits):
            engine("a task")
        bench.log.clear()
        gc.collect()
        return sys.getallocatedblocks()

    before = blocks_after(2_000)
    assert blocks_after(20_000) - before < 2_000
    assert engine.cache_info().hits == 22_000
    stored = engine._runtime.library.store.get(id)
    assert stored is not None
    assert len(stored.observations) == 1


def test_one_more_recording_of_a_task_reads_only_itself(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    from muscle_mem._core.plan import stored_trajectory as plan

    state = {"page": 0}
    seen = Check(lambda what="": state["page"], lambda now, then: now == then)
    look = bench.tool("look", pre_check=seen)
    bench.plan = lambda: look("here")
    read: list[bytes] = []
    unpack_row = plan.unpack_row

    def counting(body: bytes, *rest: Any) -> Any:
        read.append(body)
        return unpack_row(body, *rest)

    monkeypatch.setattr(plan, "unpack_row", counting)
    for page in range(6):
        state["page"] = page
        read.clear()
        assert bench.engine("a task", mode="record").learned
        assert len(read) == 1
    for page in (3, 0, 5):  # and all of them are there
        state["page"] = page
        assert bench.again()
