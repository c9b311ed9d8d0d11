"""Locks that elect one learner of a key.

Threads use a set, and processes use kernel locks on small files. A lock ends with its process. It only saves agent
runs, so two concurrent learners do no harm.
"""

from __future__ import annotations

import hashlib
import os
import sys
import threading
import weakref

from ..._files import NO_LINKS, open_regular
from ..._forks import register_for_forks
from ...errors import StoreError

if sys.platform != "win32":
    import fcntl

MAX_TRIES = 100  # Attempts to open a file that other processes create and delete concurrently.


class KeyLocks:
    """Locks on keys among the threads of this process and the users of a folder.

    Without a folder, on Windows, and on a file system without locks they work only within this process. The folder is
    created with mode 0700 when first needed. A file in it exists while its lock is held.
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
        """Return the lock on a key without waiting, or None if it is held."""
        with self._lock:
            if key in self._keys:
                return None
            path, file = "", None
            if self._folder is not None:
                path = os.path.join(self._folder, hashlib.sha256(key).hexdigest()[:32])
                file = _locked(self._folder, path)
                if file is None:
                    return None
                if file < 0:  # The file system has no locks.
                    file = None
            self._keys.add(key)
            held = KeyLock(self, key, path, file)
            self._locks_held.add(held)
            return held

    def _release(self, held: KeyLock) -> None:
        with self._lock:
            if held not in self._locks_held:
                return  # It was released before, or it is the parent's and was closed at the fork.
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
                os.close(held.file)  # Unlocking would release the parent's lock, which must last as long as the parent.
        self._reset()


class KeyLock:
    """Exclusive right to learn a key, until `release`."""

    __slots__ = ("__weakref__", "_locks", "file", "key", "path")

    def __init__(self, locks: KeyLocks, key: bytes, path: str, file: int | None) -> None:
        self._locks = locks
        self.key = key
        self.path = path
        self.file = file

    def release(self) -> None:
        """Allow another caller to lead. Releasing again has no effect."""
        self._locks._release(self)


def _locked(folder: str, path: str) -> int | None:
    """Return a locked file, None if another process holds the lock, -1 without locks."""
    if sys.platform == "win32":
        return -1
    for _ in range(MAX_TRIES):
        try:
            file = open_regular(path, os.O_RDWR | os.O_CREAT | NO_LINKS)
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
        os.close(file)  # Its holder deleted it after it was opened here, so open it again.
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
    """Delete the file while its lock is held, then release the lock.

    Unlocking also releases copies of the descriptor that a fork outside of Python made.
    """
    if sys.platform != "win32":
        try:
            os.unlink(path)
        except OSError:
            pass  # The file remains and is used for the next lock.
        try:
            fcntl.flock(file, fcntl.LOCK_UN)
        except OSError:
            pass
    os.close(file)


def _unusable(folder: str, error: OSError) -> StoreError:
    return StoreError(
        f"lock folder {folder!r} cannot be used ({error.strerror}), so only the threads of one process wait for each "
        f"other. Make it writable for this user."
    )
