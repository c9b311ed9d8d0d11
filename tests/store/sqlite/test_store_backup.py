"""Back-ups and verifying: a copy is one whole state, private, never over another file; every damage is told."""

from __future__ import annotations

import os
import sqlite3
import stat
import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from muscle_mem.errors import DamagedStoreError, InvalidValueError, StoreError
from muscle_mem.store import MemoryStore, Note, SqliteStore, Tally, verify
from muscle_mem.store.sqlite import backup
from muscle_mem.testing import KEY, a_trajectory, an_observation, ids
from store_cases import raw

BLOB = b"blob" * 3000


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "store.db"


@pytest.fixture
def store(path: Path) -> Iterator[SqliteStore]:
    with closing(SqliteStore(path)) as one:
        one.seal(a_trajectory("a"), an_observation(blobs=(BLOB,)), Note(id="a", checks=(Tally("x pre", 1, 2),)))
        one.seal(a_trajectory("b"), an_observation(blobs=(BLOB, b"")))
        yield one


def test_a_backup_is_the_same_store_and_for_its_owner_only(store: SqliteStore, tmp_path: Path) -> None:
    old = os.umask(0)
    try:
        found = store.backup(tmp_path / "copy.db")
    finally:
        os.umask(old)
    assert (bool(found), found.trajectories, found.observations, found.blobs) == (True, 2, 2, 3)
    assert stat.S_IMODE((tmp_path / "copy.db").stat().st_mode) == 0o600
    assert {one.name for one in tmp_path.iterdir() if one.name.startswith("copy")} == {"copy.db"}
    with closing(SqliteStore(tmp_path / "copy.db")) as copy:
        assert copy.scan() == store.scan()
        copy.seal(a_trajectory("c"), an_observation())
    assert ids(store.scan()) == ["b", "a"]


def test_a_signed_store_gives_a_signed_backup(tmp_path: Path) -> None:
    key = b"sixteen bytes and more"
    with closing(SqliteStore(tmp_path / "signed.db", signing_key=key)) as store:
        store.seal(a_trajectory(), an_observation())
        assert store.backup(tmp_path / "copy.db")
    with pytest.raises(StoreError, match="signing_key is needed"):
        SqliteStore(tmp_path / "copy.db")
    with closing(SqliteStore(tmp_path / "copy.db", signing_key=key)) as copy:
        assert ids(copy.scan()) == ["t1"]


def test_a_backup_under_load_is_one_state(path: Path, store: SqliteStore, tmp_path: Path) -> None:
    stop = threading.Event()
    written = threading.Semaphore(0)

    def write() -> None:
        with closing(SqliteStore(path)) as other:
            n = 0
            while not stop.is_set():
                other.seal(a_trajectory(f"w{n}"), an_observation(blobs=(BLOB, b"%d" % n)), Note(id=f"w{n}", hits=7))
                written.release()
                n += 1

    writer = threading.Thread(target=write)
    writer.start()
    try:
        for turn in range(5):
            written.acquire(timeout=30)
            assert store.backup(tmp_path / f"copy{turn}.db")
    finally:
        stop.set()
        writer.join()
    for turn in range(5):
        with closing(SqliteStore(tmp_path / f"copy{turn}.db")) as copy:
            found = [one for one in copy.scan(limit=10_000).stored if one.sealed.id.startswith("w")]
            assert [one.sealed.id for one in found] == [f"w{n}" for n in reversed(range(len(found)))]
            assert all(one.standing.hits == 7 and one.observations[0][1].blobs[0] == BLOB for one in found)


def test_what_is_there_is_not_overwritten_unless_told(store: SqliteStore, tmp_path: Path) -> None:
    target = tmp_path / "copy.db"
    for content in (b"mine", b""):
        target.write_bytes(content)
        with pytest.raises(StoreError, match="not touched"):
            store.backup(target)
        assert target.read_bytes() == content
    assert store.backup(target, overwrite=True)
    with closing(SqliteStore(target)) as copy:
        assert copy.scan() == store.scan()
        with pytest.raises(StoreError, match=r"copy\.db-wal"):
            store.backup(target, overwrite=True)
    (tmp_path / "dangling.db").symlink_to(tmp_path / "nowhere" / "x.db")
    with pytest.raises(StoreError, match="cannot be written"):
        store.backup(tmp_path / "dangling.db")


@pytest.mark.parametrize(
    ("target", "error", "words"),
    [
        ("store.db", StoreError, "cannot replace the store"),
        ("hard link.db", StoreError, "cannot replace the store"),
        (".", StoreError, "is a folder"),
        ("nowhere/copy.db", StoreError, "No such file"),
        ("nul\0.db", InvalidValueError, "nul"),
        ("", InvalidValueError, "path"),
    ],
)
def test_a_target_that_cannot_be_is_told(
    target: str, error: type[Exception], words: str, store: SqliteStore, path: Path, tmp_path: Path
) -> None:
    os.link(path, tmp_path / "hard link.db")
    before = sorted(os.listdir(tmp_path))
    with pytest.raises(error, match=words):
        store.backup(f"{tmp_path}/{target}" if target else "", overwrite=True)
    assert sorted(os.listdir(tmp_path)) == before


def test_a_backup_that_fails_leaves_no_file(
    store: SqliteStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*args: object, **options: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(backup, "publish", fails)
    with pytest.raises(StoreError, match="No space left"):
        store.backup(tmp_path / "copy.db")
    assert not [one for one in os.listdir(tmp_path) if one.startswith("copy")]
    store.close()
    with pytest.raises(StoreError, match="closed"):
        store.backup(tmp_path / "copy.db")


def test_damaged_rows_are_copied_and_told(store: SqliteStore, path: Path, tmp_path: Path) -> None:
    with raw(path) as connection:
        connection.execute("UPDATE standing SET hits = 99 WHERE n = 1")
    found = store.backup(tmp_path / "copy.db")
    assert [(one.kind, one.id) for one in found.troubles] == [("damaged", "a")]
    assert (tmp_path / "copy.db").exists()


def test_a_copy_with_broken_pages_is_not_kept(store: SqliteStore, path: Path, tmp_path: Path) -> None:
    for n in range(40):
        store.seal(a_trajectory(f"n{n}"), an_observation())
    store.close()
    whole = path.read_bytes()
    with raw(path) as connection:
        (page,) = connection.execute("SELECT rootpage FROM sqlite_master WHERE name = 'trajectory_key'").fetchone()
    with open(path, "r+b") as file:  # the key of an index entry, which only a look at the pages finds
        at = whole.index(KEY, (page - 1) * 4096)
        file.seek(at + 4)
        file.write(b"\xff\xff")
    (tmp_path / "copy.db").write_bytes(b"an older back-up")
    with closing(SqliteStore(path)) as broken:
        assert any(one.kind == "file" for one in broken.verify().troubles)
        with pytest.raises(DamagedStoreError, match="cannot be read through"):
            broken.backup(tmp_path / "copy.db", overwrite=True)
    assert (tmp_path / "copy.db").read_bytes() == b"an older back-up"


# verify


def test_a_whole_store_verifies(store: SqliteStore) -> None:
    found = store.verify()
    assert (bool(found), found.trajectories, found.observations, found.blobs) == (True, 2, 2, 3)
    with closing(MemoryStore()) as memory:
        memory.seal(a_trajectory(), an_observation(blobs=(BLOB,)))
        assert (bool(verify(memory)), verify(memory).blobs) == (True, 1)


TROUBLES: list[tuple[str, set[tuple[str, str]], str]] = [
    ("UPDATE trajectory SET body = x'00' WHERE n = 1", {("damaged", "a")}, "the trajectory fails its digest"),
    ("UPDATE standing SET checks = '' WHERE n = 1", {("damaged", "a")}, "the standing fails its digest"),
    ("UPDATE observation SET blobs = x'' WHERE n = 1", {("damaged", "a"), ("blob", "a")}, "fails its digest"),
    ("DELETE FROM standing WHERE n = 1", {("orphan", "a")}, "its standing is missing"),
    ("DELETE FROM trajectory WHERE n = 1", {("damaged", ""), ("orphan", "o1")}, "is missing"),
    ("UPDATE sequence SET last = 0", {("sequence", "")}, "fails its digest, so nothing can be recorded"),
    ("DELETE FROM sequence", {("sequence", "")}, "is missing"),
    ("UPDATE blob SET body = x'00' WHERE n = 2", {("damaged", "b"), ("blob", "")}, "does not match its SHA-256"),
    ("DELETE FROM blob WHERE n = 2", {("damaged", "b")}, "is missing"),
    ("INSERT INTO blob(hash, body) VALUES (x'6e', x'6e')", {("blob", "")}, "is not used"),
    ("DELETE FROM blob_user WHERE observation = 2", {("blob", "b"), ("blob", "")}, "use of 0 is noted"),
    ("INSERT INTO blob_user VALUES (99, x'6e')", {("blob", "")}, "kept for an observation"),
    ("DELETE FROM observation WHERE n = 1", {("blob", "")}, "kept for an observation"),
]


@pytest.mark.parametrize(("sql", "kinds", "words"), TROUBLES, ids=[sql for sql, _, _ in TROUBLES])
def test_every_trouble_is_told(
    sql: str, kinds: set[tuple[str, str]], words: str, store: SqliteStore, path: Path
) -> None:
    with raw(path) as connection:
        connection.execute(sql)
    found = store.verify()
    assert {(one.kind, one.id) for one in found.troubles} == kinds
    assert any(words in one.what for one in found.troubles)
    assert not found


def test_survey_reads_no_body_and_leaves_damaged_standings_out(store: SqliteStore, path: Path) -> None:
    """Bodies are counted by the pages that SQLite touches: with none read, a megabyte costs no page."""
    big = 1_000_000
    store.seal(a_trajectory("big", body=bytes(big)), an_observation(body=bytes(big), blobs=(bytes(big),)))
    pages: list[int] = []
    with closing(SqliteStore(path)) as fresh:
        for ask in (lambda: fresh.survey(), lambda: fresh.scan()):
            before = read_by_this_process()
            ask()
            pages.append(read_by_this_process() - before)
    if pages[1] > 0:  # where the system counts
        assert pages[0] < big / 4 < 3 * big <= pages[1]
    assert store.survey()[0].size == 3 * big
    with raw(path) as connection:
        connection.execute("UPDATE standing SET hits = 99 WHERE n = 1")
    assert [one.id for one in store.survey()] == ["big", "b"]


def read_by_this_process() -> int:
    """Bytes that were asked of the system so far; 0 where it does not say."""
    try:
        text = Path("/proc/self/io").read_text()
    except OSError:
        return 0
    return int(text.split("rchar: ")[1].split()[0])


def test_drop_leaves_the_room_and_forget_gives_it_back(store: SqliteStore, path: Path) -> None:
    said: list[str] = []

    def listen(lines: Callable[[str], None]) -> None:
        with store._connections.using() as lease:
            assert lease.connection is not None
            lease.connection.set_trace_callback(lines)

    listen(said.append)
    assert store.drop(("a",)) == 1
    assert not [line for line in said if "VACUUM" in line or "checkpoint" in line]
    assert sum(line.startswith("BEGIN") for line in said) == 1
    assert store.forget(("b",)) == 1
    assert [line for line in said if line == "VACUUM"]
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("SELECT count(*) FROM blob").fetchone() == (0,)
