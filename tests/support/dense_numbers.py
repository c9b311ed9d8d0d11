"""A PostgreSQL store whose sequence numbers have no gaps, so that its answers compare with those of other stores."""

from __future__ import annotations

from bisect import bisect_left
from typing import Any

import msgspec

from muscle_mem.store import Found, Store, Stored


class DenseNumbers:
    """Passes calls on. The n-th number that a seal returned is n for whoever asks.

    `numbers` are those that were returned, in order; stores of the same content share them.
    """

    def __init__(self, store: Store, numbers: list[int]) -> None:
        self._store = store
        self._numbers = numbers

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    def seal(self, sealed: Any, observation: Any, note: Any = None) -> int:
        number = self._store.seal(sealed, observation, note)
        if number and (not self._numbers or number > self._numbers[-1]):
            self._numbers.append(number)
        return self._dense(number)

    def get(self, id: str) -> Stored | None:
        stored = self._store.get(id)
        return stored if stored is None else self._renumbered(stored)

    def find(self, key: bytes) -> Found:
        return self._found(self._store.find(key))

    def scan(self, *, after: int | None = None, limit: int = 100) -> Found:
        return self._found(self._store.scan(after=self._real(after), limit=limit))

    def survey(self, *, after: int | None = None, limit: int = 1000) -> Any:
        page = self._store.survey(after=self._real(after), limit=limit)
        return tuple(msgspec.structs.replace(one, seq=self._dense(one.seq)) for one in page)

    def _found(self, found: Found) -> Found:
        return msgspec.structs.replace(found, stored=tuple(map(self._renumbered, found.stored)))

    def _renumbered(self, one: Stored) -> Stored:
        observations = tuple((self._dense(seq), observation) for seq, observation in one.observations)
        return msgspec.structs.replace(one, seq=self._dense(one.seq), observations=observations)

    def _dense(self, number: int) -> int:
        at = bisect_left(self._numbers, number)
        assert not number or self._numbers[at] == number
        return at + 1 if number else 0

    def _real(self, after: int | None) -> int | None:
        """The highest number below which lie the numbers that `after` lets through."""
        if after is None or after > len(self._numbers):
            return None
        return self._numbers[after - 1] if after > 0 else 0
