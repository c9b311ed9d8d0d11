"""Parallel groups (C10): which calls of a run overlapped, and one order for calls that started in another order.

A group is a maximal run of calls that overlap in time, one with the next. Those that began before any of them had ended
are its *opening* members: their order says nothing. A *late* member began after another one had ended, may depend on
it, and keeps its place.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, MutableMapping, Sequence
from operator import attrgetter
from typing import NamedTuple

import msgspec

from ...errors import DecodeError
from .. import codec
from ..model.blobs import decode_message
from ..model.records import Body, Expr, Node, Ref, Row, StepRecord

Positions = Sequence[int] | Mapping[int, int]
_group = attrgetter("group")
ROW_FIELDS = (
    *("pre", "post", "outputs", "notes", "keywords", "effects", "seconds", "judged"),
    *("suspicions", "origins", "pauses", "pictures"),
)


class Placement(NamedTuple):
    """Where a step stands in its group, and how many steps have been made when its post-check is asked."""

    group: int
    late: bool
    judged: int


def placements_of(events: Iterable[int], start: int) -> list[Placement]:
    """The shapes of the steps from `start` on. `events` names each step twice: when it began, and when it ended."""
    placements: list[Placement] = []
    running: set[int] = set()
    ended: list[int] = []
    judged: dict[int, int] = {}
    first = count = start
    for step in events:
        if step not in running:
            running.add(step)
            for other in ended:
                judged.setdefault(other, count)
            placements.append(Placement(first + 1, bool(ended), 0))
            count += 1
            continue
        running.discard(step)
        ended.append(step)
        if running:
            continue
        if count - first == 1:
            placements[-1] = Placement(0, False, count)
        for position in range(first, count):
            placements[position - start] = placements[position - start]._replace(judged=judged.get(position, count))
        first, ended = count, []
    return placements


def prefix_placements(records: Sequence[StepRecord], judged: Sequence[int]) -> list[Placement]:
    """The shapes of replayed steps; of a group that was not replayed to its end, what is left of it."""
    placements = [Placement(0, False, position + 1) for position in range(len(records))]
    for start, stop in group_spans(records):
        if stop - start > 1:
            for position in range(start, stop):
                placements[position] = Placement(start + 1, records[position].late, min(judged[position], stop))
    return placements


def group_spans(records: Sequence[StepRecord]) -> Iterator[tuple[int, int]]:
    """(first, behind the last) of every group."""
    start = 0 if any(map(_group, records)) else len(records)
    while start < len(records):
        stop = start + 1
        if records[start].group:
            while stop < len(records) and records[stop].group == records[start].group:
                stop += 1
            yield start, stop
        start = stop


def stored_judged(placements: Sequence[Placement]) -> tuple[int, ...]:
    """What an observation keeps of when post-checks are asked: nothing, where that follows from the groups."""
    usual = [position + 1 for position in range(len(placements))]
    for position, placement in enumerate(placements):
        if placement.group:
            usual[placement.group - 1] = position + 1  # in the end: behind the group's last
    plain = all(
        placement.judged == usual[placement.group - 1 if placement.group else at]
        for at, placement in enumerate(placements)
    )
    return () if plain else tuple(placement.judged for placement in placements)


def remap_record(record: StepRecord, positions: Positions) -> StepRecord:
    """A record whose references and guards lead to the new positions of the steps."""
    arguments = tuple((name, _remap_expression(expr, positions)) for name, expr in record.arguments)
    if not record.guards:
        return msgspec.structs.replace(record, arguments=arguments)
    guards = [msgspec.structs.replace(guard, step=positions[guard.step]) for guard in record.guards]
    return msgspec.structs.replace(
        record, arguments=arguments, guards=tuple(sorted(guards, key=msgspec.msgpack.encode))
    )


def _remap_expression(expr: Expr, positions: Positions) -> Expr:
    if isinstance(expr, Ref):
        return Ref(positions[expr.step], expr.path)
    if isinstance(expr, Node):
        return Node(expr.kind, tuple(_remap_expression(item, positions) for item in expr.items))
    return expr


def canonical_order(records: Sequence[StepRecord]) -> tuple[int, ...]:
    """For each step its place when the opening members of each group are sorted by content."""
    order = list(range(len(records)))
    for start, stop in group_spans(records):
        opening = [position for position in range(start, stop) if not records[position].late]
        for rank, position in zip(opening, sorted(opening, key=lambda at: _sort_key(records[at], order)), strict=True):
            order[position] = rank
    return tuple(order)


def _sort_key(record: StepRecord, positions: Positions) -> tuple[bytes, bytes]:
    there = remap_record(record, positions)
    return call_id(there), msgspec.msgpack.encode(there.guards)


def call_id(record: StepRecord) -> bytes:
    """What makes two recorded calls the same: all of them but where literals were seen before, and their groups."""
    bare = msgspec.structs.replace(record, guards=(), group=0, late=False)
    return codec.digest(msgspec.msgpack.encode(bare))[:16]


def comparison_ids(records: Sequence[StepRecord]) -> tuple[bytes, ...]:
    """What executed steps are compared by: their calls, and where in which group they were made."""
    ids = [call_id(record) for record in records]
    for start, stop in group_spans(records):
        for position in range(start, stop):
            placement = (ids[position], position - start, stop - start, records[position].late)
            ids[position] = codec.digest(msgspec.msgpack.encode(placement))[:16]
    return tuple(ids)


def sorted_body(body: Body) -> Body:
    """The body with the members of its groups sorted by content: the same for the same calls, however they started."""
    if not any(record.group for record in body.steps):
        return body
    order = body.order or range(len(body.steps))
    return msgspec.structs.replace(body, steps=reorder_steps(body.steps, order), order=())


def reorder_steps(records: Sequence[StepRecord], positions: Sequence[int]) -> tuple[StepRecord, ...]:
    """The records, each at its new position."""
    return tuple(remap_record(records[at], positions) for at in invert(positions))


def decode_body(data: bytes) -> Body:
    """Return a stored body. Raises DecodeError for one that we did not write."""
    return validated_body(decode_message(data, Body))


def moved_positions(body: Body, order: Sequence[int]) -> list[int]:
    """Return the new position of each step when the order of a body becomes another."""
    back = invert(order)
    return [back[rank] for rank in body.order or range(len(body.steps))]


def reorder_body(body: Body, order: tuple[int, ...]) -> Body:
    """Return a body whose steps come in another order."""
    if order == body.order:
        return body
    return msgspec.structs.replace(body, steps=reorder_steps(body.steps, moved_positions(body, order)), order=order)


def reorder_row(row: Row, positions: Sequence[int]) -> Row:
    """An observation whose steps come at new positions."""
    back = invert(positions)
    changes = {
        name: tuple(values[at] for at in back) for name in ROW_FIELDS if len(values := getattr(row, name)) == len(back)
    }
    result = positions[row.result] if 0 <= row.result < len(positions) else row.result
    return msgspec.structs.replace(row, result=result, **changes)


def row_to_stored_order(row: Row, order: Sequence[int]) -> Row:
    """An observation in memory as it is stored: its steps where `order` leads."""
    return reorder_row(row, order) if order else row


def row_from_stored_order(row: Row, order: Sequence[int]) -> Row:
    """A stored observation in the order of its trajectory's steps."""
    return reorder_row(row, invert(order)) if order else row


def invert(positions: Sequence[int]) -> list[int]:
    """What comes at each position."""
    back = [0] * len(positions)
    for at, position in enumerate(positions):
        back[position] = at
    return back


def validated_body(body: Body) -> Body:
    """A body whose groups and order can be relied on. Raises DecodeError for one that we did not write."""
    records = body.steps
    for start, stop in group_spans(records):
        lates = [records[position].late for position in range(start, stop)]
        if records[start].group != start + 1 or lates[0] or lates != sorted(lates):
            raise DecodeError(f"the parallel group of step {start} is invalid")
    if body.order:
        if sorted(body.order) != list(range(len(records))):
            raise DecodeError("the order of its steps is invalid")
        for position, rank in enumerate(body.order):
            here, there = records[position], records[rank]
            if here.group != there.group or (position != rank and (not here.group or here.late or there.late)):
                raise DecodeError(f"step {position} cannot come at place {rank}")
    return body


def validated_row(body: Body, row: Row) -> Row:
    """An observation whose times can be relied on: no post-check is left out. Raises DecodeError."""
    if not row.judged:
        return row
    ends = list(range(1, len(body.steps) + 1))
    for start, stop in group_spans(body.steps):
        ends[start:stop] = [stop] * (stop - start)
    late = [at for at, judged in enumerate(row.judged) if not at < judged <= ends[at]]
    if late or len(row.judged) not in (0, len(ends)):
        raise DecodeError("it does not say when post-checks are asked")
    return row


def agreed_order(body: Body, agreed: MutableMapping[bytes, Sequence[int]]) -> tuple[int, ...]:
    """An order in which groups that several trajectories begin with come alike: as in the first that asked.

    `agreed` is kept from one trajectory of a key to the next.
    """
    order = list(body.order or range(len(body.steps)))
    ids = comparison_ids(sorted_body(body).steps)
    digest, done = b"", 0
    for start, stop in group_spans(body.steps):
        behind = next((at for at in range(start, stop) if body.steps[at].late), stop)
        digest = codec.digest(digest + b"".join(ids[done:behind]))
        order[start:behind] = agreed.setdefault(digest, order[start:behind])
        done = behind
    return tuple(order)


def covered_seconds(times: Iterable[tuple[float, float]]) -> float:
    """Return the seconds covered by (begin, end) times, which may overlap."""
    total, until = 0.0, float("-inf")
    for begin, end in sorted(times):
        total += max(0.0, end - max(begin, until))
        until = max(until, end)
    return total
