"""The leaves of a run's outputs, and where each stands.

A leaf is known by the number of a container and the number of a child in it. Its path and name are worked out for
those leaves that are found.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from decimal import Decimal
from enum import Enum
from types import SimpleNamespace
from typing import Any, NamedTuple

from .. import codec
from .paths import (
    CONTAINERS,
    JSON,
    MAX_VISITS,
    SCALARS,
    Attributes,
    Fields,
    fields_of,
    key_digest,
    may_be_json,
    opened,
    parsed_json,
    text_of_json,
)

LeafPath = tuple[tuple[int, ...], tuple[bytes, ...]]
_MAX_KEY_PLACES = 64


class Root:
    """The place of a whole output, above all others."""

    __slots__ = ("step", "value")

    def __init__(self, step: int, value: Any) -> None:
        self.step = step
        self.value = value


class Parsed:
    """A text that is JSON, and the value that it holds."""

    __slots__ = ("value",)

    def __init__(self, value: Any) -> None:
        self.value = value


class Items(list[Any]):
    """The items of a set, in their stored order."""


class Place(NamedTuple):
    """Where a leaf stands: the number of a child of a container, and the leaf there."""

    node: int
    slot: int
    leaf: Any


class OutputTree:
    """The outputs of one run's steps, in order.

    All are added before anything is looked for.
    """

    def __init__(self) -> None:
        self.nodes: list[Any] = []
        self.links: list[tuple[int, int]] = []
        self._starts: list[int] = []
        self._hidden: set[int] = set()
        self.texts: list[str] = []
        self.text_places: list[tuple[int, int]] = []
        self.numbers: dict[Any, list[tuple[int, int]]] = {}
        self.others: list[tuple[str, int, int]] = []
        self.json_texts: dict[str, list[tuple[int, int]]] = {}
        self.key_places: dict[tuple[int, int], list[tuple[int, int]]] = {}
        self._child_nodes: dict[tuple[int, int], int] = {}

    def add(self, step: int, output: Any, *, hides_names: bool = False) -> None:
        """Add the output of a step.

        With `hides_names`, guards do not hold the digests of names in it.
        """
        if hides_names:
            self._hidden.add(step)
        self._starts.append(len(self.nodes))
        self.nodes.append(Root(step, output))
        self.links.append((-1, 0))
        known_keys: dict[str, list[tuple[int, int]]] = {}
        at = len(self.nodes) - 1
        last = at + MAX_VISITS
        self._put(output, at, 0)
        at += 1
        while at < len(self.nodes) and at < last:
            self._scan(at, known_keys)
            at += 1

    def _scan(self, node: int, known_keys: dict[str, list[tuple[int, int]]]) -> None:
        """Index the children of a container."""
        value = self.nodes[node]
        slot = 0
        step = 1
        children: Any = value
        if issubclass(type(value), dict):
            children = value.values()
            if type(value) is not Attributes:
                slot, step = 1, 2
                self._scan_keys(value, node, known_keys)
        elif issubclass(type(value), Fields):
            children = value.values
        elif issubclass(type(value), Parsed):
            children = (value.value,)
        texts, places, numbers, put = self.texts, self.text_places, self.numbers, self._put
        for child in children:
            kind = type(child)
            if kind is str:
                if child[:1] in ("{", "["):
                    put(child, node, slot)
                else:
                    texts.append(child)
                    places.append((node, slot))
            elif kind is int or kind is float:
                known = numbers.get(child)
                if known is None:
                    numbers[child] = [(node, slot)]
                else:
                    known.append((node, slot))
            elif kind is dict or kind is list:
                self.nodes.append(child)
                self.links.append((node, slot))
            elif child is not None and kind is not bool:
                put(child, node, slot)
            slot += step

    def _scan_keys(self, value: dict[Any, Any], node: int, known: dict[str, list[tuple[int, int]]]) -> None:
        slot = -2
        for key in value:
            slot += 2
            if type(key) is not str:
                self._put(key, node, slot)
                continue
            places = known.get(key)
            if places is None:
                known[key] = self.key_places[(node, slot)] = [(node, slot)]
                self.texts.append(key)
                self.text_places.append((node, slot))
            elif len(places) < _MAX_KEY_PLACES:
                places.append((node, slot))

    def _put(self, child: Any, node: int, slot: int) -> None:
        """Index one child of any type."""
        kind = type(child)
        if kind is str or kind is bytes:
            text = text_of_json(child)
            parsed = parsed_json(text) if may_be_json(text) else None
            if parsed is None:
                self.texts.append(text)
                self.text_places.append((node, slot))
            else:
                self.json_texts.setdefault(text, []).append((node, slot))
                self._append(Parsed(parsed), node, slot)
        elif kind is int or kind is float:
            self.numbers.setdefault(child, []).append((node, slot))
        elif child is not None and kind is not bool:
            try:
                self._put_other(child, node, slot)
            except Exception:  # The value's own methods raise, so nothing can be read in it.
                return

    def _put_other(self, child: Any, node: int, slot: int) -> None:
        if not issubclass(type(child), Attributes | Fields):
            child = opened(child)
        if type(child) in SCALARS:
            self._put(child, node, slot)
        elif issubclass(type(child), dict | Fields):
            self._append(child, node, slot)
        elif type(child) in (set, frozenset):
            unfolded = codec.unfold(child)
            self._append(Items(unfolded[1] if unfolded else ()), node, slot)
        elif (
            fields := fields_of(child) if not issubclass(type(child), list) and type(child) is not tuple else None
        ) is not None:
            self._append(fields, node, slot)
        elif type(child) is SimpleNamespace:
            self._append(Attributes(vars(child)), node, slot)
        elif issubclass(type(child), CONTAINERS):
            self._append(child if type(child) is tuple else list(child), node, slot)
        elif not issubclass(type(child), Enum) and codec.is_immutable(child):
            self.others.append((str(child), node, slot))
            if issubclass(type(child), Decimal) and child.is_finite():
                self.numbers.setdefault(child, []).append((node, slot))

    def _append(self, container: Any, node: int, slot: int) -> None:
        self.nodes.append(container)
        self.links.append((node, slot))

    # -- what was found where

    def step_of(self, node: int) -> int:
        """Return the step in whose output a container stands."""
        start = next(start for start in reversed(self._starts) if start <= node)
        step: int = self.nodes[start].step
        return step

    def root_of(self, step: int) -> int | None:
        """Return the container above the whole output of a step; None if it has no output."""
        return next((start for start in self._starts if self.nodes[start].step == step), None)

    def output_of(self, step: int) -> Any:
        """Return the whole output of a step; None if it has none."""
        root = self.root_of(step)
        return None if root is None else self.nodes[root].value

    def entry(self, node: int, slot: int) -> tuple[bytes, Any, Any]:
        """Return the key of a child, its name if it has one, and the child."""
        value = self.nodes[node]
        if issubclass(type(value), Root | Parsed):
            return JSON, None, value.value
        if issubclass(type(value), dict):
            if type(value) is Attributes:
                name = next(itertools.islice(value, slot, None))
                return key_digest(name), name, value[name]
            key = next(itertools.islice(value, slot // 2, None))
            digest = key_digest(key)
            if slot % 2 == 0:
                return (b"k" + digest if digest else b""), None, key
            return (b"v" + digest if digest else b""), key, value[key]
        if issubclass(type(value), Fields):
            return b"", value.names[slot], value.values[slot]
        child = value[slot]
        return (key_digest(child) if issubclass(type(value), Items) else b""), None, child

    def child(self, node: int, slot: int) -> Any:
        """Return the leaf at a place."""
        return self.entry(node, slot)[2]

    def path(self, node: int, slot: int) -> LeafPath:
        """Return the path from the whole output to a child of a container."""
        path: list[int] = []
        keys: list[bytes] = []
        while not isinstance(self.nodes[node], Root):
            path.append(slot)
            keys.append(self.entry(node, slot)[0])
            node, slot = self.links[node]
        if self.nodes[node].step in self._hidden:
            keys = [key if key == JSON else b"" for key in keys]
        return tuple(reversed(path)), tuple(reversed(keys))

    def name(self, node: int, slot: int) -> str:
        """Return the name under which a leaf stands.

        For an element it is that of its list. It is empty if there is none.
        """
        while not isinstance(self.nodes[node], Root):
            name = self.entry(node, slot)[1]
            if name is not None:
                return name if isinstance(name, str) else ""
            if isinstance(self.nodes[node], Parsed | dict):
                return ""
            node, slot = self.links[node]
        return ""

    def is_key(self, node: int, slot: int) -> bool:
        """Return whether a leaf is the key of a dict."""
        return slot % 2 == 0 and type(self.nodes[node]) is not Attributes and isinstance(self.nodes[node], dict)

    def named_children(self, node: int) -> Iterator[tuple[int, str, Any]]:
        """Yield the number, the name and the value of each named child.

        A container without names has none.
        """
        value = self.nodes[node]
        if issubclass(type(value), Fields):
            yield from zip(range(len(value.names)), value.names, value.values, strict=True)
        elif issubclass(type(value), dict):
            step, shift = (1, 0) if type(value) is Attributes else (2, 1)
            for number, (name, child) in enumerate(value.items()):
                if type(name) is str:
                    yield number * step + shift, name, child

    def node_at(self, step: int, path: Sequence[int]) -> tuple[int, int] | None:
        """Return the container and the number of its child to which a path leads.

        Return None if the path leads nowhere.
        """
        if not self._child_nodes:
            self._child_nodes = {link: node for node, link in enumerate(self.links) if link[0] >= 0}
        root = self.root_of(step)
        if root is None:
            return None
        place = (root, 0)
        for slot in path:
            node = self._child_nodes.get(place)
            if node is None:
                return None
            place = (node, slot)
        return place

    def hides_names(self, node: int) -> bool:
        """Return whether names in the output of a container are not written down."""
        return self.step_of(node) in self._hidden

    def ancestors(self, node: int, slot: int) -> Iterator[tuple[int, int]]:
        """Yield the containers above a leaf, the innermost first.

        Each comes with the number of the child that leads down.
        """
        while not isinstance(self.nodes[node], Root):
            yield node, slot
            node, slot = self.links[node]
