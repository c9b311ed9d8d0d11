"""A trajectory as decoded from a store, and its join with the live tools.

The join makes it ready for replays.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import msgspec

from ...errors import DecodeError
from ..model.blobs import unpack_row
from ..model.reason import Reason
from ..model.records import Body, Row, StepRecord, intern_names, intern_values
from ..tools.tool import Tool
from .approval import approval_refusal
from .compatibility import argument_incompatibility, flow_refusal, incompatibility
from .parallel import (
    agreed_order,
    decode_body,
    group_spans,
    moved_positions,
    reorder_body,
    reorder_row,
    row_from_stored_order,
    validated_row,
)
from .ready_trajectory import Candidate, ReadyTrajectory
from .step import BoundStep, PlanStep, Refusal, Registry, make_step

Tools = dict[tuple[str | bool, ...], Tool]
"""The live tools of recorded steps."""


class StoredObservation:
    """One decoded observation; `known` is the same one as loaded before, if it was."""

    __slots__ = ("id", "known", "refresh", "row", "seq")

    def __init__(self, seq: int, id: str, row: Row, refresh: bool, known: Candidate | None = None) -> None:
        self.seq = seq
        self.id = id
        self.row = row
        self.refresh = refresh
        self.known = known

    def candidate_of(self, trajectory: ReadyTrajectory) -> Candidate:
        """Return the observation as a candidate of its joined trajectory."""
        if self.known is not None:
            return self.known.with_trajectory(trajectory)
        return Candidate(trajectory, self.seq, self.id, self.row, self.refresh)


class StoredTrajectory:
    """A trajectory as it was decoded, before it is joined with the live tools.

    `recorded_at` is in seconds since the epoch.
    """

    __slots__ = ("body", "observations", "recorded_at", "sealed", "seq", "standing")

    def __init__(self, stored: Any, body: Body, recorded_at: float = 0.0) -> None:
        self.sealed: Any = stored.sealed
        self.seq: int = stored.seq
        self.standing = stored.standing
        self.body = body
        self.observations: list[StoredObservation] = []
        self.recorded_at = recorded_at

    @property
    def has_groups(self) -> bool:
        """Return whether the trajectory has parallel groups."""
        return any(record.group for record in self.body.steps)

    def reorder(self, order: tuple[int, ...]) -> None:
        """Move the members of groups into another order."""
        positions = moved_positions(self.body, order)
        self.body = reorder_body(self.body, order)
        for observation in self.observations:
            observation.row = reorder_row(observation.row, positions)
            observation.known = None

    def join(self, registry: Registry, *, is_compared: bool = False) -> ReadyTrajectory:
        """Return the trajectory joined with the live tools, or with its refusal.

        `is_compared` says that its key has several candidates, which hits compare.
        """
        ready = ReadyTrajectory(self.sealed, self.seq, self.standing, self.body, self.recorded_at)
        ready.candidates = [observation.candidate_of(ready) for observation in self.observations]
        if is_compared:
            ready.prepare_comparison_ids(self.body)
        found = self._joined_steps(ready, registry)
        if isinstance(found, Refusal):
            ready.refusal = found
            return ready
        ready.set_steps(found)
        ready.note_places(self.body)
        unapproved = approval_refusal(self.body, [seen.row for seen in self.observations], found)
        if unapproved is not None:
            ready.require_approval(unapproved)
        if not all(step.is_inline and not step.tool.optional and not (step.pre and step.pre.wait) for step in found):
            ready.prepare_call_ids(self.body)  # Hits read the ids of such steps, and decode no body.
        return ready

    def _joined_steps(self, ready: ReadyTrajectory, registry: Registry) -> list[PlanStep] | Refusal:
        if not self.observations:
            return Refusal(
                Reason.DAMAGED, f"every observation of trajectory {ready.id} is damaged. Record the task again."
            )
        row = self.observations[0].row
        keywords = row.keywords
        steps: list[PlanStep] = []
        tools: Tools = {}
        for index, record in enumerate(self.body.steps):
            names = keywords[index] if index < len(keywords) else ()
            step = _joined_step(ready, index, record, registry, names, row.said, tools)
            if isinstance(step, Refusal):
                return step
            steps.append(step)
        _set_groups(steps, self.body.steps)
        return flow_refusal(self.body.steps, steps) or steps


def _joined_step(
    ready: ReadyTrajectory,
    index: int,
    record: StepRecord,
    registry: Registry,
    keywords: Sequence[str],
    said: bool,
    tools: Tools,
) -> PlanStep | Refusal:
    """Return a step joined with its tool; `tools` are those of the steps before it."""
    key = record.tool, record.fingerprint, record.instance, record.method, record.pre, record.post
    tool = tools.get(key)
    if tool is None:
        resolved = registry.resolve(record)
        if isinstance(resolved, Refusal):
            return msgspec.structs.replace(resolved, step=index, tool=record.tool)
        tool = tools[key] = resolved
        refusal = incompatibility(record, tool, index, keywords)
    else:
        refusal = argument_incompatibility(record, tool, index, keywords)
    if refusal is not None:
        return refusal
    try:
        return make_step(ready, index, record, tool, keywords, said)
    except DecodeError as error:
        return Refusal(Reason.NOT_REPLAYABLE, f"step {index} ({record.tool}): {error}", index, record.tool)


def _set_groups(steps: Sequence[PlanStep], records: Sequence[StepRecord]) -> None:
    """Set the fields of the steps that stand in parallel groups."""
    for start, stop in group_spans(records):
        opening = tuple(at for at in range(start + 1, stop) if not records[at].late)
        for at in range(start, stop):
            member = steps[at]
            assert isinstance(member, BoundStep)
            member.opening_members = () if at > start else opening
            member.group_stop = stop
            member.is_opening_member = at in opening


def load_trajectory(stored: Any, known: ReadyTrajectory | None = None, *, recorded_at: float = 0.0) -> StoredTrajectory:
    """Return the decoded form of a stored trajectory.

    Raises DecodeError for one that we did not write. `known` is the same trajectory as loaded before. Its observations
    that are still stored are not decoded again. An observation with the same id and sequence number is the same.
    """
    body = decode_body(stored.sealed.body)
    for record in body.steps:
        intern_names(record)
    trajectory = StoredTrajectory(stored, body, recorded_at)
    shared: dict[bytes, bytes] = {}
    equal: dict[Any, Any] = {}
    known_candidates: dict[tuple[int, str, bool], Candidate] = {}
    if known is not None and known.candidates:
        known_candidates = {(same.seq, same.id, same.refresh): same for same in known.candidates}
        intern_values(known.candidates[0].row, equal)
    for seq, observation in stored.observations:
        same = known_candidates.get((seq, observation.id, observation.refresh))
        if same is not None:
            row = same.row
        else:
            row = unpack_row(observation.body, observation.blobs, shared)
            if len(row.pre) != len(body.steps) or len(row.post) != len(body.steps):
                raise DecodeError(
                    f"invalid observation {observation.id}: expected {len(body.steps)} steps, got {len(row.pre)}"
                )
            row = validated_row(body, row_from_stored_order(row, body.order))
            intern_values(row, equal)
        trajectory.observations.append(StoredObservation(seq, observation.id, row, observation.refresh, same))
    return trajectory


def join_trajectories(
    loaded: Sequence[StoredTrajectory | ReadyTrajectory], registry: Registry
) -> list[ReadyTrajectory]:
    """Return the trajectories of a key, newest first, joined with the tools.

    They are ready to be compared by position. Those that are ready already stay as they are; they have no
    parallel groups.
    """
    align_groups([trajectory for trajectory in loaded if isinstance(trajectory, StoredTrajectory)])
    count = sum(
        len(trajectory.observations if isinstance(trajectory, StoredTrajectory) else trajectory.candidates)
        for trajectory in loaded
    )
    ready: list[ReadyTrajectory] = []
    for trajectory in loaded:
        if isinstance(trajectory, StoredTrajectory):
            ready.append(trajectory.join(registry, is_compared=count > 1))
            continue
        if count > 1:
            trajectory.prepare_comparison_ids()
        ready.append(trajectory)
    return ready


def align_groups(trajectories: Iterable[StoredTrajectory]) -> None:
    """Move groups that several trajectories of a key begin with into one order.

    It is the order in which the first of them, the newest, recorded them.
    """
    agreed: dict[bytes, Sequence[int]] = {}
    for trajectory in trajectories:
        if trajectory.has_groups:
            order = agreed_order(trajectory.body, agreed)
            if order != (trajectory.body.order or tuple(range(len(order)))):
                trajectory.reorder(order)
