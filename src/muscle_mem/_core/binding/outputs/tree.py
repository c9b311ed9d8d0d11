"""The leaves of a run's outputs, and where each stands.

A leaf is known by the number of a container and the number of a child in it. Its path and name are worked out for
those leaves that are found.
"""

from __future__ import annotations

import itertools
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from itertools import compress, repeat
from operator import eq
from typing import Any

from .leaves import OutputLeaves
from .paths import JSON, Attributes, Fields, key_digest
from .places import Items, Parsed, Root

_FEW_SEARCHES = 20
LeafPath = tuple[tuple[int, ...], tuple[bytes, ...]]


class OutputTree(OutputLeaves):
    """The outputs of one run's steps, in order.

    All are added before anything is looked for.
    """

    def __init__(self) -> None:
        super().__init__()
        self._numbers: dict[Any, list[tuple[int, int]]] = {}
        self._number_searches = 0
        self._child_nodes: dict[tuple[int, int], int] = {}

    @property
    def links(self) -> list[tuple[int, int]]:
        """Where each container stands."""
        return self._link_slots.all()

    @property
    def text_places(self) -> list[tuple[int, int]]:
        """Where each of the texts stands."""
        return self._text_slots.all()

    @property
    def numbers(self) -> dict[Any, list[tuple[int, int]]]:
        """Where each number stands."""
        if self._number_values and not self._numbers:
            found = self._numbers
            for value, place in zip(self._number_values, self._number_slots.all(), strict=True):
                known = found.get(value)
                if known is None:
                    found[value] = [place]
                else:
                    known.append(place)
        return self._numbers

    def number_places(self, value: Any) -> Sequence[tuple[int, int]]:
        """Return where a number stands.

        A few are looked for one by one, because an index costs more than they do.
        """
        if self._numbers or self._number_searches >= _FEW_SEARCHES:
            return self.numbers.get(value, ())
        self._number_searches += 1
        values = self._number_values
        if value not in values:
            return ()
        found = compress(range(len(values)), map(eq, values, repeat(value)))
        return [self._number_slots.at(number) for number in found]

    def step_of(self, node: int) -> int:
        """Return the step in whose output a container stands."""
        step: int = self.nodes[self._starts[bisect_right(self._starts, node) - 1]].step
        return step

    def leaves_by_step(self) -> Iterator[tuple[int, list[str], list[Any]]]:
        """Yield each step with an output, and the texts and the numbers in it."""
        ends = [*self._first_leaves[1:], (len(self.texts), len(self._number_values))]
        for start, first, end in zip(self._starts, self._first_leaves, ends, strict=True):
            texts, numbers = self.texts[first[0] : end[0]], self._number_values[first[1] : end[1]]
            yield self.nodes[start].step, texts, numbers

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
        value = self.nodes[node]
        if type(value) is dict:
            key = next(itertools.islice(value, slot // 2, None))
            return value[key] if slot % 2 else key
        return value[slot] if type(value) is list else self.entry(node, slot)[2]

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
