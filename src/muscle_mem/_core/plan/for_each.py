"""Loops that recordings of a task have in common, and their unfolding (L11).

A fold is derived from recordings of lists of different lengths when a key is loaded. At its list, a replay unfolds it:
the trajectory that it follows from there has the calls of each element.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import msgspec

from ..binding.references.for_each import Item, ItemRef, ListState, common_state, state_of
from ..binding.references.lined_up import (
    BODY,
    ELEMENT,
    FIXED,
    Compact,
    Form,
    Slot,
    Walk,
    moved_guards,
    moved_source,
    shifted,
)
from ..binding.references.masking import is_masked, unpack_mask
from ..binding.references.resolve import references_in
from ..binding.texts.pieces import literal_pieces
from ..model.flow import Element, Get, Source
from ..model.records import Body, Ign, Node, Ref, Row, StepRecord
from .flows import Flow
from .loop_answers import IterationAnswers, looks_of
from .loop_trajectory import LoopCandidate, LoopTrajectory
from .ready_trajectory import Candidate, ReadyTrajectory
from .snapshots import MaskedSnapshot, Option, decode_snapshot, settled_leaves
from .step import LOOP_OPENS, BoundStep, PlanStep, Refusal, make_step
from .unfolded import Positions, layout_of, spans_of

MAX_KEPT = 4
"""The lengths of lists whose unfolded trajectories are kept."""


class Observed(NamedTuple):
    """An observation of a parent, lined up with the form."""

    candidate: Candidate
    parent: ReadyTrajectory
    walk: Walk


class Tied(NamedTuple):
    """A constant of an iteration that each recorded element had as well."""

    slot: int
    path: tuple[Any, ...]
    value: Any


class Derived(NamedTuple):
    """What the recordings prove of the compact calls.

    `records` are the compact calls with what they read. `reads` are for each loop the leaves that are read from its
    elements: (compact call, sources in the element). `refs` are for each loop the parts of elements that are passed as
    objects. `ties` are constants that the elements must have. `recorded` are the compact calls of one recording, whose
    literals the conditions count.
    """

    records: tuple[StepRecord, ...]
    reads: tuple[tuple[Get, ...], ...]
    refs: tuple[tuple[Ref, ...], ...]
    ties: tuple[tuple[Tied, ...], ...]
    stop: Refusal | None
    recorded: tuple[StepRecord, ...]


class Fold:
    """What recordings with loops over lists of different lengths have in common.

    `name` is a digest of the calls without their values, of which the id is made. `longest` are the greatest lengths
    that were recorded, `may_be_empty` says for each loop whether an empty list was.
    """

    def __init__(
        self,
        name: bytes,
        id: str,
        standing: Any,
        form: Form,
        observed: Sequence[Observed],
        derived: Derived,
        flows: Sequence[Flow],
    ) -> None:
        self.name = name
        self.id = id
        self.standing = standing
        self.form = form
        self.slots = form.slots
        self.parents = tuple(dict.fromkeys([one.parent for one in observed]))
        self.observed = tuple(observed)
        self.derived = derived
        self.flows = tuple(flows)
        self.is_declared = tuple([loop.is_declared for loop in form.loops])
        counts = [one.walk.counts for one in observed]
        proven = [one.walk.counts for one in observed if not stopped_in_loop(one.candidate.row)] or counts
        self.longest = tuple(map(max, zip(*proven, strict=True)))
        columns = zip(zip(*counts, strict=True), self.is_declared, strict=True)
        self.may_be_empty = tuple([said or min(column) == 0 for column, said in columns])
        self.states: tuple[ListState, ...] = tuple(
            common_state([state_of(one.walk.lists[at], limits_of(one.walk, at)) for one in observed])
            for at in range(len(form.loops))
        )
        self.answers = IterationAnswers(form, [one.walk for one in observed])
        self.newest = next(one for one in observed if all(one.walk.counts))
        self.steps: list[PlanStep] = self.newest.parent.steps
        self.conditions: Any = None
        self.own_params: frozenset[str] = frozenset()
        self.depends: Mapping[int, tuple[Any, ...]] = {}
        self.compact_rows: Sequence[Row] = ()
        self.company: Sequence[ReadyTrajectory] = ()
        self._made: dict[tuple[tuple[int, ...], int], LoopTrajectory] = {}

    def element_slot(self, loop: int) -> int:
        """Return the compact call that stands for the elements of a loop."""
        return self.slots.index(Slot(ELEMENT, loop, 0))

    @property
    def opening(self) -> LoopTrajectory:
        """The trajectory that a run begins with: its lists are as long as the newest ones."""
        return self.unfold(tuple(self.newest.walk.counts), 0)

    def unfold(
        self, counts: tuple[int, ...], known: int, stop: tuple[int, int, Refusal] | None = None
    ) -> LoopTrajectory:
        """Return the trajectory for lists of these lengths.

        `stop` is a loop and an iteration before which the replay stops, and why.
        """
        found = None if stop is not None else self._made.get((counts, known))
        if found is None:
            found = self._unfolded(counts, known)
            if stop is not None:
                number, iteration, why = stop
                at = found.spans[number].start + iteration * found.spans[number].size
                _stop_at(found, msgspec.structs.replace(why, step=at, tool=found.steps[at].tool.name))
                return found
            while len(self._made) >= MAX_KEPT:
                self._made.pop(next(iter(self._made)), None)
            self._made[counts, known] = found
        return found

    def _unfolded(self, counts: tuple[int, ...], known: int) -> LoopTrajectory:
        layout = list(layout_of(self.form, counts))
        positions = Positions(self.slots, layout)
        records = [self._record(slot, iteration, positions) for slot, iteration in layout]
        body = msgspec.structs.replace(self.newest.parent.body, steps=tuple(records), fixed=(), order=())
        spans = spans_of(self.form, counts, positions)
        made = LoopTrajectory(self, body, counts, known, spans)
        options = self._options(layout)
        made.candidates = [
            LoopCandidate(made, one.candidate, self._row(one, layout, positions), options) for one in self.observed
        ]
        made.set_steps(self._steps(made, records, layout))
        made.flows = self.flows
        made.masked |= options.keys()
        for at, _ in options:
            made.steps[at].stay_off_quick_path()
        made.note_places(body)
        made.layout = layout
        made.company = self.company
        made.conditions, made.own_params = self.conditions, self.own_params
        made.settled = self._settled(layout)
        for slot, sources in self.depends.items():
            made.steps[positions.fixed[slot]].depend_on(positions.moved(sources))
        looks_of(made, self.answers, layout)
        self._set_stops(made, positions)
        return made

    def _set_stops(self, made: LoopTrajectory, positions: Positions) -> None:
        stop = self.derived.stop
        if stop is not None:
            made.final_stop = msgspec.structs.replace(stop, step=positions.fixed[stop.step])
            made.set_stop(made.final_stop)
        if made.known < len(made.spans):
            span = made.spans[made.known]
            at = span.start
            if at < len(made.steps) and (made.final_stop is None or at <= made.final_stop.step):
                made.set_stop(Refusal(LOOP_OPENS, "the list is read here", at, made.steps[at].tool.name))

    def _record(self, slot: Slot, iteration: int, positions: Positions) -> StepRecord:
        record = self.derived.records[positions.compact(slot)]
        where = positions.fixed if slot.kind == FIXED else positions.of(slot.loop, iteration)
        arguments = tuple(
            [(name, self._expr(expr, slot, iteration, where, positions)) for name, expr in record.arguments]
        )
        return msgspec.structs.replace(record, arguments=arguments, guards=moved_guards(record.guards, where))

    def _expr(self, expr: Any, slot: Slot, iteration: int, where: Mapping[int, int], positions: Positions) -> Any:
        element = -1 if slot.kind == FIXED else self.slots.index(Slot(ELEMENT, slot.loop, 0))
        if isinstance(expr, Node):
            return Node(expr.kind, tuple([self._expr(item, slot, iteration, where, positions) for item in expr.items]))
        if element < 0 or element not in references_in(expr):
            return shifted(expr, where)
        if isinstance(expr, Get):
            number = self.derived.reads[slot.loop].index(expr)
            loop = self.form.loops[slot.loop]
            place = positions.fixed_number(loop.source)
            own = [_in_list(one, place, (*loop.way, Element(iteration))) for one in expr.sources if one.step == element]
            others = [moved_source(one, where) for one in expr.sources if one.step != element]
            return Item((*own, *others), expr.kinds, slot.loop, iteration, number)
        number = len(self.derived.reads[slot.loop]) + self.derived.refs[slot.loop].index(expr)
        loop = self.form.loops[slot.loop]
        return ItemRef(positions.fixed_number(loop.source), (), (), slot.loop, iteration, number)

    def _steps(
        self, made: LoopTrajectory, records: Sequence[StepRecord], layout: Sequence[tuple[Slot, int]]
    ) -> list[PlanStep]:
        row, walk = self.newest.candidate.row, self.newest.walk
        found: list[PlanStep] = []
        for at, (record, (slot, _)) in enumerate(zip(records, layout, strict=True)):
            place = walk.position(slot)
            names = row.keywords[place] if place < len(row.keywords) else ()
            other = self.steps[place]
            step = make_step(made, at, record, other.tool, names, row.said)
            if isinstance(step, BoundStep) and slot.kind == FIXED and record.group:
                step.group_stop, step.opening_members = other.group_stop, other.opening_members
                step.is_opening_member = other.is_opening_member
            found.append(step)
        return found

    def _row(self, one: Observed, layout: Sequence[tuple[Slot, int]], positions: Positions) -> Row:
        row = one.candidate.row
        own = [_place_of(one, self.newest, slot, iteration) for slot, iteration in layout]

        def column(name: str) -> tuple[Any, ...]:
            return tuple([getattr(seen.candidate.row, name)[place] for seen, place in own])

        def optional(name: str, empty: Any) -> tuple[Any, ...]:
            if not any(getattr(seen.candidate.row, name) for seen in {id(s): s for s, _ in own}.values()):
                return ()
            rows = [(getattr(seen.candidate.row, name), place) for seen, place in own]
            return tuple([values[place] if place < len(values) else empty for values, place in rows])

        return Row(
            form=row.form,
            pre=column("pre"),
            post=column("post"),
            keywords=optional("keywords", ()),
            effects=optional("effects", ""),
            seconds=optional("seconds", 0.0),
            run_seconds=row.run_seconds,
            agent_seconds=row.agent_seconds,
            tokens=row.tokens,
            result=positions.result(one.walk, row.result),
            witness=row.witness,
            task=row.task,
            overrides=optional("overrides", ""),
            chances=optional("chances", ()),
            said=row.said,
        )

    @functools.cached_property
    def _iteration_options(self) -> dict[tuple[int, bool], tuple[Option, ...]]:
        """Return the distinct snapshots of all recorded iterations, by compact call."""
        found: dict[tuple[int, bool], dict[bytes, set[int]]] = {}
        for slot_at, slot in enumerate(self.slots):
            if slot.kind != BODY:
                continue
            number = 0
            for one in self.observed:
                for iteration in range(one.walk.counts[slot.loop]):
                    place = one.walk.position(slot, iteration)
                    for post, stored in ((False, one.candidate.row.pre), (True, one.candidate.row.post)):
                        data = stored[place]
                        if data is not None:
                            found.setdefault((slot_at, post), {}).setdefault(data, set()).add(number)
                    number += 1
        return {key: _options_of(of) for key, of in found.items() if len(of) > 1}

    def _options(self, layout: Sequence[tuple[Slot, int]]) -> dict[tuple[int, bool], MaskedSnapshot]:
        known = self._iteration_options
        if not known:
            return {}
        numbers = {slot: at for at, slot in enumerate(self.slots)}
        return {
            (at, post): MaskedSnapshot(b"", Ign(), (), known[numbers[slot], post], (slot.loop, iteration))
            for at, (slot, iteration) in enumerate(layout)
            for post in (False, True)
            if (numbers[slot], post) in known
        }

    def _settled(self, layout: Sequence[tuple[Slot, int]]) -> Any:
        rows = [row for row in self.compact_rows if row.chances]
        if not rows:
            return {}
        numbers = {slot: at for at, slot in enumerate(self.slots)}
        found = settled_leaves(self.compact_rows)
        return {
            (at, post, data): leaves
            for at, (slot, _) in enumerate(layout)
            for (step, post, data), leaves in found.items()
            if step == numbers[slot]
        }


def _stop_at(made: LoopTrajectory, stop: Refusal) -> None:
    if made.final_stop is None or stop.step <= made.final_stop.step:
        made.final_stop = stop
        made.set_stop(stop)


def _options_of(found: Mapping[bytes, set[int]]) -> tuple[Option, ...]:

    return tuple(
        Option(
            data,
            MaskedSnapshot(data, unpack_mask(data), ()) if is_masked(data) else decode_snapshot(data),
            frozenset(rows),
        )
        for data, rows in found.items()
    )


def _place_of(one: Observed, newest: Observed, slot: Slot, iteration: int) -> tuple[Observed, int]:
    if slot.kind == FIXED:
        return one, one.walk.position(slot)
    if not one.walk.counts[slot.loop]:
        one = newest
    return one, one.walk.position(slot, one.walk.iteration(slot.loop, iteration))


def stopped_in_loop(row: Row) -> bool:
    """Return whether the replay before a recording had stopped within a loop (L13)."""
    return not row.refused and row.refused_at != -1


def limits_of(walk: Walk, number: int) -> list[Any]:
    """Return the arguments of the call that returned a list."""
    record = walk.records[walk.fixed[walk.form.loops[number].source]]
    return [piece.value for piece in literal_pieces(record)]


def _in_list(source: Source, step: int, way: tuple[Any, ...]) -> Source:
    return msgspec.structs.replace(source, step=step, path=(*way, *source.path))


def body_of(parents: Sequence[ReadyTrajectory]) -> Body | None:
    """Return the newest body; None if recordings depend on params differently."""
    bodies = [parent.body for parent in parents]
    shapes = {(body.params, body.kinds, body.equal, body.equal_secrets, body.leafwise, body.parts) for body in bodies}
    return bodies[0] if len(shapes) == 1 else None


def compact_row(row: Row, made: Compact) -> Row:
    """Return an observation for the compact calls."""

    def column(values: Sequence[Any], empty: Any) -> tuple[Any, ...]:
        return tuple([values[place] if 0 <= place < len(values) else empty for place in made.places])

    return Row(
        form=row.form,
        pre=column(row.pre, None),
        post=column(row.post, None),
        outputs=column(row.outputs, b""),
        suspicions=made.suspicions,
        witness=row.witness,
        chances=column(row.chances, ()) if row.chances else (),
    )
