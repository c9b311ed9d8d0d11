"""Files of a store that is being made: private from the first byte, and published whole under their name."""

from __future__ import annotations

import os

_ENDS = ("", "-journal", "-wal", "-shm")


def make_private(path: str) -> None:
    """An empty file that only its owner may read. Raises OSError, also if there is one."""
    os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))


def publish(making: str, path: str, *, replace: bool) -> None:
    """Give the file its name, for good. FileExistsError if there is one and not `replace`."""
    if replace:
        os.replace(making, path)
    else:
        try:
            os.link(making, path)  # unlike a rename it never overwrites
        except FileExistsError:
            raise
        except OSError:
            os.rename(making, path)
    if os.name == "posix":
        folder = os.open(os.path.dirname(path), os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)


def remove(making: str) -> None:
    """Delete a file that was being made, with what SQLite made beside it."""
    for end in _ENDS:
        try:
            os.unlink(making + end)
        except FileNotFoundError:
            pass
