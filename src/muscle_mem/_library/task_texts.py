"""An index of the texts of recorded tasks by their skeletons (L14)."""

from __future__ import annotations

import threading
from collections.abc import Callable

from .._core.binding.tasks.templates import Reading, read_text
from .._core.model.learned import is_flows_body
from .._forks import register_for_forks
from ..store.base import Store, Stored
from ..store.paging import PAGE

MAX_TEXTS = 1_000
"""The most recordings that are read, the newest first, and the most texts that are kept."""

MAX_ALIKE = 8
"""The most texts of one skeleton that are kept, the newest."""

Place = tuple[str, tuple[str, ...], tuple[str, ...]]
"""A scope, tags and a skeleton."""


class TaskTexts:
    """An index of the newest texts in a store, which reads what is new on demand."""

    def __init__(self, store: Callable[[], Store]) -> None:
        """`store` returns the store that the engine uses now."""
        self._store = store
        self._lock = threading.RLock()
        self._newest = -1
        self._texts: dict[Place, dict[str, Reading]] = {}
        self._count = 0
        register_for_forks(self)

    def alike(self, scope: str, tags: tuple[str, ...], reading: Reading) -> list[tuple[str, Reading]]:
        """Return the recorded texts with the skeleton of a text, newest first.

        Raises what the store raises.
        """
        with self._lock:
            self._refresh()
            return list(reversed(self._texts.get((scope, tags, reading.skeleton), {}).items()))

    def _refresh(self) -> None:
        """Read what was recorded since the last time, at most so many recordings."""
        store = self._store()
        newest = store.scan(limit=1).stored
        if not newest or newest[0].seq == self._newest:
            return
        if newest[0].seq < self._newest:  # Another store, or one that was replaced.
            self._texts.clear()
            self._count, self._newest = 0, -1
        fresh: list[Stored] = []
        after: int | None = None
        while len(fresh) < MAX_TEXTS:
            page = store.scan(after=after, limit=PAGE).stored
            found = [stored for stored in page if stored.seq > self._newest]
            fresh += found
            if not page or len(found) < len(page):
                break
            after = page[-1].seq
        for stored in reversed(fresh[:MAX_TEXTS]):
            self._add(stored)
        self._newest = newest[0].seq

    def _add(self, stored: Stored) -> None:
        sealed = stored.sealed
        reading = None if is_flows_body(sealed.body) else read_text(sealed.task)
        if reading is None:
            return
        if self._count >= MAX_TEXTS:
            self._drop_oldest()
        texts = self._texts.pop((sealed.scope, sealed.tags, reading.skeleton), {})
        self._count += sealed.task not in texts
        texts.pop(sealed.task, None)
        texts[sealed.task] = reading
        if len(texts) > MAX_ALIKE:
            del texts[next(iter(texts))]
            self._count -= 1
        self._texts[sealed.scope, sealed.tags, reading.skeleton] = texts

    def _before_fork(self) -> None:
        """Do nothing: the lock may be held for as long as the store takes to answer."""

    def _after_fork_in_parent(self) -> None:
        """Do nothing."""

    def _after_fork_in_child(self) -> None:
        """Replace the lock and read the texts again, which a thread may have changed."""
        self._lock = threading.RLock()
        self._texts, self._count, self._newest = {}, 0, -1

    def _drop_oldest(self) -> None:
        """Drop the texts that nothing was recorded of for the longest time."""
        self._count -= len(self._texts.pop(next(iter(self._texts))))
