"""Why an element of a list may have been chosen, as guards (E6).

An element may have been chosen for what it is: its texts and the reason for the choice are guarded.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from ... import codec
from ...model.records import Guard
from ..outputs.elements import (
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
from ..outputs.index import OutputIndex
from ..outputs.loops import Use, is_list, position_in
from ..outputs.places import Place
from ..outputs.ties import KNOWN, are_distinct, is_equal, is_once, rows_beside, tied_reasons
from ..texts.field_names import is_id_name, is_same_name
from ..texts.leaf_texts import bytes_of
from .made_texts import Words, words_in

_MAX_TEXTS = 8
_MAX_TEXT = 200


class Choices:
    """The guards of why elements of the outputs of one recording may have been chosen.

    `words` are those of the task and of its params.
    """

    def __init__(self, index: OutputIndex, words: Words) -> None:
        self._index = index
        self._words = words
        self._rows: dict[int, Table] = {}
        self._groups: dict[int, list[int]] = {}
        self._known: dict[tuple[int, int, bool], list[Guard]] = {}

    def of_use(self, node: int, use: Use, elements: Sequence[Any], looped: bool) -> Iterator[Guard]:
        """Yield the guards of an element of a list that a step used.

        In a loop, nothing was chosen.
        """
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
        key = node, use.slot, looped
        if key not in self._known:  # Most elements are used several times.
            self._known[key] = list(self._record_guards(node, use.slot, elements, at=position, with_reasons=not looped))
        yield from self._known[key]

    def _scalar_reasons(self, node: int, slot: int, elements: Sequence[Any]) -> Iterator[Guard]:
        """Yield why one of scalars may have been chosen."""
        position = position_in(self._index.nodes[node], slot)
        kind = "" if ranks_of(elements, ()) is None else extreme(elements, position, ())
        if kind:
            yield self.element_guard(node, slot, kind, [])
        yield from self._joined_reasons(node, slot)
        if 0 < position == len(elements) - 1:
            yield self.element_guard(node, slot, "last", [])

    def of_ties(self, node: int, slots: dict[int, Place], elements: Table) -> Iterator[Guard]:
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
            yield self.element_guard(node, slot, prefix + kind, data)

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
            yield self.element_guard(node, slot, prefix + "record", told)
            if with_reasons and len(elements) <= MAX_ELEMENTS and not any(self._is_told(text) for _, text in texts):
                yield self.element_guard(node, slot, prefix + KNOWN, rows_beside(elements, position, texts[0][0]))
        yield from self._reasons(node, slot, elements if with_reasons else (), position, prefix)

    def _reasons(
        self, node: int, slot: int, elements: Sequence[Any], position: int, prefix: str = ""
    ) -> Iterator[Guard]:
        """Yield why an element may have been chosen; without elements its place only."""
        if elements:
            for kind, field, value in reasons(elements, position):
                data = [*field, value] if kind == "first" else list(field)
                yield self.element_guard(node, slot, prefix + kind, data)
                if kind == "first" and 1 == column_of(elements, field).count(value) < len(elements):
                    yield self._count_guard(node, prefix, [list(field), value, 1])
            if not prefix:
                yield from self._joined_reasons(node, slot)
        if isinstance(self._index.nodes[node], dict) and self._index.path(node, slot)[1][-1]:
            yield self.element_guard(node, slot, "place", position)

    def _is_told(self, text: str) -> bool:
        """Return whether all words of a text stand in the task or in its params."""
        return all(word in self._words for word in words_in(text))

    def element_guard(self, node: int, slot: int, kind: str, data: Any) -> Guard:
        """Return a guard of a kind for an element of a list."""
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
                yield self.element_guard(node, slot, JOINED + kind, data)

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
        return len(column) > 1 and are_distinct(column) and not isinstance(use.place.leaf, float)

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

    def below_key(self, place: Place) -> Iterator[Guard]:
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
