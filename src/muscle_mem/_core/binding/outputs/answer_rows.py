"""Categories of the answers in the dicts of a list, column by column (E12).

Lists of records are the largest outputs. A few passes in C over a column are much faster than a reading of each value,
and they find the same.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from itertools import chain, compress, repeat
from operator import itemgetter, ne, not_
from string import ascii_letters
from typing import Any, NamedTuple

from ..texts.field_names import YES_AND_NO, may_say_yes
from .answers import (
    FALSE,
    MAX_WORD,
    NAMES_OF_PLACES,
    NONE,
    NUMBER,
    STATUS_NAMES,
    TEXT,
    TRUE,
    ZERO,
    name_parts,
    read,
    sample_of,
)

_FEW = 8
_DICT = frozenset({dict})
_STR = frozenset({str})
_NUMBERS = frozenset({int, float})
_SCALARS = frozenset({str, int, float, bool, type(None)})
_CONSTANTS = {True: TRUE, False: FALSE, None: NONE}
_TABLE = "<tr"
_LONGEST_YES_OR_NO = max(map(len, YES_AND_NO))
_SHAPES = str.maketrans({char: "1" if char.isdigit() else "a" for char in "123456789" + ascii_letters})
"""Makes one-line ASCII texts equal that have letters, zeros, other digits and signs at the same positions."""
_FIRST = itemgetter(0)
_NUMBER_LINES = re.compile(r"^(?:[^\d\n]{0,24}-?(\d[\d.,]*)[^\d\n]{0,24}|.*)$", re.MULTILINE)
"""The one number of each line, as `answers.read` finds it in a whole text."""


class Rows(NamedTuple):
    """The records of a list by what they answer.

    `size` is the number of values in each, and `keys` has an equal item for records that answer the same: the parts of
    fields that differ. `fields` has the name of each field, the fields of a field that is a record itself, and the part
    of a field that answers the same in all records.
    """

    size: int
    keys: Sequence[tuple[Any, ...]]
    fields: tuple[tuple[str, Any, Any], ...]


def rows_of(items: Sequence[Any], depth: int) -> Rows | None:
    """Return what the records of a list answer.

    Return None for items that are not dicts of scalars with the same names in the same order. `depth` is the
    number of levels that may follow.
    """
    count = len(items)
    if count < _FEW or depth < 1 or not _DICT.issuperset(map(type, items)):
        return None
    names = tuple(items[0])
    if not names or set(map(len, items)) != {len(names)}:
        return None
    keys = list(chain.from_iterable(items))
    if keys != [*names] * count or not _STR.issuperset(map(type, keys)):
        return None
    size = 1
    differing: list[Sequence[Any]] = []
    fields: list[tuple[str, Any, Any]] = []
    for name in names:
        column = list(map(itemgetter(name), items))
        if type(column[0]) is dict:
            rows = rows_of(column, depth - 1)
            if rows is None:
                return None
            size += rows.size
            is_same = not rows.keys[0]
            fields.append((name, rows.fields, () if is_same else None))
            differing += () if is_same else (rows.keys,)
            continue
        categories = _categories(name, column)
        if categories is None:
            return None
        size += 1
        is_same = type(categories) is str
        fields.append((name, None, categories if is_same else None))
        differing += () if is_same else (categories,)
    return Rows(size, list(zip(*differing, strict=True)) if differing else [()] * count, tuple(fields))


def _categories(name: str, column: Sequence[Any]) -> Sequence[str] | str | None:
    """Return the category of each value of a field, or the one of all.

    Return None if one of them has parts.
    """
    kinds = set(map(type, column))
    if kinds <= _NUMBERS:
        return _of_numbers(name, column, kinds)
    if kinds == _STR:
        return _of_texts(name, column)
    if not kinds <= _SCALARS:
        return None
    if str in kinds or not kinds.isdisjoint(_NUMBERS):
        readings = [read(value, name, words=False) for value in column]
        has_parts = any(reading.fields is not None or reading.items is not None for reading in readings)
        return None if has_parts else [reading.category for reading in readings]
    return [_CONSTANTS[value] for value in column]


def _of_numbers(name: str, column: Sequence[Any], kinds: set[type]) -> Sequence[str] | str:
    if name and int in kinds and not STATUS_NAMES.isdisjoint(name_parts(name)):
        return [read(value, name, words=False).category for value in column]
    if all(column) and -1 not in column and not (float in kinds and any(map(ne, column, column))):
        return NUMBER
    places = range(len(column))
    odd = set(compress(places, map(not_, column)))
    if -1 in column:
        odd.update(at for at in places if column[at] == -1)
    if float in kinds:
        odd.update(compress(places, map(ne, column, column)))
    found = [NUMBER] * len(column)
    for at in odd:
        found[at] = read(column[at], name, words=False).category
    return found


def _of_texts(name: str, column: Sequence[str]) -> Sequence[str] | str | None:
    distinct = list(dict.fromkeys(column))
    found = _of_one_line_texts(name, distinct, "\n".join(distinct))
    if found is None:
        readings = {text: read(text, name, words=False) for text in distinct}
        if any(reading.fields is not None or reading.items is not None for reading in readings.values()):
            return None
        found = [reading.category for reading in readings.values()]
    if type(found) is str or len(distinct) == len(column):
        return found
    by_text = dict(zip(distinct, found, strict=True))
    return [by_text[text] for text in column]


def _of_one_line_texts(name: str, texts: Sequence[str], joined: str) -> Sequence[str] | str | None:
    """Return the categories of texts of one line, or the one of all.

    Most texts of a field have one of a few shapes. Return None if one of the texts has to be read by itself.
    """
    every = joined.translate(_SHAPES).split("\n") if joined.isascii() else texts
    shapes = list(dict.fromkeys(every))
    if joined.count("\n") != len(texts) - 1 or not all(shapes) or max(map(len, shapes)) > 4 * MAX_WORD:
        return None
    if _TABLE in joined or not _are_plain_starts(set(map(_FIRST, shapes))):
        return None
    if any(map(_may_be_yes_or_no, shapes)) and may_say_yes(map(str.rstrip, map(str.strip, texts), repeat(".!"))):
        return [read(text, name, words=False).category for text in texts]
    found = _of_short_texts(name, shapes)
    if type(found) is str or len(shapes) == len(texts):
        return found
    by_shape = dict(zip(shapes, found, strict=True))
    return [by_shape[shape] for shape in every]


def _are_plain_starts(chars: Iterable[str]) -> bool:
    """Return whether texts with these first characters are not JSON or spaces."""
    return not any(char in "{[" or char.isspace() for char in chars)


def _may_be_yes_or_no(shape: str) -> bool:
    """Return whether a text of this shape may be a yes or a no."""
    bare = shape.strip().rstrip(".!")
    return not bare.isascii() or (len(bare) <= _LONGEST_YES_OR_NO and bare.isalpha())


def _of_short_texts(name: str, texts: Sequence[str]) -> Sequence[str] | str:
    """Return the category of each of the texts, or the one of all."""
    bare = list(map(str.rstrip, map(str.strip, texts), repeat(".!")))
    numbers: list[str] = _NUMBER_LINES.findall("\n".join(bare))
    if not any(numbers):
        return TEXT
    is_place = bool(name) and not NAMES_OF_PLACES.isdisjoint(name_parts(name))
    if all(numbers) and min(map(len, bare)) > 2 and (is_place or all(map(str.strip, numbers, repeat("-.,0")))):
        return NUMBER
    return [
        TEXT
        if not number or (len(text) <= 2 and not text[0].isalnum())
        else NUMBER
        if is_place or number.strip("-.,0")
        else ZERO
        for text, number in zip(bare, numbers, strict=True)
    ]


def made_of(fields: tuple[tuple[str, Any, Any], ...], key: tuple[Any, ...]) -> dict[str, Any]:
    """Return a record whose fields answer as the key of one does."""
    parts = iter(key)
    made: dict[str, Any] = {}
    for name, inner, same in fields:
        part = next(parts) if same is None else same
        made[name] = sample_of(part) if inner is None else made_of(inner, part)
    return made
