"""The generalized trajectories of one key, derived when they are needed (L1, L2)."""

from __future__ import annotations

import functools
from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol, TypeVar

import msgspec

from .. import codec
from ..binding.texts.pieces import literal_pieces
from ..model.learned import NO_EVIDENCE, Evidence
from ..model.records import Body, Row
from .general_trajectory import GeneralTrajectory, Settings
from .identity import general_id
from .ready_trajectory import ReadyTrajectory
from .trust import trust_level

if TYPE_CHECKING:
    from ..binding.inference.leaf import Leaf
    from .flows import Flow
    from .for_each import Fold
    from .optional_steps import OptionalStep

MAX_PARENTS = 8
"""The recordings that a generalized trajectory is derived from, the newest and most different."""

MAX_DECODED = 32
"""The newest recordings with the same tools whose calls are compared."""

REPLAYABLE_STATES = ("fresh", "trusted")


class Known(NamedTuple):
    """What a store has of a generalized trajectory: its standing and its evidence."""

    standing: Any
    evidence: Evidence = NO_EVIDENCE


class Described(NamedTuple):
    """The flows of recordings with the same calls, and what is known of them."""

    parents: Sequence[ReadyTrajectory]
    leaves: Sequence[Leaf]
    flows: Sequence[Flow]
    evidence: Evidence


class Learning:
    """What the recordings of a key prove together.

    Nothing is derived before it is asked for, and nothing twice. `known` are the stored records by id, and `fresh` is
    the standing of a generalized trajectory without one. `report` gets an internal error, after which nothing is
    learned from the recordings concerned.
    """

    def __init__(
        self,
        trajectories: Sequence[ReadyTrajectory],
        known: Mapping[str, Known],
        fresh: Any,
        asks: Settings,
        report: Callable[[Exception], None] = lambda _: None,
    ) -> None:
        self.asks = asks
        self.known = known
        self._trajectories = trajectories
        self._fresh = fresh
        self._report = report
        self._found: dict[bytes, GeneralTrajectory | None] = {}
        self._skeletons: dict[str, bytes] = {}
        self._failed: frozenset[str] = frozenset()
        self._fold: tuple[Fold | None, ...] = ()
        self._lacked: dict[str, tuple[list[str], list[OptionalStep]]] = {}

    @property
    def count(self) -> int:
        """The number of trajectories of the key."""
        return len(self._trajectories)

    def of(self, trajectory: ReadyTrajectory) -> GeneralTrajectory | None:
        """Return the generalized trajectory that a recording is a parent of. Never raises."""
        if isinstance(trajectory, GeneralTrajectory):
            return trajectory
        if not trajectory.steps or not _may_be_parent(trajectory) or trajectory.id in self._failed:
            return None
        try:
            return self._known_or_derived(trajectory)
        except Exception as error:  # An internal error must not affect the run.
            self._failed |= {trajectory.id}
            self._report(error)
            return None

    def _known_or_derived(self, trajectory: ReadyTrajectory) -> GeneralTrajectory | None:
        name = self._skeleton(trajectory)
        known = self._found.get(name)
        is_outdated = known is not None and not all(map(_may_be_parent, known.parents))
        if name not in self._found or is_outdated:
            self._found[name] = known = self._derive(trajectory, name)
        return known

    @functools.cached_property
    def may_loop(self) -> bool:
        """Whether recordings differ in how often they made the same calls."""
        if any(step.tool.each for trajectory in self._trajectories[:MAX_DECODED] for step in trajectory.steps):
            return True
        lengths = {trajectory.length for trajectory in self._trajectories if trajectory.steps}
        if len(lengths) < 2:
            return False
        return any(_repeats_a_tool(trajectory) for trajectory in self._trajectories[:MAX_DECODED])

    @property
    def fold(self) -> Fold | None:
        """The loop that recordings have in common. Never raises."""
        found = self._fold
        if not found or (found[0] is not None and not all(map(_may_be_parent, found[0].parents))):
            found = self._fold = (self._derived_fold(),)
        return found[0]

    def _derived_fold(self) -> Fold | None:
        usable = [one for one in self._trajectories[:MAX_DECODED] if one.steps and _may_be_parent(one)]
        if not self.may_loop or not usable:
            return None
        from .fold_derivation import Maker, find_fold

        try:
            found = find_fold(usable, Maker(self.asks, self._known_fold))
        except Exception as error:  # An internal error must not affect the run.
            self._report(error)
            return None
        if found is not None:
            found.company = [other for other in self._trajectories if other not in found.parents]
        return found

    def lacked(self, trajectory: ReadyTrajectory) -> list[OptionalStep]:
        """Return the steps that other recordings lack (L17). Never raises."""
        usable = [one for one in self._trajectories[:MAX_DECODED] if one.steps and _may_be_parent(one)]
        if len({one.length for one in usable}) < 2 or type(trajectory) not in (ReadyTrajectory, GeneralTrajectory):
            return []
        from .optional_steps import learned_steps

        ids = [f"{one.id} {one.standing.reason}" for one in usable]
        known = self._lacked.get(trajectory.id)
        if known is None or known[0] != ids:
            try:
                known = ids, learned_steps(trajectory, usable)
            except Exception as error:  # An internal error must not affect the run.
                self._report(error)
                known = ids, []
            self._lacked[trajectory.id] = known
        return known[1]

    def _known_fold(self, name: bytes) -> tuple[str, Any, Evidence]:
        id = general_id(self.asks.key, name)
        known = self.known.get(id, Known(self._fresh))
        return id, known.standing, known.evidence

    def all(self) -> Iterator[GeneralTrajectory]:
        """Yield the generalized trajectories of the newest recordings."""
        given: set[str] = set()
        for trajectory in self._trajectories[:MAX_DECODED]:
            general = self.of(trajectory)
            if general is not None and general.id not in given:
                given.add(general.id)
                yield general

    def find(self, id: str) -> GeneralTrajectory | None:
        """Return the generalized trajectory with an id."""
        found = next((general for general in self.all() if general.id == id), None)
        return self.fold.opening if found is None and self.fold is not None and self.fold.id == id else found

    def described(self) -> list[Described]:
        """Return the flows of the newest recordings, replayed or not. Never raises."""
        found: dict[bytes, Described] = {}
        for trajectory in self._trajectories[:MAX_DECODED]:
            if not trajectory.steps or not _may_be_parent(trajectory) or trajectory.id in self._failed:
                continue
            try:
                name = self._skeleton(trajectory)
                if name not in found:
                    found[name] = self._described(trajectory, name)
            except Exception as error:  # An internal error must not affect an explanation.
                self._failed |= {trajectory.id}
                self._report(error)
        return list(found.values())

    def _described(self, trajectory: ReadyTrajectory, name: bytes) -> Described:
        from .generalized import derive_flows

        parents = most_different(self.members(trajectory))
        rows, known = _rows_of(parents), self.known.get(general_id(self.asks.key, name), Known(self._fresh))
        leaves, flows = derive_flows(parents, rows, known.evidence, self.asks) if rows else ([], [])
        return Described(parents, leaves, flows, known.evidence)

    def evidence(self, general: GeneralTrajectory) -> Evidence:
        """Return the stored evidence of a generalized trajectory."""
        known = self.known.get(general.id)
        return NO_EVIDENCE if known is None else known.evidence

    def members(self, trajectory: ReadyTrajectory) -> list[ReadyTrajectory]:
        """Return the recordings with the same calls as one but for values, newest first."""
        name = self._skeleton(trajectory)
        tools = _tools_of(trajectory)
        alike = [other for other in self._trajectories if other.steps and _tools_of(other) == tools]
        return [other for other in alike[:MAX_DECODED] if _may_be_parent(other) and self._skeleton(other) == name]

    def _skeleton(self, trajectory: ReadyTrajectory) -> bytes:
        known = self._skeletons.get(trajectory.id)
        if known is None:
            known = self._skeletons[trajectory.id] = skeleton_digest(trajectory.body)
        return known

    def _derive(self, trajectory: ReadyTrajectory, name: bytes) -> GeneralTrajectory | None:
        members = self.members(trajectory)
        parents = most_different(members)
        if not parents:
            return None
        id = general_id(self.asks.key, name)
        known = self.known.get(id, Known(self._fresh))
        rows = _rows_of(parents)
        if not rows:
            return None
        from .generalized import generalize, stop_at_contradiction

        general = generalize(id, parents, rows, known.evidence, known.standing, self.asks)
        if general is not None:
            general.company = [other for other in self._trajectories if other not in members]
            stop_at_contradiction(general, self._doubts(parents))
        return general

    def _doubts(self, parents: Sequence[ReadyTrajectory]) -> list[ReadyTrajectory]:
        """Return recordings with the same tools that may contradict the parents.

        Two newer recordings in a row lift what they contradict (E7).
        """
        last = parents[1].seq if len(parents) > 1 else -1
        tools = _tools_of(parents[0])
        newer = [other for other in self._trajectories if other.seq > last and other.steps and not other.is_expired]
        return [other for other in newer if other not in parents and _tools_of(other) == tools]


def _repeats_a_tool(trajectory: ReadyTrajectory) -> bool:
    seen: dict[Any, int] = {}
    for step in trajectory.steps:
        seen[step.tool.identity] = seen.get(step.tool.identity, 0) + 1
    return max(seen.values(), default=0) > 2


def skeleton_digest(body: Body) -> bytes:
    """Return a digest of calls without their literal values.

    Trajectories with the same one may be parents of one generalized trajectory.
    """
    from ..binding.inference.infer import skeleton

    shape: list[Hashable] = [body.params, body.kinds, *map(skeleton, body.steps)]
    return codec.digest(msgspec.msgpack.encode(shape))[:16]


class HasBody(Protocol):
    """A recording, joined with live tools or as stored."""

    @property
    def body(self) -> Body: ...


Recorded = TypeVar("Recorded", bound=HasBody)


def most_different(members: Sequence[Recorded]) -> list[Recorded]:
    """Return the recordings that are kept as parents.

    They are the newest, and for each leaf one with another value than the newest has.

    `members` have the same calls but for values and come newest first, as does the result.
    """
    if len(members) <= MAX_PARENTS:
        return list(members)
    leaves = [_leaves_of(member) for member in members]
    kept, same = [0], set(range(len(leaves[0])))
    for at in range(1, len(members)):
        new = {number for number in same if leaves[at][number] != leaves[0][number]}
        if new and len(kept) < MAX_PARENTS:
            kept.append(at)
            same -= new
    for at in range(1, len(members)):
        if len(kept) < MAX_PARENTS and at not in kept:
            kept.append(at)
    return [members[at] for at in sorted(kept)]


def _leaves_of(trajectory: HasBody) -> list[bytes]:
    return [codec.canonical(piece.value) for record in trajectory.body.steps for piece in literal_pieces(record)]


def _may_be_parent(trajectory: ReadyTrajectory) -> bool:
    if trajectory.unapproved is not None and trust_level(trajectory.standing) < 2:
        return False
    return trajectory.standing.state in REPLAYABLE_STATES and not trajectory.is_expired


def _tools_of(trajectory: ReadyTrajectory) -> tuple[Any, ...]:
    return tuple([step.tool.identity for step in trajectory.steps])


def _rows_of(parents: Sequence[ReadyTrajectory]) -> list[Row]:
    """Return the newest observation of each parent, then further ones of them."""
    return interleaved([[one.row for one in parent.candidates if not one.refresh] for parent in parents])


def interleaved(waiting: Sequence[list[Row]]) -> list[Row]:
    """Return the first row of each list, then the second ones, up to `MAX_PARENTS`."""
    found: list[Row] = []
    while len(found) < MAX_PARENTS and any(waiting):
        for rows in waiting:
            if rows and len(found) < MAX_PARENTS:
                found.append(rows.pop(0))
    return found
