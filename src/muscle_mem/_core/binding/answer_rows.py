"""Categories of the answers in the dicts of a list, column by column (E12).

Lists of records are the largest outputs. A few passes in C over a column are much faster than a reading of each value,
and they find the same.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import repeat
from operator import ne
from typing import Any, NamedTuple

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
from .field_names import YES_AND_NO

_FEW = 8
_DICT = frozenset({dict})
_STR = frozenset({str})
_NUMBERS = frozenset({int, float})
_SCALARS = frozenset({str, int, float, bool, type(None)})
_CONSTANTS = {True: TRUE, False: FALSE, None: NONE}
_STARTS = frozenset(["", *"{[ \n\t\r"])
_TABLE = "<tr"
_NUMBER_LINES = re.compile(r"^(?:[^\d\n]{0,24}-?(\d[\d.,]*)[^\d\n]{0,24}|.*)$", re.MULTILINE)
"""The one number of each line, as `answers.read` finds it in a whole text."""


class Rows(NamedTuple):
    """The records of a list by what they answer.

    `size` is the number of values in each, and `keys` has an equal item for records that answer the same. `names` are
    those of the fields; a field that is a record itself has its own names.
    """

    size: int
    keys: list[tuple[Any, ...]]
    names: tuple[tuple[str, Any], ...]


def rows_of(items: Sequence[Any], depth: int) -> Rows | None:
    """Return what the records of a list answer.

    Return None for items that are not dicts of scalars with the same names in the same order. `depth` is the
    number of levels that may follow.
    """
    if len(items) < _FEW or depth < 1 or not _DICT.issuperset(map(type, items)):
        return None
    names = tuple(items[0])
    if not names or set(map(tuple, items)) != {names} or not _STR.issuperset(map(type, names)):
        return None
    size = 1
    keys: list[Sequence[Any] | str] = []
    inner: list[tuple[str, Any]] = []
    for name, column in zip(names, zip(*map(dict.values, items), strict=True), strict=True):
        if type(column[0]) is dict:
            rows = rows_of(column, depth - 1)
            if rows is None:
                return None
            size += rows.size
            keys.append(rows.keys)
            inner.append((name, rows.names))
            continue
        categories = _categories(name, column)
        if categories is None:
            return None
        size += 1
        keys.append(categories)
        inner.append((name, None))
    count = len(items)
    if all(type(key) is str for key in keys):
        return Rows(size, [tuple(keys)] * count, tuple(inner))
    parts = [repeat(key, count) if type(key) is str else key for key in keys]
    return Rows(size, list(zip(*parts, strict=True)), tuple(inner))


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
    return [
        NUMBER if value and value != -1 and value == value else read(value, name, words=False).category
        for value in column
    ]


def _of_texts(name: str, column: Sequence[str]) -> Sequence[str] | str | None:
    distinct = list(dict.fromkeys(column))
    joined = "\n".join(distinct)
    is_plain = joined.count("\n") == len(distinct) - 1 and max(map(len, distinct)) <= 4 * MAX_WORD
    is_plain = is_plain and _TABLE not in joined and _STARTS.isdisjoint([text[:1] for text in distinct])
    if not is_plain or any(map(str.isspace, distinct)):
        readings = {text: read(text, name, words=False) for text in distinct}
        if any(reading.fields is not None or reading.items is not None for reading in readings.values()):
            return None
        return [readings[text].category for text in column]
    found = _of_short_texts(name, distinct)
    if type(found) is str or len(distinct) == len(column):
        return found
    by_text = dict(zip(distinct, found, strict=True))
    return [by_text[text] for text in column]


def _of_short_texts(name: str, texts: Sequence[str]) -> Sequence[str] | str:
    """Return the categories of one-line texts.

    They neither are empty nor begin as JSON does.
    """
    bare = list(map(str.rstrip, map(str.strip, texts), repeat(".!")))
    if not YES_AND_NO.isdisjoint(map(str.casefold, bare)):
        return [read(text, name, words=False).category for text in texts]
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


def made_of(names: tuple[tuple[str, Any], ...], key: tuple[Any, ...]) -> dict[str, Any]:
    """Return a record whose fields answer as the key of one does."""
    return {
        name: sample_of(part) if inner is None else made_of(inner, part)
        for (name, inner), part in zip(names, key, strict=True)
    }
