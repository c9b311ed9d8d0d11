"""The walk through a run's outputs that notes their leaves, and where each stands.

A leaf is known by the number of a container and the number of a child in it. Lists of records are the largest outputs.
A few passes in C over a column are much faster than a look at each value.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from collections.abc import Set as AbstractSet
from decimal import Decimal
from enum import Enum
from itertools import chain, compress, product, repeat
from operator import is_
from types import SimpleNamespace
from typing import Any

from ... import codec
from ..texts.leaf_texts import BREAK
from .paths import (
    CONTAINERS,
    MAX_VISITS,
    SCALARS,
    Attributes,
    Fields,
    fields_of,
    opened,
    parsed_text,
    text_of_json,
)
from .places import Items, Parsed, Root, RowSlots, SlotList, Slots, in_row_order

LeafPath = tuple[tuple[int, ...], tuple[bytes, ...]]
_MAX_KEY_PLACES = 64
_JSON_STARTS = frozenset({"{", "["})
_FEW = 4  # children for which it does not pay to index all of them together
_STR = frozenset({str})
_DICT = frozenset({dict})
_NUMBERS = frozenset({int, float})
_INNER = frozenset({dict, list})
_EMPTY = frozenset({bool, type(None)})
_PLAIN = frozenset({str, int, float, bool, type(None), dict, list})


class OutputLeaves:
    """The containers, texts and numbers of outputs with their places, in order."""

    def __init__(self) -> None:
        self.nodes: list[Any] = []
        self._link_slots = SlotList()
        self._starts: list[int] = []
        self._first_leaves: list[tuple[int, int]] = []  # the number of texts and of numbers before each output
        self._hidden: set[int] = set()
        self.texts: list[str] = []
        self._text_slots = SlotList()
        self._number_slots = SlotList()
        self._number_values: list[Any] = []
        self._rows: dict[int, int] = {}
        self.others: list[tuple[str, int, int]] = []
        self.json_texts: dict[str, list[tuple[int, int]]] = {}
        self.key_places: dict[tuple[int, int], list[tuple[int, int]]] = {}

    def add(self, step: int, output: Any, *, hides_names: bool = False) -> None:
        """Add the output of a step.

        With `hides_names`, guards do not hold the digests of names in it.
        """
        if hides_names:
            self._hidden.add(step)
        self._starts.append(len(self.nodes))
        self._first_leaves.append((len(self.texts), len(self._number_values)))
        self.nodes.append(Root(step, output))
        self._link_slots.last().append((-1, 0))
        known_keys: dict[str, list[tuple[int, int]]] = {}
        at = len(self.nodes) - 1
        last = at + MAX_VISITS
        self._put(output, at, 0)
        at += 1
        rows = self._rows
        while at < len(self.nodes) and at < last:
            stop = rows.get(at, last) if rows else last
            if stop < last and self._scan_rows(at, stop, known_keys):
                at = stop
            else:
                self._scan(at, known_keys)
                at += 1
        rows.clear()

    def _scan(self, node: int, known_keys: dict[str, list[tuple[int, int]]]) -> None:
        """Index the children of a container."""
        value = self.nodes[node]
        slot = 0
        step = 1
        children: Any = value
        if type(value) is list:
            if len(value) >= _FEW and self._put_all(value, lambda: zip(repeat(node), range(len(value)))):
                return
        elif issubclass(type(value), dict):
            children = value.values()
            if type(value) is not Attributes:
                slot, step = 1, 2
                self._scan_keys(value, node, known_keys)
        elif issubclass(type(value), Fields):
            children = value.values
        elif issubclass(type(value), Parsed):
            children = (value.value,)
        texts, places, put = self.texts, self._text_slots.last(), self._put
        numbers, number_places = self._number_values, self._number_slots.last()
        for child in children:
            kind = type(child)
            if kind is str:
                if child[:1] in ("{", "[") or "\n" in child or "<tr" in child:
                    put(child, node, slot)
                else:
                    texts.append(child)
                    places.append((node, slot))
            elif kind is int or kind is float:
                numbers.append(child)
                number_places.append((node, slot))
            elif kind is dict or kind is list:
                self.nodes.append(child)
                self._link_slots.last().append((node, slot))
            elif child is not None and kind is not bool:
                put(child, node, slot)
            slot += step

    def _scan_rows(self, start: int, stop: int, known: dict[str, list[tuple[int, int]]]) -> bool:
        """Index the children of dicts with the same keys.

        Return whether this was possible. A few passes in C cost much less than one in Python.
        """
        rows = self.nodes[start:stop]
        names = tuple(rows[0])
        if not names or not _STR.issuperset(map(type, names)):
            return False
        columns = list(zip(*map(dict.values, rows), strict=True))
        kinds = [set(map(type, column)) for column in columns]
        groups = [[at for at, kind in enumerate(kinds) if kind <= group] for group in (_STR, _NUMBERS, _INNER, _EMPTY)]
        if sum(map(len, groups)) < len(columns):  # A column of mixed values
            slots = range(1, 2 * len(names), 2)
            every = list(chain.from_iterable(zip(*columns, strict=True)))
            return self._put_all(every, lambda: product(range(start, stop), slots), (start, stop, known))
        texts, numbers, inner = (in_row_order([columns[at] for at in group]) for group in groups[:3])
        if not self._are_plain(texts):
            return False
        self._scan_same_keys(start, stop, known)
        found = frozenset().union(*(kinds[at] for at in groups[2]))
        self._extend(texts, numbers, inner, found, [RowSlots(start, stop, group) for group in groups[:3]])
        return True

    def _put_all(
        self,
        values: list[Any],
        slots: Callable[[], Slots],
        rows: tuple[int, int, dict[str, list[tuple[int, int]]]] | None = None,
    ) -> bool:
        """Index plain children together, and the keys of the dicts that they are in.

        Return False, and index nothing, if some of them are not plain.
        """
        kinds = list(map(type, values))
        found = set(kinds)
        if not found <= _PLAIN:
            return False
        if rows is None and found <= _INNER:
            self._extend([], [], values, found, [(), (), slots()])
            return True
        is_text = list(map(is_, kinds, repeat(str)))
        texts = list(compress(values, is_text)) if str in found else []
        if not self._are_plain(texts):
            return False
        if rows is not None:
            self._scan_same_keys(*rows)
        is_number = list(map(_NUMBERS.__contains__, kinds))
        is_inner = list(map(_INNER.__contains__, kinds))
        places = [compress(slots(), chosen) for chosen in (is_text, is_number, is_inner)]
        numbers, inner = list(compress(values, is_number)), list(compress(values, is_inner))
        self._extend(texts, numbers, inner, found, places)
        return True

    def _are_plain(self, texts: list[str]) -> bool:
        """Return whether none of these texts spells a value."""
        joined = BREAK.join(texts)
        if joined[:1] in _JSON_STARTS or any(BREAK + start in joined for start in _JSON_STARTS):
            return False
        return ("\n" not in joined and "<tr" not in joined) or all(self._parsed(text) is None for text in texts)

    def _extend(
        self, texts: list[str], numbers: list[Any], inner: list[Any], kinds: AbstractSet[type], slots: Sequence[Slots]
    ) -> None:
        """Index leaves and containers; `slots` are the places of each of the three."""
        if texts:
            self.texts += texts
            self._text_slots.extend(slots[0])
        if numbers:
            self._number_values += numbers
            self._number_slots.extend(slots[1])
        if inner:
            at = len(self.nodes)
            self.nodes += inner
            self._link_slots.extend(slots[2])
            if list not in kinds:
                self._note_rows(at)

    def _note_rows(self, at: int) -> None:
        """Note which neighbors among the last containers have the same keys."""
        nodes = self.nodes[at:]
        names = list(nodes[0])
        if set(map(len, nodes)) == {len(names)} and list(chain.from_iterable(nodes)) == names * len(nodes):
            if len(nodes) >= _FEW:
                self._rows[at] = at + len(nodes)
            return
        for _, same in itertools.groupby(map(tuple, nodes)):
            count = len(list(same))
            if count >= _FEW:
                self._rows[at] = at + count
            at += count

    def _scan_same_keys(self, start: int, stop: int, known: dict[str, list[tuple[int, int]]]) -> None:
        """Index the keys of dicts with the same keys."""
        row = self.nodes[start]
        self._scan_keys(row, start, known)
        for slot, key in zip(range(0, 2 * len(row), 2), row, strict=True):
            places = known[key]
            places.extend(
                (node, slot) for node in range(start + 1, min(stop, start + 1 + _MAX_KEY_PLACES - len(places)))
            )

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
                self._text_slots.last().append((node, slot))
            elif len(places) < _MAX_KEY_PLACES:
                places.append((node, slot))

    def _put(self, child: Any, node: int, slot: int) -> None:
        """Index one child of any type."""
        kind = type(child)
        if kind is str or kind is bytes:
            text = text_of_json(child)
            parsed = self._parsed(text)
            if parsed is None:
                self.texts.append(text)
                self._text_slots.last().append((node, slot))
            else:
                self.json_texts.setdefault(text, []).append((node, slot))
                self._append(Parsed(parsed), node, slot)
        elif kind is int or kind is float:
            self._number_values.append(child)
            self._number_slots.last().append((node, slot))
        elif child is not None and kind is not bool:
            try:
                self._put_other(child, node, slot)
            except Exception:  # The value's own methods raise, so nothing can be read in it.
                return

    def _parsed(self, text: str) -> Any:
        """Return the value that a text spells, or None."""
        return parsed_text(text)

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
                self._number_values.append(child)
                self._number_slots.last().append((node, slot))

    def _append(self, container: Any, node: int, slot: int) -> None:
        self.nodes.append(container)
        self._link_slots.last().append((node, slot))
