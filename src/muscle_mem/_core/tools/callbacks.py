"""What a function of the user's is given: of what there is, what its signature names."""

from __future__ import annotations

import inspect
import weakref
from collections.abc import Callable, Mapping
from types import FunctionType
from typing import Any

_chosen: weakref.WeakKeyDictionary[Any, dict[tuple[str, ...], tuple[str, ...]]] = weakref.WeakKeyDictionary()
"""The names that functions were found to take: a signature takes longer to read than a short task to replay."""


def chosen_arguments(function: Any, given: Mapping[str, Callable[[], Any]], alone: str) -> tuple[Any, ...]:
    """Of `given`, those that the function names; else `alone` for a single parameter; else all, in their order.

    `given` makes each value when it is asked for.
    """
    names = (*given, alone)
    known = _chosen.get(function) if type(function) is FunctionType else None
    chosen = None if known is None else known.get(names)
    if chosen is None:
        chosen = _names(function, tuple(given), alone)
        if type(function) is FunctionType:
            _chosen.setdefault(function, {})[names] = chosen
    return tuple([given[name]() for name in chosen])


def _names(function: Any, given: tuple[str, ...], alone: str) -> tuple[str, ...]:
    try:
        parameters = list(inspect.signature(function).parameters.values())
    except (TypeError, ValueError):
        return (alone,)
    names = [p.name for p in parameters if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
    if names and all(name in given for name in names):
        return tuple(names)
    required = sum(p.default is p.empty for p in parameters if p.name in names)
    if required == 1 or (not required and len(names) == 1):
        return (alone,)
    if not names and not any(p.kind is p.VAR_POSITIONAL for p in parameters):
        return ()
    return given
