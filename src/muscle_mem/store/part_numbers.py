"""Numbers of rows in a store of several parts.

Row 7 of part 1 of 3 has the number 7 * 3 + 1.
"""

from __future__ import annotations

import msgspec

from .base import Stored, Summary


class PartNumbers:
    """The numbers of the rows of `count` parts."""

    def __init__(self, count: int) -> None:
        self._count = count

    def number(self, seq: int, at: int) -> int:
        """Return the number, in the whole store, of a row of a part."""
        return seq * self._count + at

    def before(self, number: int | None, at: int) -> int | None:
        """Return the number in a part below which its rows are below `number`."""
        return None if number is None else (number - at + self._count - 1) // self._count

    def beyond(self, number: int, at: int) -> int:
        """Return the number in a part above which its rows are above `number`."""
        return (number - at) // self._count

    def summary(self, one: Summary, at: int) -> Summary:
        """Return a summary of a part with its number in the whole store."""
        return msgspec.structs.replace(one, seq=self.number(one.seq, at))

    def stored(self, one: Stored, at: int) -> Stored:
        """Return a trajectory of a part with the numbers of the whole store."""
        rows = tuple((self.number(seq, at), row) for seq, row in one.observations)
        return msgspec.structs.replace(one, seq=self.number(one.seq, at), observations=rows)
