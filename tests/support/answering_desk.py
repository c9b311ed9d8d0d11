"""Tools that answer what a test says, and what an agent would do with the answers."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

from muscle_mem import Engine, Outcome, Reason

Agent = Callable[["Desk"], Any]


class Desk:
    """Tools that answer what a test says, and an agent; what was done is compared with what the agent would do."""

    def __init__(self, agent: Agent, **options: Any) -> None:
        self.answer: Any = None
        self.calls: list[tuple[Any, ...]] = []
        self.events: list[Any] = []
        self.engine = Engine(observers=self.events.append, **options)

        @self.engine.tool(effect="read", answers="any")
        def look(what: Any = "all", limit: int = 0) -> Any:
            return self.answer

        @self.engine.tool(effect="write")
        def take(id: Any = None, **more: Any) -> None:
            self.calls.append(("take", copy.deepcopy(id), copy.deepcopy(more)))

        @self.engine.tool(effect="write")
        def say(text: Any, *more: Any) -> None:
            self.calls.append(("say", copy.deepcopy(text), *copy.deepcopy(more)))

        self.look, self.take, self.say = look, take, say
        self.agent = agent
        self.engine.set_agent(lambda task, *_: agent(self))

    def run(self, answer: Any, **options: Any) -> Outcome:
        """Run with this answer; a hit must have done what the agent would have done."""
        self.answer = answer
        self.calls = []
        outcome = self.engine("the task", **options)
        done = self.calls
        self.calls = []
        self.engine("the task", mode="off")
        assert repr(done) == repr(self.calls), outcome
        return outcome


def is_stale(outcome: Outcome) -> bool:
    return outcome.reason == Reason.STALE_OUTPUT


def by_title(desk: Desk) -> None:
    found = [one["id"] for one in desk.look("dentist") if one["title"] == "dentist"]
    desk.take(found[0] if found else "none")
