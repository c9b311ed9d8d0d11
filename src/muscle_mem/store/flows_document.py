"""Flows of recordings and their evidence in documents.

A document holds their bytes as `raw`, as releases that do not know them expect, and beside them a readable form. A
document may leave the bytes out. If it holds both, they must agree.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import msgspec

from .._core.export.json_values import base64_bytes, text_from_json, text_to_json
from .._core.model.learned import (
    AGREED,
    CONFIRMED,
    DIGEST,
    REJECTED,
    STRUCK,
    FlowsRow,
    entry_problem,
    flows_body,
    is_flows_body,
    read_entries,
    read_flows_body,
)
from .._core.plan.identity import general_id
from ..errors import DecodeError, InvalidValueError

FLOWS: Final = "flows"
EVIDENCE: Final = "evidence"
_KINDS: Final = {AGREED: "agreed", STRUCK: "struck", CONFIRMED: "confirmed", REJECTED: "rejected"}
_BYTES: Final = {name: kind for kind, name in _KINDS.items()}
Document = dict[str, Any]


def flows_document(data: bytes) -> Document:
    """Return the readable form of flows.

    It is empty for other bytes, and if it would lose something.
    """
    if not is_flows_body(data):
        return {}
    try:
        found = read_flows_body(data)
    except DecodeError:
        return {}
    if flows_body(found.tools, found.digest) != data:
        return {}
    return {FLOWS: {"tools": [text_to_json(tool) for tool in found.tools], "skeleton": found.digest.hex()}}


def evidence_document(data: bytes) -> Document:
    """Return the readable form of evidence.

    It is empty for other bytes, and if it would lose something.
    """
    try:
        entries = read_entries(data)
    except DecodeError:
        return {}
    if any(map(entry_problem, entries)) or msgspec.msgpack.encode(FlowsRow(entries=entries)) != data:
        return {}
    return {EVIDENCE: [entry_document(entry) for entry in entries]}


def entry_document(entry: bytes) -> list[str]:
    """Return a piece of evidence as its kind and digests.

    The first is that of what it is about. Then comes that of a value, or a time.
    """
    kind = _KINDS.get(entry[:1], f"unknown {entry[:1].hex()}")
    parts = [entry[1 : 1 + DIGEST].hex(), entry[1 + DIGEST :].hex()]
    return [kind, *(part for part in parts if part)]


def raw_flows(document: Mapping[str, Any]) -> bytes:
    """Return the bytes of a document without steps.

    Raises InvalidValueError if they are missing, or differ from the readable form.
    """
    if FLOWS not in document:
        return base64_bytes(document["raw"], "raw")
    given = base64_bytes(document["raw"], "raw") if "raw" in document else None
    return _agreed(given, _flows_of(document[FLOWS]), "raw", FLOWS)


def raw_evidence(document: Mapping[str, Any], place: str) -> bytes:
    """Return the bytes of an observation's document without snapshots.

    Raises InvalidValueError if they are missing, or differ from the readable form.
    """
    if EVIDENCE not in document:
        return base64_bytes(document.get("raw"), f"{place}raw")
    given = base64_bytes(document["raw"], f"{place}raw") if "raw" in document else None
    return _agreed(given, _evidence_of(document[EVIDENCE], place), f"{place}raw", f"{place}{EVIDENCE}")


def flows_trajectory_id(key: bytes, data: bytes) -> str:
    """Return the id of a generalized trajectory by its flows; "" for other bytes."""
    return general_id(key, read_flows_body(data).digest) if flows_document(data) else ""


def _agreed(given: bytes | None, made: bytes, raw: str, readable: str) -> bytes:
    if given is not None and given != made:
        raise InvalidValueError(f"{raw} and {readable} differ. To keep a change in {readable}, leave {raw} out")
    return made


def _flows_of(document: Any) -> bytes:
    if not isinstance(document, dict) or not isinstance(document.get("tools"), list):
        raise InvalidValueError(f"{FLOWS}: expected an object with tools and skeleton, got {document!r:.60}")
    tools = [text_from_json(tool, f"{FLOWS}.tools") for tool in document["tools"]]
    return flows_body(tools, _digest(document.get("skeleton"), f"{FLOWS}.skeleton"))


def _evidence_of(document: Any, place: str) -> bytes:
    if not isinstance(document, list):
        raise InvalidValueError(f"{place}{EVIDENCE}: expected an array, got {document!r:.60}")
    entries = tuple(_entry(one, f"{place}{EVIDENCE}[{index}]") for index, one in enumerate(document))
    return msgspec.msgpack.encode(FlowsRow(entries=entries))


def _entry(document: Any, place: str) -> bytes:
    if not isinstance(document, list) or not document or document[0] not in _BYTES:
        raise InvalidValueError(f"{place}: expected one of {', '.join(_BYTES)} and digests, got {document!r:.60}")
    try:
        entry = _BYTES[document[0]] + b"".join(map(bytes.fromhex, document[1:]))
    except (TypeError, ValueError) as error:
        raise InvalidValueError(f"{place}: expected digests as hexadecimal strings ({error})") from error
    problem = entry_problem(entry)
    if problem:
        raise InvalidValueError(f"{place}: {problem}")
    return entry


def _digest(value: Any, place: str) -> bytes:
    try:
        return bytes.fromhex(value)
    except (TypeError, ValueError) as error:
        raise InvalidValueError(f"{place}: expected a digest as a hexadecimal string") from error
