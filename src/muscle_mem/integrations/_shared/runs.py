"""One run inside a framework: its session, and the calls that it has handed out."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from ..._core.model.failed_calls import CallFailedError, CallNotMadeError
from ..._core.model.outcome import Outcome
from ..._session import hosted
from ..._session.hosted import AnySession
from ..._session.task import SUSPEND_SECONDS, Task
from ..._session.turns import Answered, AskAgent, Call, Finished
from ...errors import InvalidTypeError, InvalidValueError
from .driving import Steps
from .keys import history_of
from .messages import Message, ModelCall, Usage
from .nesting import making_call
from .offers import Offers
from .turns import ModelTurn

POLL_SECONDS = 0.001
CHANGED = "what its pre-check captures has changed since the call was proposed"


class HostedRun:
    """A run whose model turns and tool calls an adapter sees.

    Attributes:
        session: The session of the engine.
        task: The block in which it began, or None.
        outstanding: The calls that were handed out and have no result yet, by id.
        ids: The ids of all calls that were handed out.
        settled_ids: How many of these the table of runs has.
        refusals: Why calls were not made, by id.
        is_asking: Whether the model is asked.
        is_over: Whether the run has ended or was closed.
        lock: Held by the thread or task that steps the session.
        lost: Why the run could not be followed any more, or "".
    """

    def __init__(self, engine: Any, session: AnySession, task: Task | None, offers: Offers) -> None:
        self.session = session
        self.task = task
        self.outstanding: dict[str, Call] = {}
        self.ids: set[str] = set()
        self.settled_ids = 0
        self.refusals: dict[str, str] = {}
        self.is_asking = False
        self.is_over = False
        self.lock = threading.Lock()
        self.when_over: Callable[[HostedRun], Any] = lambda _run: None
        self.lost = ""
        self._engine = engine
        self._offers = offers
        self._offered: tuple[str, ...] = ()
        self._replayable: list[str] | None = None
        self._not_offered: set[str] = set()
        self._last_seen = hosted.now_of(engine)
        self._opening: tuple[Message, ...] = ()

    async def acquire(self) -> None:
        """Acquire the lock without blocking the loop."""
        while not self.lock.acquire(blocking=False):
            await asyncio.sleep(POLL_SECONDS)

    # -- which conversation it is

    def note_opening(self, messages: Sequence[Message]) -> None:
        """Note the messages that the conversation had when the run began."""
        self._opening = tuple(messages)

    def began_with(self, messages: Sequence[Message]) -> bool:
        """Return whether a conversation begins like that of the run."""
        return history_of(messages[: len(self._opening)]) == history_of(self._opening)

    # -- waiting

    def waits_for_results(self) -> bool:
        """Return whether handed out calls have no result yet and may still get one."""
        return bool(self.outstanding) and not self.is_over and not self.has_expired()

    def has_expired(self) -> bool:
        """Return whether the run has been silent for too long, outside of an open block."""
        if self.task is not None and self.task.is_open:
            return False
        limit = SUSPEND_SECONDS if self.task is None else self.task.suspend_for
        return hosted.now_of(self._engine) - self._last_seen > limit

    def suspend(self) -> None:
        """Let the run wait for its results after its block."""
        self._last_seen = hosted.now_of(self._engine)

    # -- model turns

    def offer(self, names: Sequence[str], replayable: Sequence[str]) -> None:
        """Note the tools that the model is offered now, by the names that it knows.

        Args:
            names: The names of the tools.
            replayable: The names of those that may be replayed.
        """
        self._last_seen = hosted.now_of(self._engine)
        stored = [self._offers.stored_name(name) for name in replayable] if names else None
        self._offered = tuple(names)
        if stored != self._replayable:
            self._replayable = stored
            self.session.offer(stored or ())

    def go_on(self) -> Steps[ModelTurn]:
        """Return what comes next: calls to replay, the answer, or a question."""
        what = yield self.session.next
        calls: list[Call] = []
        while isinstance(what, Call):
            calls.append(what)
            self._hand_out(what)
            if not hosted.has_more_calls(self.session):
                break
            what = yield self.session.next
        if calls:
            return ModelTurn("replay", calls=list(map(self._said_by_model, calls)), mark=self._mark(len(calls)))
        if isinstance(what, Finished):
            return self._ended(what.outcome)
        self.is_asking = True
        assert isinstance(what, AskAgent)
        return ModelTurn("ask", answer_only=hosted.is_asked_for_answer(what.reason))

    def _said_by_model(self, call: Call) -> ModelCall:
        name = self._offers.name_here(call.tool, call.name, self._offered)
        return ModelCall(call.id, name, call.arguments)

    def _mark(self, count: int) -> dict[str, Any]:
        """Return the mark of a turn with so many calls: the first of its steps."""
        trajectory, begun = hosted.replay_place(self.session)
        return {"muscle_mem": "replayed", "trajectory_id": trajectory, "step": begun - count}

    def said(self, calls: Sequence[ModelCall], answer: Any, usage: Usage | None) -> Steps[None]:
        """Take the calls or the final answer of the model."""
        if self.is_over or not self.is_asking:
            return
        self.is_asking = False
        if usage is not None:
            self.session.run.report_tokens(usage.input + usage.output)
        if not calls:
            yield lambda: self.session.said([], answer)
            ended = yield self.session.next
            assert isinstance(ended, Finished)
            self._ended(ended.outcome)
            return
        self._not_offered.update(call.id for call in calls if call.name not in self._offered)
        wanted = [(self._offers.for_session(call.name), call.arguments, call.id) for call in calls]
        try:
            yield lambda: self.session.said(wanted)
        except (InvalidTypeError, InvalidValueError):
            self.close()
            self.lost = "the arguments of a call of the model are not a JSON object, or its tool is ambiguous"
            return
        yield from self._hand_out_wanted()

    def _hand_out_wanted(self) -> Steps[None]:
        """Hand out all calls of the model's turn.

        So their pre-checks capture before the first is made.
        """
        what = yield self.session.next
        while isinstance(what, Call | Answered):
            if isinstance(what, Call):
                self._hand_out(what)
            if not hosted.has_more_calls(self.session):
                return
            what = yield self.session.next
        self.is_asking = isinstance(what, AskAgent)

    def _hand_out(self, call: Call) -> None:
        self.outstanding[call.id] = call
        self.ids.add(call.id)

    # -- tool calls

    def take(self, call_id: str, result: Any, error: BaseException | None) -> Steps[None]:
        """Take the result of a call, from a hook of the framework or from a message."""
        call = self.outstanding.pop(call_id, None)
        if call is None or self.is_over:
            return
        self._last_seen = hosted.now_of(self._engine)
        if error is not None and call_id in self._not_offered:
            error = CallNotMadeError(str(error))
        yield lambda: self.session.done(call, None if error is not None else result, error=error)

    def take_message(self, message: Message) -> Steps[None]:
        """Take the result that a message of the conversation holds."""
        content = message.text if message.content is None else message.content
        error = CallFailedError(str(content)) if message.is_error else None
        yield from self.take(message.call_id, content, error)

    def confirm(self, call_id: str, approved: bool = False) -> Steps[bool]:
        """Ask the pre-check of a replayed call again, right before the framework makes it."""
        call = self.outstanding.get(call_id)
        if call is None or self.is_over:
            return call_id not in self.refusals
        if approved:
            hosted.note_approval(self.session)
        is_right = bool((yield lambda: self.session.confirm(call)))
        if not is_right:
            self.outstanding.pop(call_id, None)
            self.refusals[call_id] = CHANGED
        return is_right

    def refused(self, call_id: str, why: str) -> Steps[None]:
        """Note that a person refused a call."""
        call = self.outstanding.pop(call_id, None)
        if call is None or self.is_over:
            return
        self.refusals[call_id] = why or "a person refused it"
        yield lambda: self.session.refused(call, why)

    @contextmanager
    def inside(self, call_id: str) -> Iterator[None]:
        """Enter the run where the framework makes the call."""
        call = self.outstanding.get(call_id)
        if call is None or self.is_over:
            yield
            return
        with making_call(self), self.session.inside(call):
            yield

    # -- the end

    def finish(self, answer: Any) -> Steps[None]:
        """End the run: the framework makes no further model turn of it."""
        if self.is_over or self.outstanding:
            return
        turn = ModelTurn("ask") if self.is_asking else (yield from self.go_on())
        if turn.kind == "ask":
            yield from self.said((), answer, None)

    def _ended(self, outcome: Outcome) -> ModelTurn:
        self._leave()
        if self.task is not None:
            self.task.note_end(self, outcome)
        if outcome.value_source == "none" and not hosted.never_asks(self._engine, self.task):
            return ModelTurn("ask", answer_only=True)
        mark = {"muscle_mem": "replayed", "trajectory_id": outcome.trajectory_id, "step": outcome.steps}
        return ModelTurn("answer", answer=outcome.value, mark=mark)

    def unlearnable(self, why: str) -> None:
        """Let the run go on without learning it."""
        if not self.is_over:
            self.session.unlearnable(why)

    def close(self, error: BaseException | None = None) -> None:
        """Close the run. What it replayed still counts, and it is not learned.

        Args:
            error: The exception with which the model or the framework failed.
        """
        if self.is_over:
            return
        self._leave()
        if self.task is not None:
            self.task.note_end(self, None)
        self.session.close(error)

    end_with_block = close

    def raised(self, error: BaseException) -> None:
        """Note that the session has ended with an exception that is meant for the user."""
        if self.is_over:
            return
        self._leave()
        if self.task is not None:
            self.task.note_end(self, getattr(error, "outcome", None))

    def _leave(self) -> None:
        self.is_over = True
        self.is_asking = False
        self.outstanding.clear()
        self.when_over(self)


def nothing() -> Steps[ModelTurn]:
    """Return the steps of a request that is not ours."""
    yield from ()
    return ModelTurn("pass")
