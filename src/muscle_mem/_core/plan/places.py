"""The answers that recordings had at the places of one output (E12).

The recordings are of the same calls.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence
from typing import Any

import msgspec

from ..binding.outputs.answer_rows import rows_of
from ..binding.outputs.answers import DATA, EMPTY, FALSE, FALSY, FILLED, NONE, TEXT, TRUE, WORD, Reading, read
from ..binding.texts.field_names import YES_AND_NO, says_state

MANY_WORDS = 5
"""The number of distinct words at one place from which on words there are data."""

MAX_DEPTH = 12
MAX_ITEMS = 2_000
"""The number of items of a list that a replay looks at."""

Names = tuple[str, ...]
ROWS = "[]"
COLUMNS = "||"
"""Behind the names of a list: it is a column, and words in its used items are answers."""

MISSING = "missing"
"""The category of a field that an output does not have."""

_NOTHING = FALSY | {MISSING}
_WORDS_FOR_BOOLS = frozenset(WORD + word for word in YES_AND_NO)
_FLAGS = _WORDS_FOR_BOOLS | {TRUE, FALSE}


class Unseen(msgspec.Struct, frozen=True):
    """An answer that no recording had at a place; `known` are those that were there."""

    place: str
    name: str
    value: Any
    known: tuple[str, ...]


class Place:
    """What recordings of the same calls had at one place of an output.

    `known` are the categories of the values. `fields` and `items` are the places of its parts. `rows` are the first
    items of a list, as many as the later steps use, each as a separate place. `words` are those in the fields of a
    list's items that say a state, and `column` is the name of a list that is a column of records.
    """

    __slots__ = ("column", "count", "fields", "is_open", "items", "key_sets", "known", "rows", "varies", "words")

    def __init__(self) -> None:
        self.known: set[str] = set()
        self.fields: dict[str, Place] = {}
        self.items: Place | None = None
        self.rows: tuple[Place, ...] = ()
        self.count = 0
        self.key_sets: frozenset[frozenset[str]] = frozenset()
        self.is_open = False
        self.varies = False
        self.words: frozenset[str] = frozenset()
        self.column = ""

    def add(
        self, value: Any, uses: Mapping[Names, int], name: str = "", names: Names = (), *, words: bool = True
    ) -> None:
        """Add the value that one recording had here.

        `uses` holds for a list, by the names that lead to it, how many of its first items later steps use.
        """
        found = read(value, name, words=words)
        self.known.add(found.category)
        if not words and (word := state_word(value, name)):
            self.words |= {word}
        if len(names) > MAX_DEPTH:
            return
        if found.fields is not None:
            self._add_fields(found.fields, uses, names, words)
        elif found.items is not None:
            self._add_items(found.items, uses, names)

    def add_row(self, item: Any, uses: Mapping[Names, int], names: Names, column: str = "") -> None:
        """Add an item of a list by its place.

        Words are answers in its fields, and as items of a column, but not as those of another list.
        """
        found = read(item, column, words=bool(column))
        self.known.add(found.category)
        if found.fields is not None:
            self._add_fields(found.fields, uses, names, True)
        elif found.items is not None and len(names) <= MAX_DEPTH:
            self._add_items(found.items, uses, names)

    def _add_items(self, items: Sequence[Any], uses: Mapping[Names, int], names: Names) -> None:
        inner = (*names, ROWS)
        count = uses.get(names, 0)
        if count and names and (*names, COLUMNS) in uses:
            self.column = names[-1]
        for index, item in enumerate(items[:count]):
            if len(self.rows) == index:
                self.rows += (Place(),)
            self.rows[index].add_row(item, uses, inner, self.column)
        for item in _different(items):
            if self.items is None:
                self.items = Place()
            self.items.add(item, uses, "", inner, words=False)

    def _add_fields(self, fields: Mapping[str, Any], uses: Mapping[Names, int], names: Names, words: bool) -> None:
        for field, child in fields.items():
            place = self.fields.get(field)
            if place is None:
                place = self.fields[field] = Place()
                if self.count:
                    place.known.add(MISSING)  # The earlier recordings did not have it.
            place.add(child, uses, field, (*names, field), words=words)
        if self.count:
            for field in self.fields.keys() - fields.keys():
                self.fields[field].known.add(MISSING)
        self.count += 1
        self.key_sets |= {frozenset(fields)}
        self.is_open = len(self.key_sets) > 2

    def accepts(self, category: str) -> bool:
        """Return whether a replay may go on after a value of this category."""
        if category in self.known:
            return True
        if category in DATA:
            return not self.known.isdisjoint(DATA) or (category == TEXT and self._has_many_words())
        return category[0] == WORD and (TEXT in self.known or self._has_many_words())

    def settle_varying(self, *, words: bool = True) -> bool:
        """Note the places with several answers; return whether there is one."""
        found = len({self._kind(category, words) for category in self.known}) > 1
        for part in self.fields.values():
            found = part.settle_varying(words=words) or found
        for row in self.rows:
            found = row.settle_varying() or found
        items = self.items
        if items is not None and (items.fields or items.items is not None or items._are_flags()):
            found = items.settle_varying(words=False) or found
        self.varies = found
        return found

    def signature(self, value: Any, name: str = "", *, words: bool = True) -> Hashable:
        """Return what a value answers at the places where recordings differ.

        None if there is no such place.
        """
        if not self.varies:
            return None
        found = read(value, name, words=words)
        return self._kind(found.category, words), self._parts_signature(found, words)

    def _parts_signature(self, found: Reading, words: bool) -> Hashable:
        if found.fields is not None:
            fields = found.fields
            return tuple(
                place.signature(fields[name], name, words=words) if name in fields else MISSING
                for name, place in self.fields.items()
                if place.varies
            )
        if found.items is None or self.items is None or not (self.items.varies or self.rows):
            return None
        items = found.items[:MAX_ITEMS]
        rows = tuple(
            (row._kind(part.category, True) if self.column else None, row._parts_signature(part, True))
            for row, item in zip(self.rows, items, strict=False)
            if row.varies
            for part in (read(item, self.column, words=bool(self.column)),)
        )
        return rows, frozenset(self.items.signature(item, words=False) for item in items[len(self.rows) :])

    def _kind(self, category: str, words: bool) -> str:
        """Return the category, or TEXT for one that does not count here.

        In lists only bools, None, yes and no count.
        """
        if not words:
            return category if category in _FLAGS or category == NONE else TEXT
        if category in DATA or (category[0] == WORD and (TEXT in self.known or self._has_many_words())):
            return TEXT
        return category

    def _are_flags(self) -> bool:
        """Return whether the values here are bools, or some of them are a yes or a no."""
        return self.known <= {TRUE, FALSE} or not self.known.isdisjoint(_WORDS_FOR_BOOLS)

    def _has_many_words(self) -> bool:
        return sum(category[0] == WORD for category in self.known) >= MANY_WORDS

    def unseen(self, value: Any, path: str = "", name: str = "", *, words: bool = True) -> Iterator[Unseen]:
        """Yield the answers in a value that no recording had."""
        found = read(value, name, words=words)
        if not self.accepts(found.category):
            yield Unseen(path, name, value, tuple(sorted(self.known)))
            return
        if found.fields is not None and (self.fields or self.count):
            yield from self._unseen_fields(found.fields, path, words)
        elif found.items is not None and self.items is not None:
            yield from self._unseen_items(found, path)

    def unseen_at_end(self, value: Any) -> Iterator[Unseen]:
        """Yield the answers after which no recording ended.

        Words for states in a list are among them: one of them may be what was looked for and not found.
        """
        yield from self.unseen(value)
        yield from self.unseen_words(value)

    def unseen_words(self, value: Any, path: str = "", name: str = "") -> Iterator[Unseen]:
        """Yield the words for states in the items of lists that no recording had."""
        found = read(value, name)
        if found.fields is not None:
            for field, place in self.fields.items():
                if field in found.fields:
                    yield from place.unseen_words(found.fields[field], f"{path}.{field}" if path else field, field)
        elif found.items is not None and self.items is not None:
            for index, item in enumerate(found.items[:MAX_ITEMS]):
                yield from self.items.unseen_words(item, f"{path}[{index}]")
        elif 0 < len(self.words) < MANY_WORDS and (word := state_word(value, name)) and word not in self.words:
            yield Unseen(path, name, value, tuple(sorted(self.words)))

    def _unseen_fields(self, fields: Mapping[str, Any], path: str, words: bool) -> Iterator[Unseen]:
        is_gone = is_nothing = False
        for field, place in self.fields.items():
            inner = f"{path}.{field}" if path else field
            category = MISSING
            if field in fields:
                category = read(fields[field], field, words=words).category
                is_leaf = not place.fields and place.items is None
                if not is_leaf or category not in place.known:
                    yield from place.unseen(fields[field], inner, field, words=words)
            elif MISSING not in place.known:
                yield Unseen(inner, field, None, tuple(sorted(place.known)))
            is_gone = is_gone or (category in _NOTHING and not place.known <= _NOTHING)
            is_nothing = is_nothing or category in (NONE, EMPTY, MISSING)
        if len(fields) <= len(self.fields) and fields.keys() <= self.fields.keys():
            return
        for field in sorted(fields.keys() - self.fields.keys()):
            inner = f"{path}.{field}" if path else field
            category = read(fields[field], field, words=words).category
            may_have_moved = is_gone or (is_nothing and category == FILLED)
            is_answer = category not in DATA and not self.is_open
            if category not in FALSY and (may_have_moved or is_answer):
                yield Unseen(inner, field, fields[field], (MISSING,))

    def _unseen_items(self, found: Reading, path: str) -> Iterator[Unseen]:
        assert found.items is not None
        assert self.items is not None
        for index, item in enumerate(found.items[:MAX_ITEMS]):
            inner = f"{path}[{index}]"
            if index < len(self.rows):
                row = self.rows[index]
                part = read(item, self.column, words=bool(self.column))
                if not row.accepts(part.category):
                    yield Unseen(inner, "", item, tuple(sorted(row.known)))
                elif part.fields is not None:
                    yield from row._unseen_fields(part.fields, inner, True)
                elif part.items is not None and row.items is not None:
                    yield from row._unseen_items(part, inner)
            else:
                yield from self.items.unseen(item, inner, words=False)


def _different(items: Sequence[Any]) -> Iterable[Any]:
    """Return the items of a list without records that answer as another one does."""
    rows = rows_of(items, MAX_DEPTH)
    if rows is None:
        return items
    return dict(zip(zip(rows.keys, *_columns_of_states(items), strict=True), items, strict=True)).values()


def _columns_of_states(records: Sequence[dict[str, Any]]) -> Iterator[list[Any]]:
    for name, value in records[0].items():
        if type(value) is dict:
            yield from _columns_of_states([record[name] for record in records])
        elif says_state(name):
            yield [record[name] for record in records]


def state_word(value: Any, name: str) -> str:
    """Return the word for a state in a field of a list's item, or an empty text."""
    if type(value) is not str or not value or not says_state(name):
        return ""
    category = read(value, name).category
    return category if category[0] == WORD else ""
