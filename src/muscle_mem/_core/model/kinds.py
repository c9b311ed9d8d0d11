"""Questions about a user's value that run none of its code.

`isinstance` reads `value.__class__`, which may be a property that raises. For a value of a user, the package asks for
the type itself instead: `issubclass(type(value), ...)`.
"""

from __future__ import annotations

import inspect
from types import GeneratorType
from typing import Any


def is_awaitable(value: Any) -> bool:
    """Return whether a value can be awaited, like `inspect.isawaitable`."""
    kind = type(value)
    if hasattr(kind, "__await__"):
        return True
    return kind is GeneratorType and bool(value.gi_code.co_flags & inspect.CO_ITERABLE_COROUTINE)
