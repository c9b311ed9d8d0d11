"""The leaves of params, found by value (E2, E5)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ....errors import NotStorableError
from ... import codec
from ...codec.walk import leaves_of
from ...model.records import ParamPath
from .parts import MAX_DEPTH, PLAIN, child_parts

_FEW_FINDS = 16  # searches for a leaf for which an index costs more than it saves
_PLAIN_OR_FLOAT = PLAIN | {float}
_Link = tuple[Any, Any]
_REPEATED: _Link = (None, None)


class LeafIndex:
    """The leaves of container params by value.

    Of leaves that are equal, none is found.
    """

    __slots__ = ("_data", "_finds", "_leaves", "_links", "_values")

    def __init__(self, values: Mapping[str, Any], canonical: Mapping[str, bytes]) -> None:
        self._values = {name: value for name, value in values.items() if child_parts(value) is not None}
        self._data = [canonical[name] for name in self._values]
        self._links: dict[Any, _Link] | None = None
        self._leaves: list[Any] | None = None
        self._finds = 0

    def __bool__(self) -> bool:
        return bool(self._values)

    def _may_hold(self, value: Any) -> bool:
        """Return whether a text or number may be a leaf.

        A few are searched for without an index. Those that are more than a byte are in the bytes of the params.
        """
        if self._links is not None or self._finds >= _FEW_FINDS or type(value) not in PLAIN:
            return True
        self._finds += 1
        stored = codec.encode(value)[1:]
        if len(stored) > 1:
            return any(stored in data for data in self._data)
        if self._leaves is None:
            self._leaves = [leaf for whole in self._values.values() for leaf in leaves_of(whole)]
            if not _PLAIN_OR_FLOAT.issuperset(map(type, self._leaves)):
                self._leaves = [leaf for leaf in self._leaves if type(leaf) in _PLAIN_OR_FLOAT]
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
        kind = type(value)
        try:
            if not self._may_hold(value):
                return None
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
