"""Rules C: what is learned? Which calls are steps, and which runs are offered."""

from __future__ import annotations

import asyncio
from typing import Any

import msgspec
import pytest

from muscle_mem import Check, Engine, Outcome, Reason
from muscle_mem._core import codec
from muscle_mem._core.model.blobs import INLINE_BYTES
from muscle_mem._core.model.records import Row
from muscle_mem.store import MemoryStore
from recording_cases import Bench, Log

# --- C1: inside a run


def test_c1_outside_a_run_a_tool_is_the_plain_function(bench: Bench) -> None:
    assert bench.read("a") == "read: a"
    with pytest.raises(TypeError):
        bench.read(1, 2, 3)
    info = bench.engine.cache_info()
    assert (info.learned, info.loaded, info.not_learned) == (0, 0, 0)


def test_c1_a_call_before_or_after_a_run_is_not_part_of_it(bench: Bench) -> None:
    bench.plan = lambda: bench.read("inside")
    bench.read("before")
    bench.engine("a task")
    bench.read("after")

    assert bench.again()
    assert bench.log == ["read inside"]


def test_c1_a_demonstration_is_recorded_without_an_agent_and_hit_later() -> None:
    engine = Engine()
    log: Log = []

    @engine.tool(effect="read")
    def act(what: str) -> None:
        log.append(what)

    with engine.record("a task") as shown:
        act("one")
        act("two")
    assert shown.outcome is not None
    assert shown.outcome.learned
    log.clear()

    def agent(task: str, retries: int = 3) -> None:
        raise AssertionError("not to be asked")

    engine.set_agent(agent)
    assert engine("a task")
    assert log == ["one", "two"]


def test_c1_a_demonstration_that_raises_or_does_nothing_is_not_learned(bench: Bench) -> None:
    def crash() -> None:
        with bench.engine.record("a task"):
            bench.read("a")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        crash()
    with bench.engine.record("a task") as shown:
        pass
    assert shown.outcome is not None
    assert shown.outcome.not_learned is Reason.NO_CALLS
    assert bench.again().reason is Reason.NEW_TASK


def test_c1_the_demonstration_of_one_task_is_none_of_another(bench: Bench) -> None:
    with bench.engine.record("a task", tags="x"):
        bench.read("a")
    assert not bench.engine("a task")
    assert not bench.engine("another task", tags="x")
    assert bench.engine("a task", tags="x")


# --- C3: the outermost call


def test_c3_tools_called_inside_tools_captures_and_compares_are_no_steps(bench: Bench) -> None:
    def capture(what: str) -> str:
        return bench.read("by capture")

    def compare(current: str, candidate: str) -> bool:
        bench.read("by compare")
        return current == candidate

    @bench.engine.tool(pre_check=Check(capture, compare), post_check=Check(capture))
    def outer(what: str) -> str:
        return bench.write(what) + "!"

    bench.plan = lambda: outer("x")
    outcome = bench.engine("a task")
    assert outcome.learned
    assert outcome.value == "write: x!"

    hit = bench.again()
    assert hit.steps == 1
    assert bench.log == ["read by capture", "read by compare", "write x", "read by capture"]


def test_c3_a_failing_inner_call_is_no_failed_write_of_the_run(bench: Bench) -> None:
    bench.fails.append("inner")

    @bench.engine.tool(effect="read")
    def outer() -> str:
        try:
            return str(bench.write("inner"))
        except ValueError:
            return "recovered"

    bench.plan = outer
    assert bench.engine("a task").learned
    assert bench.again()


def test_c3_an_overridden_method_that_calls_super_is_one_step() -> None:
    engine = Engine()
    log: Log = []

    class Page:
        @engine.tool(effect="read")
        def click(self) -> None:
            log.append("page")

    class Fancy(Page):
        @engine.tool(effect="read")
        def click(self) -> None:
            log.append("fancy")
            super().click()

    page = Fancy()
    engine.set_context(page).set_agent(lambda task: page.click())
    engine("a task")
    assert engine("a task").steps == 1
    assert log == ["fancy", "page"] * 2


# --- C4: what is offered


def test_c4_an_empty_run_never_hits(bench: Bench) -> None:
    assert bench.engine("a task").not_learned is Reason.NO_CALLS
    assert bench.again().reason is Reason.NEW_TASK


@pytest.mark.parametrize("error", [RuntimeError("no"), KeyboardInterrupt(), SystemExit(3), StopIteration(1)], ids=repr)
def test_c4_a_run_that_ended_with_an_exception_never_hits(bench: Bench, error: BaseException) -> None:
    def crash() -> None:
        bench.read("a")
        raise error

    bench.plan = crash
    with pytest.raises(type(error)) as caught:
        bench.engine("a task")
    assert caught.value is error
    bench.plan = lambda: bench.read("b")

    assert bench.again().reason is Reason.NEW_TASK
    assert bench.log == ["read b"]


def test_c4_a_cancelled_run_never_hits() -> None:
    engine = Engine()

    @engine.tool(effect="read")
    async def act() -> None: ...

    async def agent(task: str) -> None:
        await act()
        await asyncio.Event().wait()

    engine.set_agent(agent)

    async def cancel() -> None:
        run = asyncio.create_task(engine.acall("a task"))
        await asyncio.sleep(0)
        run.cancel()
        with pytest.raises(asyncio.CancelledError):
            await run

    asyncio.run(cancel())
    assert engine.explain("a task").reason is Reason.NEW_TASK


@pytest.mark.parametrize("where", ["engine", "call"])
def test_c4_a_run_that_the_success_callback_refused_never_hits(where: str) -> None:
    verdicts = [False, False, True]

    def success(value: Any) -> bool:
        return verdicts.pop(0) if verdicts else True

    bench = Bench(success=success) if where == "engine" else Bench()
    options: dict[str, Any] = {"success": success} if where == "call" else {}
    bench.plan = lambda: bench.read("a")

    assert [bench.engine("a task", **options).not_learned for _ in range(3)] == [Reason.REFUSED, Reason.REFUSED, None]
    assert bench.engine("a task", **options)


@pytest.mark.parametrize("verdict", [None, 0, "", ZeroDivisionError()])
def test_c4_a_success_callback_must_say_yes(bench: Bench, verdict: Any) -> None:
    def success(value: Any) -> Any:
        if isinstance(verdict, Exception):
            raise verdict
        return verdict

    bench.plan = lambda: bench.read("a")
    assert bench.engine("a task", success=success).not_learned is Reason.REFUSED
    assert bench.again().reason is Reason.NEW_TASK


def test_c4_a_run_with_a_call_still_running_never_hits(caplog: pytest.LogCaptureFixture) -> None:
    engine = Engine()
    gates: list[asyncio.Event] = []

    @engine.tool(effect="read")
    async def slow() -> None:
        await gates[0].wait()

    tasks: list[asyncio.Task[None]] = []

    async def agent(task: str) -> None:
        tasks.append(asyncio.create_task(slow()))
        await asyncio.sleep(0)

    engine.set_agent(agent)

    async def story() -> Outcome:
        gates.append(asyncio.Event())
        outcome = await engine.acall("a task")
        gates[0].set()
        await tasks[0]
        return outcome

    outcome = asyncio.run(story())
    assert outcome.not_learned is Reason.STILL_RUNNING
    assert "slow" in outcome.not_learned_message
    assert not engine.explain("a task")


def test_c4_a_tool_that_hands_out_unfinished_work_makes_no_recording(bench: Bench) -> None:
    @bench.engine.tool(effect="read")
    def lines() -> Any:
        return (n for n in range(3))

    bench.plan = lambda: list(lines())
    outcome = bench.engine("a task")
    assert outcome.value == [0, 1, 2]
    assert outcome.not_learned is Reason.STILL_RUNNING
    assert not bench.again()


# --- C2: as it was at the moment of the call

PLAIN = [None, True, 0, -1, 2**63, 2**64 - 1, 2**64, -(2**63) - 1, 0.0, -0.0, float("nan"), float("inf"), "", "text"]
PLAIN += ["\ud800 alone", "x" * 499, "x" * 501, "\u20ac" * 500, b"", b"bytes", "y" * 70_000]


@pytest.mark.parametrize("value", PLAIN, ids=lambda value: repr(value)[:20])
def test_plain_values_are_stored_as_the_codec_writes_them(value: Any) -> None:
    store = MemoryStore()
    engine = Engine(store)
    check = Check(lambda given: value)
    tool = engine.tool(pre_check=check, post_check=check, name="tool", version=1)(lambda given: given)

    def agent(task: str) -> Any:
        tool(value)
        return tool(value)  # by now the check has met the type

    engine.set_agent(agent)
    outcome = engine("a task")
    assert outcome.learned, outcome.not_learned_message
    stored = store.get(outcome.trajectory_id or "")
    assert stored is not None
    row, body = msgspec.msgpack.decode(stored.observations[0][1].body, type=Row), stored.sealed.body
    data = codec.canonical(value)
    if len(data) <= INLINE_BYTES:
        assert row.pre == row.post == (data, data)
        assert row.outputs == (codec.encode(value),) * 2
    assert body.count(codec.encode(value)) >= 2
    assert engine("a task")


def test_a_part_of_an_earlier_output_deep_in_plain_containers_is_a_reference() -> None:
    engine = Engine()
    given: list[Any] = []
    made: list[Any] = []

    def make() -> list[int]:
        made.append([len(made), 7])
        return made[-1]

    make_tool = engine.tool(name="make", version=1)(make)
    use = engine.tool(name="use", version=1, effect="read")(lambda what: given.append(what["a"][0][1]))

    def agent(task: str) -> None:
        use({"a": [("x", make_tool())], "b": [1, 2.5, "three", [None]]})

    engine.set_agent(agent)
    assert engine("a task").learned
    assert engine("a task")
    assert given[0] == [0, 7]
    assert given[1] is made[1]
