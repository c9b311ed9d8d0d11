"""Recording one call: capture, encode the arguments, call the tool, capture again, append."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Generator
from types import AsyncGeneratorType, GeneratorType
from typing import Any

import msgspec

from ...errors import NotStorableError
from .. import codec
from ..model.reason import Reason
from ..model.text import retold, short
from ..redaction.redactor import SCALARS
from ..run.effects import Capture, Compare, Effect, Invoke, refuse_awaitable
from ..run.recorder import SMALL_TEXT, Recorder, Step, cannot_change
from ..run.run import Run
from ..tools.check import Check, CheckError, copy_of, passes
from ..tools.tool import Tool
from .absorb import same_call

Finish = Callable[[Generator[Effect, Any, Any]], Any]
UNMET = "not met"
_UNFINISHED = (GeneratorType, AsyncGeneratorType)


class Answer(msgspec.Struct, frozen=True):
    """What a call came to: a result, or the exception that the agent shall see."""

    result: Any = None
    error: BaseException | None = None


def record_call(run: Run, tool: Tool, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Generator[Effect, Any, Answer]:
    """Make one call of the agent's and record it. What the tool raises comes back in the answer.

    Captures and the call itself are asked for: they may be awaited, or made by others.
    """
    recorder, clock = run.recorder, run.policy.clock
    if recorder.absorber is not None:
        done = recorder.absorber.answer(tool, args, kwargs)
        if done is not None:
            return Answer(done.result, done.error)
    step = recorder.enter(tool, clock())
    entered = False
    try:
        _take(run, recorder, step, args, kwargs)
        check = tool.pre
        if check is not None:
            step.before = yield from _ask(run, step, check, args, kwargs)
        entered = True
        started = clock()
        try:
            result = yield Invoke(tool, args, kwargs)
        except GeneratorExit:
            raise
        except BaseException as error:
            _failed(run, step, args, kwargs, error)
            return Answer(error=error)
        step.seconds = clock() - started
        if type(result) not in SCALARS:
            _must_be_done(recorder, step, result)
        recorder.output(step, result)
        check = tool.post
        if check is not None:
            step.after = yield from _ask(run, step, check, args, kwargs)
        return Answer(result)
    except BaseException as error:  # a capture that was cancelled: the agent gets no answer of this call
        _broken_off(run, step, args, kwargs, error, entered)
        raise
    finally:
        step.wall = clock() - step.began
        recorder.leave(step)
        if recorder.absorber is not None:
            recorder.absorber.left(kwargs)


def record_now(
    run: Run, recorder: Recorder, tool: Tool, args: tuple[Any, ...], kwargs: dict[str, Any], finish: Finish
) -> Any:
    """`record_call` where nothing need be awaited: the same, line by line, but that a call is made where that asks.

    Returns and raises what the tool does. A generator, and what drives it, would cost as much again as all of this.
    `recorder` is the run's; `finish` performs what a flow asks for, as the first use of a check does.
    """
    clock = run.policy.clock
    if recorder.absorber is not None:
        done = recorder.absorber.answer(tool, args, kwargs)
        if done is not None:
            if done.error is not None:
                raise done.error
            return done.result
    step = recorder.enter(tool, clock())
    entered = False
    try:
        _take(run, recorder, step, args, kwargs)
        check = tool.pre
        if check is not None:
            step.before = _look(run, step, check, args, kwargs, finish)
        entered = True
        started = clock()
        result = tool.fn(*args, **kwargs) if kwargs else tool.fn(*args)
        step.seconds = clock() - started
        if type(result) not in SCALARS:
            _must_be_done(recorder, step, result)
        recorder.output(step, result)
        check = tool.post
        if check is not None:
            step.after = _look(run, step, check, args, kwargs, finish)
        return result
    except BaseException as error:
        _broken_off(run, step, args, kwargs, error, entered)
        raise
    finally:
        step.wall = clock() - step.began
        recorder.leave(step)
        if recorder.absorber is not None:
            recorder.absorber.left(kwargs)


def _take(run: Run, recorder: Recorder, step: Step, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
    """Keep the arguments as they are now: where all are plain and have a name they cannot change, else frozen."""
    tool = step.tool
    if recorder.first_executed:
        _note_repeated(run, recorder, step, args, kwargs)
    plain = not kwargs and len(args) <= tool.plain_arguments
    for value in args:
        if type(value) not in SCALARS:
            plain = False
    if plain:
        step.given, step.names = args, tool.positional
    else:
        _freeze(run, step, args, kwargs)


def _note_repeated(run: Run, recorder: Recorder, step: Step, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
    """Note a first call that the replay had made already (F5)."""
    made = recorder.first_executed
    if recorder.first(step) and any(same_call(call, step.tool, args, kwargs, run.env) for call in made):
        recorder.again.append(step)


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


def _broken_off(
    run: Run, step: Step, args: tuple[Any, ...], kwargs: dict[str, Any], error: BaseException, entered: bool
) -> None:
    """A call that did not come to its end; before the tool was entered nothing has happened."""
    if entered:
        _failed(run, step, args, kwargs, error)
    else:
        run.recorder.drop(step)


def _must_be_done(recorder: Recorder, step: Step, result: Any) -> None:
    if isinstance(result, _UNFINISHED) or hasattr(type(result), "__await__"):
        tool = step.tool
        recorder.problem(
            Reason.STILL_RUNNING,
            f"{tool.name} returned {type(result).__name__}, whose work is not done when the call returns; make the "
            "tool an async function, or let it return a list",
            tool.name,
            step,
        )


def _look(run: Run, step: Step, check: Check, args: tuple[Any, ...], kwargs: dict[str, Any], finish: Finish) -> Any:
    """Capture at once: the snapshot as `_keep` gives it, or as it is where it is plain and the check knows its like."""
    try:
        value = check.capture(*args, **kwargs) if kwargs else check.capture(*args)
        kind = type(value)
        if check.met.get(kind, UNMET) is None and (len(value) <= SMALL_TEXT if kind is str else cannot_change(value)):
            return value
        if kind not in SCALARS and inspect.isawaitable(value):  # also a lambda may return one
            refuse_awaitable(value, "Capture")
    except Exception as error:
        _not_captured(run, step, error)
        return None
    return finish(_keep(run, step, check, value))


def _ask(
    run: Run, step: Step, check: Check, args: tuple[Any, ...], kwargs: dict[str, Any]
) -> Generator[Effect, Any, bytes | None]:
    """The same where somebody else captures."""
    try:
        value = yield Capture(check, args, kwargs)
    except Exception as error:
        _not_captured(run, step, error)
        return None
    return (yield from _keep(run, step, check, value))


def _not_captured(run: Run, step: Step, error: Exception) -> None:
    """Trouble never breaks the agent, it makes the step not replayable (B4)."""
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
