"""Places of leaves in outputs.

Some containers exist in the index of outputs only.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import chain, product
from typing import Any, NamedTuple

Slots = Iterable[tuple[int, int]]
"""Places of leaves: the number of a container, and the number of a child in it."""


class Root:
    """The place of a whole output, above all others."""

    __slots__ = ("step", "value")

    def __init__(self, step: int, value: Any) -> None:
        self.step = step
        self.value = value


class Parsed:
    """A text that is JSON or a table, and the value that it holds."""

    __slots__ = ("value",)

    def __init__(self, value: Any) -> None:
        self.value = value


class Items(list[Any]):
    """The items of a set, in their stored order."""


class Place(NamedTuple):
    """Where a leaf stands: the number of a child of a container, and the leaf there."""

    node: int
    slot: int
    leaf: Any


class SlotList:
    """Places of leaves, in the order of the leaves.

    They are worked out when one of them is needed.
    """

    __slots__ = ("_parts",)

    def __init__(self) -> None:
        self._parts: list[Slots] = [[]]

    def last(self) -> list[tuple[int, int]]:
        """Return the list to which a place is appended."""
        last = self._parts[-1]
        if type(last) is not list:
            last = []
            self._parts.append(last)
        return last

    def extend(self, slots: Slots) -> None:
        """Append places that are worked out later."""
        self._parts.append(slots)

    def all(self) -> list[tuple[int, int]]:
        """Return all places."""
        if len(self._parts) > 1:
            self._parts = [list(chain.from_iterable(self._parts))]
        return self.last()


def in_row_order(columns: Sequence[Sequence[Any]]) -> list[Any]:
    """Return the values of columns, row by row."""
    if len(columns) == 1:
        return list(columns[0])
    return list(chain.from_iterable(zip(*columns, strict=True)))


def slots_of(start: int, stop: int, columns: Sequence[int]) -> Slots:
    """Return the places of the values of some columns, row by row, in the dicts from `start` to `stop`."""
    return product(range(start, stop), [2 * column + 1 for column in columns])
