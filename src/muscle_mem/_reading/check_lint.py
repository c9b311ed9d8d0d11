"""Checks that are probably wrong: they never failed, or never passed."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from .._core.model.records import Body
from ..store import Stored
from .examining import Finding
from .loading import load_body
from .text import count

MANY_YES = 50
MANY_NO = 5

Counts = dict[tuple[str, str], tuple[int, int]]


class Answers(msgspec.Struct):
    """The results of the checks of a store.

    `counts` are passes and failures by check and its fingerprint. Flows of recordings wait in `flows` for a recording
    of theirs: the first with the same key and tools.
    """

    counts: dict[tuple[str, str], tuple[int, int]] = msgspec.field(default_factory=dict)
    bodies: dict[tuple[bytes, tuple[str, ...]], Body] = msgspec.field(default_factory=dict)
    flows: list[tuple[Stored, tuple[str, ...]]] = msgspec.field(default_factory=list)


def collect_answers(stored: Stored, answers: Answers) -> None:
    """Add the results of the checks of one trajectory to `answers`.

    Each hit counts as one pass of each check, for each of its steps. The standing holds failures and further passes.
    """
    loaded = load_body(stored)
    if loaded.flows is not None:
        answers.flows.append((stored, loaded.flows.tools))
    elif loaded.body is not None:
        tools = tuple([step.tool for step in loaded.body.steps])
        answers.bodies.setdefault((stored.sealed.key, tools), loaded.body)
        _collect(stored, loaded.body, answers.counts)


def _collect(stored: Stored, body: Body, answers: Counts) -> None:
    prints: dict[str, str] = {}
    for step in body.steps:
        for role, fingerprint in (("pre", step.pre), ("post", step.post)):
            if fingerprint:
                check = f"{step.tool} {role}"
                prints[check] = fingerprint
                _add(answers, check, fingerprint, stored.standing.hits, 0)
    for tally in stored.standing.checks:
        if tally.check in prints:
            _add(answers, tally.check, prints[tally.check], tally.yes, tally.no)


def _add(answers: Counts, check: str, fingerprint: str, yes: int, no: int) -> None:
    before = answers.get((check, fingerprint), (0, 0))
    answers[(check, fingerprint)] = (before[0] + yes, before[1] + no)


def lint(answers: Answers) -> Iterator[Finding]:
    """Yield a notice for each check that ran often with one and the same result."""
    for stored, tools in answers.flows:
        body = answers.bodies.get((stored.sealed.key, tools))
        if body is not None:
            _collect(stored, body, answers.counts)
    answers.flows.clear()
    for (check, _), (yes, no) in sorted(answers.counts.items()):
        tool, _, role = check.rpartition(" ")
        name = f"the {role}-check of {tool}"
        if no == 0 and yes >= MANY_YES:
            what = f"{name} passed {count(yes, 'time')} and never failed. Verify that it can fail"
            yield Finding("never_no", "", what, problem=False)
        elif yes == 0 and no >= MANY_NO:
            what = f"{name} failed {count(no, 'time')} and never passed. Verify that it can pass"
            yield Finding("never_yes", "", what, problem=False)
