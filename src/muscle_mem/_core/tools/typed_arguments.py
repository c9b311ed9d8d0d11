"""Arguments of a model in the types that a function's annotations name (I11)."""

from __future__ import annotations

import types
import typing
from collections.abc import Callable
from typing import Any

import msgspec

from .tool import Tool

Arguments = tuple[tuple[Any, ...], dict[str, Any]]
Convert = Callable[[Any], Any]

JSON_TYPES = (str, int, float, bool, list, dict)
PLAIN = frozenset({Any, str, int, bool, bytes, type(None), object, list, dict})
"""Annotations that leave a JSON value as it is."""

PLAIN_ORIGINS = (list, dict, typing.Union, types.UnionType, typing.Literal)


def typed_arguments(tool: Tool, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Arguments:
    """Return arguments, which are JSON values, in the types of the tool's function.

    A value that does not fit stays as it is.
    """
    if tool.conversions is None:
        tool.conversions = _conversions_of(tool)
    found: dict[str, Convert] = tool.conversions
    if not found:
        return args, kwargs
    start = 1 if tool.method else 0
    names = tool.positional
    made = tuple(
        found[names[at]](value) if at < len(names) and names[at] in found else value
        for at, value in enumerate(args[start:])
    )
    named = {name: found[name](value) if name in found else value for name, value in kwargs.items()}
    return args[:start] + made, named


def has_types(tool: Tool) -> bool:
    """Return whether the function of a tool declares types that JSON does not have."""
    if tool.conversions is None:
        tool.conversions = _conversions_of(tool)
    return bool(tool.conversions)


def _conversions_of(tool: Tool) -> dict[str, Convert]:
    if tool.is_external:
        return {}
    try:
        hints = typing.get_type_hints(tool.fn)
    except Exception:  # A callable object, or an annotation that cannot be evaluated here.
        return {}
    named = set(tool.named_parameters)
    return {name: _conversion(hint) for name, hint in hints.items() if name in named and not _is_plain(hint)}


def _is_plain(hint: Any) -> bool:
    """Return whether an annotation leaves every JSON value as it is."""
    origin = typing.get_origin(hint)
    if origin is None:
        return isinstance(hint, typing.TypeVar) or _is_among_plain(hint)
    if origin is typing.Literal:
        return True
    return origin in PLAIN_ORIGINS and all(map(_is_plain, typing.get_args(hint)))


def _is_among_plain(hint: Any) -> bool:
    try:
        return hint in PLAIN
    except TypeError:  # It cannot be hashed.
        return False


def _conversion(hint: Any) -> Convert:
    def convert(value: Any) -> Any:
        if type(value) not in JSON_TYPES:
            return value
        try:
            return msgspec.convert(value, hint, dec_hook=_decode)
        except Exception:  # The framework or the function reports what does not fit.
            return value

    return convert


def _decode(kind: Any, value: Any) -> Any:
    """Return an object of a class such as a pydantic model."""
    validate = getattr(kind, "model_validate", None)
    if validate is None:
        raise NotImplementedError
    return validate(value)
