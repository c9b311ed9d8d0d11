"""A model on loopback that speaks the wire formats of chat completions, responses and Anthropic's messages.

What it says is decided by a function of what it was sent, so that runs at the same time do not meet. It writes the
formats by itself, from the providers' descriptions, and shares no code with the adapters.
"""

from __future__ import annotations

import gzip
import itertools
import json
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, NamedTuple, Self

INPUT, CACHED, OUTPUT = 100, 40, 10  # the tokens that each response reports
_number = itertools.count(1)


class Wants(NamedTuple):
    """A call that the model wants made."""

    name: str
    arguments: dict[str, Any]


@dataclass
class Fails:
    """An answer that is an error of the provider."""

    status: int
    headers: dict[str, str] = field(default_factory=dict)


@dataclass
class CutOff:
    """An answer that was cut off in the middle."""

    text: str = "and then"


@dataclass
class Slow:
    """An answer that takes a while."""

    reply: Any
    seconds: float


@dataclass
class Seen:
    """What the model was sent.

    Attributes:
        path: The path of the request.
        headers: Its headers.
        body: Its body.
        system: The texts of the system.
        prompt: The last text of the user.
        results: The results behind it, as (id, text, whether it is an error).
        turn: How often the model has spoken since the prompt.
    """

    path: str
    headers: dict[str, str]
    body: dict[str, Any]
    system: str = ""
    prompt: str = ""
    results: list[tuple[str, str, bool]] = field(default_factory=list)
    turn: int = 0


Reply = str | Wants | Sequence[Wants] | Fails | CutOff | Slow | dict
Mind = Callable[[Seen], Reply]


def script(*replies: Reply) -> Mind:
    """Return a model that says one thing after the other, as often as it is asked for a task."""
    return lambda seen: replies[min(seen.turn, len(replies) - 1)]


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Be quiet about clients that hang up."""


class StubModels:
    """The server. `mind` may be exchanged at any time.

    Attributes:
        seen: What it was sent, in this order; only what is a request for a model.
        others: The paths of all other requests.
    """

    def __init__(self, mind: Mind | None = None) -> None:
        self.mind = mind or script("hello")
        self.seen: list[Seen] = []
        self.others: list[str] = []
        self.gzips = False
        self.sends_done = True
        handler = type("Handler", (_Handler,), {"stub": self})
        self._server = _Server(("127.0.0.1", 0), handler)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True)

    @property
    def asked(self) -> int:
        """How often it was asked."""
        return len(self.seen)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *raised: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


class _Handler(BaseHTTPRequestHandler):
    stub: StubModels
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        length = int(self.headers["Content-Length"] or 0)
        body = json.loads(self.rfile.read(length) or b"{}")
        path = self.path.partition("?")[0]
        wire = next((wire for end, wire in WIRES.items() if path.endswith(end)), None)
        if wire is None:
            self.stub.others.append(path)
            self._send({"object": "other", "id": "other_1", "data": [], "results": []})
            return
        seen = Seen(path, {name.lower(): value for name, value in self.headers.items()}, body)
        wire.read(seen)
        self.stub.seen.append(seen)
        reply = self.stub.mind(seen)
        if isinstance(reply, Slow):
            time.sleep(reply.seconds)
            reply = reply.reply
        if isinstance(reply, Fails):
            error = {"type": "error", "error": {"type": "api_error", "message": "the stub fails"}}
            self._send(error, reply.status, reply.headers)
            return
        payload = reply if isinstance(reply, dict) else wire.payload(reply, body)
        if body.get("stream"):
            self._stream(wire.events(payload, body, self.stub.sends_done))
        else:
            self._send(payload)

    do_GET = do_DELETE = do_POST

    def _send(self, payload: dict, status: int = 200, headers: dict[str, str] | None = None) -> None:
        content = json.dumps(payload).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("request-id", "req_1")
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        if self.stub.gzips:
            content = gzip.compress(content)
            self.send_header("Content-Encoding", "gzip")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def _stream(self, events: Iterator[tuple[str, Any]]) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Transfer-Encoding", "chunked")
        content = b"".join(_event(name, data) for name, data in events)
        if self.stub.gzips:
            content = gzip.compress(content)
            self.send_header("Content-Encoding", "gzip")
        self.end_headers()
        try:
            for start in range(0, len(content), 97):  # cut anywhere, also inside of characters
                chunk = content[start : start + 97]
                self.wfile.write(f"{len(chunk):x}\r\n".encode() + chunk + b"\r\n")
            self.wfile.write(b"0\r\n\r\n")
        except OSError:  # the client has stopped reading
            self.close_connection = True

    def log_message(self, *args: object) -> None:
        pass


def _event(name: str, data: Any) -> bytes:
    text = data if isinstance(data, str) else json.dumps(data, ensure_ascii=False)
    return (f"event: {name}\n" if name else "").encode() + f"data: {text}\n\n".encode()


def _pieces(text: str, length: int = 7) -> list[str]:
    return [text[start : start + length] for start in range(0, len(text), length)] or [""]


def _calls(reply: Reply) -> list[tuple[str, Wants]]:
    wanted = [reply] if isinstance(reply, Wants) else [] if isinstance(reply, str | CutOff) else list(reply)
    return [(f"call_stub_{next(_number)}", want) for want in wanted]


def _plain(content: Any) -> str:
    if content is None or isinstance(content, str):
        return content or ""
    return "\n".join(part["text"] for part in content if "text" in part and isinstance(part["text"], str))


class Chat:
    """POST /chat/completions."""

    def read(self, seen: Seen) -> None:
        for message in seen.body["messages"]:
            role = message["role"]
            if role in ("system", "developer"):
                seen.system += _plain(message["content"])
            elif role == "user":
                seen.prompt, seen.results, seen.turn = _plain(message["content"]), [], 0
            elif role == "assistant":
                seen.turn += 1
            else:
                seen.results.append((message["tool_call_id"], _plain(message["content"]), False))

    def payload(self, reply: Reply, body: dict) -> dict:
        calls = [
            {"id": id, "type": "function", "function": {"name": want.name, "arguments": json.dumps(want.arguments)}}
            for id, want in _calls(reply)
        ]
        text = reply.text if isinstance(reply, CutOff) else reply if isinstance(reply, str) else None
        message = {"role": "assistant", "content": text, "refusal": None}
        if calls:
            message["tool_calls"] = calls
        reason = "length" if isinstance(reply, CutOff) else "tool_calls" if calls else "stop"
        return {
            "id": f"chatcmpl-{next(_number)}",
            "object": "chat.completion",
            "created": 1,
            "model": f"{body.get('model')}-stub",
            "choices": [{"index": 0, "message": message, "logprobs": None, "finish_reason": reason}],
            "usage": {
                "prompt_tokens": INPUT,
                "completion_tokens": OUTPUT,
                "total_tokens": INPUT + OUTPUT,
                "prompt_tokens_details": {"cached_tokens": CACHED},
            },
        }

    def events(self, payload: dict, body: dict, sends_done: bool) -> Iterator[tuple[str, Any]]:
        choice = payload["choices"][0]
        head = {"id": payload["id"], "object": "chat.completion.chunk", "created": 1, "model": payload["model"]}

        def chunk(delta: dict, reason: str | None = None) -> tuple[str, Any]:
            return "", {**head, "choices": [{"index": 0, "delta": delta, "finish_reason": reason}]}

        yield chunk({"role": "assistant", "content": ""})
        for index, call in enumerate(choice["message"].get("tool_calls") or ()):
            start = {"name": call["function"]["name"], "arguments": ""}
            yield chunk({"tool_calls": [{"index": index, "id": call["id"], "type": "function", "function": start}]})
            for piece in _pieces(call["function"]["arguments"]):
                yield chunk({"tool_calls": [{"index": index, "function": {"arguments": piece}}]})
        for piece in _pieces(choice["message"]["content"] or ""):
            yield chunk({"content": piece})
        yield chunk({}, choice["finish_reason"])
        if (body.get("stream_options") or {}).get("include_usage"):
            yield "", {**head, "choices": [], "usage": payload["usage"]}
        if sends_done:
            yield "", "[DONE]"


class Responses:
    """POST /responses."""

    def read(self, seen: Seen) -> None:
        items = seen.body["input"]
        seen.system = seen.body.get("instructions") or ""
        was_model = False
        for item in [{"role": "user", "content": items}] if isinstance(items, str) else items:
            kind = item.get("type") or "message"
            is_model = kind in ("function_call", "reasoning") or item.get("role") == "assistant"
            if is_model and not was_model:
                seen.turn += 1
            if kind == "message" and item["role"] == "user":
                seen.prompt, seen.results, seen.turn = _plain(item["content"]), [], 0
            elif kind == "message" and item["role"] in ("system", "developer"):
                seen.system += _plain(item["content"])
            elif kind == "function_call_output":
                seen.results.append((item["call_id"], _plain(item["output"]), False))
            was_model = is_model

    def payload(self, reply: Reply, body: dict) -> dict:
        output: list[dict] = [
            {
                "type": "function_call",
                "id": f"fc_{id}",
                "call_id": id,
                "name": want.name,
                "arguments": json.dumps(want.arguments),
                "status": "completed",
            }
            for id, want in _calls(reply)
        ]
        if not output:
            text = reply.text if isinstance(reply, CutOff) else reply
            part = {"type": "output_text", "text": text, "annotations": []}
            message = {"type": "message", "id": f"msg_{next(_number)}", "role": "assistant", "status": "completed"}
            output = [{**message, "content": [part]}]
        is_cut = isinstance(reply, CutOff)
        return {
            "id": f"resp_{next(_number)}",
            "object": "response",
            "created_at": 1,
            "status": "incomplete" if is_cut else "completed",
            "model": f"{body.get('model')}-stub",
            "output": output,
            "error": None,
            "incomplete_details": {"reason": "max_output_tokens"} if is_cut else None,
            "instructions": None,
            "metadata": {},
            "parallel_tool_calls": True,
            "temperature": 1.0,
            "tool_choice": "auto",
            "tools": body.get("tools") or [],
            "top_p": 1.0,
            "usage": {
                "input_tokens": INPUT,
                "input_tokens_details": {"cached_tokens": CACHED},
                "output_tokens": OUTPUT,
                "output_tokens_details": {"reasoning_tokens": 0},
                "total_tokens": INPUT + OUTPUT,
            },
        }

    def events(self, payload: dict, body: dict, sends_done: bool) -> Iterator[tuple[str, Any]]:
        for number, event in enumerate(self._events(payload)):
            yield event["type"], {**event, "sequence_number": number}

    def _events(self, payload: dict) -> Iterator[dict]:
        begun = {**payload, "status": "in_progress", "output": [], "usage": None}
        yield {"type": "response.created", "response": begun}
        yield {"type": "response.in_progress", "response": begun}
        for index, item in enumerate(payload["output"]):
            at = {"output_index": index, "item_id": item["id"]}
            if item["type"] == "function_call":
                yield {"type": "response.output_item.added", "output_index": index, "item": {**item, "arguments": ""}}
                for piece in _pieces(item["arguments"]):
                    yield {"type": "response.function_call_arguments.delta", **at, "delta": piece}
                done = {"arguments": item["arguments"], "name": item["name"]}
                yield {"type": "response.function_call_arguments.done", **at, **done}
            else:
                part = item["content"][0]
                yield {"type": "response.output_item.added", "output_index": index, "item": {**item, "content": []}}
                at["content_index"] = 0
                yield {"type": "response.content_part.added", **at, "part": {**part, "text": ""}}
                for piece in _pieces(part["text"]):
                    yield {"type": "response.output_text.delta", **at, "delta": piece, "logprobs": []}
                yield {"type": "response.output_text.done", **at, "text": part["text"], "logprobs": []}
                yield {"type": "response.content_part.done", **at, "part": part}
            yield {"type": "response.output_item.done", "output_index": index, "item": item}
        yield {"type": f"response.{payload['status']}", "response": payload}


class Messages:
    """POST /v1/messages."""

    def read(self, seen: Seen) -> None:
        seen.system = _plain(seen.body.get("system"))
        for message in seen.body["messages"]:
            content = message["content"]
            blocks = [{"type": "text", "text": content}] if isinstance(content, str) else content
            results = [block for block in blocks if block["type"] == "tool_result"]
            if message["role"] == "assistant":
                seen.turn += 1
            elif results:
                seen.results += [
                    (block["tool_use_id"], _plain(block.get("content")), bool(block.get("is_error")))
                    for block in results
                ]
            else:
                seen.prompt, seen.results, seen.turn = _plain(blocks), [], 0

    def payload(self, reply: Reply, body: dict) -> dict:
        content: list[dict] = [
            {"type": "tool_use", "id": id, "name": want.name, "input": want.arguments} for id, want in _calls(reply)
        ]
        if not content:
            content = [{"type": "text", "text": reply.text if isinstance(reply, CutOff) else reply}]
        reason = "max_tokens" if isinstance(reply, CutOff) else "end_turn"
        return {
            "id": f"msg_{next(_number)}",
            "type": "message",
            "role": "assistant",
            "model": f"{body.get('model')}-stub",
            "content": content,
            "stop_reason": "tool_use" if content[0]["type"] == "tool_use" else reason,
            "stop_sequence": None,
            "usage": {
                "input_tokens": INPUT - CACHED,
                "output_tokens": OUTPUT,
                "cache_creation_input_tokens": 0,
                "cache_read_input_tokens": CACHED,
            },
        }

    def events(self, payload: dict, body: dict, sends_done: bool) -> Iterator[tuple[str, Any]]:
        usage = {**payload["usage"], "output_tokens": 1}
        begun = {**payload, "content": [], "stop_reason": None, "usage": usage}
        yield "message_start", {"type": "message_start", "message": begun}
        yield "ping", {"type": "ping"}
        for index, block in enumerate(payload["content"]):
            is_call = block["type"] == "tool_use"
            start = {**block, "input": {}} if is_call else {**block, "text": ""}
            yield "content_block_start", {"type": "content_block_start", "index": index, "content_block": start}
            for piece in _pieces(json.dumps(block["input"]) if is_call else block["text"]):
                delta = {"type": "input_json_delta", "partial_json": piece}
                if not is_call:
                    delta = {"type": "text_delta", "text": piece}
                yield "content_block_delta", {"type": "content_block_delta", "index": index, "delta": delta}
            yield "content_block_stop", {"type": "content_block_stop", "index": index}
        delta = {"stop_reason": payload["stop_reason"], "stop_sequence": None}
        output = {"output_tokens": payload["usage"]["output_tokens"]}
        yield "message_delta", {"type": "message_delta", "delta": delta, "usage": output}
        yield "message_stop", {"type": "message_stop"}


WIRES: dict[str, Any] = {"/chat/completions": Chat(), "/responses": Responses(), "/v1/messages": Messages()}
