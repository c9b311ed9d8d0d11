"""Recording of one call: arguments, snapshots, result and failure."""

from __future__ import annotations

from collections.abc import Generator
from types import CoroutineType
from typing import TYPE_CHECKING, Any

import msgspec

from ..codec.walk import SCALARS
from ..model.failed_calls import CallNotMadeError
from ..model.handover import Executed
from ..model.text import long_repr
from ..run.effects import CallRefusedError, Effect, Invoke
from ..run.recorder import RecordedStep, Recorder
from ..run.run import Run
from ..tools.tool import Tool
from ..tools.typed_arguments import has_types, typed_arguments
from .arguments import store_arguments
from .failed_calls import leave_out, leave_out_failed
from .pictures import take_picture
from .snapshot import RunFlow, capture_flow, capture_sync
from .unfinished import note_unfinished

if TYPE_CHECKING:
    from .absorb import Accepted


class CallResult(msgspec.Struct, frozen=True):
    """The result of a call, or the exception to raise in the agent."""

    result: Any = None
    error: BaseException | None = None


def record_flow(
    run: Run,
    tool: Tool,
    args: tuple[Any, ...],
    kwargs: dict[str, Any],
    accepted: Accepted | None = None,
    *,
    is_said: bool = False,
) -> Generator[Effect, Any, CallResult]:
    """Make one call of the agent and record it.

    Captures and the call are yielded as effects, so that a driver can await them or return them to a caller. An
    exception of the tool is returned in the result. `accepted` holds the snapshots of a step that a replay makes again
    in the middle of the agent's calls. With `is_said`, the arguments are JSON values of a model, which are stored, and
    captures get them in the types that the function declares. `record_sync` is the same sequence for plain tools.
    """
    recorder, clock = run.recorder, run.policy.clock
    if recorder.absorber is None:
        step = recorder.begin_call(tool, clock())
    else:
        begun = recorder.absorber.begin_call(run, tool, args, kwargs)
        if isinstance(begun, Executed):
            return CallResult(begun.result, begun.error)
        step = begun
    if accepted is not None:
        accepted.give_to(step)
    entered = False
    try:
        store_arguments(run, recorder, step, args, kwargs)
        said = None
        if is_said and has_types(tool):
            said = args, kwargs
            args, kwargs = typed_arguments(tool, args, kwargs)
        check = tool.pre
        if check is not None and step.pre_snapshot is None:
            step.pre_snapshot = yield from capture_flow(run, step, check, args, kwargs)
        entered = True
        started = clock()
        try:
            result = yield Invoke(tool, args, kwargs, said)
        except GeneratorExit:
            raise
        except CallRefusedError as error:
            leave_out(run, step, "was refused", did_nothing=True)
            return CallResult(error=error)
        except BaseException as error:
            _note_failure(run, step, args, kwargs, error)
            return CallResult(error=error)
        step.seconds = clock() - started
        if (type(result) not in SCALARS or tool.failed) and leave_out_failed(run, step, result):
            return CallResult(result)
        recorder.store_output(step, result)
        if step.note and step.result_bytes is None:
            note_unfinished(run, step, result)
        check = tool.post
        if check is not None and step.post_snapshot is None:
            step.post_snapshot = yield from capture_flow(run, step, check, args, kwargs)
        if tool.picture is not None:
            take_picture(run, step, args, kwargs)
        return CallResult(result)
    except BaseException as error:  # A capture was cancelled, so the agent gets no result of this call.
        _interrupted(run, step, args, kwargs, error, entered)
        raise
    finally:
        step.wall_seconds = clock() - step.began_at
        recorder.end_call(step)


def record_sync(
    run: Run, recorder: Recorder, tool: Tool, args: tuple[Any, ...], kwargs: dict[str, Any], run_flow: RunFlow
) -> Any:
    """Make one call of a plain tool and record it, without a generator.

    The sequence is that of `record_flow`, line by line; decision 0020 has the cost of sharing it. `recorder` belongs to
    the run. `run_flow` performs the effects of a flow, which the first use of a check needs.
    """
    clock = run.policy.clock
    if recorder.absorber is None:
        step = recorder.begin_call(tool, clock())
    else:
        begun = recorder.absorber.begin_call(run, tool, args, kwargs)
        if isinstance(begun, Executed):
            if tool.was_awaited and not run.is_sync:
                return _answer_later(begun)
            if begun.error is not None:
                raise begun.error
            return begun.result
        step = begun
    entered = pending = False
    try:
        store_arguments(run, recorder, step, args, kwargs)
        check = tool.pre
        if check is not None and step.pre_snapshot is None:
            step.pre_snapshot = capture_sync(run, step, check, args, kwargs, run_flow)
        entered = True
        started = clock()
        result = tool.fn(*args, **kwargs) if kwargs else tool.fn(*args)
        step.seconds = clock() - started
        if type(result) not in SCALARS or tool.failed:
            pending = is_pending(run, tool, result)
            if pending:
                return _record_later(run, step, result, args, kwargs, run_flow)
            if leave_out_failed(run, step, result):
                return result
        recorder.store_output(step, result)
        if step.note and step.result_bytes is None:
            note_unfinished(run, step, result)
        check = tool.post
        if check is not None and step.post_snapshot is None:
            step.post_snapshot = capture_sync(run, step, check, args, kwargs, run_flow)
        if tool.picture is not None:
            take_picture(run, step, args, kwargs)
        return result
    except BaseException as error:
        _interrupted(run, step, args, kwargs, error, entered)
        raise
    finally:
        if not pending:
            step.wall_seconds = clock() - step.began_at
            recorder.end_call(step)


def is_pending(run: Run, tool: Tool, result: Any) -> bool:
    """Return whether a plain tool returned a coroutine that is not awaited yet.

    Such a tool wraps an async one, and the agent awaits the coroutine.
    """
    return tool.may_be_async and not run.is_sync and type(result) is CoroutineType


async def _answer_later(done: Executed) -> Any:
    """Return the result of an executed step to an agent that awaits it."""
    if done.error is not None:
        raise done.error
    return done.result


async def _record_later(
    run: Run,
    step: RecordedStep,
    pending: CoroutineType[Any, Any, Any],
    args: tuple[Any, ...],
    kwargs: dict[str, Any],
    run_flow: RunFlow,
) -> Any:
    """Await the coroutine that a plain tool returned, and record its result.

    The call stays open until the agent has awaited it.
    """
    recorder, clock, tool = run.recorder, run.policy.clock, step.tool
    tool.was_awaited = True
    started = clock()
    try:
        result = await pending
        step.seconds += clock() - started
        if leave_out_failed(run, step, result):
            return result
        recorder.store_output(step, result)
        if step.note and step.result_bytes is None:
            note_unfinished(run, step, result)
        if tool.post is not None and step.post_snapshot is None:
            step.post_snapshot = capture_sync(run, step, tool.post, args, kwargs, run_flow)
        if tool.picture is not None:
            take_picture(run, step, args, kwargs)
        return result
    except BaseException as error:
        _note_failure(run, step, args, kwargs, error)
        raise
    finally:
        step.wall_seconds = clock() - step.began_at
        recorder.end_call(step)


def _note_failure(
    run: Run, step: RecordedStep, args: tuple[Any, ...], kwargs: dict[str, Any], error: BaseException
) -> None:
    """Leave out a call that raised; quarantine the run if it may have an effect.

    A call with wrong arguments has not entered the tool, so it had no effect.
    """
    tool = step.tool
    unbound = (run.is_stepped or isinstance(error, TypeError)) and not tool.accepts(args, kwargs)
    did_nothing = unbound or isinstance(error, (CallNotMadeError, *tool.refuses))
    leave_out(run, step, f"raised {long_repr(error)}", did_nothing=did_nothing)


def _interrupted(
    run: Run, step: RecordedStep, args: tuple[Any, ...], kwargs: dict[str, Any], error: BaseException, entered: bool
) -> None:
    """Note an interrupted call; before the tool was entered it had no effect."""
    if entered:
        _note_failure(run, step, args, kwargs, error)
    else:
        run.recorder.drop(step)
