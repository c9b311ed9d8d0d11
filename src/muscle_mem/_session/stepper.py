"""Stepping a flow for a caller who makes the tool calls and calls the model.

Captures, compares, callbacks and saving are performed as by the other drivers. The calls of a turn are handed out as
`Call`, `RunAgent` as `AskAgent`.
"""

from __future__ import annotations

import time
from collections.abc import Generator, Iterable, Iterator
from contextlib import contextmanager
from typing import Any

from .._core import flow
from .._core.model.handover import chat_name
from .._core.model.kinds import is_awaitable
from .._core.model.reason import Reason
from .._core.model.text import safe_repr
from .._core.plan.step import Refusal
from .._core.record.call import record_flow
from .._core.record.merge import accepted_step
from .._core.record.verdict import text_redactor
from .._core.run.effects import (
    CallRefusedError,
    Confirm,
    Confirmed,
    Effect,
    Invoke,
    InvokeTurn,
    Made,
    NotMade,
    Pause,
    RunAgent,
    RunStoreCall,
)
from .._runtime.context import Frame, current_frame, frame_for_call, leave_frame
from ..errors import InvalidTypeError, InvalidValueError, NotReadyError
from .flows import FlowEnd, Stepped, advance, unrecorded_call, unrecorded_run
from .lifecycle import Lifecycle
from .outstanding import Member, call_text
from .rejoining import Rejoining
from .tool_calls import RequestedCall, parse_calls, parse_offer
from .turns import Answered, AskAgent, Call, Turn


class Stepper(Lifecycle):
    """The common part of sync and async sessions."""

    @contextmanager
    def inside(self, call: Call | str) -> Iterator[None]:
        """Enter the run of an outstanding call, where the framework makes the call.

        In the block, `current_run()` is the run in this call, with its idempotency key, and decorated functions are
        plain. Use it where the framework makes calls in its threads or tasks.

        Args:
            call: The call, or its id.

        Raises:
            InvalidValueError: The call is not outstanding.
        """
        member = self._calls.find("inside", call)
        frame = Frame(self._runtime, self._frame.run, call_number=member.number)
        token = current_frame.set(frame)
        try:
            yield
        finally:
            leave_frame(token, frame)

    def unlearnable(self, why: str) -> None:
        """Say that this run cannot be learned, such as after a call that it lacks.

        The run goes on, and its outcome has the reason `unlearnable`.

        Args:
            why: The reason, for the outcome.
        """
        with self._stepping("unlearnable"):
            if self._run.mode != "off":
                self._run.recorder.add_problem(Reason.UNLEARNABLE, str(why))

    def offer(self, names: Iterable[Any]) -> None:
        """Say which tools can be used in this run, in place of those named before.

        A recorded step of another tool is not replayed: the run is a miss where that is known before the first call,
        else it diverges (`tool_missing`).

        Args:
            names: The tools: stored names, names as the model knows them, or functions.

        Raises:
            InvalidTypeError: `names` is not a list of such tools.
            InvalidValueError: A function is not a registered tool.
        """
        with self._stepping("offer"):
            self._run.offered = parse_offer(self._runtime.tools, names)

    # -- continuing

    def _ensure_ready(self) -> None:
        if self._calls.waiting:
            return
        if self._calls.handed_out:
            texts = [call_text(member.turn) for member in self._calls.handed_out]
            are = "is" if len(texts) == 1 else "are"
            raise NotReadyError(f"{', '.join(texts)} {are} outstanding. Call session.done(call, ...) first.")
        if self._awaits_model:
            raise NotReadyError("the model has not answered yet. Call session.said(calls) first.")

    def _advance(self) -> Generator[Effect, Any, None]:
        """Step the flow to the next thing that the caller must do."""
        if self._flow is None:
            self._began = time.perf_counter()
            runtime, run = self._runtime, self._run
            if run.mode == "off":
                self._flow = unrecorded_run()
            else:
                found, lookup = yield RunStoreCall(runtime.find_candidates, (run, self._lookup))
                self._flow = flow.run_task(run, found, runtime.tools, lookup)
        elif not isinstance(self._stopped_at, Pause):
            return
        yield from self._stop_at((yield from advance(self._flow)))

    def _next(self) -> Generator[Effect, Any, Turn | None]:
        """Return what to do next, or None at the end."""
        calls = self._calls
        if not calls.waiting:
            yield from self._advance()
            at = self._stopped_at
            if isinstance(at, InvokeTurn):
                calls.begin_replayed(at)
            elif isinstance(at, RunAgent):
                yield from self._begin_requested()
                if not calls.waiting and self._rejoining is not None:
                    yield from self._begin_rejoined(self._rejoining)
        if calls.waiting:
            return calls.hand_out()
        if not isinstance(at, RunAgent):
            return None
        self._awaits_model = True
        handover = None if self._handover_given else at.handover
        self._handover_given = True
        stop = at if self._rejoining is None or self._rejoining.stop is None else self._rejoining.stop
        return AskAgent(handover, stop.reason, stop.message)

    def _begin_requested(self) -> Generator[Effect, Any, None]:
        """Begin all calls that the model requested in its turn, before the first is made."""
        wanted, self._wanted = self._wanted, []
        if wanted:
            self._calls.turn += 1
        for call in wanted:
            self._calls.waiting.append((yield from self._begin_call(call)))

    def _begin_call(self, wanted: RequestedCall) -> Generator[Effect, Any, Member]:
        """Begin to record a requested call, or answer it if the run has already made it."""
        run, tool = self._run, wanted.tool
        off = run.mode == "off"
        number = -1 if off else frame_for_call(self._runtime, run, run.recorder).call_number
        made = unrecorded_call(wanted) if off else record_flow(run, tool, wanted.args, wanted.kwargs, is_said=True)
        self._calls.set_number(number)
        at = yield from advance(made)
        self._calls.set_number(-1)
        id = wanted.id or self._calls.next_id()
        if isinstance(at, Invoke):
            return Member(self._calls.call_of(at, id, replayed=False), tool, number, recording=made)
        assert isinstance(at, FlowEnd)
        result, error = at.value.result, at.value.error
        name = chat_name(tool.name)
        return Member(Answered(id, tool.name, name, result, error, text_redactor(run), self._calls.turn), tool)

    def _begin_rejoined(self, rejoining: Rejoining) -> Generator[Effect, Any, None]:
        """Go on with the replay if the model has made calls and there is a place."""
        run = self._run
        turn = yield from rejoining.next_turn()
        if turn is None:
            return
        calls = self._calls
        calls.begin_replayed(turn)
        followed = run.progress.candidate
        assert followed is not None
        for member, invoke in zip(calls.waiting, turn.calls, strict=True):
            member.number = rejoining.next_number()
            accepted = accepted_step(run, followed, member.position)
            said = invoke.said or (invoke.args, invoke.kwargs)
            member.recording = record_flow(run, invoke.tool, *said, accepted, is_said=invoke.said is not None)
            at = yield from advance(member.recording)
            assert isinstance(at, Invoke)

    # -- taking what the caller passes

    def _accept_calls(self, calls: Any, value: Any) -> bool:
        """Take the requested calls; return whether the model has finished."""
        if not self._awaits_model:
            why = "the model was not asked. Call session.next() until it returns AskAgent."
            raise NotReadyError(f"session.said() failed: {why}")
        wanted = parse_calls(self._runtime, self._run, calls)
        if wanted and value is not None:
            raise InvalidValueError("said() got calls and value=. value= is only allowed when calls is empty.")
        self._awaits_model = False
        self._wanted = wanted
        return not wanted

    def _accept_beside(self, calls: Any) -> Generator[Effect, Any, None]:
        """Begin calls that the model requested while others of its turn are outstanding."""
        if not self._calls.handed_out:
            raise NotReadyError("no call is outstanding. Call session.said() after session.next() has asked for calls.")
        for call in parse_calls(self._runtime, self._run, calls):
            self._calls.waiting.append((yield from self._begin_call(call)))

    def _finish(self, value: Any) -> Generator[Effect, Any, None]:
        """Finish the run and learn from it."""
        assert self._flow is not None
        yield from self._stop_at((yield from advance(self._flow, value)))

    def _outstanding(self, call: Any, result: Any, error: Any) -> Member:
        """Return the call that is done."""
        member = self._calls.find("done", call)
        if error is not None and not isinstance(error, BaseException):
            raise InvalidTypeError(
                f"done() got an invalid error=: expected an exception, got {self._run.redact(safe_repr(error))}"
            )
        if error is not None and result is not None:
            raise InvalidValueError("done() got both a result and error=. Pass one of them.")
        if is_awaitable(result):
            raise InvalidTypeError(
                f"result of {call_text(member.turn)} is an awaitable. Await it and pass what it returns."
            )
        return member

    def _accept_result(self, member: Member, result: Any, error: BaseException | None) -> Generator[Effect, Any, None]:
        """Take the result of a call; run its post-check if it is alone in its turn."""
        self._calls.take(member)
        if member.recording is not None:
            yield from advance(member.recording, result, error)
        if member.place < 0:
            if self._rejoining is not None and error is None:
                self._rejoining.note_own(member, result)
            return
        if error is not None and not isinstance(error, Exception):  # An interrupt ends the run.
            assert self._flow is not None
            yield from self._stop_at((yield from advance(self._replaying, error=error)))
            return
        self._calls.answers[member.place] = Made(result, error)
        if error is not None:
            yield from self._withdraw_waiting()
        yield from self._end_replayed()

    @property
    def _replaying(self) -> Stepped:
        """The flow that replays: that of the run, or the one that has gone on."""
        if self._rejoining is not None and self._rejoining.flow is not None:
            return self._rejoining.flow
        assert self._flow is not None
        return self._flow

    def _withdraw_waiting(self) -> Generator[Effect, Any, None]:
        """Do not make the calls of a replayed turn that were not handed out."""
        for member in self._calls.withdraw_waiting():
            if member.recording is not None:
                yield from advance(member.recording, error=CallRefusedError())

    def _end_replayed(self) -> Generator[Effect, Any, None]:
        """Continue a replay if all calls of its turn are done."""
        if self._calls.handed_out or self._calls.waiting:
            return
        at = yield from advance(self._replaying, self._calls.answers)
        if self._rejoining is not None and self._rejoining.flow is not None:
            self._rejoining.note_stop(at)
        else:
            yield from self._stop_at(at)

    def _confirm(self, member: Member) -> Generator[Effect, Any, bool]:
        """Ask the pre-check of a call again, if its verdict is not the present one."""
        if self._calls.is_fresh(member):
            return True
        asked = yield from advance(self._replaying, Confirm(member.position))
        assert isinstance(asked, Confirmed)
        if asked.refusal is None:
            member.checked_at = self._run.clock()
            return True
        yield from self._not_made(member, asked.refusal)
        return False

    def _refuse(self, member: Member, why: Any) -> Generator[Effect, Any, None]:
        """Note that a person refused a call."""
        tool = member.tool.name
        message = f"a person refused {tool!r}" + (f": {why}" if why else "")
        if self._run.mode != "off":  # The person may decide otherwise next time, and a hit would not ask.
            self._run.recorder.add_problem(
                Reason.UNLEARNABLE, self._run.redact(f"{message}. What was done instead is not replayed")
            )
        if member.place < 0:
            self._calls.take(member)
            assert member.recording is not None
            yield from advance(member.recording, error=CallRefusedError(message))
            return
        yield from self._not_made(member, Refusal(Reason.REFUSED_BY_PERSON, message, member.position, tool))

    def _not_made(self, member: Member, refusal: Refusal) -> Generator[Effect, Any, None]:
        """Stop a replay before a call, once those that were handed out with it are done."""
        self._calls.take(member)
        if member.recording is not None:
            yield from advance(member.recording, error=CallRefusedError(refusal.message))
        self._calls.answers[member.place] = NotMade(refusal)
        yield from self._withdraw_waiting()
        yield from self._end_replayed()
