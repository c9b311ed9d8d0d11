"""Streamable HTTP towards the server: frames as they are, headers, sessions, streams that break, and refusals."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

pytest.importorskip("httpx2", reason="httpx2 is not installed")

from gateway_peers import ProcessClient, environment
from muscle_mem.integrations.mcp.http import events, header_text
from shop_server import MODERN, Shop

SESSION = "session-4711"


class Web:
    """The shop behind HTTP, hand-written: it keeps the requests that it got, with their headers."""

    def __init__(self, *, sse: bool, session: bool, options: tuple[str, ...] = ()) -> None:
        self.sse, self.session = sse, session
        self.requests: list[tuple[str, dict[str, str], bytes]] = []
        self.frames: list[bytes] = []
        self.special: dict[str, Callable[[Any], bool]] = {}
        self.options = options
        self.shop = Shop(lambda line: None, options)
        web = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *_: Any) -> None:
                pass

            def do_POST(self) -> None:
                web.post(self)

            def do_GET(self) -> None:
                web.note(self, b"")
                if not web.special.get("GET", lambda _: False)(self):
                    self.send_response(405)
                    self.send_header("content-length", "0")
                    self.end_headers()

            def do_DELETE(self) -> None:
                web.note(self, b"")
                self.send_response(204)
                self.end_headers()

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}/mcp"
        self._thread = threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.02})
        self._thread.start()

    def note(self, handler: Any, body: bytes) -> None:
        headers = {name.lower(): value for name, value in handler.headers.items()}
        self.requests.append((handler.command, headers, body))

    def post(self, handler: Any) -> None:
        body = handler.rfile.read(int(handler.headers["content-length"]))
        self.note(handler, body)
        frame = json.loads(body)
        name = frame.get("params", {}).get("name") or frame.get("method", "")
        if self.special.get(name, lambda _: False)(handler):
            return
        answers: list[bytes] = []
        self.shop.write = lambda line: answers.append(line.encode())
        self.shop.take(body.decode())
        if "id" not in frame or "method" not in frame:
            handler.send_response(202)
            handler.send_header("content-length", "0")
            handler.end_headers()
            return
        handler.send_response(200)
        if self.session and frame["method"] == "initialize":
            handler.send_header("mcp-session-id", SESSION)
        if self.sse:
            self.begin_events(handler)
            for number, line in enumerate(answers):
                self.event(handler, line, id=str(number))
        else:
            (data,) = answers
            handler.send_header("content-type", "application/json; charset=utf-8")
            handler.send_header("content-length", str(len(data)))
            handler.end_headers()
            self.send(handler, data, data)

    def begin_events(self, handler: Any) -> None:
        handler.send_header("content-type", "text/event-stream")
        handler.send_header("connection", "close")
        handler.end_headers()
        handler.close_connection = True

    def event(self, handler: Any, line: bytes, id: str = "") -> None:
        head = f"id: {id}\r\n".encode() if id else b""
        event = b": comment\r\nevent: message\r\n" + head + b"data: " + line.rstrip(b"\n") + b"\r\n\r\n"
        self.send(handler, line, event)

    def send(self, handler: Any, frame: bytes, data: bytes) -> None:
        # The frame is kept first: the client may compare as soon as the data has arrived.
        self.frames.append(frame)
        handler.wfile.write(data)
        handler.wfile.flush()

    def headers_of(self, name: str) -> dict[str, str]:
        """The headers of the last request of a method or tool."""
        return next(headers for _, headers, body in reversed(self.requests) if f'"{name}"'.encode() in body)

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()
        self._thread.join(10)


@pytest.fixture
def serve(request):
    made: list[Web | ProcessClient] = []

    def start(*, modern=False, sse=True, session=True, words=(), **env) -> tuple[Web, ProcessClient]:
        import sys

        web = Web(sse=sse, session=session and not modern)
        command = [sys.executable, "-m", "muscle_mem", "mcp", "--url", web.url, *words]
        client = ProcessClient(command, environment(**env), modern=modern)
        made.extend((client, web))
        return web, client

    yield start
    for each in made:
        each.close()


@pytest.mark.parametrize("sse", [True, False], ids=["events", "json"])
def test_frames_are_the_same_on_both_sides(serve, modern, sse):
    web, client = serve(modern=modern, sse=sse)
    client.open()
    client.request("shop/extension", {"deep": [1.50, None, "\u2028 \u0085 \u00e9 \U0001f600"]}, trace="00-1")
    client.request("tools/call", {"name": "look", "arguments": {"order": "A-1"}, "x-param": 1})
    client.request("tools/call", {"name": "unknown"})
    client.send(b'{ "jsonrpc":"2.0" , "id" : "odd \\u00e9", "method":"shop/extension","params":{"a":1e3} }\n')
    client.wait("odd \u00e9")
    assert b"".join(body for command, _, body in web.requests if command == "POST") == b"".join(client.sent)
    assert client.got == web.frames


def test_progress_arrives_before_the_answer(serve, modern):
    _, client = serve(modern=modern)
    client.open()
    client.request("tools/call", {"name": "look", "arguments": {"order": "A-1"}}, progressToken="p")
    assert [note["params"]["x-note"] for note in client.notes] == ["half"]


def test_a_session_has_its_headers_and_is_ended(serve):
    web, client = serve()
    client.open()
    client.request("tools/list")
    headers = web.headers_of("tools/list")
    assert (headers["mcp-session-id"], headers["mcp-protocol-version"]) == (SESSION, "2025-11-25")
    assert "mcp-session-id" not in web.headers_of("initialize")
    client.close()
    command, headers, _ = web.requests[-1]
    assert (command, headers["mcp-session-id"]) == ("DELETE", SESSION)


def test_an_envelope_has_its_headers(serve):
    web, client = serve(modern=True)
    client.open()
    tools = web.shop.tools()
    tools[0]["inputSchema"]["properties"]["order"]["x-mcp-header"] = "Order"
    web.shop.tools = lambda: tools
    client.request("tools/list")
    client.call("look", order="S\u00fcd")
    headers = web.headers_of("look")
    assert headers["mcp-protocol-version"] == MODERN
    assert headers["mcp-method"] == "tools/call"
    assert headers["mcp-name"] == "look"
    assert headers["mcp-param-order"] == "=?base64?U8O8ZA==?="


def test_headers_come_from_the_environment_and_are_secrets(serve, tmp_path):
    store = tmp_path / "memory.db"
    rules = tmp_path / "rules.toml"
    rules.write_text('trust = "auto"\n[tools.note]\neffect = "write"\n')
    word = "Bearer of-a-long-token"
    words = ("--header-env", "Authorization=SHOP_AUTH", "--store", str(store), "--rules", str(rules))
    web, client = serve(words=words, SHOP_AUTH=word)
    client.open()
    assert web.headers_of("initialize")["authorization"] == word
    client.learn("note", ("note", {"order": "A-1", "text": word}))
    assert client.run("note")["status"] == "hit"
    client.learn("note the token", ("note", {"order": "A-1", "text": word.removeprefix("Bearer ")}))
    assert client.run("note the token")["status"] == "hit"
    client.close()
    assert b"of-a-long-token" not in b"".join(path.read_bytes() for path in tmp_path.iterdir() if path != rules)
    assert word.encode() not in b"".join(path.read_bytes() for path in tmp_path.iterdir() if path != rules)


@pytest.mark.parametrize("status", [401, 404, 500, 302])
def test_a_refusal_of_the_web_server_is_an_error_with_its_status(serve, modern, status):
    web, client = serve(modern=modern)
    client.open()

    def refuse(handler: Any) -> bool:
        handler.send_response(status)
        handler.send_header("content-type", "text/html")
        handler.send_header("location", "http://127.0.0.1:9/else")
        handler.send_header("content-length", "2")
        handler.end_headers()
        handler.wfile.write(b"no")
        return True

    web.special["look"] = refuse
    error = client.request("tools/call", {"name": "look"})["error"]
    assert error["code"] == -32000
    assert f"HTTP status {status}" in error["message"]


def test_a_stream_that_breaks_is_resumed_after_the_last_event(serve):
    web, client = serve()
    client.open()

    def breaks(handler: Any) -> bool:
        handler.send_response(200)
        web.begin_events(handler)
        web.event(handler, b'{"jsonrpc":"2.0","method":"notifications/message","params":{"data":1}}', id="e-7")
        return True

    def resumes(handler: Any) -> bool:
        if handler.headers.get("last-event-id") != "e-7":
            return False
        handler.send_response(200)
        web.begin_events(handler)
        id = next(json.loads(body)["id"] for _, _, body in reversed(web.requests) if b'"look"' in body)
        web.event(handler, json.dumps({"jsonrpc": "2.0", "id": id, "result": {"content": []}}).encode(), id="e-8")
        return True

    web.special.update({"look": breaks, "GET": resumes})
    assert client.request("tools/call", {"name": "look"})["result"] == {"content": []}


def test_a_stream_that_ends_without_an_answer_is_an_error(serve, modern):
    web, client = serve(modern=modern)
    client.open()

    def ends(handler: Any) -> bool:
        handler.send_response(200)
        web.begin_events(handler)
        return True

    web.special["look"] = ends
    error = client.request("tools/call", {"name": "look"})["error"]
    assert "without an answer" in error["message"]


def test_what_the_server_sends_by_itself_arrives(serve):
    web, client = serve()
    changed = b'{"jsonrpc":"2.0","method":"notifications/tools/list_changed","x-why":"new"}'

    def listens(handler: Any) -> bool:
        assert handler.headers["mcp-session-id"] == SESSION
        handler.send_response(200)
        web.begin_events(handler)
        web.event(handler, changed)
        return True

    web.special["GET"] = listens
    client.open()
    end = time.monotonic() + 20
    while not client.notes:
        assert time.monotonic() < end
        time.sleep(0.01)
    assert client.got[-1] == changed + b"\n"


def test_a_cancellation_ends_the_stream_where_that_is_how_to_cancel(serve):
    web, client = serve(modern=True)
    client.open()
    ended = threading.Event()

    def hangs(handler: Any) -> bool:
        handler.send_response(200)
        web.begin_events(handler)
        handler.connection.settimeout(20)
        try:
            if handler.connection.recv(1) == b"":
                ended.set()
        except OSError:
            pass
        return True

    web.special["look"] = hangs
    id = client.begin_call("look", order="A-1")
    while not any(b'"look"' in body for _, _, body in web.requests):
        time.sleep(0.01)
    for _ in range(100):  # Until the head of the answer has come.
        client.notify("notifications/cancelled", requestId=id)
        if ended.wait(0.1):
            break
    assert ended.is_set()
    assert client.call("picture")["content"]
    assert not client.has_answer(id)
    assert not any(b"notifications/cancelled" in body for _, _, body in web.requests)


def test_a_cancellation_is_posted_in_the_other_era(serve):
    web, client = serve()
    client.open()
    client.notify("notifications/cancelled", requestId=99)
    client.request("tools/list")
    assert any(b"notifications/cancelled" in body for _, _, body in web.requests)


def test_a_variable_that_is_not_set_is_a_usage_error():
    import subprocess
    import sys

    words = [sys.executable, "-m", "muscle_mem", "mcp", "--url", "http://127.0.0.1:9/", "--header-env", "A=NOT_SET"]
    done = subprocess.run(words, env=environment(), capture_output=True, text=True, stdin=subprocess.DEVNULL)
    assert done.returncode == 2
    assert "'NOT_SET' of the header 'A' is not set" in done.stderr


@pytest.fixture(params=["handshake", "envelopes"])
def modern(request: pytest.FixtureRequest) -> bool:
    return bool(request.param == "envelopes")


def test_events_are_read_whatever_ends_a_line_and_wherever_chunks_end():
    stream = b'id: 1\r\ndata: {"a":\r\ndata: 1}\r\n\r\n: x\rdata:\xe2\x80\xa8b\r\rdata: c\n\nid\ndata: cut'
    expected = [("1", b'{"a":\n1}'), ("", b"\xe2\x80\xa8b"), ("", b"c")]
    for size in (1, 2, 3, 7, 1000):
        chunks = [stream[at : at + size] for at in range(0, len(stream), size)]
        assert list(events(chunks)) == expected


def test_header_values_are_plain_or_in_base64():
    assert header_text("plain text") == "plain text"
    assert header_text(" edge") == "=?base64?IGVkZ2U=?="
    assert header_text("=?base64?eA==?=") == "=?base64?PT9iYXNlNjQ/ZUE9PT89?="
