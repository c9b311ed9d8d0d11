"""Conversion of stored trajectories to documents and back.

Documents are used by `export`, `import`, `diff` and folder stores. If the readable form does not reproduce the stored
bytes exactly, for example because another release wrote them, the document contains them as base64 under `raw`. So a
document never loses data.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping
from typing import Any, Final

import msgspec

from .._core import codec
from .._core.export.document import body_document, body_from_document, row_document, row_from_document
from .._core.export.json_values import base64_bytes, float_from_json, float_to_json, text_from_json, text_to_json
from .._core.model.records import FORM, Body, Row, body_bytes
from .._core.plan.identity import evidence_id, observation_id
from .._core.plan.parallel import sorted_body
from ..errors import DecodeError, InvalidValueError
from .base import FRESH, STATES, Observation, Sealed, Standing, Stored, Tally
from .flows_document import (
    EVIDENCE,
    FLOWS,
    evidence_document,
    flows_document,
    flows_trajectory_id,
    raw_evidence,
    raw_flows,
)

DOCUMENT_FORM: Final = 1
_MARK: Final = "muscle_mem"
_COUNTS: Final = ("strikes", "hits", "failures", "agreed", "disagreed")
_BAD: Final = (msgspec.DecodeError, msgspec.ValidationError, DecodeError, UnicodeError, RecursionError, ValueError)
Document = dict[str, Any]


def to_document(stored: Stored, *, counts: bool = False) -> Document:
    """Return a trajectory as a document.

    Args:
        stored: The trajectory with its observations.
        counts: Whether to include counters of replays, which change often.
    """
    sealed = stored.sealed
    body = _read_body(sealed.body)
    found: Document = {_MARK: DOCUMENT_FORM, "id": text_to_json(sealed.id), "task": text_to_json(sealed.task)}
    for name, value in (("scope", sealed.scope), ("tags", sealed.tags)):
        if value:
            found[name] = text_to_json(value) if isinstance(value, str) else [text_to_json(tag) for tag in value]
    found |= {"key": sealed.key.hex(), "created": float_to_json(sealed.created), "seq": stored.seq}
    if sealed.state != FRESH or sealed.reason:
        found["began"] = {"state": text_to_json(sealed.state), "reason": text_to_json(sealed.reason)}
    found["standing"] = standing_document(stored.standing, counts=counts)
    if body is None:
        found |= flows_document(sealed.body)
        found |= {"step_count": sealed.steps, "raw": base64.b64encode(sealed.body).decode("ascii")}
    else:
        if sealed.steps != len(body.steps):
            found["step_count"] = sealed.steps
        found |= body_document(body)
    found["observations"] = [observation_document(seq, observation, body) for seq, observation in stored.observations]
    return found


def _read_body(data: bytes) -> Body | None:
    """Return the decoded steps; None if the document cannot reproduce the bytes."""
    try:
        body = msgspec.msgpack.decode(data, type=Body)
        if body.form == FORM and body_bytes(body_from_document(body_document(body))) == data:
            return body
    except _BAD:
        pass
    return None


def _read_row(data: bytes, body: Body | None) -> Row | None:
    if body is None:
        return None
    try:
        row = msgspec.msgpack.decode(data, type=Row)
        if row.form == FORM and msgspec.msgpack.encode(row_from_document(row_document(row), body)) == data:
            return row
    except _BAD:
        pass
    return None


def standing_document(standing: Standing, *, counts: bool) -> Document:
    """Return a standing as a document.

    Args:
        standing: The standing of a trajectory.
        counts: Whether to include counters of replays.
    """
    found: Document = {"state": text_to_json(standing.state)}
    if standing.reason:
        found["reason"] = text_to_json(standing.reason)
    if standing.held:
        found["held"] = True
    if counts:
        found |= {name: getattr(standing, name) for name in _COUNTS if getattr(standing, name)}
        if standing.last_hit:
            found["last_hit"] = float_to_json(standing.last_hit)
        if standing.checks:
            found["checks"] = [[text_to_json(tally.check), tally.yes, tally.no] for tally in standing.checks]
    return found


def observation_document(seq: int, observation: Observation, body: Body | None) -> Document:
    """Return an observation as a document.

    Args:
        seq: The observation's sequence number.
        observation: The observation.
        body: The decoded steps of its trajectory. None writes the observation's bytes as `raw`.
    """
    found: Document = {"id": text_to_json(observation.id), "created": float_to_json(observation.created), "seq": seq}
    if observation.refresh:
        found["refresh"] = True
    row = _read_row(observation.body, body)
    if row is None:
        found |= evidence_document(observation.body)
    found |= {"raw": base64.b64encode(observation.body).decode("ascii")} if row is None else row_document(row)
    if observation.blobs:
        found["blobs"] = [base64.b64encode(blob).decode("ascii") for blob in observation.blobs]
    return found


def from_document(document: Any, *, strict: bool = True) -> Stored:
    """Return the trajectory of a document.

    Args:
        document: The document, which may have been edited.
        strict: Whether ids must match the calls and snapshots. A document may leave them out.

    Raises:
        InvalidValueError: The document is invalid. The message names the place and what is expected there.
    """
    _ensure_ours(document)
    try:
        return _from_document(document, strict)
    except InvalidValueError:
        raise
    except Exception as error:  # An edited document may contain any value at any place.
        raise InvalidValueError(f"document cannot be read ({type(error).__name__}: {error})") from error


def _from_document(document: Document, strict: bool) -> Stored:
    body = None if "raw" in document or FLOWS in document else body_from_document(document)
    sealed = _sealed(document, body, strict=strict)
    given = document.get("observations")
    if not isinstance(given, list) or (strict and not given):
        raise InvalidValueError("observations: expected an array of at least one recording")
    seen = [
        observation_of(one, body, sealed.id, f"observations[{index}]", strict=strict) for index, one in enumerate(given)
    ]
    if len({one.id for _, one in seen}) != len(seen):
        raise InvalidValueError("observations: two are identical. Remove one of them")
    standing = standing_of(document.get("standing", {}))
    return Stored(sealed=sealed, seq=_whole_number(document, "seq"), standing=standing, observations=tuple(seen))


def _ensure_ours(document: Any) -> None:
    if not isinstance(document, dict) or _MARK not in document:
        raise InvalidValueError(
            f'not a trajectory: expected an object with "{_MARK}": {DOCUMENT_FORM}, as `muscle-mem export` writes'
        )
    if document[_MARK] != DOCUMENT_FORM:
        raise InvalidValueError(
            f"{_MARK}: this release reads form {DOCUMENT_FORM}, the document has form {document[_MARK]!r:.20}"
        )


def _sealed(document: Mapping[str, Any], body: Body | None, *, strict: bool) -> Sealed:
    try:
        key = bytes.fromhex(document["key"])
    except (KeyError, TypeError, ValueError) as error:
        raise InvalidValueError("key: expected the task key as a hexadecimal string") from error
    if strict and len(key) != 32:
        raise InvalidValueError(f"key: expected 32 bytes, got {len(key)} bytes")
    data = raw_flows(document) if body is None else body_bytes(body)
    made_flows = flows_trajectory_id(key, data) if body is None else ""
    if strict and body is not None and not body.steps:
        raise InvalidValueError("steps: expected at least one step, got none")
    made = codec.digest(key + (body_bytes(sorted_body(body)) if body is not None else data))[:16].hex()
    tags = document.get("tags", [])
    if not isinstance(tags, list):
        raise InvalidValueError(f"tags: expected an array of strings, got {tags!r:.60}")
    began = document.get("began", {})
    if not isinstance(began, dict):
        raise InvalidValueError(f"began: expected an object, got {began!r:.60}")
    return Sealed(
        id=_id(document, made_flows or made, "", strict=strict and (body is not None or bool(made_flows))),
        key=key,
        body=data,
        steps=_whole_number(document, "step_count") if body is None or "step_count" in document else len(body.steps),
        task=text_from_json(document.get("task", ""), "task"),
        scope=text_from_json(document.get("scope", ""), "scope"),
        tags=tuple(text_from_json(tag, "tags") for tag in tags),
        created=float_from_json(document.get("created", 0.0), "created"),
        state=text_from_json(began.get("state", FRESH), "began.state"),
        reason=text_from_json(began.get("reason", ""), "began.reason"),
    )


def observation_of(
    document: Any, body: Body | None, trajectory: str, place: str, *, strict: bool
) -> tuple[int, Observation]:
    """Return sequence number and record of an observation's document.

    Args:
        document: The document of one observation.
        body: The decoded steps of its trajectory, or None if they are given as `raw`.
        trajectory: The trajectory's id.
        place: The document's place in the whole document, for error messages.
        strict: Whether the observation's id must match its snapshots.

    Raises:
        InvalidValueError: The document is invalid.
    """
    if not isinstance(document, dict):
        raise InvalidValueError(f"{place}: expected an object, got {document!r:.60}")
    if "raw" in document or body is None:
        data = raw_evidence(document, f"{place}.")
        made = evidence_id(trajectory, data) if EVIDENCE in document else ""
    else:
        row = row_from_document(document, body, f"{place}.")
        data = msgspec.msgpack.encode(row)
        made = observation_id(trajectory, row)
    blobs = document.get("blobs", [])
    if not isinstance(blobs, list):
        raise InvalidValueError(f"{place}.blobs: expected an array, got {blobs!r:.60}")
    return _whole_number(document, "seq", f"{place}."), Observation(
        id=_id(document, made, f"{place}.", strict=strict and bool(made)),
        body=data,
        created=float_from_json(document.get("created", 0.0), f"{place}.created"),
        refresh=document.get("refresh", False) is True,
        blobs=tuple(base64_bytes(blob, f"{place}.blobs") for blob in blobs),
    )


def _id(document: Mapping[str, Any], made: str, place: str, *, strict: bool) -> str:
    given = text_from_json(document.get("id", made), f"{place}id")
    if strict and given != made:
        what = "steps" if not place else "snapshots"
        raise InvalidValueError(
            f"{place}id: its {what} have the id {made}, so they were changed since they were written as {given:.40}. "
            f"To keep the change, leave the {place}id out"
        )
    if strict is False and not given and made:
        return made
    return given


def standing_of(document: Any) -> Standing:
    """Return the standing of a document.

    Raises:
        InvalidValueError: The document is invalid.
    """
    if not isinstance(document, dict):
        raise InvalidValueError(f"standing: expected an object, got {document!r:.60}")
    checks = document.get("checks", [])
    try:
        tallies = tuple(Tally(text_from_json(name, "standing.checks"), int(yes), int(no)) for name, yes, no in checks)
    except (TypeError, ValueError) as error:
        raise InvalidValueError(f"standing.checks: expected triples of name, yes and no ({error})") from error
    return Standing(
        state=text_from_json(document.get("state", FRESH), "standing.state"),
        reason=text_from_json(document.get("reason", ""), "standing.reason"),
        held=document.get("held", False) is True,
        last_hit=float_from_json(document.get("last_hit", 0.0), "standing.last_hit"),
        checks=tallies,
        **{name: _whole_number(document, name, "standing.") for name in _COUNTS},
    )


def ensure_known_state(stored: Stored) -> None:
    """Reject a trajectory with an unknown state.

    Raises:
        InvalidValueError: The state is unknown.
    """
    if stored.standing.state not in STATES:
        raise InvalidValueError(
            f"standing.state: expected one of {', '.join(STATES)}, got {stored.standing.state!r:.40}"
        )


def _whole_number(document: Mapping[str, Any], name: str, place: str = "") -> int:
    value = document.get(name, 0)
    if type(value) is not int or value < 0:
        raise InvalidValueError(f"{place}{name}: expected a whole number, got {value!r:.60}")
    return value
