"""The snapshots of a recorded call: capture, encode, verify the check."""

from __future__ import annotations

from collections.abc import Callable, Generator
from typing import Any

from ...errors import NotStorableError
from .. import codec
from ..codec.walk import SCALARS
from ..model.kinds import is_awaitable
from ..model.reason import Reason
from ..model.text import long_repr
from ..run.deferred import SMALL_TEXT_LENGTH, Deferred, encoded, is_small_scalar
from ..run.effects import Capture, Compare, Effect, refuse_awaitable
from ..run.recorder import RecordedStep
from ..run.run import Run
from ..tools.check import Check, CheckError, interpret, safe_copy
from ..tools.tool import Tool

RunFlow = Callable[[Generator[Effect, Any, Any]], Any]
UNVERIFIED = "not met"


def capture_sync(
    run: Run, step: RecordedStep, check: Check, args: tuple[Any, ...], kwargs: dict[str, Any], run_flow: RunFlow
) -> Deferred | None:
    """Capture a snapshot by a direct call; return None if it cannot be stored.

    A small scalar of a type that the check has verified already is kept as it is.
    """
    try:
        value = check.capture(*args, **kwargs) if kwargs else check.capture(*args)
        kind = type(value)
        if check.verified_types.get(kind, UNVERIFIED) is None and (
            len(value) <= SMALL_TEXT_LENGTH if kind is str else is_small_scalar(value)
        ):
            return Deferred(value)
        if kind not in SCALARS and is_awaitable(value):  # A lambda may return an awaitable, too.
            refuse_awaitable(value, "Capture")
    except Exception as error:
        _note_capture_error(run, step, error)
        return None
    snapshot: Deferred | None = run_flow(_encode_snapshot(run, step, check, value))
    return snapshot


def capture_flow(
    run: Run, step: RecordedStep, check: Check, args: tuple[Any, ...], kwargs: dict[str, Any]
) -> Generator[Effect, Any, Deferred | None]:
    """Capture a snapshot as an effect; return None if it cannot be stored."""
    try:
        value = yield Capture(check, args, kwargs)
    except Exception as error:
        _note_capture_error(run, step, error)
        return None
    return (yield from _encode_snapshot(run, step, check, value))


def _note_capture_error(run: Run, step: RecordedStep, error: Exception) -> None:
    """Note that a capture raised: the step cannot be replayed, the agent goes on."""
    message = f"capture failed for {step.tool.name!r}: it raised {long_repr(error)}. The step cannot be replayed."
    run.recorder.add_problem(Reason.CAPTURE_FAILED, message, step.tool.name, step)


def _encode_snapshot(run: Run, step: RecordedStep, check: Check, value: Any) -> Generator[Effect, Any, Deferred | None]:
    """Return a snapshot as bytes, and note a problem if its check cannot judge it.

    Return None if the snapshot cannot be stored.
    """
    recorder = run.recorder
    tool = step.tool
    try:
        data = codec.canonical(value)
    except NotStorableError as error:
        message = f"a snapshot of {tool.name!r} cannot be stored: {error}"
        recorder.add_problem(Reason.CAPTURE_FAILED, message, tool.name, step)
        return None
    kind = type(value)
    if kind not in check.verified_types:
        if check.compare_async and (not tool.is_async or (run.is_stepped and run.is_sync)):
            return encoded(data)  # Nothing can be awaited here, so the compare is verified when it is used.
        problem = yield from _verify_type(run, tool, check, value, data)
        check.verified_types[kind] = problem and run.redact(problem)  # Later runs report it, too.
    problem = check.verified_types[kind]
    if problem is not None:
        recorder.add_problem(Reason.CHECK_FAILED, problem, tool.name, step)
    return encoded(data)


def _verify_type(run: Run, tool: Tool, check: Check, value: Any, data: bytes) -> Generator[Effect, Any, str | None]:
    """Return why a check cannot judge a type of snapshot, or None if it can.

    The check must give the same verdict on a snapshot and itself before and after the snapshot is stored.
    """
    name = f"compare of the check of {tool.name!r}"
    verdicts: list[bool] = []
    # A compare may change its arguments, so it gets two separate objects, and never the live one.
    changes = False
    for stored in (True, False):
        current = safe_copy(value)
        candidate = codec.decode(data, lenient=True) if stored else safe_copy(value) if changes else current
        try:
            verdicts.append(interpret(check, (yield Compare(check, current, candidate))))
            changes = changes or any(_differs(argument, data) for argument in (current, candidate))
        except CheckError as error:
            return f"{name} returned no verdict for {type(value).__name__}: {error}"
        except Exception as error:
            return f"{name} raised {long_repr(error)} for a {type(value).__name__} and itself"
        run.note_missing_threshold(check, tool.name)
    if verdicts[0] != verdicts[1]:
        return f"{name} returned another verdict for a {type(value).__name__} after it was stored and loaded"
    if not verdicts[0]:
        message = f"{name} rejects a snapshot compared with itself, so it never hits immediately. Correct it."
        run.notify("warning", "refuses_itself", message, tool.name)
    return None


def _differs(value: Any, data: bytes) -> bool:
    """Return whether a value no longer has these canonical bytes."""
    try:
        return codec.canonical(value) != data
    except NotStorableError:
        return True
