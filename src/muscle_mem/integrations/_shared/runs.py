"""One run inside a framework: its session, and the calls that it has handed out."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager, nullcontext
from typing import Any

from ..._session.hosted import AnySession, replay_place
from ..._session.session import AsyncSession
from ..._session.task import Task
from ..._session.turns import Answered, AskAgent, Call, Finished
from ...errors import NotReadyError
from .driving import Steps
from .messages import CallFailedError, Message, ModelCall, Usage
from .turns import ModelTurn

POLL_SECONDS = 0.001


class HostedRun:
    """A run whose model turns and tool calls an adapter sees.

    Attributes:
        session: The session of the engine.
        task: The block in which it began, or None.
        outstanding: The calls that were handed out and have no result yet, by id.
        began: When it began or last went on, by the monotonic clock.
        is_over: Whether it has ended or was closed.
    """

    def __init__(self, session: AnySession, task: Task | None) -> None:
        self.session = session
        self.task = task
        self.outstanding: dict[str, Call] = {}
        self.ids: set[str] = set()
        self.began = time.monotonic()
        self.is_over = False
        self.is_asking = False
        self.error: BaseException | None = None
        self.refusals: dict[str, str] = {}
        self._lock = threading.Lock()

    @property
    def waits_for_results(self) -> bool:
        """Whether calls that it handed out have no result yet."""
        return bool(self.outstanding) and not self.is_over

    # -- one operation at a time

    @contextmanager
    def stepping(self) -> Iterator[None]:
        """Let one thread or task at a time step the session; others wait."""
        with self._lock:
            yield

    @asynccontextmanager
    async def astepping(self) -> AsyncIterator[None]:
        """Do the same without blocking the loop."""
        while not self._lock.acquire(blocking=False):
            await asyncio.sleep(POLL_SECONDS)
        try:
            yield
        finally:
            self._lock.release()

    # -- steps

    def go_on(self) -> Steps[ModelTurn]:
        """Return what comes next: calls to replay, the answer, or a request to ask the model."""
        what = yield self.session.next
        calls: list[Call] = []
        while isinstance(what, Call):
            calls.append(what)
            self._hand_out(what)
            try:
                what = yield self.session.next
            except NotReadyError:
                break
        if calls:
            trajectory, step = replay_place(self.session)
            mark = {"muscle_mem": "replayed", "trajectory_id": trajectory, "step": step}
            said = [ModelCall(call.id, call.name, call.arguments) for call in calls]
            return ModelTurn("replay", calls=said, mark=mark)
        if isinstance(what, Finished):
            return self._end(what)
        assert isinstance(what, AskAgent)
        self.is_asking = True
        return ModelTurn("ask")

    def said(self, wanted: Sequence[tuple[Any, Any, str]], answer: Any, usage: Usage | None) -> Steps[None]:
        """Take the calls or the final answer of the model."""
        if self.is_over or not self.is_asking:
            return
        self.is_asking = False
        if usage is not None:
            self.session.run.report_tokens(usage.input + usage.output)
        if not wanted:
            yield lambda: self.session.said([], answer)
            ended = yield self.session.next
            assert isinstance(ended, Finished)
            self._end(ended)
            return
        yield lambda: self.session.said(wanted)
        yield from self._hand_out_wanted()

    def _hand_out_wanted(self) -> Steps[None]:
        while True:
            try:
                what = yield self.session.next
            except NotReadyError:
                return
            if isinstance(what, Call):
                self._hand_out(what)
            elif not isinstance(what, Answered):
                self.is_asking = isinstance(what, AskAgent)
                return

    def _hand_out(self, call: Call) -> None:
        self.outstanding[call.id] = call
        self.ids.add(call.id)
        self.began = time.monotonic()

    def take(self, call_id: str, result: Any, error: BaseException | None) -> Steps[None]:
        """Take the result of a call, from a hook of the framework or from a message."""
        call = self.outstanding.pop(call_id, None)
        if call is None or self.is_over:
            return
        self.began = time.monotonic()
        yield lambda: self.session.done(call, None if error is not None else result, error=error)
        if not call.replayed:
            yield from self._hand_out_wanted()

    def take_message(self, message: Message) -> Steps[None]:
        """Take the result that a message of the conversation holds."""
        content = message.text if message.content is None else message.content
        error = CallFailedError(str(content)) if message.is_error else None
        yield from self.take(message.call_id, content, error)

    def confirm(self, call_id: str) -> Steps[bool]:
        """Ask the pre-check of a replayed call again, right before the framework makes it."""
        call, confirm = self.outstanding.get(call_id), getattr(self.session, "confirm", None)
        if call is None or confirm is None or not call.replayed:
            return True
        is_right = yield lambda: confirm(call)
        if not is_right:
            self.outstanding.pop(call_id, None)
            self.refusals[call_id] = "the state has changed since the call was proposed"
        return bool(is_right)

    def refused(self, call_id: str, why: str) -> Steps[None]:
        """Note that a person refused a call."""
        call, refused = self.outstanding.pop(call_id, None), getattr(self.session, "refused", None)
        if call is None:
            return
        self.refusals[call_id] = why
        if refused is None:
            yield lambda: self.session.done(call, error=CallFailedError(why))
        else:
            yield lambda: refused(call, why)

    def inside(self, call_id: str) -> Any:
        """Return a block in which the framework makes the call."""
        call, inside = self.outstanding.get(call_id), getattr(self.session, "inside", None)
        return nullcontext() if call is None or inside is None else inside(call)

    # -- the end

    def _end(self, finished: Finished) -> ModelTurn:
        self._leave()
        if self.task is not None:
            self.task.note_end(self, finished.outcome)
        outcome = finished.outcome
        if outcome.value_source == "none":
            return ModelTurn("ask", answer_only=True)
        mark = {"muscle_mem": "replayed", "trajectory_id": outcome.trajectory_id, "step": outcome.steps}
        return ModelTurn("answer", answer=outcome.value, mark=mark)

    def unlearnable(self, why: str) -> None:
        """Let the run go on without learning it."""
        mark = getattr(self.session, "unlearnable", None)
        if mark is not None:
            mark(why)

    def close(self, error: BaseException | None = None) -> None:
        """Close the run. What it replayed still counts, and it is not learned."""
        if self.is_over:
            return
        self._leave()
        self.session.close(error if error is not None else self.error)
        if self.task is not None:
            self.task.note_end(self, None)

    end_with_block = close

    def _leave(self) -> None:
        self.is_over = True
        self.is_asking = False
        self.outstanding.clear()

    @property
    def is_async(self) -> bool:
        """Whether the session is an async one."""
        return isinstance(self.session, AsyncSession)
