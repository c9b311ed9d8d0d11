"""A server behind a URL: streamable HTTP, in both eras of the protocol.

It needs httpx2, which the extra `mcp` installs. Frames are posted and handed on as they are.
"""

from __future__ import annotations

import base64
import re
import socket
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from .frames import (
    META,
    PROTOCOL_KEY,
    SERVER_ENDED,
    Frame,
    FrameId,
    error_response,
    read_call,
    read_frame,
    read_object,
)
from .header_params import header_params
from .stdio import StartError

ACCEPT = "application/json, text/event-stream"
VERSION_HEADER = "mcp-protocol-version"
SESSION_HEADER = "mcp-session-id"
NAMED_BY = {"tools/call": "name", "prompts/get": "name", "resources/read": "uri"}
MAX_RESUMES = 2
CONNECT_SECONDS = 30.0
_PLAIN = re.compile(r"[\x20-\x7e]*")


class HttpServer:
    """A server that each frame is posted to.

    Args:
        url: The address of the server.
        headers: Headers for each request, such as Authorization.
        on_line: Gets each frame of the server, as a line.
        on_end: Gets the reason when the server cannot be used any more.
    """

    def __init__(
        self,
        url: str,
        headers: Mapping[str, str],
        on_line: Callable[[bytes], None],
        on_end: Callable[[str], Any],
    ) -> None:
        self._url = url
        self._headers = dict(headers)
        self._on_line = on_line
        self._on_end = on_end
        self._client: Any = None
        self._session_id = ""
        self._version = ""
        self._lock = threading.Lock()
        self._streams: dict[FrameId, Any] = {}
        self._schemas: dict[str, Any] = {}
        self._list_ids: set[FrameId] = set()
        self._initialize_ids: set[FrameId] = set()
        self._is_closing = False

    def start(self) -> None:
        """Make the client. Raises StartError if httpx2 is not installed."""
        try:
            import httpx2
        except ImportError as error:
            raise StartError("--url needs httpx2. Run: pip install 'muscle-mem[mcp]'") from error
        timeout = httpx2.Timeout(CONNECT_SECONDS, read=None)
        limits = httpx2.Limits(max_connections=None)
        self._client = httpx2.Client(headers=self._headers, timeout=timeout, limits=limits, follow_redirects=False)

    def send(self, line: bytes) -> None:
        """Post a frame. Each request is posted in its own thread."""
        frame = read_frame(line)
        if frame is not None and frame.is_request:
            id: FrameId = frame.id  # type: ignore[assignment]  # A request has an id.
            self._note_request(id, frame)
            threading.Thread(target=self._post_request, args=(id, frame, line), daemon=True).start()
            return
        if frame is not None and frame.method == "notifications/cancelled" and self._stops_stream(frame):
            return
        try:
            headers = self._post_headers(frame)
            self._client.post(self._url, content=line, headers=headers, timeout=CONNECT_SECONDS).read()
        except Exception:  # A notification has no answer that could say so.
            return
        if frame is not None and frame.method == "notifications/initialized":
            threading.Thread(target=self._listen, daemon=True).start()

    def _note_request(self, id: FrameId, frame: Frame) -> None:
        if frame.method == "initialize":
            self._initialize_ids.add(id)
            self._version = self._session_id = ""
        elif frame.method == "tools/list":
            self._list_ids.add(id)
        meta = (read_object(frame.params) or {}).get(META)
        version = meta.get(PROTOCOL_KEY) if isinstance(meta, dict) else None
        if isinstance(version, str):
            self._version = version

    def _stops_stream(self, frame: Frame) -> bool:
        """Stop the stream of a request; return whether that is how this era cancels."""
        if self._session_id or self._version < "2026":
            return False
        id = (read_object(frame.params) or {}).get("requestId")
        with self._lock:
            stream = self._streams.pop(id, None) if isinstance(id, str | int | float) else None
        if stream is not None:
            _shut(stream)
        return True

    def _post_headers(self, frame: Frame | None) -> dict[str, str]:
        headers = {"accept": ACCEPT, "content-type": "application/json"}
        if self._session_id:
            headers[SESSION_HEADER] = self._session_id
        if frame is None or frame.method == "initialize":
            return headers
        params = read_object(frame.params) or {}
        meta = params.get(META)
        version = meta.get(PROTOCOL_KEY) if isinstance(meta, dict) else None
        if isinstance(version, str):
            headers[VERSION_HEADER] = version
            headers["mcp-method"] = header_text(str(frame.method))
            name = params.get(NAMED_BY.get(str(frame.method), ""))
            if isinstance(name, str):
                headers["mcp-name"] = header_text(name)
            call = read_call(frame) if frame.method == "tools/call" else None
            if call is not None:
                headers |= {
                    key: header_text(text)
                    for key, text in header_params(self._schemas.get(call.name), call.arguments or {}).items()
                }
        elif self._version:
            headers[VERSION_HEADER] = self._version
        return headers

    # -- answers

    def _post_request(self, id: FrameId, frame: Frame, line: bytes) -> None:
        """Post a request and hand on what comes, up to its answer."""
        try:
            answered = self._exchange(id, frame, line)
        except Exception as error:
            if not self._is_closing:
                self._answer_error(id, f"the server cannot be reached: {type(error).__name__}")
            return
        if not answered and not self._is_closing:
            self._answer_error(id, "the server has ended the stream of a request without an answer")

    def _exchange(self, id: FrameId, frame: Frame, line: bytes) -> bool:
        """Return whether the request was answered, or was stopped by the client."""
        headers = self._post_headers(frame)
        with self._client.stream("POST", self._url, content=line, headers=headers) as answer:
            self._session_id = answer.headers.get(SESSION_HEADER, self._session_id)
            kind = answer.headers.get("content-type", "").partition(";")[0].strip().lower()
            if kind == "text/event-stream" and answer.status_code < 300:
                with self._lock:
                    self._streams[id] = answer
                try:
                    return self._hand_on_events(id, answer) or self._was_stopped(id)
                except Exception:
                    if self._was_stopped(id):
                        return True
                    raise
                finally:
                    with self._lock:
                        self._streams.pop(id, None)
            data = answer.read()
            found = read_frame(data) if kind == "application/json" else None
            if found is not None and found.is_response:
                self._hand_on(data)
                return True
            self._answer_error(id, _refusal(answer.status_code, answer.headers.get("location", ""), found))
            return True

    def _was_stopped(self, id: FrameId) -> bool:
        with self._lock:
            return id not in self._streams

    def _hand_on_events(self, id: FrameId, answer: Any) -> bool:
        """Hand on the events of a stream; resume one that breaks, if the server allows it."""
        is_answered, last = self._hand_on_stream(id, answer, "")
        for _ in range(MAX_RESUMES):
            if is_answered or not last:
                break
            headers = {**self._post_headers(None), "last-event-id": last}
            with self._client.stream("GET", self._url, headers=headers) as again:
                if again.status_code >= 300:
                    return False
                is_answered, last = self._hand_on_stream(id, again, last)
        return is_answered

    def _hand_on_stream(self, id: FrameId, stream: Any, last: str) -> tuple[bool, str]:
        """Hand on events up to the answer; return whether it came, and the last id."""
        try:
            for event_id, data in events(stream.iter_bytes()):
                last = event_id or last
                found = self._hand_on(data)
                if found is not None and found.is_response and found.id == id:
                    return True, last
        except Exception:  # The connection is lost; without an id of an event, so is the answer.
            if not last:
                raise
        return False, last

    def _hand_on(self, data: bytes) -> Frame | None:
        """Hand on a frame as a line. Line breaks in it are white space of JSON."""
        data = data.strip()
        if not data:
            return None
        line = data.replace(b"\r", b" ").replace(b"\n", b" ") + b"\n"
        frame = read_frame(line)
        if frame is not None and frame.is_response:
            self._note_answer(frame)
        self._on_line(line)
        return frame

    def _note_answer(self, frame: Frame) -> None:
        id: FrameId = frame.id  # type: ignore[assignment]  # A response has an id.
        if id in self._initialize_ids:
            self._initialize_ids.discard(id)
            version = (read_object(frame.result) or {}).get("protocolVersion")
            self._version = version if isinstance(version, str) else ""
        elif id in self._list_ids:
            self._list_ids.discard(id)
            tools = (read_object(frame.result) or {}).get("tools")
            for tool in tools if isinstance(tools, list) else ():
                if isinstance(tool, dict) and isinstance(tool.get("name"), str):
                    self._schemas[tool["name"]] = tool.get("inputSchema")

    def _answer_error(self, id: FrameId, why: str) -> None:
        self._on_line(error_response(id, SERVER_ENDED, why))

    def _listen(self) -> None:
        """Hand on what the server sends by itself, in the era that has a handshake."""
        if not self._session_id:
            return
        try:
            headers = {**self._post_headers(None), VERSION_HEADER: self._version}
            with self._client.stream("GET", self._url, headers=headers) as answer:
                if answer.status_code < 300:
                    for _, data in events(answer.iter_bytes()):
                        self._hand_on(data)
        except Exception:  # A server need not offer this stream.
            return

    def close(self) -> None:
        """End the session, and close all streams."""
        self._is_closing = True
        if self._client is None:
            return
        if self._session_id:
            try:
                headers = {SESSION_HEADER: self._session_id, VERSION_HEADER: self._version}
                self._client.delete(self._url, headers=headers, timeout=2.0)
            except Exception:  # The server may not know sessions, or be gone.
                pass
        self._client.close()


def _refusal(status: int, location: str, frame: Frame | None) -> str:
    where = f", which leads to {location}" if location else ""
    error = (read_object(frame.error) or {}).get("message") if frame is not None else None
    return f"the server answered with HTTP status {status}{where}: {error or 'no valid frame'}"


def _shut(stream: Any) -> None:
    """End a stream that another thread reads, so that the server notices."""
    try:
        stream.extensions["network_stream"].get_extra_info("socket").shutdown(socket.SHUT_RDWR)
    except Exception:  # It has ended already, or is not a socket.
        pass


def events(chunks: Iterable[bytes]) -> Iterator[tuple[str, bytes]]:
    """Yield the id and the data of each event of a stream, as the bytes that they are."""
    id = ""
    data: list[bytes] = []
    for line in _lines(chunks):
        if not line:
            if data:
                yield id, b"\n".join(data)
            id, data = "", []
            continue
        field, _, value = line.partition(b":")
        value = value.removeprefix(b" ")
        if field == b"data":
            data.append(value)
        elif field == b"id":
            id = value.decode(errors="replace")


def _lines(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """Yield lines that end in LF, CR or both, and nothing that is not complete."""
    rest = b""
    for chunk in chunks:
        text = rest + chunk
        held = b""
        if text.endswith(b"\r"):  # Perhaps the first half of an end.
            text, held = text[:-1], b"\r"
        *whole, rest = text.replace(b"\r\n", b"\n").replace(b"\r", b"\n").split(b"\n")
        rest += held
        yield from whole


def header_text(text: str) -> str:
    """Return a text as the value of a header: plain, or in base64."""
    if _PLAIN.fullmatch(text) and text == text.strip() and not (text.startswith("=?base64?") and text.endswith("?=")):
        return text
    return f"=?base64?{base64.b64encode(text.encode()).decode()}?="
