"""The flow driven by hand: tools, runs and recordings without any I/O, and a world that answers each effect."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Generator
from typing import Any

import msgspec

from muscle_mem import Check, Handover, Reason
from muscle_mem._core.binding.params.search import Params
from muscle_mem._core.flow import RunResult, run_task
from muscle_mem._core.model.records import StepRecord
from muscle_mem._core.plan.candidate_set import CandidateSet
from muscle_mem._core.plan.step import Refusal
from muscle_mem._core.plan.stored_trajectory import StoredTrajectory, join_trajectories, load_trajectory
from muscle_mem._core.record.call import record_flow
from muscle_mem._core.record.seal import make_recording
from muscle_mem._core.run.effects import Capture, Compare, Effect, Invoke, RunAgent, RunCallback, Save, Sleep
from muscle_mem._core.run.recorder import Recording
from muscle_mem._core.run.run import Policy, Run
from muscle_mem._core.tools.tool import Tool, ToolSpec
from muscle_mem.store.base import Observation, Sealed, Standing, Stored


async def look(name: str) -> Any: ...


async def fits(current: Any, candidate: Any) -> bool:
    raise AssertionError("the driver answers for it")


async def step(name: str) -> Any: ...


def a_check(**options: Any) -> Check:
    return Check(look, fits, version=1, **options)


def a_tool(*, pre: Check | None = None, post: Check | None = None, effect: str | None = None) -> Tool:
    prints = ("pre" if pre else "", "post" if post else "")
    return Tool(
        step,
        ToolSpec(name="step", fingerprint="f", pre=pre, post=post, check_fingerprints=prints, effect=effect),
    )


class OneTool:
    """A registry that knows one tool, or none."""

    def __init__(self, tool: Tool | None) -> None:
        self.version = 0
        self.failing_tools = ()
        self.tool = tool

    def resolve(self, record: StepRecord) -> Tool | Refusal:
        return self.tool or Refusal(Reason.TOOL_MISSING, f"the tool {record.tool} is not registered")

    def pause_refusal(self, steps: object) -> None:
        return None


def a_run(mode: Any = "auto", **options: Any) -> Run:
    """A run whose clock counts one second a look."""
    ticks = itertools.count()
    chosen = {name: options.pop(name) for name in ("max_lookups", "result") if name in options}
    policy = Policy(lambda: float(next(ticks)), lambda *told: None, lambda: "test", **chosen)
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
        **{"is_sync": False, **options},
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
        answer(record_flow(run, tool, (name,), {}), answers, [])
    assert run.recorder.problems == []
    run.key = b"k" * 32
    return make_recording(run, value=value, run_seconds=1.0)


def stored(*recordings: Recording, state: str = "fresh") -> list[StoredTrajectory]:
    """The recordings as trajectories that came out of a store, the newest first."""
    found = []
    for seq, one in enumerate(recordings):
        sealed = Sealed(id=one.id, key=b"k" * 32, body=msgspec.msgpack.encode(one.body), steps=len(one.body.steps))
        row = Observation(id=one.observation_id, body=msgspec.msgpack.encode(one.row))
        found.append(
            load_trajectory(Stored(sealed=sealed, seq=seq, standing=Standing(state=state), observations=((seq, row),)))
        )
    return found[::-1]


def ready(trajectories: list[StoredTrajectory], registry: OneTool) -> CandidateSet:
    """The trajectories joined with the tool, as candidates of one key."""
    return CandidateSet(join_trajectories(trajectories, registry))


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
        if isinstance(effect, RunCallback):
            return effect.function(*effect.args)
        if isinstance(effect, Save):
            self.saved.append(effect.recording[0])
            return None
        assert isinstance(effect, Sleep)
        return None

    def call(self, name: str) -> Any:
        """A tool call of the agent's."""
        done = answer(record_flow(self.run, self.tool, (name,), {}), self, self.seen)
        if done.error is not None:
            raise done.error
        return done.result

    def drive(self, trajectories: list[StoredTrajectory], lookup: Refusal | None = None) -> RunResult:
        registry = OneTool(self.tool)
        finished: RunResult = answer(
            run_task(self.run, ready(trajectories, registry), registry, lookup), self, self.seen
        )
        return finished
