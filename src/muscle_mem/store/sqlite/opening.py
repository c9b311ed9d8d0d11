"""Opens the file of a SQLite store: made if it is not there, refused untouched if foreign or too new."""

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
    "PRAGMA fullfsync=ON",  # macOS: its fsync alone does not reach the disk
    "PRAGMA checkpoint_fullfsync=ON",
    "PRAGMA trusted_schema=OFF",
    "PRAGMA cell_size_check=ON",
    "PRAGMA secure_delete=ON",
    "PRAGMA mmap_size=0",
)
RETRY_SECONDS = 0.3  # seconds for which a header that looks broken is looked at again
DEFENSIVE = 1010  # SQLITE_DBCONFIG_DEFENSIVE: statements cannot write to SQLite's own tables


class Access(enum.Enum):
    """How a store's file can be used: the words are SQLite's URI parameters."""

    WRITE = "mode=rw"
    READ = "mode=ro"
    FROZEN = "mode=ro&immutable=1"  # takes no lock and makes no file; for a file without writers


def connect(path: str, access: Access, busy_timeout: float) -> sqlite3.Connection:
    """A connection with every safety setting on, text as bytes. Raises what sqlite3 raises."""
    connection = sqlite3.connect(
        _uri(path, access),
        uri=True,
        timeout=busy_timeout,
        isolation_level=None,
        check_same_thread=False,
    )
    try:
        connection.text_factory = bytes
        setconfig = getattr(connection, "setconfig", None)  # Python 3.12
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
    """See that a file of ours lies at `path`, creating it if it is missing; return how it can be used."""
    folder = os.path.dirname(path)
    if not os.path.isdir(folder):
        raise StoreError(f"The folder {folder!r} of the store {path!r} does not exist. Make it, or mend the path.")
    network = None if allow_network else network_type(folder)
    if network is not None:
        raise StoreError(
            f"The store {path!r} lies on a network file system ({network}), where SQLite loses data when two "
            f"machines write. Give a path on a local disk; or, if only one machine ever uses it, "
            f"sqlite:///...?network_fs=allow."
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
    """A connection to a store that this user may not write, for one operation.

    Without a log there is no writer, and SQLite would have to make files to join one: so the file is frozen.
    """
    return connect(path, Access.READ if os.path.exists(path + "-wal") else Access.FROZEN, busy_timeout)


def stamp(path: str) -> int:
    """A number for the state of a store's files, by stat alone. Raises OSError."""
    seen: list[int] = []
    for name in (path, path + "-wal"):
        try:
            status = os.stat(name)
        except FileNotFoundError:
            continue
        seen += (status.st_ino, status.st_size, status.st_mtime_ns)
    return hash(tuple(seen))


def stored_version(path: str) -> int:
    """The version of the store at a path, which is not brought up to date. Raises StoreErrors as `prepare`."""
    path = resolved(path)
    if _size(path) == 0:
        raise StoreError(f"There is no store at {path!r}. Mend the path.")
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
    """Bring an open store up to date, and check that it is whole in shape and signed with this key."""
    version = schema.user_version(connection)
    if version < schema.LATEST:
        if access is not Access.WRITE:
            raise StoreError(
                f"The store {path!r} was written by an older release and must be brought up to date, but is "
                f"read-only. Open it once with the file and its folder writable."
            )
        with write_lock.held(busy_timeout):
            schema.migrate(connection)
    _ensure_not_newer(connection, path)
    trouble = schema.shape_trouble(connection)
    if trouble is not None:
        raise ForeignStoreError(
            f"The file {path!r} says that it is a muscle_mem store, but {trouble}; it was not touched. "
            f"Give another path, or restore a back-up."
        )
    if access is Access.WRITE:
        mode = connection.execute("PRAGMA journal_mode=WAL").fetchone()[0]
        if mode not in (b"wal", "wal"):
            raise StoreError(
                f"The store {path!r} cannot keep a write-ahead log where it lies (SQLite offers {mode!r}). "
                f"Give a path on a local disk."
            )
    signing.agree(connection, path, write_lock.held(busy_timeout) if access is Access.WRITE else None)


def _size(path: str) -> int:
    """Bytes of the file; 0 if there is none. By stat alone: never open() the file beside SQLite."""
    try:
        status = os.stat(path)
    except FileNotFoundError:
        return 0
    except OSError as error:
        raise StoreError(f"The store {path!r} cannot be looked at ({error.strerror}). Mend the path.") from error
    if stat.S_ISDIR(status.st_mode):
        raise StoreError(
            f"The store {path!r} is a folder. Give the path of a file, such as {path + '/store.db'!r}; a folder of "
            f"JSON files is named {'folder:///' + path!r}."
        )
    if not stat.S_ISREG(status.st_mode):
        raise StoreError(f"The store {path!r} is not a regular file. Give the path of a file on a local disk.")
    return status.st_size


def _create(path: str) -> None:
    """Make the store under another name and publish it whole, so that no reader sees an incomplete one."""
    left = [path + end for end in ("-wal", "-shm", "-journal") if os.path.exists(path + end)]
    if left and not os.path.exists(path):
        raise StoreError(
            f"There is no store {path!r}, but {', '.join(map(repr, left))} of a deleted one. Stop the "
            f"programs that still use it and delete these too, or put the store back."
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
            publish(making, path, replace=os.path.exists(path))  # an empty file that was created beforehand
        except FileExistsError:
            pass  # another process was quicker
        finally:
            remove(making)
    except OSError as error:
        raise StoreError(
            f"The store {path!r} cannot be made ({error.strerror}). Make its folder writable for this user, "
            f"or give another path."
        ) from error
    except sqlite3.Error as error:
        raise to_store_error(error, path) from error


def _ensure_ours(path: str) -> None:
    """Look at the header through a connection that takes no lock and writes no file, so that foreigners stay as
    they are. Such a look finds a store broken during a checkpoint; then the log decides, or another look.
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
                f"The file {path!r} is a SQLite database, but not a muscle_mem store (its application_id is "
                f"{application}); it was not touched. Give another path."
            )
        _ensure_not_newer(connection, path)


def _ensure_not_newer(connection: sqlite3.Connection, path: str) -> None:
    version = schema.user_version(connection)
    if version < 0:
        raise DamagedStoreError(f"The store {path!r} has the impossible version {version}. Restore a back-up.")
    if version <= schema.LATEST:
        return
    needed = schema.min_reader(connection)
    if needed is None or needed > schema.LATEST:
        raise NewerStoreError(
            f"The store {path!r} was written by a newer release of muscle_mem (store version {version}, this "
            f"release knows {schema.LATEST}); it was not touched. Upgrade muscle-mem, or give another path."
        )
