"""What a function of the user's is given: of what there is, what its signature names."""

from __future__ import annotations

import inspect
import weakref
from collections.abc import Callable, Mapping
from types import FunctionType
from typing import Any

_selections: weakref.WeakKeyDictionary[Any, dict[tuple[str, ...], tuple[str, ...]]] = weakref.WeakKeyDictionary()
"""The names that functions were found to take: a signature takes longer to read than a short task to replay."""


def select_arguments(function: Any, available: Mapping[str, Callable[[], Any]], fallback: str) -> tuple[Any, ...]:
    """Of `available`, those that the function names; else `fallback` for a single parameter; else all, in their order.

    `available` makes each value when it is asked for.
    """
    names = (*available, fallback)
    cached = _selections.get(function) if type(function) is FunctionType else None
    chosen = None if cached is None else cached.get(names)
    if chosen is None:
        chosen = _select_names(function, tuple(available), fallback)
        if type(function) is FunctionType:
            _selections.setdefault(function, {})[names] = chosen
    return tuple([available[name]() for name in chosen])


def _select_names(function: Any, available: tuple[str, ...], fallback: str) -> tuple[str, ...]:
    try:
        parameters = list(inspect.signature(function).parameters.values())
    except (TypeError, ValueError):
        return (fallback,)
    names = [p.name for p in parameters if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
    if names and all(name in available for name in names):
        return tuple(names)
    required = sum(p.default is p.empty for p in parameters if p.name in names)
    if required == 1 or (not required and len(names) == 1):
        return (fallback,)
    if not names and not any(p.kind is p.VAR_POSITIONAL for p in parameters):
        return ()
    return available
