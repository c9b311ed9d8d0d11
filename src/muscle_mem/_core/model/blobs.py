"""Stored rows, with large values as separate blobs named by their SHA-256.

An encoded value begins with the codec's version byte, which is never zero. So a name cannot be mistaken for a value.
"""

from __future__ import annotations

import hashlib
from collections.abc import MutableMapping, Sequence
from typing import Any, TypeVar

import msgspec

from ...errors import DecodeError
from .records import Body, Masked, Row

T = TypeVar("T")
INLINE_BYTES = 4096  # size of the largest encoded value that stays in the row
BLOB_PREFIX = b"\x00sha256:"
BLOB_NAME_BYTES = len(BLOB_PREFIX) + 32

# Made before there are threads: msgspec describes a type when it is first decoded, and a child forked before it ends
# finds half a description.
_DECODERS: dict[type, msgspec.msgpack.Decoder[Any]] = {
    kind: msgspec.msgpack.Decoder(kind) for kind in (Body, Row, Masked)
}


def pack_row(row: Row) -> tuple[bytes, tuple[bytes, ...]]:
    """Return the bytes of a row and the blobs that they name.

    Each blob is returned once, in the order of first use. Pictures are blobs whatever their size: they are not encoded
    values, so any bytes in their place would be possible.
    """
    blobs: dict[bytes, bytes] = {}

    def to_blob(data: bytes) -> bytes:
        name = BLOB_PREFIX + hashlib.sha256(data).digest()
        blobs[name] = data
        return name

    def large_to_blob(data: bytes | None) -> bytes | None:
        return data if data is None or len(data) <= INLINE_BYTES else to_blob(data)

    pre, post = tuple(map(large_to_blob, row.pre)), tuple(map(large_to_blob, row.post))
    outputs = tuple(large_to_blob(data) or b"" for data in row.outputs)
    pictures = tuple(to_blob(data) if data else b"" for data in row.pictures)
    if blobs:
        row = msgspec.structs.replace(row, pre=pre, post=post, outputs=outputs, pictures=pictures)
    return msgspec.msgpack.encode(row), tuple(blobs.values())


def decode_message(data: bytes, kind: type[T]) -> T:
    """Return a stored message of the given type.

    Raises DecodeError for other bytes, including text that is not UTF-8.
    """
    try:
        found: T = (_DECODERS.get(kind) or msgspec.msgpack.Decoder(kind)).decode(data)
    except (msgspec.DecodeError, UnicodeError, RecursionError) as error:
        raise DecodeError(
            f"cannot decode stored data: expected a {kind.__name__}, got invalid bytes ({error})"
        ) from error
    return found


def unpack_row(body: bytes, blobs: Sequence[bytes], shared: MutableMapping[bytes, bytes] | None = None) -> Row:
    """Return the row that `pack_row` packed.

    Raises DecodeError if a blob is missing or the bytes are invalid. `shared` maps names to blobs: rows that are read
    with the same mapping share equal blobs.
    """
    row = decode_message(body, Row)
    if not blobs and not any(map(_is_name, (*row.pre, *row.post, *row.outputs, *row.pictures))):
        return row
    by_name: MutableMapping[bytes, bytes] = {} if shared is None else shared
    given: dict[bytes, bytes] = {}
    for blob in blobs:
        name = BLOB_PREFIX + hashlib.sha256(blob).digest()
        given[name] = by_name.setdefault(name, blob)

    def from_blob(data: bytes | None) -> bytes | None:
        if not _is_name(data):
            return data
        if data not in given:
            raise DecodeError("cannot read the recording: a large value that it refers to is missing or was altered")
        return given[data]

    return msgspec.structs.replace(
        row,
        pre=tuple(map(from_blob, row.pre)),
        post=tuple(map(from_blob, row.post)),
        outputs=tuple(from_blob(data) or b"" for data in row.outputs),
        pictures=tuple(from_blob(data) or b"" for data in row.pictures),
    )


def _is_name(data: bytes | None) -> bool:
    return data is not None and len(data) == BLOB_NAME_BYTES and data.startswith(BLOB_PREFIX)
