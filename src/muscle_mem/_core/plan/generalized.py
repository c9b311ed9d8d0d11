"""The derivation of generalized trajectories from their parents (L2).

A generalized trajectory stands beside its parents. Its calls are theirs, but an argument whose value differs from run
to run is read from where all parents took it. It is derived from the stored parents and never stored itself, so parents
that are forgotten or expire take what they prove with them.
"""

from __future__ import annotations

import itertools
from collections.abc import Collection, Mapping, Sequence
from typing import Any, NamedTuple

import msgspec

from ...errors import DecodeError
from .. import codec
from ..binding.inference.leaf import Leaf
from ..binding.outputs.elements import ECHO_KINDS
from ..binding.references.replace_leaves import replace_leaves
from ..binding.references.skeletons import argument_shapes, skeleton
from ..binding.references.sources import kind_of
from ..binding.texts.pieces import literal_pieces
from ..model import flow as terms
from ..model.flow import Get, Source
from ..model.learned import Evidence
from ..model.reason import Reason
from ..model.records import Body, Guard, Row, StepRecord, Suspicion
from .contradiction import is_unexplained
from .evidence import Conditions
from .flow_limits import Declared, essential_sources, open_loop
from .flows import ACTS, PROBATION, VARIES, Flow
from .general_trajectory import GeneralTrajectory, Settings
from .leaves import StepTraits, differing_leaves, flow_of
from .ready_trajectory import Candidate, ReadyTrajectory
from .snapshots import settled_leaves
from .step import BoundStep, PlanStep, Refusal, make_step
from .strikes import place_of

_PLACES = ("", "figure")


class _Choice(NamedTuple):
    """What replaces the leaves of each step, and where a replay must stop."""

    found: Mapping[int, Mapping[int, Get]]
    flows: tuple[Flow, ...]
    stop: Refusal | None


def generalize(
    id: str, parents: Sequence[ReadyTrajectory], rows: Sequence[Row], evidence: Evidence, standing: Any, asks: Settings
) -> GeneralTrajectory | None:
    """Return the generalized trajectory of some recordings.

    Return None if nothing is learned from them.

    `parents` are trajectories with the same calls but for values, newest first. `rows` are observations of them, one
    for each of their `Parent`s, which begin with those of the newest.
    """
    bodies = [parent.body for parent in parents]
    steps = parents[0].steps
    traits = list(map(_traits_of, steps))
    leaves = differing_leaves(_bodies_of(parents, bodies, rows), rows, traits, asks.key)
    declared = Declared([step.tool for step in steps], bodies[0].steps)
    if len(rows) == 1:
        leaves = [leaf for leaf in leaves if not _is_told_again(leaf, bodies[0])]
    choice = _choose(leaves, steps, traits, declared, evidence, asks, len(rows))
    if not choice.found:
        return None
    body = _general_body(bodies, choice.found)
    if body is None:
        return None
    general = GeneralTrajectory(id, standing, body, parents, leaves)
    general.flows = choice.flows
    general.candidates = [
        Candidate(general, candidate.seq, candidate.id, _row_of(candidate.row, choice.found), candidate.refresh)
        for parent in parents
        for candidate in parent.candidates
    ]
    made = _joined(general, body, steps)
    if made is None:
        return None
    general.set_steps(made)
    general.note_places(body)
    stop = choice.stop
    loop = open_loop(choice.flows, body.steps)
    if loop >= 0 and (stop is None or loop < stop.step):
        stop = _loop_stop(loop, steps[loop])
    if stop is not None:
        general.set_stop(stop)
    return general if _set_conditions(general, bodies) else None


def _is_told_again(leaf: Leaf, body: Body) -> bool:
    """Return whether a later output holds the only recorded value of a leaf.

    No source reads it there.

    The agent may have taken the value from there, unless the call had it as an argument. A second recording decides.
    """
    steps = [source.step for source in leaf.sources]
    return any(
        guard.kind == ""
        and guard.data in leaf.values
        and guard.step > max(steps, default=guard.step)
        and all(codec.canonical(piece.value) != guard.data for piece in literal_pieces(body.steps[guard.step]))
        for guard in body.steps[leaf.step].guards
    )


def derive_flows(
    parents: Sequence[ReadyTrajectory], rows: Sequence[Row], evidence: Evidence, asks: Settings
) -> tuple[list[Leaf], list[Flow]]:
    """Return the leaves that differ between recordings, and the flow of each."""
    bodies, steps = [parent.body for parent in parents], parents[0].steps
    traits = list(map(_traits_of, steps))
    leaves = differing_leaves(_bodies_of(parents, bodies, rows), rows, traits, asks.key)
    declared = Declared([step.tool for step in steps], bodies[0].steps)
    flows = [flow_of(leaf, traits[leaf.step], declared.allow, evidence, asks, len(rows)) for leaf in leaves]
    kept = [flow.status == ACTS or flow.argument not in steps[flow.step].tool.any for flow in flows]
    return list(itertools.compress(leaves, kept)), list(itertools.compress(flows, kept))


def _bodies_of(parents: Sequence[ReadyTrajectory], bodies: Sequence[Body], rows: Sequence[Row]) -> list[Body]:
    """Return the body of each row, which one of the parents has."""
    found = {
        id(candidate.row): body for parent, body in zip(parents, bodies, strict=True) for candidate in parent.candidates
    }
    return [found[id(row)] for row in rows]


def _traits_of(step: PlanStep) -> StepTraits:
    return StepTraits(step.tool.effect, step.pre is not None)


def _choose(
    leaves: Sequence[Leaf],
    steps: Sequence[PlanStep],
    traits: Sequence[StepTraits],
    declared: Declared,
    evidence: Evidence,
    asks: Settings,
    recordings: int,
) -> _Choice:
    found: dict[int, dict[int, Get]] = {}
    flows: list[Flow] = []
    stop: Refusal | None = None
    read: dict[tuple[int, str], tuple[Source, ...]] = {}
    for leaf in leaves:
        step = steps[leaf.step]
        flow = flow_of(leaf, traits[leaf.step], declared.allow, evidence, asks, recordings)
        if leaf.argument in step.tool.any and flow.status != ACTS:
            continue  # The value of the newest recording will do (E7).
        flows.append(flow)
        if flow.status != VARIES:
            found.setdefault(leaf.step, {})[leaf.leaf] = get_of(leaf, essential_sources(flow.sources, read))
            if not leaf.path:
                read[leaf.step, leaf.argument] = flow.sources
        is_harmless = step.tool.effect in ("read", "idempotent")
        if flow.status == ACTS or (flow.status == PROBATION and is_harmless):
            continue
        if stop is None or leaf.step < stop.step:
            stop = stop_of(flow, step)
    return _Choice(found, tuple(flows), stop)


def get_of(leaf: Leaf, sources: tuple[Source, ...]) -> Get:
    """Return what reads a leaf, and only values of the kinds that the recordings had."""
    return Get(sources, tuple(sorted({kind_of(codec.decode(data, lenient=True), sources) for data in leaf.values})))


def stop_of(flow: Flow, step: PlanStep) -> Refusal:
    name = step.tool.name
    if flow.status == PROBATION:
        message = (
            f"argument {flow.argument!r} of {name} (step {flow.step}) is on probation: its source was learned from "
            f"{flow.values} value{'s'[: flow.values != 1]}; {flow.missing}"
        )
        return Refusal(Reason.PROBATION, message, flow.step, name)
    message = (
        f"argument {flow.argument!r} of {name} (step {flow.step}) differs between recordings: {flow.missing}. Declare "
        "its source with flows="
    )
    return Refusal(Reason.VALUE_VARIES, message, flow.step, name)


def stop_at_contradiction(general: GeneralTrajectory, others: Sequence[ReadyTrajectory]) -> None:
    """Stop before a call that other recordings contradict (E7)."""
    found = [at for at in (_contradicted(general, other) for other in others) if at is not None]
    at = min(found, default=-1)
    if at < 0 or (general.stop is not None and general.stop.step <= at):
        return
    name = general.steps[at].tool.name
    message = (
        f"a newer recording made the call of {name} (step {at}) with other arguments that nothing explains; two more "
        "recordings in a row confirm it"
    )
    general.set_stop(Refusal(Reason.VALUE_VARIES, message, at, name))


def _contradicted(general: GeneralTrajectory, other: ReadyTrajectory) -> int | None:
    """Return the first step that a recording contradicts without a reason."""
    read = {(flow.step, flow.leaf) for flow in general.flows if flow.status != VARIES}
    newest, body = general.parents[0].body.steps, other.body.steps
    for at, step in enumerate(general.steps):
        if skeleton(newest[at]) == skeleton(body[at]):
            pieces = zip(literal_pieces(newest[at]), literal_pieces(body[at]), strict=True)
            differs = any(
                (at, number) not in read
                and ours.argument not in step.tool.any
                and codec.canonical(ours.value) != codec.canonical(theirs.value)
                for number, (ours, theirs) in enumerate(pieces)
            )
        else:
            differs = _shapes(newest[at], step.tool.any) != _shapes(body[at], step.tool.any)
        if differs:
            own = [candidate for candidate in general.parents[0].candidates if not candidate.refresh]
            return at if is_unexplained(own, other.candidates, at) else None
    return None


def _shapes(record: StepRecord, left_out: Collection[str]) -> dict[str, Any]:
    return {name: shape for name, shape in argument_shapes(record) if name not in left_out}


def _loop_stop(at: int, step: PlanStep) -> Refusal:
    name = step.tool.name
    message = f"{name} (step {at}) and later steps take elements of one list, which may have another length now"
    return Refusal(Reason.VALUE_VARIES, message, at, name)


def _general_body(bodies: Sequence[Body], found: Mapping[int, Mapping[int, Get]]) -> Body | None:
    """Return the parents' calls with what they read.

    Return None if the parents depend on params in different ways.
    """
    first = bodies[0]
    records = [
        msgspec.structs.replace(
            replace_leaves(record, found[at]) if at in found else record,
            guards=common_guards([body.steps[at] for body in bodies], found.get(at, {})),
        )
        for at, record in enumerate(first.steps)
    ]
    shapes = {(body.params, body.kinds, body.equal, body.equal_secrets, body.leafwise, body.parts) for body in bodies}
    if len(shapes) > 1:
        return None
    return msgspec.structs.replace(first, steps=tuple(records), fixed=())


def common_guards(records: Sequence[StepRecord], read: Mapping[int, Get]) -> tuple[Guard, ...]:
    """Return the guards of a call that all parents have.

    Those of what is read are left out.
    """
    values = set()
    if read:
        pieces = literal_pieces(records[0])
        values = {codec.canonical(pieces[at].value) for at in read}
    others = [{place_of(guard) for guard in record.guards} for record in records[1:]]
    common = [guard for guard in records[0].guards if all(place_of(guard) in other for other in others)]
    common += _moved_guards(records, common, values)
    return tuple(guard for guard in common if guard.kind not in _PLACES or guard.data not in values)


def _moved_guards(records: Sequence[StepRecord], common: Sequence[Guard], read: Collection[bytes]) -> list[Guard]:
    """Return the newest recording's guards of values that each found elsewhere.

    What is `read` needs none. With them come those of the elements and lists in which the values stand.
    """
    known = {(guard.step, guard.data) for guard in common if guard.kind in _PLACES}
    taken = [{(guard.step, guard.data) for guard in record.guards if guard.kind in _PLACES} for record in records]
    lost = {(step, data) for step, data in set.intersection(*taken) - known if data not in read}
    moved = [guard for guard in records[0].guards if guard.kind in _PLACES and (guard.step, guard.data) in lost]
    above = [
        guard
        for guard in records[0].guards
        if guard.kind not in _PLACES
        and guard.kind not in ECHO_KINDS
        and guard not in common
        and any(own.step == guard.step and own.path[: len(guard.path)] == guard.path for own in moved)
    ]
    return moved + above


def _row_of(row: Row, found: Mapping[int, Mapping[int, Get]]) -> Row:
    """Return an observation of a parent as one of the generalized trajectory.

    Its suspicions count the literals that are left.
    """
    if not row.suspicions:
        return row
    suspicions = tuple(
        tuple(_moved(suspicion, found[at]) for suspicion in own if suspicion.leaf not in found[at])
        if at in found
        else own
        for at, own in enumerate(row.suspicions)
    )
    return msgspec.structs.replace(row, suspicions=suspicions)


def _moved(suspicion: Suspicion, read: Mapping[int, Get]) -> Suspicion:
    before = sum(1 for leaf in read if leaf < suspicion.leaf)
    return msgspec.structs.replace(suspicion, leaf=suspicion.leaf - before)


def _joined(general: GeneralTrajectory, body: Body, parents: Sequence[PlanStep]) -> list[PlanStep] | None:
    row = general.candidates[0].row
    keywords = row.keywords
    made: list[PlanStep] = []
    for at, record in enumerate(body.steps):
        try:
            names = keywords[at] if at < len(keywords) else ()
            step = make_step(general, at, record, parents[at].tool, names, row.said)
        except DecodeError:
            return None
        made.append(step)
        if isinstance(step, BoundStep):
            other = parents[at]
            step.group_stop, step.opening_members = other.group_stop, other.opening_members
            step.is_opening_member = other.is_opening_member
    return made


def _set_conditions(general: GeneralTrajectory, bodies: Sequence[Body]) -> bool:
    """Set under which params a generalized trajectory may start.

    Return whether that is known.
    """
    rows = [candidate.row for candidate in general.candidates if not candidate.refresh]
    conditions = Conditions(
        rows, [parent.recorded_at for parent in general.parents for c in parent.candidates if not c.refresh]
    )
    general.conditions = conditions or None
    general.settled = settled_leaves(rows) if any(row.chances for row in rows) else {}
    for step in general.steps:
        step.depend_on(conditions.derived.get(step.position, ()))
    read = {
        source.name
        for flow in general.flows
        if flow.status != VARIES
        for source in flow.sources
        if source.origin == terms.PARAM
    }
    fixed = {name for body in bodies for name, _ in body.fixed}
    general.own_params = frozenset(fixed - read)
    return not general.own_params or general.conditions is not None
