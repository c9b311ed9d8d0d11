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
_SKELETON = "skeleton"

AGREED, STRUCK, CONFIRMED, REJECTED = b"+", b"-", b"c", b"r"
"""The kinds of entries: a value agreed, a source was contradicted, and verdicts of people on a leaf."""

DIGEST = 16
STAMP = 8
"""The bytes of the time in a verdict: milliseconds since the epoch."""

_LENGTHS = {
    AGREED: (1 + 2 * DIGEST,),
    STRUCK: (1 + DIGEST,),
    CONFIRMED: (1 + DIGEST, 1 + DIGEST + STAMP),
    REJECTED: (1 + DIGEST, 1 + DIGEST + STAMP),
}


class FlowsBody(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """The stored identity of a generalized trajectory.

    It consists of the names of its tools, and of a digest of its calls without their values. `steps` is always empty.
    The last fields stand where a body has its order, so that an older release refuses the bytes before it looks for
    steps.
    """

    form: int = FLOWS_FORM
    steps: tuple[()] = ()
    tools: tuple[str, ...] = ()
    skeleton: tuple[tuple[str, bytes], ...] = ()
    equal: tuple[()] = ()
    kinds: tuple[()] = ()
    equal_secrets: tuple[()] = ()
    order: tuple[int, ...] = (1,)

    @property
    def digest(self) -> bytes:
        """The digest of the calls without their values; empty if it is missing."""
        return dict(self.skeleton).get(_SKELETON, b"")


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
    return msgspec.msgpack.encode(FlowsBody(tools=tuple(tools), skeleton=((_SKELETON, skeleton),)))


def read_flows_body(body: bytes) -> FlowsBody:
    """Return the decoded identity of a generalized trajectory.

    Raises DecodeError for other bytes.
    """
    found = decode_message(body, FlowsBody)
    if found.form != FLOWS_FORM:
        raise DecodeError(f"cannot read learned flows: expected form {FLOWS_FORM}, got {found.form}")
    if len(found.digest) != DIGEST:
        raise DecodeError(f"cannot read learned flows: expected a digest of {DIGEST} bytes, got {len(found.digest)}")
    return found


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


def entry_problem(entry: bytes) -> str:
    """Return why a piece of evidence cannot be read, or ""."""
    lengths = _LENGTHS.get(entry[:1])
    if lengths is None:
        return f"unknown kind of evidence {entry[:1]!r}"
    if len(entry) not in lengths:
        return f"expected {' or '.join(map(str, lengths))} bytes of evidence, got {len(entry)}"
    return ""


def verdict_entry(kind: bytes, leaf: bytes, known: Iterable[bytes], now: float) -> bytes:
    """Return a verdict of a person on a leaf, later than those that are known.

    `kind` is CONFIRMED or REJECTED, `leaf` the name of the leaf, and `now` the time in seconds since the epoch.
    """
    earlier = [_stamp_of(entry) for entry in known if entry[:1] in (CONFIRMED, REJECTED) and entry[1:17] == leaf]
    stamp = max([int(now * 1000), *[one + 1 for one in earlier]])
    last: int = 2 ** (8 * STAMP) - 1
    return kind + leaf + min(stamp, last).to_bytes(STAMP, "big")


def _stamp_of(verdict: bytes) -> int:
    return int.from_bytes(verdict[1 + DIGEST : 1 + DIGEST + STAMP], "big")


def join_evidence(entries: Iterable[bytes]) -> Evidence:
    """Return pieces of evidence as one, whatever their order.

    Of verdicts on a leaf, the one with the latest time counts. Of equal times the last counts.
    """
    values: dict[bytes, set[bytes]] = {}
    struck: set[bytes] = set()
    verdicts: dict[bytes, bytes] = {}
    for entry in entries:
        kind, name = entry[:1], entry[1 : 1 + DIGEST]
        if kind == AGREED:
            values.setdefault(name, set()).add(entry[1 + DIGEST :])
        elif kind == STRUCK:
            struck.add(name)
        elif kind in (CONFIRMED, REJECTED) and _stamp_of(entry) >= _stamp_of(verdicts.get(name, b"")):
            verdicts[name] = entry
    last = {name: entry[:1] for name, entry in verdicts.items()}
    return Evidence({name: frozenset(found) for name, found in values.items()}, frozenset(struck), last)
