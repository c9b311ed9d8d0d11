"""The codec: values to canonical bytes and back, for a closed set of types.

It does not use pickle, and decoding neither imports nor runs stored code. The bytes are one version byte and one
msgpack message. Each value has exactly one message.
"""

from __future__ import annotations

import functools
import hashlib
import itertools
from collections.abc import Callable
from typing import Any, Final

import msgspec

from ...errors import DecodeError, NotStorableError, TooLargeError
from .fold import child_path, fields_of, fold, is_immutable, unfold, without_private
from .known_classes import add_known_classes
from .leaves import may_hold_nan
from .reader import read, read_own
from .refusal import Refusal
from .registry import display_name, is_same_class_name, register
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
    "decode_own",
    "digest",
    "encode",
    "fields_of",
    "fold",
    "is_immutable",
    "is_same_class_name",
    "register",
    "unfold",
    "without_private",
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
    """Return the bytes from which `decode` restores a value.

    Exact types and the order of dicts are kept. The classes of encoded instances become known to `decode`.

    Args:
        value: The value to encode.
        max_nodes: The maximum number of values in it.
        max_bytes: The maximum size of the result in bytes.

    Raises:
        NotStorableError: If a part cannot be stored. The error has the path to it.
        TooLargeError: If the value exceeds a maximum, or is more than 64 containers deep.
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
    """Return the canonical bytes of a value, which are equal for equal content.

    They differ from the bytes of `encode` in that the order of a dict's items does not count. Exact types count: True,
    1, 1.0 and "1" differ, as do a list and a tuple, or 0.0 and -0.0. All NaN are equal. The bytes are the same on every
    machine and Python version. Raises NotStorableError and TooLargeError.
    """
    if type(value) is str and len(value) < MAX_BYTES // 4:
        try:
            return _HEAD + pack(value)
        except UnicodeEncodeError:
            pass
    return _write(value, True, MAX_NODES, MAX_BYTES)


def decode(data: bytes, *, lenient: bool = False) -> Any:
    """Return the value that was encoded.

    Instances are restored by setting their fields; the code of their classes does not run. Time and memory are
    proportional to the size of the data.

    Args:
        data: The bytes that `encode` or `canonical` returned.
        lenient: Whether to return a read-only `Record` for an instance of a class that is unknown or has changed.

    Raises:
        DecodeError: If the bytes are not the codec's.
        UnknownTypeError: If a class is not known in this process, or has changed since.
    """
    if not isinstance(data, bytes):
        raise DecodeError(f"cannot decode the data: expected bytes, got {type(data).__qualname__}")
    if data[:1] != _HEAD:
        found = f"version {data[0]}" if data else "empty data"
        raise DecodeError(f"cannot decode the data: expected version {VERSION} of the codec, got {found}")
    return read(data[1:], lenient)


def decode_own(data: bytes) -> Any:
    """Return the value of bytes that `encode` has returned in this process.

    Their form is not verified, which is faster than `decode`. As with `lenient`, a class that is unknown by now becomes
    a `Record`.
    """
    return read_own(data[1:])


def copier(data: bytes, value: Any, *, lenient: bool = False) -> Callable[[], Any]:
    """Return a function that decodes `data` again at each call.

    `value` is the decoded value. If it consists of None, bools, ints, floats, texts, bytes, lists and dicts with text
    keys, plain msgpack restores it without a check of each part, which is faster.
    """
    try:
        return functools.partial(_unpack, pack(value)) if _is_plain(value) else _slow_copier(data, lenient)
    except (OverflowError, UnicodeEncodeError):  # msgpack cannot write every int and text.
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
    """Return the SHA-256 of some bytes: 32 bytes."""
    return hashlib.sha256(data).digest()


def _write(value: object, is_canonical: bool, max_nodes: int, max_bytes: int) -> bytes:
    try:
        try:
            writer = Writer(is_canonical, False, max_nodes, max_bytes, allows_nan=True)
            data = _HEAD + pack(writer.put(value, 0))
            if writer.has_floats and may_hold_nan(data):
                data = _HEAD + pack(Writer(is_canonical, False, max_nodes, max_bytes).put(value, 0))
        except (OverflowError, UnicodeEncodeError):
            tree = Writer(is_canonical, True, max_nodes, max_bytes).put(value, 0)
            data = _HEAD + pack(tree)
    except Refusal as refusal:
        raise _public_error(value, refusal) from refusal.__cause__
    except Exception as error:  # A property may raise, or another thread may change a dict.
        name = display_name(type(value))
        raise NotStorableError(f"{name} cannot be read: {type(error).__name__}: {error}", "", name) from error
    if len(data) > max_bytes:
        name = display_name(type(value))
        raise TooLargeError(f"{name} is too large: expected at most {max_bytes} bytes, got {len(data)}", "", name)
    return data


def _public_error(value: object, refusal: Refusal) -> NotStorableError:
    """Return the error for a refusal, with the path to the part that was refused."""
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
