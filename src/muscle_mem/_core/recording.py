"""Recording one call: capture, encode the arguments, call the tool, capture again, append."""

from __future__ import annotations

from collections.abc import Generator
from types import AsyncGeneratorType, GeneratorType
from typing import Any

import msgspec

from ..errors import NotStorableError
from . import codec
from .absorbing import same_call
from .check import Check, CheckError, is_score, passes, short
from .effects import Capture, Compare, Effect, Invoke
from .model import Reason
from .recorder import Step
from .run import Run
from .tool import Tool

_UNFINISHED = (GeneratorType, AsyncGeneratorType)


class Answer(msgspec.Struct, frozen=True):
    """What a call came to: a result, or the exception that the agent shall see."""

    result: Any = None
    error: BaseException | None = None


def record_call(
    run: Run, tool: Tool, args: tuple[Any, ...], kwargs: dict[str, Any]
) -> Generator[Effect, Any, Answer]:
    """Make one call of the agent's and record it. What the tool raises comes back in the answer."""
    recorder = run.recorder
    if recorder.absorber is not None:
        done = recorder.absorber.answer(tool, args, kwargs)
        if done is not None:
            return Answer(done.result, done.error)
    if recorder.first_executed is not None and not recorder.steps:
        recorder.begins_again = same_call(recorder.first_executed, tool, args, kwargs)
    step = recorder.enter(tool)
    began = run.clock()
    try:
        _freeze(run, step, args, kwargs)
        if tool.pre is not None:
            step.pre = yield from _snapshot(run, tool, tool.pre, args, kwargs)
        started = run.clock()
        try:
            result = tool.fn(*args, **kwargs) if not tool.is_async else (yield Invoke(tool, args, kwargs))
        except GeneratorExit:
            raise
        except BaseException as error:
            _failed(run, step, args, kwargs, error)
            return Answer(error=error)
        step.seconds = run.clock() - started
        if isinstance(result, _UNFINISHED) or hasattr(type(result), "__await__"):
            recorder.problem(
                Reason.STILL_RUNNING,
                f"{tool.name} returned {type(result).__name__}, whose work is not done when the call returns; make the "
                "tool an async function, or let it return a list",
                tool.name,
            )
        recorder.output(step, result)
        if tool.post is not None:
            step.post = yield from _snapshot(run, tool, tool.post, args, kwargs)
        return Answer(result)
    finally:
        step.wall = run.clock() - began
        recorder.leave(step)


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
            )
        args = args[1:]
    try:
        run.recorder.arguments(step, args, kwargs)
    except Exception as error:  # an object whose own methods raise: no reason to break the agent
        message = f"the arguments of {tool.name} could not be recorded: {error!r}"
        run.recorder.problem(Reason.OPAQUE_ARGUMENT, message, tool.name)


def _failed(run: Run, step: Step, args: tuple[Any, ...], kwargs: dict[str, Any], error: BaseException) -> None:
    """A call that raised is no step; unless it can have had no effect, the rest is not trusted either (C5)."""
    tool = step.tool
    run.recorder.drop(step)
    if tool.reads_only or (isinstance(error, TypeError) and not tool.binds(args, kwargs)):
        return
    run.recorder.quarantine_for(
        Reason.FAILED_WRITE,
        f"{tool.name} raised {error!r} while this was recorded, and what it had done by then is not known",
        tool.name,
    )


def _snapshot(
    run: Run, tool: Tool, check: Check, args: tuple[Any, ...], kwargs: dict[str, Any]
) -> Generator[Effect, Any, bytes | None]:
    """Capture and encode; trouble never breaks the agent, it makes the step not replayable (B4)."""
    recorder = run.recorder
    try:
        value = check.capture(*args, **kwargs) if not check.capture_async else (yield Capture(check, args, kwargs))
    except Exception as error:
        message = f"the capture of {tool.name}'s check raised {error!r}; the step cannot be replayed"
        recorder.problem(Reason.CAPTURE_FAILED, message, tool.name)
        return None
    try:
        data = codec.canonical(value)
    except NotStorableError as error:
        message = f"the snapshot of {tool.name}'s check cannot be stored: {error}"
        recorder.problem(Reason.CAPTURE_FAILED, message, tool.name)
        return None
    kind = type(value)
    if kind not in check.met:
        if check.compare_async and not tool.is_async:
            return data  # nothing can be awaited here; the compare is judged when it is used
        check.met[kind] = yield from _first_meeting(run, tool, check, value, data)
    trouble = check.met[kind]
    if trouble is not None:
        recorder.problem(Reason.CHECK_FAILED, trouble, tool.name)
    return data


def _first_meeting(
    run: Run, tool: Tool, check: Check, value: Any, data: bytes
) -> Generator[Effect, Any, str | None]:
    """Whether a check can judge this type of snapshot at all, also after it was stored (B3); None if it can."""
    name = f"the compare of {tool.name}'s check"
    verdicts: list[bool] = []
    for candidate in (value, codec.decode(data, lenient=True)):
        try:
            answer = (
                check.compare(value, candidate) if not check.compare_async else (yield Compare(check, value, candidate))
            )
            verdicts.append(passes(check, answer))
        except CheckError as error:
            return f"{name} gives no verdict on {type(value).__name__}: {error}"
        except Exception as error:
            return f"{name} raised {error!r} on a {type(value).__name__} and itself"
        if is_score(answer) and not check.threshold_declared:
            message = (
                f"{name} returns a score ({short(answer)}) and no threshold is declared, so 1.0 is asked for; say "
                "Check(..., threshold=...)"
            )
            run.notify("warning", "threshold", message, tool.name)
    if verdicts[0] != verdicts[1]:
        return f"{name} judges a {type(value).__name__} differently once it was stored and read back"
    if not verdicts[0]:
        message = f"{name} refuses a snapshot compared with itself; that is its right, but then a hit at once never happens"
        run.notify("warning", "refuses_itself", message, tool.name)
    return None
