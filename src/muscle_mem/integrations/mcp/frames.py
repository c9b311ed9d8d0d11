"""Frames of JSON-RPC: the few fields that are read, and own frames.

A frame that is relayed is never encoded again.
"""

from __future__ import annotations

import json
from typing import Any

import msgspec
from msgspec import UNSET, Raw, UnsetType

FrameId = str | int | float

PARSE_ERROR = -32700
INVALID_PARAMS = -32602
METHOD_NOT_FOUND = -32601
INTERNAL_ERROR = -32603
SERVER_ENDED = -32000

META = "_meta"
VENDOR = "io.modelcontextprotocol/"
PROTOCOL_KEY = f"{VENDOR}protocolVersion"
CAPABILITIES_KEY = f"{VENDOR}clientCapabilities"
SERVER_INFO_KEY = f"{VENDOR}serverInfo"


class Frame(msgspec.Struct, frozen=True, gc=False):
    """One message: a request, a notification or a response.

    Fields that are not named here stay in the line that it was read from.
    """

    id: FrameId | UnsetType | None = UNSET
    method: str | UnsetType = UNSET
    params: Raw | UnsetType = UNSET
    result: Raw | UnsetType = UNSET
    error: Raw | UnsetType = UNSET

    @property
    def is_request(self) -> bool:
        """Whether it asks for a response."""
        return self.method is not UNSET and self.id is not UNSET and self.id is not None

    @property
    def is_response(self) -> bool:
        """Whether it answers a request."""
        return self.method is UNSET and self.id is not UNSET and self.id is not None


CALL_NAMES = {"meta": META, "input_responses": "inputResponses", "request_state": "requestState"}


class CallParams(msgspec.Struct, frozen=True, rename=CALL_NAMES):
    """The params of `tools/call`."""

    name: str
    arguments: dict[str, Any] | None = None
    meta: dict[str, Any] | None = None
    input_responses: dict[str, Any] | None = None
    request_state: str | None = None
    task: Any = None

    @property
    def protocol(self) -> dict[str, Any]:
        """The envelope of a request without a handshake; empty where there was one."""
        meta = self.meta or {}
        if PROTOCOL_KEY not in meta:
            return {}
        return {key: value for key, value in meta.items() if key.startswith(VENDOR)}

    @property
    def progress_token(self) -> Any:
        """What the client wants reports of the progress under, or None."""
        return (self.meta or {}).get("progressToken")


_frames = msgspec.json.Decoder(Frame)
_calls = msgspec.json.Decoder(CallParams)


def read_frame(line: bytes) -> Frame | None:
    """Return the frame of a line; None for what is not one message."""
    try:
        return _frames.decode(line)
    except (msgspec.MsgspecError, UnicodeError, RecursionError, ValueError):
        return None


def read_call(frame: Frame) -> CallParams | None:
    """Return the params of a call; None if they are not valid."""
    if frame.params is UNSET:
        return None
    try:
        return _calls.decode(frame.params)
    except (msgspec.MsgspecError, UnicodeError, RecursionError, ValueError):
        return None


def read_object(raw: Raw | UnsetType) -> dict[str, Any] | None:
    """Return a JSON object; None if it is missing or something else."""
    if raw is UNSET:
        return None
    try:
        found = msgspec.json.decode(raw)
    except (msgspec.MsgspecError, UnicodeError, RecursionError, ValueError):
        return None
    return found if isinstance(found, dict) else None


def request(id: FrameId, method: str, params: dict[str, Any] | None = None) -> bytes:
    """Return the line of a request."""
    return _line({"jsonrpc": "2.0", "id": id, "method": method}, params)


def notification(method: str, params: dict[str, Any] | None = None) -> bytes:
    """Return the line of a notification."""
    return _line({"jsonrpc": "2.0", "method": method}, params)


def response(id: FrameId, result: dict[str, Any]) -> bytes:
    """Return the line of a response."""
    return encoded({"jsonrpc": "2.0", "id": id, "result": result}) + b"\n"


def error_response(id: FrameId | None, code: int, message: str, data: Any = None) -> bytes:
    """Return the line of an error."""
    error = {"code": code, "message": message} | ({} if data is None else {"data": data})
    return msgspec.json.encode({"jsonrpc": "2.0", "id": id, "error": error}) + b"\n"


def _line(frame: dict[str, Any], params: dict[str, Any] | None) -> bytes:
    return encoded(frame if params is None else frame | {"params": params}) + b"\n"


def encoded(value: Any) -> bytes:
    """Return a value as JSON."""
    try:
        return msgspec.json.encode(value)
    except OverflowError:  # A whole number of more than 64 bits.
        return json.dumps(value, separators=(",", ":")).encode()
