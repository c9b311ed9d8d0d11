"""Opening of a SQLite store's file.

A missing file is created. A foreign or too new one is rejected and left unchanged.
"""

from __future__ import annotations

import enum
import os
import sqlite3
import stat
import time
from contextlib import closing
from urllib.parse import quote

from ...errors import DamagedStoreError, ForeignStoreError, NewerStoreError, StoreError
from ..locking.write_lock import WriteLock
from . import schema
from .errors import to_store_error
from .files import make_private, publish, remove, resolved
from .filesystems import network_type
from .signing import Signing

SETTINGS = (
    "PRAGMA synchronous=FULL",
    "PRAGMA fullfsync=ON",  # On macOS, fsync alone does not reach the disk.
    "PRAGMA checkpoint_fullfsync=ON",
    "PRAGMA trusted_schema=OFF",
    "PRAGMA cell_size_check=ON",
    "PRAGMA secure_delete=ON",
    "PRAGMA mmap_size=0",
)
RETRY_SECONDS = 0.3  # Seconds in which a header that looks broken is read again.
DEFENSIVE = 1010  # SQLITE_DBCONFIG_DEFENSIVE: SQLite's internal tables are read-only.


class Access(enum.Enum):
    """Ways to use a store's file, as URI parameters of SQLite."""

    WRITE = "mode=rw"
    READ = "mode=ro"
    FROZEN = "mode=ro&immutable=1"  # Takes no lock and creates no file; only for a file without writers.


def connect(path: str, access: Access, busy_timeout: float) -> sqlite3.Connection:
    """Open a connection with all safety settings, and text as bytes.

    Raises errors of sqlite3.
    """
    connection = sqlite3.connect(
        _uri(path, access),
        uri=True,
        timeout=busy_timeout,
        isolation_level=None,
        check_same_thread=False,
    )
    try:
        connection.text_factory = bytes
        setconfig = getattr(connection, "setconfig", None)  # Available from Python 3.12 on.
        if setconfig is not None:
            setconfig(DEFENSIVE, True)
        for setting in SETTINGS:
            connection.execute(setting)
    except BaseException:
        connection.close()
        raise
    return connection


def _uri(path: str, access: Access) -> str:
    return f"file:{quote(os.fsencode(path))}?{access.value}"


def prepare(path: str, write_lock: WriteLock, busy_timeout: float, *, allow_network: bool) -> Access:
    """Ensure that a store's file exists, creating it if needed, and return its access.

    Raises StoreError.
    """
    folder = os.path.dirname(path)
    if not os.path.isdir(folder):
        raise StoreError(f"folder {folder!r} of the store {path!r} does not exist. Create it, or correct the path.")
    network = None if allow_network else network_type(folder)
    if network is not None:
        raise StoreError(
            f"store {path!r} is on a network file system ({network}), where SQLite loses data when two machines "
            f"write. Pass a path on a local disk, or ?network_fs=allow if only one machine uses it."
        )
    if _size(path) == 0:
        with write_lock.held(busy_timeout):
            if _size(path) == 0:
                _create(path)
    _ensure_ours(path)
    if os.access(path, os.W_OK) and os.access(folder, os.W_OK):
        return Access.WRITE
    return Access.READ


def connect_to_read(path: str, busy_timeout: float) -> sqlite3.Connection:
    """Open a connection to a store that this user cannot write, for one operation.

    Without a log there is no writer, and SQLite would have to create files to open one. So the file is opened frozen.
    """
    return connect(path, Access.READ if os.path.exists(path + "-wal") else Access.FROZEN, busy_timeout)


def stamp(path: str) -> int:
    """Return a number for the state of a store's files, by stat alone.

    Raises OSError.
    """
    seen: list[int] = []
    for name in (path, path + "-wal"):
        try:
            status = os.stat(name)
        except FileNotFoundError:
            continue
        seen += (status.st_ino, status.st_size, status.st_mtime_ns)
    return hash(tuple(seen))


def stored_version(path: str) -> int:
    """Return the version of the store at a path, without migrating it.

    Raises the errors of `prepare`.
    """
    path = resolved(path)
    if _size(path) == 0:
        raise StoreError(f"there is no store at {path!r}. Correct the path.")
    _ensure_ours(path)
    try:
        with closing(connect_to_read(path, RETRY_SECONDS)) as connection:
            return schema.user_version(connection)
    except sqlite3.Error as error:
        raise to_store_error(error, path) from error


def ready(
    connection: sqlite3.Connection,
    path: str,
    access: Access,
    write_lock: WriteLock,
    busy_timeout: float,
    signing: Signing,
) -> None:
    """Migrate an open store, and verify its schema and signing key."""
    version = schema.user_version(connection)
    if version < schema.LATEST:
        if access is not Access.WRITE:
            raise StoreError(
                f"store {path!r} was written by an older release and must be migrated, but is read-only. "
                f"Make the file and its folder writable, and open it once."
            )
        with write_lock.held(busy_timeout):
            schema.migrate(connection)
    _ensure_not_newer(connection, path)
    trouble = schema.shape_trouble(connection)
    if trouble is not None:
        raise ForeignStoreError(
            f"file {path!r} is marked as a muscle_mem store, but {trouble}; it was not touched. "
            f"Pass another path, or restore a backup."
        )
    if access is Access.WRITE:
        mode = connection.execute("PRAGMA journal_mode=WAL").fetchone()[0]
        if mode not in (b"wal", "wal"):
            raise StoreError(
                f"store {path!r} cannot use a write-ahead log: SQLite offers {mode!r} at this location. "
                f"Pass a path on a local disk."
            )
    signing.agree(connection, path, write_lock.held(busy_timeout) if access is Access.WRITE else None)


def _size(path: str) -> int:
    """Return the size of the file in bytes, or 0 if it does not exist.

    It uses stat, because opening the file outside of SQLite can release SQLite's locks.
    """
    try:
        status = os.stat(path)
    except FileNotFoundError:
        return 0
    except OSError as error:
        raise StoreError(f"store {path!r} cannot be looked up ({error.strerror}). Correct the path.") from error
    if stat.S_ISDIR(status.st_mode):
        raise StoreError(
            f"store {path!r} is a folder. Pass the path of a file, such as {path + '/store.db'!r}. A folder of "
            f"JSON files is named {'folder:///' + path!r}."
        )
    if not stat.S_ISREG(status.st_mode):
        raise StoreError(f"store {path!r} is not a regular file. Pass the path of a file on a local disk.")
    return status.st_size


def _create(path: str) -> None:
    """Create the store under a temporary name, and publish it when it is complete."""
    left = [path + end for end in ("-wal", "-shm", "-journal") if os.path.exists(path + end)]
    if left and not os.path.exists(path):
        raise StoreError(
            f"store {path!r} was deleted, but {', '.join(map(repr, left))} still exists. Stop the programs that use it "
            f"and delete these files too, or restore the store."
        )
    making = f"{path}.new" if os.name == "posix" else f"{path}.{os.getpid()}.new"
    try:
        remove(making)
        make_private(making)
        try:
            connection = connect(making, Access.WRITE, 5.0)
            try:
                schema.migrate(connection)
                connection.execute("PRAGMA journal_mode=WAL")
            finally:
                connection.close()
            publish(making, path, replace=os.path.exists(path))  # An empty file may exist.
        except FileExistsError:
            pass  # Another process created the store first.
        finally:
            remove(making)
    except OSError as error:
        raise StoreError(
            f"store {path!r} cannot be created ({error.strerror}). Make its folder writable for this user, "
            f"or pass another path."
        ) from error
    except sqlite3.Error as error:
        raise to_store_error(error, path) from error


def _ensure_ours(path: str) -> None:
    """Verify that the file is a store of a known version, without changing it.

    The connection takes no lock and writes no file. During a checkpoint the header can look broken. Then the
    write-ahead log is read, or the header again.
    """
    give_up = time.monotonic() + RETRY_SECONDS
    while True:
        try:
            return _probe(path, Access.FROZEN)
        except sqlite3.DatabaseError as error:
            broken = error
        if os.path.exists(path + "-wal"):
            try:
                return _probe(path, Access.READ)
            except sqlite3.DatabaseError as error:
                broken = error
        if time.monotonic() > give_up:
            raise to_store_error(broken, path) from broken
        time.sleep(0.01)


def _probe(path: str, access: Access) -> None:
    with closing(sqlite3.connect(_uri(path, access), uri=True, isolation_level=None)) as connection:
        application = connection.execute("PRAGMA application_id").fetchone()[0]
        if application != schema.APPLICATION_ID:
            raise ForeignStoreError(
                f"file {path!r} is a SQLite database, but not a muscle_mem store (its application_id is "
                f"{application}); it was not touched. Pass another path."
            )
        _ensure_not_newer(connection, path)


def _ensure_not_newer(connection: sqlite3.Connection, path: str) -> None:
    version = schema.user_version(connection)
    if version < 0:
        raise DamagedStoreError(f"store {path!r} is damaged: it has the invalid version {version}. Restore a backup.")
    if version <= schema.LATEST:
        return
    needed = schema.min_reader(connection)
    if needed is None or needed > schema.LATEST:
        raise NewerStoreError(
            f"store {path!r} was written by a newer release of muscle_mem: expected store version {schema.LATEST} or "
            f"lower, got version {version}; it was not touched. Upgrade muscle-mem, or pass another path."
        )
