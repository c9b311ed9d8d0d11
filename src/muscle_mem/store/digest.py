"""Digests of stored rows: made when a row is written, checked each time it is read."""

from __future__ import annotations

import hashlib
import hmac
import struct
from collections.abc import Callable

from ..errors import InvalidTypeError, InvalidValueError

SHORTEST_KEY = 16  # bytes

Signer = Callable[[bytes], bytes]
"""Canonical bytes to digest. A store takes one; every process that shares the store must give the same."""

SigningKey = bytes | str
"""A secret of at least 16 bytes; text counts as UTF-8."""

Field = bytes | int | float | None

_READY = 256  # most lengths and numbers are small, and formatting them took a third of the time
_LENGTHS = tuple(b";b%d:" % length for length in range(_READY))
_INTEGERS = tuple(b";i%d" % value for value in range(_READY))
_DOUBLE = struct.Struct(">d")


def sha256(data: bytes) -> bytes:
    """The default signer: it finds damage, not forgery."""
    return hashlib.sha256(data).digest()


def canonical(kind: bytes, row: tuple[Field, ...]) -> bytes:
    """One row as bytes that no other row has: the kind of row, then each value with its type and length."""
    parts = [kind]
    add = parts.append
    for value in row:
        if type(value) is bytes:
            length = len(value)
            add(_LENGTHS[length] if length < _READY else b";b%d:" % length)
            add(value)
        elif type(value) is int:
            add(_INTEGERS[value] if 0 <= value < _READY else b";i%d" % value)
        elif type(value) is float:
            add(b";f")
            add(_DOUBLE.pack(value))
        elif value is None:
            add(b";n")
        else:
            raise TypeError(f"{value!r} is nothing that a row holds")
    return b"".join(parts)


def is_intact(sign: Signer, kind: bytes, row: tuple[Field, ...], digest: object) -> bool:
    """Whether a row read back still has the digest that was stored with it."""
    return isinstance(digest, bytes) and hmac.compare_digest(sign(canonical(kind, row)), digest)


def checked_key(signing_key: SigningKey | None) -> bytes | None:
    """The key as bytes. Errors never show it: InvalidTypeError for no bytes or str, InvalidValueError if too short."""
    if signing_key is None:
        return None
    if not isinstance(signing_key, bytes | str):
        raise InvalidTypeError(
            f"A signing_key is bytes or a string, not {type(signing_key).__name__}. Make one with "
            "secrets.token_bytes(32), and keep it outside of the store."
        )
    key = signing_key.encode("utf-8", "surrogatepass") if isinstance(signing_key, str) else bytes(signing_key)
    if len(key) < SHORTEST_KEY:
        raise InvalidValueError(
            f"The signing_key has {len(key)} bytes; at least {SHORTEST_KEY} are needed. Make one with "
            "secrets.token_bytes(32), and keep it outside of the store."
        )
    return key


def signer(key: bytes | None) -> Signer:
    """HMAC-SHA256 under the key; plain SHA-256 without one."""
    return sha256 if key is None else lambda data: hmac.digest(key, data, "sha256")


def key_check(sign: Signer) -> bytes:
    """What a store notes of the key that signs it: it distinguishes keys, and reveals nothing about them."""
    return sign(canonical(b"key check", ()))
