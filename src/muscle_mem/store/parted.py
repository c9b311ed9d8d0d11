"""A store whose keys are spread over several stores."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Sequence
from typing import TypeVar

from ..errors import InvalidTypeError, InvalidValueError, StoreError
from .base import (
    Found,
    Leadership,
    Note,
    Observation,
    Sealed,
    Store,
    Stored,
    Summary,
    is_confirming,
    is_leading,
    is_surveying,
)
from .digest import SigningKey
from .history import HistoryMethods, HistoryTables
from .part_numbers import PartNumbers
from .parted_history import PartedHistory
from .promises import Promises, promises_of, weakest
from .pruning import summary_of
from .verifying import Trouble, is_inspecting

T = TypeVar("T")

SAMPLE = 20
"""Trajectories of each part whose place is checked when the parts are opened."""

MAX_PLACES = 100_000


class PartedStore(HistoryMethods):
    """A store of several parts, each with its own share of the task keys.

    The first two bytes of a key decide which part stores it. So all workers must name the same parts in the same order.
    Writers of different parts do not affect each other. If one part cannot be reached, only its tasks run their agents.

    An operation on one task is an operation of its part. An operation on several tasks is one transaction in each part.
    The numbers of recordings are in order only within a task (`promises`). If this object has not seen a trajectory, it
    searches every part.
    """

    __module__ = "muscle_mem.store"

    def __init__(
        self, parts: Sequence[str | os.PathLike[str] | Store], *, signing_key: SigningKey | None = None
    ) -> None:
        """Open the parts.

        Args:
            parts: Paths, URLs or open stores, as for `open_store`, always in the same order.
            signing_key: The key of all parts; see `open_store`.

        Raises:
            InvalidTypeError: `parts` is not a list of stores, or a part elects no learner.
            InvalidValueError: There is no part, or one is named twice.
            StoreError: A part cannot be opened, or has recordings of another part's tasks.
        """
        from . import open_store

        if isinstance(parts, str | bytes | os.PathLike) or not isinstance(parts, Sequence):
            raise InvalidTypeError(f"invalid parts=: expected a list of URLs or stores, got {parts!r}")
        if not parts:
            raise InvalidValueError("invalid parts=: expected at least one URL or store, got none")
        opened: list[Store] = []
        try:
            for part in parts:
                opened.append(open_store(part, signing_key=signing_key))  # noqa: PERF401 - closed if one fails
            self.parts = tuple(opened)
            self._places: dict[str, int] = {}
            self._numbers = PartNumbers(len(self.parts))
            self._history = PartedHistory(self.parts, self.place)
            self._ensure_parts()
            self._ensure_placed()
        except BaseException:
            for given, part in zip(parts, opened, strict=False):
                if given is not part:
                    part.close()
            raise
        self.url = "parted: " + " ".join(part.url for part in self.parts)
        self.waits_on_network = any(getattr(part, "waits_on_network", False) for part in self.parts)

    def __repr__(self) -> str:
        return f"<PartedStore of {len(self.parts)} parts>"

    @property
    def promises(self) -> Promises:
        """The weakest of the promises of the parts."""
        return weakest(tuple(map(promises_of, self.parts)))

    @property
    def incarnation(self) -> int:
        """Return a number that changes when a part may have gone back in time."""
        return sum(getattr(part, "incarnation", 0) for part in self.parts)

    def place(self, key: bytes) -> int:
        """Return the index of the part that has a key."""
        return int.from_bytes(key[:2], "big") % len(self.parts)

    def _read_history(self, work: Callable[[HistoryTables], T]) -> T:
        return work(self._history)

    def _write_history(self, work: Callable[[HistoryTables], T]) -> T:
        return work(self._history)

    def find(self, key: bytes) -> Found:
        """Return all trajectories of a key, newest first."""
        at = self.place(key)
        return self._numbered(self.parts[at].find(key), at)

    def get(self, id: str) -> Stored | None:
        """Return a trajectory by its id, or None. Raises DamagedStoreError."""
        for at in self._places_of(id):
            stored = self.parts[at].get(id)
            if stored is not None:
                return self._numbered(Found(stored=(stored,)), at).stored[0]
        return None

    def seal(self, sealed: Sealed, observation: Observation, note: Note | None = None) -> int:
        """Write a recording in one durable transaction.

        A note on a trajectory of another part is written afterwards, in a separate transaction.

        Args:
            sealed: The trajectory. If its id is known, the stored one is kept.
            observation: The recording, or the refreshed snapshots of a hit.
            note: A change to the standing of this trajectory or of another.
        """
        at = self.place(sealed.key)
        seq = self.parts[at].seal(sealed, observation, note)
        if not seq:
            return 0
        self._remember(sealed.id, at)
        if note is not None and note.id != sealed.id:
            for other in self._places_of(note.id):
                if other != at:
                    self.parts[other].note((note,))
        return self._numbers.number(seq, at)

    def note(self, notes: tuple[Note, ...]) -> None:
        """Apply notes in order, in one transaction in each part."""
        shares: dict[int, list[Note]] = {} if notes else {0: []}
        for note in notes:
            for at in self._known_places(note.id):
                shares.setdefault(at, []).append(note)
        self._each(shares, lambda at: self.parts[at].note(tuple(shares[at])))

    def forget(self, ids: tuple[str, ...] | None = None) -> int:
        """Delete trajectories (None: all), and return how many existed."""
        if ids is None:
            return sum(self._each(range(len(self.parts)), lambda at: self.parts[at].forget()))
        return self._delete(ids, lambda part, share: part.forget(share))

    def drop(self, ids: tuple[str, ...]) -> int:
        """Delete trajectories cheaply, and return how many existed."""
        return self._delete(ids, lambda part, share: part.drop(share) if is_surveying(part) else part.forget(share))

    def scan(self, *, after: int | None = None, limit: int = 100) -> Found:
        """Return a page of all trajectories, the highest numbers first.

        Args:
            after: Only trajectories with a lower number are returned. None starts with the highest.
            limit: The maximum number of trajectories.
        """
        pages = [
            self._numbered(part.scan(after=self._numbers.before(after, at), limit=limit), at)
            for at, part in enumerate(self.parts)
        ]
        stored = sorted((one for page in pages for one in page.stored), key=lambda one: -one.seq)[:limit]
        return Found(stored=tuple(stored), damaged=tuple(one for page in pages for one in page.damaged))

    def survey(self, *, after: int | None = None, limit: int = 1000) -> tuple[Summary, ...]:
        """Return a page of summaries, the highest numbers first.

        Args:
            after: Only trajectories with a lower number are returned. None starts with the highest.
            limit: The maximum number of summaries.
        """
        found: list[Summary] = []
        for at, part in enumerate(self.parts):
            for one in _survey(part, self._numbers.before(after, at), limit):
                self._remember(one.id, at)
                found.append(self._numbers.summary(one, at))
        return tuple(sorted(found, key=lambda one: -one.seq)[:limit])

    def version(self, key: bytes) -> int:
        """Return a number that changes when `find` may have another answer."""
        return self.parts[self.place(key)].version(key)

    def confirm(self, key: bytes) -> None:
        """Bring the version of a key up to date."""
        part = self.parts[self.place(key)]
        if is_confirming(part):
            part.confirm(key)

    def lead(self, key: bytes) -> Leadership | None:
        """Become the only learner of a key, or return None while another is."""
        part = self.parts[self.place(key)]
        assert is_leading(part)
        return part.lead(key)

    def inspect(self) -> tuple[Trouble, ...]:
        """Return problems of the storage of all parts."""
        return tuple(one for part in self.parts if is_inspecting(part) for one in part.inspect())

    def close(self) -> None:
        """Close all parts."""
        self._each(range(len(self.parts)), lambda at: self.parts[at].close())

    def _ensure_parts(self) -> None:
        names = [part.url for part in self.parts if promises_of(part).lasts]
        twice = next((name for name in names if names.count(name) > 1), None)
        if twice is not None or len({id(part) for part in self.parts}) < len(self.parts):
            raise InvalidValueError(f"invalid parts=: {twice or 'a store'!r} is named twice. Name each part once.")
        for part in self.parts:
            if not is_leading(part):
                raise InvalidTypeError(f"invalid parts=: the store {part.url!r} has no method lead(). Use another.")

    def _ensure_placed(self) -> None:
        """Raise StoreError if a part has tasks of another: the list was changed."""
        for at, part in enumerate(self.parts):
            try:
                sample = _survey(part, None, SAMPLE)
            except StoreError:
                continue  # It is not there at the moment. What it has is read when it is back.
            if any(self.place(one.key) != at for one in sample):
                raise StoreError(
                    f"cannot open the parts of the store: {part.url!r} (number {at + 1} of {len(self.parts)}) has "
                    "tasks that belong to another part. Name the same parts in the same order as before, or copy them "
                    "into new parts with muscle_mem.store.copy_store."
                )

    def _numbered(self, found: Found, at: int) -> Found:
        for one in found.stored:
            self._remember(one.sealed.id, at)
        return Found(stored=tuple(self._numbers.stored(one, at) for one in found.stored), damaged=found.damaged)

    def _remember(self, id: str, at: int) -> None:
        if len(self._places) >= MAX_PLACES:
            self._places.clear()
        self._places[id] = at

    def _known_places(self, id: str) -> Iterable[int]:
        at = self._places.get(id)
        return range(len(self.parts)) if at is None else (at,)

    def _places_of(self, id: str) -> list[int]:
        """Return all parts, the one that had a trajectory last first."""
        return sorted(range(len(self.parts)), key=lambda at: at != self._places.get(id))

    def _delete(self, ids: tuple[str, ...], delete: Callable[[Store, tuple[str, ...]], int]) -> int:
        shares: dict[int, list[str]] = {} if ids else {0: []}
        for id in ids:
            for at in self._known_places(id):
                shares.setdefault(at, []).append(id)
        return sum(self._each(shares, lambda at: delete(self.parts[at], tuple(shares[at]))))

    def _each(self, places: Iterable[int], work: Callable[[int], T]) -> list[T]:
        """Work on parts, and raise the first StoreError when all had their turn."""
        results: list[T] = []
        failed: StoreError | None = None
        for at in places:
            try:
                results.append(work(at))
            except StoreError as error:
                failed = failed or error
        if failed is not None:
            raise failed
        return results


def _survey(part: Store, after: int | None, limit: int) -> tuple[Summary, ...]:
    if is_surveying(part):
        return part.survey(after=after, limit=limit)
    return tuple(map(summary_of, part.scan(after=after, limit=limit).stored))
