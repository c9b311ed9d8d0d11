"""The agent: it asks the model for one action at a time, and makes it with a tool."""

from __future__ import annotations

import zlib
from collections.abc import Callable
from typing import Any

from .form import Desk, FormError
from .model import Model, Prompt

TURNS = 6
INTRO = (
    "Fill in the ticket form. One action per line. Fields: name, topic, priority, note. Buttons: send, draft, clear."
)
EXAMPLES = (
    ("Send a ticket about login for Nora", "empty", ("fill name Nora", "choose topic login", "press send")),
    (
        "Send a high ticket about delivery for Hugo",
        "empty",
        ("fill name Hugo", "choose topic delivery", "choose priority high", "press send"),
    ),
    (
        "Send a ticket about billing for Omar",
        "priority high",
        ("press clear", "fill name Omar", "choose topic billing", "press send"),
    ),
    (
        "Send a ticket about login for Lena with note 5120",
        "empty",
        ("fill name Lena", "choose topic login", "fill note 5120", "press send"),
    ),
    ("Send a ticket about delivery for Karl", "empty", ("fill name Karl", "choose topic delivery", "press send")),
    (
        "Send a high ticket about billing for Eva",
        "empty",
        ("fill name Eva", "choose topic billing", "choose priority high", "press send"),
    ),
    (
        "Send a ticket about delivery for Jan with note 7348",
        "note 1000",
        ("press clear", "fill name Jan", "choose topic delivery", "fill note 7348", "press send"),
    ),
    ("Send a ticket about billing for Rita", "empty", ("fill name Rita", "choose topic billing", "press send")),
)

Tools = dict[str, Callable[..., Any]]


class Agent:
    """An agent of one model. It stops when the ticket is sent, or at the first line that it cannot act on.

    Attributes:
        draw: What the samplers' seeds are made of. Rows that ask the same in the same place get the same answer.
    """

    def __init__(self, model: Model, desk: Desk, tools: Tools) -> None:
        self._model = model
        self._desk = desk
        self._tools = tools
        self.draw: tuple[Any, ...] = ()

    def __call__(self, task: str, handover: Any = None) -> None:
        form = self._desk.form
        done = [written(step.tool, *step.arguments.values()) for step in handover.executed] if handover else []
        while not form.sent and len(done) < TURNS:
            line = self._model.ask(prompt(task, form.opened_as, done), self._seed(len(done))).text
            action = parsed(line)
            if action is None:
                return
            try:
                self._tools[action[0]](*action[1:])
            except FormError:
                return
            done.append(written(*action))

    def _seed(self, turn: int) -> int:
        return zlib.crc32(repr((*self.draw, turn)).encode()) >> 1  # llama.cpp takes the highest number for "random"


def prompt(task: str, opened_as: str, done: list[str]) -> Prompt:
    """What the model is asked after these actions."""
    examples = tuple((head(text, form), actions) for text, form, actions in EXAMPLES)
    return Prompt(INTRO, examples, head(task, opened_as), tuple(done))


def head(task: str, opened_as: str) -> str:
    return f"Task: {task}\nForm: {opened_as}"


def parsed(line: str) -> tuple[str, ...] | None:
    """The tool and the arguments of a line, or None if it is not an action."""
    match line.split():
        case ["press", button]:
            return "press", button
        case [("fill" | "choose") as tool, field, *words] if words:
            return tool, field, " ".join(words)
    return None


def written(tool: str, *arguments: str) -> str:
    """An action as the model writes it."""
    return " ".join((tool, *arguments))
