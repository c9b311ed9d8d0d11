"""Digests of what outputs with different figures may have in common (E10).

A figure may be computed from a column, from the records with a flag, from a record at a place, or from the one with the
least or the most of a field. What two recordings agree in may be computed from all that their outputs have in common.
"""

from __future__ import annotations

import re
from collections.abc import Hashable, Iterator, Mapping, Sequence
from itertools import chain, compress, repeat
from operator import eq
from typing import Any

from ... import codec
from .elements import (
    MAX_ELEMENTS,
    Field,
    Table,
    column_of,
    elements_of,
    field_rank,
    flags_of,
    is_scalar,
    ranks_of,
    rows_of_columns,
    scalar_fields,
)
from .figure_digest import SMALLEST_EPOCH, figure_reader, may_hold_figures
from .loops import is_list
from .paths import Attributes, Fields, fields_of, opened, parsed_text, plain_copy, text_of_json

SIZE = 3
_MAX_TRAITS = 400
_MAX_PARTS = 50_000
_PLACES = 3  # records at the begin of a list that may be chosen for their place
_DICT = frozenset({dict})
_STR = frozenset({str})
_NUMBERS = frozenset({int, float})
_SCALARS = frozenset({str, int, float, bool, type(None)})
_DIGIT = re.compile(r"\d")
_MAY_HOLD_MORE = re.compile(r"^\s*[{\[]|\n|<tr")


def traits_digest(output: Any, now: float, known: dict[str, list[str]] | None = None) -> bytes:
    """Return the sorted digests of the traits of an output.

    `now` and `known` are as for `figures_digest`.
    """
    found = _Traits(now, known)
    try:
        found.walk(output, "", 0)
    except Exception:  # An object's own methods raise: what was read of it counts.
        found.add("unreadable")
    return b"".join(sorted(found.digests()))


def common_traits(one: bytes, two: bytes) -> bytes:
    """Return the traits that two outputs share."""
    return b"".join(sorted(_split(one) & _split(two)))


def has_traits(digest: bytes, accepted: bytes) -> bool:
    """Return whether an output has all accepted traits."""
    return digest == accepted or _split(accepted) <= _split(digest)


def _split(digest: bytes) -> set[bytes]:
    return {digest[at : at + SIZE] for at in range(0, len(digest), SIZE)}


class _Traits:
    """The traits of one output."""

    def __init__(self, now: float, known: dict[str, list[str]] | None) -> None:
        self._figures = figure_reader(now, known)
        self._found: dict[tuple[str, ...], None] = {}
        self._lists: dict[Hashable, list[Any]] = {}
        self._left = _MAX_PARTS

    def add(self, *parts: str) -> None:
        """Add a trait."""
        self._found[parts] = None

    def digests(self) -> set[bytes]:
        """Return the digests of all traits; the lists are looked at now."""
        for elements in self._lists.values():
            if len(elements) <= MAX_ELEMENTS:
                for parts in self._traits_of_list(Table(elements)):
                    self.add(*parts)
        texts = ["\0".join(parts) for parts in list(self._found)[:_MAX_TRAITS]]
        return {codec.digest(text.encode("utf-8", "replace"))[:SIZE] for text in texts}

    def walk(self, value: Any, path: str, depth: int, *, is_element: bool = False) -> None:
        """Note the scalars of a part of the output, and its lists."""
        self._left -= 1
        if depth > codec.MAX_DEPTH or self._left < 0:
            return
        value = _readable(value)
        if type(value) in _SCALARS or is_scalar(value):
            if not is_element and (text := self._told(value)):
                self.add("value", path, text)
            return
        rows = rows_of_columns(value)
        is_item = is_list(value)
        elements = rows or (elements_of(value) if is_item else None) or ()
        self._add_list(elements, path)
        if is_item and _are_plain(elements):
            return
        for name, child in _children(value):
            if not rows or not isinstance(child, list | tuple):
                self.walk(child, path if is_item else f"{path}.{name}", depth + 1, is_element=is_element or is_item)

    def _add_list(self, elements: Sequence[Any], path: str) -> None:
        """Note the elements of a list.

        Lists of records with the same fields count as one.
        """
        fields = frozenset(field for field, _ in scalar_fields(elements[0])) if elements else frozenset()
        if fields:
            self._lists.setdefault(path if () in fields else fields, []).extend(elements)

    def _traits_of_list(self, rows: Table) -> Iterator[tuple[str, ...]]:
        """Yield the traits of a list.

        They are its columns, and those of what may be chosen of it.
        """
        fields = [field for field, _ in scalar_fields(rows[0])]
        columns = {field: self._told_of(column_of(rows, field)) for field in fields}
        told = {field: column for field, column in columns.items() if any(column)}
        ordered: dict[Field, Sequence[str]] = {field: sorted(column) for field, column in told.items()}
        for field, column in ordered.items():
            yield ("all", _name(field), *column)
        flagged = {field: flags_of(rows, field) for field in fields}
        for choice, at in _chosen(rows, flagged):
            yield (choice, "#", str(at))
            for field, column in told.items():
                yield (choice, _name(field), column[at])
        for field, flags in flagged.items():
            for flag in dict.fromkeys(flags):
                has_flag = list(map(eq, flags, repeat(flag)))
                for other, column in told.items():
                    own = ordered[other] if all(has_flag) else sorted(compress(column, has_flag))
                    yield (f"with {_name(field)} {flag}", _name(other), *own)

    def _told_of(self, column: Sequence[Any]) -> Sequence[str]:
        """Return what may be computed from each value of a column."""
        kinds = set(map(type, column))
        if kinds <= _NUMBERS and max(map(abs, column)) < SMALLEST_EPOCH:
            return list(map(repr, column))
        if not kinds <= _SCALARS:
            return list(map(self._told, column))
        if kinds == _STR and not may_hold_figures(column):
            return [""] * len(column)
        keys = column if len(kinds) == 1 else list(zip(map(type, column), column, strict=True))
        known = {key: self._told(value) for key, value in dict(zip(keys, column, strict=True)).items()}
        return list(map(known.__getitem__, keys))

    def _told(self, value: Any) -> str:
        """Return what may be computed from a value: its figures, or the bool that it is.

        Return an empty text for other values.
        """
        if type(value) is bool:
            return str(value)
        if type(value) is str and _DIGIT.search(value) is None:
            return ""
        return " ".join(self._figures(value))


def _are_plain(elements: Sequence[Any]) -> bool:
    """Return whether elements are dicts of scalars.

    None of their texts may hold a table or JSON.
    """
    if not _DICT.issuperset(map(type, elements)):
        return False
    values = list(chain.from_iterable(map(dict.values, elements)))
    if not _SCALARS.issuperset(map(type, values)):
        return False
    joined = "".join([value for value in values if type(value) is str])
    return not any(mark in joined for mark in ("\n", "<tr", "{", "["))


def _readable(value: Any) -> Any:
    if type(value) in _SCALARS and (type(value) is not str or _MAY_HOLD_MORE.search(value) is None):
        return value
    value = opened(value)
    text = text_of_json(value)
    if text:
        parsed = parsed_text(text)
        return text if parsed is None else parsed
    if is_scalar(value) or isinstance(value, dict | list | tuple | Fields) or fields_of(value) is not None:
        return value
    return plain_copy(value)


def _children(value: Any) -> Iterator[tuple[Any, Any]]:
    if isinstance(value, Attributes | dict):
        yield from value.items()
    elif isinstance(value, list | tuple) and not hasattr(value, "_fields"):
        yield from enumerate(value)
    else:
        fields = value if isinstance(value, Fields) else fields_of(value)
        if fields is not None:
            yield from zip(fields.names, fields.values, strict=True)


def _chosen(rows: Table, flagged: Mapping[Field, Sequence[Any]]) -> Iterator[tuple[str, int]]:
    """Yield the possible reasons for a choice.

    Each comes with the place of the record that it chooses. `flagged` has the flags of all fields.
    """
    yield from ((f"at {at}", at) for at in range(min(_PLACES, len(rows))))
    yield "last", len(rows) - 1
    for field in flagged:
        ranks = ranks_of(rows, field) if field_rank(column_of(rows, field)[0]) is not None else None
        if ranks is not None:
            yield f"least {_name(field)}", ranks.index(min(ranks))
            yield f"most {_name(field)}", ranks.index(max(ranks))
    for field, flags in flagged.items():
        yield from ((f"first {_name(field)} {flag}", flags.index(flag)) for flag in dict.fromkeys(flags))


def _name(field: Field) -> str:
    return ".".join(map(str, field))
