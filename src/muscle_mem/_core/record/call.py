"""Recording one call: capture, encode the arguments, call the tool, capture again, append."""

from __future__ import annotations

from collections.abc import Generator
from types import AsyncGeneratorType, GeneratorType
from typing import Any

import msgspec

from ..codec.walk import SCALARS
from ..model.reason import Reason
from ..model.text import long_repr
from ..run.effects import Effect, Invoke
from ..run.recorder import RecordedStep, Recorder
from ..run.run import Run
from ..tools.tool import Tool
from .arguments import store_arguments
from .snapshot import RunFlow, capture_flow, capture_sync

_UNFINISHED_TYPES = (GeneratorType, AsyncGeneratorType)


class CallResult(msgspec.Struct, frozen=True):
    """What a call came to: a result, or the exception that the agent shall see."""

    result: Any = None
    error: BaseException | None = None


def record_flow(
    run: Run, tool: Tool, args: tuple[Any, ...], kwargs: dict[str, Any]
) -> Generator[Effect, Any, CallResult]:
    """Make one call of the agent's and record it. What the tool raises comes back in the answer.

    Captures and the call itself are asked for: they may be awaited, or made by others.
    """
    recorder, clock = run.recorder, run.policy.clock
    if recorder.absorber is not None:
        done = recorder.absorber.answer(tool, args, kwargs)
        if done is not None:
            return CallResult(done.result, done.error)
    step = recorder.begin_call(tool, clock())
    entered = False
    try:
        store_arguments(run, recorder, step, args, kwargs)
        check = tool.pre
        if check is not None:
            step.pre_snapshot = yield from capture_flow(run, step, check, args, kwargs)
        entered = True
        started = clock()
        try:
            result = yield Invoke(tool, args, kwargs)
        except GeneratorExit:
            raise
        except BaseException as error:
            _note_failure(run, step, args, kwargs, error)
            return CallResult(error=error)
        step.seconds = clock() - started
        if type(result) not in SCALARS:
            _reject_unfinished(recorder, step, result)
        recorder.store_output(step, result)
        check = tool.post
        if check is not None:
            step.post_snapshot = yield from capture_flow(run, step, check, args, kwargs)
        return CallResult(result)
    except BaseException as error:  # a capture that was cancelled: the agent gets no answer of this call
        _interrupted(run, step, args, kwargs, error, entered)
        raise
    finally:
        step.wall_seconds = clock() - step.began_at
        recorder.end_call(step)
        if recorder.absorber is not None:
            recorder.absorber.call_returned(kwargs)


def record_sync(
    run: Run, recorder: Recorder, tool: Tool, args: tuple[Any, ...], kwargs: dict[str, Any], run_flow: RunFlow
) -> Any:
    """`record_flow` where nothing need be awaited: the same, line by line, but that a call is made where that asks.

    Returns and raises what the tool does. A generator, and what drives it, would cost as much again as all of this.
    `recorder` is the run's; `run_flow` performs what a flow asks for, as the first use of a check does.
    """
    clock = run.policy.clock
    if recorder.absorber is not None:
        done = recorder.absorber.answer(tool, args, kwargs)
        if done is not None:
            if done.error is not None:
                raise done.error
            return done.result
    step = recorder.begin_call(tool, clock())
    entered = False
    try:
        store_arguments(run, recorder, step, args, kwargs)
        check = tool.pre
        if check is not None:
            step.pre_snapshot = capture_sync(run, step, check, args, kwargs, run_flow)
        entered = True
        started = clock()
        result = tool.fn(*args, **kwargs) if kwargs else tool.fn(*args)
        step.seconds = clock() - started
        if type(result) not in SCALARS:
            _reject_unfinished(recorder, step, result)
        recorder.store_output(step, result)
        check = tool.post
        if check is not None:
            step.post_snapshot = capture_sync(run, step, check, args, kwargs, run_flow)
        return result
    except BaseException as error:
        _interrupted(run, step, args, kwargs, error, entered)
        raise
    finally:
        step.wall_seconds = clock() - step.began_at
        recorder.end_call(step)
        if recorder.absorber is not None:
            recorder.absorber.call_returned(kwargs)


def _note_failure(
    run: Run, step: RecordedStep, args: tuple[Any, ...], kwargs: dict[str, Any], error: BaseException
) -> None:
    """A call that raised is not a step; unless it can have had no effect, the rest is not trusted either (C5)."""
    tool = step.tool
    run.recorder.drop(step)
    unbound = (run.is_stepped or isinstance(error, TypeError)) and not tool.accepts(args, kwargs)
    if tool.is_read_only or unbound:
        if run.recorder.absorber is not None:
            run.recorder.absorber.ignore_difference(kwargs)
        return
    run.recorder.add_quarantine(
        Reason.FAILED_WRITE,
        f"{tool.name} raised {long_repr(error)} while this was recorded, and what it had done by then is not known",
        tool.name,
    )


def _interrupted(
    run: Run, step: RecordedStep, args: tuple[Any, ...], kwargs: dict[str, Any], error: BaseException, entered: bool
) -> None:
    """A call that was interrupted; before the tool was entered nothing has happened."""
    if entered:
        _note_failure(run, step, args, kwargs, error)
    else:
        run.recorder.drop(step)


def _reject_unfinished(recorder: Recorder, step: RecordedStep, result: Any) -> None:
    if isinstance(result, _UNFINISHED_TYPES) or hasattr(type(result), "__await__"):
        tool = step.tool
        recorder.add_problem(
            Reason.STILL_RUNNING,
            f"{tool.name} returned {type(result).__name__}, whose work is not done when the call returns; make the "
            "tool an async function, or let it return a list",
            tool.name,
            step,
        )
