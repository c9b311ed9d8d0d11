"""The values that a task's arguments count as in its key (A1b)."""

from __future__ import annotations

from typing import Any

from ...errors import MuscleMemError
from .. import codec
from ..codec.walk import SCALARS
from .freeze import KnownObjects
from .param_values import plain_text


def task_value(value: Any, known: KnownObjects, depth: int = 0) -> Any:
    """Return an argument with plain texts, and models without private attributes.

    Instances of subclasses of str become plain texts. Objects that the run knows by identity stay as they are. A part
    that is not changed is the same object.
    """
    if type(value) in SCALARS or depth > codec.MAX_DEPTH or (known and known.find(value) is not None):
        return value
    if issubclass(type(value), str):
        return plain_text(value)
    if type(value) in (list, tuple) and SCALARS.issuperset(map(type, value)):
        return value
    try:
        unfolded = codec.unfold(value)
        if unfolded is None:
            return value
        kind, children = codec.without_private(*unfolded)
        parts = tuple(task_value(child, known, depth + 1) for child in children)
        if kind == unfolded[0] and all(new is old for new, old in zip(parts, children, strict=True)):
            return value
        return codec.fold(kind, parts)
    except MuscleMemError:  # Such a value has no canonical form, which the key reports.
        return value
