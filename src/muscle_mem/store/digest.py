"""Digests of stored rows: made when a row is written, checked each time it is read."""

from __future__ import annotations

import hashlib
import hmac
import struct
from collections.abc import Callable

Signer = Callable[[bytes], bytes]
"""Canonical bytes to digest. A store takes one; every process that shares the store must give the same."""

Field = bytes | int | float | None


def sha256(data: bytes) -> bytes:
    """The default signer: it finds damage, not forgery."""
    return hashlib.sha256(data).digest()


def canonical(kind: bytes, row: tuple[Field, ...]) -> bytes:
    """One row as bytes that no other row has: the kind of row, then each value with its type and length."""
    parts = [kind]
    for value in row:
        if isinstance(value, bytes):
            parts += (b";b%d:" % len(value), value)
        elif isinstance(value, float):
            parts += (b";f", struct.pack(">d", value))
        elif value is None:
            parts.append(b";n")
        else:
            parts.append(b";i%d" % value)
    return b"".join(parts)


def is_whole(sign: Signer, kind: bytes, row: tuple[Field, ...], digest: object) -> bool:
    """Whether a row read back still has the digest that was stored with it."""
    return isinstance(digest, bytes) and hmac.compare_digest(sign(canonical(kind, row)), digest)
