"""Attributes that are computed at their first access.

`functools.cached_property` of Python 3.11 holds one lock for all instances of a class. A child that is forked while
another thread computes such an attribute would wait for that lock forever.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Generic, TypeVar

T = TypeVar("T")


class lazy(Generic[T]):  # noqa: N801  # It is used as `property` is.
    """A property that is computed once for an instance, without a lock.

    Two threads may both compute it; the last value stays.
    """

    def __init__(self, compute: Callable[[Any], T]) -> None:
        self._compute = compute
        self._name = compute.__name__
        self.__doc__ = compute.__doc__

    def __get__(self, instance: Any, owner: type | None = None) -> T:
        value = instance.__dict__[self._name] = self._compute(instance)
        return value
