"""Elements of containers, their fields, and reasons to choose one of them."""

from __future__ import annotations

import contextlib
import datetime
import re
from collections.abc import Iterable, Iterator, Sequence
from decimal import Decimal
from enum import Enum
from operator import itemgetter, ne
from typing import Any

from ...model.pattern import compiled
from ..texts.field_names import says_state
from ..texts.figures import figures_in
from .paths import Attributes, Fields, attributes_of, fields_of, key_digest, opened

Field = tuple[str | int, ...]
"""The names or indexes that lead from an element to a scalar in it."""

ECHO = "echo"
"""Kind of a guard of a place that holds the value of a param."""

ECHOES = "echoes"
"""Kind of a guard of a field that holds the value of a param in every element of a list."""

ECHO_KINDS = frozenset({ECHO, ECHOES})

COLUMN = "column "
"""Prefix of the kinds of guards whose elements are rows of lists that stand side by side."""

JOINED = "joined "
"""Prefix of the kinds of guards whose elements are those of all lists at such a place of an output."""

TIED = "tied "
"""Prefix of the kinds of guards of a value that several elements share: that of a chosen one is the same."""

MISSING = object()
_DICT = frozenset({dict})
_STR = frozenset({str})
_NUMBERS = frozenset({int, float})
_LISTS = frozenset({list, tuple})
MAX_ELEMENTS = 2_000
_MAX_FIELDS = 24
_LONGEST_RANKED = 40
_MAX_RANKED_TEXTS = 300
_WORD = r"[^\W\d_]+(?:[-_ ][^\W\d_]+)?"
_LONGEST_WORD = 20
_MOST_WORDS = 4  # of a closed set
_ISO = r"\d{4}-\d\d-\d\d(?:[T ]\d\d:\d\d(?::\d\d(?:\.\d+)?)?(?:Z|[+-]\d\d:?\d\d)?)?"
_LETTERS = re.compile(r"[^\W\d_]")
_MOST_LETTERS = 4  # beside the one figure of a text that is a number with its unit


def elements_of(container: Any) -> list[Any] | None:
    """Return the elements of a list or tuple, or the values of a dict.

    Return None for anything else.
    """
    container = opened(container)
    if issubclass(type(container), Attributes | Fields):
        return None
    if issubclass(type(container), dict):
        return list(dict.values(container))
    if issubclass(type(container), list) or type(container) is tuple:
        return list(container)
    return None


def position_of(container: Any, index: int, key: bytes) -> int:
    """Return which element a step of a path leads to.

    Raises LookupError if there is none.
    """
    container = opened(container)
    if not issubclass(type(container), dict):
        return index
    if not key:
        return index // 2
    for at, name in enumerate(dict.keys(container)):
        if b"v" + key_digest(name) == key:
            return at
    raise LookupError(key)


def part(element: Any, field: Field) -> Any:
    """Return what is in a field of an element; MISSING if it has none."""
    for name in field:
        element = _child(opened(element), name)
        if element is MISSING:
            return MISSING
    return element


class Table(list[Any]):
    """The elements of a list, with their fields worked out once."""

    __slots__ = ("columns", "digests", "ranks")

    def __init__(self, elements: Iterable[Any]) -> None:
        super().__init__(elements)
        self.columns: dict[Field, list[Any]] = {}
        self.digests: dict[Field, list[bytes]] = {}
        self.ranks: dict[Field, list[Any] | None] = {}


def column_of(elements: Sequence[Any], field: Field) -> list[Any]:
    """Return what each element has in a field."""
    if type(elements) is Table:
        found = elements.columns.get(field)
        if found is None:
            found = elements.columns[field] = _column_of(elements, field)
        return found
    return _column_of(elements, field)


def _column_of(elements: Sequence[Any], field: Field) -> list[Any]:
    if len(field) != 1:
        return [part(element, field) for element in elements]
    (name,) = field
    if _DICT.issuperset(map(type, elements)):
        with contextlib.suppress(KeyError):  # Not every element has the field.
            return list(map(itemgetter(name), elements))
    return [element.get(name, MISSING) if type(element) is dict else part(element, field) for element in elements]


def _child(value: Any, name: str | int) -> Any:
    if issubclass(type(value), dict):
        return dict.get(value, name, MISSING)
    if issubclass(type(value), list | tuple) and isinstance(name, int):
        return value[name] if 0 <= name < len(value) else MISSING
    fields = value if issubclass(type(value), Fields) else fields_of(value)
    if fields is not None:
        return next((child for own, child in zip(fields.names, fields.values, strict=True) if own == name), MISSING)
    return next((child for own, child in attributes_of(value) if own == name), MISSING)


def scalar_fields(element: Any) -> list[tuple[Field, Any]]:
    """Return the scalars in an element and in the dicts and objects directly in it.

    Return the element itself if it is a scalar.
    """
    found: list[tuple[Field, Any]] = []
    for field, value in _named(element, ()):
        if not is_scalar(value):
            found += [(inner, scalar) for inner, scalar in _named(value, field) if is_scalar(scalar)]
        else:
            found.append((field, value))
    return found[:_MAX_FIELDS]


def _named(element: Any, above: Field) -> Iterator[tuple[Field, Any]]:
    element = opened(element)
    if is_scalar(element):
        yield above, element
    elif issubclass(type(element), dict):
        yield from (((*above, key), child) for key, child in dict.items(element) if type(key) is str)
    elif issubclass(type(element), list) or type(element) is tuple:
        if len(element) <= _MAX_FIELDS and not above:
            yield from (((*above, at), child) for at, child in enumerate(element))
    else:
        fields = element if issubclass(type(element), Fields) else fields_of(element)
        pairs = attributes_of(element) if fields is None else zip(fields.names, fields.values, strict=True)
        yield from (((*above, name), child) for name, child in pairs)


def is_scalar(value: Any) -> bool:
    """Return whether a value is a number, a text, a date or another plain leaf."""
    return value is None or issubclass(type(value), str | int | float | Decimal | datetime.date | datetime.time | Enum)


def is_telling(value: Any) -> bool:
    """Return whether a value is a text that is neither a number nor a date."""
    return (
        type(value) is str
        and bool(_LETTERS.search(value))
        and not compiled(_ISO).fullmatch(value)
        and field_rank(value) is None
    )


def telling_texts(elements: Sequence[Any], at: int) -> list[tuple[Field, str]]:
    """Return the texts of an element that no other element has in the same field."""
    found: list[tuple[Field, str]] = []
    for field, value in scalar_fields(elements[at]):
        if is_telling(value) and column_of(elements, field).count(value) == 1:
            found.append((field, value))
    return found


def reasons(elements: Sequence[Any], at: int) -> Iterator[tuple[str, Field, Any]]:
    """Yield why an element may have been chosen: kind, field and value.

    The kind is that of the reason, and the value is the one in its field.
    """
    if len(elements) > MAX_ELEMENTS:
        return
    if at == len(elements) - 1 and at > 0:
        yield "last", (), None
    for field, value in scalar_fields(elements[at]):
        if issubclass(type(value), bool) or _is_word(value):
            column = column_of(elements, field)
            if value not in column[:at] and (issubclass(type(value), bool) or _is_closed(field, column)):
                yield "first", field, value
        elif len(elements) > 1 and field_rank(value) is not None:
            kind = extreme(elements, at, field)
            for each in (kind,) if kind else _tied_extremes(elements, at, field):
                yield each, field, value


def extreme(elements: Sequence[Any], at: int, field: Field) -> str:
    """Return whether an element alone has the least or the most of a field.

    The kind is "least" for the smallest value and "most" for the largest.
    """
    ranks = ranks_of(elements, field)
    if ranks is None or len(ranks) < 2:
        return ""
    own = ranks[at]
    if ranks.count(own) > 1:
        return ""
    return "least" if own == min(ranks) else "most" if own == max(ranks) else ""


def ranks_of(elements: Sequence[Any], field: Field) -> list[Any] | None:
    """Return what orders the elements by a field; None if it does not order them."""
    if type(elements) is not Table:
        return column_ranks(column_of(elements, field))
    if field not in elements.ranks:
        elements.ranks[field] = column_ranks(column_of(elements, field))
    return elements.ranks[field]


def is_first_extreme(elements: Sequence[Any], at: int, field: Field, kind: str) -> bool:
    """Return whether an element is the first with the least or most of a field."""
    ranks = ranks_of(elements, field)
    return bool(ranks) and ranks is not None and ranks.index((min if kind == "least" else max)(ranks)) == at


def chosen_by(elements: Sequence[Any], kind: str, field: Field, value: Any) -> int | None:
    """Return the place of the element that a reason chooses; None if there is none.

    Of several elements it is the first one.
    """
    kind = kind.removeprefix("first ")
    if kind == "last":
        return len(elements) - 1 if elements else None
    if kind == "first":
        column = column_of(elements, field)
        return next((at for at, own in enumerate(column) if type(own) is type(value) and own == value), None)
    ranks = ranks_of(elements, field)
    return ranks.index((min if kind == "least" else max)(ranks)) if ranks else None


def flags_of(elements: Sequence[Any], field: Field) -> list[Any]:
    """Return the bools, or the words of a closed set, in a field of elements.

    Return an empty list for another field.
    """
    column = column_of(elements, field)
    kinds = set(map(type, column))
    if kinds == {bool}:
        return column
    words = set(column) if kinds == _STR else ()
    is_set = 0 < len(words) <= _MOST_WORDS and all(map(_is_word, words))
    return column if is_set and _is_closed(field, column) else []


def _tied_extremes(elements: Sequence[Any], at: int, field: Field) -> Iterator[str]:
    """Yield the kinds of an element that is the first of several extremes.

    Of equal values, the first is both.
    """
    kinds = [kind for kind in ("least", "most") if is_first_extreme(elements, at, field, kind)]
    if kinds and column_of(elements, field).count(column_of(elements, field)[at]) > 1:
        yield from (f"first {kind}" for kind in kinds)


def rows_of_columns(container: Any) -> list[dict[str, Any]]:
    """Return the rows of lists of equal length that stand side by side under names.

    Return an empty list if the container holds no two such lists.
    """
    container = opened(container)
    if type(container) is list and _LISTS.isdisjoint(map(type, container)):
        return []
    fields = container if issubclass(type(container), Fields) else None
    if issubclass(type(container), dict):
        pairs = list(dict.items(container))
    elif fields is not None or (fields := fields_of(container)) is not None:
        pairs = list(zip(fields.names, fields.values, strict=True))
    else:
        return []
    columns = {name: list(value) for name, value in pairs if type(name) is str and type(value) in (list, tuple)}
    if len(columns) < 2 or len({len(column) for column in columns.values()}) > 1:
        return []
    if not all(is_scalar(value) for column in columns.values() for value in column[:MAX_ELEMENTS]):
        return []
    return [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]


def column_ranks(column: Sequence[Any]) -> list[Any] | None:
    """Return what orders the values of a field; None if they cannot be ordered."""
    kinds = set(map(type, column))
    if kinds <= _NUMBERS:
        return None if float in kinds and any(map(ne, column, column)) else list(column)
    if kinds == _STR and compiled(_ISO).fullmatch(column[0]) and all(map(compiled(_ISO).fullmatch, set(column))):
        return list(column)
    if len(column) > _MAX_RANKED_TEXTS:
        return None
    ranks = [field_rank(value) for value in column]
    return None if any(rank is None for rank in ranks) else ranks


def field_rank(value: Any) -> float | None:
    """Return a number that orders numbers, dates, and numeric texts with units.

    Return None for other values.
    """
    if issubclass(type(value), bool | Enum) or value is None:
        return None
    if issubclass(type(value), int | float | Decimal):
        return float(value)
    if issubclass(type(value), datetime.datetime):
        seconds = value.hour * 3600 + value.minute * 60 + value.second
        return float(value.toordinal() + seconds / 86_400)
    if issubclass(type(value), datetime.date):
        return float(value.toordinal())
    if issubclass(type(value), datetime.time):
        return float(value.hour * 3600 + value.minute * 60 + value.second)
    if not issubclass(type(value), str) or len(value) > _LONGEST_RANKED or not any(map(str.isdigit, value)):
        return None
    figures = figures_in(value)
    if not figures or len(figures) > 2 or (len(figures) == 2 and [f.kind for f in figures] != ["date", "time"]):
        return None
    rest = value[: figures[0].start] + value[figures[-1].end :]
    if len(_LETTERS.findall(rest)) > _MOST_LETTERS:
        return None
    return sum(_figure_rank(figure.kind, figure.values[0]) for figure in figures)


def _figure_rank(kind: str, text: str) -> float:
    if kind == "number":
        return float(text)
    if kind == "time":
        hours, minutes, seconds = map(int, text.split(":"))
        return (hours * 3600 + minutes * 60 + seconds) / 86_400
    return float(datetime.date.fromisoformat(text if not text.startswith("--") else f"2000-{text[2:]}").toordinal())


def _is_word(value: Any) -> bool:
    return type(value) is str and len(value) <= _LONGEST_WORD and compiled(_WORD).fullmatch(value) is not None


def _is_closed(field: Field, column: Sequence[Any]) -> bool:
    """Return whether the texts of a field seem to come from a closed set.

    The texts of a status do.
    """
    if len({value for value in column if type(value) is str}) < len(column):
        return True
    return bool(field) and isinstance(field[-1], str) and says_state(field[-1])
