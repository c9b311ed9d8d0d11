"""Quick reading of an argument that has one plain source (L5)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Protocol

from ...model.flow import OUTPUT, Get, Name, Source
from .sources import Arguments, agreed

_KINDS: dict[str, type] = {"str": str, "int": int, "float": float}


class Values(Protocol):
    """The values of a run: the outputs of its steps, and its params."""

    results: list[Any]
    params: Mapping[str, Any]


Reader = Callable[[Any], Any]
"""Returns the value of an argument from the values of a run."""


def reader_of(get: Get, arguments_of: Callable[[Any], Arguments]) -> Reader:
    """Return a function that reads the value in which the sources agree.

    It raises Unclear as `agreed` does. `arguments_of` returns what reads the executed arguments of a run.
    """

    def read(values: Values) -> Any:
        return agreed(get, values.results, arguments_of(values), values.params)

    if len(get.sources) == 1 and _is_plain(get.sources[0]) and get.kinds and set(get.kinds) <= _KINDS.keys():
        return _plain_reader(get, get.sources[0], read)
    return read


def _is_plain(source: Source) -> bool:
    return source.origin == OUTPUT and not source.convert and all(type(item) is Name for item in source.path)


def _plain_reader(get: Get, source: Source, otherwise: Reader) -> Reader:
    step = source.step
    names = [item.name for item in source.path if type(item) is Name]
    kinds = frozenset([_KINDS[name] for name in get.kinds])

    def read_plain(values: Values) -> Any:
        results = values.results
        value = results[step] if step < len(results) else None
        for name in names:
            if type(value) is not dict or name not in value:
                return otherwise(values)
            value = value[name]
        if type(value) in kinds and value != "":
            return value
        return otherwise(values)

    return read_plain
