"""Checks that cannot be right: those that never failed, and those that never passed."""

from __future__ import annotations

from collections.abc import Iterator

from ..store import Stored
from .examining import Finding
from .reading import load_body
from .text import count

MANY_YES = 50  # replays that a check has let through before it is worth a word that it stopped none
MANY_NO = 5

Answers = dict[tuple[str, str], tuple[int, int]]


def collect_answers(stored: Stored, said: Answers) -> None:
    """Add what the checks of one trajectory have said to `said`: (check, its fingerprint) to its passes and refusals.

    Each hit counts as one pass of each check, for each of its steps; refusals and further passes are in the standing.
    """
    body = load_body(stored).body
    if body is None:
        return
    prints: dict[str, str] = {}
    for step in body.steps:
        for role, fingerprint in (("pre", step.pre), ("post", step.post)):
            if fingerprint:
                check = f"{step.tool} {role}"
                prints[check] = fingerprint
                _add(said, check, fingerprint, stored.standing.hits, 0)
    for tally in stored.standing.checks:
        if tally.check in prints:
            _add(said, tally.check, prints[tally.check], tally.yes, tally.no)


def _add(said: Answers, check: str, fingerprint: str, yes: int, no: int) -> None:
    before = said.get((check, fingerprint), (0, 0))
    said[(check, fingerprint)] = (before[0] + yes, before[1] + no)


def lint(said: Answers) -> Iterator[Finding]:
    """A notice of each check that has been asked often and always said the same."""
    for (check, _), (yes, no) in sorted(said.items()):
        tool, _, role = check.rpartition(" ")
        name = f"the {role}-check of {tool}"
        if no == 0 and yes >= MANY_YES:
            what = f"{name} passed {count(yes, 'time')} and never failed; verify that it can fail"
            yield Finding("never_no", "", what, problem=False)
        elif yes == 0 and no >= MANY_NO:
            what = f"{name} failed {count(no, 'time')} and never passed; it may capture something that always changes"
            yield Finding("never_yes", "", what, problem=False)
