"""Digests of stored rows, computed when written and verified when read."""

from __future__ import annotations

import hashlib
import hmac
import struct
from collections.abc import Callable

from ..errors import InvalidTypeError, InvalidValueError

SHORTEST_KEY = 16  # The minimum length of a signing key in bytes.

Signer = Callable[[bytes], bytes]
"""A function from canonical bytes to a digest. All processes that share a store must use the same one."""

SigningKey = bytes | str
"""A secret of at least 16 bytes. A string is encoded as UTF-8."""

Field = bytes | int | float | None

_READY = 256  # Most lengths and numbers are small. Formatting them took a third of the time.
_LENGTHS = tuple(b";b%d:" % length for length in range(_READY))
_INTEGERS = tuple(b";i%d" % value for value in range(_READY))
_DOUBLE = struct.Struct(">d")


def sha256(data: bytes) -> bytes:
    """Return the SHA-256 of data.

    As the default signer it detects damage, but not forgery.
    """
    return hashlib.sha256(data).digest()


def canonical(kind: bytes, row: tuple[Field, ...]) -> bytes:
    """Return a row as bytes that are unique to it.

    They consist of the kind of the row, then of each value with its type and length.

    Args:
        kind: The kind of the row, for example `b"trajectory"`.
        row: The values of the row.
    """
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
            raise TypeError(f"row cannot be digested: expected bytes, an int, a float or None, got {value!r}")
    return b"".join(parts)


def is_intact(sign: Signer, kind: bytes, row: tuple[Field, ...], digest: object) -> bool:
    """Return whether a row still has the digest that was stored with it.

    Args:
        sign: The store's signer.
        kind: The kind of the row, as in `canonical`.
        row: The values of the row, as read.
        digest: The stored digest.
    """
    return isinstance(digest, bytes) and hmac.compare_digest(sign(canonical(kind, row)), digest)


def checked_key(signing_key: SigningKey | None) -> bytes | None:
    """Return a signing key as bytes. Errors never contain the key.

    Raises:
        InvalidTypeError: The key is neither bytes nor a string.
        InvalidValueError: The key is shorter than 16 bytes.
    """
    if signing_key is None:
        return None
    if not isinstance(signing_key, bytes | str):
        raise InvalidTypeError(
            f"signing_key= must be bytes or a string, not {type(signing_key).__name__}. Create one with "
            "secrets.token_bytes(32), and keep it outside of the store."
        )
    key = signing_key.encode("utf-8", "surrogatepass") if isinstance(signing_key, str) else bytes(signing_key)
    if len(key) < SHORTEST_KEY:
        raise InvalidValueError(
            f"signing_key= has {len(key)} bytes; at least {SHORTEST_KEY} are required. Create one with "
            "secrets.token_bytes(32), and keep it outside of the store."
        )
    return key


def signer(key: bytes | None) -> Signer:
    """Return the signer of a key: HMAC-SHA256, or plain SHA-256 without a key."""
    return sha256 if key is None else lambda data: hmac.digest(key, data, "sha256")


def key_check(sign: Signer) -> bytes:
    """Return the bytes by which a store recognizes its key, without revealing it."""
    return sign(canonical(b"key check", ()))
