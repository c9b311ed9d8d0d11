"""The records of generalized trajectories in a store (L2, L9)."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Sequence

from .._core.model.learned import (
    AGREED,
    DIGEST,
    STRUCK,
    Evidence,
    evidence_bytes,
    flows_body,
    is_flows_body,
    join_evidence,
    read_entries,
)
from .._core.model.text import long_repr
from .._core.plan.flows import VARIES, parents_entries
from .._core.plan.general_trajectory import GeneralTrajectory, Settings
from .._core.plan.identity import evidence_id
from .._core.plan.learning import MAX_PARENTS, Known, Learning, skeleton_digest
from .._core.plan.ready_trajectory import ReadyTrajectory
from .._core.plan.trust import trust_level
from ..errors import DecodeError
from ..store.base import FRESH, QUARANTINED, Note, Observation, Sealed, Standing, Store, Stored

MAX_REPORTS = 1_000

MAX_VALUES = 5
"""The different values of a source that are kept as evidence, beside those that probation asks for."""


def split_learned(stored: Iterable[Stored]) -> tuple[list[Stored], list[Stored]]:
    """Return the recordings of a key, and the records of its generalized trajectories."""
    recordings: list[Stored] = []
    learned: list[Stored] = []
    for one in stored:
        (learned if is_flows_body(one.sealed.body) else recordings).append(one)
    return recordings, learned


def read_learned(stored: Stored) -> Known:
    """Return the standing and the evidence of a generalized trajectory.

    Evidence that cannot be read is left out.
    """
    entries: list[bytes] = []
    for _, observation in sorted(stored.observations, key=lambda pair: pair[0]):
        try:
            entries += read_entries(observation.body)
        except DecodeError:
            continue
    return Known(stored.standing, join_evidence(entries))


class Flows:
    """The generalized trajectories of an engine, and their stored records."""

    def __init__(
        self,
        store: Callable[[], Store],
        clock: Callable[[], float],
        probation: int,
        approves: bool,
        report: Callable[[str], None],
    ) -> None:
        """`store` returns the store that the engine uses now."""
        self._store = store
        self._report = report
        self._reported: set[bytes] = set()
        self._clock = clock
        self._probation = probation
        self._approves = approves

    def attach(self, key: bytes, trajectories: Sequence[ReadyTrajectory], learned: Iterable[Stored]) -> None:
        """Give the recordings of a key what derives their generalized trajectories."""
        known = {stored.sealed.id: read_learned(stored) for stored in learned}
        asks = Settings(key, self._probation, self._approves)
        learning = Learning(trajectories, known, Standing(), asks, functools.partial(self._failed, key))
        for trajectory in trajectories:
            trajectory.learning = learning

    def _failed(self, key: bytes, error: Exception) -> None:
        """Report once for each key that nothing is learned from its recordings."""
        if key not in self._reported and len(self._reported) < MAX_REPORTS:
            self._reported.add(key)
            self._report(f"nothing is learned from several recordings of one task: {long_repr(error)}. Report this.")

    def keep(self, learning: Learning, id: str) -> set[str]:
        """Store what several recordings prove, and return surplus ones by id.

        `id` is that of the new one. As a good agent run it lifts a quarantine that no person made (D6).

        Raises what the store raises.
        """
        surplus: set[str] = set()
        if learning.count < 2:
            return surplus
        for general in learning.all():
            if len(general.parents) < 2:
                continue
            gone = surplus_parents(learning.members(general.parents[0]), general)
            known = learning.evidence(general)
            entries = parents_entries(learning.asks.key, general.leaves, known, MAX_VALUES + self._probation)
            if general.id not in learning.known or (gone and entries):
                self.store_record(general, entries)
            standing = general.standing
            if standing.state == QUARANTINED and not standing.held and general.parents[0].id == id:
                self._store().note((Note(id=general.id, state=FRESH, reason="", strikes=0),))
            surplus |= gone
        return surplus | surplus_lengths(learning)

    def store_record(self, general: GeneralTrajectory, entries: Iterable[bytes] = (), note: Note | None = None) -> None:
        """Add evidence for a generalized trajectory, and store its record if it is new.

        Raises what the store raises.
        """
        newest = general.parents[0].sealed
        skeleton = general.skeleton or skeleton_digest(general.parents[0].body)
        sealed = Sealed(
            id=general.id,
            key=newest.key,
            body=flows_body([step.tool.name for step in general.steps], skeleton),
            steps=general.length,
            task=newest.task,
            scope=newest.scope,
            tags=newest.tags,
            created=self._clock(),
        )
        body = evidence_bytes(entries)
        name = evidence_id(general.id, body)
        self._store().seal(sealed, Observation(id=name, body=body, created=self._clock()), note)


def surplus_parents(members: Sequence[ReadyTrajectory], general: GeneralTrajectory) -> set[str]:
    """Return recordings beyond those that are kept as parents (L2).

    What a person trusts stays.
    """
    if not any(flow.status != VARIES for flow in general.flows):
        return set()
    kept = {parent.id for parent in general.parents}
    return {member.id for member in members if member.id not in kept and trust_level(member.standing) < 2}


def surplus_lengths(learning: Learning) -> set[str]:
    """Return recordings of loops beyond the newest, longest and shortest (L2)."""
    fold = learning.fold if learning.may_loop else None
    if fold is None or len(fold.parents) <= MAX_PARENTS:
        return set()
    longest = max(fold.parents, key=lambda parent: (parent.length, parent.seq))
    shortest = min(fold.parents, key=lambda parent: (parent.length, -parent.seq))
    kept = {longest.id, shortest.id, *(parent.id for parent in fold.parents[: MAX_PARENTS - 2])}
    return {parent.id for parent in fold.parents if parent.id not in kept and trust_level(parent.standing) < 2}


def new_entries(entries: Iterable[bytes], known: Evidence, most: int) -> list[bytes]:
    """Return the pieces of evidence that are not stored yet.

    At most so many values are kept for each source.
    """
    found: list[bytes] = []
    for entry in dict.fromkeys(entries):
        name = entry[1 : 1 + DIGEST]
        if entry[:1] == STRUCK and name not in known.struck:
            found.append(entry)
        stored = known.values.get(name, frozenset())
        if entry[:1] == AGREED and entry[1 + DIGEST :] not in stored and len(stored) < most:
            found.append(entry)
    return found
