"""Steps that some recordings of a task lack, which a replay may skip (L17)."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any, NamedTuple

from .. import codec
from ..binding.references.skeletons import skeleton
from ..binding.texts.pieces import literal_pieces
from ..model.records import Body, Row, StepRecord
from .flows import VARIES, ShownOptional
from .general_trajectory import GeneralTrajectory
from .leaves import StepTraits
from .parallel import remap_record
from .ready_trajectory import ReadyTrajectory
from .recorded_answers import answers_of, output_data
from .stored_trajectory import StoredTrajectory
from .trust import IN_A_ROW, TWICE

EACH_SIDE = 2
"""The recordings with a step, and those without it, that make it optional."""

HARMLESS = ("read", "idempotent")

Leaves = Collection[tuple[int, int]]
Signature = tuple[Any, ...]


class Recording(NamedTuple):
    """A trajectory as it is lined up with others.

    `times` is how often it was recorded, as far as that is known: an equal recording is not stored again. `loose` are
    arguments that may have any value.
    """

    body: Body
    rows: Sequence[Row]
    times: int
    traits: Sequence[StepTraits]
    loose: Sequence[Collection[str]]
    signatures: Sequence[Signature]


class OptionalStep(NamedTuple):
    """A step that some recordings lack.

    `missing` says why it is not optional, and is empty if it is.
    """

    position: int
    has: int
    lacks: int
    missing: str

    def shown(self, tool: str) -> ShownOptional:
        """Return the step as people see it."""
        return ShownOptional(self.position, tool, self.has, self.lacks, self.missing)


def recording_of(trajectory: ReadyTrajectory) -> Recording:
    """Return a recording that is joined with the live tools."""
    return _recording(
        trajectory.body,
        [candidate.row for candidate in trajectory.candidates if not candidate.refresh],
        trajectory.standing,
        [StepTraits(step.tool.effect, step.pre is not None) for step in trajectory.steps],
        [step.tool.any for step in trajectory.steps],
    )


def stored_recording(trajectory: StoredTrajectory) -> Recording:
    """Return a recording as it is stored."""
    rows = [one.row for one in trajectory.observations if not one.refresh]
    effects = rows[0].effects if rows else ()
    records = trajectory.body.steps
    traits = [
        StepTraits((effects[at] or None) if at < len(effects) else None, bool(record.pre))
        for at, record in enumerate(records)
    ]
    return _recording(trajectory.body, rows, trajectory.standing, traits, [()] * len(records))


def _recording(
    body: Body, rows: Sequence[Row], standing: Any, traits: Sequence[StepTraits], loose: Sequence[Collection[str]]
) -> Recording:
    times = max(len(rows), 2 if standing.reason.startswith((TWICE, IN_A_ROW)) else 0)
    return Recording(body, rows, times, traits, loose, list(map(_signature, body.steps)))


def _signature(record: StepRecord) -> Signature:
    return record.tool, record.fingerprint, record.method, record.instance, record.pre, record.post


def learned_steps(trajectory: ReadyTrajectory, usable: Sequence[ReadyTrajectory]) -> list[OptionalStep]:
    """Return the steps of a trajectory that other recordings of its key lack."""
    read: Leaves = ()
    own = trajectory
    if isinstance(trajectory, GeneralTrajectory):
        own = trajectory.parents[0]
        read = {(flow.step, flow.leaf) for flow in trajectory.flows if flow.status != VARIES}
    others = [recording_of(other) for other in usable if other is not own]
    return lacked_steps(recording_of(own), others, trajectory.needed_outputs, read)


def lacked_steps(
    own: Recording, others: Sequence[Recording], needed: Collection[int], read: Leaves = ()
) -> list[OptionalStep]:
    """Return the steps that some recordings lack.

    Args:
        own: The recording that has them.
        others: The other recordings of its key.
        needed: The steps whose outputs later steps need.
        read: The leaves, by step and number, that a replay reads from a source.
    """
    lined = [(other, places) for other in others if (places := _lined_up(own, other)) is not None]
    found: list[OptionalStep] = []
    for at in range(len(own.body.steps)):
        related = [pair for pair in lined if _differs_harmlessly(own, *pair, at)]
        lacking = [(other, places) for other, places in related if _lacks(own, other, places, at)]
        if not lacking:
            continue
        having = [own, *[other for other, places in related if at in places]]
        has, lacks = _count(having), _count([other for other, _ in lacking])
        missing = _not_skippable(own, at, needed) or _too_few(has, lacks)
        if not missing and not all(_makes_same_calls(own, other, places, read) for other, places in lacking):
            missing = "other calls have other values where it is lacking"
        if not missing and _is_told(own, having, lined, lacking, at):
            missing = "an earlier answer decides whether it is made"
        found.append(OptionalStep(at, has, lacks, missing))
    return found


def _count(recordings: Sequence[Recording]) -> int:
    return sum(one.times for one in recordings)


def _too_few(has: int, lacks: int) -> str:
    if has < EACH_SIDE:
        return "one more recording with it"
    return "one more recording without it" if lacks < EACH_SIDE else ""


def _lined_up(own: Recording, other: Recording) -> dict[int, int] | None:
    """Return where another recording has each step that both have.

    Return None if the order differs.
    """
    if _head(own.body) != _head(other.body):
        return None
    common = set(own.signatures).intersection(other.signatures)
    ours = [at for at, signature in enumerate(own.signatures) if signature in common]
    theirs = [at for at, signature in enumerate(other.signatures) if signature in common]
    if not common or [own.signatures[at] for at in ours] != [other.signatures[at] for at in theirs]:
        return None
    return dict(zip(ours, theirs, strict=True))


def _head(body: Body) -> tuple[Any, ...]:
    return body.params, body.kinds


def _differs_harmlessly(own: Recording, other: Recording, places: Mapping[int, int], at: int) -> bool:
    """Return whether all that only one of two recordings has could be skipped.

    The step at a position of the first is left aside.
    """
    theirs = set(places.values())
    return all(not _not_checked(own, one) for one in range(len(own.traits)) if one not in places and one != at) and all(
        not _not_checked(other, one) for one in range(len(other.traits)) if one not in theirs
    )


def _lacks(own: Recording, other: Recording, places: Mapping[int, int], at: int) -> bool:
    """Return whether another recording lacks a step, with nothing in its place.

    Steps in a row that are lacking together are a branch.
    """
    if at in places:
        return False
    before = places.get(at - 1) if at else -1
    after = places.get(at + 1) if at + 1 < len(own.traits) else len(other.traits)
    return before is not None and after == before + 1


def _not_checked(own: Recording, at: int) -> str:
    traits = own.traits
    if traits[at].effect not in HARMLESS:
        return "it is not declared read or idempotent"
    if not traits[at].has_pre_check:
        return "a pre-check of it"
    if at + 1 == len(traits) or not traits[at + 1].has_pre_check:
        return "a pre-check of the next step"
    return "it is in a parallel group" if own.body.steps[at].group else ""


def _not_skippable(own: Recording, at: int, needed: Collection[int]) -> str:
    why = _not_checked(own, at)
    if not why and at in needed:
        why = "a later step needs its output"
    if not why and any(row.result == at for row in own.rows):
        why = "its output is the result"
    return why


def _makes_same_calls(own: Recording, other: Recording, places: Mapping[int, int], read: Leaves) -> bool:
    """Return whether two recordings made their common calls with the same values.

    What a replay reads from a source may differ.
    """
    moved = [len(own.body.steps) + at for at in range(len(other.body.steps))]
    for ours, theirs in places.items():
        moved[theirs] = ours
    for at, theirs in places.items():
        record, same = own.body.steps[at], remap_record(other.body.steps[theirs], moved)
        if skeleton(record) != skeleton(same):
            return False
        pieces = zip(literal_pieces(record), literal_pieces(same), strict=True)
        for leaf, (one, two) in enumerate(pieces):
            if (at, leaf) in read or one.argument in own.loose[at]:
                continue
            if codec.canonical(one.value) != codec.canonical(two.value):
                return False
    return True


def _is_told(
    own: Recording,
    having: Sequence[Recording],
    lined: Sequence[tuple[Recording, Mapping[int, int]]],
    lacking: Sequence[tuple[Recording, Mapping[int, int]]],
    at: int,
) -> bool:
    """Return whether an earlier answer with a step was never given without it."""
    known = {id(other): places for other, places in lined}
    for step in range(at):
        with_it = _answers([(one, step if one is own else known[id(one)].get(step)) for one in having])
        without = _answers([(other, places.get(step)) for other, places in lacking])
        if with_it and without and with_it.isdisjoint(without):
            return True
    return False


def _answers(recorded: Sequence[tuple[Recording, int | None]]) -> set[bytes]:
    """Return the recorded answers of a step (E12)."""
    return {answers_of(output_data(row, at) or b"") for one, at in recorded if at is not None for row in one.rows}
