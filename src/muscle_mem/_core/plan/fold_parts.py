"""What the derivation of loops asks of ways, calls and elements (L11)."""

from __future__ import annotations

from typing import Any

from ..binding.references.for_each import is_made_of, value_in
from ..model.flow import Element, Extreme, Name, NthKey, Only, Source
from ..model.records import Node, Ref


def is_settled_way(source: Source) -> bool:
    """Return whether a way leads through no list but a tool's only content."""
    for at, item in enumerate(source.path):
        if isinstance(item, Only | NthKey | Extreme):
            return False
        if isinstance(item, Element):
            following = source.path[at + 1 : at + 2]
            if item.index != 0 or not following or following[0] != Name("text"):
                return False
    return True


def refs_in(record: Any) -> list[Ref]:
    """Return the references in the arguments of a call."""
    found: list[Ref] = []
    waiting = [expr for _, expr in record.arguments]
    while waiting:
        expr = waiting.pop()
        if isinstance(expr, Ref):
            found.append(expr)
        elif isinstance(expr, Node):
            waiting += expr.items
    return found


def can_be_tied(value: Any) -> bool:
    """Return whether a constant says something about the elements that have it."""
    return type(value) in (str, int, float) and value not in ("", 0)


def has_value(element: Any, way: Any, value: Any) -> bool:
    """Return whether an element has a value, at the end of a way."""
    try:
        return is_made_of(value, value_in(element, way))
    except LookupError:
        return False
