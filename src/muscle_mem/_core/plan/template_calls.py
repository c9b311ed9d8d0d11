"""The calls that recordings of texts with a template have in common (L15, L16)."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import msgspec

from .. import codec
from ..binding.guards.echoes import EQUAL, FIGURE, PART, SPELLED, relation
from ..binding.outputs.elements import ECHO
from ..binding.params.search import Params, literal_leaves, params_used_in, to_expression
from ..binding.suspicions.literals import witness
from ..binding.tasks.templates import NUMBERS, Template
from ..binding.texts.pieces import literal_pieces
from ..model.records import Body, Expr, Guard, Lit, Node, Row, Sec, StepRecord, Suspicion, Tpl, Witness
from ..redaction.traces import decimal_text
from .generalized import common_guards
from .strikes import place_of

STR = "builtins:str"
MAX_ENUM = 40
"""The most characters of a text that may be one of a few values."""


class Parent(NamedTuple):
    """A recording of a text: calls, one observation of them, and what is in the holes."""

    body: Body
    row: Row
    fills: Mapping[str, str]


class TemplateCalls(NamedTuple):
    """The calls of a template as if its holes had been params.

    `places` are for each hole the arguments (tool.argument) that get it. `is_narrow` says that a constant stands beside
    a number which may depend on it.
    """

    body: Body
    rows: tuple[Row, ...]
    places: Mapping[str, tuple[str, ...]]
    is_narrow: bool


def line_up_calls(
    template: Template, parents: Sequence[Parent], key: bytes, constants: Mapping[str, Sequence[str]]
) -> TemplateCalls | str:
    """Return the calls that several recordings have in common, or why there are none.

    `key` is the key of the template's tasks, `constants` are for each tool the arguments that are declared constant.
    """
    why = next(filter(None, map(_unfit, parents)), "")
    if why:
        return why
    bound = [_bound_steps(parent, constants) for parent in parents]
    first = bound[0]
    why = next(filter(None, (_difference(first, other) for other in bound[1:])), "") or _unused(template, first)
    if why:
        return why
    for parent, steps in zip(parents, bound, strict=True):
        clash = constant_fill(steps, parent.fills)
        if clash is not None:
            return f"{clash!r} occurs in a call, and no hole explains it"
        params = Params(parent.fills)
        doubtful, parts = params.ambiguous()
        if doubtful or parts:
            return "two holes may be confused"
    rows = [_row_of(parent, steps, key) for parent, steps in zip(parents, bound, strict=True)]
    if any(isinstance(row, str) for row in rows):
        return next(row for row in rows if isinstance(row, str))
    records = [
        msgspec.structs.replace(record, guards=_guards([steps[at] for steps in bound], parents))
        for at, record in enumerate(first)
    ]
    names = sorted(parents[0].fills)
    body = msgspec.structs.replace(
        parents[0].body, steps=tuple(records), params=tuple(names), kinds=(STR,) * len(names), fixed=(), order=()
    )
    return TemplateCalls(
        body, tuple([row for row in rows if isinstance(row, Row)]), _places(records), _is_narrow(template, first)
    )


def _unfit(parent: Parent) -> str:
    """Return why a recording cannot be the parent of a template, if so."""
    body = parent.body
    if body.params or body.equal_secrets or any(_has_secret(expr) for step in body.steps for _, expr in step.arguments):
        return "a recording has params or secrets"
    if any(record.group for record in body.steps):
        return "calls of a recording overlapped"
    if parent.row.refused or parent.row.refused_at != -1:
        return "a recording went around a check or a loop"
    return ""


def _has_secret(expr: Expr) -> bool:
    return isinstance(expr, Sec) or (isinstance(expr, Node) and any(map(_has_secret, expr.items)))


def _bound_steps(parent: Parent, constants: Mapping[str, Sequence[str]]) -> list[StepRecord]:
    """Return the calls of a recording with the names of holes in place of fills."""
    params = Params(parent.fills)
    return [
        msgspec.structs.replace(
            record,
            arguments=tuple(
                (name, expr if name in constants.get(record.tool, ()) else _bound(expr, params, name))
                for name, expr in record.arguments
            ),
        )
        for record in parent.body.steps
    ]


def _bound(expr: Expr, params: Params, argument: str) -> Expr:
    if isinstance(expr, Lit):
        value = codec.decode(expr.data, lenient=True)
        return to_expression(value, params, argument, vouched=frozenset(params.values))
    if isinstance(expr, Node):
        return Node(expr.kind, tuple(_bound(item, params, argument) for item in expr.items))
    return expr


def _difference(ours: Sequence[StepRecord], theirs: Sequence[StepRecord]) -> str:
    """Return how the calls of two recordings differ beside the holes, if they do."""
    if [record.tool for record in ours] != [record.tool for record in theirs]:
        return "the recordings called other tools"
    for at, (mine, other) in enumerate(zip(ours, theirs, strict=True)):
        for (name, expr), (named, others) in zip(mine.arguments, other.arguments, strict=False):
            if name != named or expr != others:
                return f"argument {name!r} of {mine.tool} (step {at}) differs, and no hole of the text explains it"
        if msgspec.structs.replace(mine, guards=()) != msgspec.structs.replace(other, guards=()):
            return f"the calls of {mine.tool} (step {at}) differ, and no hole of the text explains it"
    return ""


def _unused(template: Template, steps: Sequence[StepRecord]) -> str:
    used = {name for record in steps for _, expr in record.arguments for name in params_used_in(expr)}
    missing = [hole.name for hole in template.holes if hole.name not in used]
    return f"{missing[0]} of the text explains no argument of a call" if missing else ""


def _constants_of(steps: Sequence[StepRecord]) -> Iterator[tuple[str, Any]]:
    """Yield the values that are in no hole, each with its argument."""
    for record in steps:
        for name, expr in record.arguments:
            for leaf in literal_leaves(expr):
                yield name, leaf


def constant_fill(steps: Sequence[StepRecord], fills: Mapping[str, str]) -> str | None:
    """Return a fill that a constant equals or contains as a word, whatever its case."""
    folded = {value.casefold(): value for value in fills.values()}
    for _, leaf in _constants_of(steps):
        text = decimal_text(leaf) if type(leaf) is int else leaf
        if type(text) is str:
            words = {text.casefold().strip(), *text.casefold().split()}
            found = next((value for low, value in folded.items() if low in words), None)
            if found is not None:
                return found
    return None


def _guards(records: Sequence[StepRecord], parents: Sequence[Parent]) -> tuple[Guard, ...]:
    """Return the guards of a call that all recordings have.

    Those of fills ask for the values of the holes.
    """
    fills = {data for parent in parents for value in parent.fills.values() for data in _encodings(value)}
    common = [guard for guard in common_guards(records, {}) if guard.data not in fills]
    return (*common, *_echoes(records, parents))


def _echoes(records: Sequence[StepRecord], parents: Sequence[Parent]) -> Iterator[Guard]:
    """Yield the guards of the places that held the fill of a hole in all recordings.

    The agent may have taken the value from there.
    """
    used = {name for _, expr in records[0].arguments for name in params_used_in(expr)}
    others = [{_place_of(guard): guard for guard in record.guards} for record in records[1:]]
    for guard in records[0].guards if used else ():
        alike = [guard, *(found[_place_of(guard)] for found in others if _place_of(guard) in found)]
        if guard.kind not in ("", "figure") or len(alike) < len(records):
            continue
        for name in sorted(used):
            kinds = {_relation(own, parent.fills[name]) for own, parent in zip(alike, parents, strict=True)}
            if len(kinds) == 1 and kinds != {""}:
                data = codec.canonical([kinds.pop(), name, []])
                yield msgspec.structs.replace(guard, data=data, around=(), kind=ECHO)


def _place_of(guard: Guard) -> tuple[Any, ...]:
    return place_of(msgspec.structs.replace(guard, data=b"", around=()))


def _relation(guard: Guard, fill: str) -> str:
    """Return how the place of a guard held the fill of a hole."""
    found = relation(codec.decode(guard.data, lenient=True), fill)
    if guard.kind == "figure":
        return FIGURE if found in (EQUAL, FIGURE) else ""
    return SPELLED if guard.around and found == EQUAL else found if found != PART else ""


def _encodings(value: str) -> Iterator[bytes]:
    yield codec.canonical(value)
    if value.isdecimal():
        yield codec.canonical(int(value))


def _row_of(parent: Parent, steps: Sequence[StepRecord], key: bytes) -> Row | str:
    """Return an observation as one of a run with params, without the answer."""
    row = parent.row
    suspicions: list[tuple[Suspicion, ...]] = []
    for at, own in enumerate(row.suspicions):
        before, after = literal_pieces(parent.body.steps[at]), literal_pieces(steps[at])
        if len(before) == len(after):
            suspicions.append(own if before == after else ())
            continue
        if any(_has_text(expr) for _, expr in steps[at].arguments):
            left = {codec.canonical(piece.value) for piece in after}
            if any(codec.canonical(before[one.leaf].value) in left for one in own):
                return f"a constant of {steps[at].tool} (step {at}) may be computed from something"
            suspicions.append(())
            continue
        suspicions.append(_moved(own, [piece.value for piece in before], [piece.value for piece in after]))
    seen = row.witness or Witness()
    traces = witness(key, Params(parent.fills), seen.day, seen.process)
    return msgspec.structs.replace(row, suspicions=tuple(suspicions), witness=traces, final=None, chances=(), task=())


def _has_text(expr: Expr) -> bool:
    return isinstance(expr, Tpl) or (isinstance(expr, Node) and any(map(_has_text, expr.items)))


def _moved(own: Sequence[Suspicion], before: Sequence[Any], after: Sequence[Any]) -> tuple[Suspicion, ...]:
    """Return the suspicions of the literals that are left, in the same order."""
    numbers: dict[int, int] = {}
    at = 0
    for leaf, value in enumerate(before):
        if at < len(after) and codec.canonical(after[at]) == codec.canonical(value):
            numbers[leaf] = at
            at += 1
    return tuple(msgspec.structs.replace(one, leaf=numbers[one.leaf]) for one in own if one.leaf in numbers)


def _places(records: Sequence[StepRecord]) -> dict[str, tuple[str, ...]]:
    found: dict[str, dict[str, None]] = {}
    for record in records:
        for argument, expr in record.arguments:
            for name in params_used_in(expr):
                found.setdefault(name, {})[f"{record.tool}.{argument}"] = None
    return {name: tuple(places) for name, places in found.items()}


def _is_narrow(template: Template, steps: Sequence[StepRecord]) -> bool:
    """Return whether a constant beside a number of the text may depend on it (L16).

    It may if it is a bool, None, a number or one of a few texts, and does not stand in the text.
    """
    if not any(hole.shape in NUMBERS for hole in template.holes):
        return False
    known = template.constant_words()
    return any(_may_depend(leaf, known) for _, leaf in _constants_of(steps))


def _may_depend(leaf: Any, known: Collection[str]) -> bool:
    kind = type(leaf)
    if kind is str:
        return len(leaf) <= MAX_ENUM and not all(word in known for word in leaf.casefold().split())
    return kind in (bool, int, float, type(None)) and str(leaf).casefold() not in known
