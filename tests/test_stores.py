"""Both stores keep the contract; and what only the SQLite store promises."""

from __future__ import annotations

import gc
import os
import sqlite3
import stat
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from muscle_mem.errors import (
    DamagedStoreError,
    ForeignStoreError,
    InvalidTypeError,
    InvalidValueError,
    NewerStoreError,
    StoreError,
)
from muscle_mem.store import MemoryStore, Note, SqliteStore, Store, open_store, opening, schema, sqlite
from muscle_mem.store.filesystems import NETWORK_TYPES, type_of_mount
from muscle_mem.store.rows import Digests
from muscle_mem.testing import KEY, StoreContract, a_trajectory, an_observation, ids


class TestMemoryStore(StoreContract):
    def make_store(self, tmp_path: Path) -> Store:
        return MemoryStore()


class TestSqliteStore(StoreContract):
    def make_store(self, tmp_path: Path) -> Store:
        tmp_path.mkdir(exist_ok=True)
        return SqliteStore(tmp_path / "store.db")

    def reopen(self, tmp_path: Path) -> Store | None:
        return SqliteStore(tmp_path / "store.db")

    def damage(self, tmp_path: Path, what: str, id: str) -> bool:
        spoil = {
            "trajectory": "UPDATE trajectory SET body = body || x'00' WHERE id = ?",
            "standing": "UPDATE standing SET hits = hits + 1 WHERE n = (SELECT n FROM trajectory WHERE id = ?)",
            "observation": "UPDATE observation SET body = x'00' WHERE id = ?",
            "blob": "UPDATE blob SET body = body || x'00' "
            "WHERE hash = (SELECT substr(blobs, 1, 32) FROM observation WHERE id = ?)",
        }
        with raw(tmp_path / "store.db") as connection:
            connection.execute(spoil[what], (id,))
        return True

    def blobs_kept(self, tmp_path: Path) -> int | None:
        with raw(tmp_path / "store.db") as connection:
            return int(connection.execute("SELECT count(*) FROM blob").fetchone()[0])


@contextmanager
def raw(path: Path) -> Iterator[sqlite3.Connection]:
    """A plain connection, for a look and for mischief."""
    with closing(sqlite3.connect(path, isolation_level=None, check_same_thread=False)) as connection:
        yield connection


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "store.db"


@pytest.fixture
def store(path: Path) -> Iterator[SqliteStore]:
    with closing(SqliteStore(path)) as one:
        yield one


# what a user may give


def test_nothing_gives_a_store_in_memory() -> None:
    for given in (None, "memory:", ":memory:", "sqlite://", "sqlite:///:memory:", MemoryStore().url):
        assert isinstance(open_store(given), MemoryStore)


def test_a_store_is_given_back_as_it_is() -> None:
    one = MemoryStore()
    assert open_store(one) is one


def test_paths_and_urls_name_the_same_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    given = tmp_path / "ein böses%20#?.db"
    with closing(open_store(given)) as first:
        first.seal(a_trajectory(), an_observation())
        for again in (str(given), given.name, first.url, first.url + "?busy_timeout=3&network_fs=allow"):
            with closing(open_store(again)) as other:
                assert other.url == first.url
                assert other.scan() == first.scan()
    relative = "sqlite:///plain.db"
    with closing(open_store(relative)) as one:
        assert one.url == f"sqlite:///{tmp_path}/plain.db"


def test_a_symbolic_link_leads_to_the_same_gate(path: Path, store: SqliteStore, tmp_path: Path) -> None:
    (tmp_path / "link.db").symlink_to(path)
    with closing(SqliteStore(tmp_path / "link.db")) as other:
        assert other.url == store.url


@pytest.mark.parametrize(
    ("given", "error", "words"),
    [
        (42, InvalidTypeError, "42"),
        (b"bytes.db", InvalidTypeError, "bytes.db"),
        (MemoryStore, InvalidTypeError, "MemoryStore"),
        ("", InvalidValueError, "path"),
        ("nul\0.db", InvalidValueError, "nul"),
        ("mysql://localhost/x", InvalidValueError, "sqlite"),
        ("postgresql://me:hush@db/x?mm_shema=y", InvalidValueError, "mm_schema, mm_timeout"),
        ("sqlite://relative.db", InvalidValueError, "three slashes"),
        ("sqlite:///x.db?timeout=3", InvalidValueError, "busy_timeout, network_fs"),
        ("sqlite:///x.db?busy_timeout=soon", InvalidValueError, "soon"),
        ("sqlite:///x.db?busy_timeout=-1", InvalidValueError, "-1"),
        ("sqlite:///x.db?busy_timeout=nan", InvalidValueError, "nan"),
        ("sqlite:///x.db?network_fs=maybe", InvalidValueError, "allow"),
    ],
)
def test_misuse_is_told_at_once(
    given: object, error: type[Exception], words: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(error) as caught:
        open_store(given)
    assert words in str(caught.value)
    assert "hush" not in str(caught.value)
    assert list(tmp_path.iterdir()) == []


# what may lie at the path


def test_an_empty_file_becomes_a_store(path: Path) -> None:
    path.touch(0o644)
    with closing(SqliteStore(path)) as one:
        one.seal(a_trajectory(), an_observation())
    with closing(SqliteStore(path)) as one:
        assert ids(one.scan()) == ["t1"]


def test_files_are_for_their_owner_only_whatever_the_umask(path: Path) -> None:
    script = (
        "import os, sys; os.umask(0)\n"
        "from muscle_mem.store import SqliteStore\n"
        "from muscle_mem.testing import a_trajectory, an_observation\n"
        "store = SqliteStore(sys.argv[1]); store.seal(a_trajectory(), an_observation())\n"
        "folder = os.path.dirname(sys.argv[1])\n"
        "print({n: oct(os.stat(os.path.join(folder, n)).st_mode & 0o777) for n in sorted(os.listdir(folder))})\n"
    )
    shown = python(script, str(path))
    assert shown.strip() == str({path.name + end: "0o600" for end in ("", "-shm", "-wal", ".lock")})


def python(script: str, *args: str) -> str:
    """What a script prints; warnings are errors in it."""
    command = [sys.executable, "-W", "error", "-c", script, *args]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    return done.stdout


def a_folder(path: Path) -> None:
    path.mkdir()


def a_device(path: Path) -> None:
    os.mkfifo(path)


def a_text(path: Path) -> None:
    path.write_text("Dear diary, " * 1000)


def a_foreign_database(path: Path) -> None:
    with raw(path) as connection:
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("CREATE TABLE mine(x)")
        connection.execute("PRAGMA application_id = 7")


def a_database_without_name(path: Path) -> None:
    with raw(path) as connection:
        connection.execute("CREATE TABLE trajectory(x)")


def a_store_of_the_future(path: Path) -> None:
    SqliteStore(path).close()
    with raw(path) as connection:
        connection.execute("PRAGMA user_version = 99")
        connection.execute("UPDATE meta SET value = 98")


def a_future_store_that_does_not_say(path: Path) -> None:
    SqliteStore(path).close()
    with raw(path) as connection:
        connection.execute("PRAGMA user_version = 99")
        connection.execute("DROP TABLE meta")


def a_store_with_a_trigger(path: Path) -> None:
    SqliteStore(path).close()
    with raw(path) as connection:
        connection.execute("CREATE TRIGGER evil AFTER INSERT ON trajectory BEGIN DELETE FROM standing; END")


def a_store_without_a_table(path: Path) -> None:
    SqliteStore(path).close()
    with raw(path) as connection:
        connection.execute("DROP TABLE observation")


def what_is_left_of_a_store(path: Path) -> None:
    path.with_name(path.name + "-wal").write_bytes(b"log of a deleted store")


@pytest.mark.parametrize(
    ("made", "error", "words"),
    [
        (a_folder, StoreError, "is a folder"),
        (a_device, StoreError, "not a regular file"),
        (a_text, ForeignStoreError, "not a SQLite database"),
        (a_foreign_database, ForeignStoreError, "application_id is 7"),
        (a_database_without_name, ForeignStoreError, "application_id is 0"),
        (a_store_of_the_future, NewerStoreError, "version 99"),
        (a_future_store_that_does_not_say, NewerStoreError, "version 99"),
        (a_store_with_a_trigger, ForeignStoreError, "trigger named 'evil'"),
        (a_store_without_a_table, ForeignStoreError, "'observation' is missing"),
        (what_is_left_of_a_store, StoreError, "-wal"),
    ],
)
def test_what_is_not_ours_is_refused_and_untouched(
    made: Callable[[Path], None], error: type[Exception], words: str, path: Path
) -> None:
    made(path)
    for lock in path.parent.glob("*.lock"):
        lock.unlink()
    before = contents(path.parent)
    with pytest.raises(error) as caught:
        SqliteStore(path)
    assert words in str(caught.value)
    assert str(path) in str(caught.value)
    after = contents(path.parent)
    after.pop(path.name + ".lock", None)
    assert after == before


def contents(folder: Path) -> dict[str, bytes | None]:
    return {one.name: one.read_bytes() if one.is_file() else None for one in folder.iterdir()}


def test_a_store_whose_checkpoint_was_cut_off_is_opened(path: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy.db"
    with closing(SqliteStore(path)) as one:
        one.seal(a_trajectory(body=bytes(50_000)), an_observation())
        log = path.with_name(path.name + "-wal").read_bytes()
        with raw(path) as connection:
            connection.execute("PRAGMA wal_checkpoint")
        whole = path.read_bytes()
    copy.with_name(copy.name + "-wal").write_bytes(log)
    copy.write_bytes(whole[: len(whole) // 2])  # the header is new, the end not yet there
    with closing(SqliteStore(copy)) as one:
        assert ids(one.scan()) == ["t1"]


def test_a_missing_folder_is_named_and_not_made(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match=r"folder .*nowhere.* does not exist"):
        SqliteStore(tmp_path / "nowhere" / "store.db")
    assert list(tmp_path.iterdir()) == []


def test_a_newer_store_that_lets_this_release_read_is_opened(path: Path) -> None:
    SqliteStore(path).close()
    with raw(path) as connection:
        connection.execute("PRAGMA user_version = 99")
        connection.execute("ALTER TABLE trajectory ADD COLUMN later TEXT")
    with closing(SqliteStore(path)) as one:
        one.seal(a_trajectory(), an_observation())
        assert ids(one.scan()) == ["t1"]


def test_extra_tables_and_indexes_of_a_person_do_no_harm(path: Path) -> None:
    SqliteStore(path).close()
    with raw(path) as connection:
        connection.execute("CREATE INDEX by_task ON trajectory(task)")
        connection.execute("CREATE TABLE notes_of_mine(x)")
        connection.execute("ANALYZE")
    with closing(SqliteStore(path)) as one:
        one.seal(a_trajectory(), an_observation())


def test_an_older_store_is_brought_up_step_by_step(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with closing(SqliteStore(path)) as one:
        one.seal(a_trajectory(), an_observation())
    steps = (*schema.MIGRATIONS, ("CREATE TABLE second(x)",), ("CREATE TABLE third(x)",))
    monkeypatch.setattr(schema, "MIGRATIONS", steps)
    latest = len(steps)
    monkeypatch.setattr(schema, "LATEST", latest)
    monkeypatch.setattr(schema, "MIN_READERS", (*schema.MIN_READERS, 1, latest))
    schema.expected_shape.cache_clear()
    try:
        with closing(SqliteStore(path)) as one:
            assert ids(one.scan()) == ["t1"]
        with raw(path) as connection:
            assert connection.execute("PRAGMA user_version").fetchone() == (latest,)
            assert connection.execute("SELECT value FROM meta").fetchall() == [(latest,)]
            connection.execute("SELECT * FROM second, third")
    finally:
        schema.expected_shape.cache_clear()


def test_a_migration_that_fails_leaves_the_version_before_it(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    SqliteStore(path).close()
    monkeypatch.setattr(schema, "MIGRATIONS", (*schema.MIGRATIONS, ("CREATE TABLE half(x)", "NONSENSE")))
    known = schema.LATEST
    monkeypatch.setattr(schema, "LATEST", known + 1)
    monkeypatch.setattr(schema, "MIN_READERS", (*schema.MIN_READERS, 1))
    with pytest.raises(StoreError):
        SqliteStore(path)
    with raw(path) as connection:
        assert connection.execute("PRAGMA user_version").fetchone() == (known,)
        assert connection.execute("SELECT count(*) FROM sqlite_master WHERE name = 'half'").fetchone() == (0,)


READ_ONLY = """
import os, sys
from muscle_mem.errors import StoreError
from muscle_mem.store import SqliteStore, open_store  # all loaded while it may still be read
import muscle_mem.store.urls
from muscle_mem.testing import *
if os.geteuid() == 0:
    os.setgroups([]); os.setgid(65534); os.setuid(65534)
store = open_store(sys.argv[1])
before = store.version(KEY)
print(ids(store.find(KEY)), ids(store.scan()), store.get("t1").sealed.task, store.version(KEY) == before)
for call in (lambda: store.seal(a_trajectory(), an_observation()), lambda: store.forget(("t1",))):
    error = raised_by(call)
    print(type(error).__name__, "read-only" in str(error), sys.argv[1] in str(error))
store.close()
print(type(raised_by(lambda: store.find(KEY))).__name__)
"""


@pytest.mark.skipif(os.name != "posix", reason="rights of files are another matter on Windows")
@pytest.mark.parametrize("in_use", [False, True])
@pytest.mark.parametrize("folder_mode", [0o555, 0o777])
def test_a_read_only_store_is_read_and_not_written(in_use: bool, folder_mode: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "store.db"
        writer = SqliteStore(path)
        writer.seal(a_trajectory(), an_observation())
        if not in_use:
            writer.close()
        for one in Path(folder).iterdir():
            one.chmod(0o444)
        os.chmod(folder, folder_mode)
        try:
            shown = python(READ_ONLY, str(path)).splitlines()
        finally:
            os.chmod(folder, 0o755)
            writer.close()
        assert shown == ["['t1'] ['t1'] pay the bill True", *["StoreError True True"] * 2, "StoreError"]


def test_a_read_only_store_sees_what_its_owner_writes_later(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with closing(SqliteStore(path)) as owner:
        owner.seal(a_trajectory(), an_observation())
    monkeypatch.setattr(sqlite, "prepare", lambda *args, **options: opening.Access.READ)
    with closing(SqliteStore(path)) as reader:
        monkeypatch.undo()
        assert {one.name for one in path.parent.iterdir()} == {path.name, path.name + ".lock"}
        before = reader.version(KEY)
        assert ids(reader.find(KEY)) == ["t1"]
        with closing(SqliteStore(path)) as owner:
            owner.seal(a_trajectory("t2"), an_observation())
            assert ids(reader.find(KEY)) == ["t2", "t1"]
        assert reader.version(KEY) != before
        assert ids(reader.find(KEY)) == ["t2", "t1"]


# troubles on the way


def test_a_lock_held_too_long_is_told_and_bounded(path: Path) -> None:
    with closing(SqliteStore(path, busy_timeout=0.1)) as one, raw(path) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(StoreError, match=r"locked by another process for 0\.\d seconds"):
            one.seal(a_trajectory(), an_observation())
        assert ids(one.find(KEY)) == []
        other.execute("COMMIT")
        one.seal(a_trajectory(), an_observation())


def test_a_gate_held_too_long_is_told_and_bounded(path: Path) -> None:
    fcntl = pytest.importorskip("fcntl")
    with closing(SqliteStore(path, busy_timeout=0.1)) as one, open(f"{path}.lock", "w") as gate:
        fcntl.flock(gate, fcntl.LOCK_EX)
        with pytest.raises(StoreError, match=r"locked by another process for 0\.\d seconds"):
            one.seal(a_trajectory(), an_observation())
        fcntl.flock(gate, fcntl.LOCK_UN)
        one.seal(a_trajectory(), an_observation())


def test_close_ends_a_wait(path: Path) -> None:
    fcntl = pytest.importorskip("fcntl")
    one = SqliteStore(path, busy_timeout=50)
    errors: list[BaseException] = []

    def work() -> None:
        try:
            one.seal(a_trajectory(), an_observation())
        except StoreError as error:
            errors.append(error)

    with open(f"{path}.lock", "w") as gate:
        fcntl.flock(gate, fcntl.LOCK_EX)
        thread = threading.Thread(target=work)
        thread.start()
        one.close()
        thread.join(20)
        assert not thread.is_alive()
    assert len(errors) == 1


def test_a_store_deleted_while_open_is_noticed_before_anything_is_lost(path: Path, store: SqliteStore) -> None:
    path.unlink()
    with pytest.raises(StoreError, match="deleted or replaced"):
        store.seal(a_trajectory(), an_observation())


def test_a_transaction_that_fails_leaves_nothing(path: Path, store: SqliteStore) -> None:
    with pytest.raises(StoreError):
        store.seal(a_trajectory(steps=2**70), an_observation())
    with pytest.raises(StoreError):
        store.seal(a_trajectory(), an_observation(created=float("nan")))
    assert store.scan().stored == ()
    store.seal(a_trajectory(), an_observation())


def test_an_interrupt_in_a_transaction_leaves_nothing(store: SqliteStore, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(self: Digests, id: bytes, row: object) -> bytes:
        raise KeyboardInterrupt

    monkeypatch.setattr(Digests, "of_observation", interrupted)
    with pytest.raises(KeyboardInterrupt):
        store.seal(a_trajectory(), an_observation())
    monkeypatch.undo()
    assert store.scan().stored == ()
    store.seal(a_trajectory(), an_observation())


def test_a_full_disk_is_told(path: Path, store: SqliteStore) -> None:
    store.seal(a_trajectory(), an_observation())
    with store._connections.using() as lease:
        assert lease.connection is not None
        lease.connection.execute("PRAGMA max_page_count = 1")
    with pytest.raises(StoreError, match="disk is full"):
        store.seal(a_trajectory("big", body=bytes(100_000)), an_observation())
    assert ids(store.scan()) == ["t1"]


def test_a_damaged_sequence_number_stops_the_writing_only(path: Path, store: SqliteStore) -> None:
    store.seal(a_trajectory(), an_observation())
    with raw(path) as connection:
        connection.execute("UPDATE sequence SET last = 0")
    with pytest.raises(DamagedStoreError, match="sequence"):
        store.seal(a_trajectory("t2"), an_observation())
    assert ids(store.find(KEY)) == ["t1"]


def test_rows_forged_under_a_good_digest_are_damaged(path: Path, store: SqliteStore) -> None:
    store.seal(a_trajectory(), an_observation())
    digests = Digests(lambda data: __import__("hashlib").sha256(data).digest())
    with raw(path) as connection:
        connection.text_factory = bytes
        columns = "id, key, steps, task, scope, tags, created, first_state, first_reason, body"
        row = list(connection.execute(f"SELECT {columns} FROM trajectory").fetchone())
        for at, value, text in (
            (5, b'{"a": 1}', True),
            (5, b"[" * 100_000, True),
            (3, b"\xff", True),
            (2, b"x", False),
        ):
            forged = [*row]
            forged[at] = value
            name = columns.split(", ")[at]
            stored = "CAST(? AS TEXT)" if text else "?"
            connection.execute(
                f"UPDATE trajectory SET {name} = {stored}, digest = ?",
                (value, digests.of_trajectory(tuple(forged))),
            )
            found = store.find(KEY)
            assert found.stored == ()
            assert [one.id for one in found.damaged] == ["t1"]
            connection.execute(f"UPDATE trajectory SET {name} = CAST(? AS TEXT)", (row[at],))


def test_another_signer_reads_nothing(path: Path, store: SqliteStore) -> None:
    store.seal(a_trajectory(), an_observation())
    with closing(SqliteStore(path, signing_key=b"k" * 16)) as other:
        assert other.find(KEY).stored == ()
        assert len(other.find(KEY).damaged) == 1


# connections


def test_connections_of_ended_threads_are_closed(path: Path, store: SqliteStore) -> None:
    def work() -> None:
        store.find(KEY)

    for _ in range(20):
        thread = threading.Thread(target=work)
        thread.start()
        thread.join()
    gc.collect()
    assert len(store._connections._leases) <= 2


def test_a_store_dropped_unclosed_closes_its_file(path: Path) -> None:
    one = SqliteStore(path)
    one.seal(a_trajectory(), an_observation())
    one.version(KEY)
    del one
    gc.collect()
    assert {p.name for p in path.parent.iterdir()} == {path.name, path.name + ".lock"}


def test_every_safety_setting_is_on(store: SqliteStore) -> None:
    wanted = {
        "journal_mode": b"wal",
        "synchronous": 2,
        "trusted_schema": 0,
        "cell_size_check": 1,
        "secure_delete": 1,
        "mmap_size": 0,
        "busy_timeout": 10_000,
    }
    with store._connections.using() as lease:
        assert lease.connection is not None
        for name, value in wanted.items():
            row = lease.connection.execute(f"PRAGMA {name}").fetchone()
            assert row in ((value,), None), name


def test_counters_are_noted_without_waiting_for_the_disk_and_decisions_are_not(store: SqliteStore) -> None:
    def synchronous() -> int:
        with store._connections.using() as lease:
            assert lease.connection is not None
            return int(lease.connection.execute("PRAGMA synchronous").fetchone()[0])

    store.seal(a_trajectory(), an_observation())
    for note, level in ((Note(id="t1", hits=1), 1), (Note(id="t1", state="quarantined"), 2)):
        store.note((note,))
        assert synchronous() == level
    store.note((Note(id="t1", hits=1),))
    store.seal(a_trajectory(), an_observation())
    assert synchronous() == 2


# forgetting


def test_forget_leaves_no_byte_behind(path: Path, store: SqliteStore) -> None:
    canary = b"canary-7f3a"
    marked = {"task": canary.decode(), "tags": (canary.decode(),), "scope": canary.decode()}
    for n in range(60):
        body = (canary + b" %d " % n) * (1 + n * n % 700)
        name = f"{canary.decode()} {n}"
        store.seal(a_trajectory(name, key=canary * (n % 7), body=body, **marked), an_observation(name, body))
        store.seal(a_trajectory(f"kept {n}"), an_observation())
        if n % 3 == 0:
            store.seal(a_trajectory(name), an_observation(f"{name} r", body, refresh=True))
            store.seal(a_trajectory(name), an_observation(f"{name} s", body, refresh=True))
        store.note((Note(id=name, reason=canary.decode() * 3),))
    with closing(SqliteStore(path)) as other:
        other.find(KEY)
        assert store.forget(tuple(f"{canary.decode()} {n}" for n in range(60))) == 60
        assert not store.erasure_pending
        assert [p.name for p in path.parent.iterdir() if canary in p.read_bytes()] == []
    assert len(store.scan(limit=1000).stored) == 60


def test_a_reader_postpones_the_erasing_and_the_store_says_so(path: Path, store: SqliteStore) -> None:
    store._busy_timeout = 0.05
    store.seal(a_trajectory("canary-7f3a"), an_observation())
    with raw(path) as reader:
        reader.execute("BEGIN")
        reader.execute("SELECT * FROM trajectory").fetchall()
        assert (store.forget(), store.erasure_pending) == (1, True)
        reader.execute("COMMIT")
    assert (store.forget(()), store.erasure_pending) == (0, False)
    assert [p.name for p in path.parent.iterdir() if b"canary-7f3a" in p.read_bytes()] == []


# file systems

MOUNTS = r"""
22 1 252:0 / / rw,relatime shared:1 - ext4 /dev/vda rw
30 22 0:25 / /home rw - nfs4 server:/home rw
31 30 0:26 / /home/me/local\040disk rw - xfs /dev/sdb rw
32 22 0:27 / /mnt rw - ext4 /dev/sdc rw
33 22 0:28 / /mnt rw master:2 propagate_from:1 - fuse.sshfs me@there:/ rw
nonsense
34 22 0:29 / /win rw - 9p drvfs rw
"""


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("/etc", "ext4"),
        ("/home", "nfs4"),
        ("/home/me", "nfs4"),
        ("/homely", "ext4"),
        ("/home/me/local disk/x", "xfs"),
        ("/mnt/deep/er", "fuse.sshfs"),
        ("/win/c", "9p"),
    ],
)
def test_the_mount_table_tells_the_type(path: str, kind: str) -> None:
    assert type_of_mount(path, MOUNTS) == kind
    assert type_of_mount(path, "") is None


def test_network_file_systems_are_refused_unless_allowed(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert {"nfs", "nfs4", "cifs", "smb3", "fuse.sshfs"} <= NETWORK_TYPES
    assert not {"ext4", "xfs", "tmpfs", "overlay", "9p", "btrfs", "zfs"} & NETWORK_TYPES
    monkeypatch.setattr("muscle_mem.store.opening.network_type", lambda folder: "nfs4")
    with pytest.raises(StoreError, match=r"nfs4.*network_fs=allow"):
        SqliteStore(path)
    assert not path.exists()
    with closing(open_store(f"sqlite:///{path}?network_fs=allow")) as one:
        one.seal(a_trajectory(), an_observation())


def test_modes_of_the_lock_file(path: Path, store: SqliteStore) -> None:
    store.seal(a_trajectory(), an_observation())
    assert stat.S_IMODE(os.stat(f"{path}.lock").st_mode) == 0o600
