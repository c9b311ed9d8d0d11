"""The flow without any I/O: run_task, replay and demonstrate driven by hand, effect by effect."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Generator
from typing import Any

import msgspec
import pytest

from muscle_mem import Check, Diverged, Handover, Missed, Reason
from muscle_mem._core.binding.params import Params
from muscle_mem._core.flow import Finished, demonstrate, run_task
from muscle_mem._core.model.records import StepRecord
from muscle_mem._core.plan.candidate_set import NOBODY, Company
from muscle_mem._core.plan.step import Refusal
from muscle_mem._core.plan.trajectory import Candidate, Trajectory, load
from muscle_mem._core.record.call import record_call
from muscle_mem._core.record.seal import finish
from muscle_mem._core.replay.replay import replay
from muscle_mem._core.replay.eligibility import admit
from muscle_mem._core.run.effects import Ask, Capture, Compare, Effect, Invoke, RunAgent, Save, Sleep
from muscle_mem._core.run.recorder import Problem, Recording
from muscle_mem._core.run.run import Policy, Run
from muscle_mem._core.tools.tool import Tool
from muscle_mem.store.base import Observation, Sealed, Standing, Stored


async def look(name: str) -> Any: ...


async def fits(current: Any, candidate: Any) -> bool:
    raise AssertionError("the driver answers for it")


async def step(name: str) -> Any: ...


def a_check(**options: Any) -> Check:
    return Check(look, fits, version=1, **options)


def a_tool(*, pre: Check | None = None, post: Check | None = None, effect: str | None = None) -> Tool:
    prints = ("pre" if pre else "", "post" if post else "")
    return Tool(step, name="step", fingerprint="f", pre=pre, post=post, check_prints=prints, effect=effect)


class OneTool:
    """A registry that knows one tool, or none."""

    def __init__(self, tool: Tool | None) -> None:
        self.version = 0
        self.failing = ()
        self.tool = tool

    def resolve(self, record: StepRecord) -> Tool | Refusal:
        return self.tool or Refusal(Reason.TOOL_MISSING, f"the tool {record.tool} is not registered")

    def paused(self, steps: object) -> None:
        return None


def a_run(mode: Any = "auto", **options: Any) -> Run:
    """A run whose clock counts one second a look."""
    ticks = itertools.count()
    chosen = {name: options.pop(name) for name in ("max_lookups", "result") if name in options}
    policy = Policy(lambda: float(next(ticks)), lambda *told: None, "test", **chosen)
    return Run(
        policy=policy,
        number=1,
        label="task",
        args=("task",),
        kwargs={},
        key=b"k" * 32,
        params=Params(None),
        context=(),
        mode=mode,
        **{"plain": False, **options},
    )


def answer(flow: Generator[Effect, Any, Any], answers: Callable[[Effect], Any], seen: list[str]) -> Any:
    """Drive a flow by hand: what `answers` returns is sent, what it raises is thrown; `seen` tells what was asked."""
    try:
        effect = next(flow)
        while True:
            seen.append(name_of(effect))
            try:
                value = answers(effect)
            except BaseException as error:
                effect = flow.throw(error)
            else:
                effect = flow.send(value)
    except StopIteration as stop:
        return stop.value


def name_of(effect: Effect) -> str:
    if isinstance(effect, Invoke | Capture):
        return f"{type(effect).__name__} {effect.args[0]}"
    return type(effect).__name__


def recorded(tool: Tool, names: str, value: Any = None, snapshot: Any = 1) -> Recording:
    """What comes of an agent that calls the tool once for each letter."""
    run = a_run()

    def answers(effect: Effect) -> Any:
        if isinstance(effect, Compare):
            return effect.current == effect.candidate
        return snapshot if isinstance(effect, Capture) else f"did {effect.args[0]}"

    for name in names:
        answer(record_call(run, tool, (name,), {}), answers, [])
    assert run.recorder.problems == []
    return finish(run.recorder, key=b"k" * 32, value=value, run_seconds=1.0)


def stored(*recordings: Recording, state: str = "fresh") -> list[Trajectory]:
    """The recordings as trajectories that came out of a store, the newest first."""
    found = []
    for seq, one in enumerate(recordings):
        sealed = Sealed(id=one.id, key=b"k" * 32, body=msgspec.msgpack.encode(one.body), steps=len(one.body.steps))
        row = Observation(id=one.observation_id, body=msgspec.msgpack.encode(one.row))
        found.append(load(Stored(sealed=sealed, seq=seq, standing=Standing(state=state), observations=((seq, row),))))
    return found[::-1]


class World:
    """Answers effects: snapshots by name, what fails, and an agent."""

    def __init__(self, tool: Tool, run: Run, **snapshots: Any) -> None:
        self.tool = tool
        self.run = run
        self.snapshots = snapshots
        self.fail: dict[str, BaseException] = {}
        self.agent: Callable[[Handover | None], Any] = lambda handover: "the agent's value"
        self.saved: list[Recording] = []
        self.seen: list[str] = []

    def __call__(self, effect: Effect) -> Any:
        if isinstance(effect, Capture):
            return self.snapshots.get(effect.args[0], 1)
        if isinstance(effect, Compare):
            return effect.current == effect.candidate
        if isinstance(effect, Invoke):
            if effect.args[0] in self.fail:
                raise self.fail[effect.args[0]]
            return f"did {effect.args[0]}"
        if isinstance(effect, RunAgent):
            return self.agent(effect.handover)
        if isinstance(effect, Ask):
            return effect.function(*effect.args)
        if isinstance(effect, Save):
            self.saved.append(effect.recording[0])
            return None
        assert isinstance(effect, Sleep)
        return None

    def call(self, name: str) -> Any:
        """A tool call of the agent's."""
        done = answer(record_call(self.run, self.tool, (name,), {}), self, self.seen)
        if done.error is not None:
            raise done.error
        return done.result

    def drive(self, trajectories: list[Trajectory], lookup: Refusal | None = None) -> Finished:
        registry = OneTool(self.tool)
        finished: Finished = answer(run_task(self.run, Company(trajectories), registry, lookup), self, self.seen)
        return finished


def test_a_miss_asks_the_agent_and_saves_what_it_did() -> None:
    world = World(a_tool(pre=a_check()), a_run())
    world.agent = lambda handover: world.call("a")
    finished = world.drive([])
    assert world.seen == ["RunAgent", "Capture a", "Compare", "Compare", "Invoke a", "Save"]
    assert finished.outcome is not None
    assert (finished.outcome.status, finished.outcome.reason) == ("miss", Reason.NEW_TASK)
    assert finished.outcome.learned
    assert finished.outcome.trajectory_id == world.saved[0].id
    assert finished.followed is None


def test_a_hit_captures_compares_and_invokes_step_by_step_and_saves_nothing() -> None:
    tool = a_tool(pre=a_check(), post=a_check())
    world = World(tool, a_run())
    finished = world.drive(stored(recorded(tool, "ab", value="did b")))
    each = ["Capture {0}", "Compare", "Invoke {0}", "Capture {0}", "Compare"]
    assert world.seen == [text.format(name) for name in "ab" for text in each]
    assert finished.outcome is not None
    assert (finished.outcome.status, finished.outcome.value, finished.outcome.steps) == ("hit", "did b", 2)
    assert finished.followed is not None
    assert finished.failure is None


def test_a_flow_is_stepped_with_next_send_and_throw() -> None:
    check = a_check()
    tool = a_tool(pre=check)
    run = a_run()
    flow = run_task(run, Company(stored(recorded(tool, "ab"))), OneTool(tool))
    capture = next(flow)
    assert isinstance(capture, Capture)
    assert capture.check is check
    assert capture.args == ("a",)
    compare = flow.send(7)
    assert isinstance(compare, Compare)
    assert (compare.current, compare.candidate) == (7, 1)
    invoke = flow.send(True)
    assert isinstance(invoke, Invoke)
    assert (invoke.tool, invoke.args) == (tool, ("a",))
    assert isinstance(flow.send("did a"), Capture)
    agent = flow.throw(OSError("no screen"))
    assert isinstance(agent, RunAgent)
    assert run.handover is not None
    assert run.handover.reason is Reason.CHECK_ERROR
    with pytest.raises(StopIteration) as stopped:
        flow.throw(StopIteration("of the agent"))
    finished = stopped.value.value
    assert finished.outcome is None
    assert isinstance(finished.error, StopIteration)
    assert finished.failure is None


def test_a_refused_first_check_is_a_miss() -> None:
    tool = a_tool(pre=a_check())
    world = World(tool, a_run(), a=2)
    finished = world.drive(stored(recorded(tool, "ab")))
    assert world.seen == ["Capture a", "Compare", "RunAgent"]
    assert finished.outcome is not None
    assert finished.outcome.reason is Reason.FIRST_CHECK_REFUSED
    assert finished.outcome.not_learned is Reason.NO_CALLS


def test_a_refused_later_check_runs_the_agent_with_the_handover_if_it_names_one() -> None:
    tool = a_tool(pre=a_check())
    given: list[Any] = []
    for names_handover in (True, False):
        world = World(tool, a_run(names_handover=names_handover), b=2)
        world.agent = given.append
        finished = world.drive(stored(recorded(tool, "ab")))
        assert world.seen == ["Capture a", "Compare", "Invoke a", "Capture b", "Compare", "RunAgent"]
        assert finished.outcome is not None
        assert finished.outcome.status == "diverged"
        assert finished.failure is None
        assert finished.followed is not None
    assert given[0].results == ["did a"]
    assert given[1] is None


def test_an_absorbed_call_asks_the_driver_for_nothing() -> None:
    tool = a_tool(pre=a_check())
    world = World(tool, a_run(), b=2)
    world.agent = lambda handover: [world.call(name) for name in "ab"]
    finished = world.drive(stored(recorded(tool, "ab")))
    assert world.seen.count("Invoke a") == 1
    assert world.seen.count("Invoke b") == 1
    assert finished.outcome is not None
    assert finished.outcome.value == ["did a", "did b"]
    assert [record.arguments[0][0] for record in world.saved[0].body.steps] == ["name", "name"]


@pytest.mark.parametrize("error", [ValueError("no"), StopIteration("no"), RuntimeError("odd")])
def test_a_tool_that_raises_is_a_divergence_that_counts_against_the_recording(error: Exception) -> None:
    tool = a_tool(pre=a_check())
    world = World(tool, a_run())
    world.fail["a"] = error
    finished = world.drive(stored(recorded(tool, "ab")))
    assert finished.outcome is not None
    assert finished.outcome.divergence is not None
    assert finished.outcome.divergence.error is error
    assert finished.failure is not None
    assert finished.failure.reason is Reason.TOOL_RAISED


@pytest.mark.parametrize("error", [KeyboardInterrupt(), SystemExit(), GeneratorExit()])
def test_what_ends_the_process_passes_through_a_replay(error: BaseException) -> None:
    tool = a_tool()
    world = World(tool, a_run())
    world.fail["b"] = error
    with pytest.raises(type(error)) as raised:
        world.drive(stored(recorded(tool, "ab")))
    assert raised.value is error
    assert "RunAgent" not in world.seen


def test_a_flow_that_is_closed_in_the_middle_asks_for_nothing_more() -> None:
    tool = a_tool()
    for at in range(3):
        run = a_run()
        flow = run_task(run, Company(stored(recorded(tool, "ab")) if at < 2 else []), OneTool(tool))
        next(flow)
        if at == 1:
            flow.send("did a")
        flow.close()
        with pytest.raises(StopIteration):
            next(flow)


def test_mode_record_never_looks_at_the_recordings() -> None:
    tool = a_tool(pre=a_check())
    world = World(tool, a_run("record"))
    finished = world.drive(stored(recorded(tool, "ab")))
    assert world.seen == ["RunAgent"]
    assert finished.outcome is not None
    assert finished.outcome.reason is Reason.MODE


def test_mode_replay_ends_in_missed_or_diverged_and_never_asks_the_agent() -> None:
    tool = a_tool(pre=a_check())
    for snapshots, kind in (({"a": 2}, Missed), ({"b": 2}, Diverged)):
        world = World(tool, a_run("replay"), **snapshots)
        finished = world.drive(stored(recorded(tool, "ab")))
        assert isinstance(finished.error, kind)
        assert "RunAgent" not in world.seen


def test_the_lookups_own_reason_is_told() -> None:
    world = World(a_tool(), a_run())
    finished = world.drive([], Refusal(Reason.STORE_UNAVAILABLE, "the disk is gone"))
    assert finished.outcome is not None
    assert (finished.outcome.reason, finished.outcome.message) == (Reason.STORE_UNAVAILABLE, "the disk is gone")


def test_the_success_callback_is_asked_at_the_end_of_a_replay_and_of_the_agent() -> None:
    tool = a_tool()
    asked: list[Any] = []

    def success(value: Any) -> bool:
        asked.append(value)
        return value == "the agent's value"

    world = World(tool, a_run(success=success))
    finished = world.drive(stored(recorded(tool, "ab", value="did b")))
    assert world.seen == ["Invoke a", "Invoke b", "Ask", "RunAgent", "Ask"]
    assert asked == ["did b", "the agent's value"]
    assert finished.outcome is not None
    assert finished.outcome.reason is Reason.UNSUCCESSFUL
    assert finished.failure is not None
    assert finished.failure.reason is Reason.UNSUCCESSFUL


def test_a_store_that_does_not_take_the_recording_costs_the_recording_only() -> None:
    world = World(a_tool(), a_run())
    flow = run_task(world.run, NOBODY, OneTool(world.tool))
    assert isinstance(next(flow), RunAgent)
    world.call("a")
    assert isinstance(flow.send("value"), Save)
    with pytest.raises(StopIteration) as stopped:
        flow.send(Problem(Reason.STORE_UNAVAILABLE, "the disk is full"))
    outcome = stopped.value.value.outcome
    assert (outcome.value, outcome.learned, outcome.not_learned) == ("value", False, Reason.STORE_UNAVAILABLE)


def test_a_check_that_waits_sleeps_between_looks_until_its_deadline() -> None:
    tool = a_tool(pre=a_check(wait=10, every=3))
    world = World(tool, a_run("replay"), a=2)
    finished = world.drive(stored(recorded(tool, "ab")))
    assert isinstance(finished.error, Missed)
    assert world.seen.count("Sleep") >= 3
    assert world.seen[-1] != "Sleep", "after the last sleep comes a last look"
    assert world.seen.count("Capture a") == world.seen.count("Sleep") + 1


def test_replay_alone_returns_who_came_to_its_end_or_the_refusal_that_stopped_it() -> None:
    tool = a_tool(pre=a_check())
    for snapshots, expected in (({}, Candidate), ({"b": 2}, Refusal)):
        run = a_run()
        live, refusal = admit(run, Company(stored(recorded(tool, "ab"))), OneTool(tool))
        assert refusal is None
        assert live is not None
        found = answer(replay(run, live), World(tool, run, **snapshots), [])
        assert isinstance(found, expected)
        assert run.progress.results == (["did a", "did b"] if expected is Candidate else ["did a"])


def test_the_newest_admissible_trajectory_is_first_and_a_quarantined_one_is_not_admitted() -> None:
    tool = a_tool(pre=a_check())
    run = a_run()
    live, _ = admit(run, Company(stored(recorded(tool, "ab"), recorded(tool, "ac"))), OneTool(tool))
    assert live is not None
    assert [candidate.seq for candidate in live.candidates] == [1, 0]
    live, refusal = admit(run, Company(stored(recorded(tool, "ab"), state="quarantined")), OneTool(tool))
    assert live is None
    assert refusal is not None
    assert refusal.reason is Reason.QUARANTINED


def test_a_missing_tool_is_refused_before_anything_is_asked() -> None:
    world = World(a_tool(), a_run("replay"))
    flow = run_task(world.run, Company(stored(recorded(world.tool, "ab"))), OneTool(None))
    with pytest.raises(StopIteration) as stopped:
        next(flow)
    assert stopped.value.value.error.outcome.reason is Reason.TOOL_MISSING


def test_a_demonstration_is_saved_without_an_agent() -> None:
    world = World(a_tool(), a_run("record"))
    world.call("a")
    world.seen.clear()
    outcome = answer(demonstrate(world.run, 1.0), world, world.seen)
    assert world.seen == ["Save"]
    assert outcome.learned
