"""Paths of stores; files that are being made: private from the first byte, published whole under their name."""

from __future__ import annotations

import os

from ...errors import InvalidTypeError, InvalidValueError

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


def resolved(path: str | os.PathLike[str]) -> str:
    """The absolute path without symbolic links, so that all users of a file share one gate."""
    if not isinstance(path, str | os.PathLike):
        raise InvalidTypeError(f"A store's path is a string or a pathlib.Path, not {type(path).__name__}.")
    text = os.fsdecode(path)
    if not text or "\0" in text:
        raise InvalidValueError(f"{text!r} is not a path of a store. Give the path of a file, or nothing at all.")
    return os.path.realpath(text)
