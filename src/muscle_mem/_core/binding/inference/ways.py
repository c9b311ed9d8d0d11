"""Ways that lead to a place in an output or an argument (L3)."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ...model.flow import ARGUMENT, PARAM, Element, Name, NthKey, Only, PathItem, Slot, Source, may_act
from ...model.flow import Parsed as ParsedItem
from ..outputs.answers import block_text
from ..outputs.elements import column_of, scalar_fields
from ..outputs.paths import SCALARS, Attributes, Fields, is_distinctive
from ..outputs.places import Items, Parsed, Root
from ..references.sources import Traced, is_column, is_equal, plain_elements
from ..texts.field_names import is_same_name
from .index import FlowIndex

Way = tuple[PathItem, ...]
_MAX_WAYS = 16
_MAX_ELEMENTS = 500
_MAX_SELECTORS = 6


class Ways:
    """The ways to the places of one recording.

    `params` are the params of the recording, `varying` the arguments (by step and name) and the params (by -1 and
    name) that differ between recordings.
    """

    def __init__(self, index: FlowIndex, params: Mapping[str, Traced], varying: frozenset[tuple[int, str]]) -> None:
        self._index = index
        self._params = params
        self._varying = varying

    def to(self, node: int, slot: int, ended: frozenset[int]) -> list[Way]:
        """Return the ways to a place; those that may act come first.

        `ended` are the steps whose arguments may select an element.
        """
        options: list[Sequence[PathItem]] = []
        for at, child in self._index.ancestors(node, slot):
            found = self._items(at, child, ended, options)
            if not found:
                return []
            options.append(found)
        return list(itertools.islice(itertools.product(*reversed(options)), _MAX_WAYS))

    def _items(
        self, node: int, slot: int, ended: frozenset[int], below: Sequence[Sequence[PathItem]]
    ) -> Sequence[PathItem]:
        """Return the items that lead from a container to one of its children.

        `below` are those that lead from there to the leaf, the last first.
        """
        value = self._index.nodes[node]
        if issubclass(type(value), Parsed):
            return (ParsedItem(),)
        if issubclass(type(value), Fields | Attributes):
            return (Name(self._index.entry(node, slot)[1]),)
        if issubclass(type(value), dict):
            if slot % 2 == 0:
                return _key_items(slot // 2, len(value)) if not below else ()
            name = self._index.entry(node, slot)[1]
            return (Name(name),) if type(name) is str else ()
        if issubclass(type(value), Items | Root):
            return ()
        if type(value) is tuple and not is_column(value):
            return (Slot(slot),)
        return self._element_items(slot, value, ended, _names_in(below))

    def _element_items(
        self, slot: int, elements: Sequence[Any], ended: frozenset[int], rest: Sequence[str]
    ) -> Sequence[PathItem]:
        count = len(elements)
        if count == 1 and block_text(elements[0]) is not None:  # the only content block of an MCP result
            return (Element(0),)
        ends = [Element(0)] if slot == 0 else []
        ends += [Element(-1)] if slot == count - 1 else []
        others = [] if ends else [Element(slot)]
        if count > _MAX_ELEMENTS or type(elements[slot]) in SCALARS:
            return ends + others
        plain = plain_elements(elements)
        fields = [(field, value) for field, value in scalar_fields(plain[slot]) if field != rest]
        selectors = list(itertools.islice(self._selectors(plain, fields, ended), _MAX_SELECTORS))
        return [*ends, *selectors, *others]

    def _selectors(
        self, elements: Sequence[Any], fields: Sequence[tuple[Any, Any]], ended: frozenset[int]
    ) -> Iterator[PathItem]:
        for field, value in fields:
            if value is None or type(value) is bool or value == "":
                continue
            equal = list(self._equals(field, value, ended))
            if equal and sum(is_equal(other, value) for other in column_of(elements, field)) == 1:
                yield from (Only(field, source) for source in equal)

    def _equals(self, field: Sequence[str | int], value: Any, ended: frozenset[int]) -> Iterator[Source]:
        """Yield the earlier arguments and the params that equal a field."""
        weak = not is_distinctive(value)
        for found in self._index.places(value):
            origin = self._index.origin(found.node)
            if origin.origin != ARGUMENT or origin.step not in ended:
                continue
            if weak and (origin.step, origin.name) not in self._varying and not _has_name(field, origin.name):
                continue
            for way in self.to(found.node, found.slot, frozenset())[:1]:
                source = Source(ARGUMENT, origin.step, origin.name, way)
                if may_act(source):
                    yield source
        for name, traced in self._params.items():
            if weak and (-1, name) not in self._varying and not _has_name(field, name):
                continue
            if is_equal(value, traced):
                yield Source(PARAM, name=name)


def _names_in(below: Sequence[Sequence[PathItem]]) -> tuple[str, ...]:
    """Return the names of the fields that lead from an element to the leaf."""
    return tuple(items[0].name for items in reversed(below) if isinstance(items[0], Name))


def _key_items(position: int, count: int) -> Sequence[PathItem]:
    return (NthKey(position), NthKey(-1)) if position == count - 1 else (NthKey(position),)


def _has_name(field: Sequence[str | int], name: str) -> bool:
    return bool(field) and isinstance(field[-1], str) and is_same_name(field[-1], name)
