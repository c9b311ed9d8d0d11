"""Support for os.fork(): hooks that keep open stores usable in parent and child.

A store that is in the middle of an operation at a fork would be broken in the child forever. SQLite loses commits when
a child opens a file that its parent had open at the fork. So the stores finish their operations before a fork.
"""

from __future__ import annotations

import os
import threading
import weakref
from typing import Protocol


class _Process:
    """The name of this process, which a forked child replaces by its own."""

    def __init__(self) -> None:
        self.pid, self.name = os.getpid(), os.urandom(6).hex()


_process = _Process()


def process_name() -> str:
    """Return a random name of this process.

    No other process has it, on any machine, and neither has a forked child.
    """
    global _process
    if _process.pid != os.getpid():
        _process = _Process()
    return _process.name


class Forkable(Protocol):
    """A store that can pause for a fork.

    None of the three methods may raise.
    """

    def _before_fork(self) -> None: ...

    def _after_fork_in_parent(self) -> None: ...

    def _after_fork_in_child(self) -> None: ...


class ForkSafeLock:
    """An object with a `_lock` for which a fork waits.

    The lock must be held only briefly, and never while waiting for another lock.
    """

    __slots__ = ()
    _lock: threading.Lock

    def _before_fork(self) -> None:
        self._lock.acquire()

    def _after_fork_in_parent(self) -> None:
        self._lock.release()

    def _after_fork_in_child(self) -> None:
        self._lock.release()


_lock = threading.Lock()
_stores: weakref.WeakSet[Forkable] = weakref.WeakSet()
_prepared: list[Forkable] = []


def register_for_forks(store: Forkable) -> None:
    """Call the fork hooks of this store for as long as it exists."""
    with _lock:
        _stores.add(store)


def _before() -> None:
    _lock.acquire()
    _prepared.extend(_stores)
    for store in _prepared:
        store._before_fork()


def _in_parent() -> None:
    for store in _prepared:
        store._after_fork_in_parent()
    _prepared.clear()
    _lock.release()


def _in_child() -> None:
    for store in _prepared:
        store._after_fork_in_child()
    _prepared.clear()
    _lock.release()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=_before, after_in_parent=_in_parent, after_in_child=_in_child)
