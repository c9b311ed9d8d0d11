"""The ids of observations, of generalized trajectories and of evidence."""

from __future__ import annotations

import msgspec

from .. import codec
from ..binding.suspicions.kinds import witness_identity
from ..model.records import Row
from .recorded_answers import answers_identity


def observation_id(trajectory_id: str, row: Row) -> str:
    """Return the id of an observation.

    Rows with the same snapshots and circumstances have the same id. `row` must be in stored order.
    """
    seen = msgspec.msgpack.encode((row.pre, row.post)) + answers_identity(row)
    if row.refused:
        seen += b"detour"  # A later recording that went around nothing is a separate row (D3).
    if row.result >= 0 and row.witness is not None:  # Older recordings keep their ids.
        seen += b"result %d" % row.result  # Recordings may contradict each other in it (D5).
    if row.witness is not None:
        seen += witness_identity(row.suspicions, row.witness)
    if row.overrides:
        seen += msgspec.msgpack.encode(row.overrides)
    if row.final is not None:  # Recordings that read other results have separate answers.
        seen += msgspec.msgpack.encode(row.final.results)
        if row.witness is not None:
            seen += witness_identity((row.final.suspicions,), row.witness)
    return codec.digest(trajectory_id.encode() + seen)[:16].hex()


def general_id(key: bytes, skeleton: bytes) -> str:
    """Return the id of a generalized trajectory.

    It is equal in every process that derives it from the recordings of a key. `skeleton` is the digest of its calls
    without their values.
    """
    return codec.digest(b"flows" + key + skeleton)[:16].hex()


def evidence_id(general: str, body: bytes) -> str:
    """Return the id of evidence for a generalized trajectory, as an observation of it."""
    return codec.digest(general.encode() + body)[:16].hex()
