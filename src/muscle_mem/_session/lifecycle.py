"""The life of a session: its run, its lock, and how it ends."""

from __future__ import annotations

import threading
import time
import weakref
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from typing import Any

from .._core import flow
from .._core.model.outcome import Outcome
from .._core.run.effects import (
    Effect,
    RunAgent,
    RunStoreCall,
)
from .._core.run.run import Run
from .._runtime.conclusion import conclude, write_result
from .._runtime.context import CurrentRun, Frame, current_frame, leave_frame
from .._runtime.performer import Performer
from .._runtime.runtime import Runtime
from ..errors import NotReadyError, StoreError
from .flows import Abandoned, FlowEnd, StopPoint, own_traceback
from .outstanding import Outstanding
from .rejoining import Rejoining
from .tool_calls import RequestedCall
from .turns import Finished


class Lifecycle:
    """The begin, the operations one at a time, and the end of a session."""

    def __init__(self, runtime: Runtime, run: Run, lookup: Any, frame: Frame, *, rejoin: bool = False) -> None:
        self._runtime = runtime
        self._run = run
        self._lookup = lookup
        self._frame = frame
        self._perform = Performer(runtime, run, frame, not run.is_sync)
        self._lock = threading.Lock()
        self._flow: Generator[Effect, Any, flow.RunResult] | None = None
        self._stopped_at: StopPoint | None = None
        self._calls = Outstanding(runtime, run, frame)
        self._wanted: list[RequestedCall] = []
        self._awaits_model = False
        self._began = 0.0
        self._closed_reason = ""
        self._result: Outcome | BaseException | None = None
        self._token: Any = None
        self._handover_given = False
        self._rejoining = Rejoining(run) if rejoin else None
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

    def _stop_at(self, at: StopPoint) -> Generator[Effect, Any, None]:
        """Note what the flow waits for, or conclude the run if it has ended."""
        self._stopped_at = at
        if isinstance(at, RunAgent) and self._run.mode != "off":
            self._runtime.open_runs.start_recording(self._frame)
        if isinstance(at, FlowEnd):
            if self._run.mode != "off":
                seconds = time.perf_counter() - self._began
                yield RunStoreCall(write_result, (self._runtime, self._run, self._frame, at.value, seconds))
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
        self._awaits_model, self._wanted = False, []
        following = self._flow
        try:
            for made in self._calls.recordings():
                made.close()
            if self._rejoining is not None:
                self._rejoining.close()
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
        finished: Any = None
        with own_traceback(reason):
            try:
                following.throw(reason)
            except StopIteration as stop:
                finished = stop.value
            except BaseException as raised:  # The flow of an engine that is off.
                if raised is not reason:
                    raise
            if finished is not None:
                self._conclude(finished)

    def _open_block(self) -> None:
        if self._token is not None:
            raise NotReadyError("session is already open as a context manager. Use each session in one block.")
        self._token = current_frame.set(self._frame)

    def _close_block(self, error: BaseException | None) -> None:
        token, self._token = self._token, None
        leave_frame(token, self._frame)
        self.close(error)
