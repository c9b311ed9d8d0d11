"""Flows of stored recordings, read from a store without the recorded program."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import msgspec

from .._core.model.learned import Evidence, join_evidence
from .._core.plan.flows import ShownFlow, ShownOptional
from .._core.plan.learning import skeleton_digest
from .._core.plan.stored_flows import StoredFlows, stored_flows, stored_optional
from .._core.plan.stored_trajectory import StoredTrajectory, load_trajectory
from ..errors import MuscleMemError
from ..store import Store, Stored
from ..store.pruning import recorded_at, summaries
from .loading import holds_flows, load_body, load_rows
from .text import printable


class Learned(msgspec.Struct, frozen=True):
    """What several recordings of a key have in common, with the stored record of it.

    `record` is None if no engine has stored one yet. `newest` is the newest recording.
    """

    flows: StoredFlows
    newest: Stored
    record: Stored | None
    entries: tuple[bytes, ...]

    @property
    def id(self) -> str:
        """The id of the generalized trajectory."""
        return self.flows.id

    @property
    def state(self) -> str:
        """The state of the generalized trajectory."""
        return self.record.standing.state if self.record is not None else "fresh"

    def shown(self) -> tuple[ShownFlow, ...]:
        """Return the flows as people see them."""
        return self.flows.shown()


def all_learned(store: Store) -> Iterator[Learned]:
    """Yield what recordings have in common in a whole store, the newest key first."""
    keys: dict[bytes, int] = {}
    for summary in summaries(store):
        keys[summary.key] = keys.get(summary.key, 0) + 1
    for key, count in keys.items():
        if count > 1:
            yield from learned_of(store, key)


def learned_of(store: Store, key: bytes) -> Iterator[Learned]:
    """Yield what the recordings of one key have in common.

    A single recording has flows only if an engine has stored evidence for them.
    """
    found = store.find(key).stored
    records = {stored.sealed.id: stored for stored in found if holds_flows(stored)}
    recordings = {stored.sealed.id: stored for stored in found if not holds_flows(stored)}
    entries = {id: tuple(_entries(stored)) for id, stored in records.items()}
    evidence: dict[str, Evidence] = {id: join_evidence(one) for id, one in entries.items()}
    if len(recordings) < 2 and not records:
        return
    try:
        derived = list(stored_flows(key, _loaded(recordings.values()), evidence))
    except (MuscleMemError, LookupError, ValueError, TypeError, RecursionError):
        return  # Bytes that no engine wrote; `doctor` reports them.
    for flows in derived:
        if flows.leaves and (len(flows.parents) > 1 or flows.id in records):
            newest = recordings[flows.parents[0].sealed.id]
            yield Learned(flows, newest, records.get(flows.id), entries.get(flows.id, ()))


def _entries(record: Stored) -> Iterator[bytes]:
    """Yield the evidence of a record, the oldest first."""
    for row in reversed(load_rows(load_body(record))):
        yield from row.entries


def _loaded(recordings: Iterable[Stored]) -> list[StoredTrajectory]:
    """Return the recordings that can be read."""
    found: list[StoredTrajectory] = []
    for stored in recordings:
        try:
            one = load_trajectory(stored, recorded_at=recorded_at(stored))
            skeleton_digest(one.body)
        except (MuscleMemError, LookupError, ValueError, TypeError, RecursionError):
            continue
        found.append(one)
    return found


def flows_of(store: Store, stored: Stored) -> list[Learned]:
    """Return the flows that a trajectory holds, or is a parent of."""
    return [
        one
        for one in learned_of(store, stored.sealed.key)
        if stored.sealed.id in (one.id, *(parent.sealed.id for parent in one.flows.parents))
    ]


def optional_of(store: Store, stored: Stored) -> list[ShownOptional]:
    """Return the steps of a recording that others of its task lack, optional or not."""
    found = store.find(stored.sealed.key).stored
    recordings = _loaded(other for other in found if not holds_flows(other))
    own = next((one for one in recordings if one.sealed.id == stored.sealed.id), None)
    if own is None or len({len(one.body.steps) for one in recordings}) < 2:
        return []
    learned = next((one for one in flows_of(store, stored) if one.id != stored.sealed.id), None)
    try:
        return stored_optional(own, recordings, () if learned is None else learned.flows.flows)
    except (MuscleMemError, LookupError, ValueError, TypeError, RecursionError):
        return []  # Bytes that no engine wrote; `doctor` reports them.


def optional_json(step: ShownOptional) -> dict[str, Any]:
    """Return a step that some recordings lack as JSON."""
    return {**msgspec.structs.asdict(step), "missing": step.missing or None, "is_optional": not step.missing}


def leaf_name(flow: ShownFlow) -> str:
    """Return the name of a flow in `flows confirm`, such as `1.order_id`."""
    return f"{flow.step}.{flow.argument}"


def flow_lines(flows: Iterable[ShownFlow]) -> Iterator[tuple[str, str]]:
    """Yield text and style of the lines about flows."""
    shown = list(flows)
    width = max((len(printable(leaf_name(flow))) for flow in shown), default=0)
    for flow in shown:
        style = {"acts": "green", "probation": "yellow", "struck": "red"}.get(flow.status, "")
        yield f"  {printable(leaf_name(flow)):<{width}}  {flow.status:<9}  {printable(flow)}", style
        if flow.missing:
            yield f"  {'':<{width}}  {'':<9}  missing: {printable(flow.missing)}", "dim"


def learned_json(one: Learned) -> dict[str, Any]:
    """Return flows as JSON."""
    sealed = one.newest.sealed
    return {
        "id": one.id,
        "task": sealed.task,
        "scope": sealed.scope,
        "key": sealed.key.hex(),
        "state": one.state,
        "tools": list(one.flows.tools),
        "recordings": [parent.sealed.id for parent in one.flows.parents],
        "flows": [flow_json(flow) for flow in one.shown()],
    }


def flow_json(flow: ShownFlow) -> dict[str, Any]:
    """Return one flow as JSON."""
    return {
        "name": leaf_name(flow),
        "step": flow.step,
        "tool": flow.tool,
        "argument": flow.argument,
        "status": flow.status,
        "sources": list(flow.sources),
        "recordings": flow.recordings,
        "values": flow.values,
        "missing": flow.missing or None,
        "text": str(flow),
    }
