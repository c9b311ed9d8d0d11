"""Reasons for which the elements of other sources may have been chosen (L3, L8)."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Any

import msgspec

from ...model.flow import ARGUMENT, OUTPUT, Element, Extreme, Only, Source, may_act
from ..outputs.answers import is_name_of_data
from ..outputs.elements import column_of, scalar_fields
from ..references.recorded_runs import RecordedRun
from ..references.sources import field_ranks, follow, is_equal, leads_to, plain_elements

_MAX_LISTS = 4
_WORD = re.compile(r"[^\W\d_]{1,20}(?:[-_ ][^\W\d_]{1,20}){0,2}")
_MAX_ELEMENTS = 500


def extremes(sources: Sequence[Source], run: RecordedRun) -> list[Source]:
    """Return the sources that choose the elements of other sources by an extreme.

    They only vote. So a run in which the first element is no longer the cheapest one is unclear.
    """
    found: dict[Source, None] = {}
    seen: set[Any] = set()
    for source in sources:
        for at, item in enumerate(source.path):
            place = source.origin, source.step, source.path[:at]
            if source.origin == OUTPUT and isinstance(item, Element | Only) and place not in seen:
                seen.add(place)
                found.update(dict.fromkeys(_extremes(source, at, run)))
        if len(seen) >= _MAX_LISTS:
            break
    return list(found)


def _extremes(source: Source, at: int, run: RecordedRun) -> Iterator[Source]:
    elements, index = _choice(source, at, run)
    if not 2 <= len(elements) <= _MAX_ELEMENTS:
        return
    for field, _ in scalar_fields(elements[index]):
        ranks = field_ranks(elements, field)
        if ranks is None or (ranks.count(ranks[index]) > 1 and not leads_to(source.path[at + 1 :], field)):
            continue
        for is_largest, best in ((False, min(ranks)), (True, max(ranks))):
            if ranks[index] == best:
                path = (*source.path[:at], Extreme(field, is_largest), *source.path[at + 1 :])
                yield msgspec.structs.replace(source, path=path)


def may_be_filtered(sources: Sequence[Source], runs: Sequence[RecordedRun]) -> bool:
    """Return whether a word may be why the first or last element was chosen.

    The chosen elements have the same bool or word in all recordings, and another element has another one. A source that
    chooses by a field, or passes no list, rules that out; an earlier argument does not, since it was chosen, too.
    """
    acting = [source for source in sources if may_act(source) and source.origin != ARGUMENT]
    positions = [_position(source) for source in acting]
    if not acting or -1 in positions:
        return False
    return any(_shares_word(source, at, runs) for source, at in zip(acting, positions, strict=True))


def _position(source: Source) -> int:
    """Return where in its path a source takes the first or last element.

    It is -1 if the source does not, or if it also chooses by a field.
    """
    if source.origin != OUTPUT or any(isinstance(item, Only) for item in source.path):
        return -1
    return next((at for at, item in enumerate(source.path) if isinstance(item, Element)), -1)


def _shares_word(source: Source, at: int, runs: Sequence[RecordedRun]) -> bool:
    choices = [choice for run in runs if (choice := _choice(source, at, run))[0]]
    if not choices:
        return False
    first, index = choices[0]
    for field, word in scalar_fields(first[index]):
        if not _is_word(field, word):
            continue
        columns = [(column_of(elements, field), place) for elements, place in choices]
        if all(is_equal(column[place], word) for column, place in columns) and any(
            not is_equal(other, word) for column, _ in columns for other in column
        ):
            return True
    return False


def _is_word(field: Sequence[str | int], value: Any) -> bool:
    if type(value) is bool:
        return True
    name = field[-1] if field else ""
    return type(value) is str and bool(_WORD.fullmatch(value)) and not (type(name) is str and is_name_of_data(name))


def _choice(source: Source, at: int, run: RecordedRun) -> tuple[Sequence[Any], int]:
    """Return a list in a source's path, and which element is chosen there.

    The list is empty if it is not there.
    """
    outputs = run.parent.outputs
    value = outputs[source.step]
    try:
        for item in source.path[:at]:
            value = follow(value, item, outputs, run.argument, run.params)
        chosen = follow(value, source.path[at], outputs, run.argument, run.params)
        index = next(place for place, element in enumerate(value) if element is chosen)
        return plain_elements(list(value)), index
    except (LookupError, TypeError, StopIteration):
        return (), -1
