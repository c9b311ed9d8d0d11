"""Backups of a SQLite store, verified before they are published.

SQLite makes them while others read and write.
"""

from __future__ import annotations

import os
import secrets
import sqlite3
from contextlib import closing

from ...errors import DamagedStoreError, StoreError
from ..base import Found
from ..verifying import Trouble, Verified, verify_pages
from .errors import translated
from .files import make_private, publish, remove
from .integrity import inspect
from .opening import Access, connect
from .reader import Reader
from .rows import Digests


def back_up(
    source: sqlite3.Connection, path: str, target: str, digests: Digests, reader: Reader, *, overwrite: bool
) -> Verified:
    """Write a backup from an open connection; see `SqliteStore.backup`."""
    _ensure_free(path, target, overwrite)
    making = f"{target}.{secrets.token_hex(4)}.new"
    try:
        make_private(making)
        try:
            with translated(target), closing(connect(making, Access.WRITE, 0.0)) as copy:
                source.backup(copy)
            found = _verify_copy(making, target, digests, reader)
            broken = next((trouble for trouble in found.troubles if trouble.kind == "file"), None)
            if broken is not None:
                raise DamagedStoreError(
                    f"backup failed: the copy of {path!r} cannot be read through ({broken.what}) and was deleted. "
                    f"Check the store with `muscle-mem verify`, and keep your existing backups."
                )
            publish(making, target, replace=overwrite)
        finally:
            remove(making)
    except FileExistsError as error:
        raise _existing_file(target) from error
    except OSError as error:
        raise StoreError(
            f"backup {target!r} cannot be written ({error.strerror}). Pass a path in an existing folder that is "
            f"writable for this user."
        ) from error
    return found


def _ensure_free(path: str, target: str, overwrite: bool) -> None:
    if target == path or (os.path.exists(target) and os.path.samefile(path, target)):
        raise StoreError(f"backup cannot replace the store itself ({path!r}). Pass another path.")
    if os.path.isdir(target):
        raise StoreError(f"backup {target!r} is a folder. Pass the path of a file in it.")
    if os.path.lexists(target) and not overwrite:
        raise _existing_file(target)
    left = [target + end for end in ("-wal", "-shm", "-journal") if os.path.exists(target + end)]
    if left:
        raise StoreError(
            f"backup {target!r} cannot be written: {left[0]!r} exists, so a program uses the present file, or crashed "
            f"while it did. Pass another path."
        )


def _existing_file(target: str) -> StoreError:
    return StoreError(
        f"backup {target!r} exists already; it was not touched. Pass another path, or overwrite=True (--overwrite)."
    )


def _verify_copy(making: str, target: str, digests: Digests, reader: Reader) -> Verified:
    # Verification must not create a log next to the new file, which no other process uses yet.
    with translated(target), closing(connect(making, Access.FROZEN, 0.0)) as copy:

        def scan(after: int | None, limit: int) -> Found:
            with translated(target):
                return reader.scan(copy, after, limit)

        def place() -> tuple[Trouble, ...]:
            with translated(target):
                return tuple(inspect(copy, digests, reader.refusal(copy)))

        return verify_pages(scan, place)
