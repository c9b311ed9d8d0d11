"""What callers give an engine, checked and made short for people."""

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
"""The environment is asked at every call, and mostly has no mode: os.environ raises and catches twice to find that out,
which takes longer than a replayed step. The dictionary below it is asked first, where there is one."""


def ensure_callable(option: str, value: T) -> T:
    """Return a function as it is. Raises InvalidTypeError for what cannot be called; None is not a function, and
    fine.
    """
    if value is not None and not callable(value):
        raise InvalidTypeError(f"{option} must be callable, got {value!r}")
    return value


def environment_mode() -> str:
    """What MUSCLE_MEM_MODE says at this moment; empty if nothing."""
    return os.environ.get(MODE_NAME, "").strip().lower()


def distinct_objects(objects: tuple[Any, ...]) -> tuple[Any, ...]:
    """Context objects, no two of one class. Raises InvalidValueError."""
    for index, value in enumerate(objects):
        if any(type(value) is type(other) and value is not other for other in objects[:index]):
            raise InvalidValueError(
                f"two context objects of class {type(value).__qualname__} were given, so which one a method tool acts "
                "on cannot be determined; give one"
            )
    return objects


def task_label(args: tuple[Any, ...], kwargs: Mapping[str, Any], key: str | None) -> str:
    """A task as a text for people, of any length."""
    if key is not None:
        return key
    if len(args) == 1 and not kwargs and isinstance(args[0], str):
        return args[0]
    parts = [safe_repr(value, 80) for value in args] + [
        f"{name}={safe_repr(value, 80)}" for name, value in kwargs.items()
    ]
    return ", ".join(parts)
