"""Recording one call: capture, encode the arguments, call the tool, capture again, append."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Generator
from types import AsyncGeneratorType, GeneratorType
from typing import Any

import msgspec

from ...errors import NotStorableError
from .. import codec
from ..codec.walk import SCALARS
from ..model.reason import Reason
from ..model.text import long_repr, safe_repr
from ..run.effects import Capture, Compare, Effect, Invoke, refuse_awaitable
from ..run.recorder import SMALL_TEXT_LENGTH, RecordedStep, Recorder, is_small_scalar
from ..run.run import Run
from ..tools.check import Check, CheckError, interpret, safe_copy
from ..tools.tool import Tool
from .absorb import is_same_call

RunFlow = Callable[[Generator[Effect, Any, Any]], Any]
UNVERIFIED = "not met"
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
        _store_arguments(run, recorder, step, args, kwargs)
        check = tool.pre
        if check is not None:
            step.pre_snapshot = yield from _capture_flow(run, step, check, args, kwargs)
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
            step.post_snapshot = yield from _capture_flow(run, step, check, args, kwargs)
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
        _store_arguments(run, recorder, step, args, kwargs)
        check = tool.pre
        if check is not None:
            step.pre_snapshot = _capture_sync(run, step, check, args, kwargs, run_flow)
        entered = True
        started = clock()
        result = tool.fn(*args, **kwargs) if kwargs else tool.fn(*args)
        step.seconds = clock() - started
        if type(result) not in SCALARS:
            _reject_unfinished(recorder, step, result)
        recorder.store_output(step, result)
        check = tool.post
        if check is not None:
            step.post_snapshot = _capture_sync(run, step, check, args, kwargs, run_flow)
        return result
    except BaseException as error:
        _interrupted(run, step, args, kwargs, error, entered)
        raise
    finally:
        step.wall_seconds = clock() - step.began_at
        recorder.end_call(step)
        if recorder.absorber is not None:
            recorder.absorber.call_returned(kwargs)


def _store_arguments(
    run: Run, recorder: Recorder, step: RecordedStep, args: tuple[Any, ...], kwargs: dict[str, Any]
) -> None:
    """Keep the arguments as they are now: where all are plain and have a name they cannot change, else frozen."""
    tool = step.tool
    if recorder.first_executed:
        _note_repeated(run, recorder, step, args, kwargs)
    plain = not kwargs and len(args) <= tool.max_plain_arguments
    for value in args:
        if type(value) not in SCALARS:
            plain = False
    if plain:
        step.plain_args, step.plain_names = args, tool.positional
    else:
        _freeze_arguments(run, step, args, kwargs)


def _note_repeated(
    run: Run, recorder: Recorder, step: RecordedStep, args: tuple[Any, ...], kwargs: dict[str, Any]
) -> None:
    """Note a first call that the replay had made already (F5)."""
    made = recorder.first_executed
    if recorder.is_first_call(step) and any(is_same_call(call, step.tool, args, kwargs, run.env) for call in made):
        recorder.repeated_calls.append(step)


def _freeze_arguments(run: Run, step: RecordedStep, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
    tool = step.tool
    if tool.method and args:
        if not any(args[0] is value for value in run.context):
            have = "none is set" if not run.context else "it is another object than the run's"
            run.recorder.add_problem(
                Reason.OTHER_INSTANCE,
                f"{tool.name} was called on {safe_repr(args[0], 60)}, but {have}: give it with "
                "engine.set_context(obj), or context=obj at the call",
                tool.name,
                step,
            )
        args = args[1:]
    twice = next((name for name in tool.positional[: len(args)] if name in kwargs), None)
    if twice is not None:  # by place only, and again in **kwargs: a step keeps one value of a name
        message = (
            f"{tool.name} was given {twice!r} by place and in its **kwargs; rename one, so that it can be replayed"
        )
        run.recorder.add_problem(Reason.OPAQUE_ARGUMENT, message, tool.name, step)
    try:
        run.recorder.freeze_arguments(step, args, kwargs)
    except Exception as error:  # an object whose own methods raise: no reason to break the agent
        message = f"the arguments of {tool.name} could not be recorded: {long_repr(error)}"
        run.recorder.add_problem(Reason.OPAQUE_ARGUMENT, message, tool.name, step)


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


def _capture_sync(
    run: Run, step: RecordedStep, check: Check, args: tuple[Any, ...], kwargs: dict[str, Any], run_flow: RunFlow
) -> Any:
    """Capture immediately: the snapshot as `_encode_snapshot` gives it, or a plain value of a type that the check
    has verified.
    """
    try:
        value = check.capture(*args, **kwargs) if kwargs else check.capture(*args)
        kind = type(value)
        if check.verified_types.get(kind, UNVERIFIED) is None and (
            len(value) <= SMALL_TEXT_LENGTH if kind is str else is_small_scalar(value)
        ):
            return value
        if kind not in SCALARS and inspect.isawaitable(value):  # also a lambda may return one
            refuse_awaitable(value, "Capture")
    except Exception as error:
        _note_capture_error(run, step, error)
        return None
    return run_flow(_encode_snapshot(run, step, check, value))


def _capture_flow(
    run: Run, step: RecordedStep, check: Check, args: tuple[Any, ...], kwargs: dict[str, Any]
) -> Generator[Effect, Any, bytes | None]:
    """Capture where another driver makes the call."""
    try:
        value = yield Capture(check, args, kwargs)
    except Exception as error:
        _note_capture_error(run, step, error)
        return None
    return (yield from _encode_snapshot(run, step, check, value))


def _note_capture_error(run: Run, step: RecordedStep, error: Exception) -> None:
    """Trouble never breaks the agent, it makes the step not replayable (B4)."""
    message = f"the capture of {step.tool.name}'s check raised {long_repr(error)}; the step cannot be replayed"
    run.recorder.add_problem(Reason.CAPTURE_FAILED, message, step.tool.name, step)


def _encode_snapshot(run: Run, step: RecordedStep, check: Check, value: Any) -> Generator[Effect, Any, bytes | None]:
    """The bytes of a snapshot, and whether the check can judge its type; problems are noted (B3, B4)."""
    recorder = run.recorder
    tool = step.tool
    try:
        data = codec.canonical(value)
    except NotStorableError as error:
        message = f"the snapshot of {tool.name}'s check cannot be stored: {error}"
        recorder.add_problem(Reason.CAPTURE_FAILED, message, tool.name, step)
        return None
    kind = type(value)
    if kind not in check.verified_types:
        if check.compare_async and (not tool.is_async or (run.is_stepped and run.is_sync)):
            return data  # nothing can be awaited here; the compare is judged when it is used
        problem = yield from _verify_type(run, tool, check, value, data)
        check.verified_types[kind] = problem and run.redact(problem)  # reported in later runs too
    problem = check.verified_types[kind]
    if problem is not None:
        recorder.add_problem(Reason.CHECK_FAILED, problem, tool.name, step)
    return data


def _verify_type(run: Run, tool: Tool, check: Check, value: Any, data: bytes) -> Generator[Effect, Any, str | None]:
    """Whether a check can judge this type of snapshot at all, also after it was stored (B3); None if it can."""
    name = f"the compare of {tool.name}'s check"
    verdicts: list[bool] = []
    changes = False  # a compare that changes what it is given, as by pop(), needs two objects, and never the live one
    for stored in (True, False):
        current = safe_copy(value)
        candidate = codec.decode(data, lenient=True) if stored else safe_copy(value) if changes else current
        try:
            verdicts.append(interpret(check, (yield Compare(check, current, candidate))))
            changes = changes or any(_differs(argument, data) for argument in (current, candidate))
        except CheckError as error:
            return f"{name} gives no verdict on {type(value).__name__}: {error}"
        except Exception as error:
            return f"{name} raised {long_repr(error)} on a {type(value).__name__} and itself"
        run.note_missing_threshold(check, tool.name)
    if verdicts[0] != verdicts[1]:
        return f"{name} judges a {type(value).__name__} differently once it was stored and read back"
    if not verdicts[0]:
        message = f"{name} rejects a snapshot compared with itself, so an immediate hit never happens; check compare()"
        run.notify("warning", "refuses_itself", message, tool.name)
    return None


def _differs(value: Any, data: bytes) -> bool:
    try:
        return codec.canonical(value) != data
    except NotStorableError:
        return True
