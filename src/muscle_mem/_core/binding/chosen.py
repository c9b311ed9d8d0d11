"""The list elements that the steps of a recording used, and their guards (E6).

The guards concern what is beside the elements' own values. An element may have been chosen for what it is: its texts
and the reason for the choice are guarded. Elements that were used one after the other are those of a loop: the length
of their list is guarded.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Protocol

from .. import codec
from ..model.records import Expr, Guard, Lit, Node, Ref, StepRecord
from .elements import (
    COLUMN,
    JOINED,
    MAX_ELEMENTS,
    Field,
    Table,
    column_of,
    elements_of,
    extreme,
    is_scalar,
    ranks_of,
    reasons,
    rows_of_columns,
    telling_texts,
)
from .field_names import is_id_name, is_same_name
from .leaf_texts import bytes_of
from .list_state import list_state
from .loops import Loops, Use, is_list, position_in
from .made_texts import Words, words_in
from .output_index import OutputIndex
from .output_places import Place
from .paths import key_digest
from .ties import KNOWN, is_equal, is_once, rows_beside, tied_reasons

_MAX_SHARED = 3  # elements of which a text may be a part; each of them is guarded
_MAX_TEXTS = 8
_MAX_TEXT = 200
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
        self._words = words
        self._index = index
        self._uses: dict[int, list[Use]] = {}
        self._joined: dict[int, dict[int, int]] = {}  # the steps in which one text has several elements of a list
        self._tied: dict[int, list[tuple[int, dict[int, Place]]]] = {}  # the steps in which elements share a value
        self._rows: dict[int, Table] = {}
        self._groups: dict[int, list[int]] = {}
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
                guards.extend(self._below_key(place))

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
                    yield step, self._element_guard(node, slot, "place", position_in(self._index.nodes[node], slot))
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
                    yield from ((use.step, guard) for guard in self._choice(node, use, elements, use.step in loops))
        for node, tied in self._tied.items():
            elements = Table(elements_of(self._index.nodes[node]) or ())
            if len(elements) <= MAX_ELEMENTS and not self._index.hides_names(node):
                loops = self._loops.within(node, self._uses.get(node, []), len(elements))
                for step, slots in tied:
                    yield from ((step, guard) for guard in self._ties(node, slots, elements) if step not in loops)
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

    # -- choices

    def _choice(self, node: int, use: Use, elements: Sequence[Any], looped: bool) -> Iterator[Guard]:
        field: Field | None = None
        position = position_in(self._index.nodes[node], use.slot)
        if use.place is not None:
            field = self._field(node, use.place)
            if field is None:
                return
            column = column_of(elements, field)
            is_alone = is_once(column, use.place.leaf)
            if not is_alone and not (use.is_shared and any(map(is_id_name, use.names))):
                return
            if not looped and not field and (rows := self._rows_beside(node)):
                yield from self._record_guards(node, use.slot, rows, prefix=COLUMN)
                return
            if not self._identifies(use, column):
                if not looped and field:
                    yield from self._reasons(node, use.slot, elements, position)
                elif not looped:
                    yield from self._scalar_reasons(node, use.slot, elements)
                return
        elif looped:
            return
        yield from self._record_guards(node, use.slot, elements, at=position, with_reasons=not looped)

    def _scalar_reasons(self, node: int, slot: int, elements: Sequence[Any]) -> Iterator[Guard]:
        """Yield why one of scalars may have been chosen."""
        position = position_in(self._index.nodes[node], slot)
        kind = "" if ranks_of(elements, ()) is None else extreme(elements, position, ())
        if kind:
            yield self._element_guard(node, slot, kind, [])
        yield from self._joined_reasons(node, slot)
        if 0 < position == len(elements) - 1:
            yield self._element_guard(node, slot, "last", [])

    def _ties(self, node: int, slots: dict[int, Place], elements: Table) -> Iterator[Guard]:
        """Yield why elements that share a value may have been chosen for it.

        The element of each reason has the value again, whichever it is.
        """
        slot = min(slots)
        field = self._field(node, slots[slot])
        if field is None:
            return
        rows, prefix = elements, ""
        if not field and (beside := self._rows_beside(node)):
            rows, prefix, field = beside, COLUMN, (self._index.entry(*self._index.links[node])[1],)
        value = slots[slot].leaf
        equal = [other for other in sorted(slots) if is_equal(slots[other].leaf, value)]
        places = [position_in(self._index.nodes[node], other) for other in equal]
        for kind, data in tied_reasons(rows, places, field):
            yield self._element_guard(node, slot, prefix + kind, data)

    def _rows_beside(self, node: int) -> Table:
        """Return the rows of the lists beside a list; empty if it is not a column."""
        above = self._index.links[node][0]
        if above not in self._rows:
            self._rows[above] = Table(rows_of_columns(self._index.nodes[above]))
        return self._rows[above]

    def _record_guards(
        self,
        node: int,
        slot: int,
        elements: Sequence[Any],
        *,
        at: int = -1,
        with_reasons: bool = True,
        prefix: str = "",
    ) -> Iterator[Guard]:
        position = slot if at < 0 else at
        texts = [(field, text) for field, text in telling_texts(elements, position) if len(text) <= _MAX_TEXT]
        if texts:
            told = [[list(field), text] for field, text in texts[:_MAX_TEXTS]]
            yield self._element_guard(node, slot, prefix + "record", told)
            if with_reasons and len(elements) <= MAX_ELEMENTS and not any(self._is_told(text) for _, text in texts):
                yield self._element_guard(node, slot, prefix + KNOWN, rows_beside(elements, position, texts[0][0]))
        yield from self._reasons(node, slot, elements if with_reasons else (), position, prefix)

    def _reasons(
        self, node: int, slot: int, elements: Sequence[Any], position: int, prefix: str = ""
    ) -> Iterator[Guard]:
        """Yield why an element may have been chosen; without elements its place only."""
        if elements:
            for kind, field, value in reasons(elements, position):
                data = [*field, value] if kind == "first" else list(field)
                yield self._element_guard(node, slot, prefix + kind, data)
                if kind == "first" and 1 == column_of(elements, field).count(value) < len(elements):
                    yield self._count_guard(node, prefix, [list(field), value, 1])
            if not prefix:
                yield from self._joined_reasons(node, slot)
        if isinstance(self._index.nodes[node], dict) and self._index.path(node, slot)[1][-1]:
            yield self._element_guard(node, slot, "place", position)

    def _is_told(self, text: str) -> bool:
        """Return whether all words of a text stand in the task or in its params."""
        return all(word in self._words for word in words_in(text))

    def _element_guard(self, node: int, slot: int, kind: str, data: Any) -> Guard:
        path, keys = self._index.path(node, slot)
        return Guard(self._index.step_of(node), path, codec.canonical(data), keys, (), kind)

    def _joined_reasons(self, node: int, slot: int) -> Iterator[Guard]:
        """Yield why an element may have been chosen of all lists in another one.

        Such lists are groups.
        """
        lists = self._beside(node)
        if len(lists) < 2:
            return
        elements: list[Any] = []
        at = -1
        for other in lists:
            at = len(elements) + slot if other == node else at
            elements += self._index.nodes[other]
        if len(elements) <= MAX_ELEMENTS:
            for kind, field, value in reasons(Table(elements), at):
                data = [*field, value] if kind == "first" else list(field)
                yield self._element_guard(node, slot, JOINED + kind, data)

    def _beside(self, node: int) -> list[int]:
        """Return the lists of an output at the same place as this one.

        Their places differ in the positions in lists above them only.
        """
        path, keys = self._index.path(*self._index.links[node])
        if node in self._groups:
            return self._groups[node]
        found = self._groups[node] = []
        if type(self._index.nodes[node]) is not list or (keys and all(keys)):
            return found
        above = [self._index.nodes[found] for found, _ in self._index.ancestors(*self._index.links[node])][::-1]
        wild = [type(value) is list for value in above[-len(path) :]]
        if not any(wild):
            return found
        step = self._index.step_of(node)
        for other, value in enumerate(self._index.nodes):
            if type(value) is not list or self._index.links[other][0] < 0 or self._index.step_of(other) != step:
                continue
            there, named = self._index.path(*self._index.links[other])
            if len(there) == len(path) and named == keys:
                pairs = zip(there, path, wild, strict=True)
                found += [other] * all(is_any or one == own for one, own, is_any in pairs)
        return found

    def _count_guard(self, node: int, prefix: str, data: Any) -> Guard:
        """Return the guard of how many elements have a flag.

        With another one, a loop would make more calls.
        """
        of = self._index.links[node][0] if prefix else node
        path, keys = self._index.path(*self._index.links[of])
        return Guard(self._index.step_of(node), path, codec.canonical(data), keys, (), prefix + "count")

    def _identifies(self, use: Use, column: Sequence[Any]) -> bool:
        """Return whether a value stands for its record.

        Such a value is an id by its name, or one that no two records share.
        """
        assert use.place is not None
        name = self._index.name(use.place.node, use.place.slot)
        if any(is_id_name(own) for own in (*use.names, name)) or any(is_same_name(own, name) for own in use.names):
            return True
        known = [value for value in column if isinstance(value, str | int | float)]
        return 1 < len(known) == len(column) == len(set(known)) and not isinstance(use.place.leaf, float)

    def _field(self, node: int, place: Place) -> Field | None:
        """Return the names that lead from an element of a list down to a leaf.

        Return None if one of them has no name.
        """
        found: list[str | int] = []
        for above, slot in self._index.ancestors(place.node, place.slot):
            if above == node:
                return tuple(reversed(found))
            _, name, _ = self._index.entry(above, slot)
            if isinstance(name, str):
                found.append(name)
            elif is_list(self._index.nodes[above]) or isinstance(self._index.nodes[above], tuple):
                found.append(slot)
            else:
                return None
        return None

    def _below_key(self, place: Place) -> Iterator[Guard]:
        """Yield the guards of what a dict holds under a key that a step used."""
        if self._index.hides_names(place.node):
            return
        path, keys = self._index.path(place.node, place.slot + 1)
        below = self._index.child(place.node, place.slot + 1)
        elements = elements_of(self._index.nodes[place.node]) or []
        if is_scalar(below) and (data := bytes_of(below)) is not None:
            yield Guard(self._index.step_of(place.node), path, data, keys)
        if len(elements) <= MAX_ELEMENTS:
            yield from self._record_guards(place.node, place.slot + 1, elements, at=place.slot // 2)


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
