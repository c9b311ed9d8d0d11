"""Values to canonical bytes and back: a closed set of types, no pickle; nothing stored is imported or run.

The bytes are one version byte and one msgpack message, in the only spelling that the value has.
"""

from __future__ import annotations

import functools
import hashlib
import itertools
from collections.abc import Callable
from typing import Any, Final

import msgspec

from ...errors import DecodeError, NotStorableError, TooLargeError
from .fold import child_path, fold, is_immutable, unfold
from .known_classes import add_known_classes
from .reader import read
from .refusal import Refusal
from .registry import display_name, register
from .unknown import Record
from .writer import MAX_DEPTH, PLAIN, PLAIN_OR_FLOAT, Writer, pack

__all__ = [
    "MAX_BYTES",
    "MAX_DEPTH",
    "MAX_NODES",
    "VERSION",
    "Record",
    "add_known_classes",
    "canonical",
    "child_path",
    "copier",
    "decode",
    "digest",
    "encode",
    "fold",
    "is_immutable",
    "register",
    "unfold",
]

VERSION: Final[int] = 1
MAX_NODES: Final = 200_000
MAX_BYTES: Final = 16 * 2**20

_TEXT: Final = frozenset({str})
_unpack: Final = msgspec.msgpack.Decoder().decode
_HEAD: Final = bytes([VERSION])
_REMEDY: Final = "pass it as a param, name the argument in ignore=[...]"
_REGISTER: Final = ", or register a type with muscle_mem.register"


def encode(value: object, *, max_nodes: int = MAX_NODES, max_bytes: int = MAX_BYTES) -> bytes:
    """The bytes from which `decode` gives the value back, with its exact types and the order of its dicts.

    Raises NotStorableError with the path to what has no form here, or TooLargeError (more than `max_nodes`
    values, `max_bytes` bytes, or 64 containers deep). Classes that are met become known to `decode`.
    """
    if type(value) in PLAIN or (type(value) is float and value == value):
        try:
            data = _HEAD + pack(value)
        except (OverflowError, UnicodeEncodeError):
            return _write(value, False, max_nodes, max_bytes)
        if len(data) <= max_bytes:
            return data
    return _write(value, False, max_nodes, max_bytes)


def canonical(value: object) -> bytes:
    """Bytes that are equal for equal content: as `encode`, but the order of a dict's items does not count.

    Exact types count: True, 1, 1.0 and "1" differ, as do a list and a tuple, 0.0 and -0.0. Every NaN is the
    same. So are the bytes on every machine and Python version. Raises NotStorableError and TooLargeError.
    """
    if type(value) is str and len(value) < MAX_BYTES // 4:
        try:
            return _HEAD + pack(value)
        except UnicodeEncodeError:
            pass
    return _write(value, True, MAX_NODES, MAX_BYTES)


def decode(data: bytes, *, lenient: bool = False) -> Any:
    """The value that `encode` was given; the classes of instances are only filled, their code is not run.

    Raises DecodeError for anything that `encode` or `canonical` did not write, and its kind UnknownTypeError
    for an instance of a class that this process does not know or that has changed. With `lenient` such an
    instance becomes a read-only `Record` instead. Takes time and memory in proportion to the data.
    """
    if not isinstance(data, bytes):
        raise DecodeError(f"bytes are decoded, not {type(data).__qualname__}")
    if data[:1] != _HEAD:
        what = f"of version {data[0]}" if data else "empty"
        raise DecodeError(f"the data is {what}; this release of muscle_mem reads version {VERSION}")
    return read(data[1:], lenient)


def copier(data: bytes, value: Any, *, lenient: bool = False) -> Callable[[], Any]:
    """A function that decodes `data`, of which `value` was decoded, again at each call; quick where all in it is plain.

    None, bools, ints, floats, texts and bytes, in lists and in dicts by texts, are what plain msgpack gives back as
    they were, without a look at each part.
    """
    try:
        return functools.partial(_unpack, pack(value)) if _is_plain(value) else _slow_copier(data, lenient)
    except (OverflowError, UnicodeEncodeError):  # an int or a text that msgpack cannot write
        return _slow_copier(data, lenient)


def _slow_copier(data: bytes, lenient: bool) -> Callable[[], Any]:
    return functools.partial(decode, data, lenient=lenient)


def _is_plain(value: Any) -> bool:
    kind = type(value)
    if kind is list:
        return all(map(_is_plain, value))
    if kind is dict:
        return _TEXT.issuperset(map(type, value)) and all(map(_is_plain, value.values()))
    return kind in PLAIN_OR_FLOAT


def digest(data: bytes) -> bytes:
    """The SHA-256 of some bytes: 32 bytes."""
    return hashlib.sha256(data).digest()


def _write(value: object, is_canonical: bool, max_nodes: int, max_bytes: int) -> bytes:
    try:
        try:
            tree = Writer(is_canonical, False, max_nodes, max_bytes).put(value, 0)
            data = _HEAD + pack(tree)
        except (OverflowError, UnicodeEncodeError):
            tree = Writer(is_canonical, True, max_nodes, max_bytes).put(value, 0)
            data = _HEAD + pack(tree)
    except Refusal as refusal:
        raise _public_error(value, refusal) from refusal.__cause__
    except Exception as error:  # a property that raises, a dict that another thread changes
        name = display_name(type(value))
        raise NotStorableError(f"{name} could not be read: {type(error).__name__}: {error}", "", name) from error
    if len(data) > max_bytes:
        name = display_name(type(value))
        raise TooLargeError(f"{name} takes {len(data)} bytes, more than {max_bytes}", "", name)
    return data


def _public_error(value: object, refusal: Refusal) -> NotStorableError:
    """The error for a refusal, with the path from the value to what was refused."""
    chain = [*reversed(refusal.trail)] or [value]
    path, seen = "", {id(chain[0])}
    for outer, inner in itertools.pairwise(chain):
        path += _path_step(outer, inner)
        if id(inner) in seen:
            name = display_name(type(inner))
            return NotStorableError(f"{_path_prefix(path)}{name} contains itself; {_REMEDY}", path, name)
        seen.add(id(inner))
    name = display_name(type(chain[-1]))
    remedy = _REMEDY + ("" if refusal.error is TooLargeError else _REGISTER)
    return refusal.error(f"{_path_prefix(path)}{name} {refusal.reason}; {remedy}", path, name)


def _path_prefix(path: str) -> str:
    return f"{path.removeprefix('.')}: " if path else ""


def _path_step(outer: object, inner: object) -> str:
    found = unfold(outer)
    if found is None:
        return ".<stored form>"
    kind, children = found
    for index, child in enumerate(children):
        if child is inner:
            return child_path(kind, index, children)
    return ".<part>"
