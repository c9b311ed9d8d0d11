"""`muscle-mem diff`: the differences between two trajectories."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from difflib import SequenceMatcher
from pathlib import Path
from typing import Any

import click
import msgspec

from ..._core.model.records import Body, Leafwise, PartOf, Row, StepRecord
from ..._core.plan.parallel import remap_record
from ...store import Stored
from ..expressions import Outputs, expression, guard_text, snapshot_text
from ..finding import get_stored
from ..opening import NotDoneError, UnusableStoreError, json_option, open_existing, store_option
from ..output import console, print_json, text
from ..reading import load_body, load_rows
from ..script import call_text
from ..text import printable
from .import_ import read_file

SHOWN = 160


class Side(msgspec.Struct, frozen=True):
    """One side of the comparison: a trajectory with its newest recording."""

    name: str
    stored: Stored
    body: Body
    row: Row | None

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


@click.command(short_help="Compare two trajectories.")
@click.argument("a", metavar="A")
@click.argument("b", metavar="B")
@json_option
@store_option
@click.pass_context
def diff(context: click.Context, a: str, b: str, as_json: bool, store: str | None) -> None:
    """Compare two trajectories, each an ID or a file that `muscle-mem export` wrote.

    The command aligns the steps. It reports steps that only one trajectory has. For the others it reports differences
    in arguments, guards, tool code, checks, and what the checks of the newest recordings captured. Trust and counts are
    not compared.

    Exit codes: 0 equal; 1 different; 2 a trajectory cannot be read.

    \b
    Example:
      muscle-mem diff 5c7a40f4 91d2e0b7 --store memory.db
      muscle-mem diff trajectories/pay-5c7a40f4aa01.json 5c7a40f4
    """
    try:
        sides = [_side(one, store) for one in (a, b)]
    except NotDoneError as error:
        raise UnusableStoreError(error.message) from error
    changes = list(_compare(*sides))
    if as_json:
        listed = [
            {
                "step": _place(change.step),
                "other": _place(change.other),
                "what": change.what,
                "a": change.a,
                "b": change.b,
            }
            for change in changes
        ]
        print_json(
            {"a": sides[0].stored.sealed.id, "b": sides[1].stored.sealed.id, "equal": not changes, "changes": listed}
        )
    else:
        _print(sides[0], sides[1], changes)
    if changes:
        context.exit(1)


def _place(step: int) -> int | None:
    return step if step >= 0 else None


def _side(name: str, store: str | None) -> Side:
    if name.endswith(".json") or "/" in name or Path(name).is_file():
        stored = read_file(Path(name))
    else:
        with open_existing(store) as source:
            stored = get_stored(source, name)
    found = load_body(stored)
    if found.flows is not None:
        raise NotDoneError(f"cannot compare {name!r}: it holds flows of recordings, not steps. Pass a recording's id.")
    if found.body is None:
        raise NotDoneError(f"cannot read {name!r}: {found.error}. Run `muscle-mem doctor`.")
    rows = [seen.row for seen in load_rows(found) if seen.row is not None and not seen.error]
    return Side(name, stored, found.body, rows[0] if rows else None)


def _compare(a: Side, b: Side) -> Iterator[Change]:
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


def _print(a: Side, b: Side, changes: Sequence[Change]) -> None:
    out = console()
    for mark, side in (("---", a), ("+++", b)):
        sealed = side.stored.sealed
        out.print(text(f"{mark} {printable(sealed.id)}  {printable(sealed.task)}", "bold"), soft_wrap=True)
    for change in changes:
        if change.step < 0 and change.other < 0:
            out.print(text(f"!  {_change_text(change)}", "yellow"), soft_wrap=True)
    for at, other in align_steps(a.body.steps, b.body.steps):
        here = [change for change in changes if (change.step, change.other) == (at, other)]
        for line, style in _step_lines(a, b, at, other, here):
            out.print(text(line, style), soft_wrap=True)
    if not changes:
        out.print(text("equal", "green"))


def _step_lines(a: Side, b: Side, at: int, other: int, changes: Sequence[Change]) -> Iterator[tuple[str, str]]:
    """Yield text and style of the lines for a pair of steps."""
    side, index = (a, at) if at >= 0 else (b, other)
    call = f"{index:>3}  {call_text(side.body.steps[index], side.outputs())}"
    if other < 0:
        yield f"- {call}", "red"
    elif at < 0:
        yield f"+ {call}", "green"
    elif not changes:
        yield f"  {call}", "dim"
    else:
        yield f"! {call}", "yellow"
        for change in changes:
            yield f"         {_change_text(change)}", "yellow"


def _change_text(change: Change) -> str:
    return f"{change.what}: {change.a or 'none'} | {change.b or 'none'}"
