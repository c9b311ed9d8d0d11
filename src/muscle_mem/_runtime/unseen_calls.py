"""Detection of calls in forked children and of swallowed cancellations.

A recording run cannot see either.
"""

from __future__ import annotations

import os
import struct
import sys
import threading
from collections import deque
from mmap import mmap
from typing import Any

from .._core.model.reason import Reason
from .._core.run.recorder import Problem

_SLOT = struct.Struct("Q")
_PAGE_BYTES = 4096


class SharedMarks:
    """Numbers in memory that this process shares with its forked children.

    Each recording run has a slot. A forked child writes the number of the run into it, so that a child that outlives
    its run does not mark another run.
    """

    def __init__(self) -> None:
        self._free: deque[tuple[mmap, int]] = deque()
        self._pages: list[mmap] = []
        self._lock = threading.Lock()

    def acquire(self) -> tuple[mmap, int]:
        """Return a free slot: its page and its offset."""
        with self._lock:
            if not self._free:
                page = mmap(-1, _PAGE_BYTES)
                self._pages.append(page)
                self._free.extend((page, offset) for offset in range(0, _PAGE_BYTES, _SLOT.size))
            page, offset = self._free.popleft()
        _SLOT.pack_into(page, offset, 0)
        return page, offset

    def release(self, slot: tuple[mmap, int]) -> None:
        """Free a slot; it is used again after all others.

        A slot of the parent process stays its own.
        """
        with self._lock:
            if any(slot[0] is page for page in self._pages):
                self._free.append(slot)

    def forget(self) -> None:
        """Share no slot with the parent process, since a forked child has its own runs."""
        self._free = deque()
        self._pages = []
        self._lock = threading.Lock()


_marks = SharedMarks()
CAN_FORK = hasattr(os, "fork")
if CAN_FORK:
    os.register_at_fork(after_in_child=_marks.forget)


class RunWatch:
    """What one recording run cannot see, from the start of its agent on."""

    __slots__ = ("_cancellations", "_number", "_slot", "_task", "_thread")

    def __init__(self, number: int) -> None:
        self._number = number
        self._slot = _free_slot()
        self._thread = threading.get_ident()
        self._task = _current_task()
        self._cancellations = _cancellations(self._task)

    def mark_call_in_child(self) -> None:
        """Note in the shared memory, from a forked child, that it called a tool."""
        if self._slot is not None:
            page, offset = self._slot
            _SLOT.pack_into(page, offset, self._number)

    def close(self) -> None:
        """Free the slot. Closing twice is allowed."""
        slot, self._slot = self._slot, None
        if slot is not None:
            _marks.release(slot)

    def is_own_place(self) -> bool:
        """Return whether the caller is in the thread and task in which the agent began."""
        return self._thread == threading.get_ident() and self._task is _current_task()

    def problem(self) -> Problem | None:
        """Return why the run cannot be learned, or None."""
        if self._slot is not None:
            page, offset = self._slot
            if _SLOT.unpack_from(page, offset)[0] == self._number:
                return Problem(
                    Reason.FORKED,
                    "a tool was called in a forked child process of the run, where it cannot be recorded; call "
                    "tools in threads, with engine.bind(fn), or make the function that uses the processes one tool",
                )
        task = self._task
        if task is not None and task is _current_task() and _cancellations(task) > self._cancellations:
            return Problem(Reason.CANCELLED, "the run's task was cancelled, and the agent returned nevertheless")
        return None


def _free_slot() -> tuple[mmap, int] | None:
    try:
        return _marks.acquire() if CAN_FORK else None
    except (OSError, ValueError):  # No memory can be mapped, which must not end the run.
        return None


def _cancellations(task: Any) -> int:
    """Return how many cancellations of a task are pending.

    Tasks of other classes may not count them.
    """
    count = getattr(task, "cancelling", None)
    return count() if count is not None else 0


def _current_task() -> Any:
    """Return the running asyncio task, without an import of asyncio in sync programs."""
    asyncio = sys.modules.get("asyncio")
    if asyncio is None:
        return None
    try:
        return asyncio.current_task()
    except (RuntimeError, AttributeError):  # No loop is running in this thread, or asyncio is being imported.
        return None
