"""Model as the agent, from any endpoint with OpenAI's chat completions API."""

from __future__ import annotations

import json
import os
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from .._core.model.handover import Handover
from ..errors import MuscleMemError
from .page import Page
from .sight import FIELDS, TargetError, View

MOST_TURNS = 30
TRIES = 3
SYSTEM = (
    "You operate a web page with the given tools, one call at a time, and do exactly what the task says. "
    'A target is written role "name", as in the list of what the page shows: button "Save". '
    'Write role ~"part" to name only a part of it, and add #2 where several are alike. '
    "Choose a suggestion of a text field after typing. "
    "Use pick, not click, where you choose by comparing alternatives."
)
ONE_TARGET = {"target": "what to act on"}
TOOLS = {
    "click": ("Click one thing.", ONE_TARGET),
    "pick": ("Click one of several alternatives, chosen by comparing them.", ONE_TARGET),
    "type_text": ("Click into a text field, empty it and type.", {**ONE_TARGET, "text": "what to type"}),
    "select": ("Choose an option of a list.", {**ONE_TARGET, "text": "the option's text"}),
    "pick_date": ("Set a date field by its calendar.", {**ONE_TARGET, "text": "the date as MM/DD/YYYY"}),
}


class ModelError(MuscleMemError, RuntimeError):
    """Error of the endpoint, or of a model that did not finish the task."""


@dataclass(frozen=True)
class ChatModel:
    """Endpoint and name of a model."""

    base_url: str
    model: str
    key: str

    @classmethod
    def from_environment(cls) -> ChatModel | None:
        """Return the model of the environment, or None without OPENAI_API_KEY.

        OPENAI_BASE_URL and MUSCLE_MEM_MODEL are optional.
        """
        key = os.environ.get("OPENAI_API_KEY", "")
        if not key:
            return None
        base = os.environ.get("OPENAI_BASE_URL", "") or "https://api.openai.com/v1"
        return cls(base.rstrip("/"), os.environ.get("MUSCLE_MEM_MODEL", "") or "gpt-4o-mini", key)

    def reply(self, messages: list[dict[str, Any]]) -> dict[str, Any]:
        """Return the next message of the assistant. Raises ModelError."""
        body = {"model": self.model, "messages": messages, "tools": _schemas(), "parallel_tool_calls": False}
        answer = self._post(json.dumps(body).encode())
        try:
            message = json.loads(answer)["choices"][0]["message"]
            return dict(message)
        except (ValueError, LookupError, TypeError) as error:
            raise ModelError(
                f"request to {self.base_url} failed: expected a chat completion, got {answer[:300]!r}"
            ) from error

    def _post(self, body: bytes) -> bytes:
        request = urllib.request.Request(
            f"{self.base_url}/chat/completions",
            data=body,
            headers={"Content-Type": "application/json", "Authorization": f"Bearer {self.key}"},
        )
        for tried in range(1, TRIES + 1):
            try:
                with urllib.request.urlopen(request, timeout=120) as response:
                    return bytes(response.read())
            except urllib.error.HTTPError as error:
                content = error.read()[:300]
                if tried == TRIES or (error.code != 429 and error.code < 500):
                    raise ModelError(f"request to {self.base_url} failed: status {error.code}, {content!r}") from error
            except OSError as error:
                if tried == TRIES:
                    raise ModelError(f"request to {self.base_url} failed: {error}") from error
            time.sleep(tried)
        raise AssertionError("the last attempt returns or raises")


class ModelAgent:
    """Agent that sends the page to a model and performs the calls it requests.

    `seconds` is the time that it waited for the model. `on_handover` is called when it takes over from a replay.
    """

    def __init__(self, page: Page, model: ChatModel) -> None:
        self._page = page
        self.model = model
        self.calls = 0
        self.decisions = 0
        self.seconds = 0.0
        self.on_handover: Callable[[Handover], None] | None = None

    def __call__(self, instruction: str, handover: Handover | None = None) -> None:
        """Perform the instruction. Raises ModelError if the model stops early."""
        self.calls += 1
        if handover is not None and self.on_handover is not None:
            self.on_handover(handover)
        start = f"Task: {instruction}\n\n{listing(self._page.view())}"
        if handover is not None:
            start += "\n\nA part of the task is already done; go on from what the page shows."
        messages: list[dict[str, Any]] = [
            {"role": "system", "content": SYSTEM},
            {"role": "user", "content": start},
        ]
        for _ in range(MOST_TURNS):
            began = time.perf_counter()
            reply = self.model.reply(messages)
            self.seconds += time.perf_counter() - began
            self.decisions += 1
            calls = reply.get("tool_calls") or []
            messages.append({"role": "assistant", "content": reply.get("content") or "", "tool_calls": calls})
            if not calls:
                raise ModelError(f"task not finished: expected a tool call, got {reply.get('content')!r}")
            for call in calls:
                result = self._perform(call)
                if self._page.view().done:
                    return
                messages.append({"role": "tool", "tool_call_id": call.get("id", ""), "content": result})
        raise ModelError(f"task not finished: expected at most {MOST_TURNS} turns")

    def _perform(self, call: dict[str, Any]) -> str:
        """Perform one call, and return what the page shows then.

        An invalid call is reported to the model and does not reach the tool.
        """
        try:
            name = call["function"]["name"]
            given = json.loads(call["function"]["arguments"] or "{}")
            wanted = TOOLS[name][1]
            arguments = [str(given[key]) for key in wanted]
            self._page.view().find(arguments[0])
        except (LookupError, ValueError, TypeError) as error:
            return f"That call cannot be made: {error}"
        try:
            getattr(self._page, name)(*arguments)
        except TargetError as error:
            return f"That did not work: {error}\n\n{listing(self._page.view())}"
        return listing(self._page.view())


def listing(view: View) -> str:
    """Return the page as lines with targets, values of fields and options of lists."""
    lines = ["The page shows:"]
    for thing in view.things:
        line = f"- {view.target(thing)}"
        if thing.role in FIELDS:
            line += f" holds {thing.state!r}"
        if thing.options:
            line += f", offers {', '.join(thing.options)}"
        if thing.card and thing.card != thing.name and len(thing.card) < 200:
            line += f" ({thing.card})"
        lines.append(line)
    return "\n".join(lines)


def _schemas() -> list[dict[str, Any]]:
    return [
        {
            "type": "function",
            "function": {
                "name": name,
                "description": description,
                "parameters": {
                    "type": "object",
                    "properties": {key: {"type": "string", "description": meaning} for key, meaning in given.items()},
                    "required": list(given),
                },
            },
        }
        for name, (description, given) in TOOLS.items()
    ]


FIXED_CHARACTERS = len(SYSTEM) + len(json.dumps(_schemas())) + len("Task: \n\n")
"""The length of what every request contains, beside the instruction and the page."""
