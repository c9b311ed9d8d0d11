"""Who learns a key: one leader at a time, among threads by a set and among processes by kernel locks on small files.

A lock dies with its holder. Leading only saves agent runs; two concurrent leaders do no harm.
"""

from __future__ import annotations

import hashlib
import os
import sys
import threading
import weakref

from ..._forks import register_for_forks
from ...errors import StoreError

if sys.platform != "win32":
    import fcntl

MAX_TRIES = 100  # to open a file that others make and take away at the same time


class KeyLocks:
    """Leaders among the threads of this process, and of its folder's users where there is flock.

    `folder` None, or Windows, or a file system without locks: only within this process. The folder is made with mode
    0700 when first needed; a file in it lives as long as its leader does.
    """

    def __init__(self, folder: str | None = None) -> None:
        self._folder = folder if sys.platform != "win32" else None
        self._reset()
        register_for_forks(self)

    def _reset(self) -> None:
        self._lock = threading.Lock()
        self._locks_held: weakref.WeakSet[KeyLock] = weakref.WeakSet()
        self._keys: set[bytes] = set()

    def lead(self, key: bytes) -> KeyLock | None:
        """As `Leading.lead`."""
        with self._lock:
            if key in self._keys:
                return None
            path, file = "", None
            if self._folder is not None:
                path = os.path.join(self._folder, hashlib.sha256(key).hexdigest()[:32])
                file = _locked(self._folder, path)
                if file is None:
                    return None
                if file < 0:  # no locks on this file system
                    file = None
            self._keys.add(key)
            held = KeyLock(self, key, path, file)
            self._locks_held.add(held)
            return held

    def _release(self, held: KeyLock) -> None:
        with self._lock:
            if held not in self._locks_held:
                return  # released before, or the parent's: its file was closed at the fork
            self._locks_held.discard(held)
            self._keys.discard(held.key)
            if held.file is not None:
                _unlock(held.path, held.file)

    def _before_fork(self) -> None:
        self._lock.acquire()

    def _after_fork_in_parent(self) -> None:
        self._lock.release()

    def _after_fork_in_child(self) -> None:
        for held in list(self._locks_held):
            if held.file is not None:
                os.close(held.file)  # never unlocked: the lock is the parent's, whose death must end it
        self._reset()


class KeyLock:
    """Being the only learner of a key, until `release`."""

    __slots__ = ("__weakref__", "_locks", "file", "key", "path")

    def __init__(self, locks: KeyLocks, key: bytes, path: str, file: int | None) -> None:
        self._locks = locks
        self.key = key
        self.path = path
        self.file = file

    def release(self) -> None:
        """Let the next one lead. Releasing twice is fine."""
        self._locks._release(self)


def _locked(folder: str, path: str) -> int | None:
    """The file at a path, locked by us; None while another has it, -1 where there are no locks."""
    if sys.platform == "win32":
        return -1
    for _ in range(MAX_TRIES):
        try:
            file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except FileNotFoundError:
            _make(folder)
            continue
        except OSError as error:
            raise _unusable(folder, error) from error
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if _is_at(file, path):
                return file
        except BlockingIOError:
            os.close(file)
            return None
        except OSError:
            os.close(file)
            return -1
        except BaseException:
            os.close(file)
            raise
        os.close(file)  # its leader took it away between our opening and our locking it: look again
    return None


def _make(folder: str) -> None:
    try:
        os.mkdir(folder, 0o700)
    except FileExistsError:
        pass
    except OSError as error:
        raise _unusable(folder, error) from error


def _is_at(file: int, path: str) -> bool:
    try:
        there = os.stat(path)
    except FileNotFoundError:
        return False
    return os.path.samestat(os.fstat(file), there)


def _unlock(path: str, file: int) -> None:
    """Take the file away while it is still ours, then release it, also for copies that a fork past Python's back
    made.
    """
    if sys.platform != "win32":
        try:
            os.unlink(path)
        except OSError:
            pass  # it stays, and serves the next leader
        try:
            fcntl.flock(file, fcntl.LOCK_UN)
        except OSError:
            pass
    os.close(file)


def _unusable(folder: str, error: OSError) -> StoreError:
    return StoreError(
        f"The folder {folder!r}, in which processes agree on who learns a task, cannot be used ({error.strerror}). "
        f"Make it writable for this user; until then only the threads of one process wait for each other."
    )
