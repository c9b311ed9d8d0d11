"""Places of leaves in outputs.

Some containers exist in the index of outputs only.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
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


class RowSlots:
    """The places of values of some columns in dicts in a row, row by row."""

    __slots__ = ("_columns", "_rows")

    def __init__(self, start: int, stop: int, columns: Sequence[int]) -> None:
        self._rows = range(start, stop)
        self._columns = [2 * column + 1 for column in columns]

    def __len__(self) -> int:
        return len(self._rows) * len(self._columns)

    def __getitem__(self, number: int) -> tuple[int, int]:
        row, column = divmod(number, len(self._columns))
        return self._rows[row], self._columns[column]

    def __iter__(self) -> Iterator[tuple[int, int]]:
        return product(self._rows, self._columns)


class SlotList:
    """Places of leaves, in the order of the leaves.

    They are worked out when they are needed.
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

    def at(self, number: int) -> tuple[int, int]:
        """Return one place; among rows of records it is worked out alone."""
        left = number
        for part in self._parts:
            if type(part) is not list and type(part) is not RowSlots:
                return self.all()[number]
            if left < len(part):
                return part[left]
            left -= len(part)
        raise IndexError(number)

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
