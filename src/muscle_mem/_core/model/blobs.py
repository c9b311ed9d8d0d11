"""A row as it is stored: what is large stands beside it as blobs, and in it by their SHA-256.

An encoded value begins with the codec's version byte, which is never zero, so a name cannot be taken for a value.
"""

from __future__ import annotations

import hashlib
from collections.abc import MutableMapping, Sequence
from typing import TypeVar

import msgspec

from ...errors import DecodeError
from .records import Row

T = TypeVar("T")
INLINE = 4096  # bytes of an encoded value that stay in the row
NAME = b"\x00sha256:"
LENGTH = len(NAME) + 32


def store_row(row: Row) -> tuple[bytes, tuple[bytes, ...]]:
    """The bytes of a row, and the blobs that they name, each once, in the order in which they are first named."""
    found: dict[bytes, bytes] = {}

    def named(data: bytes | None) -> bytes | None:
        if data is None or len(data) <= INLINE:
            return data
        name = NAME + hashlib.sha256(data).digest()
        found[name] = data
        return name

    pre, post = tuple(map(named, row.pre)), tuple(map(named, row.post))
    outputs = tuple(named(data) or b"" for data in row.outputs)
    if found:
        row = msgspec.structs.replace(row, pre=pre, post=post, outputs=outputs)
    return msgspec.msgpack.encode(row), tuple(found.values())


def message(data: bytes, kind: type[T]) -> T:
    """A stored message of this kind. Raises DecodeError for bytes that are none, text that is not UTF-8 included."""
    try:
        return msgspec.msgpack.decode(data, type=kind)
    except (msgspec.DecodeError, UnicodeError, RecursionError) as error:
        raise DecodeError(f"what is stored is no {kind.__name__} ({error})") from error


def read_row(body: bytes, blobs: Sequence[bytes], shared: MutableMapping[bytes, bytes] | None = None) -> Row:
    """The row that `store_row` made. Raises DecodeError for what it did not make.

    `shared` keeps blobs by their names, so that rows read with the same one hold equal blobs once.
    """
    row = message(body, Row)
    if not blobs and not any(map(_is_name, (*row.pre, *row.post, *row.outputs))):
        return row
    known: MutableMapping[bytes, bytes] = {} if shared is None else shared
    here: dict[bytes, bytes] = {}
    for blob in blobs:
        name = NAME + hashlib.sha256(blob).digest()
        here[name] = known.setdefault(name, blob)

    def whole(data: bytes | None) -> bytes | None:
        if not _is_name(data):
            return data
        if data not in here:
            raise DecodeError("a large part that the recording names is missing, or was altered")
        return here[data]

    return msgspec.structs.replace(
        row,
        pre=tuple(map(whole, row.pre)),
        post=tuple(map(whole, row.post)),
        outputs=tuple(whole(data) or b"" for data in row.outputs),
    )


def _is_name(data: bytes | None) -> bool:
    return data is not None and len(data) == LENGTH and data.startswith(NAME)
