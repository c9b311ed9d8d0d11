"""Stored trajectories opened as far as they can be read, whatever their bytes hold."""

from __future__ import annotations

from typing import Any

import msgspec

from .._core.model.blobs import read_row
from .._core.model.records import FORM, Body, Row
from .._core.plan.parallel import checked, checked_row, row_in_memory
from ..errors import DecodeError
from ..store import Observation, Stored
from ..store.pruning import recorded
from .text import iso


class Opened(msgspec.Struct, frozen=True):
    """A trajectory with its body, or why that cannot be read."""

    stored: Stored
    body: Body | None
    error: str = ""


class Seen(msgspec.Struct, frozen=True):
    """One observation with its row, or why that cannot be read or does not fit its trajectory."""

    seq: int
    observation: Observation
    row: Row | None
    error: str = ""


def open_body(stored: Stored) -> Opened:
    """The steps of a trajectory."""
    try:
        body = msgspec.msgpack.decode(stored.sealed.body, type=Body)
    except (msgspec.DecodeError, DecodeError, UnicodeError, RecursionError, ValueError) as error:
        return Opened(stored, None, f"its steps cannot be read: {error}")
    if body.form != FORM:
        return Opened(stored, None, f"its steps are of form {body.form}; this release reads form {FORM}")
    try:
        return Opened(stored, checked(body))
    except DecodeError as error:
        return Opened(stored, None, str(error))


def open_rows(opened: Opened) -> list[Seen]:
    """The observations of a trajectory, newest first."""
    return [_open_row(seq, observation, opened.body) for seq, observation in opened.stored.observations]


def newest_row(stored: Stored) -> Row | None:
    """The newest observation that an agent made, if it can be read."""
    for seq, observation in stored.observations:
        if not observation.refresh:
            return _open_row(seq, observation, None).row
    return None


def _open_row(seq: int, observation: Observation, body: Body | None) -> Seen:
    try:
        row = read_row(observation.body, observation.blobs)
    except (msgspec.DecodeError, DecodeError, UnicodeError, RecursionError, ValueError) as error:
        return Seen(seq, observation, None, f"it cannot be read: {error}")
    if row.form != FORM:
        return Seen(seq, observation, None, f"it is of form {row.form}; this release reads form {FORM}")
    if body is None:
        return Seen(seq, observation, row)
    row = row_in_memory(row, body.order)
    return Seen(seq, observation, row, _misfit(body, row))


def _misfit(body: Body, row: Row) -> str:
    """Why a row is not one of these steps; "" if it is."""
    steps = len(body.steps)
    for name in ("pre", "post"):
        if len(getattr(row, name)) != steps:
            return f"it has {len(getattr(row, name))} {name}-snapshots for the trajectory's {steps} steps"
    for name in ("outputs", "notes", "keywords", "effects", "seconds"):
        if len(getattr(row, name)) not in (0, steps):
            return f"it has {len(getattr(row, name))} {name} for the trajectory's {steps} steps"
    if not -1 <= row.result < steps:
        return f"it names step {row.result} as the agent's result, and there are {steps} steps"
    for index, step in enumerate(body.steps):
        for kind, check, snapshot in (("pre", step.pre, row.pre[index]), ("post", step.post, row.post[index])):
            if bool(check) != (snapshot is not None):
                has, lacks = ("check", "snapshot") if check else ("snapshot", "check")
                return f"step {index} has a {kind}-{has} and no {kind}-{lacks}"
    try:
        checked_row(body, row)
    except DecodeError as error:
        return str(error)
    return ""


def summary(stored: Stored) -> dict[str, Any]:
    """A trajectory as `ls --json` tells it, from its columns alone."""
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
        "recorded": iso(recorded(stored)),
        "last_hit": iso(standing.last_hit),
    }
