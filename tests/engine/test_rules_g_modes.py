"""G: modes, reasons, quiet."""

from __future__ import annotations

import asyncio
import logging
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from muscle_mem import (
    Check,
    Diverged,
    Engine,
    InvalidTypeError,
    InvalidValueError,
    Missed,
    NotReadyError,
    Reason,
    StoreError,
)
from muscle_mem.store import MemoryStore


class World:
    """A tool, an agent, and a count of what each did."""

    def __init__(self, **options: Any) -> None:
        self.engine = Engine(**options)
        self.state = 0
        self.acts: list[int] = []
        self.agent_runs = 0
        self.engine.tool(pre_check=Check(lambda n: self.state), name="act")(self.acts.append)
        self.act = next(iter(self.engine._runtime.tools)).wrapper
        self.engine.set_agent(self.agent)

    def agent(self, task: str) -> str:
        self.agent_runs += 1
        for n in range(3):
            self.act(n)
        return "done"


@pytest.fixture(autouse=True)
def _no_mode_from_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MUSCLE_MEM_MODE", raising=False)


def test_g1_auto_replays_and_record_always_asks_the_agent() -> None:
    world = World()
    world.engine("t")
    assert world.engine("t")
    outcome = world.engine("t", mode="record")
    assert outcome.status == "miss"
    assert outcome.reason is Reason.MODE
    assert outcome.learned
    assert world.agent_runs == 2


def test_g1_replay_never_asks_the_agent() -> None:
    world = World()
    with pytest.raises(Missed) as missed:
        world.engine("t", mode="replay")
    assert missed.value.outcome.reason is Reason.NEW_TASK
    assert "mode='replay'" in str(missed.value)
    world.engine("t")
    assert world.engine("t", mode="replay")
    assert world.agent_runs == 1


def test_g1_replay_raises_diverged_in_the_middle() -> None:
    engine = Engine()
    world = {"n": 0, "by": 1}

    @engine.tool(pre_check=Check(lambda: world["n"]))
    def step() -> None:
        world["n"] += world["by"]

    engine.set_agent(lambda task: (step(), step()))
    engine("t")
    world.update(n=0, by=5)
    with pytest.raises(Diverged) as diverged:
        engine("t", mode="replay")
    assert (diverged.value.handover.reason, diverged.value.handover.step) == (Reason.CHECK_REFUSED, 1)
    assert world["n"] == 5


def test_g1_off_is_as_if_there_were_no_engine() -> None:
    world = World(mode="off")
    for _ in range(2):
        outcome = world.engine("t")
        assert (outcome.status, outcome.reason, outcome.value) == ("miss", Reason.MODE, "done")
    info = world.engine.cache_info()
    assert (info.hits, info.misses, info.learned) == (0, 0, 0)
    assert world.agent_runs == 2


def test_g1_the_call_beats_the_environment_which_beats_the_engine(monkeypatch: pytest.MonkeyPatch) -> None:
    world = World(mode="record")
    world.engine("t")
    monkeypatch.setenv("MUSCLE_MEM_MODE", "replay")
    assert world.engine("t")
    assert not world.engine("t", mode="record")
    monkeypatch.setenv("MUSCLE_MEM_MODE", "OFF")
    assert world.engine("t", mode="replay").reason is Reason.MODE


def test_g1_an_unknown_mode_is_told_with_those_that_exist(monkeypatch: pytest.MonkeyPatch) -> None:
    world = World()
    with pytest.raises(InvalidValueError, match="auto, record, replay, frozen, shadow, off"):
        world.engine("t", mode="fast")
    with pytest.raises(ValueError, match="mode"):
        Engine(mode="fast")
    monkeypatch.setenv("MUSCLE_MEM_MODE", "fast")
    with pytest.raises(InvalidValueError, match="MUSCLE_MEM_MODE"):
        world.engine("t")


def test_g1_disabled_is_for_this_task_and_thread_only() -> None:
    world = World()
    world.engine("t")

    async def main() -> list[str]:
        async def off() -> str:
            with world.engine.disabled():
                await asyncio.sleep(0)
                return (await world.engine.acall("t")).reason.value

        async def on() -> str:
            await asyncio.sleep(0)
            return (await world.engine.acall("t")).reason.value

        return list(await asyncio.gather(off(), on()))

    assert asyncio.run(main()) == ["mode", "hit"]
    assert world.engine("t")


def test_g2_explain_executes_nothing_but_captures_of_first_steps() -> None:
    world = World()
    assert world.engine.explain("t").reason is Reason.NEW_TASK
    world.engine("t")
    done = list(world.acts)
    explanation = world.engine.explain("t")
    assert explanation
    assert explanation.considered[0].seen == "0"
    world.state = 5
    explanation = world.engine.explain("t")
    assert not explanation
    assert explanation.reason is Reason.FIRST_CHECK_REFUSED
    assert (explanation.considered[0].seen, explanation.considered[0].expected) == ("5", "0")
    assert "expected 0, got 5" in str(explanation)
    assert world.acts == done
    assert world.agent_runs == 1


def test_g3_nothing_is_printed_and_a_reason_that_never_hits_is_one_warning(
    capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    engine = Engine()

    @engine.tool
    def use(client: object) -> None: ...

    engine.set_agent(lambda task: use(object()))
    with caplog.at_level(logging.INFO, logger="muscle_mem"):
        for n in range(3):
            assert engine(f"task {n}").not_learned is Reason.OPAQUE_ARGUMENT
    warnings = [record for record in caplog.records if record.levelno == logging.WARNING]
    assert len(warnings) == 1
    assert "client" in warnings[0].getMessage()
    assert "use" in warnings[0].getMessage()
    assert capsys.readouterr() == ("", "")


def test_g3_observers_take_the_place_of_logging_and_their_trouble_is_nobodys(caplog: pytest.LogCaptureFixture) -> None:
    seen: list[str] = []

    def broken(event: object) -> None:
        seen.append(type(event).__name__)
        raise RuntimeError("observer")

    world = World(observers=[broken])
    assert world.engine("t").status == "miss"
    assert world.engine("t")
    assert {"RunEvent", "LearnedEvent"} <= set(seen)


class BrokenStore(MemoryStore):
    """Fails in every way, once told to."""

    broken = False
    trouble: type[Exception] = StoreError

    def find(self, key: bytes) -> Any:
        return self._or_fail(super().find, key)

    def seal(self, *args: Any) -> Any:
        return self._or_fail(super().seal, *args)

    def note(self, *args: Any) -> Any:
        return self._or_fail(super().note, *args)

    def version(self, key: bytes) -> Any:
        return self._or_fail(super().version, key)

    def _or_fail(self, function: Any, *args: Any) -> Any:
        if self.broken:
            raise self.trouble("the disk is on fire")
        return function(*args)


@pytest.mark.parametrize("trouble", [StoreError, OSError, KeyError])
def test_g4_a_failing_store_costs_the_recording_and_nothing_else(trouble: type[Exception]) -> None:
    store = BrokenStore()
    store.trouble = trouble
    events: list[Any] = []
    world = World(store=store, observers=events.append)
    store.broken = True
    outcome = world.engine("t")
    assert (outcome.status, outcome.value, outcome.reason) == ("miss", "done", Reason.STORE_UNAVAILABLE)
    assert outcome.not_learned is Reason.STORE_UNAVAILABLE
    assert world.engine.cache_info().store_errors >= 2
    assert any("on fire" in getattr(event, "message", "") for event in events)
    store.broken = False
    assert world.engine("t").learned
    assert world.engine("t")


def test_g4_misuse_at_registration_raises_at_once_and_says_how_to_mend_it() -> None:
    engine = Engine()
    with pytest.raises(InvalidTypeError, match="got 3"):
        engine.tool(pre_check=Check(lambda: 1))(3)
    with pytest.raises(TypeError, match="post_check="):
        engine.tool(post_check=lambda: 1)(lambda: None)
    with pytest.raises(ValueError, match="read, idempotent, write, irreversible"):
        engine.tool(effect="harmless")(lambda: None)
    with pytest.raises(ValueError, match="got 'ctx'"):
        engine.tool(ignore=["ctx"])(lambda a: None)
    with pytest.raises(TypeError, match="option 'precheck'"):
        engine.tool(precheck=None)(lambda: None)
    with pytest.raises(ValueError, match="got 'ctx'"):
        engine.tool(ignore=["ctx"])(classmethod(lambda cls, a: None))
    with pytest.raises(TypeError, match="callable"):
        engine.set_agent("agent")
    with pytest.raises(ValueError, match="'tags'"):
        engine.set_agent(lambda task, tags: None)
    with pytest.raises(NotReadyError, match="set_agent"):
        engine("task")


def test_g5_the_agents_exception_passes_unchanged_and_the_engine_stays_usable() -> None:
    world = World()
    for error in (ValueError("mine"), StopIteration(3), KeyboardInterrupt(), SystemExit(2), GeneratorExit()):

        def failing(task: str, error: BaseException = error) -> None:
            world.act(1)
            raise error

        world.engine.set_agent(failing)
        with pytest.raises(type(error)) as raised:
            world.engine("crash")
        assert raised.value is error
        assert not world.engine._runtime.open_runs.frames
    world.engine.set_agent(world.agent)
    assert world.engine("crash").reason is Reason.NEW_TASK


def test_g5_cancellation_passes_and_nothing_is_learned() -> None:
    engine = Engine()

    @engine.tool
    async def wait() -> None:
        await asyncio.sleep(30)

    async def agent(task: str) -> None:
        await wait()

    engine.set_agent(agent)

    async def main() -> None:
        task = asyncio.ensure_future(engine.acall("t"))
        await asyncio.sleep(0.01)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(main())
    assert not engine._runtime.open_runs.frames
    assert engine.explain("t").reason is Reason.NEW_TASK


def test_g6_a_run_inside_a_run_makes_the_outer_one_unlearnable() -> None:
    world = World()
    other = Engine()

    @other.tool
    def note() -> None: ...

    def outer(task: str) -> None:
        note()
        world.engine("inner")

    other.set_agent(outer)
    assert other("t").not_learned is Reason.NESTED_RUN
    assert world.engine("inner")


def test_g6_an_engine_call_inside_a_tool_is_part_of_that_step() -> None:
    world = World()
    other = Engine()

    @other.tool
    def delegate() -> None:
        world.engine("inner")

    other.set_agent(lambda task: delegate())
    assert other("t").learned
    assert other("t")
    assert world.engine.cache_info().hits == 1


def test_g7_lambdas_partials_builtins_closures_and_exec_work_as_tools() -> None:
    engine = Engine()
    log: list[Any] = []

    def make(prefix: str) -> Any:
        return engine.tool(lambda text: log.append(prefix + text))

    namespace: dict[str, Any] = {}
    exec("def made(x):\n\treturn log.append(x)", {"log": log}, namespace)
    tools = [
        make("a"),
        make("b"),
        engine.tool(name="part")(partial(log.append, "p")),
        engine.tool(name="size")(len),
        engine.tool(namespace["made"]),
    ]
    engine.set_agent(lambda task: (tools[0]("1"), tools[1]("2"), tools[2](), tools[3]("xyz"), tools[4]("e")))
    assert engine("t").learned
    first = list(log)
    log.clear()
    assert engine("t")
    assert log == first == ["a1", "b2", "p", "e"]


def test_g7_tools_agent_and_context_may_be_replaced_at_any_time() -> None:
    world = World()
    world.engine("t")
    world.engine.set_agent(lambda task: "other")
    assert world.engine("t")
    assert world.engine("new").value == "other"


def test_g8_generators_and_async_under_the_plain_call_are_refused() -> None:
    engine = Engine()

    async def later(task: str) -> None: ...

    async def stream(task: str) -> Any:
        yield task

    def lazily(task: str) -> Any:
        yield task

    for wrong in (stream, lazily):
        with pytest.raises(InvalidTypeError, match="generator"):
            engine.tool(wrong)
        with pytest.raises(InvalidTypeError, match="generator"):
            engine.set_agent(wrong)
    engine.set_agent(later)
    with pytest.raises(InvalidTypeError, match="acall"):
        engine("t")
    engine.set_agent(lambda task: later(task))
    with pytest.raises(InvalidTypeError, match="acall"):
        engine("t")
    assert engine.explain("t").reason is Reason.NEW_TASK


def test_g8_plain_agents_and_tools_work_under_acall() -> None:
    world = World()
    assert not asyncio.run(world.engine.acall("t"))
    assert asyncio.run(world.engine.acall("t"))
    assert world.engine("t")


def test_g8_a_tool_whose_work_is_not_done_when_it_returns_is_not_learned() -> None:
    engine = Engine()

    async def work() -> None: ...

    pending: list[Any] = []
    start = engine.tool(name="start")(lambda: pending.append(work()) or pending[-1])
    engine.set_agent(lambda task: start() and None)
    assert engine("t").not_learned is Reason.STILL_RUNNING
    for coroutine in pending:
        coroutine.close()


def test_bad_store_paths_are_told_when_the_engine_is_made(tmp_path: Path) -> None:
    foreign = tmp_path / "notes.txt"
    foreign.write_text("not a database, but long enough to be taken for one by a careless reader " * 20)
    for path in (tmp_path, foreign):
        with pytest.raises(StoreError, match=path.name):
            Engine(path)
    assert foreign.read_text().startswith("not a database")
