"""Hand-written peers for the gateway: a client that speaks lines of JSON, to a process or in this one."""

from __future__ import annotations

import json
import os
import queue
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

from muscle_mem import Engine
from muscle_mem.integrations.mcp.gateway import Gateway
from muscle_mem.integrations.mcp.rules import Rules
from shop_server import MODERN, Shop

SERVER = Path(__file__).with_name("shop_server.py")
PATIENCE = 30.0
ACCEPT = {"action": "accept", "content": {"approve": True}}
ACCEPT_UNTICKED = {"action": "accept", "content": {"approve": False}}
DECLINE = {"action": "decline"}


class Client:
    """A client: it keeps the lines that it sent and got.

    `person` are the answers that a person gives, `asked` the questions.
    """

    def __init__(self, *, modern: bool = False) -> None:
        self.modern = modern
        self.capabilities: dict[str, Any] = {}
        self.sent: list[bytes] = []
        self.got: list[bytes] = []
        self.notes: list[dict[str, Any]] = []
        self.person: list[Any] = []
        self.asked: list[str] = []
        self._answers: dict[Any, queue.SimpleQueue[dict[str, Any] | None]] = {}
        self._id = 0
        self._lock = threading.Lock()

    def write(self, line: bytes) -> None:
        raise NotImplementedError

    def take(self, line: bytes) -> None:
        """Take a line of the gateway."""
        self.got.append(line)
        try:
            frame = json.loads(line)
        except ValueError:
            return
        if "method" in frame and "id" in frame:
            if frame["method"] == "elicitation/create" and self.person:
                self.asked.append(frame["params"]["message"])
                answer = self.person.pop(0)
                if answer is not None:
                    reply = {"jsonrpc": "2.0", "id": frame["id"], "result": answer}
                    threading.Thread(target=self.send, args=(reply,)).start()
        elif "method" in frame:
            self.notes.append(frame)
        else:
            self._queue(frame.get("id")).put(frame)

    def end(self) -> None:
        """Wake what waits for the gateway, which has ended."""
        with self._lock:
            waiting = list(self._answers.values())
        for each in waiting:
            each.put(None)

    def _queue(self, id: Any) -> queue.SimpleQueue[dict[str, Any] | None]:
        with self._lock:
            return self._answers.setdefault(id, queue.SimpleQueue())

    def send(self, frame: dict[str, Any] | bytes) -> None:
        line = frame if isinstance(frame, bytes) else json.dumps(frame).encode() + b"\n"
        self.sent.append(line)
        self.write(line)

    def begin(self, method: str, params: dict[str, Any] | None = None, **meta: Any) -> int:
        """Send a request, and return its id."""
        self._id += 1
        id = self._id
        params = dict(params or {})
        if self.modern:
            meta |= {
                "io.modelcontextprotocol/protocolVersion": MODERN,
                "io.modelcontextprotocol/clientInfo": {"name": "test", "version": "1"},
                "io.modelcontextprotocol/clientCapabilities": self.capabilities,
            }
        if meta:
            params["_meta"] = meta
        self.send({"jsonrpc": "2.0", "id": id, "method": method, "params": params})
        return id

    def begin_call(self, name: str, **arguments: Any) -> int:
        return self.begin("tools/call", {"name": name, "arguments": arguments})

    def wait(self, id: Any, seconds: float = PATIENCE) -> dict[str, Any]:
        frame = self._queue(id).get(timeout=seconds)
        assert frame is not None, "the gateway has ended"
        return frame

    def has_answer(self, id: Any) -> bool:
        return not self._queue(id).empty()

    def request(self, method: str, params: dict[str, Any] | None = None, **meta: Any) -> dict[str, Any]:
        return self.wait(self.begin(method, params, **meta))

    def notify(self, method: str, **params: Any) -> None:
        self.send({"jsonrpc": "2.0", "method": method, "params": params})

    def open(self, **capabilities: Any) -> dict[str, Any]:
        """Begin in the client's era, with these capabilities."""
        self.capabilities = capabilities
        if self.modern:
            return self.request("server/discover")
        info = {"name": "test", "version": "1"}
        opening = {"protocolVersion": "2025-11-25", "capabilities": capabilities, "clientInfo": info}
        opened = self.request("initialize", opening)
        self.notify("notifications/initialized")
        return opened

    def call(self, name: str, **arguments: Any) -> Any:
        """Call a tool and return its result; answer what a person is asked."""
        params: dict[str, Any] = {"name": name, "arguments": arguments}
        frame = self.request("tools/call", params)
        for _ in range(20):
            result = frame.get("result")
            if result is None or result.get("resultType") != "input_required":
                break
            answers = {}
            for key, asked in result.get("inputRequests", {}).items():
                self.asked.append(asked["params"]["message"])
                answers[key] = self.person.pop(0)
            again = {**params, "inputResponses": answers}
            if "requestState" in result:
                again["requestState"] = result["requestState"]
            frame = self.request("tools/call", again)
        assert "error" not in frame, frame
        return frame["result"]

    def run(self, task: str, **params: Any) -> dict[str, Any]:
        """Call muscle_mem_run."""
        return dict(self.call("muscle_mem_run", task=task, params=params)["structuredContent"])

    def done(self, *calls: str, succeeded: bool = True, answer: str | None = None) -> dict[str, Any]:
        """Call muscle_mem_done."""
        more = {} if answer is None else {"answer": answer}
        result = self.call("muscle_mem_done", succeeded=succeeded, calls=list(calls), **more)
        return dict(result["structuredContent"])

    def learn(self, task: str, *calls: tuple[str, dict[str, Any]], answer: str | None = None, **params: Any) -> Any:
        """Do a task by these calls, and let the gateway learn it."""
        assert self.run(task, **params)["status"] == "miss"
        for name, arguments in calls:
            self.call(name, **arguments)
        return self.done(*[name for name, _ in calls], answer=answer)

    def names(self) -> list[str]:
        """The names of all tools, over all pages."""
        found: list[str] = []
        cursor = None
        while True:
            result = self.request("tools/list", {} if cursor is None else {"cursor": cursor})["result"]
            found += [tool["name"] for tool in result["tools"]]
            cursor = result.get("nextCursor")
            if cursor is None:
                return found


class ProcessClient(Client):
    """A client of a gateway that is a process."""

    def __init__(self, command: list[str], env: dict[str, str], *, modern: bool = False) -> None:
        super().__init__(modern=modern)
        self.stderr = b""
        pipe = subprocess.PIPE
        self.process = subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=pipe, env=env)
        self._threads = [threading.Thread(target=each) for each in (self._read, self._read_errors)]
        for thread in self._threads:
            thread.start()

    def _read_errors(self) -> None:
        assert self.process.stderr is not None
        for line in self.process.stderr:
            self.stderr += line

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.take(line)
        self.end()

    def write(self, line: bytes) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(line)
        self.process.stdin.flush()

    def close(self) -> int:
        """Close the input, as a client does, and return the exit code."""
        assert self.process.stdin is not None
        try:
            self.process.stdin.close()
        except OSError:
            pass
        try:
            return self.process.wait(PATIENCE)
        finally:
            self.process.kill()
            self.process.wait()
            for thread in self._threads:
                thread.join(PATIENCE)
            for stream in (self.process.stdout, self.process.stderr):
                assert stream is not None
                stream.close()


class ShopServer:
    """The shop in a thread of this process, as the gateway sees a server."""

    def __init__(self, gateway: Gateway, options: tuple[str, ...] = ()) -> None:
        self._gateway = gateway
        self._lines: queue.SimpleQueue[bytes | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._work)
        self.shop = Shop(self._write, options, self._die)

    def _die(self) -> None:
        self._gateway.server_ended("the server has ended: exit code 3")

    def _write(self, line: str) -> None:
        self._gateway.from_server(line.encode())

    def start(self) -> None:
        self._thread.start()

    def send(self, line: bytes) -> None:
        self._lines.put(line)

    def _work(self) -> None:
        while (line := self._lines.get()) is not None:
            self.shop.take(line.decode())

    def close(self) -> None:
        self._lines.put(None)
        self._thread.join(PATIENCE)


class LocalClient(Client):
    """A client of a gateway in this process, in front of the shop."""

    def __init__(
        self,
        store: str | None,
        *,
        modern: bool = False,
        rules: Rules | None = None,
        options: tuple[str, ...] = (),
        secrets: dict[str, str] | None = None,
        mode: Any = "auto",
        trusts_annotations: bool = True,
        scope: Callable[[str], str] = "shop:{}".format,
        **more: Any,
    ) -> None:
        super().__init__(modern=modern)
        self.events: list[Any] = []
        self.warnings: list[str] = []
        self.gateway = Gateway(
            lambda name: Engine(store, scope=scope(name), mode=mode, observers=self.events.append),
            rules or Rules(),
            self.take,
            secrets or {},
            trusts_annotations=trusts_annotations,
            warn=self.warnings.append,
            **more,
        )
        self.server = ShopServer(self.gateway, options)
        self.shop = self.server.shop
        self.gateway.start(self.server)

    def write(self, line: bytes) -> None:
        self.gateway.from_client(line)

    def close(self) -> None:
        self.gateway.close()

    def calls_of(self, name: str) -> list[dict[str, Any]]:
        """The arguments of all calls of a tool that the server got."""
        frames = [json.loads(line) for line in self.shop.lines]
        return [
            frame["params"].get("arguments")
            for frame in frames
            if frame.get("method") == "tools/call" and frame["params"]["name"] == name
        ]


def server_command(*options: str) -> list[str]:
    return [sys.executable, str(SERVER), *options]


def gateway_command(*options: str, server: list[str] | None = None) -> list[str]:
    command = server_command() if server is None else server
    return [sys.executable, "-m", "muscle_mem", "mcp", *options, "--", *command]


def environment(**more: str) -> dict[str, str]:
    """The environment of a gateway in tests: small, so that no value of it is a secret by chance."""
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "TMPDIR") if name in os.environ}
    root = Path(__file__).parents[2]
    return {**kept, "PYTHONPATH": str(root / "src"), **more}
