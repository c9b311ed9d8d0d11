"""Calls that were repeated as often as a list is long (E6).

Nothing of the list's elements stands in such calls, so their number says that they depend on it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from .. import codec
from ..model.records import Guard, StepRecord
from .elements import elements_of
from .output_index import OutputIndex

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
