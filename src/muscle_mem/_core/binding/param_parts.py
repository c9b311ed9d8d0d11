"""Parts of params: where a leaf stands in one, and how to reach it.

Another run's value is read at the same place.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from ...errors import NotStorableError
from .. import codec
from ..codec.walk import leaves_of
from ..model.records import ParamPath

MAX_DEPTH = 32
_MAX_INDEX = 2**53
_FEW_FINDS = 16  # searches for a leaf for which an index costs more than it saves
PLAIN = frozenset({str, int, bool, type(None), bytes})
_PLAIN_OR_FLOAT = PLAIN | {float}
_Link = tuple[Any, Any]
_REPEATED: _Link = (None, None)


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


class LeafIndex:
    """The leaves of container params by value.

    Of leaves that are equal, none is found.
    """

    __slots__ = ("_finds", "_leaves", "_links", "_values")

    def __init__(self, values: Mapping[str, Any]) -> None:
        self._values = {name: value for name, value in values.items() if child_parts(value) is not None}
        self._links: dict[Any, _Link] | None = None
        self._leaves: list[Any] | None = None
        self._finds = 0

    def __bool__(self) -> bool:
        return bool(self._values)

    def _may_hold(self, value: Any) -> bool:
        """Return whether a text or number may be a leaf; a few are searched for without an index."""
        if self._links is not None or self._finds >= _FEW_FINDS or type(value) not in PLAIN:
            return True
        self._finds += 1
        if self._leaves is None:
            self._leaves = [
                leaf for whole in self._values.values() for leaf in leaves_of(whole) if type(leaf) in _PLAIN_OR_FLOAT
            ]
        return value in self._leaves

    def _made(self) -> dict[Any, _Link]:
        """Return the leaves with the links that lead to them."""
        if self._links is None:
            self._links = {}
            for name, value in self._values.items():
                self._add(self._links, value, (None, name))
        return self._links

    def _add(self, links: dict[Any, _Link], whole: Any, root: _Link) -> None:
        waiting: list[tuple[Any, _Link, int]] = [(whole, root, 0)]
        while waiting:
            value, link, depth = waiting.pop()
            children = child_parts(value) if depth <= MAX_DEPTH else None
            if children is None:
                continue
            for part, child in children:
                kind = type(child)
                if kind in PLAIN or (kind is float and child == child and child):
                    key = (kind, child)
                    links[key] = _REPEATED if part is None or key in links else (link, part)
                elif part is not None and (child_parts(child) is not None):
                    waiting.append((child, (link, part), depth + 1))
                else:
                    _add_leaf(links, child, part, link)

    def find(self, value: Any) -> tuple[str, ParamPath] | None:
        """Return the param and the path of the only leaf that equals a value.

        Return None if there is not exactly one.
        """
        if not self._may_hold(value):
            return None
        kind = type(value)
        try:
            is_plain = kind in PLAIN or (kind is float and value == value and value)
            key = (kind, value) if is_plain else codec.canonical(value)
        except NotStorableError:
            return None
        link = self._made().get(key)
        if link is None or link is _REPEATED:
            return None
        path: list[str | int] = []
        while link[0] is not None:
            path.append(link[1])
            link = link[0]
        return link[1], tuple(reversed(path))


def _add_leaf(links: dict[Any, _Link], leaf: Any, part: str | int | None, link: _Link) -> None:
    try:
        data = codec.canonical(leaf)
    except NotStorableError:
        return
    links[data] = _REPEATED if part is None or data in links else (link, part)
