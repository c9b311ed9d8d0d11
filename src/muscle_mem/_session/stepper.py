"""Stepping a flow for a caller who makes the tool calls and calls the model.

Captures, compares, callbacks and saving are performed as by the other drivers. `Invoke` is handed out as a `Call`,
`RunAgent` as `AskAgent`.
"""

from __future__ import annotations

import itertools
import threading
import time
import weakref
from collections import deque
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from typing import Any

import msgspec

from .._core import flow
from .._core.model.handover import chat_name
from .._core.model.kinds import is_awaitable
from .._core.model.outcome import Outcome
from .._core.model.reason import Reason
from .._core.model.text import safe_repr
from .._core.record.call import CallResult, record_flow
from .._core.record.verdict import text_redactor
from .._core.run.effects import Effect, Invoke, Pause, RunAgent, RunStoreCall
from .._core.run.run import Run
from .._core.tools.tool import Tool
from .._runtime.conclusion import conclude, write_result
from .._runtime.context import CurrentRun, Frame, current_frame, frame_for_call, leave_frame
from .._runtime.performer import Performer
from .._runtime.runtime import Runtime
from ..errors import InvalidTypeError, InvalidValueError, NotReadyError, StoreError
from .tool_calls import RequestedCall, parse_calls
from .turns import Answered, AskAgent, Call, Finished, Turn


class Abandoned(BaseException):
    """Raised into a run whose session was closed before it finished."""


class FlowEnd(msgspec.Struct, frozen=True):
    """The result of a generator that has returned."""

    value: Any


StopPoint = Invoke | Pause | RunAgent | FlowEnd
Stepped = Generator[Effect, Any, Any]


def advance(flow: Stepped, answer: Any = None, error: BaseException | None = None) -> Generator[Effect, Any, StopPoint]:
    """Step a flow to its next call, pause or agent request; yield earlier effects."""
    try:
        effect = flow.send(answer) if error is None else flow.throw(error)
        while not isinstance(effect, Invoke | Pause | RunAgent):
            try:
                answer = yield effect
            except GeneratorExit:
                raise
            except BaseException as raised:
                effect = flow.throw(raised)
            else:
                effect = flow.send(answer)
        return effect
    except StopIteration as stop:
        return FlowEnd(stop.value)


def _unrecorded() -> Generator[Effect, Any, flow.RunResult]:
    """Yield only the agent request, as the flow of an engine that is off."""
    value = yield RunAgent(None, Reason.MODE, flow.OFF)
    return flow.RunResult(flow.off_outcome(value))


def _unrecorded_call(wanted: RequestedCall) -> Generator[Effect, Any, CallResult]:
    """Make a call without recording it."""
    try:
        return CallResult((yield Invoke(wanted.tool, wanted.args, wanted.kwargs)))
    except GeneratorExit:
        raise
    except BaseException as error:
        return CallResult(error=error)


class Stepper:
    """The common part of sync and async sessions."""

    def __init__(self, runtime: Runtime, run: Run, lookup: Any, frame: Frame) -> None:
        self._runtime = runtime
        self._run = run
        self._lookup = lookup
        self._frame = frame
        self._perform = Performer(runtime, run, frame, not run.is_sync)
        self._lock = threading.Lock()
        self._flow: Generator[Effect, Any, flow.RunResult] | None = None
        self._stopped_at: StopPoint | None = None
        self._call: Call | None = None
        self._pending_recording: Stepped | None = None  # The recording of the outstanding call of the model.
        self._queue: deque[RequestedCall] = deque()
        self._awaits_model = False
        self._serials = itertools.count()
        self._began = 0.0
        self._closed_reason = ""
        self._result: Outcome | BaseException | None = None
        self._token: Any = None
        self._handover_given = False
        weakref.finalize(self, runtime.open_runs.leave, frame).atexit = False

    @property
    def run(self) -> CurrentRun:
        """The run: its task, params, hand-over, idempotency key and `report_tokens()`."""
        return CurrentRun(self._run, self._frame.call_number)

    @property
    def outcome(self) -> Outcome | None:
        """The outcome of the run, or None while it is open."""
        return self._result if isinstance(self._result, Outcome) else None

    def close(self, error: BaseException | None = None) -> None:
        """Close the session. Closing twice is allowed.

        An unfinished run is not learned and does not count as a hit.

        Args:
            error: The exception with which the model or the framework failed. The run then ends as if an agent had
                raised it.

        Raises:
            NotReadyError: Another thread is stepping the session.
        """
        self._enter("close")
        try:
            self._abandon(error)
        finally:
            self._lock.release()

    # -- one operation at a time

    def _enter(self, doing: str) -> None:
        if not self._lock.acquire(blocking=False):
            raise NotReadyError(
                f"session.{doing}() failed: another call of this session is in progress. Step a session from "
                "one thread or task at a time."
            )

    @contextmanager
    def _stepping(self, doing: str) -> Iterator[None]:
        """Run one operation from one thread. Tool calls made inside it are not recorded."""
        self._enter(doing)
        token = current_frame.set(self._frame.inner)
        try:
            if self._closed_reason:
                raise NotReadyError(f"session.{doing}() failed: the session is over: {self._closed_reason}")
            yield
        finally:
            self._lock.release()
            current_frame.reset(token)

    # -- continuing

    def _ensure_ready(self) -> None:
        if self._call is not None:
            raise NotReadyError(f"{_call_text(self._call)} is outstanding. Call session.done(call, ...) first.")
        if self._awaits_model:
            raise NotReadyError("the model has not answered yet. Call session.said(calls) first.")

    def _advance(self) -> Generator[Effect, Any, None]:
        """Step the flow to the next thing that the caller must do."""
        if self._flow is None:
            self._began = time.perf_counter()
            runtime, run = self._runtime, self._run
            if run.mode == "off":
                self._flow = _unrecorded()
            else:
                found, lookup = yield RunStoreCall(runtime.find_candidates, (run, self._lookup))
                self._flow = flow.run_task(run, found, runtime.tools, lookup)
        elif not isinstance(self._stopped_at, Pause):
            return
        yield from self._stop_at((yield from advance(self._flow)))

    def _next(self) -> Generator[Effect, Any, Turn | None]:
        """Return what to do next, or None at the end."""
        yield from self._advance()
        at = self._stopped_at
        if isinstance(at, Invoke):
            return self._delegate(at, self._next_id(), replayed=True)
        if not isinstance(at, RunAgent):
            return None
        if self._queue:
            return (yield from self._begin_call(self._queue.popleft()))
        self._awaits_model = True
        handover = None if self._handover_given else at.handover
        self._handover_given = True
        return AskAgent(handover, at.reason, at.message)

    def _begin_call(self, wanted: RequestedCall) -> Generator[Effect, Any, Turn]:
        """Hand out a requested call, or return its result if the run has already made it."""
        off = self._run.mode == "off"
        self._number(-1 if off else frame_for_call(self._runtime, self._run, self._run.recorder).call_number)
        made = _unrecorded_call(wanted) if off else record_flow(self._run, wanted.tool, wanted.args, wanted.kwargs)
        at = yield from advance(made)
        id = wanted.id or self._next_id()
        if isinstance(at, Invoke):
            self._pending_recording = made
            return self._delegate(at, id, replayed=False)
        assert isinstance(at, FlowEnd)
        self._number(-1)
        tool = wanted.tool
        return Answered(id, tool.name, chat_name(tool.name), at.value.result, at.value.error, text_redactor(self._run))

    def _delegate(self, at: Invoke, id: str, *, replayed: bool) -> Call:
        tool: Tool = at.tool
        named = tool.name_arguments(at.args[1:] if tool.method else at.args, at.kwargs)
        arguments = {name: value for name, value in named if name not in tool.ignore}
        call = Call(
            id,
            tool.name,
            chat_name(tool.name),
            arguments,
            at.args,
            dict(at.kwargs),
            tool.fn,
            replayed,
            text_redactor(self._run),
        )
        self._call = call
        self._runtime.open_runs.mark_delegated(self._frame, tool)
        return call

    def _number(self, number: int) -> None:
        """Set the number of the current call, which its idempotency key includes.

        It is -1 for a replayed call or none.
        """
        self._frame.call_number = self._frame.inner.call_number = number

    def _next_id(self) -> str:
        """Return an id for a call, unique across sessions and processes."""
        return f"{self._run.call_prefix}{next(self._serials)}"

    def _stop_at(self, at: StopPoint) -> Generator[Effect, Any, None]:
        """Note what the flow waits for, or conclude the run if it has ended."""
        self._stopped_at = at
        if isinstance(at, RunAgent) and self._run.mode != "off":
            self._runtime.open_runs.start_recording(self._frame)
        if isinstance(at, FlowEnd):
            if self._run.mode != "off":
                yield RunStoreCall(write_result, (self._runtime, self._run, self._frame, at.value))
            self._runtime.open_runs.leave(self._frame)
            self._conclude(at.value, is_written=True)

    def _conclude(self, finished: flow.RunResult, *, is_written: bool = False) -> None:
        """Conclude the run like any other. An exception is raised by the next `next()`."""
        if self._run.mode == "off":
            self._result = finished.outcome
            return
        try:
            seconds = time.perf_counter() - self._began
            self._result = conclude(self._runtime, self._run, finished, seconds, is_written=is_written)
        except BaseException as error:
            if error is not finished.error and not isinstance(error, StoreError):
                raise
            self._result = error

    def _end(self) -> Finished:
        """Return the end of the run, or raise its exception; only once."""
        ended = self._result
        self._closed_reason = self._run.redact(repr(ended))
        if isinstance(ended, BaseException):
            raise ended
        assert isinstance(ended, Outcome)
        return Finished(ended)

    # -- taking what the caller passes

    def _accept_calls(self, calls: Any, value: Any) -> bool:
        """Take the requested calls; return whether the model has finished."""
        if not self._awaits_model:
            why = "the model was not asked. Call session.next() until it returns AskAgent."
            raise NotReadyError(f"session.said() failed: {why}")
        wanted = parse_calls(self._runtime.tools, self._run, calls)
        if wanted and value is not None:
            raise InvalidValueError("said() got calls and value=. value= is only allowed when calls is empty.")
        self._awaits_model = False
        self._queue.extend(wanted)
        return not wanted

    def _finish(self, value: Any) -> Generator[Effect, Any, None]:
        """Finish the run and learn from it."""
        assert self._flow is not None
        self._runtime.open_runs.mark_returned(self._frame)
        yield from self._stop_at((yield from advance(self._flow, value)))

    def _ensure_outstanding(self, call: Any, result: Any, error: Any) -> None:
        outstanding = self._call
        if outstanding is None or (call is not outstanding and call != outstanding.id):
            waiting = (
                "no call is outstanding"
                if outstanding is None
                else f"the outstanding call is {_call_text(outstanding)}"
            )
            what = _call_text(call) if isinstance(call, Call) else safe_repr(call)
            raise InvalidValueError(
                f"session.done({what}) failed: {waiting}. Pass the call that session.next() returned last, once."
            )
        if error is not None and not isinstance(error, BaseException):
            raise InvalidTypeError(
                f"done() got an invalid error=: expected an exception, got {self._run.redact(safe_repr(error))}"
            )
        if error is not None and result is not None:
            raise InvalidValueError("done() got both a result and error=. Pass one of them.")
        if is_awaitable(result):
            raise InvalidTypeError(
                f"result of {_call_text(outstanding)} is an awaitable. Await it and pass what it returns."
            )

    def _accept_result(self, result: Any, error: BaseException | None) -> Generator[Effect, Any, None]:
        """Take the result of a call and run its post-check immediately."""
        self._call = None
        self._runtime.open_runs.mark_returned(self._frame)
        made, self._pending_recording = self._pending_recording, None
        if made is not None:
            yield from advance(made, result, error)
            self._number(-1)
        else:
            assert self._flow is not None
            yield from self._stop_at((yield from advance(self._flow, result, error)))

    # -- closing

    def _abandon(self, error: BaseException | None) -> None:
        if self._closed_reason:
            return
        if self._result is not None:
            self._closed_reason = self._run.redact(repr(self._result))
            return
        reason = error
        if reason is None or isinstance(reason, GeneratorExit):  # An unfinished `await session.next()` was dropped.
            reason = Abandoned("the session was closed before the run had ended")
        self._closed_reason = self._run.redact(f"it was left ({reason!r})")
        self._call, self._awaits_model = None, False
        self._queue.clear()
        made, self._pending_recording, following = self._pending_recording, None, self._flow
        try:
            if made is not None:
                made.close()
            if following is not None and isinstance(self._stopped_at, RunAgent):
                self._leave_agent(following, reason)
            elif following is not None:
                following.close()
                self._runtime.reporter.run_raised(self._run, reason, time.perf_counter() - self._began)
        finally:
            self._runtime.open_runs.leave(self._frame)
            if not isinstance(self._result, Outcome):
                self._result = None

    def _leave_agent(self, following: Generator[Effect, Any, flow.RunResult], reason: BaseException) -> None:
        """End the agent with an exception.

        The replayed prefix still counts (D6); the rest is not learned.
        """
        try:
            following.throw(reason)
        except StopIteration as stop:
            self._conclude(stop.value)
        except BaseException as raised:  # The flow of an engine that is off.
            if raised is not reason:
                raise

    def _open_block(self) -> None:
        if self._token is not None:
            raise NotReadyError("session is already open as a context manager. Use each session in one block.")
        self._token = current_frame.set(self._frame)

    def _close_block(self, error: BaseException | None) -> None:
        token, self._token = self._token, None
        leave_frame(token, self._frame)
        self.close(error)


def _call_text(call: Call) -> str:
    return f"{call.name} ({call.id})"
