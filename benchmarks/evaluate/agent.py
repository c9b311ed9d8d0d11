"""The agent of the evaluation: a script that looks at the page, acts, and looks again."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from muscle_mem.demo.sight import View
from muscle_mem.demo.solvers import Action, PuzzledError

from .page import LabPage

MOST_ACTIONS = 40
Policy = Callable[[View, re.Match[str]], Action]
Policies = tuple[tuple[str, Policy], ...]


class ScriptedAgent:
    """Solves one task. It keeps no state, so that it can continue what a replay began."""

    def __init__(self, page: LabPage, policies: Policies) -> None:
        self._page = page
        self._policies = policies
        self.calls = 0

    def __call__(self, instruction: str, handover: Any = None) -> str:
        self.calls += 1
        for _ in range(MOST_ACTIONS):
            view = self._page.view()
            if view.done:
                return "done"
            self.act(next_action(self._policies, view, instruction))
        raise PuzzledError(f"task not finished: expected at most {MOST_ACTIONS} actions")

    def act(self, action: Action) -> None:
        perform = getattr(self._page, "perform", None)
        if perform is None:
            getattr(self._page, action.verb)(*action.arguments)
        else:
            perform(action.verb, *action.arguments)


def next_action(policies: Policies, view: View, instruction: str) -> Action:
    asked, policy = understood(policies, instruction)
    return policy(view, asked)


def understood(policies: Policies, instruction: str) -> tuple[re.Match[str], Policy]:
    """The policy for an instruction. Raises PuzzledError."""
    for pattern, policy in policies:
        asked = re.fullmatch(pattern, instruction)
        if asked:
            return asked, policy
    raise PuzzledError(f"instruction not supported: {instruction!r}")


def params_of(policies: Policies, instruction: str) -> dict[str, str]:
    """The data in an instruction: the named groups, and each item of a list by itself. None if it is not understood."""
    try:
        found, _ = understood(policies, instruction)
    except PuzzledError:
        return {}
    params: dict[str, str] = {}
    for name, text in found.groupdict().items():
        if name == "items":
            params |= {f"item_{at}": one for at, one in enumerate((text or "").split(", "), 1) if one}
        elif text:
            params[name] = text
    return params
