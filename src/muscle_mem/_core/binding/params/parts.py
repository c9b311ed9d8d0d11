"""Parts of params: where a leaf stands in one, and how to reach it.

Another run's value is read at the same place.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ... import codec
from ...model.records import ParamPath

MAX_DEPTH = 32
_MAX_INDEX = 2**53
PLAIN = frozenset({str, int, bool, type(None), bytes})


def child_parts(value: Any) -> Iterator[tuple[str | int | None, Any]] | None:
    """Return the children of a container, each with the part that leads to it.

    The part is its key, its index or its field (".name"). Return None for a leaf. A child that none of these leads to
    has None, such as an item of a set.
    """
    kind = type(value)
    if kind in PLAIN or kind is float:
        return None
    if kind is list or kind is tuple:
        return iter(enumerate(value))
    if issubclass(type(value), dict):
        return ((key if is_path_key(key) else None, child) for key, child in value.items())
    unfolded = codec.unfold(value)
    if unfolded is None:
        return None
    label, children = unfolded
    names = [f".{name}" for name in _field_names(label)]
    named: list[str | int | None] = [*names, *[None] * (len(children) - len(names))]
    return zip(named, children, strict=True)


def is_path_key(key: Any) -> bool:
    """Return whether a key of a dict can be a part of a path."""
    return (type(key) is int and abs(key) < _MAX_INDEX) or (type(key) is str and not key.startswith("."))


def is_field(part: str | int) -> bool:
    """Return whether a part of a path is the field of an object.

    Otherwise it is the key of a dict.
    """
    return isinstance(part, str) and part.startswith(".")


def _field_names(label: str) -> list[str]:
    return label.partition("\0\0")[0].split("\0")[2:]


def _field(value: Any, name: str) -> Any:
    """Return a field of an object. Raises LookupError for any other attribute.

    A recording that others wrote may name one that leads from the object to everything in the program.
    """
    unfolded = codec.unfold(value)
    names = [] if unfolded is None else _field_names(unfolded[0])
    if unfolded is None or name not in names:
        raise LookupError(f"cannot follow {name!r} in a param: it is not a field")
    return unfolded[1][names.index(name)]


def field_name(path: ParamPath) -> str | None:
    """Return the name of the key or field that a path ends with, if it has one."""
    last = path[-1] if path else None
    return last.removeprefix(".") if isinstance(last, str) else None


def part_at(value: Any, path: ParamPath) -> Any:
    """Return the part of a param's value that a path leads to.

    Raises LookupError if there is none.
    """
    for part in path:
        kind = type(value)
        try:
            if issubclass(type(value), dict):
                value = dict(value)[part] if kind is not dict else value[part]
            elif kind is list or kind is tuple:
                value = value[part]
            elif is_field(part):
                value = _field(value, str(part)[1:])
            else:
                raise LookupError(f"cannot follow {part!r} in a param of type {kind.__name__}")
        except (AttributeError, TypeError) as error:
            raise LookupError(f"cannot follow {part!r} in a param: {error}") from error
    return value
