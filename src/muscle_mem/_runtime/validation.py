"""Validators of what callers give an engine, and the label of a task."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any, TypeVar

from .._core.model.text import safe_repr
from ..errors import InvalidTypeError, InvalidValueError

T = TypeVar("T")

MODE_NAME = "MUSCLE_MEM_MODE"
ENVIRON = os.environ if type(getattr(os.environ, "_data", None)) is dict else None
MODE_KEY: Any = MODE_NAME if ENVIRON is None else ENVIRON.encodekey(MODE_NAME)
"""The key of the mode in the dictionary below os.environ, which is read first.

Every call reads the mode, and most programs set none. For that, os.environ raises and catches twice, which takes longer
than a replayed step.
"""


def ensure_callable(option: str, value: T) -> T:
    """Return a function, or None. Raises InvalidTypeError for other values."""
    if value is not None and not callable(value):
        raise InvalidTypeError(f"invalid {option}=: expected a callable, got {value!r}. Pass a function.")
    return value


def environment_mode() -> str:
    """Return the current value of MUSCLE_MEM_MODE; empty if it is not set."""
    return os.environ.get(MODE_NAME, "").strip().lower()


def distinct_objects(objects: tuple[Any, ...]) -> tuple[Any, ...]:
    """Return context objects of distinct classes. Raises InvalidValueError."""
    for index, value in enumerate(objects):
        if any(type(value) is type(other) and value is not other for other in objects[:index]):
            raise InvalidValueError(
                f"invalid context objects: expected one of class {type(value).__qualname__!r}, got two. "
                "Pass the one that the method tools act on."
            )
    return objects


def task_label(args: tuple[Any, ...], kwargs: Mapping[str, Any], key: str | None) -> str:
    """Return a readable label of a task, of any length."""
    if key is not None:
        return key
    if len(args) == 1 and not kwargs and issubclass(type(args[0]), str):
        text: str = args[0]
        return text
    parts = [safe_repr(value, 80) for value in args] + [
        f"{name}={safe_repr(value, 80)}" for name, value in kwargs.items()
    ]
    return ", ".join(parts)
