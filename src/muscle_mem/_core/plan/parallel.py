"""Parallel groups of overlapping calls, and a canonical order for them (C10).

A group is a maximal sequence of calls that overlap in time, one with the next. Calls that began before any of them had
ended are its *opening* members, whose order has no meaning. A *late* member began after another one had ended, may
depend on it, and keeps its place.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, MutableMapping, Sequence
from operator import attrgetter
from typing import Any, NamedTuple

import msgspec

from ...errors import DecodeError
from .. import codec
from ..binding.outputs.figure_digest import by_output
from ..model.blobs import decode_message
from ..model.records import FORM, Body, Expr, Node, Ref, Row, StepRecord, Suspicion

Positions = Sequence[int] | Mapping[int, int]
_group = attrgetter("group")
ROW_FIELDS = (
    *("pre", "post", "outputs", "notes", "keywords", "effects", "seconds", "judged"),
    *("suspicions", "origins", "pauses", "pictures", "overrides", "chances", "answers"),
)


class Placement(NamedTuple):
    """The position of a step in its group.

    `judged` is how many steps are done when its post-check runs.
    """

    group: int
    late: bool
    judged: int


def placements_of(events: Iterable[int], start: int) -> list[Placement]:
    """Return the placements of the steps from `start` on.

    `events` has each step twice: when it began, and when it ended.
    """
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
    """Return the placements of replayed steps.

    A group that was not replayed to its end is cut there.
    """
    placements = [Placement(0, False, position + 1) for position in range(len(records))]
    for start, stop in group_spans(records):
        if stop - start > 1:
            for position in range(start, stop):
                placements[position] = Placement(start + 1, records[position].late, min(judged[position], stop))
    return placements


def group_spans(records: Sequence[StepRecord]) -> Iterator[tuple[int, int]]:
    """Yield (first, behind the last) of every group."""
    start = 0 if any(map(_group, records)) else len(records)
    while start < len(records):
        stop = start + 1
        if records[start].group:
            while stop < len(records) and records[stop].group == records[start].group:
                stop += 1
            yield start, stop
        start = stop


def stored_judged(placements: Sequence[Placement]) -> tuple[int, ...]:
    """Return when post-checks run, as an observation stores it.

    It is empty if that follows from the groups.
    """
    usual = [position + 1 for position in range(len(placements))]
    for position, placement in enumerate(placements):
        if placement.group:
            # The last member of the group sets the final value.
            usual[placement.group - 1] = position + 1
    plain = all(
        placement.judged == usual[placement.group - 1 if placement.group else at]
        for at, placement in enumerate(placements)
    )
    return () if plain else tuple(placement.judged for placement in placements)


def remap_record(record: StepRecord, positions: Positions) -> StepRecord:
    """Return a record whose references and guards use the new positions of steps."""
    arguments = tuple((name, _remap_expression(expr, positions)) for name, expr in record.arguments)
    if not record.guards:
        return msgspec.structs.replace(record, arguments=arguments)
    guards = [msgspec.structs.replace(guard, step=positions[guard.step]) for guard in record.guards]
    return msgspec.structs.replace(
        record, arguments=arguments, guards=tuple(sorted(guards, key=msgspec.msgpack.encode))
    )


def _remap_expression(expr: Expr, positions: Positions) -> Expr:
    if isinstance(expr, Ref):
        return Ref(positions[expr.step], expr.path, expr.keys)
    if isinstance(expr, Node):
        return Node(expr.kind, tuple(_remap_expression(item, positions) for item in expr.items))
    return expr


def canonical_order(records: Sequence[StepRecord]) -> tuple[int, ...]:
    """Return the position of each step if opening members are sorted by content."""
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
    """Return a digest that two recorded calls share if they are the same.

    It ignores guards and groups.
    """
    bare = msgspec.structs.replace(record, guards=(), group=0, late=False)
    return codec.digest(msgspec.msgpack.encode(bare))[:16]


def comparison_ids(records: Sequence[StepRecord]) -> tuple[bytes, ...]:
    """Return the digests by which executed steps are compared.

    They cover the calls and their positions in groups.
    """
    ids = [call_id(record) for record in records]
    for start, stop in group_spans(records):
        for position in range(start, stop):
            placement = (ids[position], position - start, stop - start, records[position].late)
            ids[position] = codec.digest(msgspec.msgpack.encode(placement))[:16]
    return tuple(ids)


def sorted_body(body: Body) -> Body:
    """Return a body with the members of its groups sorted by content.

    It is the same for the same calls, whatever order they started in.
    """
    if not any(record.group for record in body.steps):
        return body
    order = body.order or range(len(body.steps))
    return msgspec.structs.replace(body, steps=reorder_steps(body.steps, order), order=())


def reorder_steps(records: Sequence[StepRecord], positions: Sequence[int]) -> tuple[StepRecord, ...]:
    """Return the records, each at its new position."""
    return tuple(remap_record(records[at], positions) for at in invert(positions))


def decode_body(data: bytes) -> Body:
    """Return a stored body. Raises DecodeError for one that we did not write."""
    body = decode_message(data, Body)
    if body.form != FORM:
        raise DecodeError(f"invalid steps: expected form {FORM}, got {body.form}. Use the release that wrote them")
    return validated_body(body)


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
    """Return an observation with its steps at new positions."""
    back = invert(positions)
    changes: dict[str, Any] = {
        name: tuple(values[at] for at in back) for name in ROW_FIELDS if len(values := getattr(row, name)) == len(back)
    }
    if row.suspicions and any(s.sources for step in row.suspicions for s in step):
        changes["suspicions"] = tuple(
            tuple(_moved_sources(suspicion, positions) for suspicion in step) for step in changes["suspicions"]
        )
    if row.final is not None and len(row.final.results) == len(back):
        results = tuple(row.final.results[at] for at in back)
        changes["final"] = msgspec.structs.replace(row.final, results=results)
    result = positions[row.result] if 0 <= row.result < len(positions) else row.result
    return msgspec.structs.replace(row, result=result, **changes)


def _moved_sources(suspicion: Suspicion, positions: Positions) -> Suspicion:
    moved = [(positions[step] if step >= 0 else ~positions[~step], digest) for step, digest in suspicion.sources]
    sources = tuple(sorted(moved, key=by_output))
    return msgspec.structs.replace(suspicion, sources=sources)


def row_to_stored_order(row: Row, order: Sequence[int]) -> Row:
    """Return an observation in memory in the order in which it is stored."""
    return reorder_row(row, order) if order else row


def row_from_stored_order(row: Row, order: Sequence[int]) -> Row:
    """Return a stored observation in the order of its trajectory's steps."""
    return reorder_row(row, invert(order)) if order else row


def invert(positions: Sequence[int]) -> list[int]:
    """Return which step comes at each position."""
    back = [0] * len(positions)
    for at, position in enumerate(positions):
        back[position] = at
    return back


def validated_body(body: Body) -> Body:
    """Return a body with valid groups and order.

    Raises DecodeError for one that we did not write.
    """
    records = body.steps
    for start, stop in group_spans(records):
        lates = [records[position].late for position in range(start, stop)]
        if records[start].group != start + 1 or lates[0] or lates != sorted(lates):
            raise DecodeError(
                f"invalid parallel group at step {start}: expected its number and its late members to fit its steps"
            )
    if body.order:
        if sorted(body.order) != list(range(len(records))):
            raise DecodeError(f"invalid order: expected each of {len(records)} steps once")
        for position, rank in enumerate(body.order):
            here, there = records[position], records[rank]
            if here.group != there.group or (position != rank and (not here.group or here.late or there.late)):
                raise DecodeError(
                    f"invalid order: expected opening members of one group, got step {position} in place of {rank}"
                )
    return body


def validated_row(body: Body, row: Row) -> Row:
    """Return an observation that runs every post-check within its group.

    Raises DecodeError for one that we did not write.
    """
    if not row.judged:
        return row
    ends = list(range(1, len(body.steps) + 1))
    for start, stop in group_spans(body.steps):
        ends[start:stop] = [stop] * (stop - start)
    late = [at for at, judged in enumerate(row.judged) if not at < judged <= ends[at]]
    if late or len(row.judged) not in (0, len(ends)):
        raise DecodeError("invalid times of post-checks: expected one within each step's group")
    return row


def agreed_order(body: Body, agreed: MutableMapping[bytes, Sequence[int]]) -> tuple[int, ...]:
    """Return an order in which groups that several trajectories begin with agree.

    It is the order of the first trajectory with such a group. `agreed` is passed from one trajectory of a key to the
    next.
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
