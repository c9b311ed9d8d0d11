"""The state of a list: whether it is whole or one page of more (E6).

The scalars beside and above a list say so.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from ..texts.field_names import says_more, says_total
from .elements import elements_of
from .paths import Attributes, Fields, attributes_of, fields_of, get_at, opened

ListState = list[list[Any]]
"""The names that said "more follows", those of numbers that equal the length, and the limits that were asked for."""

_MAX_LEVELS = 3


def neighbors_of(containers: Sequence[Any]) -> Iterator[tuple[str, Any]]:
    """Yield the named scalars beside and above a list.

    The containers above it are given with the innermost first.
    """
    for container in containers[:_MAX_LEVELS]:
        for name, value in _named_children(container):
            if type(name) is str and (value is None or issubclass(type(value), str | int | float)):
                yield name, value


def _named_children(container: Any) -> Iterator[tuple[Any, Any]]:
    container = opened(container)
    if issubclass(type(container), dict):
        yield from list(dict.items(container))
    elif issubclass(type(container), Fields):
        yield from zip(container.names, container.values, strict=True)
    elif (
        not issubclass(type(container), list | tuple | set | frozenset | str | bytes | int | float)
        and container is not None
    ):
        fields = None if issubclass(type(container), Attributes) else fields_of(container)
        yield from zip(fields.names, fields.values, strict=True) if fields else attributes_of(container)


def list_state(length: int, containers: Sequence[Any], limits: Sequence[int]) -> ListState:
    """Return what the neighbors of a list say of it now."""
    more: list[str] = []
    totals: list[str] = []
    for name, value in neighbors_of(containers):
        if says_more(name) and value and value != length:
            more.append(name)
        if says_total(name) and type(value) is int and value == length:
            totals.append(name)
    return [more, totals, [limit for limit in limits if limit != length]]


def cut_short(output: Any, path: Sequence[int], keys: Sequence[bytes], recorded: ListState) -> str | None:
    """Return why a list is one page of more now although it was whole when recorded.

    Return None if it is not.
    """
    found = elements_of(get_at(output, path, keys))
    if found is None:
        return "no list"
    above = [get_at(output, path[:level], keys[:level]) for level in range(len(path) - 1, -1, -1)]
    more, totals, limits = recorded
    for name, value in neighbors_of(above):
        if says_more(name) and value and value != len(found) and name not in more:
            return f"an incomplete list: {name} is {value!r}"
        if name in totals and type(value) is int and value != len(found):
            return f"a list of {len(found)}, where {name} is {value}"
    if len(found) in limits:
        return f"a list of {len(found)}, the limit of the call"
    return None
