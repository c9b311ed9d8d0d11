"""The flows of stored recordings, derived without live tools (L1, L8).

An engine derives the same from the recordings of a key. It also knows what its tools declare and what it asks of
flows, so it may ask for more.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from ..binding.inference.leaf import Leaf
from ..model.flow import ARGUMENT, OUTPUT
from ..model.learned import NO_EVIDENCE, Evidence
from .flows import VARIES, Flow, ShownFlow, ShownOptional
from .general_trajectory import Settings
from .identity import general_id
from .learning import MAX_DECODED, REPLAYABLE_STATES, interleaved, most_different, skeleton_digest
from .leaves import StepTraits, differing_leaves, flow_of
from .shown_flows import shown_flow
from .stored_trajectory import StoredTrajectory, align_groups


class StoredFlows(NamedTuple):
    """What several stored recordings have in common.

    `id` is that of their generalized trajectory, `skeleton` the digest of their calls without values. `parents` are the
    recordings, newest first.
    """

    id: str
    skeleton: bytes
    parents: tuple[StoredTrajectory, ...]
    leaves: tuple[Leaf, ...]
    flows: tuple[Flow, ...]
    evidence: Evidence

    @property
    def tools(self) -> tuple[str, ...]:
        """The names of the tools of the calls, in order."""
        return tuple([record.tool for record in self.parents[0].body.steps])

    def shown(self) -> tuple[ShownFlow, ...]:
        """Return the flows as people see them."""
        records = self.parents[0].body.steps
        return tuple(
            [shown_flow(flow, leaf, records, self.evidence) for flow, leaf in zip(self.flows, self.leaves, strict=True)]
        )


def stored_flows(
    key: bytes, recordings: Sequence[StoredTrajectory], evidence: Mapping[str, Evidence]
) -> Iterator[StoredFlows]:
    """Yield what recordings of one key have in common, the newest first.

    Args:
        key: The task key.
        recordings: The recordings of the key, newest first. Their parallel groups are moved into one order.
        evidence: The stored evidence by the ids of generalized trajectories.
    """
    align_groups(recordings)
    for skeleton, members in _groups(recordings):
        parents = most_different(members)
        rows = interleaved([[one.row for one in parent.observations if not one.refresh] for parent in parents])
        if not rows:
            continue
        bodies = {id(one.row): parent.body for parent in parents for one in parent.observations}
        traits = _traits_of(parents[0])
        leaves = differing_leaves([bodies[id(row)] for row in rows], rows, traits, key)
        name = general_id(key, skeleton)
        known = evidence.get(name, NO_EVIDENCE)
        flows = [flow_of(leaf, traits[leaf.step], _allow_any, known, Settings(key), len(rows)) for leaf in leaves]
        yield StoredFlows(name, skeleton, tuple(parents), tuple(leaves), tuple(flows), known)


def stored_optional(
    own: StoredTrajectory, recordings: Sequence[StoredTrajectory], flows: Sequence[Flow] = ()
) -> list[ShownOptional]:
    """Return the steps of a recording that others of its key lack (L17).

    `flows` are those of its arguments, which a replay reads from their sources.
    """
    from ..binding.references.resolve import references_in
    from .optional_steps import lacked_steps, stored_recording

    records = own.body.steps
    needed = {guard.step for record in records for guard in record.guards}.union(
        *(references_in(expr) for record in records for _, expr in record.arguments),
        *({one.step for one in flow.sources if one.origin in (OUTPUT, ARGUMENT)} for flow in flows),
    )
    usable = [one for one in recordings if one is not own and one.standing.state in REPLAYABLE_STATES]
    read = {(flow.step, flow.leaf) for flow in flows if flow.status != VARIES}
    found = lacked_steps(stored_recording(own), list(map(stored_recording, usable)), needed, read)
    return [one.shown(records[one.position].tool) for one in found]


def _allow_any(*_: object) -> bool:
    return True  # What the tools declare is not stored.


def _groups(recordings: Sequence[StoredTrajectory]) -> Iterator[tuple[bytes, list[StoredTrajectory]]]:
    """Yield the recordings with equal calls but for values, by the digest of these."""
    alike: dict[tuple[tuple[str, str], ...], list[StoredTrajectory]] = {}
    for one in recordings:
        if one.body.steps and one.observations and one.standing.state in REPLAYABLE_STATES:
            tools = tuple([(record.tool, record.fingerprint) for record in one.body.steps])
            alike.setdefault(tools, []).append(one)
    for members in alike.values():
        found: dict[bytes, list[StoredTrajectory]] = {}
        for one in members[:MAX_DECODED]:
            found.setdefault(skeleton_digest(one.body), []).append(one)
        yield from found.items()


def _traits_of(newest: StoredTrajectory) -> list[StepTraits]:
    effects = next((one.row.effects for one in newest.observations if not one.refresh), ())
    return [
        StepTraits((effects[at] or None) if at < len(effects) else None, bool(record.pre))
        for at, record in enumerate(newest.body.steps)
    ]
