"""Tables and records written as text, opened as lists and dicts (E6).

So a step's value is guarded by its row and column, and the reasons for the choice of a row are seen. Read are CSV,
tables of Markdown and HTML, blocks of `name: value` lines, and lines of equal form. Anything else is a text.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Iterator, Sequence
from typing import Any

from ...model.pattern import compiled
from ..texts.field_names import YES_AND_NO

_MAX_ROWS = 1_000
_SHORT = 2_000  # characters of a text of which many are kept
_DELIMITERS = "\t;,"
_BREAKS = (" | ", "; ", "\t", " - ", " \u2013 ", " \u2014 ", ", ")
_RULE = r"[\s|:+=-]*-[\s|:+=-]*"
_LINE = r"\s{0,3}([^\W\d_][^:=\n|,;]{0,40}?)(?:: | = |:$)(.*)"
_MARK = r"\s*(?:\d{1,4}[.)]|[-*\u2022])\s+"
_PAIR = r"([^\W\d_][\w -]{0,30}?)\s*[:=]\s*(.*)"
_HEADER = r"[^\W\d]\w*(?:([,;\t])[^\W\d]\w*)(?:\1[^\W\d]\w*)+"
_TABLE_ROW = r"(?is)<tr\b[^>]*>(.*?)(?=</tr|<tr\b|</table|$)"
_CELL = r"(?is)<(t[dh])\b[^>]*>(.*?)(?=</t[dh]|<t[dh]\b|$)"
_TAG = r"<[^>]{0,400}>"
_DIGIT = re.compile(r"\d")

Rows = list[list[str]]


def table_of(text: str) -> list[Any] | None:
    """Return the rows of a text, or None if it is not a table.

    A row is a dict if its cells have names, else a list. Lines around the rows stand in a list behind them. A table
    with nothing but the names of its columns has no rows.
    """
    return _table_of_short(text) if len(text) <= _SHORT else _table_of_long(text)


def _read_table(text: str) -> list[Any] | None:
    if "<tr" in text:
        return _html_rows(text)
    lines = text.strip("\r\n").split("\n")
    if _is_bare_header(lines, text):
        return []
    if not 1 < len(lines) <= _MAX_ROWS:
        return None
    return _blocks(lines) or _delimited(text) or (_framed(lines) if "|" in text else None) or _listed(lines)


def _is_bare_header(lines: Sequence[str], text: str) -> bool:
    """Return whether a text is nothing but the header of a table in CSV or Markdown."""
    if len(lines) == 2:
        return "|" in lines[0] and "|" in lines[1] and compiled(_RULE).fullmatch(lines[1].strip()) is not None
    return len(lines) == 1 and text[-1] == "\n" and compiled(_HEADER).fullmatch(lines[0]) is not None


_table_of_short = functools.lru_cache(512)(_read_table)
_table_of_long = functools.lru_cache(16)(_read_table)


def _html_rows(text: str) -> list[Any] | None:
    found = [compiled(_CELL).findall(row) for row in compiled(_TABLE_ROW).findall(text)[:_MAX_ROWS]]
    rows = [[_plain(cell) for _, cell in cells] for cells in found if cells]
    if not rows:
        return None
    rest = _plain(compiled(_TABLE_ROW).sub("\n", text))
    named = all(kind.lower() == "th" for kind, _ in found[0]) or None
    if len(rows) == 1 and _is_header_alone(rows[0]):
        named = True
    return _with_rest(_records(rows, named=named), [rest] if rest else [])


def _plain(text: str) -> str:
    import html  # Imported where it is needed: most runs read no HTML.

    return " ".join(html.unescape(compiled(_TAG).sub(" ", text)).split())


def _blocks(lines: Sequence[str]) -> list[Any] | None:
    """Return a dict for each block of `name: value` lines."""
    found: list[Any] = []
    record: dict[str, Any] = {}
    for line in lines:
        if not line.strip():
            record = {}
            continue
        match = compiled(_LINE).fullmatch(line)
        if match is None or match[1] in record:
            return None
        if not record:
            found.append(record)
        record[match[1]] = match[2].strip()
    return found


def _delimited(text: str) -> list[Any] | None:
    """Return the rows of a text whose lines have the same number of cells."""
    lines = text.strip("\n").splitlines(keepends=True)
    for delimiter in _DELIMITERS:
        rows = _cells(lines, delimiter) if delimiter in text else []
        if len(rows) > 1:
            return _records([[cell.strip() for cell in row] for row in rows])
    return None


def _cells(lines: Sequence[str], delimiter: str) -> Rows:
    """Return the cells of lines; no rows at all if their numbers differ."""
    import csv

    rows: Rows = []
    try:
        for row in filter(None, csv.reader(lines, delimiter=delimiter)):
            if len(row) < 2 or len(row) != len(rows[0] if rows else row):
                return []
            rows.append(row)
    except csv.Error:
        return []
    return rows


def _framed(lines: Sequence[str]) -> list[Any] | None:
    """Return the rows of a table of Markdown, with what stands around it."""
    rows: Rows = []
    rest: list[str] = []
    named = False
    for line in lines:
        bare = line.strip()
        if len(rows) == 1 and compiled(_RULE).fullmatch(bare):
            named = True
        elif bare.count("|") > (bare[:1] == "|"):
            rows.append([cell.strip() for cell in bare.strip("|").split("|")])
        elif bare and not compiled(_RULE).fullmatch(bare):
            rest.append(bare)
    if len({len(row) for row in rows}) != 1 or (len(rows) < 2 and not named):
        return None
    return _with_rest(_records(rows, named=named or None), rest)


def _listed(lines: Sequence[str]) -> list[Any] | None:
    """Return the rows of lines of one form, and what stands around them."""
    bare = [line.strip() for line in lines if line.strip()]
    if not any(between in line for line in bare for between in _BREAKS):
        return None
    marks = [compiled(_MARK).match(line) for line in bare]
    is_marked = any(marks)
    chosen = [line[mark.end() :] for line, mark in zip(bare, marks, strict=True) if mark] if is_marked else bare
    rest = [line for line, mark in zip(bare, marks, strict=True) if is_marked and not mark]
    for between in _BREAKS:
        if between not in chosen[0] or (len(chosen) < 2 and not is_marked):
            continue
        rows = [line.split(between) for line in chosen]
        if len({len(row) for row in rows}) > 1:
            continue
        named = list(_named(rows))
        return _with_rest(named if len(named) == len(rows) else list(rows), rest)
    return None


def _named(rows: Rows) -> Iterator[dict[str, str]]:
    """Yield the rows whose cells are all `name = value`."""
    for row in rows:
        pairs = [compiled(_PAIR).fullmatch(cell.strip()) for cell in row]
        if all(pairs) and len({pair[1] for pair in pairs if pair}) == len(row):
            yield {pair[1]: pair[2] for pair in pairs if pair}


def _records(rows: Rows, *, named: bool | None = None) -> list[Any]:
    """Return rows as dicts if the first one holds the names of the columns."""
    header = rows[0]
    if named is None:
        named = len(rows) > 1 and _names_columns(header, rows[1:])
    if not named or len(set(header)) < len(header) or not all(len(row) == len(header) for row in rows):
        return list(rows)
    return [dict(zip(header, row, strict=True)) for row in rows[1:]]


def _may_be_header(cells: Sequence[str]) -> bool:
    return all(cells) and not any(_DIGIT.search(cell) for cell in cells)


def _is_header_alone(cells: Sequence[str]) -> bool:
    """Return whether the only row of a table has the names of columns.

    Two cells may be a name and its value.
    """
    is_set = 2 < len(set(cells)) == len(cells)
    return is_set and _may_be_header(cells) and YES_AND_NO.isdisjoint(cell.casefold() for cell in cells)


def _names_columns(header: Sequence[str], rows: Rows) -> bool:
    if not _may_be_header(header) or any(len(row) < len(header) for row in rows):
        return False
    return any(all(_DIGIT.search(row[at]) for row in rows) for at in range(len(header)))


def _with_rest(rows: list[Any], rest: list[str]) -> list[Any]:
    return [rows, rest] if rest else rows
