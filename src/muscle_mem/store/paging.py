"""Iterators over all contents of a store."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from .base import Damaged, Found, Store, Stored

PAGE = 100
Scan = Callable[[int | None, int], Found]
Page = tuple[tuple[Stored, ...], tuple[Damaged, ...]]


def pages(store: Store) -> Iterator[Page]:
    """Yield all contents of a store, newest first, a page at a time.

    Each damaged row is reported once. Raises StoreError.
    """
    return pages_of(lambda after, limit: store.scan(after=after, limit=limit))


def each(store: Store) -> Iterator[Stored]:
    """Yield every intact trajectory of a store, newest first. Raises StoreError."""
    for stored, _ in pages(store):
        yield from stored


def pages_of(scan: Scan) -> Iterator[Page]:
    """Yield pages, as `pages` does, from a function with the result of `Store.scan`."""
    after: int | None = None
    reported: set[Damaged] = set()
    while True:
        page = scan(after, PAGE)
        yield page.stored, tuple(damaged_row for damaged_row in page.damaged if damaged_row not in reported)
        if not page.stored:
            return
        reported.update(page.damaged)  # Both pages report a damaged row at their boundary.
        after = page.stored[-1].seq
