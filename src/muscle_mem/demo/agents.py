"""The scripted agent, and the audit that asks it about every action, replayed ones too."""

from __future__ import annotations

from typing import Any

from .page import Page
from .sight import TargetError, Thing, View
from .solvers import PuzzledError, next_action

MOST_ACTIONS = 25


class ScriptedAgent:
    """Looks, acts, looks again, until the task is over.

    It names `handover`, so that after a divergence it goes on where the replay stopped: it looks at the
    page anyway.
    """

    def __init__(self, page: Page) -> None:
        self._page = page
        self.calls = 0
        self.decisions = 0

    def __call__(self, instruction: str, handover: Any = None) -> str:  # noqa: ARG002 - the page shows it all
        """Do what the instruction says on the page; returns a word about it."""
        self.calls += 1
        for _ in range(MOST_ACTIONS):
            action = next_action(self._page.view(), instruction)
            if action is None:
                return "done"
            self.decisions += 1
            getattr(self._page, action.verb)(*action.arguments)
        raise PuzzledError(f"not done after {MOST_ACTIONS} actions")


class Audit:
    """Counts the actions that differ, in element or text, from what the solver would do on that very page."""

    def __init__(self) -> None:
        self.instruction = ""
        self.wrong: list[str] = []
        self.asked = 0

    def __call__(self, view: View, verb: str, thing: Thing, text: str) -> None:
        """Judge one action before it is done."""
        self.asked += 1
        try:
            chosen = next_action(view, self.instruction)
            right = chosen is not None and view.find(chosen.target).ref == thing.ref
        except (TargetError, PuzzledError):
            chosen, right = None, False
        if not right or chosen is None or (chosen.verb, chosen.text) != (verb, text):
            self.wrong.append(f"{verb} on {thing.role} {thing.name!r}, the solver would {chosen}")
