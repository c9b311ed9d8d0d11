"""A stand-in for OpenAI's chat completions on this machine, which a plan answers; for ChatOpenAI of LangChain."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

USAGE = {"prompt_tokens": 20, "completion_tokens": 5, "total_tokens": 25}
MODEL = "gpt-4o-mini-stub"


class Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Let clients close their connections."""


class ChatServer:
    """A server whose `answer` makes a message of OpenAI's form from the body of a request.

    `requests` has the bodies. An answer that is a number is an HTTP status.
    """

    def __init__(self, answer: Callable[[dict[str, Any]], Any]) -> None:
        self.answer = answer
        self.requests: list[dict[str, Any]] = []
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                outer.requests.append(body)
                message = outer.answer(body)
                if isinstance(message, int):
                    self._send(message, "application/json", b'{"error": {"message": "overloaded"}}')
                elif body.get("stream"):
                    self._send(200, "text/event-stream", _events(message))
                else:
                    reason = "tool_calls" if message.get("tool_calls") else "stop"
                    choice = {"index": 0, "message": {"role": "assistant", **message}, "finish_reason": reason}
                    whole = {"id": "c1", "object": "chat.completion", "created": 1, "model": MODEL}
                    content = json.dumps({**whole, "choices": [choice], "usage": USAGE}).encode()
                    self._send(200, "application/json", content)

            def _send(self, status: int, kind: str, content: bytes) -> None:
                self.send_response(status)
                self.send_header("Content-Type", kind)
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            def log_message(self, *_: Any) -> None:
                """Print nothing."""

        self.server = Server(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}/v1"


def _events(message: dict[str, Any]) -> bytes:
    """Return a message as the events of a stream: text word by word, the arguments of calls in halves."""
    deltas: list[dict[str, Any]] = [{"role": "assistant", "content": ""}]
    deltas += [{"content": f"{word} "} for word in (message.get("content") or "").split(" ") if word]
    if len(deltas) > 1:
        deltas[-1]["content"] = deltas[-1]["content"].rstrip()
    for index, call in enumerate(message.get("tool_calls") or []):
        text = call["function"]["arguments"]
        half = len(text) // 2
        name = {"name": call["function"]["name"], "arguments": text[:half]}
        deltas.append({"tool_calls": [{"index": index, "id": call["id"], "type": "function", "function": name}]})
        deltas.append({"tool_calls": [{"index": index, "function": {"arguments": text[half:]}}]})
    head = {"id": "c1", "object": "chat.completion.chunk", "created": 1, "model": MODEL}
    chunks = [{**head, "choices": [{"index": 0, "delta": delta, "finish_reason": None}]} for delta in deltas]
    reason = "tool_calls" if message.get("tool_calls") else "stop"
    chunks.append({**head, "choices": [{"index": 0, "delta": {}, "finish_reason": reason}]})
    chunks.append({**head, "choices": [], "usage": USAGE})
    return b"".join(b"data: %s\n\n" % json.dumps(chunk).encode() for chunk in chunks) + b"data: [DONE]\n\n"


@contextmanager
def chat_server(answer: Callable[[dict[str, Any]], Any]) -> Iterator[ChatServer]:
    """Serve answers on a free port of this machine."""
    found = ChatServer(answer)
    thread = threading.Thread(target=found.server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield found
    finally:
        found.server.shutdown()
        found.server.server_close()
        thread.join()


def call(name: str, arguments: dict[str, Any], id: str) -> dict[str, Any]:
    """A tool call of OpenAI's form."""
    return {"id": id, "type": "function", "function": {"name": name, "arguments": json.dumps(arguments)}}
