"""Calls of an engine from start to end: sync, async and as a demonstration."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from time import perf_counter
from typing import Any

from .._core.flow import learn_demonstration, run_task
from .._core.model.kinds import is_awaitable
from .._core.model.outcome import Outcome
from .._core.record.call import record_flow, record_sync
from .._core.record.verdict import text_redactor
from .._core.run.run import Run
from ..errors import InvalidTypeError
from .conclusion import conclude, exception_reason, raise_store_error, write_result
from .context import Frame, enter_frame, frame_for_call, leave_frame, reset_frame
from .drivers import adrive, drive, in_thread
from .named_engines import EngineTool, callers, given_options, outcome_of
from .options import CallOptions
from .performer import Performer
from .runtime import Runtime


def call(runtime: Runtime, args: tuple[Any, ...], kwargs: dict[str, Any], options: CallOptions) -> Outcome:
    """Do a task; see `Engine.__call__`."""
    if runtime.needs_acall:
        raise InvalidTypeError("engine() failed: the agent is async. Use `await engine.acall(...)`.")
    mode = runtime.effective_mode(options.mode)
    if mode == "off":
        return runtime.run_agent_alone(args, kwargs)
    run, refusal = runtime.open_run(args, kwargs, options, mode, True)
    frame = runtime.open_runs.enter(run, as_step=True)
    if frame.step_of is not None:
        return _record_as_step(runtime, frame.step_of, args, kwargs, options)
    token = enter_frame(frame)
    began = perf_counter()
    if runtime.reporter.step_observers:
        runtime.reporter.run_began(run)
    try:
        found, lookup = runtime.find_candidates(run, refusal)
        finished = drive(run_task(run, found, runtime.tools, lookup), Performer(runtime, run, frame, False))
    except BaseException as error:  # An interrupt within a replayed tool: observers got its start event.
        runtime.reporter.run_raised(run, error, perf_counter() - began)
        raise
    finally:
        reset_frame(token)  # A plain function returns in the context in which it was called.
        runtime.open_runs.leave(frame)
    return conclude(runtime, run, finished, perf_counter() - began)


async def acall(runtime: Runtime, args: tuple[Any, ...], kwargs: dict[str, Any], options: CallOptions) -> Outcome:
    """Do a task on an event loop; see `Engine.acall`."""
    mode = runtime.effective_mode(options.mode)
    if mode == "off":
        return await _agent_alone(runtime, args, kwargs)
    run, refusal = runtime.open_run(args, kwargs, options, mode, False)
    frame = runtime.open_runs.enter(run, as_step=True)
    if frame.step_of is not None:
        return await _arecord_as_step(runtime, frame.step_of, args, kwargs, options)
    token = enter_frame(frame)
    began = perf_counter()
    if runtime.reporter.step_observers:
        runtime.reporter.run_began(run)
    blocking = runtime.blocking_effects
    try:
        found, lookup = (
            await in_thread(runtime.find_candidates, run, refusal)
            if blocking
            else runtime.find_candidates(run, refusal)
        )
        flow = run_task(run, found, runtime.tools, lookup)
        finished = await adrive(flow, Performer(runtime, run, frame, True), blocking)
        if blocking:
            await in_thread(write_result, runtime, run, frame, finished, perf_counter() - began)
    except BaseException as error:  # An interrupt within a replayed tool: observers got its start event.
        runtime.reporter.run_raised(run, error, perf_counter() - began)
        raise
    finally:
        leave_frame(token, frame)
        runtime.open_runs.leave(frame)
    return conclude(runtime, run, finished, perf_counter() - began, is_written=bool(blocking))


callers.update({False: call, True: acall})


@contextmanager
def _step_of(outer: Frame, tool: EngineTool) -> Iterator[Run]:
    """Make a call of an engine a step of the run around it.

    The tool collects its inner runs.
    """
    run = outer.run
    assert run is not None
    frame = frame_for_call(outer.runtime, run, run.recorder)
    frame.inner_tool = tool
    token = enter_frame(frame)
    try:
        yield run
    finally:
        leave_frame(token, frame)


def _record_as_step(
    runtime: Runtime, outer: Frame, args: tuple[Any, ...], kwargs: dict[str, Any], options: CallOptions
) -> Outcome:
    """Make a call inside the agent of another run, and record it as its step."""
    tool = EngineTool(runtime, runtime.name, False)
    with _step_of(outer, tool) as run:
        named = {**kwargs, **given_options(options)}
        value = record_sync(run, run.recorder, tool, args, named, lambda flow: drive(flow, runtime.perform))
    return outcome_of(tool, value)


async def _arecord_as_step(
    runtime: Runtime, outer: Frame, args: tuple[Any, ...], kwargs: dict[str, Any], options: CallOptions
) -> Outcome:
    """Make an async call inside the agent of another run; see `_record_as_step`."""
    tool = EngineTool(runtime, runtime.name, True)
    with _step_of(outer, tool) as run:
        flow = record_flow(run, tool, args, {**kwargs, **given_options(options)})
        answer = await adrive(flow, runtime.perform)
    if answer.error is not None:
        raise answer.error
    return outcome_of(tool, answer.result)


async def _agent_alone(runtime: Runtime, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Outcome:
    outcome = runtime.run_agent_alone(args, kwargs)
    if is_awaitable(outcome.value):
        frame = Frame(runtime, None)
        token = enter_frame(frame)
        try:
            outcome.value = await outcome.value
        finally:
            leave_frame(token, frame)
    return outcome


class Demonstration:
    """The object that `engine.record` yields.

    Attributes:
        outcome: The outcome of the demonstration once the block has ended, else None.
    """

    __slots__ = ("outcome",)

    def __init__(self) -> None:
        self.outcome: Outcome | None = None


@contextmanager
def record(
    runtime: Runtime, args: tuple[Any, ...], kwargs: dict[str, Any], options: CallOptions
) -> Iterator[Demonstration]:
    """Record a block as a demonstration; see `Engine.record`."""
    demonstration = Demonstration()
    is_off = runtime.effective_mode(None) == "off"
    run, _ = runtime.open_run(args, kwargs, options, "record", True)
    frame = runtime.open_runs.enter(run)
    token = enter_frame(frame)
    began = perf_counter()
    if not is_off:
        runtime.open_runs.start_recording(frame)
    try:
        yield demonstration
        seconds = perf_counter() - began
        if not is_off:
            demonstration.outcome = drive(learn_demonstration(run, seconds), Performer(runtime, run, frame, False))
    except BaseException as error:
        runtime.reporter.not_learned(run, *exception_reason(error))
        raise
    finally:
        leave_frame(token, frame)
        runtime.open_runs.leave(frame)
    if demonstration.outcome is not None:
        _conclude_demonstration(runtime, run, demonstration.outcome)


def _conclude_demonstration(runtime: Runtime, run: Run, outcome: Outcome) -> None:
    outcome._feedback = runtime.maintenance
    outcome._redact = text_redactor(run)
    if outcome.not_learned is not None:
        runtime.reporter.not_learned(run, outcome.not_learned, outcome.not_learned_message)
    else:
        runtime.reporter.count("learned")
    raise_store_error(runtime, run, outcome)
