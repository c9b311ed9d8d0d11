"""The derivation of loops from recordings of lists of different lengths (L11)."""

from __future__ import annotations

import functools
import re
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import msgspec

from .. import codec
from ..binding.inference.infer import infer
from ..binding.references.for_each import is_made_of, leaves_of
from ..binding.references.lined_up import (
    BODY,
    ELEMENT,
    FIXED,
    Compact,
    Form,
    Slot,
    UnfoldableError,
    begins_alike,
    compact,
    form_of,
    has_foldable_groups,
    walk_of,
)
from ..binding.references.replace_leaves import bound_leaves, replace_leaves
from ..binding.references.skeletons import skeleton
from ..binding.texts.pieces import literal_pieces
from ..model import flow as terms
from ..model.flow import Element, Get, Source, may_act
from ..model.learned import Evidence
from ..model.records import Ref, Row
from .evidence import Conditions
from .flow_limits import Declared, essential_sources
from .flows import ACTS, PROBATION, VARIES, Flow
from .fold_parts import can_be_tied, has_value, is_settled_way, refs_in
from .fold_proof import Context, explains_all, explains_empty, parent_of
from .for_each import Derived, Fold, Observed, Tied, body_of, compact_row, stopped_in_loop
from .general_trajectory import Settings
from .generalized import common_guards, get_of, stop_of
from .leaves import StepTraits, flow_of, outputs_of, param_digest, words_of_tasks
from .ready_trajectory import ReadyTrajectory
from .step import PlanStep

MAX_FORMS = 3
MAX_MEMBERS = 16
MAX_CHOSEN = 3
"""The iterations of one recording in which sources are searched for; all others only remove some."""

_LONG = 3
"""The length that one of the recorded lists must have."""

_PIECE = re.compile(r"[0-9]+")


class _Recorded(NamedTuple):
    trajectory: ReadyTrajectory
    records: Sequence[Any]
    rows: Sequence[tuple[Any, Sequence[Any]]]  # A candidate, and its decoded outputs.


def failed_in_loop(row: Row) -> bool:
    """Return whether it had stopped there for a failure, not for an answer."""
    return stopped_in_loop(row) and row.refused_at >= 0


def find_fold(trajectories: Sequence[ReadyTrajectory], make: Maker) -> Fold | None:
    """Return what recordings with loops have in common; None if that is nothing.

    `trajectories` may be parents, the newest first.
    """
    recorded = [_recorded(one) for one in trajectories]
    tried: list[Form] = []
    for one in recorded:
        for _, outputs in one.rows[:1]:
            form = form_of(one.records, outputs, [step.tool.each for step in one.trajectory.steps])
            if form is None or form in tried or len(tried) >= MAX_FORMS:
                continue
            tried.append(form)
            found = _fold(form, recorded, make)
            if found is not None:
                return found
    return None


def _recorded(trajectory: ReadyTrajectory) -> _Recorded:
    records = trajectory.body.steps
    rows = [(one, outputs_of(one.row, len(records))) for one in trajectory.candidates if not one.refresh]
    return _Recorded(trajectory, records, rows)


class Maker(NamedTuple):
    """What a fold is made with: what is asked, and what is known by its name."""

    asks: Settings
    known: Any


def _fold(form: Form, recorded: Sequence[_Recorded], make: Maker) -> Fold | None:
    observed: list[Observed] = []
    for one in recorded:
        walks = [(candidate, walk_of(form, one.records, outputs)) for candidate, outputs in one.rows]
        own = [Observed(candidate, one.trajectory, walk) for candidate, walk in walks if walk is not None]
        if own and len(observed) < MAX_MEMBERS:
            observed += own
        elif not own and not form.loops[0].is_declared and _contradicts(form, one):
            return None
    if not observed or not all(has_foldable_groups(seen.walk) for seen in observed):
        return None
    if not _are_long_enough(form, observed):
        return None
    if body_of([seen.parent for seen in observed]) is None:
        return None
    try:
        return _Derivation(form, observed, make).fold()
    except UnfoldableError:
        return None


def _contradicts(form: Form, one: _Recorded) -> bool:
    """Return whether a recording begins alike and does not go through the whole list."""
    if not begins_alike(form, one.records):
        return False
    for candidate, outputs in one.rows:
        if candidate.row.refused or failed_in_loop(candidate.row):
            continue
        short = walk_of(Form(form.fixed[:1], (), form.tools[: form.fixed[0]]), one.records[: form.fixed[0]], outputs)
        if short is not None and _first_list_is_empty(form, outputs):
            continue
        return True
    return False


def _first_list_is_empty(form: Form, outputs: Sequence[Any]) -> bool:
    from ..binding.references.for_each import list_at

    try:
        return not list_at(outputs[form.loops[0].source], form.loops[0].way).elements
    except LookupError:
        return False


def _are_long_enough(form: Form, observed: Sequence[Observed]) -> bool:
    """Return whether lists of different lengths were recorded, one of three or more."""
    for number, loop in enumerate(form.loops):
        if loop.is_declared:
            continue
        lengths = {seen.walk.counts[number] for seen in observed if not stopped_in_loop(seen.candidate.row)} - {0}
        if len(lengths) < 2 or max(lengths) < _LONG:
            return False
    return True


class _Derivation:
    """The derivation of one fold."""

    def __init__(self, form: Form, observed: Sequence[Observed], make: Maker) -> None:
        self._form = form
        self._slots = form.slots
        self._observed = observed
        self._full = [seen for seen in observed if all(seen.walk.counts)]
        self._make = make
        self._newest = self._full[0]
        self._steps = [self._step_of(slot) for slot in self._slots]
        self._elements = {slot.loop: at for at, slot in enumerate(self._slots) if slot.kind == ELEMENT}

    def _step_of(self, slot: Slot) -> PlanStep:
        steps = self._newest.parent.steps
        if slot.kind == ELEMENT:
            return steps[self._newest.walk.fixed[self._form.loops[slot.loop].source]]
        return steps[self._newest.walk.position(slot)]

    def fold(self) -> Fold | None:
        """Return the fold; None if an argument of an iteration is not explained."""
        chosen = [(seen, made) for seen in self._full for made in self._chosen(seen)]
        rows = [compact_row(seen.candidate.row, made) for seen, made in chosen]
        skeletons = [skeleton(record) for record in chosen[0][1].records]
        if any([skeleton(record) for record in made.records] != skeletons for _, made in chosen[1:]):
            return None
        name = codec.digest(b"each" + msgspec.msgpack.encode((self._form, skeletons)))[:16]
        id, standing, evidence = self._make.known(name)
        leaves = self._leaves([made for _, made in chosen], rows)
        found, flows, stop = self._flows(leaves, evidence)
        if found is not None:
            self._declare(found, chosen[0][1])
        if found is None or not self._has_runs(found, chosen[0][1]):
            return None
        records = [
            msgspec.structs.replace(
                replace_leaves(record, found.get(at, {})),
                guards=common_guards([made.records[at] for _, made in chosen], found.get(at, {})),
            )
            for at, record in enumerate(chosen[0][1].records)
        ]
        context = self._context(found)
        self._observed = [
            seen for seen in self._observed if all(seen.walk.counts) or explains_empty(context, seen.walk, chosen[0][1])
        ]
        if not explains_all(context, chosen[0][1]) or self._depends_on_loop():
            return None
        conditions = Conditions(rows, [seen.parent.recorded_at for seen, _ in chosen])
        if any(self._slots[at].kind != FIXED for at in conditions.derived):
            return None
        derived = Derived(
            tuple(records),
            self._reads(records),
            self._refs(records),
            self._ties(chosen[0][1], found),
            stop,
            chosen[0][1].records,
        )
        made = Fold(name, id, standing, self._form, self._observed, derived, flows)
        self._set_conditions(made, conditions, rows, flows)
        made.opening  # noqa: B018 - what cannot be unfolded raises here, not in a run
        return made if not made.own_params or made.conditions is not None else None

    def _context(self, found: Mapping[int, Mapping[int, Get]]) -> Context:
        return Context(self._form, self._slots, self._observed, self._steps, self._elements, self._make.asks.key, found)

    def _depends_on_loop(self) -> bool:
        """Return whether a call outside of the loops may depend on one in them.

        A second recording in which the value is the same rules that out.
        """
        if len({seen.parent.id for seen in self._full}) > 1:
            return False
        walk, suspicions = self._newest.walk, self._newest.candidate.row.suspicions
        needed = {guard.step for at in walk.fixed for guard in walk.records[at].guards}
        needed.update(step for own in suspicions for suspicion in own for step, _ in suspicion.sources)
        return not needed <= set(walk.fixed)

    def _chosen(self, seen: Observed) -> list[Compact]:
        most = max(seen.walk.counts)
        numbers = sorted({0, most // 2, most - 1})[:MAX_CHOSEN]
        return [compact(seen.walk, number, seen.candidate.row.suspicions) for number in numbers]

    def _leaves(self, made: Sequence[Compact], rows: Sequence[Row]) -> list[Any]:
        parents = [parent_of(one, row) for one, row in zip(made, rows, strict=True)]
        effects = [step.tool.effect for step in self._steps]
        words = words_of_tasks([seen.candidate.row for seen in self._full])
        digest = functools.partial(param_digest, self._make.asks.key)
        return [leaf for leaf in infer(parents, effects, words, digest_of=digest) if leaf.state != "constant"]

    def _flows(
        self, leaves: Sequence[Any], evidence: Evidence
    ) -> tuple[dict[int, dict[int, Get]] | None, list[Flow], Any]:
        found: dict[int, dict[int, Get]] = {}
        flows: list[Flow] = []
        stop: Any = None
        read: dict[tuple[int, str], tuple[Source, ...]] = {}
        declared = Declared([step.tool for step in self._steps], self._chosen_records())
        recordings = len({seen.parent.id for seen in self._observed})
        for leaf in leaves:
            if self._is_declared(leaf):
                continue
            step, slot = self._steps[leaf.step], self._slots[leaf.step]
            traits = StepTraits(step.tool.effect, step.pre is not None)
            allow = functools.partial(self._allows, declared)
            flow = flow_of(leaf, traits, allow, evidence, self._make.asks, recordings)
            if leaf.argument in step.tool.any and flow.status != ACTS:
                continue
            flows.append(flow)
            if flow.status != VARIES:
                found.setdefault(leaf.step, {})[leaf.leaf] = get_of(leaf, essential_sources(flow.sources, read))
                if not leaf.path:
                    read[leaf.step, leaf.argument] = flow.sources
            is_harmless = step.tool.effect in ("read", "idempotent")
            if flow.status == ACTS or (flow.status == PROBATION and is_harmless):
                continue
            if slot.kind == BODY:
                return None, flows, None
            if stop is None or leaf.step < stop.step:
                stop = stop_of(flow, step)
        return found, flows, stop

    def _declare(self, found: dict[int, dict[int, Get]], first: Compact) -> None:
        """Have the declared arguments read from where they are declared."""
        for number, loop in enumerate(self._form.loops):
            for call, name, way in loop.inner:
                at = self._slots.index(Slot(BODY, number, call))
                pieces = literal_pieces(first.records[at])
                own = [leaf for leaf, piece in enumerate(pieces) if piece.argument == name]
                if len(own) != 1:
                    raise UnfoldableError  # It is a container, or no literal.
                source = Source(terms.OUTPUT, self._elements[number], path=way)
                found.setdefault(at, {})[own[0]] = Get((source,), ())

    def _is_declared(self, leaf: Any) -> bool:
        slot = self._slots[leaf.step]
        if slot.kind != BODY:
            return False
        return any((call, name) == (slot.number, leaf.argument) for call, name, _ in self._form.loops[slot.loop].inner)

    def _chosen_records(self) -> Sequence[Any]:
        return compact(self._newest.walk, 0, ()).records

    def _allows(self, declared: Declared, source: Source, leaf: Any) -> bool:
        """Return whether a call may read a source: a fixed call, or its iteration."""
        slot = self._slots[leaf.step]
        if source.origin == terms.PARAM:
            return declared.allow(source, leaf)
        origin = self._slots[source.step]
        if origin.kind != FIXED and origin.loop != slot.loop:
            return False
        if slot.kind == BODY and not is_settled_way(source):
            return False
        if origin.kind == ELEMENT:
            way = self._form.loops[origin.loop].way
            source = msgspec.structs.replace(source, path=(*way, Element(0), *source.path))
        return declared.allow(source, leaf)

    def _has_runs(self, found: Mapping[int, Mapping[int, Get]], first: Compact) -> bool:
        """Return whether a call of each iteration reads its element."""
        for loop, element in self._elements.items():
            body = [at for at, slot in enumerate(self._slots) if slot.kind == BODY and slot.loop == loop]
            gets = [get for at in body for get in found.get(at, {}).values()]
            is_read = any(source.step == element and may_act(source) for get in gets for source in get.sources)
            refs = [ref for at in body for ref in refs_in(first.records[at]) if ref.step == element]
            if not is_read and not refs:
                return False
        return True

    def _reads(self, records: Sequence[Any]) -> tuple[tuple[Get, ...], ...]:
        found: list[tuple[Get, ...]] = []
        for loop, element in self._elements.items():
            body = [
                record
                for record, slot in zip(records, self._slots, strict=True)
                if slot.kind == BODY and slot.loop == loop
            ]
            gets = [get for record in body for _, expr in record.arguments for get in bound_leaves(expr)]
            found.append(tuple(dict.fromkeys([get for get in gets if any(one.step == element for one in get.sources)])))
        return tuple(found)

    def _refs(self, records: Sequence[Any]) -> tuple[tuple[Ref, ...], ...]:
        return tuple(
            tuple(dict.fromkeys([ref for record in records for ref in refs_in(record) if ref.step == element]))
            for element in self._elements.values()
        )

    def _ties(self, first: Compact, found: Mapping[int, Mapping[int, Get]]) -> tuple[tuple[Tied, ...], ...]:
        """Return the constants of iterations that all elements had, too."""
        ties: list[tuple[Tied, ...]] = []
        for loop in self._elements:
            elements = [element for seen in self._observed for element in seen.walk.lists[loop].elements]
            own: list[Tied] = []
            for at, slot in enumerate(self._slots):
                if slot.kind != BODY or slot.loop != loop:
                    continue
                for leaf, piece in enumerate(literal_pieces(first.records[at])):
                    if leaf in found.get(at, {}) or not can_be_tied(piece.value):
                        continue
                    own += [
                        Tied(at, way, piece.value)
                        for way, value in leaves_of(elements[0])
                        if is_made_of(piece.value, value)
                        and all(has_value(element, way, piece.value) for element in elements)
                    ]
            ties.append(tuple(own))
        return tuple(ties)

    def _set_conditions(self, made: Fold, conditions: Conditions, rows: Sequence[Row], flows: Sequence[Flow]) -> None:
        made.conditions = conditions or None
        made.depends = conditions.derived
        made.compact_rows = rows
        read = {
            source.name
            for flow in flows
            if flow.status != VARIES
            for source in flow.sources
            if source.origin == terms.PARAM
        }
        fixed = {name for seen in self._observed for name, _ in seen.parent.body.fixed}
        made.own_params = frozenset(fixed - read)
