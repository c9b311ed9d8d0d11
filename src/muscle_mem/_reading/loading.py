"""Stored trajectories, decoded as far as possible."""

from __future__ import annotations

from typing import Any

import msgspec

from .._core.model.blobs import unpack_row
from .._core.model.learned import FlowsBody, entry_problem, is_flows_body, read_entries, read_flows_body
from .._core.model.records import FORM, Body, Row
from .._core.plan.parallel import row_from_stored_order, validated_body, validated_row
from ..errors import DecodeError
from ..store import Observation, Stored
from ..store.pruning import recorded_at
from .text import iso


class LoadedBody(msgspec.Struct, frozen=True):
    """Trajectory with its body, or with the error of decoding it.

    What several recordings have in common has `flows` in place of a body.
    """

    stored: Stored
    body: Body | None
    error: str = ""
    flows: FlowsBody | None = None


class LoadedRow(msgspec.Struct, frozen=True):
    """Observation with its row, or with the error of decoding or matching it.

    Evidence for flows has `entries` in place of a row.
    """

    seq: int
    observation: Observation
    row: Row | None
    error: str = ""
    entries: tuple[bytes, ...] = ()


def holds_flows(stored: Stored) -> bool:
    """Return whether a stored trajectory is what several recordings have in common."""
    return is_flows_body(stored.sealed.body)


def load_body(stored: Stored) -> LoadedBody:
    """Decode the steps of a trajectory."""
    if holds_flows(stored):
        return _load_flows(stored)
    try:
        body = msgspec.msgpack.decode(stored.sealed.body, type=Body)
    except (msgspec.DecodeError, DecodeError, UnicodeError, RecursionError, ValueError) as error:
        return LoadedBody(stored, None, f"steps cannot be decoded: {error}")
    if body.form != FORM:
        return LoadedBody(
            stored, None, f"steps: expected form {FORM}, got {body.form}. Use the release that wrote them"
        )
    try:
        return LoadedBody(stored, validated_body(body))
    except DecodeError as error:
        return LoadedBody(stored, None, str(error))


def _load_flows(stored: Stored) -> LoadedBody:
    try:
        return LoadedBody(stored, None, flows=read_flows_body(stored.sealed.body))
    except DecodeError as error:
        return LoadedBody(stored, None, f"flows cannot be decoded: {error}")


def load_rows(opened: LoadedBody) -> list[LoadedRow]:
    """Decode the observations of a trajectory, newest first."""
    observations = opened.stored.observations
    if holds_flows(opened.stored):
        return [_load_evidence(seq, observation) for seq, observation in observations]
    return [_load_row(seq, observation, opened.body) for seq, observation in observations]


def newest_row(stored: Stored) -> Row | None:
    """Return the newest observation of an agent's run, if it can be decoded."""
    if holds_flows(stored):
        return None
    for seq, observation in stored.observations:
        if not observation.refresh:
            return _load_row(seq, observation, None).row
    return None


def _load_row(seq: int, observation: Observation, body: Body | None) -> LoadedRow:
    try:
        row = unpack_row(observation.body, observation.blobs)
    except (msgspec.DecodeError, DecodeError, UnicodeError, RecursionError, ValueError) as error:
        return LoadedRow(seq, observation, None, f"it cannot be decoded: {error}")
    if row.form != FORM:
        return LoadedRow(seq, observation, None, f"expected form {FORM}, got {row.form}. Use the release that wrote it")
    if body is None:
        return LoadedRow(seq, observation, row)
    row = row_from_stored_order(row, body.order)
    return LoadedRow(seq, observation, row, _row_mismatch(body, row))


def _load_evidence(seq: int, observation: Observation) -> LoadedRow:
    try:
        entries = read_entries(observation.body)
    except DecodeError as error:
        return LoadedRow(seq, observation, None, f"it cannot be decoded: {error}")
    problem = next(filter(None, map(entry_problem, entries)), "")
    return LoadedRow(seq, observation, None, problem, entries)


def _row_mismatch(body: Body, row: Row) -> str:
    """Return why a row does not match the steps, or ""."""
    steps = len(body.steps)
    for name in ("pre", "post"):
        if len(getattr(row, name)) != steps:
            return f"{name}-snapshots: expected {steps}, got {len(getattr(row, name))}"
    for name in ("outputs", "notes", "keywords", "effects", "seconds", "pauses", "pictures"):
        if len(getattr(row, name)) not in (0, steps):
            return f"{name}: expected {steps}, got {len(getattr(row, name))}"
    if not -1 <= row.result < steps:
        return f"result: expected one of {steps} steps, got step {row.result}"
    for index, step in enumerate(body.steps):
        for kind, check, snapshot in (("pre", step.pre, row.pre[index]), ("post", step.post, row.post[index])):
            if bool(check) != (snapshot is not None):
                has, lacks = ("check", "snapshot") if check else ("snapshot", "check")
                return f"step {index} has a {kind}-{has} without a {kind}-{lacks}"
    try:
        validated_row(body, row)
    except DecodeError as error:
        return str(error)
    return ""


def summary(stored: Stored) -> dict[str, Any]:
    """Return a trajectory as `ls --json` prints it, without decoding its body."""
    sealed, standing = stored.sealed, stored.standing
    return {
        "id": sealed.id,
        "task": sealed.task,
        "scope": sealed.scope,
        "tags": list(sealed.tags),
        "steps": sealed.steps,
        "state": standing.state,
        "reason": standing.reason,
        "held": standing.held,
        "hits": standing.hits,
        "failures": standing.failures,
        "agreed": standing.agreed,
        "disagreed": standing.disagreed,
        "strikes": standing.strikes,
        "observations": len(stored.observations),
        "seq": stored.seq,
        "key": sealed.key.hex(),
        "created": iso(sealed.created),
        "recorded": iso(recorded_at(stored)),
        "last_hit": iso(standing.last_hit),
        "kind": "flows" if holds_flows(stored) else "recording",
    }
