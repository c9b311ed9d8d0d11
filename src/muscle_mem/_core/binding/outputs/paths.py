"""Paths in an output: how to reach each leaf, also in the output of another run."""

from __future__ import annotations

import functools
from collections import deque
from collections.abc import Iterator, Sequence
from enum import Enum
from types import MappingProxyType, MemberDescriptorType, ModuleType, SimpleNamespace
from typing import Any

import msgspec

from ....errors import NotStorableError
from ... import codec
from ...model.secret import Secret
from ...redaction.traces import SHORT_TEXT, SMALL_INT
from .tables import is_table, opened_table, rows_in

JSON = b"json"
"""Key of the step from a text to the value that it spells, in JSON or as a table."""

MAX_VISITS = 300_000
_MAX_VISITS_PER_OBJECT = 8  # an object may occur at several paths, or contain itself
_OBJECT_COST = 200  # visits that an object of a type unknown to the codec counts for
_MAX_OBJECT_DEPTH = 3
_MAX_ARRAY_ITEMS = 1_000  # a larger array is not searched
_MISSING = object()
SCALARS = frozenset({str, int, bool, float, type(None), bytes})
CONTAINERS = (dict, list, tuple, deque)
_VIEWS: tuple[type, ...] = (type({}.keys()), type({}.values()), type({}.items()))


def is_distinctive(leaf: Any) -> bool:
    """Return whether a leaf is distinctive enough to be recognized.

    A bool, None, an enum member and a short or small value are not.
    """
    if leaf is None or issubclass(type(leaf), bool | Enum):
        return False
    if issubclass(type(leaf), str | bytes):
        return bool(len(leaf) >= SHORT_TEXT)
    if issubclass(type(leaf), int):
        return bool(abs(leaf) >= SMALL_INT)
    if issubclass(type(leaf), float):
        return bool(not leaf.is_integer() or abs(leaf) >= SMALL_INT)
    return codec.is_immutable(leaf)


class Attributes(dict[str, Any]):
    """The attributes of an object, by name."""


def plain_copy(output: Any) -> Any:
    """Return an output without a canonical form as it is now, in plain containers.

    Objects become `Attributes`, and what cannot be read becomes None. The function never raises, and visits a bounded
    number of parts.
    """
    return _Copier().copy(output, 0, 0)


class _Copier:
    """One copy of an output: how much of it was visited."""

    def __init__(self) -> None:
        self.looks = 0
        self.visits: dict[int, int] = {}

    def copy(self, value: Any, depth: int, objects: int) -> Any:
        """Return the copy of a part that lies `depth` levels down, below so many objects."""
        if type(value) in SCALARS:
            return value
        self.looks += 1
        visits = self.visits.get(id(value), 0) + 1
        self.visits[id(value)] = visits
        if visits > _MAX_VISITS_PER_OBJECT or self.looks > MAX_VISITS or depth > codec.MAX_DEPTH:
            return None
        try:
            return self._copy(opened(value), depth, objects)
        except Exception:  # The object's methods raise, so nothing can be read in it.
            return None

    def _copy(self, value: Any, depth: int, objects: int) -> Any:
        if is_table(value):
            return None
        if issubclass(type(value), dict):
            return {key: self.copy(child, depth + 1, objects) for key, child in dict.items(value)}
        if type(value) in (set, frozenset) or issubclass(type(value), Fields):
            return value
        if issubclass(type(value), CONTAINERS):
            return [self.copy(child, depth + 1, objects) for child in value]
        fields = fields_of(value)
        if fields is not None:
            children = [self.copy(child, depth + 1, objects) for child in fields.values]
            return Fields(fields.names, children)
        if objects < _MAX_OBJECT_DEPTH and has_readable_attributes(value):
            self.looks += _OBJECT_COST
            own = attributes_of(value)
            return Attributes({name: self.copy(child, depth + 1, objects + 1) for name, child in own})
        return value if codec.is_immutable(value) else None


class Fields:
    """The fields of a dataclass, NamedTuple or model, in order."""

    __slots__ = ("names", "values")

    def __init__(self, names: Sequence[str], values: Sequence[Any]) -> None:
        self.names = names
        self.values = values


def fields_of(value: Any) -> Fields | None:
    """Return the fields of a value that the codec unfolds by name.

    Return None for any other value.
    """
    unfolded = None if type(value) is SimpleNamespace else codec.unfold(value)
    if unfolded is None:
        return None
    kind, children = unfolded
    names = [codec.child_path(kind, index, children).removeprefix(".") for index in range(len(children))]
    return Fields(names, children)


@functools.lru_cache(maxsize=16)
def parsed_json(text: str) -> Any:
    """Return the list or dict that a whole text is the JSON form of.

    Return None for any other text.
    """
    try:
        found = msgspec.json.decode(text)
    except (msgspec.MsgspecError, UnicodeError, RecursionError):
        return None
    return found if isinstance(found, dict | list) else None


def may_be_json(text: str) -> bool:
    """Return whether a text begins and ends as a JSON object or array does."""
    return text[:1] in ("{", "[") and text.rstrip()[-1:] in ("}", "]")


def parsed_text(text: str) -> Any:
    """Return the value that a text spells, in JSON or as a table with rows, or None."""
    found = parsed_json(text) if may_be_json(text) else None
    return rows_in(text) or None if found is None else found


def get_at(value: Any, path: Sequence[int], keys: Sequence[bytes]) -> Any:
    """Return the value that is now at a path.

    Raises LookupError if the path does not exist.
    """
    for level, index in enumerate(path):
        value = opened(value)
        key = keys[level] if level < len(keys) else b""
        if key == JSON:
            value = parsed_text(text_of_json(value))
            continue
        if not key:
            value = list(children(value))[index][1]
            continue
        value = next((child for other, child in children(value) if other == key), _MISSING)
        if value is _MISSING:
            raise LookupError(key)
    return opened(value)


def opened(value: Any) -> Any:
    """Return a special container in a form that can be walked.

    These are views, exceptions and small arrays. Large arrays and arrays of bytes stay closed. An image, for example,
    contains every small number, so finding a number in it means nothing.
    """
    kind = type(value)
    if kind in SCALARS or kind in CONTAINERS:
        return value
    if kind in _VIEWS:
        return list(value)
    if kind is MappingProxyType:
        return dict(value)
    if kind is memoryview:
        return value.tobytes()
    if issubclass(type(value), BaseException):
        return [*value.args, value.__dict__]
    if kind.__name__ == "ndarray" and kind.__module__ == "numpy":
        return value.tolist() if value.size <= _MAX_ARRAY_ITEMS and value.dtype.itemsize > 1 else value
    return opened_table(value)


def text_of_json(value: Any) -> str:
    """Return the text of a leaf that may be JSON; empty for other leaves."""
    if issubclass(type(value), bytes | bytearray):
        return bytes(value).decode("utf-8", "replace")
    return value if issubclass(type(value), str) else ""


def children(value: Any) -> Iterator[tuple[bytes, Any]]:
    """Yield the children of a value with their keys; empty for a positional child."""
    if issubclass(type(value), dict):
        for key, child in dict.items(value):
            name = key_digest(key)
            yield (b"k" + name if name else b""), key
            yield (b"v" + name if name else b""), child
        return
    if type(value) in (set, frozenset):
        for child in codec.unfold(value)[1]:  # type: ignore[index]  # a set always unfolds
            yield key_digest(child), child
        return
    unfolded = None if type(value) is SimpleNamespace else codec.unfold(value)
    if issubclass(type(value), Fields):
        parts: Sequence[Any] = value.values
    elif unfolded is not None:
        parts = unfolded[1]
    elif issubclass(type(value), CONTAINERS):
        parts = list(value)
    else:
        for attribute, child in attributes_of(value):
            yield key_digest(attribute), child
        return
    for child in parts:
        yield b"", child


@functools.lru_cache(maxsize=8192)
def _text_digest(key: str) -> bytes:
    return codec.digest(codec.canonical(key))[:8]


def key_digest(key: Any) -> bytes:
    """Return the digest by which a key, an attribute or a set's item is found again.

    Return an empty digest if it has none.
    """
    try:
        if type(key) is str:
            return _text_digest(key)
        return codec.digest(codec.canonical(key))[:8]
    except NotStorableError:
        return b""


def has_readable_attributes(value: Any) -> bool:
    """Return whether the attributes of a value can be read without running its code."""
    if (
        value is None
        or issubclass(type(value), str | bytes | int | float | type | ModuleType | Secret)
        or callable(value)
    ):
        return False
    return not codec.is_immutable(value) and any(True for _ in attributes_of(value))


def attributes_of(value: Any) -> Iterator[tuple[str, Any]]:
    """Yield the attributes of an object without running its code."""
    try:
        own = object.__getattribute__(value, "__dict__")
    except AttributeError:
        own = {}
    if type(own) is dict:
        yield from list(own.items())
    for base in type(value).__mro__:
        for name, slot in list(vars(base).items()):
            if isinstance(slot, MemberDescriptorType):
                child = getattr(value, name, _MISSING)
                if child is not _MISSING:
                    yield name, child


def follow(value: Any, path: Sequence[int], keys: Sequence[bytes]) -> Any:
    """Return the object itself that is at a path now.

    Raises LookupError if the path does not exist.
    """
    if not path:
        return value
    above = get_at(value, path[:-1], keys[:-1])
    key = keys[-1] if len(keys) == len(path) else b""
    if key == JSON:
        return parsed_text(text_of_json(above))
    if not key:
        return list(children(above))[path[-1]][1]
    found = next((child for other, child in children(above) if other == key), _MISSING)
    if found is _MISSING:
        raise LookupError(key)
    return found
