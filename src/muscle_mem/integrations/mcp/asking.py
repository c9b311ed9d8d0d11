"""The answers to one call of our tools, and the questions to a person in between.

Under the handshake, a question is a request to the client, `elicitation/create`. Without a handshake there is no way
back: the call is answered by a result that asks for input, and the client calls again with the answers and with the
state that it got.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import queue
import secrets
import time
from collections.abc import Callable
from typing import Any

import msgspec

from .frames import CAPABILITIES_KEY, INVALID_PARAMS, CallParams, FrameId, error_response, notification, response
from .own_calls import Cancellation, CancelledRunError, OwnCalls
from .results import INPUT_REQUIRED

APPROVE = "approve"
PERSON_SECONDS = 600.0
FORM = {
    "type": "object",
    "properties": {
        APPROVE: {"type": "boolean", "title": "Approve", "description": "Whether the steps may be replayed."}
    },
    "required": [APPROVE],
}


class AbandonedError(CancelledRunError):
    """A call that asked a person, and that the client has not made again."""


class NoQuestionsError(Exception):
    """A question for a client that has no form for it."""


class Sealer:
    """Seals what a client gives back, so that it cannot be made up or changed."""

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        self._key = secrets.token_bytes(32)
        self._clock = clock

    def seal(self, call: str, digest: str) -> str:
        """Return the state of one question, which is valid once and for ten minutes."""
        state = {"c": call, "a": digest, "n": secrets.token_hex(8), "e": self._clock() + PERSON_SECONDS}
        data = base64.urlsafe_b64encode(msgspec.json.encode(state))
        return f"{data.decode()}.{self._mac(data)}"

    def opens(self, state: str, call: str, digest: str) -> bool:
        """Return whether a state was sealed for this call and is not too old."""
        data, _, mac = state.partition(".")
        if not hmac.compare_digest(mac.encode(), self._mac(data.encode()).encode()):
            return False
        found = msgspec.json.decode(base64.urlsafe_b64decode(data))
        return bool(found["c"] == call and found["a"] == digest and self._clock() < found["e"])

    def _mac(self, data: bytes) -> str:
        return hmac.new(self._key, data, hashlib.sha256).hexdigest()


def arguments_digest(params: CallParams) -> str:
    """Return a digest of the tool and the arguments of a call."""
    data = msgspec.json.encode([params.name, params.arguments or {}], order="deterministic")
    return hashlib.sha256(data).hexdigest()


def asks_forms(capabilities: Any) -> bool:
    """Return whether a client with these capabilities can show a form to a person."""
    found = capabilities.get("elicitation") if isinstance(capabilities, dict) else None
    return isinstance(found, dict) and (not found or "form" in found)


class Exchange:
    """One call of our tools by a client, until its last answer.

    Attributes:
        request_id: The id of the request that waits for an answer, or None.
        cancellation: Whether the client has cancelled it.
    """

    def __init__(
        self,
        request_id: FrameId,
        params: CallParams,
        *,
        to_client: Callable[[bytes], None],
        client_calls: OwnCalls,
        sealer: Sealer,
        handshake_capabilities: Any,
    ) -> None:
        self.request_id: FrameId | None = request_id
        self.cancellation = Cancellation()
        self._params = params
        self._to_client = to_client
        self._client_calls = client_calls
        self._sealer = sealer
        self._handshake_capabilities = handshake_capabilities
        self._number = secrets.token_hex(8)
        self._digest = arguments_digest(params)
        self._state = ""
        self._retries: queue.SimpleQueue[CallParams | None] = queue.SimpleQueue()
        self._steps = 0

    @property
    def arguments(self) -> dict[str, Any]:
        """The arguments of the call."""
        return self._params.arguments or {}

    @property
    def protocol(self) -> dict[str, Any]:
        """The envelope for requests of this call; empty under the handshake."""
        return self._params.protocol

    @property
    def can_ask(self) -> bool:
        """Whether the client can ask a person."""
        protocol = self.protocol
        return asks_forms(protocol.get(CAPABILITIES_KEY) if protocol else self._handshake_capabilities)

    def answer(self, result: dict[str, Any]) -> None:
        """Give the last answer. A cancelled call gets none."""
        if self.protocol:
            result = {"resultType": "complete", **result}
        self._respond(lambda id: response(id, result))

    def fail(self, code: int, message: str) -> None:
        """Give an error as the last answer."""
        self._respond(lambda id: error_response(id, code, message))

    def _respond(self, line: Callable[[FrameId], bytes]) -> None:
        id, self.request_id = self.request_id, None
        if id is not None and not self.cancellation.is_cancelled:
            self._to_client(line(id))

    def report_progress(self, message: str, total: int | None = None) -> None:
        """Report a step, if the client wants to know."""
        token = self._params.progress_token
        if token is not None and self.request_id is not None:
            self._steps += 1
            params = {"progressToken": token, "progress": self._steps, "message": message}
            self._to_client(
                notification("notifications/progress", params if total is None else params | {"total": total})
            )

    # -- questions

    def is_approved(self, message: str) -> bool:
        """Ask a person for an approval.

        Raises NoQuestionsError if the client cannot ask, and CallStoppedError if it does not answer.
        """
        if not self.can_ask:
            raise NoQuestionsError("the client has no form to ask a person")
        params = {"message": message, "requestedSchema": FORM}
        if self.protocol:
            asked = {"method": "elicitation/create", "params": {"mode": "form", **params}}
            found = self.ask_input({APPROVE: asked}).get(APPROVE)
        else:
            reply = self._client_calls.call(
                "elicitation/create", params, seconds=PERSON_SECONDS, cancellation=self.cancellation
            )
            if reply.error is not None:
                raise NoQuestionsError("the client refused to ask a person")
            found = reply.result
        if not isinstance(found, dict) or found.get("action") != "accept":
            return False
        content = found.get("content")
        return isinstance(content, dict) and content.get(APPROVE) is True

    def ask_input(self, requests: dict[str, Any]) -> dict[str, Any]:
        """Answer by a result that asks for input; return the answers of the next call.

        Raises AbandonedError if there is none.
        """
        self._state = self._sealer.seal(self._number, self._digest)
        result: dict[str, Any] = {"resultType": INPUT_REQUIRED, "requestState": self._state}
        if requests:
            result["inputRequests"] = requests
        self._respond(lambda id: response(id, result))

        def wake() -> None:
            self._retries.put(None)

        self.cancellation.attach(wake)
        try:
            retry = self._retries.get(timeout=PERSON_SECONDS)
        except queue.Empty:
            retry = None
        finally:
            self.cancellation.detach(wake)
            self._state = ""
        if retry is None:
            self.cancellation.cancel()
            raise AbandonedError("the client has not called again with the answer")
        return retry.input_responses or {}

    @property
    def is_waiting_for_retry(self) -> bool:
        """Whether the client has a result that asks for input."""
        return bool(self._state)

    def take_retry(self, id: FrameId, params: CallParams) -> bool:
        """Go on with a call that has a state; return whether the state is right."""
        state = params.request_state or ""
        is_known = bool(self._state) and hmac.compare_digest(state.encode(), self._state.encode())
        if not is_known or not self._sealer.opens(state, self._number, arguments_digest(params)):
            return False
        self._state = ""
        self.request_id = id
        self._params = params
        self._retries.put(params)
        return True


def refuse_state(to_client: Callable[[bytes], None], id: FrameId) -> None:
    """Answer a call whose state is not valid."""
    reason = {"reason": "invalid_request_state"}
    to_client(error_response(id, INVALID_PARAMS, "Invalid or expired requestState", reason))
