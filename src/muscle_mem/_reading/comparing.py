"""Differences between two trajectories."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from difflib import SequenceMatcher
from typing import Any

import msgspec

from .._core.model.records import Body, Leafwise, PartOf, Row, StepRecord
from .._core.plan.parallel import remap_record
from ..errors import InvalidValueError
from ..store import Stored
from .expressions import Outputs, expression, guard_text, snapshot_text
from .loading import load_body, load_rows
from .script import call_text
from .text import printable

SHOWN = 160


class Side(msgspec.Struct, frozen=True):
    """One side of the comparison: a trajectory with its newest recording.

    `number` counts the recordings from 1, the newest first.
    """

    name: str
    stored: Stored
    body: Body
    row: Row | None
    number: int = 1

    def outputs(self) -> Outputs:
        """Return names for positions in outputs."""
        return Outputs(self.row, self.body.steps)

    def snapshot(self, index: int, *, post: bool) -> bytes | None:
        """Return what the check of a step captured."""
        seen = () if self.row is None else self.row.post if post else self.row.pre
        return seen[index] if index < len(seen) else None


class Change(msgspec.Struct, frozen=True):
    """A difference between A and B.

    `step` is the place in A and `other` that in B, -1 if absent. `a` and `b` are both sides as text, "" if absent.
    """

    step: int
    other: int
    what: str
    a: str = ""
    b: str = ""


def side_of(name: str, stored: Stored) -> Side:
    """Return a trajectory as one side of a comparison.

    Raises InvalidValueError if it does not hold the steps of a recording.
    """
    found = load_body(stored)
    if found.flows is not None:
        raise InvalidValueError(
            f"cannot compare {name!r}: it holds flows of recordings, not steps. Pass a recording's id."
        )
    if found.body is None:
        raise InvalidValueError(f"cannot read {name!r}: {found.error}. Run `muscle-mem doctor`.")
    for number, seen in enumerate(load_rows(found), 1):
        if seen.row is not None and not seen.error:
            return Side(name, stored, found.body, seen.row, number)
    return Side(name, stored, found.body, None)


def compare(a: Side, b: Side) -> Iterator[Change]:
    """Yield the differences between two trajectories."""
    for what in ("task", "scope", "tags"):
        one, other = getattr(a.stored.sealed, what), getattr(b.stored.sealed, what)
        if one != other:
            yield Change(-1, -1, what, _as_text(one), _as_text(other))
    for what in ("params", "fixed", "equal", "equal_secrets", "leafwise", "parts"):
        one, other = getattr(a.body, what), getattr(b.body, what)
        if one != other:
            yield Change(-1, -1, what, _as_text(one), _as_text(other))
    pairs = align_steps(a.body.steps, b.body.steps)
    places = {at: other for at, other in pairs if at >= 0 and other >= 0}
    for at, other in pairs:
        if other < 0:
            yield Change(at, -1, "step", a=call_text(a.body.steps[at], a.outputs()))
        elif at < 0:
            yield Change(-1, other, "step", b=call_text(b.body.steps[other], b.outputs()))
        else:
            yield from _compare_steps(a, b, at, other, places)


def _as_text(value: Any) -> str:
    if isinstance(value, tuple):
        names = [
            one[0] if isinstance(one, tuple) and len(one) == 2 and isinstance(one[1], bytes) else one for one in value
        ]
        names = [one.name if isinstance(one, Leafwise | PartOf) else one for one in names]
        return printable(", ".join(str(one) if isinstance(one, str) else " = ".join(one) for one in names))
    return printable(value)


def align_steps(a: Sequence[StepRecord], b: Sequence[StepRecord]) -> list[tuple[int, int]]:
    """Return pairs of places in order; -1 for a step without a counterpart.

    Equal calls are paired first, then calls of the same tool.
    """
    found: list[tuple[int, int]] = []
    exact = SequenceMatcher(None, [_call(one) for one in a], [_call(one) for one in b], autojunk=False)
    for kind, a1, a2, b1, b2 in exact.get_opcodes():
        if kind == "equal":
            found += zip(range(a1, a2), range(b1, b2), strict=True)
            continue
        tools = SequenceMatcher(None, [one.tool for one in a[a1:a2]], [one.tool for one in b[b1:b2]], autojunk=False)
        for alike, c1, c2, d1, d2 in tools.get_opcodes():
            if alike == "equal":
                found += zip(range(a1 + c1, a1 + c2), range(b1 + d1, b1 + d2), strict=True)
            else:
                found += [(a1 + at, -1) for at in range(c1, c2)] + [(-1, b1 + at) for at in range(d1, d2)]
    return found


def _call(step: StepRecord) -> tuple[str, bytes]:
    return step.tool, msgspec.msgpack.encode(step.arguments)


def _compare_steps(a: Side, b: Side, at: int, other: int, places: dict[int, int]) -> Iterator[Change]:
    there = {index: places.get(index, -1 - index) for index in range(len(a.body.steps))}
    mine, yours = remap_record(a.body.steps[at], there), b.body.steps[other]
    yield from _compare_arguments(a, b, at, other, mine)
    for what, one, two in (
        ("code of the tool", mine.fingerprint, yours.fingerprint),
        ("pre-check", mine.pre, yours.pre),
        ("post-check", mine.post, yours.post),
        ("parallel group", _grouped(mine), _grouped(yours)),
    ):
        if one != two:
            yield Change(at, other, what, printable(one or "none"), printable(two or "none"))
    if set(mine.guards) != set(yours.guards):
        texts = [
            "; ".join(guard_text(guard, side.outputs()) for guard in step.guards) or "none"
            for side, step in ((a, a.body.steps[at]), (b, yours))
        ]
        yield Change(at, other, "guards", *texts)
    for what, post in (("pre saw", False), ("post saw", True)):
        one_seen, two_seen = a.snapshot(at, post=post), b.snapshot(other, post=post)
        if one_seen != two_seen:
            yield Change(at, other, what, _seen(one_seen), _seen(two_seen))


def _grouped(step: StepRecord) -> str:
    return ("late in it" if step.late else "in it") if step.group else ""


def _seen(data: bytes | None) -> str:
    return "none" if data is None else snapshot_text(data, SHOWN)


def _compare_arguments(a: Side, b: Side, at: int, other: int, mine: StepRecord) -> Iterator[Change]:
    one, two = dict(mine.arguments), dict(b.body.steps[other].arguments)
    written = dict(a.body.steps[at].arguments)
    for name in dict.fromkeys((*one, *two)):
        if one.get(name) != two.get(name):
            texts = [
                expression(side[name], of.outputs(), SHOWN) if name in side else ""
                for side, of in ((written, a), (two, b))
            ]
            yield Change(at, other, f"argument {printable(name)}", *texts)
