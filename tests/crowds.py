"""Many threads at once, for tests."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

from muscle_mem import Engine
from muscle_mem.store import Store

THREADS = 8


def quiet(store: Store | None = None, **options: Any) -> Engine:
    """An engine that logs nothing."""
    return Engine(store, observers=[lambda event: None], **options)


@contextmanager
def switching_often() -> Iterator[None]:
    """Threads take turns as often as they can."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    try:
        yield
    finally:
        sys.setswitchinterval(before)


def in_threads(work: Callable[[int], Any], count: int = THREADS) -> list[Any]:
    """What each of so many threads makes of its number; they start together."""
    gate = threading.Barrier(count)

    def begin(number: int) -> Any:
        gate.wait()
        return work(number)

    with ThreadPoolExecutor(count) as pool:
        return [future.result() for future in [pool.submit(begin, number) for number in range(count)]]
