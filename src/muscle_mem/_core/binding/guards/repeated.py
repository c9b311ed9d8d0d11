"""Calls that were repeated as often as a list has elements, or has some (E6).

Some are those with a flag.

Nothing of the list's elements stands in such calls, so their number says that they depend on it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import msgspec

from ... import codec
from ...model.records import Guard, StepRecord
from ..outputs.elements import COLUMN, MAX_ELEMENTS, elements_of, rows_of_columns, scalar_fields
from ..outputs.index import OutputIndex
from ..texts.field_names import is_flag

_MAX_LISTS = 8


def repeated_for(
    records: Sequence[StepRecord], index: OutputIndex, ended: Mapping[int, frozenset[int]]
) -> Iterator[tuple[int, Guard]]:
    """Yield the guards of the lists that are as long as a row of equal calls.

    The pages of a list count together.
    """
    runs = [run for run in _runs(records) if run[0] in ended]
    if not runs:
        return
    pages = _pages(records, index)
    for first, count in runs:
        found = 0
        for lists in pages:
            before = [guard for guard in lists if guard.step in ended[first]]
            lengths = [codec.decode(guard.data) for guard in before]
            fitting = (
                before if sum(lengths) == count else [g for g, n in zip(before, lengths, strict=True) if n == count]
            )
            for guard in fitting if found < _MAX_LISTS else ():
                found += 1
                yield first, guard
        for guard in _counts(records, index, ended[first], count) if not found else ():
            yield first, guard


def _counts(records: Sequence[StepRecord], index: OutputIndex, ended: frozenset[int], count: int) -> Iterator[Guard]:
    """Yield the guards of the lists in which so many elements have the same flag.

    The pages of a list count together.
    """
    pages: dict[tuple[object, ...], list[tuple[Guard, Counter[tuple[Any, ...]]]]] = {}
    for (above, slot), (node, value) in zip(index.links, enumerate(index.nodes), strict=True):
        if type(value) not in (list, dict) or above < 0 or index.step_of(node) not in ended or index.hides_names(node):
            continue
        rows: Sequence[Any] = value if type(value) is list else rows_of_columns(value)
        kind = "count" if type(value) is list else COLUMN + "count"
        if 1 < len(rows) <= MAX_ELEMENTS:
            path, keys = index.path(above, slot)
            step = index.step_of(node)
            flags = Counter(flag for row in rows for flag in _flags_of(row))
            lists = pages.setdefault((records[step].tool, path, kind), [])
            lists.append((Guard(step, path, b"", keys, (), kind), flags))
    found = 0
    for lists in pages.values():
        together = sum((flags for _, flags in lists), Counter[tuple[Any, ...]]())
        for flag in [flag for flag, number in together.items() if number == count][:_MAX_LISTS]:
            for guard, flags in lists if found < _MAX_LISTS else ():
                found += 1
                data = codec.canonical([list(flag[0]), flag[1], flags[flag]])
                yield msgspec.structs.replace(guard, data=data)


def _flags_of(row: Any) -> Iterator[tuple[Any, ...]]:
    for field, value in scalar_fields(row):
        if type(value) is bool or (type(value) is str and field and is_flag(value, str(field[-1]))):
            yield field, value


def _runs(records: Sequence[StepRecord]) -> Iterator[tuple[int, int]]:
    """Yield the first step of each row of equal calls, and how many they are."""
    at = 0
    while at < len(records):
        end = at + 1
        while end < len(records) and _is_same_call(records[at], records[end]):
            end += 1
        if end - at > 1:
            yield at, end - at
        at = end


def _is_same_call(one: StepRecord, two: StepRecord) -> bool:
    return (one.tool, one.fingerprint, one.arguments) == (two.tool, two.fingerprint, two.arguments)


def _pages(records: Sequence[StepRecord], index: OutputIndex) -> list[list[Guard]]:
    """Return the lengths of the lists in outputs, grouped by tool and place."""
    found: dict[tuple[object, ...], list[Guard]] = {}
    for (above, slot), (node, value) in zip(index.links, enumerate(index.nodes), strict=True):
        if type(value) not in (list, dict) or above < 0:
            continue
        length = len(elements_of(value) or ())
        if length and (type(value) is list or all(isinstance(child, dict | list) for child in value.values())):
            path, keys = index.path(above, slot)
            step = index.step_of(node)
            guard = Guard(step, path, codec.canonical(length), keys, (), "length")
            found.setdefault((records[step].tool, path, keys), []).append(guard)
    return list(found.values())
