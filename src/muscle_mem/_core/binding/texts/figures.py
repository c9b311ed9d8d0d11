"""Numbers, dates and times in values, found by what they mean.

Their spelling does not matter. "1,234.50 EUR", "1.234,50" and 1234.5 hold one number; "24.12.2026", "2026-12-24" and a
`date` hold one day. Where a spelling has two readings ("1,234", "03/04/2026"), both are kept.
"""

from __future__ import annotations

import datetime
import re
from collections.abc import Iterator
from decimal import Decimal, InvalidOperation
from enum import Enum
from typing import Any, Literal, NamedTuple

from ...model.pattern import compiled

Kind = Literal["number", "date", "time"]

MAX_TEXT = 20_000
"""Characters of one text that are searched."""

_MAX_DIGITS = 40
_MONTHS = {
    name: number
    for number, names in enumerate(
        (
            "january jan januar jän jänner",
            "february feb februar",
            "march mar märz mrz",
            "april apr",
            "may mai",
            "june jun juni",
            "july jul juli",
            "august aug",
            "september sep sept",
            "october oct oktober okt",
            "november nov",
            "december dec dezember dez",
        ),
        start=1,
    )
    for name in names.split()
}
_WEEKDAYS = frozenset(
    "monday tuesday wednesday thursday friday saturday sunday mon tue tues wed thu thur thurs fri sat sun "
    "montag dienstag mittwoch donnerstag freitag samstag sonnabend sonntag".split()
)
_MONTH = "|".join(sorted(_MONTHS, key=len, reverse=True))
_SPACE = " \u00a0\u2007\u202f"

_DATES = rf"""(?xi)(?<![\w.])(?:
      (?P<y1>\d{{4}})[-/.](?P<m1>\d{{1,2}})[-/.](?P<d1>\d{{1,2}})(?!\d)
    | (?P<a2>\d{{1,2}})(?P<s2>[./-])(?P<b2>\d{{1,2}})(?P=s2)(?P<y2>\d{{4}}|\d{{2}})(?!\d)
    | (?P<d3>\d{{1,2}})(?:st|nd|rd|th|\.)?\s+(?P<m3>{_MONTH})\b\.?(?:,?\s+(?P<y3>\d{{4}})\b)?
    | (?P<m4>{_MONTH})\b\.?\s+(?P<d4>\d{{1,2}})(?:st|nd|rd|th)?\b(?:,?\s+(?P<y4>\d{{4}})\b)?
    )"""
_NUMERIC_DATES = r"""(?x)(?<![\w.])(?:
      (?P<y1>\d{4})[-/.](?P<m1>\d{1,2})[-/.](?P<d1>\d{1,2})(?!\d)
    | (?P<a2>\d{1,2})(?P<s2>[./-])(?P<b2>\d{1,2})(?P=s2)(?P<y2>\d{4}|\d{2})(?!\d)
    )"""
"""The dates in texts without the name of a month."""

_MONTH_START = r"(?i)jan|jän|feb|mar|mär|mrz|apr|ma[yi]|jun|jul|aug|sep|o[ck]t|nov|de[cz]"
_DATE_MARK = re.compile(r"\d[-/.]\d{1,2}[-/.]\d")
_DIGIT = re.compile(r"\d")
_PLAIN_DIGITS = 28  # digits that a Decimal keeps
_PLAIN_INT = 10**_PLAIN_DIGITS
_TIMES = r"(?<![\d.:])(?P<h>[01]?\d|2[0-3]):(?P<m>[0-5]\d)(?::(?P<s>[0-5]\d)(?:\.\d+)?)?(?![\d:])"
_NUMBERS = rf"(?P<sign>[-\u2212+])?(?P<body>\d+(?:[.,'\u2019{_SPACE}](?=\d)\d+)*)(?P<exp>[eE][-+]?\d{{1,3}}(?![\w.]))?"


class Figure(NamedTuple):
    """One number, date or time in a text.

    `values` are its canonical readings: decimal digits of a number, ISO texts of a date ("--12-24" where the year is
    not given) or of a time. `start` and `end` are where it stands in the text.
    """

    kind: Kind
    values: tuple[str, ...]
    start: int
    end: int


def figures_in(text: str) -> list[Figure]:
    """Return the dates, times and numbers that stand in a text, in order.

    Dates and times are not numbers as well.
    """
    text = text[:MAX_TEXT]
    if _DIGIT.search(text) is None:
        return []
    found: list[Figure] = []
    dates = ""
    if compiled(_MONTH_START).search(text):
        dates = _DATES
    elif _DATE_MARK.search(text):
        dates = _NUMERIC_DATES
    for match in compiled(dates).finditer(text) if dates else ():
        days = tuple(_days(match))
        if days:
            found.append(Figure("date", days, *match.span()))
    taken = [(figure.start, figure.end) for figure in found]
    for match in compiled(_TIMES).finditer(text) if ":" in text else ():
        if _is_free(match.start(), match.end(), taken):
            clock = f"{int(match['h']):02}:{match['m']}:{match['s'] or '00'}"
            found.append(Figure("time", (clock,), *match.span()))
            taken.append(match.span())
    for match in compiled(_NUMBERS).finditer(text):
        first, last = match.span()
        if taken and any(start <= first and last <= end for start, end in taken):
            continue  # A part of a date or time, whatever it would be by itself.
        for start, end, values in _numbers(match):
            if not taken or _is_free(start, end, taken):
                found.append(Figure("number", values, start, end))
    return sorted(found, key=lambda figure: figure.start) if taken else found


def _is_free(start: int, end: int, taken: list[tuple[int, int]]) -> bool:
    return all(end <= other_start or other_end <= start for other_start, other_end in taken)


def _numbers(match: re.Match[str]) -> Iterator[tuple[int, int, tuple[str, ...]]]:
    """Yield the span of one number, or of its pieces, and its readings.

    It is split where the separators cannot be those of one number.
    """
    text = match[0]
    values = readings(text)
    if values:
        start, end = match.span()
        before = match.string[start - 1 : start] if match["sign"] else ""
        if before.isalnum():  # "A-12": the sign joins two tokens
            start += 1
            values = readings(match.string[start:end])
        if values:
            yield start, end, values
        return
    for piece in re.finditer(r"\d+", text):
        values = readings(piece[0])
        if values:
            yield match.start() + piece.start(), match.start() + piece.end(), values


def readings(text: str) -> tuple[str, ...]:
    """Return the numbers that a text of digits and separators may mean.

    Return none if it cannot be one number.
    """
    if len(text) <= _PLAIN_DIGITS and text.isascii():
        if text.isdigit():
            return (text.lstrip("0") or "0",)
        whole, dot, decimals = text.partition(".")
        if dot and len(decimals) != 3 and whole.isdigit() and decimals.isdigit():
            decimals = decimals.rstrip("0")
            whole = whole.lstrip("0") or "0"
            return (f"{whole}.{decimals}" if decimals else whole,)
    text = text.replace("\u2212", "-")
    plain = re.sub(rf"[{_SPACE}'\u2019]", "", text)
    grouped = len(plain) != len(text)
    if grouped and not _is_grouped(text, f"{_SPACE}'\u2019"):
        return ()
    commas, dots = plain.count(","), plain.count(".")
    candidates: list[str] = []
    if not commas and not dots:
        candidates = [plain]
    elif commas and dots:
        last = "," if plain.rfind(",") > plain.rfind(".") else "."
        other = "." if last == "," else ","
        whole = plain[: plain.rfind(last)]
        if plain.count(last) == 1 and _is_grouped(whole, other):
            candidates = [plain.replace(other, "").replace(last, ".")]
    else:
        mark = "," if commas else "."
        if plain.count(mark) == 1:
            candidates = [plain.replace(mark, ".")]
        if _is_grouped(plain, mark) and not grouped:
            candidates.append(plain.replace(mark, ""))
    return tuple(dict.fromkeys(value for text in candidates if (value := _decimal(text)) is not None))


def _is_grouped(text: str, marks: str) -> bool:
    """Return whether the marks in a number stand before groups of three digits.

    Separators of thousands do.
    """
    pieces = re.split(f"[{re.escape(marks)}]", re.sub(r"^[-+]", "", text).split("e")[0])
    if marks not in (",", "."):  # the decimals may follow the last group
        pieces[-1] = re.split(r"[.,]", pieces[-1])[0]
    return bool(pieces[0]) and len(pieces[0]) <= 3 and all(len(piece) == 3 for piece in pieces[1:])


def _decimal(text: str) -> str | None:
    if sum(map(str.isdigit, text)) > _MAX_DIGITS:
        return None
    try:
        return number_text(Decimal(text))
    except InvalidOperation:
        return None


def number_text(value: Decimal | float) -> str | None:
    """Return the canonical text of a number, equal for equal numbers.

    Return None for infinities, NaN and giants.
    """
    if type(value) is int and -_PLAIN_INT < value < _PLAIN_INT:
        return str(value)
    if type(value) is float:
        text = repr(value)
        if "e" not in text and "n" not in text:  # neither infinite nor NaN
            return (text.removesuffix(".0") if text != "-0.0" else "0") if text.endswith(".0") else text
    try:
        number = value if isinstance(value, Decimal) else Decimal(repr(value) if isinstance(value, float) else value)
        if not number.is_finite() or abs(number.adjusted()) > _MAX_DIGITS:
            return None
        return "0" if not number else format(number.normalize(), "f")
    except (InvalidOperation, ValueError, TypeError):
        return None


def _days(match: re.Match[str]) -> Iterator[str]:
    if match["y1"]:
        yield from _day(match["y1"], match["m1"], match["d1"])
    elif match["y2"]:
        year = match["y2"] if len(match["y2"]) == 4 else f"20{match['y2']}"
        yield from _day(year, match["b2"], match["a2"])
        if match["s2"] != ".":
            yield from _day(year, match["a2"], match["b2"])
    else:
        month = _MONTHS.get((match["m3"] or match["m4"]).lower())
        if month is None:  # The long s matches an s, and is another letter.
            return
        day = match["d3"] or match["d4"]
        yield from _day(match["y3"] or match["y4"], str(month), day)


def _day(year: str | None, month: str, day: str) -> Iterator[str]:
    try:
        found = datetime.date(int(year or 2000), int(month), int(day))
    except ValueError:
        return
    yield found.isoformat() if year else f"--{found:%m-%d}"


def scalar_figures(leaf: Any) -> list[Figure]:
    """Return the figures of one leaf that is not a container.

    They are those of a number itself, of a date, or those in a text.
    """
    if leaf is None or issubclass(type(leaf), bool):
        return []
    if issubclass(type(leaf), str):
        return figures_in(str(leaf))
    if issubclass(type(leaf), bytes | bytearray):
        return figures_in(bytes(leaf[:MAX_TEXT]).decode("utf-8", "replace"))
    if issubclass(type(leaf), Enum):
        return []
    if issubclass(type(leaf), int | float | Decimal):
        value = number_text(leaf)
        return [Figure("number", (value,), 0, 0)] if value is not None else []
    if issubclass(type(leaf), datetime.datetime):
        if leaf != leaf:  # NaT of pandas, which is not a date.
            return []
        return [
            Figure("date", (leaf.date().isoformat(),), 0, 0),
            Figure("time", (f"{leaf:%H:%M:%S}",), 0, 0),
        ]
    if issubclass(type(leaf), datetime.date):
        return [Figure("date", (leaf.isoformat(),), 0, 0)]
    if issubclass(type(leaf), datetime.time):
        return [Figure("time", (f"{leaf:%H:%M:%S}",), 0, 0)]
    return []


class FigureMemo:
    """The figures of leaves, worked out once for each text."""

    __slots__ = ("_known",)

    def __init__(self) -> None:
        self._known: dict[str, list[Figure]] = {}

    def of(self, leaf: Any) -> list[Figure]:
        """Return the figures of a leaf, as `scalar_figures` does."""
        if type(leaf) is not str:
            return scalar_figures(leaf)
        found = self._known.get(leaf)
        if found is None:
            found = self._known[leaf] = figures_in(leaf)
        return found


def is_calendar_word(text: str) -> bool:
    """Return whether a whole text is the name of a weekday or a month."""
    word = text.strip(" .").lower()
    return word in _WEEKDAYS or word in _MONTHS


_ALSO_VERBS = ("may", "march", "mar")
_AFTER_VERB = r"(?i)\s+(?:i|we|you|he|she|it|they|the|a|an|be|not|have|take|contain|on|to|also|cause)\b"


def months_of(text: str) -> Iterator[int]:
    """Yield the numbers of the months that a text names.

    "may" and "march" count only where they are not verbs.
    """
    for match in re.finditer(r"[^\W\d_]+", text):
        word = match[0]
        number = _MONTHS.get(word.lower())
        if number is None:
            continue
        if word.lower() in _ALSO_VERBS and (word.islower() or compiled(_AFTER_VERB).match(text, match.end())):
            continue
        yield number


def is_number(value: Any) -> bool:
    """Return whether a whole value is a number or a numeric text."""
    figures = scalar_figures(value)
    return rank(value) is not None and len(figures) == 1 and figures[0].kind == "number"


def rank(value: Any) -> float | None:
    """Return a number that orders values of one kind.

    The values are numbers, numeric texts, dates and times. Return None for other values.
    """
    figures = scalar_figures(value)
    if len(figures) != (2 if issubclass(type(value), datetime.datetime) else 1):
        return None
    figure = figures[0]
    if issubclass(type(value), str) and (figure.start, figure.end) != (
        len(value) - len(value.lstrip()),
        len(value.rstrip()),
    ):
        return None
    text = figure.values[0]
    if figure.kind == "number":
        return float(text)
    if figure.kind == "date":
        if text.startswith("--"):
            return None
        day = float(datetime.date.fromisoformat(text).toordinal())
        clock = figures[1].values[0] if len(figures) > 1 else ""
        return day + (_seconds(clock) / 86_400 if clock else 0.0)
    return _seconds(text)


def _seconds(clock: str) -> float:
    hours, minutes, seconds = map(int, clock.split(":"))
    return float(hours * 3600 + minutes * 60 + seconds)
