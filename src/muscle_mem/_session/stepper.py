"""The third kind of driver: it steps a flow for a caller who makes the tool calls and asks the model.

What is ours to do (captures, compares, callbacks, saving) the other two drivers perform; the rest is handed out:
`Invoke` as a `Call`, `RunAgent` as `AskAgent`.
"""

from __future__ import annotations

import inspect
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
from .._core.model.outcome import Outcome
from .._core.model.text import short
from .._core.record.call import Answer, record_call
from .._core.record.verdict import hide_of
from .._core.run.effects import Effect, Invoke, Pause, Reach, RunAgent
from .._core.run.run import Run
from .._core.tools.tool import Tool
from .._runtime.conclusion import conclude, settle
from .._runtime.context import CurrentRun, Frame, frame_here, frame_of_call
from .._runtime.performer import Performer
from .._runtime.runtime import Runtime
from ..errors import InvalidTypeError, InvalidValueError, NotReadyError, StoreError
from .tool_calls import Wanted, understand
from .turns import Answered, AskAgent, Call, Finished, Turn


class Abandoned(BaseException):
    """A session was closed, or its block left, before the run had come to its end."""


class End(msgspec.Struct, frozen=True):
    """A generator has returned."""

    value: Any


At = Invoke | Pause | RunAgent | End
Stepped = Generator[Effect, Any, Any]


def step(made: Stepped, answer: Any = None, error: BaseException | None = None) -> Generator[Effect, Any, At]:
    """Step a flow until it asks for what is not ours to do; yields what is."""
    try:
        effect = made.send(answer) if error is None else made.throw(error)
        while not isinstance(effect, Invoke | Pause | RunAgent):
            try:
                answer = yield effect
            except GeneratorExit:
                raise
            except BaseException as raised:
                effect = made.throw(raised)
            else:
                effect = made.send(answer)
        return effect
    except StopIteration as stop:
        return End(stop.value)


def _unrecorded() -> Generator[Effect, Any, flow.Finished]:
    """The flow of an engine that is off: the agent alone."""
    value = yield RunAgent(None)
    return flow.Finished(flow.switched_off(value))


def _bare_call(wanted: Wanted) -> Generator[Effect, Any, Answer]:
    """A call that nobody records."""
    try:
        return Answer((yield Invoke(wanted.tool, wanted.args, wanted.kwargs)))
    except GeneratorExit:
        raise
    except BaseException as error:
        return Answer(error=error)


class Steps:
    """What plain and async sessions share: everything but the waiting."""

    def __init__(self, runtime: Runtime, run: Run, lookup: Any, frame: Frame) -> None:
        self._runtime = runtime
        self._run = run
        self._lookup = lookup
        self._frame = frame
        self._perform = Performer(runtime, run, frame, not run.plain)
        self._lock = threading.Lock()
        self._flow: Generator[Effect, Any, flow.Finished] | None = None
        self._at: At | None = None
        self._call: Call | None = None
        self._made: Stepped | None = None  # the recording of the model's call that is outstanding
        self._queue: deque[Wanted] = deque()
        self._listening = False
        self._serial = 0
        self._began = 0.0
        self._over = ""
        self._ended: Outcome | BaseException | None = None
        self._token: Any = None
        self._shown = False
        weakref.finalize(self, runtime.open_runs.leave, frame).atexit = False

    @property
    def run(self) -> CurrentRun:
        """The run of this session: its task, params and hand-over, its call's key, and `report_tokens(count)`."""
        return CurrentRun(self._run, self._frame.number)

    @property
    def outcome(self) -> Outcome | None:
        """How the run ended, once it has."""
        return self._ended if isinstance(self._ended, Outcome) else None

    def close(self, error: BaseException | None = None) -> None:
        """Leave the run where it is: nothing is learned, no hit is counted, the engine is free. Closing twice is fine.

        `error` is what the model or the framework failed with: then the run ends as if an agent had raised it.
        Raises NotReadyError while the session is being stepped, as by another thread.
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
                f"session.{doing}() was called while another call of this session is in progress; step a session from "
                "one thread or task at a time"
            )

    @contextmanager
    def _stepping(self, doing: str) -> Iterator[None]:
        """One operation, from one thread; what it calls of the user's is inside the run, and records nothing."""
        self._enter(doing)
        token = frame_here.set(self._frame.inner)
        try:
            if self._over:
                raise NotReadyError(f"session.{doing}() was called, but the session is over: {self._over}")
            yield
        finally:
            self._lock.release()
            frame_here.reset(token)

    # -- going on

    def _may_go_on(self) -> None:
        if self._call is not None:
            raise NotReadyError(f"{_told(self._call)} was handed out; say session.done(call, ...) first")
        if self._listening:
            raise NotReadyError("the model was asked; say what it wants with session.said(calls) first")

    def _go_on(self) -> Generator[Effect, Any, None]:
        """Step the flow to the next thing that is not ours to do."""
        if self._flow is None:
            self._began = time.perf_counter()
            runtime, run = self._runtime, self._run
            if run.mode == "off":
                self._flow = _unrecorded()
            else:
                found, lookup = yield Reach(runtime.find, (run, self._lookup))
                self._flow = flow.run_task(run, found, runtime.tools, lookup)
        elif not isinstance(self._at, Pause):
            return
        yield from self._stop_at((yield from step(self._flow)))

    def _next(self) -> Generator[Effect, Any, Turn | None]:
        """What is to be done next; None at the end."""
        yield from self._go_on()
        at = self._at
        if isinstance(at, Invoke):
            return self._hand_out(at, f"call_mm_{self._count()}", replayed=True)
        if not isinstance(at, RunAgent):
            return None
        if self._queue:
            return (yield from self._begin(self._queue.popleft()))
        self._listening = True
        handover = None if self._shown else at.handover
        self._shown = True
        return AskAgent(handover)

    def _begin(self, wanted: Wanted) -> Generator[Effect, Any, Turn]:
        """Hand out a call of the model's, captured and frozen at this moment; or answer it, if it was done already."""
        off = self._run.mode == "off"
        self._number(-1 if off else frame_of_call(self._runtime, self._run, self._run.recorder).number)
        made = _bare_call(wanted) if off else record_call(self._run, wanted.tool, wanted.args, wanted.kwargs)
        at = yield from step(made)
        id = wanted.id or f"call_mm_{self._count()}"
        if isinstance(at, Invoke):
            self._made = made
            return self._hand_out(at, id, replayed=False)
        assert isinstance(at, End)
        self._number(-1)
        tool = wanted.tool
        return Answered(id, tool.name, chat_name(tool.name), at.value.result, at.value.error, hide_of(self._run))

    def _hand_out(self, at: Invoke, id: str, *, replayed: bool) -> Call:
        tool: Tool = at.tool
        named = tool.named(at.args[1:] if tool.method else at.args, at.kwargs)
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
            hide_of(self._run),
        )
        self._call = call
        self._runtime.open_runs.hand_out(self._frame, tool)
        return call

    def _number(self, number: int) -> None:
        """Number the call that is being made, for its idempotency key; -1 for a replayed one, and for none."""
        self._frame.number = self._frame.inner.number = number

    def _count(self) -> int:
        self._serial += 1
        return self._serial - 1

    def _stop_at(self, at: At) -> Generator[Effect, Any, None]:
        """The flow waits for something, or has ended."""
        self._at = at
        if isinstance(at, RunAgent) and self._run.mode != "off":
            self._runtime.open_runs.record(self._frame)
        if isinstance(at, End):
            if self._run.mode != "off":
                yield Reach(settle, (self._runtime, self._run, self._frame, at.value))
            self._runtime.open_runs.leave(self._frame)
            self._conclude(at.value, settled=True)

    def _conclude(self, finished: flow.Finished, *, settled: bool = False) -> None:
        """Count and tell how the run ended, as any call of the engine; an exception waits for `next()`."""
        if self._run.mode == "off":
            self._ended = finished.outcome
            return
        try:
            seconds = time.perf_counter() - self._began
            self._ended = conclude(self._runtime, self._run, finished, seconds, settled=settled)
        except BaseException as error:
            if error is not finished.error and not isinstance(error, StoreError):
                raise
            self._ended = error

    def _end(self) -> Finished:
        """The end, told once."""
        ended = self._ended
        self._over = self._run.hide(repr(ended))
        if isinstance(ended, BaseException):
            raise ended
        assert isinstance(ended, Outcome)
        return Finished(ended)

    # -- being told

    def _hear(self, calls: Any, value: Any) -> bool:
        """Take what the model said; whether it is finished."""
        if not self._listening:
            why = "it has not been asked: call session.next() until it returns AskAgent"
            raise NotReadyError(f"session.said() tells what the model wants, and {why}")
        wanted = understand(self._runtime.tools, self._run, calls)
        if wanted and value is not None:
            raise InvalidValueError("said(calls, value=...) takes a value only with no calls: the model has finished")
        self._listening = False
        self._queue.extend(wanted)
        return not wanted

    def _finish(self, value: Any) -> Generator[Effect, Any, None]:
        """The model has finished: learn from the run."""
        assert self._flow is not None
        self._runtime.open_runs.take_back(self._frame)
        yield from self._stop_at((yield from step(self._flow, value)))

    def _is_outstanding(self, call: Any, result: Any, error: Any) -> None:
        mine = self._call
        if mine is None or (call is not mine and call != mine.id):
            waiting = "no call is outstanding" if mine is None else f"the outstanding call is {_told(mine)}"
            what = _told(call) if isinstance(call, Call) else short(call)
            raise InvalidValueError(
                f"session.done({what}): {waiting}; give the call that session.next() returned last, once"
            )
        if error is not None and not isinstance(error, BaseException):
            raise InvalidTypeError(f"done(call, error=...) takes an exception, got {self._run.hide(short(error))}")
        if error is not None and result is not None:
            raise InvalidValueError("done(call, ...) takes a result or an error, not both")
        if inspect.isawaitable(result):
            raise InvalidTypeError(f"the result of {_told(mine)} is an awaitable; await it and give what it returns")

    def _take(self, result: Any, error: BaseException | None) -> Generator[Effect, Any, None]:
        """A call has ended: look at what it did, at once."""
        self._call = None
        self._runtime.open_runs.take_back(self._frame)
        made, self._made = self._made, None
        if made is not None:
            yield from step(made, result, error)
            self._number(-1)
        else:
            assert self._flow is not None
            yield from self._stop_at((yield from step(self._flow, result, error)))

    # -- leaving

    def _abandon(self, error: BaseException | None) -> None:
        if self._over:
            return
        if self._ended is not None:
            self._over = self._run.hide(repr(self._ended))
            return
        told = error
        if told is None or isinstance(told, GeneratorExit):  # as when an unfinished `await session.next()` is dropped
            told = Abandoned("the session was closed before the run had ended")
        self._over = self._run.hide(f"it was left ({told!r})")
        self._call, self._listening = None, False
        self._queue.clear()
        made, self._made, following = self._made, None, self._flow
        try:
            if made is not None:
                made.close()
            if following is not None and isinstance(self._at, RunAgent):
                self._leave_agent(following, told)
            elif following is not None:
                following.close()
                self._runtime.reporter.raised(self._run, told, time.perf_counter() - self._began)
        finally:
            self._runtime.open_runs.leave(self._frame)
            if not isinstance(self._ended, Outcome):
                self._ended = None

    def _leave_agent(self, following: Generator[Effect, Any, flow.Finished], told: BaseException) -> None:
        """The agent ends with an exception: what the replay did before counts as ever (D6), the rest is not learned."""
        try:
            following.throw(told)
        except StopIteration as stop:
            self._conclude(stop.value)
        except BaseException as raised:  # the flow of an engine that is off
            if raised is not told:
                raise

    def _open_block(self) -> None:
        if self._token is not None:
            raise NotReadyError("this session's block is open already; use each session in one block")
        self._token = frame_here.set(self._frame)

    def _close_block(self, error: BaseException | None) -> None:
        token, self._token = self._token, None
        try:
            frame_here.reset(token)
        except ValueError:  # a framework leaves the block in another context than it was entered in
            pass
        self.close(error)


def _told(call: Call) -> str:
    return f"{call.name} ({call.id})"
