"""Atomic and durable writes of small files, and detection of changes to files."""

from __future__ import annotations

import os
from typing import NamedTuple

from ..._files import read_regular


class Stamp(NamedTuple):
    """The parts of a file's status that distinguish two states of the file."""

    inode: int
    size: int
    mtime: int


def stamps(folder: str, ending: str) -> dict[str, Stamp]:
    """Return the stamps of the files in a folder whose names have this ending.

    Folders are left out. A missing folder has no files. Raises OSError.
    """
    found: dict[str, Stamp] = {}
    try:
        entries = os.scandir(folder)
    except FileNotFoundError:
        return found
    with entries:
        for entry in entries:
            if entry.name.endswith(ending) and not entry.name.startswith("."):
                try:
                    if entry.is_dir():
                        continue
                    status = entry.stat()
                except FileNotFoundError:
                    continue
                except OSError:  # A link that leads to itself: `read_file` raises for it.
                    status = entry.stat(follow_symlinks=False)
                found[entry.name] = Stamp(status.st_ino, status.st_size, status.st_mtime_ns)
    return found


def read_file(path: str) -> bytes:
    """Return the bytes of a file; empty if the file does not exist.

    Raises OSError. It is an UnusableFileError for a pipe, a device, a folder and a file that is too large.
    """
    try:
        return read_regular(path)
    except FileNotFoundError:
        return b""


def write_atomically(path: str, data: bytes) -> None:
    """Write a file atomically and durably. Raises OSError.

    A crash leaves either the old file or the new one.
    """
    folder = os.path.dirname(path)
    making = f"{path}.{os.getpid()}.tmp"
    remove(making)  # A crashed process with the same number may have left it, and a link would lead elsewhere.
    file = os.open(making, os.O_CREAT | os.O_WRONLY | os.O_EXCL | getattr(os, "O_BINARY", 0), 0o600)
    try:
        try:
            view = memoryview(data)
            while view:
                view = view[os.write(file, view) :]
            os.fsync(file)
        finally:
            os.close(file)
        _make_newer(making, path)
        os.replace(making, path)
    except BaseException:
        remove(making)
        raise
    sync_folder(folder)


def _make_newer(making: str, path: str) -> None:
    """Give a replacement a later modification time than the file that it replaces.

    The clock of a file system may be coarse. With an equal time, readers would miss the change.
    """
    try:
        before, now = os.stat(path).st_mtime_ns, os.stat(making)
    except FileNotFoundError:
        return
    if now.st_mtime_ns <= before:
        os.utime(making, ns=(now.st_atime_ns, before + 1_000))


def remove(path: str) -> None:
    """Delete a file if it exists. Raises OSError."""
    try:
        os.unlink(path)
    except FileNotFoundError:
        pass


def sync_folder(folder: str) -> None:
    """Make the names in a folder durable where the system can. Raises OSError."""
    if os.name == "posix":
        file = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(file)
        finally:
            os.close(file)
