"""The chat loop of the examples, against a scripted stand-in for an OpenAI-compatible endpoint on this machine."""

from __future__ import annotations

import json
import os
import re
import runpy
import subprocess
import sys
import threading
import urllib.error
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import pytest

from paths import ROOT

EXAMPLE = ROOT / "examples" / "chat_loop.py"
TASK = "get the letter ready"
PLAN = [("look", {"thing": "drawer"}), ("change", {"thing": "drawer", "state": "open"}), ("look", {"thing": "letter"})]


def saying(*calls: tuple[str, dict[str, Any]], text: str | None = None) -> dict[str, Any]:
    """An assistant's message that wants these calls."""
    message: dict[str, Any] = {"role": "assistant", "content": text}
    if calls:
        message["tool_calls"] = [
            {"id": f"call_{index}", "type": "function", "function": {"name": name, "arguments": json.dumps(arguments)}}
            for index, (name, arguments) in enumerate(calls)
        ]
    return message


class Endpoint:
    """A stand-in whose replies are scripted; `heard` has the messages of each request."""

    def __init__(self) -> None:
        self.script: list[dict[str, Any]] = []
        self.heard: list[list[dict[str, Any]]] = []
        self.bodies: list[dict[str, Any]] = []
        endpoint = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                endpoint.heard.append(body["messages"])
                endpoint.bodies.append(body)
                known = self.path == "/v1/chat/completions" and bool(endpoint.script)
                message = endpoint.script.pop(0) if known else {}
                answer = json.dumps({"choices": [{"message": message}]}).encode()
                self.send_response(200 if known else 500)
                self.send_header("Content-Length", str(len(answer)))
                self.end_headers()
                self.wfile.write(answer)

            def log_message(self, *args: Any) -> None: ...

        self.server = HTTPServer(("127.0.0.1", 0), Handler)
        self.thread = threading.Thread(target=self.server.serve_forever, args=(0.01,))
        self.thread.start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server.server_port}/v1"

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()


class Loop:
    """The example, loaded afresh, talking to an endpoint of its own."""

    def __init__(self, endpoint: Endpoint) -> None:
        self.names = runpy.run_path(str(EXAMPLE))
        self.endpoint = endpoint
        self.model = self.names["Model"](endpoint.url)
        self.desk = self.names["desk"]
        self.fresh = dict(self.desk)
        self.calls: list[tuple[bool, str, dict[str, Any]]] = []
        make = self.names["chat"].__globals__["execute"]

        def execute(call: Any) -> Any:
            self.calls.append((call.replayed, call.name, call.arguments))
            return make(call)

        self.names["chat"].__globals__["execute"] = execute

    def run(self, *script: dict[str, Any], world: dict[str, str] | None = None, **options: Any) -> Any:
        """One task in a world, with what the model will say."""
        self.desk.update({**self.fresh, **(world or {})})
        self.endpoint.script[:] = script
        self.endpoint.heard.clear()
        self.calls.clear()
        return self.names["chat"](self.model, TASK, **options)


@pytest.fixture
def loop() -> Iterator[Loop]:
    endpoint = Endpoint()
    try:
        yield Loop(endpoint)
    finally:
        endpoint.close()


def test_the_loop_learns_replays_hands_over_in_the_middle_and_learns_that(loop: Loop) -> None:
    first = loop.run(*(saying(call) for call in PLAN), saying(text="ready"))
    assert first.status == "miss"
    assert first.learned
    assert first.value == "ready"
    assert loop.calls == [(False, *call) for call in PLAN]
    assert len(loop.endpoint.heard) == 4

    second = loop.run()
    assert second.status == "hit"
    assert second.steps == 3
    assert loop.calls == [(True, *call) for call in PLAN]
    assert not loop.endpoint.heard

    stamp = ("change", {"thing": "stamp", "state": "found"})
    moved = {"letter": "under the drawer"}
    third = loop.run(saying(PLAN[2], stamp), saying(text="ready"), world=moved)
    assert third.status == "diverged"
    assert third.reason == "check_refused"
    assert third.learned
    assert loop.calls == [(True, *call) for call in PLAN[:2]] + [(False, *PLAN[2]), (False, *stamp)]

    fourth = loop.run(world=moved)
    assert fourth.status == "hit"
    assert not loop.endpoint.heard
    assert loop.calls == [(True, *call) for call in [*PLAN, stamp]]
    assert loop.desk == {"drawer": "open", "letter": "under the drawer", "stamp": "found"}


def test_the_model_is_shown_the_replayed_steps_as_if_it_had_made_them(loop: Loop) -> None:
    loop.run(*(saying(call) for call in PLAN), saying(text="ready"))
    loop.run(saying(PLAN[2]), saying(text="ready"), world={"letter": "gone"})
    opening, after = loop.endpoint.heard
    assert [message["role"] for message in opening] == ["system", "user", "assistant", "tool", "assistant", "tool"]
    made = [message["tool_calls"][0] for message in opening if message["role"] == "assistant"]
    assert [(call["function"]["name"], json.loads(call["function"]["arguments"])) for call in made] == PLAN[:2]
    answers = [message for message in opening if message["role"] == "tool"]
    assert [message["tool_call_id"] for message in answers] == [call["id"] for call in made]
    assert [message["content"] for message in answers] == ["locked", "the drawer is open now"]
    assert after[: len(opening)] == opening
    assert after[-1]["content"] == "gone"


def test_absorbed_calls_are_answered_and_not_made_again(loop: Loop) -> None:
    loop.run(*(saying(call) for call in PLAN), saying(text="ready"))
    outcome = loop.run(saying(*PLAN), saying(text="ready"), world={"letter": "gone"}, on_divergence="absorb")
    assert outcome.status == "diverged"
    assert outcome.learned
    made = [(replayed, name) for replayed, name, _ in loop.calls]
    assert made == [(True, "look"), (True, "change"), (False, "look"), (False, "look")]
    told = [message["content"] for message in loop.endpoint.heard[-1] if message["role"] == "tool"]
    assert told[-3:] == ["open", "the drawer is open now", "gone"]  # only the effect is answered


def test_an_endpoint_that_fails_ends_the_run_and_the_next_one_is_as_ever(loop: Loop) -> None:
    with pytest.raises(urllib.error.HTTPError) as raised:
        loop.run(saying(PLAN[0]))
    raised.value.close()
    assert loop.names["engine"].cache_info().learned == 0
    assert loop.run(saying(PLAN[0]), saying(text="ready")).learned
    assert loop.run()


def test_a_tool_that_fails_is_told_to_the_model(loop: Loop) -> None:
    outcome = loop.run(saying(("look", {"thing": "moon"})), saying(PLAN[0]), saying(text="ready"))
    assert outcome.learned  # a call that only reads, and failed, is left out
    assert loop.endpoint.heard[1][-1]["content"] == "error: 'moon'"


def test_the_example_runs_offline_by_itself() -> None:
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("OPENAI_", "MUSCLE_MEM"))}
    done = subprocess.run(
        [sys.executable, "-W", "error", str(EXAMPLE)], env=environment, capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr
    ends = [line for line in done.stdout.splitlines() if "->" in line]
    assert [line.split()[1].strip(":") for line in ends] == ["miss", "hit", "diverged", "hit"]
    assert [re.search(r"asked (\d+) times", line).group(1) for line in ends] == ["5", "0", "3", "0"]


def test_the_report_says_what_happened_and_why_a_run_was_not_learned(loop: Loop) -> None:
    outcome = loop.run(saying(text="I would rather talk."))  # a small model may call no tool at all
    text = loop.names["report"](outcome, 1)
    assert text.startswith(
        "miss (new_task): 0 calls were replayed, the model was asked 1 times; not learned (no_calls: "
    )
    again = loop.run(*(saying(call) for call in PLAN), saying(text="ready"))
    assert loop.names["report"](again, 4).endswith("; learned")


def test_a_model_that_never_finishes_is_stopped(loop: Loop) -> None:
    with pytest.raises(RuntimeError, match="has not finished"):
        loop.run(*[saying(("look", {"thing": "drawer"}))] * 40)
    assert len(loop.endpoint.heard) == 12


def test_calls_that_cannot_be_read_are_reported_to_the_model(loop: Loop) -> None:
    broken = saying(PLAN[0])
    broken["tool_calls"][0]["function"]["arguments"] = "{not json"
    outcome = loop.run(broken, *(saying(call) for call in PLAN), saying(text="ready"))
    assert outcome.learned
    assert loop.endpoint.heard[1][-1]["role"] == "tool"
    assert loop.endpoint.heard[1][-1]["content"].startswith("error: ")
    assert [call for _, *call in loop.calls] == [list(call) for call in PLAN]


def test_the_answer_of_the_model_is_limited(loop: Loop) -> None:
    loop.run(*(saying(call) for call in PLAN), saying(text="ready"))
    assert all(body["max_tokens"] == 500 for body in loop.endpoint.bodies)
