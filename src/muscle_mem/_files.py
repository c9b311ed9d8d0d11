"""Files at paths that others can choose: regular files of limited size only.

A named pipe blocks the process that opens it, a device such as /dev/zero has no end, and opening a device can have
effects. So a path is looked at before it is opened, opened without blocking, and looked at again through the
descriptor, because it may have been replaced in between.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from typing import BinaryIO

LARGEST_DOCUMENT = 256 * 1024 * 1024  # bytes of the largest file with a trajectory
_SAFE_FLAGS = (
    getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_NOCTTY", 0) | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_BINARY", 0)
)
NO_LINKS = getattr(os, "O_NOFOLLOW", 0)
"""A flag with which `open_regular` rejects a path that is a symbolic link."""


class UnusableFileError(OSError):
    """A path that leads to no regular file, or to a file that is too large."""


def open_regular(path: str | os.PathLike[str], flags: int, mode: int = 0o600) -> int:
    """Open a regular file and return its descriptor.

    Args:
        path: The path of the file.
        flags: The flags of `os.open`. With `O_TRUNC`, the file is emptied after it was found to be regular.
        mode: The file mode if the file is created.

    Raises:
        UnusableFileError: The path leads to a pipe, a device, a socket or a folder.
        OSError: The file cannot be opened.
    """
    if flags & NO_LINKS and os.path.islink(path):
        raise UnusableFileError(errno.ELOOP, "it is a symbolic link", os.fspath(path))
    try:
        _ensure_regular(os.stat(path), path)
    except FileNotFoundError:
        if not flags & os.O_CREAT:
            raise
    except OSError as error:
        if error.errno == errno.ELOOP:
            raise UnusableFileError(errno.ELOOP, "it is a link that leads to itself", os.fspath(path)) from error
        raise
    file = os.open(path, (flags & ~os.O_TRUNC) | _SAFE_FLAGS, mode)
    try:
        _ensure_regular(os.fstat(file), path)
        if flags & os.O_TRUNC:
            os.ftruncate(file, 0)
    except BaseException:
        os.close(file)
        raise
    return file


def _ensure_regular(status: os.stat_result, path: str | os.PathLike[str]) -> None:
    if not stat.S_ISREG(status.st_mode):
        raise UnusableFileError(errno.EINVAL, f"it is a {_kind(status.st_mode)}, not a regular file", os.fspath(path))


def _kind(mode: int) -> str:
    kinds = {stat.S_ISFIFO: "named pipe", stat.S_ISDIR: "folder", stat.S_ISSOCK: "socket"}
    return next((kind for is_kind, kind in kinds.items() if is_kind(mode)), "device")


@contextmanager
def regular_file(path: str | os.PathLike[str]) -> Iterator[BinaryIO]:
    """Open a regular file for reading; see `open_regular`."""
    with open(open_regular(path, os.O_RDONLY), "rb") as file:
        yield file


def read_regular(path: str | os.PathLike[str], limit: int = LARGEST_DOCUMENT) -> bytes:
    """Return the bytes of a regular file.

    Args:
        path: The path of the file.
        limit: The size of the largest file that is read, in bytes.

    Raises:
        UnusableFileError: The path does not lead to a regular file, or the file is too large.
        OSError: The file cannot be read.
    """
    with regular_file(path) as file:
        size = os.fstat(file.fileno()).st_size
        data: bytes | None = file.read(limit + 1) if size <= limit else b""
    if data is None:  # Some files of /proc and /sys wait for data although they are regular.
        raise UnusableFileError(errno.EAGAIN, "it cannot be read without waiting", os.fspath(path))
    if max(size, len(data)) > limit:
        raise UnusableFileError(errno.EFBIG, f"it is larger than {limit} bytes", os.fspath(path))
    return data


def write_regular(path: str | os.PathLike[str], data: bytes, *, follow_links: bool = True) -> None:
    """Write a regular file, which is created or emptied first.

    Args:
        path: The path of the file.
        data: The content.
        follow_links: Whether the path may be a symbolic link.

    Raises:
        UnusableFileError: The path leads to something other than a regular file.
        OSError: The file cannot be written.
    """
    flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | (0 if follow_links else NO_LINKS)
    with open(open_regular(path, flags, 0o666), "wb") as file:
        file.write(data)
