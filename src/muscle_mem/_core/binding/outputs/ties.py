"""Values that elements of a list share, and the rows that a recording knows (E6)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import Any

from ... import codec
from .elements import TIED, Field, Table, column_of, ranks_of, reasons

KNOWN = "known"
"""Kind of a guard of the rows beside a chosen one: each must have been there when recorded."""

_MAX_TIED = 4  # elements with one value whose reasons are looked at
_MAX_REASONS = 8
_SIZE = 4
_PLAIN = frozenset({str, int, float, bool, type(None)})


def is_once(column: Sequence[Any], leaf: Any) -> bool:
    """Return whether exactly one value of a column is this leaf."""
    if _PLAIN.issuperset(map(type, column)) and column.count(leaf) == 1:
        return type(column[column.index(leaf)]) is type(leaf) and bool(leaf == leaf)
    return sum(is_equal(value, leaf) for value in column) == 1


def are_distinct(column: Sequence[Any]) -> bool:
    """Return whether a column consists of different texts and numbers."""
    kinds = set(map(type, column))
    return all(issubclass(kind, str | int | float) for kind in kinds) and len(set(column)) == len(column)


def is_equal(one: Any, two: Any) -> bool:
    """Return whether two values are equal and of one type."""
    try:
        return type(one) is type(two) and bool(one == two)
    except Exception:  # a value whose compare raises equals nothing
        return False


def tied_reasons(elements: Sequence[Any], places: Sequence[int], field: Field) -> Iterator[tuple[str, list[Any]]]:
    """Yield why elements that share a value may have been chosen for it.

    They are kinds and data of guards. The element of each reason has the value again, whichever it is.
    """
    if len(places) == len(elements) and ranks_of(elements, field) is None:
        return
    found: list[tuple[str, list[Any]]] = []
    for at in dict.fromkeys((*places[: _MAX_TIED - 1], places[-1])):
        for kind, by, value in reasons(elements, at):
            reason = (TIED + kind.removeprefix("first "), [list(field), list(by), value if kind == "first" else None])
            found += [reason] if reason not in found else []
    yield from found[:_MAX_REASONS]


def rows_beside(elements: Sequence[Any], at: int, field: Field) -> list[Any]:
    """Return what a guard says of the rows beside a chosen one.

    It is a field, and digests of its texts.
    """
    digests = _digests(elements, field)
    return [list(field), b"".join(sorted({*digests[:at], *digests[at + 1 :]}))]


def unknown_row(elements: Sequence[Any], at: int, data: Sequence[Any]) -> str:
    """Return the text of a row that was not recorded; empty if all were."""
    field = tuple(data[0])
    known = _split(data[1]) | {b""}
    rows = zip(_digests(elements, field), column_of(elements, field), strict=True)
    return next((text for place, (digest, text) in enumerate(rows) if place != at and digest not in known), "")


def joined_rows(one: Sequence[Any], two: Sequence[Any]) -> list[Any]:
    """Return what a guard says of rows that one of two recordings knows."""
    return [one[0], b"".join(sorted(_split(one[1]) | _split(two[1])))]


@lru_cache(maxsize=1024)
def _split(digests: bytes) -> frozenset[bytes]:
    return frozenset(digests[start : start + _SIZE] for start in range(0, len(digests), _SIZE))


def _digests(elements: Sequence[Any], field: Field) -> list[bytes]:
    """Return a digest of each text in a field; it is empty for another value."""
    found = elements.digests.get(field) if type(elements) is Table else None
    if found is None:
        column = column_of(elements, field)
        digest = codec.digest
        found = [digest(text.encode("utf-8", "replace"))[:_SIZE] if type(text) is str else b"" for text in column]
        if type(elements) is Table:
            elements.digests[field] = found
    return found
