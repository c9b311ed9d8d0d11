"""Twins: callables of one name and fingerprint that may still do different things, since they hold an object."""

from __future__ import annotations

import enum
import inspect
import re
from types import BuiltinFunctionType, FunctionType, MethodType
from typing import Any

_TOLD = (type(None), bool, int, float, complex, str, bytes, enum.Enum, re.Pattern, type)


def holds_state(fn: Any) -> bool:
    """Whether a callable holds something that its fingerprint tells by type only: a client, a page, a list.

    So do bound methods, partials and callable objects, and functions with such a thing in their closure or defaults.
    """
    if isinstance(fn, FunctionType):
        held = [cell.cell_contents for cell in fn.__closure__ or () if _filled(cell)]
        held += [*(fn.__defaults__ or ()), *(fn.__kwdefaults__ or {}).values()]
        return not all(map(_told, held))
    if isinstance(fn, MethodType | BuiltinFunctionType):
        return not (fn.__self__ is None or inspect.ismodule(fn.__self__) or inspect.isclass(fn.__self__))
    return not inspect.isroutine(fn) and type(fn).__name__ != "_lru_cache_wrapper"


def is_same(a: Any, b: Any) -> bool:
    """Whether two callables are one, or the same method of the same object."""
    if isinstance(a, MethodType) and isinstance(b, MethodType):
        return a.__self__ is b.__self__ and a.__func__ is b.__func__
    return a is b


def _told(value: Any) -> bool:
    if type(value) in (tuple, frozenset):
        return all(map(_told, value))
    if inspect.ismodule(value) or isinstance(value, _TOLD):
        return True
    return inspect.isroutine(value) and not holds_state(value)


def _filled(cell: Any) -> bool:
    try:
        cell.cell_contents  # noqa: B018 - an empty cell raises
    except ValueError:
        return False
    return True
