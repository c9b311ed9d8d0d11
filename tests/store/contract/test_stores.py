"""Both stores keep the contract; and what only the SQLite store promises."""

from __future__ import annotations

import gc
import os
import stat
import threading
from contextlib import closing
from pathlib import Path

import pytest

from muscle_mem.errors import DamagedStoreError, InvalidTypeError, InvalidValueError, StoreError
from muscle_mem.store import MemoryStore, Note, SqliteStore, Store, open_store
from muscle_mem.store.sqlite.filesystems import NETWORK_TYPES, type_of_mount
from muscle_mem.store.sqlite.rows import Digests
from muscle_mem.testing import KEY, StoreContract, a_trajectory, an_observation, ids
from sqlite_contract import SqliteContract
from store_cases import raw


class TestMemoryStore(StoreContract):
    def make_store(self, tmp_path: Path) -> Store:
        return MemoryStore()


class TestSqliteStore(SqliteContract):
    pass


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
    monkeypatch.setattr("muscle_mem.store.sqlite.opening.network_type", lambda folder: "nfs4")
    with pytest.raises(StoreError, match=r"nfs4.*network_fs=allow"):
        SqliteStore(path)
    assert not path.exists()
    with closing(open_store(f"sqlite:///{path}?network_fs=allow")) as one:
        one.seal(a_trajectory(), an_observation())


def test_modes_of_the_lock_file(path: Path, store: SqliteStore) -> None:
    store.seal(a_trajectory(), an_observation())
    assert stat.S_IMODE(os.stat(f"{path}.lock").st_mode) == 0o600
