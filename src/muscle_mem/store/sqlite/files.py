"""Paths of stores, and creation of files.

Files are private from the first byte and are published complete.
"""

from __future__ import annotations

import os

from ...errors import InvalidTypeError, InvalidValueError

_ENDS = ("", "-journal", "-wal", "-shm")


def make_private(path: str) -> None:
    """Create an empty file that only its owner may read. Raises OSError if it exists."""
    os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))


def publish(making: str, path: str, *, replace: bool) -> None:
    """Move a complete file to its final path, durably.

    Raises FileExistsError if the path exists and `replace` is false.
    """
    if replace:
        os.replace(making, path)
    else:
        try:
            os.link(making, path)  # Unlike a rename, a link never overwrites.
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
    """Delete an unfinished file and the files that SQLite created next to it."""
    for end in _ENDS:
        try:
            os.unlink(making + end)
        except FileNotFoundError:
            pass


def resolved(path: str | os.PathLike[str]) -> str:
    """Return the absolute path without symbolic links.

    All users of a file so share one write lock.
    """
    if not isinstance(path, str | os.PathLike):
        raise InvalidTypeError(f"path of a store must be a string or a pathlib.Path, got {type(path).__name__}.")
    text = os.fsdecode(path)
    if not text or "\0" in text:
        raise InvalidValueError(f"path of a store must name a file; {text!r} is not a path. Pass another path.")
    return os.path.realpath(text)
