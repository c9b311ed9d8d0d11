"""The check of guards in a replay (E6).

A guard holds if an output still says what it said when the step was recorded.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from typing import Any

from ... import codec
from ...model.records import Guard
from ...model.text import safe_repr
from ..outputs.elements import (
    COLUMN,
    ECHO,
    ECHOES,
    JOINED,
    MISSING,
    TIED,
    Field,
    chosen_by,
    elements_of,
    extreme,
    is_first_extreme,
    part,
    position_of,
    rows_of_columns,
)
from ..outputs.list_state import cut_short
from ..outputs.paths import get_at, key_digest, opened, text_of_json
from ..outputs.ties import KNOWN, unknown_row
from ..params.values import plain_text
from ..texts.figure_places import as_number, day_text, is_same_value, kind_of, units_in
from ..texts.leaf_texts import bytes_of, occurrences, text_of

_NO_PARAMS: Mapping[str, Any] = {}


def stale_value(
    guard: Guard, results: Sequence[Any] | Mapping[int, Any], params: Mapping[str, Any] = _NO_PARAMS
) -> str | None:
    """Return None if this run's output still fulfils a guard.

    Otherwise return a text for messages that describes what is there.
    """
    try:
        if guard.kind:
            return _JUDGES[guard.kind.removeprefix(COLUMN).removeprefix(JOINED)](guard, results[guard.step], params)
        value = get_at(results[guard.step], guard.path, guard.keys)
        if bytes_of(value) == guard.data:
            return None
        here, wanted = text_of(value), text_of(_decoded(guard.data))
        if guard.around and here is not None and wanted is not None and guard.around in set(occurrences(here, wanted)):
            return None
        return repr(value)
    except LookupError:
        return "no value at that path"
    except Exception as error:  # An unreadable output cannot confirm the value.
        return f"an unreadable output ({error})"


def value_at(guard: Guard, results: Sequence[Any]) -> Any:
    """Return what this run's output has at the guarded path.

    Return an object without an encoding if it has nothing there.
    """
    try:
        return get_at(results[guard.step], guard.path, guard.keys)
    except Exception:  # An unreadable output has nothing there either.
        return object()


@functools.lru_cache(maxsize=1024)
def _decoded(data: bytes) -> Any:
    """Return what a guard holds. Do not change it."""
    return codec.decode(data, lenient=True)


def _figure(guard: Guard, output: Any, _: Mapping[str, Any]) -> str | None:
    value = get_at(output, guard.path, guard.keys)
    wanted = str(_decoded(guard.data))
    kind = kind_of(wanted)
    text = text_of_json(value)
    if text:
        return None if guard.around in units_in(text, kind, wanted) else repr(value)
    if kind == "date":
        return None if is_same_value(kind, wanted, (day_text(value),)) else repr(value)
    is_number = not issubclass(type(value), bool) and hasattr(value, "__float__")
    return None if is_number and as_number(wanted) == value else repr(value)


def _siblings(guard: Guard, output: Any) -> tuple[list[Any], int]:
    """Return the elements of the list that a guard's element is in, and its position.

    Raises LookupError.
    """
    if guard.kind.startswith(COLUMN):
        rows: list[Any] = rows_of_columns(get_at(output, guard.path[:-2], guard.keys[:-2]))
        if guard.path[-1] >= len(rows):
            raise LookupError(guard.path[-1])
        return rows, guard.path[-1]
    if guard.kind.startswith(JOINED):
        return _joined(guard, output)
    container = get_at(output, guard.path[:-1], guard.keys[:-1])
    found = elements_of(container)
    at = position_of(container, guard.path[-1], guard.keys[-1] if guard.keys else b"")
    if found is None or at >= len(found):
        raise LookupError(at)
    return found, at


def _joined(guard: Guard, output: Any) -> tuple[list[Any], int]:
    """Return the elements of all lists at the place of a guard's list.

    The position of its element follows. Raises LookupError.
    """
    lists: list[tuple[Any, bool]] = [(output, True)]
    for index, key in zip(guard.path[:-1], guard.keys[:-1] or (b"",) * (len(guard.path) - 1), strict=True):
        inner: list[tuple[Any, bool]] = []
        for value, is_own in lists:
            children = None if key else opened(value)
            if type(children) is list:
                inner += [(child, is_own and at == index) for at, child in enumerate(children)]
            else:
                inner.append((get_at(value, (index,), (key,)), is_own))
        lists = inner
    found: list[Any] = []
    place = -1
    for value, is_own in lists:
        elements = elements_of(value) or []
        if is_own and guard.path[-1] < len(elements):
            place = len(found) + guard.path[-1]
        found += elements
    if place < 0:
        raise LookupError(guard.path[-1])
    return found, place


def _record(guard: Guard, output: Any, _: Mapping[str, Any]) -> str | None:
    elements, at = _siblings(guard, output)
    seen = [part(elements[at], tuple(field)) for field, _ in _decoded(guard.data)]
    if any(value == text for value, (_, text) in zip(seen, _decoded(guard.data), strict=True)):
        return None
    return f"another record ({', '.join(safe_repr(value) for value in seen if value is not MISSING)})"


def _extreme(guard: Guard, output: Any, _: Mapping[str, Any]) -> str | None:
    elements, at = _siblings(guard, output)
    field = tuple(_decoded(guard.data))
    kind = guard.kind.removeprefix(COLUMN).removeprefix(JOINED)
    if len(elements) == 1 or extreme(elements, at, field) == kind:
        return None
    return f"a record that is not the only one with the {kind} {field_text(field)}"


def _first_extreme(guard: Guard, output: Any, _: Mapping[str, Any]) -> str | None:
    elements, at = _siblings(guard, output)
    field = tuple(_decoded(guard.data))
    kind = guard.kind.removeprefix(JOINED).removeprefix(COLUMN).removeprefix("first ")
    if is_first_extreme(elements, at, field, kind):
        return None
    return f"a record that is not the first one with the {kind} {field_text(field)}"


def _tied(guard: Guard, output: Any, _: Mapping[str, Any]) -> str | None:
    elements, at = _siblings(guard, output)
    wanted, names, value = _decoded(guard.data)
    chosen = chosen_by(elements, guard.kind.removeprefix(COLUMN).removeprefix(TIED), tuple(names), value)
    seen = MISSING if chosen is None else part(elements[chosen], tuple(wanted))
    own = part(elements[at], tuple(wanted))
    return None if chosen is None or _is_same(seen, own) else f"a record that is chosen now has {safe_repr(seen)}"


def _known(guard: Guard, output: Any, _: Mapping[str, Any]) -> str | None:
    text = unknown_row(*_siblings(guard, output), _decoded(guard.data))
    return f"an additional new record ({safe_repr(text)})" if text else None


def _place(guard: Guard, output: Any, _: Mapping[str, Any]) -> str | None:
    at = _siblings(guard, output)[1]
    return None if at == _decoded(guard.data) else f"a record at place {at}"


def _first(guard: Guard, output: Any, _: Mapping[str, Any]) -> str | None:
    elements, at = _siblings(guard, output)
    *names, value = _decoded(guard.data)
    field = tuple(names)
    seen = part(elements[at], field)
    if not _is_same(seen, value):
        return f"a record whose {field_text(field)} is {safe_repr(seen)}"
    if any(_is_same(part(element, field), value) for element in elements[:at]):
        return f"a record after another one whose {field_text(field)} is {safe_repr(value)}"
    return None


def _is_same(one: Any, two: Any) -> bool:
    return type(one) is type(two) and one == two


def _last(guard: Guard, output: Any, _: Mapping[str, Any]) -> str | None:
    elements, at = _siblings(guard, output)
    return None if at == len(elements) - 1 else f"element {at} of {len(elements)}"


def _length(guard: Guard, output: Any, _: Mapping[str, Any]) -> str | None:
    value = get_at(output, guard.path, guard.keys)
    found = elements_of(value)
    if found is None:
        return "no list"
    if isinstance(_decoded(guard.data), list):
        keys = [key_digest(key) for key in value] if issubclass(type(value), dict) else []
        return None if keys == _decoded(guard.data) else f"other keys: {safe_repr(list(value))}"
    return None if len(found) == _decoded(guard.data) else f"{len(found)} elements"


def _count(guard: Guard, output: Any, _: Mapping[str, Any]) -> str | None:
    value = get_at(output, guard.path, guard.keys)
    elements: Sequence[Any] | None = rows_of_columns(value) if guard.kind.startswith(COLUMN) else elements_of(value)
    if elements is None:
        return "no list"
    names, wanted, number = _decoded(guard.data)
    seen = sum(_is_same(part(element, tuple(names)), wanted) for element in elements)
    return None if seen == number else f"{seen} whose {field_text(tuple(names))} is {safe_repr(wanted)}"


def _whole(guard: Guard, output: Any, _: Mapping[str, Any]) -> str | None:
    return cut_short(output, guard.path, guard.keys, _decoded(guard.data))


def _output(guard: Guard, output: Any, params: Mapping[str, Any]) -> str | None:
    parts = _decoded(guard.data)
    made = "".join(str(params[text]) if index % 2 else text for index, text in enumerate(parts))
    value = get_at(output, guard.path, guard.keys)
    return None if type(value) is str and value == made else repr(value)


def _echo(guard: Guard, output: Any, params: Mapping[str, Any]) -> str | None:
    from .echoes import given_value, holds

    relation, name, path = _decoded(guard.data)
    value = get_at(output, guard.path, guard.keys)
    given = given_value(params, name, path) if path else plain_text(params[name])
    if type(value) is str and value == given:
        return None
    return None if holds(relation, value, given) else repr(value)


def _echoes(guard: Guard, output: Any, params: Mapping[str, Any]) -> str | None:
    from .echoes import given_value, holds

    relation, name, path, field = _decoded(guard.data)
    elements = elements_of(get_at(output, guard.path, guard.keys))
    given = given_value(params, name, path)
    if not elements:
        return "no list, or an empty one"
    found = (part(element, tuple(field)) for element in elements)
    return next((repr(value) for value in found if not holds(relation, value, given)), None)


def param_text(name: str, path: Sequence[str | int]) -> str:
    """Return a param, or a part of one, as people read it."""
    return safe_repr(name) + "".join(f"[{safe_repr(part)}]" for part in path)


def field_text(field: Field) -> str:
    """Return a field as people read it."""
    return ".".join(map(str, field)) or "value"


_JUDGES = {
    "figure": _figure,
    "record": _record,
    "least": _extreme,
    "most": _extreme,
    "first": _first,
    "first least": _first_extreme,
    "first most": _first_extreme,
    "tied least": _tied,
    "tied most": _tied,
    "tied first": _tied,
    "tied last": _tied,
    KNOWN: _known,
    "place": _place,
    "last": _last,
    "length": _length,
    "count": _count,
    "whole": _whole,
    "output": _output,
    ECHO: _echo,
    ECHOES: _echoes,
}


def _tied_value(reason: str, data: Sequence[Any]) -> str:
    name = field_text(tuple(data[1]))
    if reason == "first":
        return f"the value of the first whose {name} is {safe_repr(data[2])}"
    return "the value of the last element" if reason == "last" else f"the value of the one with the {reason} {name}"


def guard_value(guard: Guard) -> str:
    """Return what a guard asks of its place, as messages and listings say it."""
    try:
        value = _decoded(guard.data)
        kind = guard.kind.removeprefix(COLUMN).removeprefix(JOINED)
        if kind.startswith(TIED):
            return _tied_value(kind.removeprefix(TIED), value)
        if kind == KNOWN:
            return "a record among known ones"
        if kind in ("least", "most", "first least", "first most"):
            which = kind if " " in kind else f"only one with the {kind}"
            return f"the {which.replace('first ', 'first one with the ')} {field_text(tuple(value))}"
        if kind == "place":
            return f"the record at place {value}"
        if kind == "first":
            return f"the first whose {field_text(tuple(value[:-1]))} is {safe_repr(value[-1])}"
        if kind == "last":
            return "the last element"
        if kind == "record":
            return "the record of " + ", ".join(safe_repr(text) for _, text in value)
        if kind == "length":
            return f"{len(value) if isinstance(value, list) else value} elements"
        if kind == "count":
            return f"{value[2]} elements whose {field_text(tuple(value[0]))} is {safe_repr(value[1])}"
        if kind == "whole":
            return "a list that is not cut short"
        if kind == "output":
            return "the argument " + safe_repr("".join(f"{{{p}}}" if i % 2 else p for i, p in enumerate(value)))
        if kind in (ECHO, ECHOES):
            where = "" if kind == ECHO else f" as {field_text(tuple(value[3]))} of every element"
            return f"the value of param {param_text(value[1], value[2])}{where}"
        if kind == "figure":
            return " ".join(text for text in (*guard.around[:1], str(value), *guard.around[1:2]) if text)
        return safe_repr(value)
    except Exception:  # a guard of another version
        return "something this version does not know"
