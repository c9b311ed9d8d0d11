"""Paths in an output: how to reach each leaf, also in the output of another run."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from enum import Enum
from types import MappingProxyType, MemberDescriptorType, ModuleType, SimpleNamespace
from typing import Any

from ...errors import NotStorableError
from .. import codec
from ..model.secret import Secret
from ..redaction.traces import SHORT_TEXT, SMALL_INT

LeafPath = tuple[tuple[int, ...], tuple[bytes, ...]]
OutputLeaves = list[tuple[LeafPath, Any]]

MAX_VISITS = 300_000
_MAX_VISITS_PER_OBJECT = 8  # an object may occur at several paths, or contain itself
_OBJECT_COST = 200  # visits that an object of a type unknown to the codec counts for
_MAX_OBJECT_DEPTH = 3
_MAX_ARRAY_ITEMS = 1_000  # a larger array is not searched
_MISSING = object()
_SCALARS = frozenset({str, int, bool, float, type(None), bytes})
_CONTAINERS = (dict, list, tuple, deque)
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


def walk_leaves(output: Any) -> OutputLeaves:
    """Return the distinctive leaves of an output, with their paths.

    Attributes of unknown objects are included. The function never raises, and visits a bounded number of parts.
    """
    found: OutputLeaves = []
    looks = 0
    visits: dict[int, int] = {}
    waiting: deque[tuple[Any, tuple[int, ...], tuple[bytes, ...], int]] = deque([(output, (), (), 0)])
    while waiting and looks < MAX_VISITS:
        value, path, keys, objects = waiting.popleft()
        looks += 1
        visits[id(value)] = visits.get(id(value), 0) + 1
        if visits[id(value)] > _MAX_VISITS_PER_OBJECT:
            continue
        try:
            value = _opened(value)
            own = codec.unfold(value) is None and not issubclass(type(value), _CONTAINERS)
            if own and (objects >= _MAX_OBJECT_DEPTH or not _has_readable_attributes(value)):
                if is_distinctive(value):
                    found.append(((path, keys), value))
                continue
            looks += _OBJECT_COST if own else 0
            if len(path) >= codec.MAX_DEPTH:
                continue
            for index, (key, child) in enumerate(_children(value)):
                if type(child) not in _SCALARS:
                    waiting.append((child, (*path, index), (*keys, key), objects + own))
                elif is_distinctive(child):
                    found.append((((*path, index), (*keys, key)), child))
        except Exception:  # The object's methods raise, so nothing can be read in it.
            continue
    return found


def get_at(value: Any, path: Sequence[int], keys: Sequence[bytes]) -> Any:
    """Return the value that is now at a path.

    Raises LookupError if the path does not exist.
    """
    for level, index in enumerate(path):
        value = _opened(value)
        key = keys[level] if level < len(keys) else b""
        if not key:
            value = list(_children(value))[index][1]
            continue
        value = next((child for other, child in _children(value) if other == key), _MISSING)
        if value is _MISSING:
            raise LookupError(key)
    return _opened(value)


def _opened(value: Any) -> Any:
    """Return a special container in a form that can be walked.

    These are views, exceptions and small arrays. Large arrays and arrays of bytes stay closed. An image, for example,
    contains every small number, so finding a number in it means nothing.
    """
    kind = type(value)
    if kind in _SCALARS or kind in _CONTAINERS:
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
    return value


def _children(value: Any) -> Iterator[tuple[bytes, Any]]:
    """Yield the children of a value with their keys; empty for a positional child."""
    if issubclass(type(value), dict):
        for key, child in dict.items(value):
            name = _key_digest(key)
            yield (b"k" + name if name else b""), key
            yield (b"v" + name if name else b""), child
        return
    if type(value) in (set, frozenset):
        for child in codec.unfold(value)[1]:  # type: ignore[index]  # a set always unfolds
            yield _key_digest(child), child
        return
    unfolded = None if type(value) is SimpleNamespace else codec.unfold(value)
    if unfolded is not None:
        children: Sequence[Any] = unfolded[1]
    elif issubclass(type(value), _CONTAINERS):
        children = list(value)
    else:
        for attribute, child in attributes_of(value):
            yield _key_digest(attribute), child
        return
    for child in children:
        yield b"", child


def _key_digest(key: Any) -> bytes:
    try:
        return codec.digest(codec.canonical(key))[:8]
    except NotStorableError:
        return b""


def _has_readable_attributes(value: Any) -> bool:
    """Return whether the attributes of a value can be read without running its code."""
    if (
        value is None
        or issubclass(type(value), str | bytes | int | float | type | ModuleType | Secret)
        or callable(value)
    ):
        return False
    return not codec.is_immutable(value) and any(True for _ in attributes_of(value))


def attributes_of(value: Any) -> Iterator[tuple[str, Any]]:
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
