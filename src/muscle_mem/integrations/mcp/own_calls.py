"""Requests that the gateway makes itself, to the server or to the client."""

from __future__ import annotations

import itertools
import queue
import secrets
import threading
from collections.abc import Callable
from typing import Any

import msgspec

from .frames import Frame, FrameId, notification, read_object, request


class CallStoppedError(Exception):
    """A request that got no answer: too late, cancelled, or the peer has ended."""


class CancelledRunError(CallStoppedError):
    """The client has cancelled the run that the request belongs to."""


class Reply(msgspec.Struct, frozen=True):
    """The answer to a request: a result or an error."""

    result: dict[str, Any] | None = None
    error: dict[str, Any] | None = None


class Cancellation:
    """Whether the client has cancelled a run; wakes what waits in it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._wakes: list[Callable[[], None]] = []
        self.is_cancelled = False

    def cancel(self) -> None:
        """Cancel the run."""
        with self._lock:
            self.is_cancelled = True
            wakes = list(self._wakes)
        for wake in wakes:
            wake()

    def attach(self, wake: Callable[[], None]) -> None:
        """Call `wake` when the run is cancelled, or now if it was."""
        with self._lock:
            self._wakes.append(wake)
            is_late = self.is_cancelled
        if is_late:
            wake()

    def detach(self, wake: Callable[[], None]) -> None:
        """Do not call `wake` any more."""
        with self._lock:
            self._wakes.remove(wake)


class OwnCalls:
    """The outstanding requests of the gateway to one peer.

    Args:
        send: Sends a line to the peer.
        peer: The name of the peer, for messages.
    """

    def __init__(self, send: Callable[[bytes], None], peer: str) -> None:
        self._send = send
        self._peer = peer
        self._prefix = f"muscle-mem-{secrets.token_hex(6)}-"
        self._numbers = itertools.count(1)
        self._lock = threading.Lock()
        self._waiting: dict[FrameId, queue.SimpleQueue[Reply | BaseException]] = {}
        self._ended = ""

    def call(
        self, method: str, params: dict[str, Any] | None, *, seconds: float, cancellation: Cancellation | None = None
    ) -> Reply:
        """Send a request, and return the answer.

        Raises CallStoppedError if there is none.
        """
        id = f"{self._prefix}{next(self._numbers)}"
        answers: queue.SimpleQueue[Reply | BaseException] = queue.SimpleQueue()
        with self._lock:
            if self._ended:
                raise CallStoppedError(self._ended)
            self._waiting[id] = answers

        def wake() -> None:
            answers.put(CancelledRunError("the client has cancelled the run"))

        if cancellation is not None:
            cancellation.attach(wake)
        try:
            self._send(request(id, method, params))
            found = answers.get(timeout=seconds)
        except queue.Empty:
            found = CallStoppedError(f"the {self._peer} did not answer {method} within {seconds:g} seconds")
        finally:
            if cancellation is not None:
                cancellation.detach(wake)
            with self._lock:
                self._waiting.pop(id, None)
        if isinstance(found, Reply):
            return found
        if not self._ended and method != "initialize":
            self._send(notification("notifications/cancelled", {"requestId": id, "reason": str(found)}))
        raise found

    def is_own(self, id: FrameId) -> bool:
        """Return whether an id is one that the gateway gave, outstanding or not."""
        return isinstance(id, str) and id.startswith(self._prefix)

    def resolve(self, frame: Frame) -> None:
        """Take the answer to a request of the gateway. A late one is dropped."""
        with self._lock:
            answers = self._waiting.get(frame.id)  # type: ignore[arg-type]  # A response has an id.
        if answers is None:
            return
        result, error = read_object(frame.result), read_object(frame.error)
        if (result is None) == (error is None):
            answers.put(CallStoppedError(f"the {self._peer} gave an answer that is not valid: no result and no error"))
        else:
            answers.put(Reply(result, error))

    def end(self, why: str) -> None:
        """Answer all requests, also later ones, with an error: the peer has ended."""
        with self._lock:
            self._ended = why
            waiting = list(self._waiting.values())
        for answers in waiting:
            answers.put(CallStoppedError(why))
