"""The list elements that the steps of a recording used, and their guards (E6).

The guards concern what is beside the elements' own values: why each was chosen, see `choices`. Elements that were used
one after the other are those of a loop: the length of their list is guarded.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Protocol

from ... import codec
from ...model.records import Expr, Guard, Lit, Node, Ref, StepRecord
from ..outputs.elements import MAX_ELEMENTS, Table, elements_of
from ..outputs.index import OutputIndex
from ..outputs.list_state import list_state
from ..outputs.loops import Loops, Use, is_list, position_in
from ..outputs.paths import key_digest
from ..outputs.places import Place
from ..texts.field_names import is_id_name
from .choices import Choices
from .made_texts import Words, words_in

_MAX_SHARED = 3  # elements of which a text may be a part; each of them is guarded
_MAX_TEXTS = 8
_MAX_LISTS = 200
_SMALLEST_LIMIT = 2


class UsedLeaf(Protocol):
    """A literal leaf of an argument."""

    @property
    def argument(self) -> str:
        """Name of the parameter."""
        ...

    @property
    def value(self) -> Any:
        """The leaf."""
        ...

    @property
    def names(self) -> tuple[str, ...]:
        """The names that lead to the leaf."""
        ...


class ElementUses:
    """The elements that the steps of a recording used, by list."""

    def __init__(self, records: Sequence[StepRecord], index: OutputIndex, words: Words) -> None:
        self._records = records
        self._index = index
        self._uses: dict[int, list[Use]] = {}
        self._joined: dict[int, dict[int, int]] = {}  # the steps in which one text has several elements of a list
        self._tied: dict[int, list[tuple[int, dict[int, Place]]]] = {}  # the steps in which elements share a value
        self._choices = Choices(index, words)
        self._loops = Loops(records, index)

    def add(self, step: int, leaf: UsedLeaf, places: Sequence[Place], guards: list[Guard]) -> None:
        """Note where a guarded literal stands.

        If it is a key, add the guards of what is below it.
        """
        found: dict[int, dict[int, Place]] = {}
        keys = [place for place in places if self._index.is_key(place.node, place.slot)]
        for place in places:
            if self._index.is_key(place.node, place.slot):
                continue
            for node, slot in self._index.ancestors(place.node, place.slot):
                if is_list(self._index.nodes[node]):
                    found.setdefault(node, {}).setdefault(slot, place)
        for node, slots in found.items():
            if len(slots) > 1 and isinstance(leaf.value, str):
                self._note_joined(node, step, slots)
            if len(slots) > 1:
                if len(self._tied) < _MAX_LISTS:
                    self._tied.setdefault(node, []).append((step, slots))
                slots = _nearest(leaf.value, slots)
            if len(slots) > _MAX_SHARED or (node not in self._uses and len(self._uses) >= _MAX_LISTS):
                continue
            is_shared = len(slots) > 1
            is_vague = is_shared and not all(
                _is_part(leaf, place) or any(map(is_id_name, leaf.names)) for place in slots.values()
            )
            self._uses.setdefault(node, []).extend(
                Use(step, leaf.argument, node, slot, place, leaf.value, leaf.names, is_shared, is_vague)
                for slot, place in slots.items()
            )
        for place in keys:
            if isinstance(leaf.value, str) and sum(other.node == place.node for other in keys) > 1:
                self._note_joined(place.node, step, [other.slot + 1 for other in keys if other.node == place.node])
            if is_list(self._index.nodes[place.node]) and len(self._uses) < _MAX_LISTS:
                use = Use(step, leaf.argument, place.node, place.slot + 1, place, leaf.value, leaf.names, is_vague=True)
                self._uses.setdefault(place.node, []).append(use)
            if sum(self._index.step_of(p.node) == self._index.step_of(place.node) for p in keys) == 1:
                guards.extend(self._choices.below_key(place))

    def _note_joined(self, node: int, step: int, slots: Iterable[int]) -> None:
        joined = self._joined.setdefault(node, {})
        for slot in list(slots)[:_MAX_TEXTS]:
            joined.setdefault(slot, step)

    def add_references(self, step: int, _: list[Guard]) -> None:
        """Note the elements to which the references of a step lead."""
        for argument, expr in self._records[step].arguments:
            for reference in _references(expr):
                place = self._index.node_at(reference.step, reference.path)
                if place is None or not reference.path:
                    continue
                for node, slot in self._index.ancestors(*place):
                    if is_list(self._index.nodes[node]):
                        self._uses.setdefault(node, []).append(Use(step, argument, node, slot))

    def guards(self, ended: Mapping[int, frozenset[int]]) -> Iterator[tuple[int, Guard]]:
        """Yield the guards of all lists that were used, each with its step.

        `ended` are the steps that had ended when a step began.
        """
        for node, joined in self._joined.items():
            yield min(joined.values()), self._list_guard(node, "length", self._length(node))
            if isinstance(self._index.nodes[node], dict) and not self._index.hides_names(node):
                for slot, step in joined.items():
                    place = position_in(self._index.nodes[node], slot)
                    yield step, self._choices.element_guard(node, slot, "place", place)
        for node, found in self._uses.items():
            elements = Table(elements_of(self._index.nodes[node]) or ())
            loops = self._loops.within(node, found, len(elements))
            uses = found if loops else [use for use in found if not use.is_vague]
            if not uses:
                continue
            if loops or len({use.slot for use in uses if not use.is_shared}) == len(elements):
                yield uses[0].step, self._list_guard(node, "length", self._length(node))
            if self._index.hides_names(node):
                continue
            yield from self._whole(node, uses, len(elements))
            if len(elements) <= MAX_ELEMENTS:
                for use in (use for use in uses if not use.is_vague):
                    chosen = self._choices.of_use(node, use, elements, use.step in loops)
                    yield from ((use.step, guard) for guard in chosen)
        for node, tied in self._tied.items():
            elements = Table(elements_of(self._index.nodes[node]) or ())
            if len(elements) <= MAX_ELEMENTS and not self._index.hides_names(node):
                loops = self._loops.within(node, self._uses.get(node, []), len(elements))
                for step, slots in tied:
                    yield from (
                        (step, guard) for guard in self._choices.of_ties(node, slots, elements) if step not in loops
                    )
        for step, node in self._loops.across(self._uses, ended):
            yield step, self._list_guard(node, "length", self._length(node))

    # -- lengths

    def _length(self, node: int) -> Any:
        """Return the length of a list, or for a dict digests of its keys.

        The order of the keys counts as well.
        """
        value = self._index.nodes[node]
        if isinstance(value, dict) and not self._index.hides_names(node):
            return [key_digest(key) for key in value]
        return len(elements_of(value) or ())

    def _list_guard(self, node: int, kind: str, value: Any) -> Guard:
        path, keys = self._index.path(*self._index.links[node])
        return Guard(self._index.step_of(node), path, codec.canonical(value), keys, (), kind)

    def _whole(self, node: int, uses: Sequence[Use], length: int) -> Iterator[tuple[int, Guard]]:
        parent, slot = self._index.links[node]
        above = [self._index.nodes[found] for found, _ in self._index.ancestors(parent, slot)]
        source = self._records[self._index.step_of(node)]
        limits = sorted(
            {p.value for p in self._index.pieces.of(source) if type(p.value) is int and p.value >= _SMALLEST_LIMIT}
        )
        if limits or any(not isinstance(value, list | tuple) for value in above):
            yield uses[0].step, self._list_guard(node, "whole", list_state(length, above, limits))


def _nearest(value: Any, slots: dict[int, Place]) -> dict[int, Place]:
    """Return the elements whose leaves share most words with a text."""
    if not isinstance(value, str):
        return slots
    words = words_in(value)
    shared = {slot: len(words & words_in(place.leaf)) for slot, place in slots.items()}
    return {slot: place for slot, place in slots.items() if shared[slot] == max(shared.values())}


def _is_part(leaf: UsedLeaf, place: Place) -> bool:
    """Return whether a text may be a part of a leaf of an output."""
    return isinstance(leaf.value, str) and isinstance(place.leaf, str) and len(place.leaf) > len(leaf.value)


def _references(expr: Expr) -> Iterator[Ref]:
    if isinstance(expr, Ref):
        yield expr
    elif isinstance(expr, Node):
        for item in expr.items:
            if type(item) is not Lit:
                yield from _references(item)
