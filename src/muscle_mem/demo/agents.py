"""Scripted agent, and the audit that compares every action with its choice."""

from __future__ import annotations

from collections.abc import Callable

from .._core.model.handover import Handover
from .page import Page
from .sight import TargetError, Thing, View
from .solvers import PuzzledError, next_action

MOST_ACTIONS = 25


class ScriptedAgent:
    """Agent that reads the page and acts until the task is finished.

    It takes `handover`, so that after a divergence it continues where the replay stopped. `on_handover` is called then.
    It returns nothing, since the page is the result. A value that no tool returned could not be replayed.
    """

    def __init__(self, page: Page) -> None:
        self._page = page
        self.calls = 0
        self.decisions = 0
        self.seconds = 0.0
        self.on_handover: Callable[[Handover], None] | None = None

    def __call__(self, instruction: str, handover: Handover | None = None) -> None:
        """Perform the instruction on the page."""
        self.calls += 1
        if handover is not None and self.on_handover is not None:
            self.on_handover(handover)
        for _ in range(MOST_ACTIONS):
            action = next_action(self._page.view(), instruction)
            if action is None:
                return
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
