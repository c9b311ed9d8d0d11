"""The values that a task's arguments count as in its key (A1b)."""

from __future__ import annotations

from typing import Any

from ....errors import MuscleMemError
from ... import codec
from ...codec.walk import SCALARS
from ..params.values import plain_text
from .freeze import KnownObjects


def task_value(value: Any, known: KnownObjects) -> Any:
    """Return an argument with plain texts, and models without private attributes.

    Instances of subclasses of str become plain texts. Objects that the run knows by identity stay as they are. A part
    that is not changed is the same object. Each part is visited once, though it may stand in several places, or contain
    itself.
    """
    return _visited(value, known, {}, 0)


def _visited(value: Any, known: KnownObjects, done: dict[int, tuple[Any, Any]], depth: int) -> Any:
    if type(value) in SCALARS or depth > codec.MAX_DEPTH or (known and known.find(value) is not None):
        return value
    if issubclass(type(value), str):
        return plain_text(value)
    if type(value) in (list, tuple) and SCALARS.issuperset(map(type, value)):
        return value
    if id(value) in done:
        return done[id(value)][1]
    done[id(value)] = value, value  # Until it is known; a value that contains itself has no canonical form anyway.
    try:
        unfolded = codec.unfold(value)
        if unfolded is None:
            return value
        kind, children = codec.without_private(*unfolded)
        parts = tuple([_visited(child, known, done, depth + 1) for child in children])
        if kind != unfolded[0] or any(new is not old for new, old in zip(parts, children, strict=True)):
            done[id(value)] = value, codec.fold(kind, parts)  # With the value, which keeps its id in use.
    except MuscleMemError:  # Such a value has no canonical form, which the key reports.
        return value
    return done[id(value)][1]
