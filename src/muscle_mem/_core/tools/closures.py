"""Comparison of callables with one name and fingerprint but different objects."""

from __future__ import annotations

import enum
import functools
import inspect
import re
from collections.abc import Collection
from types import BuiltinFunctionType, FunctionType, MethodType
from typing import Any

from ...errors import NotStorableError
from .. import codec

MAX_WRAPPERS = 24
_COVERED_TYPES = (type(None), bool, int, float, complex, str, bytes, enum.Enum, re.Pattern, type)


def captures_state(fn: Any) -> bool:
    """Return whether a callable holds values covered only by type.

    Its fingerprint covers their type, but not their state. Such values are clients, pages and lists. Bound methods,
    partials and callable objects hold them, and functions in their closures and defaults.
    """
    if isinstance(fn, FunctionType):
        return not all(map(_covered_by_fingerprint, _cells(fn) + _defaults(fn)))
    if isinstance(fn, MethodType | BuiltinFunctionType):
        return not (fn.__self__ is None or inspect.ismodule(fn.__self__) or inspect.isclass(fn.__self__))
    return not inspect.isroutine(fn) and type(fn).__name__ != "_lru_cache_wrapper"


def leads_to(fn: Any, targets: Collection[Any]) -> bool:
    """Return whether `fn` wraps one of `targets`, or is one.

    Functions with `__wrapped__`, partials and bound methods are followed.
    """
    for _ in range(MAX_WRAPPERS):
        if any(fn is target for target in targets):
            return True
        try:
            inner = getattr(fn, "__func__", None)
            if inner is None:
                inner = fn.func if isinstance(fn, functools.partial) else getattr(fn, "__wrapped__", None)
        except Exception:  # A proxy may raise on any access.
            return False
        if inner is None:
            return False
        fn = inner
    return False


def is_same_callable(a: Any, b: Any) -> bool:
    """Return whether two callables of one name and fingerprint do the same.

    They do if the same lines made both, and both hold the same objects.
    """
    if a is b:
        return True
    if isinstance(a, MethodType) and isinstance(b, MethodType):
        return a.__self__ is b.__self__ and a.__func__ is b.__func__
    if not isinstance(a, FunctionType) or not isinstance(b, FunctionType) or _in_class(a):
        return False
    pairs = [(_cells(a), _cells(b), False), (_defaults(a), _defaults(b), True)]
    return all(
        len(own) == len(other) and all(_is_same_content(x, y, by_value) for x, y in zip(own, other, strict=True))
        for own, other, by_value in pairs
    )


def _is_same_content(a: Any, b: Any, by_value: bool) -> bool:
    """Return whether two held objects are the same, or covered by the fingerprint.

    With `by_value`, equal plain data is the same too.
    """
    if a is b or (_covered_by_fingerprint(a) and _covered_by_fingerprint(b)):
        return True
    try:
        return by_value and codec.canonical(a) == codec.canonical(b)
    except NotStorableError:
        return False


def _covered_by_fingerprint(value: Any) -> bool:
    if type(value) in (tuple, frozenset):
        return all(map(_covered_by_fingerprint, value))
    if inspect.ismodule(value) or isinstance(value, _COVERED_TYPES):
        return True
    return inspect.isroutine(value) and not captures_state(value)


def _cells(fn: FunctionType) -> list[Any]:
    found = []
    for cell in fn.__closure__ or ():
        try:
            found.append(cell.cell_contents)
        except ValueError:  # The cell is still empty.
            pass
    return found


def _defaults(fn: FunctionType) -> list[Any]:
    return [*(fn.__defaults__ or ()), *(value for _, value in sorted((fn.__kwdefaults__ or {}).items()))]


def _in_class(fn: FunctionType) -> bool:
    return "." in fn.__qualname__.rpartition("<locals>.")[2]
