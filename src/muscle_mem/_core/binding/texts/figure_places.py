"""Numbers and dates, looked for in texts by what they mean."""

from __future__ import annotations

import datetime
import functools
import re
from collections.abc import Iterable, Iterator
from decimal import Decimal
from typing import Any

from .figures import FigureMemo, Kind, figures_in
from .units import units_beside

_WINDOW = 45  # characters around an occurrence that decide what it means
_MAX_DIGITS = 18
_SHORT_TEXT = 300  # characters of a text of which all figures are read
_SEPARATOR = r"[.,'\u2019 \u00a0\u2007\u202f]?"
_MONTHS = (
    "jan[a-zäö]*|jän[a-zä]*|feb[a-z]*|mar[a-z]*|mär[a-z]*|mrz|apr[a-z]*|ma[yi]|jun[a-z]*|jul[a-z]*|aug[a-z]*|sep[a-z]*|"
    "o[ck]t[a-z]*|nov[a-z]*|de[cz][a-z]*"
)


@functools.lru_cache(maxsize=512)
def pattern_of(kind: Kind, value: str) -> re.Pattern[str] | None:
    """Return an expression that matches the spellings of a number or date.

    It matches some other texts too.
    """
    if kind == "number":
        whole, _, decimals = value.lstrip("-").partition(".")
        if len(whole) + len(decimals) > _MAX_DIGITS:
            return None
        digits = _SEPARATOR.join(whole)
        tail = rf"[.,]{decimals}0*" if decimals else r"(?:[.,]0+)?"
        return re.compile(rf"{digits}{tail}(?!\d)")
    if kind == "date":
        year, month, day = value.lstrip("-").split("-") if not value.startswith("--") else ("", *value[2:].split("-"))
        one, two = str(int(month)), str(int(day))
        years = rf"(?:{year}|{year[2:]})(?!\d)" if year else r"(?:\d{4}|\d\d)(?!\d)"
        spellings = [rf"0?{two}[./-]0?{one}[./-]{years}", rf"0?{one}[./-]0?{two}[./-]{years}"]
        spellings += [rf"{two}(?:st|nd|rd|th|\.)?\s+(?:{_MONTHS})", rf"(?:{_MONTHS})\.?\s+0?{two}(?!\d)"]
        spellings.append(rf"{year or '[0-9]{4}'}[-/.]0?{one}[-/.]0?{two}(?!\d)")
        return re.compile("|".join(f"(?:{spelling})" for spelling in spellings), re.IGNORECASE)
    return None


def spans_of(text: str, kind: Kind, value: str, known: FigureMemo | None = None) -> Iterator[tuple[int, int]]:
    """Yield where in a text a number or date of this value stands.

    With the figures that are `known`, no expression is compiled for a number in a short text.
    """
    if known is not None and kind == "number" and len(text) <= _SHORT_TEXT and text.isascii():
        digits = len(value.lstrip("-").replace(".", ""))
        for figure in known.of(text) if digits <= _MAX_DIGITS else ():
            written = text[figure.start : figure.end]
            if figure.kind == kind and value in figure.values and "e" not in written.lower():
                yield figure.start, figure.end
        return
    pattern = pattern_of(kind, value)
    if pattern is None:
        return
    for match in pattern.finditer(text):
        low = max(0, match.start() - _WINDOW)
        for figure in figures_in(text[low : match.end() + _WINDOW]):
            start, end = figure.start + low, figure.end + low
            if start <= match.start() < end and figure.kind == kind and is_same_value(kind, value, figure.values):
                yield start, end


def is_same_value(kind: Kind, value: str, values: tuple[str, ...]) -> bool:
    """Return whether a figure may mean a value.

    A date without its year means any year's.
    """
    if value in values:
        return True
    if kind != "date":
        return False
    return any(
        other.lstrip("-")[-5:] == value[-5:] and (other.startswith("--") or value.startswith("--")) for other in values
    )


def units_in(text: str, kind: Kind, value: str) -> list[tuple[str, str]]:
    """Return the units beside each occurrence of a number in a text.

    They are empty texts beside a date.
    """
    return units_at(text, kind, spans_of(text, kind, value))


def units_at(text: str, kind: Kind, spans: Iterable[tuple[int, int]]) -> list[tuple[str, str]]:
    """Return the units beside the numbers that stand at these places of a text."""
    return [units_beside(text, *span) if kind == "number" else ("", "") for span in spans]


def kind_of(value: str) -> Kind:
    """Return whether a canonical text is that of a date or a number."""
    return "date" if re.fullmatch(r"(?:\d{4}|-)-\d\d-\d\d", value) else "number"


def as_number(value: str) -> Decimal:
    """Return a canonical number as one that equals ints and floats."""
    return Decimal(value)


def day_text(leaf: Any) -> str:
    """Return the canonical text of a date; empty for other leaves."""
    if issubclass(type(leaf), datetime.datetime):
        return str(leaf.date().isoformat())
    return str(leaf.isoformat()) if issubclass(type(leaf), datetime.date) else ""
