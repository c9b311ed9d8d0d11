"""A digest of the numbers and dates of an output, and of their units (E10).

The units are those beside them. Two outputs have the same digest if nothing that can be computed from their figures can
differ. Times of day and stamps of the moment, which differ in every run, are left out. The bools and the words for
states beside them, by which an agent may have chosen what it computed from, are one figure more.
"""

from __future__ import annotations

import datetime
import functools
import re
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from decimal import Decimal
from enum import Enum
from itertools import chain
from typing import Any

from ... import codec
from ...model.pattern import compiled
from ..texts.field_names import is_flag, may_say_yes, says_state
from ..texts.units import UNIT, is_unit_name
from .paths import SCALARS, Attributes, Fields, fields_of, opened, plain_copy
from .tables import rows_in

_MAX_LEAVES = 200_000
_MAX_TEXT = 200_000
_DAY = 86_400.0
_EPOCH_UNITS = (1.0, 1e3, 1e6, 1e9)
SMALLEST_EPOCH = 10**9
"""The smallest number that may be a moment, in seconds since the epoch."""

_MONTHS = r"\.?\s?(?:jan|feb|mär|mar|mrz|apr|ma[iy]|jun|jul|aug|sep|o[ck]t|nov|de[cz])[a-zäö]*"
_FIGURES = (
    r"(?=[\d€$£¥A-Z+\u2212-])(?:"  # Most characters begin none of these.
    r"(\d{4}-\d\d-\d\d)[T ]\d\d:\d\d(?::\d\d(?:[.,]\d+)?)?(?: ?(?:Z\b|UTC|[+-]\d\d:?\d\d))?"
    r"|(?<![\d.:])(?:[01]?\d|2[0-3]):[0-5]\d(?::[0-5]\d(?:\.\d+)?)?(?![\d:])"
    rf"|((?:(?:[€$£¥]|\b[A-Z]{{3}})[ \u00a0]?)?(?<![\w.,/-])(?<!\d:)[-+\u2212]?\d+(?:[.,'\u2019/ \u00a0\u202f-]\d+)*"
    rf"(?:[ \u00a0\u202f]?{UNIT}|(?i:{_MONTHS}))?)(?!\w))"
)
_JSON_FLAGS = r'"([^"\\\n]{1,40})"\s*:\s*(?:(true|false)\b|"([^"\\\d]{1,32})")'
_STATE = r"[^\W\d_A-Z]{2,20}"
MAX_APART = 32
"""Figures of an output that are digested one by one; more are digested as a whole."""

SIZE_APART = 3
WHOLE = 8  # bytes, no multiple of the size of one: half for the figures in order, half for them in any order
_BLANK = b"\0" * SIZE_APART
_DIGIT = re.compile(r"\d")
_FIGURE_START = re.compile(r"[^\w.,/-][-+\u2212]?\d")
"""Where a figure begins behind another character: also behind a NUL before the text."""

_FIGURE_MARKS = (":", "\n", "<tr")
_FEW = 8  # dicts in a list for which it does not pay to read them column by column
_DICT = frozenset({dict})
_STR = frozenset({str})
_NUMBERS = frozenset({int, float})
_FLAG_KINDS = frozenset({bool, str})
_SILENT = frozenset({bool, type(None)})
_ROW_SCALARS = _NUMBERS | _SILENT | _STR


def figures_digest(output: Any, now: float, known: dict[str, list[str]] | None = None) -> bytes | None:
    """Return the digest of the figures of an output.

    Return None if it holds neither figures nor lists. `now` is when the output was made, in seconds since the epoch.
    `known` gets the figures of texts in records, for a `figure_reader` of this moment.
    """
    if type(output) is int and -SMALLEST_EPOCH < output < SMALLEST_EPOCH:
        return _int_digest(output)
    found = _Figures(now, known)
    try:
        found.add(output, "", 0)
    except Exception:  # An object's own methods raise: what was read of it counts.
        found.lines.append("?")
    lines = found.lines
    if lines and found.flags:
        lines.append(f"?{' '.join(found.flags)}")
    if 0 < len(lines) <= MAX_APART:
        return b"".join(codec.digest(line.encode("utf-8", "replace"))[:SIZE_APART] for line in lines)
    if not lines:
        return None
    halves = ("\n".join(each).encode("utf-8", "replace") for each in (lines, sorted(lines)))
    return b"".join(codec.digest(half)[: WHOLE // 2] for half in halves)


def figure_reader(now: float, known: dict[str, list[str]] | None = None) -> Callable[[Any], list[str]]:
    """Return what reads the figures of a leaf of an output, as lines of text."""
    found = _Figures(now)

    def read(value: Any) -> list[str]:
        if known and type(value) is str and value in known:
            return known[value]
        found.lines = []
        found.add(value, "", 0)
        return found.lines

    return read


def may_hold_figures(texts: Iterable[str]) -> bool:
    """Return whether one of these texts may hold a figure.

    One search in all of them costs much less than a look at each.
    """
    joined = "\0".join(("", *texts))
    return any(mark in joined for mark in _FIGURE_MARKS) or _FIGURE_START.search(joined) is not None


@functools.lru_cache(1024)
def _int_digest(value: int) -> bytes:
    return codec.digest(repr(value).encode())[:SIZE_APART]


def common_figures(one: bytes, two: bytes) -> bytes:
    """Return what two digests have in common, in the order of the first.

    The figures that only one of them has are blank; those that moved are kept. Return an empty digest if nothing is
    left.
    """
    if one == two:
        return one
    if len(one) != len(two) or len(one) % SIZE_APART:
        return b""
    pairs = list(zip(_figures_of(one), _figures_of(two), strict=True))
    left = Counter(there for figure, there in pairs if there != figure)
    kept: list[bytes] = []
    for figure, there in pairs:
        is_kept = there == figure or left[figure] > 0
        left[figure] -= there != figure
        kept.append(figure if is_kept else _BLANK)
    return b"".join(kept) if any(figure != _BLANK for figure in kept) else b""


def figures_apart_from_order(digest: bytes) -> bytes:
    """Return what digests of the same figures in any order have in common."""
    return digest[WHOLE // 2 :] if len(digest) == WHOLE else b"".join(sorted(_figures_of(digest)))


def _figures_of(digest: bytes) -> list[bytes]:
    return [digest[at : at + SIZE_APART] for at in range(0, len(digest), SIZE_APART)]


def by_output(pair: tuple[int, bytes]) -> tuple[int, bool]:
    """Return a key that orders the digests of outputs.

    That of an output's traits stands behind that of its figures.
    """
    step = pair[0]
    return (step, False) if step >= 0 else (~step, True)


def fits_figures(digest: bytes | None, accepted: bytes) -> bool:
    """Return whether the figures of an output are those of an accepted digest.

    What is blank there is not compared.
    """
    if digest == accepted:
        return True
    if digest is None or _BLANK not in accepted or len(digest) != len(accepted):
        return False
    pairs = zip(_figures_of(digest), _figures_of(accepted), strict=True)
    return all(wanted in (_BLANK, figure) for figure, wanted in pairs)


class _Figures:
    """The figures of one output, as lines of text."""

    def __init__(self, now: float, known: dict[str, list[str]] | None = None) -> None:
        self.lines: list[str] = []
        self.flags: list[str] = []
        self._known = known
        self._now = now
        self._today = datetime.datetime.fromtimestamp(now).date()
        self._left = _MAX_LEAVES

    def add(self, value: Any, name: str, depth: int) -> None:
        """Add the figures of a part of the output, which stands under a name."""
        kind = type(value)
        if kind is dict or kind is list or kind is tuple:
            self._add_container(value, name, depth)
        elif kind is str:
            self._add_text(value, name)
        elif kind is int or kind is float:
            self._add_number(value)
        elif kind is bool:
            self.flags.append(str(value))
        elif value is not None:
            self._add_other(value, name, depth)

    def _add_container(self, value: Any, name: str, depth: int) -> None:
        if depth > codec.MAX_DEPTH or self._left < 0:
            return
        self._left -= len(value)
        if issubclass(type(value), dict):
            add, lines = self.add, self.lines
            for key in value if _are_records(value) else _sorted_keys(value):
                if type(key) is str:
                    child = value[key]
                    kind = type(child)
                    if kind is str:
                        if _DIGIT.search(child) is not None or is_unit_name(key):
                            self._add_text(child, key)
                        elif is_flag(child, key):
                            self.flags.append(child)
                    elif kind is int and -SMALLEST_EPOCH < child < SMALLEST_EPOCH:
                        lines.append(f"{child}")
                    else:
                        add(child, key, depth + 1)
                else:
                    self.add(key, name, depth + 1)
                    self.add(value[key], str(key), depth + 1)
            return
        self.lines.append(f"#{len(value)}")
        if len(value) >= _FEW and self._add_rows(value, depth + 1):
            return
        if value and type(value[0]) in (list, tuple):
            self._add_words(value)
        for child in value:
            self.add(child, name, depth + 1)

    def _add_words(self, rows: Sequence[Any]) -> None:
        """Add the words of a closed set that stand in rows without names."""
        if all(type(row) in (list, tuple) and len(row) == len(rows[0]) for row in rows):
            for column in zip(*rows, strict=True):
                if all(type(word) is str and compiled(_STATE).fullmatch(word) is not None for word in column):
                    self.flags.extend(column)

    def _add_rows(self, rows: Sequence[Any], depth: int) -> bool:
        """Add the figures of dicts of scalars with the same keys, column by column.

        Return False, and add nothing, if the items are something else.
        """
        if depth > codec.MAX_DEPTH or not _DICT.issuperset(map(type, rows)):
            return False
        names = tuple(rows[0])
        if set(map(len, rows)) != {len(names)} or list(chain.from_iterable(rows)) != [*names] * len(rows):
            return False
        if not _STR.issuperset(map(type, names)):
            return False
        columns = dict(zip(names, zip(*map(dict.values, rows), strict=True), strict=True))
        kinds = {name: set(map(type, column)) for name, column in columns.items()}
        if not all(found <= _ROW_SCALARS for found in kinds.values()) or self._left < len(rows) * len(names):
            return False
        if any(_may_hold_more(columns[name], found) for name, found in kinds.items() if str in found):
            return False
        self._left -= len(rows) * len(names)
        ordered = sorted(names)
        flags = [_flags_of(columns[name], name, kinds[name]) for name in ordered]
        self.flags.extend(filter(None, chain.from_iterable(zip(*filter(None, flags), strict=True))))
        cells = [self._cells(columns[name], name, kinds[name]) for name in ordered if kinds[name] - _SILENT]
        self.lines.extend(chain.from_iterable(chain.from_iterable(zip(*filter(None, cells), strict=True))))
        return True

    def _cells(self, column: Sequence[Any], name: str, kinds: set[type]) -> Iterable[Iterable[str]] | None:
        """Return the lines of each value of a column; None if there are none."""
        if kinds <= _NUMBERS and max(map(abs, column)) < SMALLEST_EPOCH:
            return zip(map(repr, column))
        if kinds & _NUMBERS:
            return [self._lines_of(value, name) for value in column]
        distinct = set(column)
        if kinds == _STR and not is_unit_name(name) and not may_hold_figures(distinct):
            return None
        known = {value: self._lines_of(value, name) for value in distinct}
        if self._known is not None and kinds == _STR and not is_unit_name(name):
            self._known.update(known)
        return map(known.__getitem__, column)

    def _lines_of(self, value: Any, name: str) -> list[str]:
        outer, self.lines, self.flags = (self.lines, self.flags), [], []
        try:
            self.add(value, name, 0)
            return self.lines
        finally:
            self.lines, self.flags = outer

    def _add_number(self, value: float) -> None:
        if abs(value) >= SMALLEST_EPOCH and any(abs(value / unit - self._now) <= _DAY for unit in _EPOCH_UNITS):
            return
        self.lines.append(f"{value:x}" if type(value) is int and abs(value) >= 2**64 else f"{value!r}")

    def _add_text(self, text: str, name: str) -> None:
        text = text[:_MAX_TEXT]
        if is_unit_name(name):
            self.lines.append(f"{name}={text}")
        if _DIGIT.search(text) is None:
            if name and not is_unit_name(name) and is_flag(text, name):
                self.flags.append(text)
            return
        rows = rows_in(text)
        if rows is not None:  # Else the commas of CSV join its cells.
            self._add_container(rows, name, 0)
            return
        if text[0] in "{[":
            found = compiled(_JSON_FLAGS).findall(text)
            self.flags.extend(word or flag for name, word, flag in found if word or is_flag(flag, name))
        if ":" not in text and _FIGURE_START.search("\0" + text) is None:
            return
        for stamp, figure in compiled(_FIGURES).findall(text):
            if stamp:
                if not self._is_today(stamp):
                    self.lines.append(stamp)
            elif figure and not self._is_epoch(figure):
                self.lines.append(figure)

    def _is_epoch(self, figure: str) -> bool:
        if not figure.isdecimal() or not 10 <= len(figure) <= 19:
            return False
        return any(abs(int(figure) / unit - self._now) <= _DAY for unit in _EPOCH_UNITS)

    def _is_today(self, day: str) -> bool:
        try:
            return abs((datetime.date.fromisoformat(day) - self._today).days) <= 1
        except ValueError:
            return False

    def _add_other(self, value: Any, name: str, depth: int) -> None:
        if issubclass(type(value), Enum):
            return
        if issubclass(type(value), datetime.datetime):
            if not self._is_today(value.date().isoformat()):
                self.lines.append(value.date().isoformat())
        elif issubclass(type(value), datetime.date):
            self.lines.append(value.isoformat())
        elif issubclass(type(value), Decimal):
            self.lines.append(str(value))
        elif issubclass(type(value), bytes | bytearray):
            self._add_text(bytes(value[:_MAX_TEXT]).decode("utf-8", "replace"), name)
        elif issubclass(type(value), Attributes):
            for own, child in value.items():
                self.add(child, own, depth + 1)
        elif issubclass(type(value), set | frozenset):
            self._add_container(sorted(value, key=str), name, depth)
        else:
            self._add_unknown(value, name, depth)

    def _add_unknown(self, value: Any, name: str, depth: int) -> None:
        fields = value if issubclass(type(value), Fields) else fields_of(value)
        if fields is not None:
            for own, child in zip(fields.names, fields.values, strict=True):
                self.add(child, own, depth + 1)
            return
        inner = opened(value)
        if type(inner) in SCALARS or (inner is not value and type(inner) in (dict, list, tuple)):
            self.add(inner, name, depth + 1)
        elif issubclass(type(inner), dict):
            self._add_container(dict(inner), name, depth)
        elif not codec.is_immutable(inner):
            copied = plain_copy(inner)
            if copied is not None and type(copied) is not type(value):
                self.add(copied, name, depth + 1)


def _flags_of(column: Sequence[Any], name: str, kinds: set[type]) -> list[str]:
    """Return the flag of each value of a column, or an empty text.

    Without any flag, the list is empty.
    """
    if kinds.isdisjoint(_FLAG_KINDS):
        return []
    texts = set(column) if kinds == _STR else {value for value in column if type(value) is str}
    if is_unit_name(name) or not (says_state(name) or may_say_yes(texts)):
        texts = set()
    known: dict[Any, str] = {text: text for text in texts if _DIGIT.search(text) is None and is_flag(text, name)}
    if bool in kinds:
        known.update({True: "True", False: "False"})
    if not known:
        return []
    return [known.get(value, "") if type(value) in _FLAG_KINDS else "" for value in column]


def _may_hold_more(column: Sequence[Any], kinds: set[type]) -> bool:
    """Return whether one of the texts of a column may be a table or JSON."""
    joined = "".join(column if len(kinds) == 1 else [value for value in column if type(value) is str])
    return any(mark in joined for mark in ("\n", "<tr", "{", "["))


def _are_records(value: dict[Any, Any]) -> bool:
    """Return whether a dict holds records by their keys.

    One of them may be chosen for its place, so their order counts.
    """
    children = iter(value.values())
    first: Any = next(children, None)
    kind = type(first)
    if len(value) < 2 or kind in _ROW_SCALARS or kind in (list, tuple, set, frozenset):
        return False
    if kind is dict:
        return all(type(child) is dict and child.keys() == first.keys() for child in children)
    return all(type(child) is kind for child in children)


def _sorted_keys(value: dict[Any, Any]) -> list[Any]:
    try:
        return sorted(value)
    except TypeError:
        return sorted(value, key=str)
