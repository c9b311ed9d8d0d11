"""Write lock of a store: one writer at a time, with a bounded wait.

It is a kernel lock on a file next to the store. SQLite's busy handler sleeps for increasing times, so later writers
overtake earlier ones. A queue in front of it shortens the longest wait of many writers by an order of magnitude, and
keeps checkpoints and commits apart. The lock ends with its process. It provides order, not safety: every write is a
BEGIN IMMEDIATE anyway.
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

from ..._files import NO_LINKS, open_regular
from ...errors import StoreError
from .deadline import LockTimeoutError

if sys.platform != "win32":
    import fcntl

CHECK_INTERVAL = 0.1  # Seconds between checks for cancellation.


class WriteLock:
    """A lock that one writer holds at a time, among threads and processes.

    Without flock (on Windows and some network file systems) only the threads of this process queue here. Processes
    then depend on SQLite's busy timeout.
    """

    def __init__(self, path: str, mode: int = 0o600) -> None:
        """Create the lock without opening its file.

        Args:
            path: The lock file. It is created when first needed and never deleted.
            mode: The file mode that it is created with.
        """
        self.path = path
        self._mode = mode
        self._threads = threading.Lock()

    @contextmanager
    def held(self, timeout: float, cancelled: Callable[[], bool] = lambda: False) -> Iterator[None]:
        """Hold the lock during the block.

        Args:
            timeout: The seconds to wait for other writers.
            cancelled: A function that ends the wait when it returns true.

        Raises:
            StoreError: The wait timed out or was cancelled, or the lock file cannot be opened.
        """
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
        except OSError:  # The file system has no locks.
            os.close(file)
            return None
        try:
            waiter = _Waiter(file)
        except RuntimeError:  # No thread can be started, for example while the interpreter shuts down.
            os.close(file)
            return None
        while True:
            remaining = start + timeout - time.monotonic()
            if waiter.wait(min(remaining, CHECK_INTERVAL)):
                return file
            if cancelled():
                waiter.abandon()
                raise StoreError(f"write failed: the store was closed while it waited for the lock file {self.path!r}.")
            if remaining <= CHECK_INTERVAL:
                waiter.abandon()
                raise self._timeout_error(start, "another process")

    def _open(self) -> int:
        try:
            return open_regular(self.path, os.O_RDWR | os.O_CREAT | NO_LINKS, self._mode)
        except OSError as error:
            raise StoreError(
                f"lock file {self.path!r} cannot be opened ({error.strerror}), so the store cannot be written. "
                f"Make it a file that is writable for this user, in a writable folder."
            ) from error

    def _timeout_error(self, start: float, who: str) -> StoreError:
        return LockTimeoutError(
            f"write timed out: the store is locked by {who} for {time.monotonic() - start:.1f} seconds (lock file "
            f"{self.path!r}). Stop a process that hangs while it writes, or raise busy_timeout."
        )


class _Waiter:
    """A thread that waits in the kernel's queue for a lock.

    It makes the wait fair as well as bounded. Polling would be bounded, but a writer that retries immediately overtakes
    writers that sleep.
    """

    def __init__(self, file: int) -> None:
        self._file = file
        self._acquired = threading.Event()
        self._decision = threading.Lock()
        self._abandoned = False
        threading.Thread(target=self._wait_in_kernel, name="muscle_mem-gate", daemon=True).start()

    def wait(self, seconds: float) -> bool:
        """Return whether the lock was acquired in time. An exception abandons the wait."""
        try:
            return self._acquired.wait(max(0.0, seconds))
        except BaseException:
            self.abandon()
            raise

    def abandon(self) -> None:
        """Leave the file to the thread, which releases the lock as soon as it gets it."""
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
                pass  # The lock provides order, not safety, so the write continues without it.
        with self._decision:
            if self._abandoned:
                _unlock(self._file)
            else:
                self._acquired.set()


if sys.platform == "linux" and hasattr(fcntl, "F_OFD_SETLK"):

    def _lock_queue_place(file: int, *, at_once: bool = False) -> None:
        """Lock the first byte of the file, which only the next writer in line may hold.

        With `at_once`, raise BlockingIOError if another writer holds it.

        A kernel gives a released lock to the first process that asks, which is often the previous holder. So only one
        writer waits for the write lock, and all others wait for this byte. Both locks belong to the open file.
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
            # Without such locks on the file system, writers are not ordered, but still safe.

else:

    def _lock_queue_place(file: int, *, at_once: bool = False) -> None:
        """Do nothing: without such locks, writers pass in the kernel's order."""

    def _unlock_queue_place(file: int) -> None:
        """Do nothing, because nothing was locked."""


def _unlock(file: int) -> None:
    # Closing alone would not unlock: a forked child may hold a copy of the descriptor.
    try:
        if sys.platform != "win32":
            fcntl.flock(file, fcntl.LOCK_UN)
    finally:
        os.close(file)
