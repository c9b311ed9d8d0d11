"""Choice of the arguments for a user's function, by the names in its signature."""

from __future__ import annotations

import inspect
import weakref
from collections.abc import Callable, Mapping
from types import FunctionType
from typing import Any

_selections: weakref.WeakKeyDictionary[Any, dict[tuple[str, ...], tuple[str, ...]]] = weakref.WeakKeyDictionary()
"""The names that functions take. Reading a signature takes longer than replaying a short task."""


def select_arguments(function: Any, available: Mapping[str, Callable[[], Any]], fallback: str) -> tuple[Any, ...]:
    """Return the arguments for a call of `function`.

    They are those of `available` that its parameters name; or `fallback`, if it has a single other parameter; or all
    of them in order. `available` maps each name to a function that makes the value when it is needed.
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
