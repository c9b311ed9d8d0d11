"""Copies of live values for readers, and traces that show changes.

A trace shows whether a value was changed.
"""

from __future__ import annotations

import copy
import inspect
import sys
from collections import deque
from collections.abc import Collection
from enum import Enum
from types import SimpleNamespace
from typing import Any, Final

import msgspec

from ...errors import NotStorableError
from . import canonical, digest
from .fold import is_immutable
from .walk import SCALARS

MAX_PARTS: Final = 200_000
_LIVE_MARKS: Final = ("__del__", "__enter__", "__aenter__", "__await__", "__next__", "__getattr__", "close")
"""Attributes of classes whose instances are handles of something outside of themselves."""


def copy_containers(value: Any) -> Any:
    """Return a copy with new builtin containers, and the same objects in them."""
    return _Copier(is_deep=False, live=()).copied(value)


def copy_for_onlooker(value: Any, live: Collection[Any] = ()) -> Any:
    """Return a copy that may be changed without an effect on `value`.

    Containers and objects that hold data are copied. Handles, such as connections and pages, and the objects in `live`
    stay the same objects.
    """
    return _Copier(is_deep=True, live=live).copied(value)


class _Copier:
    """One copy of a value, in which shared parts stay shared and cycles stay cycles."""

    def __init__(self, *, is_deep: bool, live: Collection[Any]) -> None:
        self.is_deep = is_deep
        self.memo: dict[int, Any] = {id(value): value for value in live}
        self.kept = [*live]  # Their ids are used as keys.

    def copied(self, value: Any) -> Any:
        """Return the copy of a value, or the value if it cannot change or be copied."""
        if id(value) in self.memo:
            return self.memo[id(value)]
        try:
            if is_immutable(value) or len(self.memo) > MAX_PARTS:
                return value
            made = self._made(value)
        except Exception:  # A value of the user's may raise anything, and recursion has its limit.
            made = value
        self.memo[id(value)] = made
        self.kept.append(value)
        return made

    def _made(self, value: Any) -> Any:
        kind = type(value)
        if kind is list:
            return self._filled([], value)
        if kind is dict:
            return self._filled({}, value)
        if kind is tuple:
            return tuple(map(self.copied, value))
        if kind is set or kind is bytearray:
            return kind(value)
        return self._instance(value, kind) if self.is_deep else value

    def _filled(self, made: Any, value: Any) -> Any:
        """Return a new container, filled; its parts may contain it."""
        self.memo[id(value)] = made
        self.kept.append(value)
        if isinstance(made, dict):
            for key, item in value.items():
                made[key] = self.copied(item)
        else:
            made.extend(map(self.copied, value))
        return made

    def _instance(self, value: Any, kind: type) -> Any:
        if issubclass(type(value), Enum | type | BaseException) or inspect.isroutine(value) or inspect.ismodule(value):
            return value
        if hasattr(kind, "__deepcopy__"):
            return copy.deepcopy(value, self.memo)
        if issubclass(type(value), tuple):
            return tuple.__new__(kind, map(self.copied, value))
        if issubclass(type(value), list | dict | deque):
            made = copy.copy(value)
            made.clear()
            return self._filled(made, value)
        if issubclass(type(value), msgspec.Struct):
            struct = self.memo[id(value)] = copy.copy(value)
            for name in value.__struct_fields__:
                msgspec.structs.force_setattr(struct, name, self.copied(getattr(value, name)))
            return struct
        return self._data_object(value, kind) if _holds_data(kind) else value

    def _data_object(self, value: Any, kind: type) -> Any:
        made = SimpleNamespace() if kind is SimpleNamespace else object.__new__(kind)
        self.memo[id(value)] = made
        self.kept.append(value)
        for name, item in getattr(value, "__dict__", {}).items():
            made.__dict__[name] = self.copied(item)
        for name in _slots(kind):
            if hasattr(value, name):
                object.__setattr__(made, name, self.copied(getattr(value, name)))
        return made


def _holds_data(kind: type) -> bool:
    """Return whether instances of a class consist of their attributes alone."""
    if kind is SimpleNamespace:
        return True
    if kind.__module__.partition(".")[0] in sys.stdlib_module_names or any(hasattr(kind, name) for name in _LIVE_MARKS):
        return False
    return all(
        getattr(kind, name) is getattr(object, name) for name in ("__reduce_ex__", "__reduce__", "__getattribute__")
    )


def _slots(kind: type) -> list[str]:
    found = [name for owner in kind.__mro__ for name, entry in vars(owner).items() if inspect.ismemberdescriptor(entry)]
    return [name for name in found if name != "__dict__"]


Trace = tuple[Any, ...]
"""What shows whether a value was changed: two traces of it are equal if it was not."""


def trace(value: Any) -> Trace | None:
    """Return a trace of a value, or None if there is none.

    A scalar and a value that is too large have none. Parts without a canonical form count by identity, and the trace
    keeps them alive.
    """
    if type(value) in SCALARS:
        return None
    budget = [MAX_PARTS]
    try:
        found = _trace(value, budget)
    except Exception:  # A value of the user's may raise anything.
        return None
    return found if budget[0] > 0 else None


def _trace(value: Any, budget: list[int]) -> Trace:
    budget[0] -= 1
    try:
        return "value", type(value), digest(canonical(value))
    except NotStorableError:
        pass
    kind = type(value)
    if budget[0] > 0 and issubclass(kind, list | tuple | deque):
        return "sequence", *(_trace(item, budget) for item in value)
    if budget[0] > 0 and issubclass(kind, dict):
        return "dict", *((_trace(key, budget), _trace(item, budget)) for key, item in dict.items(value))
    if budget[0] > 0 and issubclass(kind, set | frozenset):
        return "set", frozenset(_trace(item, budget) for item in value)
    if kind.__module__ == "_io" and hasattr(kind, "getvalue"):
        return "text", value.getvalue()
    return "object", _Same(value)


class _Same:
    """An object that equals itself alone."""

    __slots__ = ("value",)

    def __init__(self, value: Any) -> None:
        self.value = value

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Same) and other.value is self.value

    def __hash__(self) -> int:
        return id(self.value)
