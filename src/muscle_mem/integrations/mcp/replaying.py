"""One replay: its calls are made to the server, and what needs a person is asked."""

from __future__ import annotations

import time
from collections.abc import Iterable
from typing import Any

import msgspec

from ..._core.model.failed_calls import CallFailedError
from ..._core.model.handover import Executed
from ..._session import served
from ..._session.session import Session
from ..._session.turns import AskAgent, Call, Finished
from .asking import Exchange, NoQuestionsError
from .frames import META
from .own_calls import CallStoppedError, CancelledRunError
from .recording import failure_of
from .results import is_complete, is_input_required, output_of
from .secret_names import revealed
from .server_tools import CallServer, ServerTools
from .texts import call_text, step_question

MAX_INPUT_ROUNDS = 10
BACKOFF_SECONDS = (0.05, 0.1, 0.2, 0.25)


class MadeStep(msgspec.Struct, eq=False):
    """A step that was replayed, with the result of the server or the error."""

    call: Call
    result: dict[str, Any] | None = None
    error: str = ""


class Approver:
    """Asks a person before each step that may destroy and has no pre-check.

    Args:
        exchange: The call of the client.
        tools: The tools of the server.
        task: The task.

    Attributes:
        was_refused: Whether the person has refused a step.
    """

    def __init__(self, exchange: Exchange, tools: ServerTools, task: str) -> None:
        self._exchange = exchange
        self._tools = tools
        self._task = task
        self._approved: list[str] = []
        self.was_refused = False

    def approve_all(self, keys: Iterable[str]) -> None:
        """Do not ask, once, for steps that the person has just seen like this."""
        self._approved += filter(None, keys)

    def __call__(self, step: Executed) -> bool:
        if self._tools.has_pre_check(step.tool):
            return True
        key = step_key(step.tool, step.arguments)
        if key in self._approved:
            self._approved.remove(key)
            return True
        text = call_text(step.tool, step.arguments, step.hide)
        origin = self._tools.origins.get(step.tool, "no rule")
        try:
            approved = self._exchange.is_approved(step_question(self._task, text, origin))
        except CancelledRunError:
            raise
        except (NoQuestionsError, CallStoppedError):
            approved = False
        self.was_refused = self.was_refused or not approved
        return approved


def step_key(tool: str, arguments: dict[str, Any]) -> str:
    """Return what identifies a step with its arguments."""
    try:
        return msgspec.json.encode([tool, revealed(arguments)], order="deterministic").decode()
    except (TypeError, ValueError, msgspec.MsgspecError):
        return ""


class Replay:
    """The replay of a task for one call of the client.

    Attributes:
        made: The steps that were made.
    """

    def __init__(self, session: Session, exchange: Exchange, call_server: CallServer, seconds: float) -> None:
        self._session = session
        self._exchange = exchange
        self._call_server = call_server
        self._seconds = seconds
        self.made: list[MadeStep] = []

    def go(self) -> AskAgent | Finished:
        """Make the calls of the replay; return where it ends.

        Raises CancelledRunError if the client cancels it, and what the session raises.
        """
        while True:
            turn = self._session.next()
            if self._exchange.cancellation.is_cancelled:
                raise CancelledRunError("the client has cancelled the run")
            if isinstance(turn, AskAgent | Finished):
                return turn
            if isinstance(turn, Call):
                self._make(turn)

    def _make(self, call: Call) -> None:
        step = MadeStep(call)
        self.made.append(step)
        self._exchange.report_progress(f"step {len(self.made)}: {call.name}")
        try:
            step.result = self._result_of(call)
        except CancelledRunError:
            raise
        except (CallStoppedError, CallFailedError) as error:
            step.error = served.redacted(self._session, str(error))
            self._session.done(call, error=error)
        else:
            self._session.done(call, output_of(step.result))

    def _result_of(self, call: Call) -> dict[str, Any]:
        """Make a call, and pass on what the server asks the client for."""
        params: dict[str, Any] = {"name": call.tool, "arguments": revealed(call.arguments)}
        for at in range(MAX_INPUT_ROUNDS):
            protocol = self._exchange.protocol
            if protocol:
                params[META] = protocol
            reply = self._call_server(
                "tools/call", params, seconds=self._seconds, cancellation=self._exchange.cancellation
            )
            if reply.result is None:
                raise failure_of(reply.error)
            if is_complete(reply.result):
                return reply.result
            if not is_input_required(reply.result):
                raise CallFailedError("the answer of the server is of a kind that a replay cannot wait for")
            asked, state = reply.result.get("inputRequests"), reply.result.get("requestState")
            params = {name: params[name] for name in ("name", "arguments")}
            if isinstance(asked, dict) and asked:
                params["inputResponses"] = self._exchange.ask_input(asked)
            else:
                time.sleep(BACKOFF_SECONDS[min(at, len(BACKOFF_SECONDS) - 1)])
            if state is not None:
                params["requestState"] = state
        raise CallFailedError(f"the server asked for input more than {MAX_INPUT_ROUNDS} times")
