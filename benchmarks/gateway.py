"""A server of MCP, bare and behind the gateway, and calls of one of its tools by lines on pipes."""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import time
from typing import Any

from .prototype import ROOT

SERVER = """
import json, sys
tools = [{"name": "look", "inputSchema": {"type": "object"}, "annotations": {"readOnlyHint": True}}]
for line in sys.stdin:
    frame = json.loads(line)
    if "id" not in frame:
        continue
    if frame["method"] == "initialize":
        result = {"protocolVersion": "2025-11-25", "capabilities": {}, "serverInfo": {"name": "bare", "version": "1"}}
    elif frame["method"] == "tools/list":
        result = {"tools": tools}
    else:
        result = {"content": [{"type": "text", "text": "seen"}], "structuredContent": {"seen": True}}
    sys.stdout.write(json.dumps({"jsonrpc": "2.0", "id": frame["id"], "result": result}) + "\\n")
    sys.stdout.flush()
"""
BARE = [sys.executable, "-c", SERVER]
GATEWAY = [sys.executable, "-m", "muscle_mem", "mcp", "--", *BARE]


class Peer:
    """A process that is called one line at a time."""

    def __init__(self, command: list[str]) -> None:
        pipe = subprocess.PIPE
        self._process = subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=subprocess.DEVNULL, cwd=ROOT)
        self._number = 0
        self.request("initialize", {"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "b"}})

    def request(self, method: str, params: dict[str, Any]) -> dict[str, Any]:
        self._number += 1
        line = json.dumps({"jsonrpc": "2.0", "id": self._number, "method": method, "params": params}).encode() + b"\n"
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(line)
        self._process.stdin.flush()
        answer: dict[str, Any] = json.loads(self._process.stdout.readline())
        assert answer["id"] == self._number
        assert "result" in answer
        return answer

    def look(self) -> float:
        """Call a tool; return the microseconds that it took."""
        began = time.perf_counter_ns()
        self.request("tools/call", {"name": "look", "arguments": {"order": "A-1001"}})
        return (time.perf_counter_ns() - began) / 1_000

    def run(self, task: str) -> None:
        """Begin a task, which is then recorded."""
        answer = self.request("tools/call", {"name": "muscle_mem_run", "arguments": {"task": task}})
        assert answer["result"]["structuredContent"]["status"] == "miss"

    def close(self) -> None:
        self._process.communicate()


def beside(calls: int, *, recorded: bool) -> tuple[float, float]:
    """Return the medians of calls in turns: of the bare server, and behind the gateway, in microseconds.

    A recording has 20 calls, as a long task has.
    """
    bare, relayed = Peer(BARE), Peer(GATEWAY)
    try:
        if recorded:
            relayed.run("warm up")
        for peer in (bare, relayed):
            for _ in range(20):
                peer.look()
        times: dict[str, list[float]] = {"bare": [], "relayed": []}
        for number in range(calls):
            if recorded and number % 20 == 0:
                relayed.run(f"look {number}")
            times["bare"].append(bare.look())
            times["relayed"].append(relayed.look())
    finally:
        bare.close()
        relayed.close()
    return statistics.median(times["bare"]), statistics.median(times["relayed"])
