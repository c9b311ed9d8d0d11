"""Copies of a SQLite store, made by SQLite itself while others read and write, and looked through before they count."""

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
    """As `SqliteStore.backup`, from an open connection to the store at `path`."""
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
                    f"The copy of the store {path!r} cannot be read through ({broken.what}), so it was not kept. Look "
                    f"at the store with `muscle-mem verify`, and keep the back-ups that you have."
                )
            publish(making, target, replace=overwrite)
        finally:
            remove(making)
    except FileExistsError as error:
        raise _existing_file(target) from error
    except OSError as error:
        raise StoreError(
            f"The back-up {target!r} cannot be written ({error.strerror}). Give a path in a folder that is there and "
            f"writable for this user."
        ) from error
    return found


def _ensure_free(path: str, target: str, overwrite: bool) -> None:
    if target == path or (os.path.exists(target) and os.path.samefile(path, target)):
        raise StoreError(f"The back-up would lie where the store lies ({path!r}). Give another path.")
    if os.path.isdir(target):
        raise StoreError(f"The back-up {target!r} is a folder. Give the path of a file in it.")
    if os.path.lexists(target) and not overwrite:
        raise _existing_file(target)
    left = [target + end for end in ("-wal", "-shm", "-journal") if os.path.exists(target + end)]
    if left:
        raise StoreError(
            f"Beside the back-up {target!r} lies {left[0]!r}: a program uses the file that is there, or did until it "
            f"was cut off. Give another path."
        )


def _existing_file(target: str) -> StoreError:
    return StoreError(
        f"There is a file at {target!r} already; it was not touched. Give another path, or overwrite=True "
        f"(--overwrite)."
    )


def _verify_copy(making: str, target: str, digests: Digests, reader: Reader) -> Verified:
    # Frozen, because the file is new to everyone else, and a look must not make a log beside it.
    with translated(target), closing(connect(making, Access.FROZEN, 0.0)) as copy:

        def scan(after: int | None, limit: int) -> Found:
            with translated(target):
                return reader.scan(copy, after, limit)

        def place() -> tuple[Trouble, ...]:
            with translated(target):
                return tuple(inspect(copy, digests, reader.refusal(copy)))

        return verify_pages(scan, place)
