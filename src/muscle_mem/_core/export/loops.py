"""Loops over whole lists in a recording that is written as Python (L13)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from ...errors import DecodeError
from .. import codec
from ..binding.references.for_each import Item, ItemRef, Way, leaves_of, value_in
from ..binding.references.lined_up import BODY, ELEMENT, Slot, UnfoldableError, Walk, compact, form_of, walk_of
from ..binding.references.recorded_runs import NO_OUTPUT
from ..binding.references.replace_leaves import replace_leaves
from ..binding.references.resolve import references_in
from ..binding.references.skeletons import skeleton
from ..binding.texts.leaf_texts import bytes_of
from ..binding.texts.pieces import literal_pieces
from ..model.flow import Name, Source
from ..model.records import Body, Row, StepRecord


class WrittenLoop(NamedTuple):
    """A loop that is written once: its calls up to `stop`, and one iteration of them.

    The list is in the output of `source`, where `way` leads.
    """

    start: int
    stop: int
    records: tuple[StepRecord, ...]
    source: int
    way: Way


def written_loops(body: Body, row: Row | None) -> list[WrittenLoop]:
    """Return the loops of a recording that went through whole lists, each call alike."""
    if row is None or any(record.group for record in body.steps):
        return []
    try:
        outputs = [_decoded(row, at) for at in range(len(body.steps))]
        form = form_of(body.steps, outputs)
        walk = None if form is None else walk_of(form, body.steps, outputs)
        if walk is None:
            return []
        if _is_read_outside(walk):
            return []
        found = [_written(walk, number, row) for number in range(len(walk.form.loops))]
    except (UnfoldableError, LookupError):
        return []
    return [loop for loop in found if loop is not None]


def _decoded(row: Row, at: int) -> Any:
    data = row.outputs[at] if at < len(row.outputs) else b""
    try:
        return codec.decode(data, lenient=True) if data else NO_OUTPUT
    except DecodeError:
        return NO_OUTPUT


def _is_read_outside(walk: Walk) -> bool:
    """Return whether another call needs the output of a call in a loop."""
    fixed = [walk.records[at] for at in walk.fixed]
    needed = {guard.step for record in fixed for guard in record.guards}
    needed = needed.union(*(references_in(expr) for record in fixed for _, expr in record.arguments))
    return not needed <= set(walk.fixed)


def _written(walk: Walk, number: int, row: Row) -> WrittenLoop | None:
    loop = walk.loop(number)
    if not all(isinstance(item, Name) for item in loop.way):
        return None
    for at in range(loop.start, loop.start + loop.size):
        places = range(at, loop.stop, loop.size)
        if len({(row.pre[place], row.post[place]) for place in places}) > 1:
            return None  # A check saw something else at each element.
    elements = walk.lists[number].elements
    slots = [at for at, slot in enumerate(walk.form.slots) if slot.kind == BODY and slot.loop == number]
    element = walk.form.slots.index(Slot(ELEMENT, number, 0))
    rows = [compact(walk, iteration, ()).records for iteration in range(loop.length)]
    made: list[StepRecord] = []
    for number_in_body, at in enumerate(slots):
        columns = [row[at] for row in rows]
        if any(skeleton(record) != skeleton(columns[0]) for record in columns):
            return None
        found = _found(columns, elements)
        if found is None:
            return None
        own = walk.records[loop.start + number_in_body]
        arguments = tuple(
            (name, _as_element(expr, compact_expr, element))
            for (name, expr), (_, compact_expr) in zip(own.arguments, columns[0].arguments, strict=True)
        )
        made.append(replace_leaves(_with(own, arguments), found))
    return WrittenLoop(loop.start, loop.stop, tuple(made), loop.step, loop.way)


def _found(columns: Sequence[StepRecord], elements: Sequence[Any]) -> dict[int, Any] | None:
    """Return the leaves that are those of the elements; None if another one differs."""
    found: dict[int, Any] = {}
    pieces = [literal_pieces(record) for record in columns]
    for leaf, piece in enumerate(pieces[0]):
        values = [bytes_of(own[leaf].value) for own in pieces]
        if len(set(values)) == 1:
            continue
        way = next((way for way, _ in leaves_of(elements[0]) if _runs_over(values, elements, way)), None)
        if way is None or piece.is_part:
            return None
        found[leaf] = Item((Source("output", path=way),))
    return found


def _runs_over(values: Sequence[bytes | None], elements: Sequence[Any], way: Way) -> bool:
    try:
        return all(bytes_of(value_in(one, way)) == data for one, data in zip(elements, values, strict=True))
    except LookupError:
        return False


def _as_element(expr: Any, compact_expr: Any, element: int) -> Any:
    is_element = getattr(compact_expr, "step", -1) == element
    return ItemRef(-1, compact_expr.path, compact_expr.keys) if is_element else expr


def _with(record: StepRecord, arguments: Any) -> StepRecord:
    return StepRecord(
        record.tool, record.fingerprint, arguments, record.method, record.pre, record.post, record.instance
    )
