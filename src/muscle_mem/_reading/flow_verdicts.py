"""Verdicts of people on where arguments come from."""

from __future__ import annotations

import time

from .._core.model.flow import may_act
from .._core.model.learned import evidence_bytes, flows_body, verdict_entry
from .._core.plan.flows import leaf_id
from .._core.plan.identity import evidence_id
from .._core.plan.leaves import BY_PERSON, NO_SOURCE
from ..store import Observation, Sealed, Store
from .flows import Learned


def why_not_confirmed(one: Learned, at: int) -> str:
    """Return why a flow cannot be confirmed, or ""."""
    if any(map(may_act, one.flows.flows[at].sources)):
        return ""
    missing = one.shown()[at].missing
    return NO_SOURCE if missing in ("", BY_PERSON) else missing


def store_verdict(source: Store, one: Learned, at: int, kind: bytes) -> None:
    """Store a person's verdict on a flow, as evidence.

    Args:
        source: The store.
        one: The flows of a trajectory.
        at: The number of the flow.
        kind: CONFIRMED or REJECTED.
    """
    leaf, now = one.flows.leaves[at], time.time()
    body = evidence_bytes([verdict_entry(kind, leaf_id(leaf.step, leaf.leaf), one.entries, now)])
    source.seal(_record(one, now), Observation(id=evidence_id(one.id, body), body=body, created=now))


def _record(one: Learned, now: float) -> Sealed:
    """Return the record of flows, as it is stored or as an engine would store it."""
    if one.record is not None:
        return one.record.sealed
    newest = one.newest.sealed
    return Sealed(
        id=one.id,
        key=newest.key,
        body=flows_body(one.flows.tools, one.flows.skeleton),
        steps=len(one.flows.tools),
        task=newest.task,
        scope=newest.scope,
        tags=newest.tags,
        created=now,
    )
