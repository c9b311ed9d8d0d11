"""The write gate: one writer at a time per store, by a kernel lock on a file beside it, with a bounded wait.

SQLite's own busy handler sleeps ever longer and lets late-comers overtake; queueing before it cuts the worst
wait of many writers by an order of magnitude, and keeps a checkpoint from meeting a commit. The lock dies
with its holder. It is a convenience for order, not for safety: every write is a BEGIN IMMEDIATE anyway.
"""

from __future__ import annotations

import errno
import os
import struct
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from ...errors import StoreError
from .deadline import LockTimeoutError

if sys.platform != "win32":
    import fcntl

CHECK_INTERVAL = 0.1  # seconds after which a waiter looks whether it should still wait


class WriteLock:
    """Lets one writer pass at a time, among the threads of this process and among processes.

    Where there is no flock (Windows, some network file systems) only the threads of this process queue here,
    and processes fall back on SQLite's busy timeout.
    """

    def __init__(self, path: str, mode: int = 0o600) -> None:
        """`path` names the lock file; it is made with `mode` when first needed and never deleted."""
        self.path = path
        self._mode = mode
        self._threads = threading.Lock()

    @contextmanager
    def held(self, timeout: float, cancelled: Callable[[], bool] = lambda: False) -> Iterator[None]:
        """Hold the gate. Raises StoreError after `timeout` seconds, or as soon as `cancelled()` is true."""
        start = time.monotonic()
        if not self._threads.acquire(timeout=timeout):
            raise self._timeout_error(start, "another thread of this process")
        try:
            file = self._lock(start, timeout, cancelled)
            try:
                yield
            finally:
                if file is not None:
                    _unlock(file)
        finally:
            self._threads.release()

    def _lock(self, start: float, timeout: float, cancelled: Callable[[], bool]) -> int | None:
        if sys.platform == "win32":
            return None
        file = self._open()
        try:
            _lock_queue_place(file, at_once=True)
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            _unlock_queue_place(file)
            return file
        except BlockingIOError:
            pass
        except OSError:  # no locks on this file system
            os.close(file)
            return None
        try:
            waiter = _Waiter(file)
        except RuntimeError:  # no more threads, as when the interpreter is ending
            os.close(file)
            return None
        while True:
            remaining = start + timeout - time.monotonic()
            if waiter.wait(min(remaining, CHECK_INTERVAL)):
                return file
            if cancelled():
                waiter.abandon()
                raise StoreError(f"The store was closed while a write waited for {self.path!r}.")
            if remaining <= CHECK_INTERVAL:
                waiter.abandon()
                raise self._timeout_error(start, "another process")

    def _open(self) -> int:
        flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC
        try:
            return os.open(self.path, flags, self._mode)
        except OSError as error:
            raise StoreError(
                f"The lock file {self.path!r} beside the store cannot be opened ({error.strerror}), so "
                f"nothing can be written. Make the file and its folder writable for this user."
            ) from error

    def _timeout_error(self, start: float, who: str) -> StoreError:
        return LockTimeoutError(
            f"The store is locked by {who} for {time.monotonic() - start:.1f} seconds (lock file "
            f"{self.path!r}), so nothing was written. Look for a process that hangs while writing, or raise "
            f"busy_timeout."
        )


class _Waiter:
    """A thread that stands in the kernel's queue for a lock, so that the wait is both fair and bounded.

    Trying again and again would be bounded too, but a writer that retries immediately overtakes those that sleep.
    """

    def __init__(self, file: int) -> None:
        self._file = file
        self._acquired = threading.Event()
        self._decision = threading.Lock()
        self._abandoned = False
        threading.Thread(target=self._wait_in_kernel, name="muscle_mem-gate", daemon=True).start()

    def wait(self, seconds: float) -> bool:
        """Whether the lock was given to us by then. An exception in the wait gives up."""
        try:
            return self._acquired.wait(max(0.0, seconds))
        except BaseException:
            self.abandon()
            raise

    def abandon(self) -> None:
        """Leave the file to the thread, which lets the lock go as soon as it comes."""
        with self._decision:
            self._abandoned = True
            if self._acquired.is_set():
                _unlock(self._file)

    def _wait_in_kernel(self) -> None:
        if sys.platform != "win32":
            try:
                _lock_queue_place(self._file)
                fcntl.flock(self._file, fcntl.LOCK_EX)
                _unlock_queue_place(self._file)
            except OSError:
                pass  # the gate is for order, not for safety: pass without it
        with self._decision:
            if self._abandoned:
                _unlock(self._file)
            else:
                self._acquired.set()


if sys.platform == "linux" and hasattr(fcntl, "F_OFD_SETLK"):

    def _lock_queue_place(file: int, *, at_once: bool = False) -> None:
        """Be the one who waits at the gate itself; with `at_once`, raise BlockingIOError while another does.

        A kernel gives a released lock to the first that asks, which is often the one who just had it. So only
        one waits at the gate, and all others for its place, which is free again as soon as the gate was passed: a lock
        on the first byte of the same file, which belongs to the open file as that of the gate does.
        """
        _byte(file, fcntl.F_WRLCK, fcntl.F_OFD_SETLK if at_once else fcntl.F_OFD_SETLKW)

    def _unlock_queue_place(file: int) -> None:
        _byte(file, fcntl.F_UNLCK, fcntl.F_OFD_SETLK)

    def _byte(file: int, kind: int, command: int) -> None:
        try:
            fcntl.fcntl(file, command, struct.pack("hhqqi4x", kind, os.SEEK_SET, 0, 1, 0))
        except OSError as error:
            if error.errno in (errno.EAGAIN, errno.EACCES):
                raise BlockingIOError(*error.args) from error
            # a file system without such locks: the gate alone is in no order, and safe anyway

else:

    def _lock_queue_place(file: int, *, at_once: bool = False) -> None:
        """There are no locks of this kind: who waits at the gate passes in the kernel's order."""

    def _unlock_queue_place(file: int) -> None:
        """Nothing was taken."""


def _unlock(file: int) -> None:
    # Unlocked and not merely closed: a child made by a fork may still hold a copy of the file.
    try:
        if sys.platform != "win32":
            fcntl.flock(file, fcntl.LOCK_UN)
    finally:
        os.close(file)
