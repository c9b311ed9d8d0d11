"""Scripted agent, and the audit that compares every action with its choice."""

from __future__ import annotations

from typing import Any

from .page import Page
from .sight import TargetError, Thing, View
from .solvers import PuzzledError, next_action

MOST_ACTIONS = 25


class ScriptedAgent:
    """Agent that reads the page and acts until the task is finished.

    It takes `handover`, so that after a divergence it continues where the replay stopped.
    """

    def __init__(self, page: Page) -> None:
        self._page = page
        self.calls = 0
        self.decisions = 0

    def __call__(self, instruction: str, handover: Any = None) -> str:  # noqa: ARG002 - the page shows the progress
        """Perform the instruction on the page, and return "done"."""
        self.calls += 1
        for _ in range(MOST_ACTIONS):
            action = next_action(self._page.view(), instruction)
            if action is None:
                return "done"
            self.decisions += 1
            getattr(self._page, action.verb)(*action.arguments)
        raise PuzzledError(f"task not finished: expected at most {MOST_ACTIONS} actions")


class Audit:
    """Audit of actions that differ in element or text from the choice of the solver."""

    def __init__(self) -> None:
        self.instruction = ""
        self.wrong: list[str] = []
        self.asked = 0

    def __call__(self, view: View, verb: str, thing: Thing, text: str) -> None:
        """Compare one action with the choice of the solver before it is performed."""
        self.asked += 1
        try:
            chosen = next_action(view, self.instruction)
            right = chosen is not None and view.find(chosen.target).ref == thing.ref
        except (TargetError, PuzzledError):
            chosen, right = None, False
        if not right or chosen is None or (chosen.verb, chosen.text) != (verb, text):
            self.wrong.append(f"{verb} on {thing.role} {thing.name!r}: expected {chosen}")
