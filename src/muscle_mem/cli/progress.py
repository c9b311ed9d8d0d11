"""Progress of long commands, on stderr, if it is a terminal."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, cast

from ..store import Found, Store, Summary

SHOWN_AFTER = 0.5
EVERY = 0.1
WIDTH = 24


class Bar:
    """One line that shows how far a command has come.

    It appears after half a second.
    """

    def __init__(self, verb: str) -> None:
        self._verb = verb
        self._began = self._last = time.monotonic()
        self.is_shown = False

    def show(self, done: int, share: float | None) -> None:
        """Show how many trajectories are done.

        `share` is that of the work, None if it is unknown.
        """
        now = time.monotonic()
        if now - self._began < SHOWN_AFTER or now - self._last < EVERY:
            return
        self._last, self.is_shown = now, True
        sys.stderr.write("\r" + bar_line(self._verb, done, share, now - self._began) + "\x1b[K")
        sys.stderr.flush()

    def clear(self) -> None:
        """Remove the line."""
        if self.is_shown:
            sys.stderr.write("\r\x1b[K")
            sys.stderr.flush()


def bar_line(verb: str, done: int, share: float | None, seconds: float) -> str:
    """Return the line that shows the progress, in at most 80 characters."""
    counted = f"{done} in {seconds:.0f} s"
    if share is None:
        return f"{verb}: {counted}"
    filled = round(WIDTH * min(1.0, max(0.0, share)))
    return f"{verb}: [{'#' * filled}{'.' * (WIDTH - filled)}] {counted}"


class Watched:
    """A store whose reading is shown. All else is passed on to the store."""

    def __init__(self, store: Store, bar: Bar) -> None:
        self._store = store
        self._bar = bar
        self._first = 0
        self._done = 0
        self._read = 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    def scan(self, *, after: int | None = None, limit: int = 100) -> Found:
        """Return a page of trajectories, and show how far it is."""
        found = self._store.scan(after=after, limit=limit)
        self._note([one.seq for one in found.stored], after)
        return found

    def survey(self, *, after: int | None = None, limit: int = 1000) -> tuple[Summary, ...]:
        """Return a page of summaries, and show how far it is."""
        found: tuple[Summary, ...] = cast(Any, self._store).survey(after=after, limit=limit)
        self._note([one.seq for one in found], after)
        return found

    def get(self, id: str) -> Any:
        """Return a trajectory, and show how many of those that were listed are read."""
        self._read += 1
        self._bar.show(self._read, self._read / self._done if self._done else None)
        return self._store.get(id)

    def _note(self, numbers: list[int], after: int | None) -> None:
        if after is None:
            self._first, self._done = max(numbers, default=0), 0
        self._done += len(numbers)
        # Numbers only grow, so the lowest one says how much is left.
        self._bar.show(self._done, 1 - min(numbers) / self._first if numbers and self._first else None)


@contextmanager
def watched(verb: str, store: Store) -> Iterator[Store]:
    """Yield a store whose reading is shown on stderr.

    Where stderr is not a terminal, the store itself is yielded, and nothing is shown.
    """
    if not sys.stderr.isatty():
        yield store
        return
    bar = Bar(verb)
    try:
        yield cast(Store, without_survey(store, bar))
    finally:
        bar.clear()


def without_survey(store: Store, bar: Bar) -> Watched:
    """Return a watched store, which can be surveyed only if the store can."""
    made = Watched(store, bar)
    return made if hasattr(store, "survey") else _Plain(store, bar)


class _Plain(Watched):
    """A watched store that cannot be surveyed."""

    survey = property(lambda self: self._store.survey)  # It raises AttributeError.


@contextmanager
def running(verb: str) -> Iterator[None]:
    """Show on stderr, if it is a terminal, that a command is running."""
    if not sys.stderr.isatty():
        yield
        return
    sys.stderr.write(f"{verb}...")
    sys.stderr.flush()
    try:
        yield
    finally:
        sys.stderr.write("\r\x1b[K")
        sys.stderr.flush()
