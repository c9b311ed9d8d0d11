"""What a function of the user's is given: of what there is, what its signature names."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import Any


def chosen_arguments(function: Any, given: Mapping[str, Any], alone: str) -> tuple[Any, ...]:
    """Of `given`, those that the function names; else `alone` for a single parameter; else all, in their order."""
    try:
        parameters = list(inspect.signature(function).parameters.values())
    except (TypeError, ValueError):
        return (given[alone],)
    names = [p.name for p in parameters if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
    if names and all(name in given for name in names):
        return tuple(given[name] for name in names)
    required = sum(p.default is p.empty for p in parameters if p.name in names)
    if required == 1 or (not required and len(names) == 1):
        return (given[alone],)
    if not names and not any(p.kind is p.VAR_POSITIONAL for p in parameters):
        return ()
    return tuple(given.values())
