"""Progress of long commands, on stderr, if it is a terminal."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterable, Iterator
from typing import TypeVar

T = TypeVar("T")
SHOWN_AFTER = 0.5
EVERY = 0.1
WIDTH = 24


def progress(verb: str, items: Iterable[T], total: int | None = None, *, size: int = 1) -> Iterator[T]:
    """Yield items, and show how many there were so far.

    Nothing is shown in the first half second, nor where stderr is not a terminal. The line is removed at the end.

    Args:
        verb: What is done, such as "reading".
        items: The items.
        total: How many there are, None if that is unknown.
        size: How many each item counts for.
    """
    if not sys.stderr.isatty():
        yield from items
        return
    shown = False
    began = last = time.monotonic()
    done = 0
    try:
        for item in items:
            yield item
            done += size
            now = time.monotonic()
            if now - began >= SHOWN_AFTER and now - last >= EVERY:
                last, shown = now, True
                sys.stderr.write("\r" + progress_line(verb, done, total, now - began) + "\x1b[K")
                sys.stderr.flush()
    finally:
        if shown:
            sys.stderr.write("\r\x1b[K")
            sys.stderr.flush()


def progress_line(verb: str, done: int, total: int | None, seconds: float) -> str:
    """Return the line that shows the progress."""
    if not total:
        return f"{verb}: {done} in {seconds:.0f} s"
    share = min(1.0, done / total)
    filled = round(WIDTH * share)
    return f"{verb}: [{'#' * filled}{'.' * (WIDTH - filled)}] {done} of {total} ({100 * share:.0f} %)"
