"""The calls of the client that are recorded for the task of the last run."""

from __future__ import annotations

import time
from typing import Any

import msgspec

from ..._core.model.failed_calls import CallFailedError, CallNotMadeError
from ..._core.model.reason import Reason
from ..._session import served
from ..._session.session import Session
from ..._session.turns import AskAgent, Call
from .frames import INVALID_PARAMS, METHOD_NOT_FOUND, CallParams, Frame, FrameId, read_object
from .results import is_complete, is_input_required, output_of
from .secret_names import with_secrets

NEVER_RAN = (INVALID_PARAMS, METHOD_NOT_FOUND)


class PassedCall(msgspec.Struct, eq=False):
    """A call of the client that passes through while a task is recorded.

    Attributes:
        id: The id of the client's request.
        params: Its params.
        line: The request as it came.
        holds_answer: Whether the answer waits for a post-check.
        is_cancelled: Whether the client has cancelled it.
        is_sent: Whether the server has got it.
        call: The call of the session, once it is recorded.
    """

    id: FrameId
    params: CallParams
    line: bytes
    holds_answer: bool = False
    is_cancelled: bool = False
    is_sent: bool = False
    call: Call | None = None


class Recording:
    """The run of a task whose calls the client makes.

    Attributes:
        task: The task.
        names: The names of the tools of all calls that passed through, in the order in which they came.
        last_used: When the last call came or ended.
    """

    def __init__(self, session: Session, task: str, declared_secrets: dict[str, set[str]]) -> None:
        self.session = session
        self.task = task
        self.names: list[str] = []
        self.last_used = time.monotonic()
        self._declared_secrets = declared_secrets
        self._open: list[PassedCall] = []
        self._awaiting_input: list[PassedCall] = []

    @property
    def is_running(self) -> bool:
        """Whether a call has no answer yet."""
        return bool(self._open or self._awaiting_input)

    def prevent(self, why: str, reason: Reason = Reason.UNLEARNABLE) -> None:
        """Say why the task is not learned."""
        served.prevent_learning(self.session, reason, why)

    def begin(self, passed: PassedCall) -> None:
        """Begin to record a call, which captures for its pre-check."""
        self.last_used = time.monotonic()
        params = passed.params
        continued = self._continued(passed) if params.request_state or params.input_responses else None
        if continued is not None:
            passed.call = continued.call
            self._open.append(passed)
            return
        self.names.append(params.name)
        if params.task is not None:
            self.prevent(f"the call of {params.name!r} runs as a separate task, which a replay cannot wait for")
            return
        arguments = with_secrets(params.arguments or {}, self._declared_secrets.get(params.name, ()))
        requested = [(params.name, arguments)]
        if self._open or self._awaiting_input:
            served.begin_beside(self.session, requested)
        else:
            self.session.said(requested)
        turn = self.session.next()
        assert isinstance(turn, Call)
        passed.call = turn
        self._open.append(passed)

    def _continued(self, passed: PassedCall) -> PassedCall | None:
        """Return the call that asked for the input which this one brings."""
        for waiting in self._awaiting_input:
            if waiting.params.name == passed.params.name and waiting.params.arguments == passed.params.arguments:
                self._awaiting_input.remove(waiting)
                return waiting
        return None

    def end(self, passed: PassedCall, frame: Frame) -> None:
        """Take the answer of the server to a call."""
        self.last_used = time.monotonic()
        if passed.call is None or passed not in self._open:
            return
        self._open.remove(passed)
        result, error = read_object(frame.result), read_object(frame.error)
        if result is not None and is_input_required(result):
            self._awaiting_input.append(passed)
            return
        if result is not None and not is_complete(result):
            self.prevent(f"the answer to the call of {passed.params.name!r} is of a kind that a replay cannot wait for")
        if result is None:
            self.session.done(passed.call, error=failure_of(error))
        else:
            self.session.done(passed.call, output_of(result))
        self._ask_again()

    def drop(self, passed: PassedCall) -> None:
        """Note that a call was cancelled by the client."""
        if passed.call is None or passed not in self._open:
            return
        self._open.remove(passed)
        made = CallFailedError if passed.is_sent else CallNotMadeError
        self.session.done(passed.call, error=made("the client has cancelled the call"))
        self._ask_again()

    def _ask_again(self) -> None:
        """Let the session ask for the next calls, once none is outstanding."""
        if not self._open and not self._awaiting_input:
            turn = self.session.next()
            assert isinstance(turn, AskAgent)


def failure_of(error: dict[str, Any] | None) -> CallFailedError:
    """Return the exception for an error of the protocol."""
    found = error or {}
    message = str(found.get("message", "the server gave no result and no error"))
    return CallNotMadeError(message) if found.get("code") in NEVER_RAN else CallFailedError(message)
