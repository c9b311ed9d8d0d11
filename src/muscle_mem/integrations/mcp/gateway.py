"""The relay between a client and a server.

It reads a few fields of each frame, and forwards the line as it came.
"""

from __future__ import annotations

import queue
import sys
import threading
from collections.abc import Callable, Mapping
from typing import Any, Protocol

import msgspec
from msgspec import UNSET, Raw

from . import desk as desk_room
from .asking import Exchange, Sealer, refuse_state
from .desk import Desk, MakeEngine
from .frames import (
    INVALID_PARAMS,
    META,
    SERVER_ENDED,
    SERVER_INFO_KEY,
    CallParams,
    Frame,
    FrameId,
    error_response,
    read_call,
    read_frame,
    read_object,
)
from .own_calls import CancelledRunError, OwnCalls
from .own_tools import ARGUMENTS, OWN_NAMES, RUN, own_tool_lines
from .recording import PassedCall
from .rules import Rules
from .server_tools import ServerTools
from .tool_list import page_names, taken, with_own_tools

Job = Callable[[], None]


class Server(Protocol):
    """The other end of the relay."""

    def start(self) -> None:
        """Start it. Raises StartError."""
        ...

    def send(self, line: bytes) -> None:
        """Send a line."""
        ...

    def close(self) -> None:
        """End it."""
        ...


class Gateway:
    """One client and one server, and what is known of both.

    Args:
        make_engine: Returns the engine for the name of the server.
        rules: The rules of the user.
        to_client: Writes a line to the client.
        secrets: The secrets of the environment.
        trusts_annotations: Whether annotations may loosen anything.
        prefix: What stands before the names of our tools.
        idle_seconds: After how long without a call a recording ends.
        warn: Shows a line to the user, beside the protocol.
    """

    def __init__(
        self,
        make_engine: MakeEngine,
        rules: Rules,
        to_client: Callable[[bytes], None],
        secrets: Mapping[str, str],
        *,
        trusts_annotations: bool,
        prefix: str = "",
        idle_seconds: float = desk_room.IDLE_SECONDS,
        warn: Callable[[str], None] | None = None,
    ) -> None:
        self._to_client = to_client
        self._prefix = prefix
        self._warn = warn or to_stderr
        self._server: Server | None = None
        self._own_tools = own_tool_lines(prefix)
        self._own_names = {prefix + name: name for name in OWN_NAMES}
        self._sealer = Sealer()
        self._client_calls = OwnCalls(to_client, "client")
        self._server_calls = OwnCalls(self._send, "server")
        self._tools = ServerTools(rules, self._server_calls.call, trusts_annotations=trusts_annotations)
        self._desk = Desk(
            make_engine,
            rules,
            self._tools,
            self._server_calls.call,
            secrets,
            prefix=prefix,
            idle_seconds=idle_seconds,
        )
        self._jobs: queue.SimpleQueue[Job | None] = queue.SimpleQueue()
        self._worker = threading.Thread(target=self._work, name="muscle_mem gateway", daemon=True)
        self._lock = threading.Lock()
        self._open: dict[FrameId, str] = {}
        self._passed: dict[FrameId, PassedCall] = {}
        self._own_ids: set[FrameId] = set()
        self._exchange: Exchange | None = None
        self._capabilities: Any = None
        self._listed: set[str] = set()
        self._is_shadowed = False
        self._ended = ""
        self._is_closing = False

    # -- life

    def start(self, server: Server) -> None:
        """Start the server and the thread of the jobs. Raises StartError."""
        self._server = server
        self._worker.start()
        server.start()

    def close(self) -> None:
        """End the server and what is open."""
        self._is_closing = True
        if self._exchange is not None:
            self._exchange.cancellation.cancel()
        self._server_calls.end("the client has ended")
        self._client_calls.end("the client has ended")
        self._jobs.put(None)
        if self._worker.is_alive():
            self._worker.join(10)
        if self._server is not None:
            self._server.close()

    def server_ended(self, why: str) -> bool:
        """Answer everything that is outstanding with an error, since the server has ended.

        Return False if the gateway itself ends.
        """
        if self._is_closing:
            return False
        self._ended = why
        self._server_calls.end(why)
        with self._lock:
            outstanding, self._open = list(self._open), {}
            self._passed.clear()
        for id in outstanding:
            self._to_client(error_response(id, SERVER_ENDED, why))
        self._jobs.put(lambda: self._desk.end_recording(why))
        return True

    @property
    def has_ended(self) -> bool:
        """Whether the server has ended."""
        return bool(self._ended)

    def _send(self, line: bytes) -> None:
        assert self._server is not None
        self._server.send(line)

    # -- from the client

    def from_client(self, line: bytes) -> None:
        """Take a line of the client."""
        frame = read_frame(line)
        if frame is None:
            self._jobs.put(lambda: self._desk.note_unseen("the client sent a frame that is not one message"))
        elif frame.is_request:
            assert frame.id is not UNSET
            assert frame.id is not None
            if self._ended:
                self._to_client(error_response(frame.id, SERVER_ENDED, self._ended))
                return
            if frame.method == "tools/call" and self._take_call(frame.id, frame, line):
                return
            self._note_request(frame.id, frame)
        elif frame.is_response:
            if self._client_calls.is_own(frame.id):  # type: ignore[arg-type]  # A response has an id.
                self._client_calls.resolve(frame)
                return
        elif frame.method == "notifications/cancelled" and self._take_cancellation(frame):
            return
        self._send(line)

    def _note_request(self, id: FrameId, frame: Frame) -> None:
        method = str(frame.method)
        if method == "initialize":
            params = read_object(frame.params)
            self._capabilities = params.get("capabilities") if params else None
        with self._lock:
            self._open[id] = method
        if method == "tools/list" and not (read_object(frame.params) or {}).get("cursor"):
            self._listed = set()

    def _take_call(self, id: FrameId, frame: Frame, line: bytes) -> bool:
        """Take a call of a tool if it is ours, or is recorded; return whether it is."""
        params = read_call(frame)
        if params is None:
            self._jobs.put(lambda: self._desk.note_unseen("the client made a call that is not valid"))
            return False
        own = None if self._is_shadowed else self._own_names.get(params.name)
        if own is not None:
            self._take_own_call(own, id, params)
            return True
        if self._desk.recording is None:
            return False
        passed = PassedCall(id, params, line)
        with self._lock:
            self._open[id] = "tools/call"
            self._passed[id] = passed
        self._jobs.put(lambda: self._pass_on(passed))
        return True

    def _take_own_call(self, own: str, id: FrameId, params: CallParams) -> None:
        running = self._exchange
        self._own_ids.add(id)
        if params.request_state is not None:
            if running is None or not running.take_retry(id, params):
                refuse_state(self._to_client, id)
            return
        exchange = Exchange(
            id,
            params,
            to_client=self._to_client,
            client_calls=self._client_calls,
            sealer=self._sealer,
            handshake_capabilities=self._capabilities,
        )
        try:
            arguments = msgspec.convert(params.arguments or {}, ARGUMENTS[own])
        except msgspec.ValidationError as error:
            exchange.fail(INVALID_PARAMS, f"arguments of {params.name} are not valid: {error}")
            return
        if own == RUN:
            if running is not None and running.is_waiting_for_retry:
                running.cancellation.cancel()  # The client has left the question of the last run.
            elif running is not None and running.request_id is not None:
                exchange.answer(desk_room.busy_result())
                return
            self._exchange = exchange
        self._jobs.put(lambda: self._do(own, exchange, arguments))

    def _take_cancellation(self, frame: Frame) -> bool:
        """Take a cancellation; return whether it concerns us alone."""
        params = read_object(frame.params) or {}
        id = params.get("requestId")
        exchange = self._exchange
        if exchange is not None and id is not None and exchange.request_id == id:
            exchange.cancellation.cancel()
            return True
        if not isinstance(id, str | int | float):
            return False
        with self._lock:
            self._open.pop(id, None)
            passed = self._passed.pop(id, None)
            if passed is None:
                return False
            passed.is_cancelled = True
            is_sent = passed.is_sent
        self._jobs.put(lambda: self._desk.drop_call(passed))
        return not is_sent

    # -- from the server

    def from_server(self, line: bytes) -> None:
        """Take a line of the server."""
        frame = read_frame(line)
        if frame is None or not frame.is_response:
            if frame is not None and frame.method == "notifications/tools/list_changed":
                self._tools.is_stale = True
            self._to_client(line)
            return
        id: FrameId = frame.id  # type: ignore[assignment]  # A response has an id.
        if self._server_calls.is_own(id):
            self._server_calls.resolve(frame)
            return
        if id in self._own_ids:
            self._warn("the server answered a call of muscle_mem, which it did not get: the answer is dropped")
            return
        with self._lock:
            method = self._open.pop(id, "")
            passed = self._passed.pop(id, None)
        if passed is not None:
            self._jobs.put(lambda: self._take_answer(passed, frame, line))
            if passed.holds_answer:
                return
        elif method == "tools/list" and frame.result is not UNSET:
            line = self._with_own_tools(frame.result, line)
        elif method in ("initialize", "server/discover"):
            self._note_server(read_object(frame.result) or {})
        self._to_client(line)

    def _with_own_tools(self, result: Raw, line: bytes) -> bytes:
        """Return a page of the list, with our tools if it is the last one."""
        page = page_names(result)
        if page is None:
            return line
        names, is_last = page
        self._listed |= names
        shadowed = taken(self._own_names, self._listed)
        if shadowed and not self._is_shadowed:
            self._warn(
                f"the server has tools of the same names, so ours are left out: {', '.join(shadowed)}. Use --prefix."
            )
        self._is_shadowed = bool(shadowed)
        return line if shadowed or not is_last else with_own_tools(line, self._own_tools)

    def _note_server(self, result: dict[str, Any]) -> None:
        meta = result.get(META)
        info = result.get("serverInfo") or (meta.get(SERVER_INFO_KEY) if isinstance(meta, dict) else None)
        if isinstance(info, dict) and isinstance(info.get("name"), str):
            self._desk.server_name = info["name"]

    # -- jobs, in their thread

    def _work(self) -> None:
        while True:
            try:
                job = self._jobs.get(timeout=self._desk.seconds_left())
            except queue.Empty:
                self._desk.end_if_idle()
                continue
            if job is None:
                self._desk.close()
                return
            try:
                job()
            except Exception as error:  # A job answers what it can; the relay goes on.
                self._warn(f"internal error: {type(error).__name__}")

    def _do(self, own: str, exchange: Exchange, arguments: Any) -> None:
        """Do one of our calls."""
        doing: dict[str, Callable[[Exchange, Any], None]] = {
            OWN_NAMES[0]: self._desk.list_tasks,
            OWN_NAMES[1]: self._desk.run,
            OWN_NAMES[2]: self._desk.done,
        }
        try:
            doing[own](exchange, arguments)
        except CancelledRunError:
            exchange.request_id = None
        except Exception as error:
            desk_room.internal_error(exchange, error)
        finally:
            if self._exchange is exchange:
                self._exchange = None

    def _pass_on(self, passed: PassedCall) -> None:
        """Record a call of the client, and send it."""
        if not passed.is_cancelled:
            self._desk.begin_call(passed, passed.params.protocol)
        with self._lock:
            is_cancelled = passed.is_cancelled
            passed.is_sent = not is_cancelled
        if not is_cancelled:
            self._send(passed.line)

    def _take_answer(self, passed: PassedCall, frame: Frame, line: bytes) -> None:
        """Take the answer to a recorded call, and send it if it was held for a post-check."""
        self._desk.end_call(passed, frame)
        if passed.holds_answer:
            self._to_client(line)


def to_stderr(text: str) -> None:
    """Show a line to the user; standard output belongs to the protocol."""
    sys.stderr.write(f"muscle-mem mcp: {text}\n")
    sys.stderr.flush()
