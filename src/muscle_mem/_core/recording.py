"""Recording one call: capture, encode the arguments, call the tool, capture again, append."""

from __future__ import annotations

import inspect
from collections.abc import Generator
from types import AsyncGeneratorType, GeneratorType
from typing import Any

import msgspec

from ..errors import NotStorableError
from . import codec
from .absorbing import same_call
from .check import Check, CheckError, copy_of, passes, retold, short
from .effects import Capture, Compare, Effect, Invoke, refuse_awaitable
from .model import Reason
from .recorder import Step, all_plain, cannot_change
from .run import Run
from .tool import Tool
from .veil import SCALARS

Arguments = tuple[tuple[Any, ...], dict[str, Any]]
_UNFINISHED = (GeneratorType, AsyncGeneratorType)


class Answer(msgspec.Struct, frozen=True):
    """What a call came to: a result, or the exception that the agent shall see."""

    result: Any = None
    error: BaseException | None = None


class Caught(msgspec.Struct, frozen=True):
    """What a capture returned, to be encoded now."""

    value: Any


def record_call(run: Run, tool: Tool, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Generator[Effect, Any, Answer]:
    """Make one call of the agent's and record it. What the tool raises comes back in the answer."""
    recorder = run.recorder
    if recorder.absorber is not None:
        done = recorder.absorber.answer(tool, args, kwargs)
        if done is not None:
            return Answer(done.result, done.error)
    step = recorder.enter(tool)
    if recorder.first_executed and recorder.first(step):
        step.again = any(same_call(call, tool, args, kwargs, run.env) for call in recorder.first_executed)
    call = args, kwargs
    clock = run.policy.clock
    step.began = clock()
    at_once = not (tool.is_async or run.outside)
    entered = False
    try:
        if kwargs or tool.method or tool.ignore or tool.secret or not all_plain(args, tool.positional):
            _freeze(run, step, args, kwargs)
        else:
            step.given, step.names = args, tool.positional
        check = tool.pre
        if check is not None:
            seen = _look(run, step, check, call) if at_once else (yield from _ask(run, step, check, call))
            step.before = seen if type(seen) is not Caught else (yield from _keep(run, step, check, seen.value))
        entered = True
        started = clock()
        try:
            result = tool.fn(*args, **kwargs) if at_once else (yield Invoke(tool, args, kwargs))
        except GeneratorExit:
            raise
        except BaseException as error:
            _failed(run, step, args, kwargs, error)
            return Answer(error=error)
        step.seconds = clock() - started
        if type(result) not in SCALARS and (isinstance(result, _UNFINISHED) or hasattr(type(result), "__await__")):
            recorder.problem(
                Reason.STILL_RUNNING,
                f"{tool.name} returned {type(result).__name__}, whose work is not done when the call returns; make the "
                "tool an async function, or let it return a list",
                tool.name,
                step,
            )
        recorder.output(step, result)
        check = tool.post
        if check is not None:
            seen = _look(run, step, check, call) if at_once else (yield from _ask(run, step, check, call))
            step.after = seen if type(seen) is not Caught else (yield from _keep(run, step, check, seen.value))
        return Answer(result)
    except BaseException as error:  # a capture that was cancelled: the agent gets no answer of this call
        if entered:
            _failed(run, step, args, kwargs, error)
        else:
            recorder.drop(step)
        raise
    finally:
        step.wall = clock() - step.began
        recorder.leave(step)
        if recorder.absorber is not None:
            recorder.absorber.left(kwargs)


def _freeze(run: Run, step: Step, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
    tool = step.tool
    if tool.method and args:
        if not any(args[0] is value for value in run.context):
            have = "none is set" if not run.context else "it is another object than the run's"
            run.recorder.problem(
                Reason.OTHER_INSTANCE,
                f"{tool.name} was called on {short(args[0], 60)}, but {have}: give it with engine.set_context(obj), or "
                "context=obj at the call",
                tool.name,
                step,
            )
        args = args[1:]
    twice = next((name for name in tool.positional[: len(args)] if name in kwargs), None)
    if twice is not None:  # by place only, and again in **kwargs: a step keeps one value of a name
        message = (
            f"{tool.name} was given {twice!r} by place and in its **kwargs; rename one, so that it can be replayed"
        )
        run.recorder.problem(Reason.OPAQUE_ARGUMENT, message, tool.name, step)
    try:
        run.recorder.freeze(step, args, kwargs)
    except Exception as error:  # an object whose own methods raise: no reason to break the agent
        message = f"the arguments of {tool.name} could not be recorded: {retold(error)}"
        run.recorder.problem(Reason.OPAQUE_ARGUMENT, message, tool.name, step)


def _failed(run: Run, step: Step, args: tuple[Any, ...], kwargs: dict[str, Any], error: BaseException) -> None:
    """A call that raised is no step; unless it can have had no effect, the rest is not trusted either (C5)."""
    tool = step.tool
    run.recorder.drop(step)
    unbound = (run.outside or isinstance(error, TypeError)) and not tool.binds(args, kwargs)
    if tool.reads_only or unbound:
        if run.recorder.absorber is not None:
            run.recorder.absorber.forgive(kwargs)
        return
    run.recorder.quarantine_for(
        Reason.FAILED_WRITE,
        f"{tool.name} raised {retold(error)} while this was recorded, and what it had done by then is not known",
        tool.name,
    )


def _look(run: Run, step: Step, check: Check, call: Arguments) -> Any:
    """Capture at once: what was seen, in Caught unless it is plain and the check knows its like; None for trouble."""
    args, kwargs = call
    try:
        value = check.capture(*args, **kwargs)
        kind = type(value)
        if kind in SCALARS:
            if kind in check.met and check.met[kind] is None and cannot_change(value):
                return value
        elif inspect.isawaitable(value):  # also a lambda may return one
            refuse_awaitable(value, "Capture")
    except Exception as error:
        _not_captured(run, step, error)
        return None
    return Caught(value)


def _ask(run: Run, step: Step, check: Check, call: Arguments) -> Generator[Effect, Any, Caught | None]:
    """Have somebody else capture; trouble never breaks the agent, it makes the step not replayable (B4)."""
    try:
        return Caught((yield Capture(check, *call)))
    except Exception as error:
        _not_captured(run, step, error)
        return None


def _not_captured(run: Run, step: Step, error: Exception) -> None:
    message = f"the capture of {step.tool.name}'s check raised {retold(error)}; the step cannot be replayed"
    run.recorder.problem(Reason.CAPTURE_FAILED, message, step.tool.name, step)


def _keep(run: Run, step: Step, check: Check, value: Any) -> Generator[Effect, Any, bytes | None]:
    """The bytes of a snapshot, and whether the check can judge its like; trouble is noted (B3, B4)."""
    recorder = run.recorder
    tool = step.tool
    try:
        data = codec.canonical(value)
    except NotStorableError as error:
        message = f"the snapshot of {tool.name}'s check cannot be stored: {error}"
        recorder.problem(Reason.CAPTURE_FAILED, message, tool.name, step)
        return None
    kind = type(value)
    if kind not in check.met:
        if check.compare_async and (not tool.is_async or (run.outside and run.plain)):
            return data  # nothing can be awaited here; the compare is judged when it is used
        trouble = yield from _first_meeting(run, tool, check, value, data)
        check.met[kind] = trouble and run.hide(trouble)  # it is told in later runs too
    trouble = check.met[kind]
    if trouble is not None:
        recorder.problem(Reason.CHECK_FAILED, trouble, tool.name, step)
    return data


def _first_meeting(run: Run, tool: Tool, check: Check, value: Any, data: bytes) -> Generator[Effect, Any, str | None]:
    """Whether a check can judge this type of snapshot at all, also after it was stored (B3); None if it can."""
    name = f"the compare of {tool.name}'s check"
    verdicts: list[bool] = []
    changes = False  # a compare that changes what it is given, as by pop(), needs two objects, and never the live one
    for stored in (True, False):
        current = copy_of(value)
        candidate = codec.decode(data, lenient=True) if stored else copy_of(value) if changes else current
        try:
            verdicts.append(passes(check, (yield Compare(check, current, candidate))))
            changes = changes or any(_differs(given, data) for given in (current, candidate))
        except CheckError as error:
            return f"{name} gives no verdict on {type(value).__name__}: {error}"
        except Exception as error:
            return f"{name} raised {retold(error)} on a {type(value).__name__} and itself"
        run.hear(check, tool.name)
    if verdicts[0] != verdicts[1]:
        return f"{name} judges a {type(value).__name__} differently once it was stored and read back"
    if not verdicts[0]:
        message = f"{name} refuses a snapshot compared with itself; so a hit at once never happens"
        run.notify("warning", "refuses_itself", message, tool.name)
    return None


def _differs(value: Any, data: bytes) -> bool:
    try:
        return codec.canonical(value) != data
    except NotStorableError:
        return True
