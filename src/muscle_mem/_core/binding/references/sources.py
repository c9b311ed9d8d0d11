"""Reading the sources of an argument in a run (L3, L5).

Nothing is searched here: a source says where its value is. Objects are read as `outputs.paths` reads them: no code of a
user runs.
"""

from __future__ import annotations

import datetime
import math
import re
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from enum import Enum
from typing import Any

import msgspec

from ....errors import NotStorableError
from ... import codec
from ...model.flow import (
    ARGUMENT,
    OUTPUT,
    PARAM,
    Between,
    Element,
    Extreme,
    Get,
    Name,
    NthKey,
    Only,
    Parsed,
    PathItem,
    Slot,
    Source,
    Unclear,
    may_act,
)
from ...model.text import safe_repr
from ..outputs.elements import MISSING, column_of, part
from ..outputs.paths import SCALARS, opened, parsed_json, text_of_json
from ..texts.conversions import CONVERT
from .source_text import source_text

__all__ = [
    "CONVERT",
    "MAX_BETWEEN",
    "AbsentError",
    "Traced",
    "Unclear",
    "agreed",
    "kind_of",
    "read",
    "source_digest",
    "source_text",
]

MAX_BETWEEN = 200
"""Characters of a value that is read between words."""

_MAX_ELEMENTS = 10_000
_NUMBERS = frozenset({int, float, Decimal})
_DAYS = frozenset({datetime.date, datetime.datetime})
_ISO = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}(?:[T ][0-9:.]{5,15}(?:Z|[+-][0-9:]{4,5})?)?")
_FIGURE = re.compile(r"[^\d.,-]{0,4}(-?[0-9]{1,15}(?:\.[0-9]{1,9})?)[^\d.,]{0,4}")
_PARTS = SCALARS | {list, tuple, set, frozenset}
Arguments = Callable[[int, str], Any]


class Traced:
    """A param of a recording, of which only a digest is known."""

    __slots__ = ("digest", "digest_of")

    def __init__(self, digest: bytes, digest_of: Callable[[Any], bytes]) -> None:
        self.digest = digest
        self.digest_of = digest_of

    def is_equal(self, value: Any) -> bool:
        """Return whether the param had this value."""
        try:
            return self.digest_of(value) == self.digest
        except NotStorableError:
            return False


class AbsentError(LookupError):
    """A key, field or attribute on the way to a value is not there."""


def read(source: Source, results: Sequence[Any], arguments: Arguments, params: Mapping[str, Any]) -> Any:
    """Return the value that a source has in a run, converted.

    Args:
        source: The source.
        results: The live outputs of the steps, in order.
        arguments: Returns the argument of an executed step, by the step and its name.
        params: The params of the run.

    Raises:
        LookupError: If the value is not there, is ambiguous, is not a leaf, or cannot be converted.
    """
    if source.origin == OUTPUT:
        if not 0 <= source.step < len(results):
            raise LookupError("the step has no output")
        value = results[source.step]
    elif source.origin == ARGUMENT:
        value = arguments(source.step, source.name)
    elif source.origin == PARAM:
        value = params[source.name]
    else:
        raise LookupError(f"the origin {source.origin!r} is unknown")
    try:
        for at, item in enumerate(source.path):
            if isinstance(item, Extreme) and leads_to(source.path[at + 1 :], item.field):
                value = _extreme(_elements(opened(value)), item, of_ties=True)
            else:
                value = follow(value, item, results, arguments, params)
        return _converted(value, source.convert)
    except LookupError:
        raise
    except Exception as error:  # The value's own methods raise, so nothing can be read in it.
        raise LookupError("the value cannot be read") from error


def _converted(value: Any, convert: str) -> Any:
    if type(value) not in SCALARS:
        value = opened(value)
        if type(value) is Traced and not convert:
            return value
        if codec.unfold(value) is not None or not codec.is_immutable(value):
            raise LookupError("the value is not a leaf")
    if not convert:
        return value
    function = CONVERT.get(convert)
    if function is None:
        raise LookupError(f"the conversion {convert!r} is unknown")
    try:
        return function(value)
    except ValueError as error:
        raise LookupError(str(error)) from None


def follow(value: Any, item: PathItem, results: Sequence[Any], arguments: Arguments, params: Mapping[str, Any]) -> Any:
    """Return what one item of a path leads to."""
    if isinstance(item, Name):
        return _named(value, item.name)
    value = opened(value)
    if isinstance(item, Element):
        return _element(_elements(value), item.index)
    if isinstance(item, Slot):
        if type(value) is not tuple or is_column(value) or not 0 <= item.index < len(value):
            raise LookupError("the value is not a tuple with this position")
        return value[item.index]
    if isinstance(item, Parsed):
        found = parsed_json(text_of_json(value))
        if found is None:
            raise LookupError("the text is not JSON")
        return found
    if isinstance(item, Only):
        return _only(_elements(value), item, read(item.equals, results, arguments, params))
    if isinstance(item, Extreme):
        return _extreme(_elements(value), item)
    if isinstance(item, NthKey):
        return _nth_key(value, item.index)
    return _between(value, item)


def _named(value: Any, name: str) -> Any:
    if type(value) is dict:
        found = value.get(name, MISSING)
    elif type(value) is codec.Record:
        fields = codec.fields_of(value) or {}
        found = fields.get(name, MISSING)
    else:
        found = part(value, (name,))
    if found is MISSING:
        raise AbsentError(f"there is no {name!r}")
    return found


def is_column(value: Sequence[Any]) -> bool:
    """Return whether a tuple holds records of one kind, as a list does.

    The positions of any other tuple have fixed meanings.
    """
    kinds = {type(item) for item in value}
    return len(kinds) == 1 and kinds.isdisjoint(_PARTS)


def _elements(value: Any) -> Sequence[Any]:
    """Return the elements of a list, without code of its class."""
    kind = type(value)
    if kind is list or (kind is tuple and is_column(value)):
        found: Sequence[Any] = value
    elif issubclass(kind, list):
        found = list(list.__iter__(value))
    elif kind is deque:
        found = list(value)
    else:
        raise LookupError("the value is not a list")
    if len(found) > _MAX_ELEMENTS:
        raise LookupError("the list is too long")
    return found


def _element(elements: Sequence[Any], index: int) -> Any:
    if not -len(elements) <= index < len(elements):
        raise LookupError("the list is too short")
    return elements[index]


def _only(elements: Sequence[Any], item: Only, wanted: Any) -> Any:
    column = column_of(plain_elements(elements), item.field)
    kind = type(wanted)
    if kind in SCALARS:
        found = [at for at, value in enumerate(column) if type(value) is kind and value == wanted]
    else:
        found = [at for at, value in enumerate(column) if is_equal(value, wanted)]
    if len(found) != 1:
        raise LookupError(f"{len(found)} elements have this value in {item.field!r}")
    return elements[found[0]]


def is_equal(value: Any, wanted: Any) -> bool:
    """Return whether a field has a value, types included."""
    if type(wanted) is Traced:
        return type(value) in SCALARS and wanted.is_equal(value)
    if type(value) is not type(wanted):
        return False
    if type(value) in SCALARS:
        return bool(value == wanted)
    try:
        return codec.canonical(value) == codec.canonical(wanted)
    except NotStorableError:
        return False


def plain_elements(elements: Sequence[Any]) -> Sequence[Any]:
    """Return elements with the fields of those of an unknown class."""
    if not any(type(element) is codec.Record for element in elements):
        return elements
    return [codec.fields_of(one) if type(one) is codec.Record else one for one in elements]


def leads_to(path: Sequence[PathItem], field: Sequence[str | int]) -> bool:
    """Return whether the rest of a path leads to the field of a choice.

    That has the same value in all elements that are equal there.
    """
    return [item.name if isinstance(item, Name) else None for item in path] == list(field)


def _extreme(elements: Sequence[Any], item: Extreme, *, of_ties: bool = False) -> Any:
    ranks = field_ranks(plain_elements(elements), item.field)
    if not ranks:
        raise LookupError("the elements have no order")
    best = max(ranks) if item.is_largest else min(ranks)
    if ranks.count(best) != 1 and not of_ties:
        raise LookupError("several elements are equal in this field")
    return elements[ranks.index(best)]


def field_ranks(elements: Sequence[Any], field: Sequence[str | int]) -> list[Any] | None:
    """Return what orders elements by a field; None if it cannot be ordered.

    Numbers, dates and texts that are a number with at most a unit can.
    """
    column = column_of(elements, tuple(field))
    kinds = set(map(type, column))
    if kinds <= _NUMBERS:
        return column if all(map(is_finite, column)) else None
    if kinds != {str}:
        has_zone = {getattr(value, "tzinfo", None) is None for value in column}
        return column if len(kinds) == 1 and kinds <= _DAYS and len(has_zone) == 1 else None
    if all(map(_ISO.fullmatch, column)):
        return column
    matches = [_FIGURE.fullmatch(text) for text in column]
    return None if None in matches else [float(match[1]) for match in matches if match]


def is_finite(value: float | Decimal) -> bool:
    """Return whether a number is neither NaN nor infinite."""
    return value.is_finite() if type(value) is Decimal else math.isfinite(value)


def _nth_key(value: Any, index: int) -> Any:
    if not issubclass(type(value), dict):
        raise LookupError("the value is not a dict")
    keys = list(dict.keys(value))
    if not -len(keys) <= index < len(keys):
        raise LookupError("the dict is too short")
    return keys[index]


def _between(value: Any, item: Between) -> str:
    """Return the only text between two words.

    The words before it stand in the text once, and the value ends at the first occurrence of those after it.
    """
    if type(value) is not str:
        raise LookupError("the value is not a text")
    start = 0
    if item.before:
        start = value.find(item.before)
        if start < 0 or value.find(item.before, start + 1) >= 0:
            raise LookupError(f"{item.before!r} is not in the text exactly once")
        start += len(item.before)
    end = value.find(item.after, start) if item.after else len(value)
    if end < 0:
        raise LookupError(f"{item.after!r} does not follow in the text")
    found = value[start:end]
    if not found or len(found) > MAX_BETWEEN or "\n" in found:
        raise LookupError("there is no short text in one line between the words")
    return found


def kind_of(value: Any, sources: Sequence[Source]) -> str:
    """Return the name of a value's type.

    The text of a number has another name if the number has a fraction, which an agent may round.
    """
    if type(value) is str and "." in value and any(source.convert == "text" for source in sources):
        return "text of a fraction"
    return type(value).__name__


def agreed(
    get: Get,
    results: Sequence[Any],
    arguments: Arguments,
    params: Mapping[str, Any],
    *,
    kind: type | None = None,
) -> Any:
    """Return the value in which all sources of an argument agree.

    All sources that can be read must have equal canonical bytes, and one that may act must be among them. A bool, None,
    an enum member and an empty text are never inferred. If an element
    is not found by its field, its position in a list does not act in its place.

    Args:
        get: The sources.
        results: The live outputs of the steps, in order.
        arguments: Returns the argument of an executed step, by the step and its name.
        params: The params of the run.
        kind: The type of the recorded leaf, if the value must have it.

    Raises:
        Unclear: If the sources do not agree, or none that may act can be read.
    """
    found: list[tuple[Source, Any]] = []
    data: set[bytes] = set()
    acting: list[Source] = []
    is_selected = True
    for source in get.sources:
        try:
            value = read(source, results, arguments, params)
            data.add(codec.canonical(value))
        except (LookupError, NotStorableError):
            found.append((source, MISSING))
            is_selected = is_selected and not _has(source, Only)
            continue
        found.append((source, value))
        if may_act(source):
            acting.append(source)
    value = next((value for _, value in found if value is not MISSING), MISSING)
    acts = bool(acting) and (is_selected or not all(_has(source, Element) for source in acting))
    is_of_kind = (kind is None or type(value) is kind) and (not get.kinds or kind_of(value, get.sources) in get.kinds)
    if len(data) != 1 or not acts or not is_telling(value) or not is_of_kind:
        raise Unclear([(source, "not found" if vote is MISSING else safe_repr(vote)) for source, vote in found])
    return value


def is_telling(value: Any) -> bool:
    """Return whether a value may be inferred at all (L6).

    A bool, None, an enum member and an empty text may not.
    """
    return value is not None and value != "" and not issubclass(type(value), bool | Enum)


def _has(source: Source, kind: type) -> bool:
    return any(type(item) is kind for item in source.path)


def source_digest(source: Source) -> bytes:
    """Return the 16 bytes by which evidence names a source in every process."""
    return codec.digest(msgspec.msgpack.encode(source))[:16]
