"""The stored form of a generalized trajectory: its id and its evidence.

What a generalized trajectory does is derived from the recordings of its key and is not stored. Stored are its id, for
its standing, and evidence: values for which an agent's call agreed with a source, sources that a call contradicted, and
verdicts of people. Evidence is joined as a set, so that a copy, an import or a second process adds nothing twice.

The bytes begin like those of a body and of a row of another form, so that an older release says which form it meets.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple

import msgspec

from ...errors import DecodeError
from .blobs import decode_message

FLOWS_FORM = 2
_FIXED_ARRAY = 0x90

AGREED, STRUCK, CONFIRMED, REJECTED = b"+", b"-", b"c", b"r"
"""The kinds of entries: a value agreed, a source was contradicted, and verdicts of people on a leaf."""

DIGEST = 16


class FlowsBody(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """The stored identity of a generalized trajectory.

    It has the names of the tools and a digest of the calls without their values. `steps` is always empty.
    """

    form: int = FLOWS_FORM
    steps: tuple[()] = ()
    tools: tuple[str, ...] = ()
    skeleton: tuple[tuple[str, bytes], ...] = ()


class FlowsRow(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """Pieces of evidence. `pre` and `post` are always empty."""

    form: int = FLOWS_FORM
    pre: tuple[()] = ()
    post: tuple[()] = ()
    entries: tuple[bytes, ...] = ()


class Evidence(NamedTuple):
    """The evidence for the sources of one generalized trajectory.

    `values` are by source the digests of the values for which an agent's call agreed with it. `struck` are the sources
    that were contradicted. `verdicts` are by leaf what a person said last: CONFIRMED or REJECTED.
    """

    values: Mapping[bytes, frozenset[bytes]] = {}
    struck: frozenset[bytes] = frozenset()
    verdicts: Mapping[bytes, bytes] = {}


NO_EVIDENCE = Evidence()


def is_flows_body(body: bytes) -> bool:
    """Return whether stored bytes are a `FlowsBody`."""
    return len(body) > 1 and body[0] & 0xF0 == _FIXED_ARRAY and body[1] == FLOWS_FORM


def flows_body(tools: Iterable[str], skeleton: bytes) -> bytes:
    """Return the stored identity of a generalized trajectory."""
    return msgspec.msgpack.encode(FlowsBody(tools=tuple(tools), skeleton=(("skeleton", skeleton),)))


def read_flows_body(body: bytes) -> FlowsBody:
    """Return the decoded identity of a generalized trajectory.

    Raises DecodeError for other bytes.
    """
    return decode_message(body, FlowsBody)


def evidence_bytes(entries: Iterable[bytes]) -> bytes:
    """Return the stored bytes of pieces of evidence."""
    return msgspec.msgpack.encode(FlowsRow(entries=tuple(sorted(set(entries)))))


def read_entries(row: bytes) -> tuple[bytes, ...]:
    """Return the pieces of evidence in stored bytes.

    Raises DecodeError for other bytes.
    """
    found = decode_message(row, FlowsRow)
    if found.form != FLOWS_FORM:
        raise DecodeError(f"cannot read evidence: expected form {FLOWS_FORM}, got {found.form}")
    return found.entries


def join_evidence(entries: Iterable[bytes]) -> Evidence:
    """Return pieces of evidence as one; of verdicts on a leaf, the last counts."""
    values: dict[bytes, set[bytes]] = {}
    struck: set[bytes] = set()
    verdicts: dict[bytes, bytes] = {}
    for entry in entries:
        kind, name = entry[:1], entry[1 : 1 + DIGEST]
        if kind == AGREED:
            values.setdefault(name, set()).add(entry[1 + DIGEST :])
        elif kind == STRUCK:
            struck.add(name)
        elif kind in (CONFIRMED, REJECTED):
            verdicts[name] = kind
    return Evidence({name: frozenset(found) for name, found in values.items()}, frozenset(struck), verdicts)
