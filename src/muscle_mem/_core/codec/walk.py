"""Walks over the leaves of a value, for code that searches values.

Two walks are here, because their callers need different bounds:

- `stored_leaves` sees what the codec stores. The value is finite and at most MAX_DEPTH deep, so a recursion suffices,
  and the leaves come in the order in which they are stored.
- `visible_leaves` sees every value that a caller passes, storable or not: subclasses of containers, shared parts and
  cycles. It visits each container once and at most MAX_VISITS containers. The order of the leaves is not defined.

`binding.outputs.index` is separate. It must know the position of each leaf, visit an object again at each of its
positions, and read the attributes of unknown objects, which the searches for secrets and params must not do.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import chain
from typing import Any, Final

from .fold import unfold
from .writer import MAX_DEPTH

SCALARS: Final = frozenset({str, int, bool, float, type(None), bytes, complex})
MAX_VISITS: Final = 100_000
_DICT: Final = frozenset({dict})


def stored_leaves(value: Any, depth: int = 0) -> Iterator[Any]:
    """Yield the leaves of a value in stored order.

    A part below MAX_DEPTH counts as a leaf.
    """
    unfolded = unfold(value) if depth <= MAX_DEPTH else None
    if unfolded is None:
        yield value
    else:
        for child in unfolded[1]:
            yield from stored_leaves(child, depth + 1)


def leaves_of(value: Any) -> list[Any]:
    """Return the leaves of a value in stored order, as `stored_leaves` yields them."""
    found: list[Any] = []
    _gather(value, found, 0)
    return found


class LazyLeaves(Sequence[Any]):
    """Leaves that are gathered when the first of them is needed."""

    __slots__ = ("_found", "_gather")

    def __init__(self, gather: Callable[[], list[Any]]) -> None:
        self._gather = gather
        self._found: list[Any] | None = None

    def _all(self) -> list[Any]:
        if self._found is None:
            self._found = self._gather()
        return self._found

    def __len__(self) -> int:
        return len(self._all())

    def __getitem__(self, index: Any) -> Any:
        return self._all()[index]

    def __iter__(self) -> Iterator[Any]:
        return iter(self._all())

    def __contains__(self, value: object) -> bool:
        return value in self._all()


def _gather(value: Any, found: list[Any], depth: int) -> None:
    kind = type(value)
    if (kind is list or kind is tuple) and depth < MAX_DEPTH:
        kinds = set(map(type, value))
        if kinds <= SCALARS:
            found.extend(value)
            return
        if kinds == _DICT:
            inner = list(chain.from_iterable(chain.from_iterable(map(dict.items, value))))
            if SCALARS.issuperset(map(type, inner)):
                found.extend(inner)
                return
    unfolded = unfold(value) if depth <= MAX_DEPTH else None
    if unfolded is None:
        found.append(value)
        return
    for child in unfolded[1]:
        _gather(child, found, depth + 1)


def visible_leaves(value: Any, *, keys: bool = True) -> Iterator[Any]:
    """Yield the leaves of any value; without `keys`, the keys of dicts are skipped."""
    seen: set[int] = set()
    waiting = [value]
    while waiting and len(seen) < MAX_VISITS:
        this = waiting.pop()
        children = visible_children(this, keys=keys) if type(this) not in SCALARS else None
        if children is None:
            yield this
        elif id(this) not in seen:
            seen.add(id(this))
            waiting += children


def visible_children(value: Any, *, keys: bool = True) -> Iterable[Any] | None:
    """Return the children of a container; None for a leaf.

    Subclasses of containers and deques are containers.
    """
    if issubclass(type(value), dict):
        return [*(dict.keys(value) if keys else ()), *dict.values(value)]
    if issubclass(type(value), list | set | frozenset | deque) or type(value) is tuple:
        return list(value)
    unfolded = unfold(value)
    return None if unfolded is None else unfolded[1]
