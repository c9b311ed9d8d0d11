"""Signed stores: what was written without the key, or put in another place, is refused, told, and left alone."""

from __future__ import annotations

import os
import shutil
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from muscle_mem import Engine
from muscle_mem.errors import DamagedStoreError, InvalidTypeError, InvalidValueError, StoreError
from muscle_mem.store import MemoryStore, Note, SqliteStore, Store, copy_store, open_store
from muscle_mem.store.base import Standing
from muscle_mem.store.digest import sha256
from muscle_mem.store.sqlite.rows import Digests, observation_row, standing_row, trajectory_row
from muscle_mem.testing import KEY, OTHER_KEY, a_trajectory, an_observation, ids, standing_of
from sqlite_contract import SqliteContract
from store_cases import raw

SECRET = b"a key of 16 bytes or more"
OTHER = b"another key of some length"


class TestSignedStore(SqliteContract):
    """A signed store keeps the whole contract."""

    def make_store(self, tmp_path: Path) -> Store:
        tmp_path.mkdir(exist_ok=True)
        return SqliteStore(tmp_path / "store.db", signing_key=SECRET)

    def reopen(self, tmp_path: Path) -> Store | None:
        return SqliteStore(tmp_path / "store.db", signing_key=SECRET)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "store.db"


@contextmanager
def signed(path: Path, key: bytes | str | None = SECRET) -> Iterator[SqliteStore]:
    with closing(SqliteStore(path, signing_key=key)) as store:
        yield store


def fill(store: Store) -> None:
    store.seal(a_trajectory("a"), an_observation("o1", b"of a"), Note(id="a", hits=1, state="trusted"))
    store.seal(a_trajectory("b"), an_observation("o1", b"of b"), Note(id="b", state="quarantined", held=True))
    store.seal(a_trajectory("c", OTHER_KEY), an_observation("o2", b"of c"))


FORGERIES: dict[str, Callable[[sqlite3.Connection], object]] = {}


def forgery(function: Callable[[sqlite3.Connection], object]) -> Callable[[sqlite3.Connection], object]:
    FORGERIES[function.__name__] = function
    return function


@forgery
def an_edited_body_under_a_plain_digest(connection: sqlite3.Connection) -> None:
    row = trajectory_row(a_trajectory("a", body=b"evil"))
    digest = Digests(sha256).of_trajectory(row)
    connection.execute("UPDATE trajectory SET body = x'6576696c', digest = ? WHERE id = 'a'", (digest,))


@forgery
def an_edited_body_under_another_key(connection: sqlite3.Connection) -> None:
    row = trajectory_row(a_trajectory("a", body=b"evil"))
    digest = Digests(lambda data: sha256(OTHER + data)).of_trajectory(row)
    connection.execute("UPDATE trajectory SET body = x'6576696c', digest = ? WHERE id = 'a'", (digest,))


@forgery
def another_key_of_the_same_row(connection: sqlite3.Connection) -> None:
    connection.execute("UPDATE trajectory SET key = (SELECT key FROM trajectory WHERE id = 'c') WHERE id = 'a'")


@forgery
def another_id_of_the_same_row(connection: sqlite3.Connection) -> None:
    connection.execute("UPDATE trajectory SET id = 'z' WHERE id = 'a'")


@forgery
def another_trajectorys_row(connection: sqlite3.Connection) -> None:
    connection.execute(
        "UPDATE trajectory SET (body, digest) = (SELECT body, digest FROM trajectory WHERE id = 'b') WHERE id = 'a'"
    )


@forgery
def another_trajectorys_standing(connection: sqlite3.Connection) -> None:
    names = "seq, state, reason, held, strikes, hits, failures, agreed, disagreed, last_hit, checks, digest"
    connection.execute(f"UPDATE standing SET ({names}) = (SELECT {names} FROM standing WHERE n = 2) WHERE n = 1")


@forgery
def a_standing_under_a_plain_digest(connection: sqlite3.Connection) -> None:
    row = standing_row(1, Standing(state="trusted", hits=99))
    digest = Digests(sha256).of_standing(b"a", row)
    connection.execute("UPDATE standing SET state = 'trusted', hits = 99, digest = ? WHERE n = 1", (digest,))


@pytest.mark.parametrize("noted", [True, False], ids=["noted", "note removed"])
@pytest.mark.parametrize("forge", FORGERIES.values(), ids=list(FORGERIES))
def test_a_forged_row_is_refused_told_and_left_alone(
    forge: Callable[[sqlite3.Connection], object], noted: bool, path: Path
) -> None:
    with signed(path) as store:
        fill(store)
        with raw(path) as connection:
            forge(connection)
            if not noted:
                connection.execute("DELETE FROM meta WHERE name = 'signed'")
            before = rows(connection, forge)
        found = store.scan()
        assert sorted(ids(found)) == ["b", "c"]
        assert len(found.damaged) == 1
        assert "is not signed with this key" in found.damaged[0].what
        broken = found.damaged[0].id
        assert broken in ("a", "z")
        assert sorted([*ids(store.find(KEY)), *ids(store.find(OTHER_KEY))]) == ["b", "c"]
        with pytest.raises(DamagedStoreError, match="not signed with this key"):
            store.get(broken)
        with pytest.raises(DamagedStoreError, match="not signed with this key"):
            store.seal(a_trajectory(broken), an_observation("o9"))
        store.note((Note(id=broken, hits=1),))
        with raw(path) as connection:
            assert rows(connection, forge) == before


def rows(connection: sqlite3.Connection, forge: object) -> list[object]:
    """What must be left alone: the table that was forged."""
    table = "standing" if "standing" in getattr(forge, "__name__", "") else "trajectory"
    return connection.execute(f"SELECT * FROM {table}").fetchall()


def test_an_observation_of_another_trajectory_is_refused(path: Path) -> None:
    with signed(path) as store:
        fill(store)
        with raw(path) as connection:
            connection.execute("UPDATE observation SET trajectory = 9 - trajectory * 3 WHERE trajectory IN (1, 2)")
            connection.execute("UPDATE observation SET trajectory = trajectory / 3 WHERE trajectory > 3")
            assert connection.execute("SELECT trajectory FROM observation ORDER BY n").fetchall() != [(1,), (2,), (3,)]
        found = store.find(KEY)
        assert all(one.observations == () for one in found.stored)
        assert found.damaged
        assert all("not signed with this key" in one.what for one in found.damaged)


def test_an_observation_forged_under_a_plain_digest_is_refused(path: Path) -> None:
    with signed(path) as store:
        fill(store)
        row = observation_row(1, an_observation("o1", b"evil"))
        with raw(path) as connection:
            connection.execute(
                "UPDATE observation SET body = ?, digest = ? WHERE n = 1",
                (b"evil", Digests(sha256).of_observation(b"a", row)),
            )
        (damaged,) = store.find(KEY).damaged
        assert (damaged.id, "not signed" in damaged.what) == ("a", True)


def test_blobs_cannot_be_exchanged(path: Path) -> None:
    with signed(path) as store:
        store.seal(a_trajectory(), an_observation(blobs=(b"mine",)))
        with raw(path) as connection:
            connection.execute("UPDATE blob SET hash = ?, body = ?", (sha256(b"evil"), b"evil"))
            connection.execute("UPDATE blob_user SET hash = ?", (sha256(b"evil"),))
            assert "is missing" in store.find(KEY).damaged[0].what
            connection.execute("UPDATE observation SET blobs = ?", (sha256(b"evil"),))
            assert "not signed with this key" in store.find(KEY).damaged[0].what
            connection.execute("UPDATE observation SET blobs = x''")
            assert "not signed with this key" in store.find(KEY).damaged[0].what


def test_without_the_key_a_signed_store_says_so_at_once(path: Path) -> None:
    with signed(path) as store:
        fill(store)
    for opened in (lambda: SqliteStore(path), lambda: open_store(path), lambda: Engine(path)):
        with pytest.raises(StoreError, match="signing_key is needed"):
            opened()
    for key in (OTHER, OTHER.decode()):
        with pytest.raises(StoreError, match="not signed with this key"):
            open_store(path, signing_key=key)
    with signed(path, SECRET.decode()) as store:
        assert sorted(ids(store.scan())) == ["a", "b", "c"]


def test_without_key_and_without_note_each_row_is_refused(path: Path) -> None:
    with signed(path) as store:
        fill(store)
    note = take_note(path)
    with closing(SqliteStore(path)) as store:
        assert [one.what for one in store.find(KEY).damaged] == ["the trajectory fails its digest"] * 2
        with pytest.raises(DamagedStoreError):
            store.seal(a_trajectory("new"), an_observation())
        give_note(path, note)
        (first, _) = store.find(KEY).damaged
        assert first.what == "the trajectory is signed, and a signing_key is needed to read it"
        assert store.find(KEY).stored == ()


def take_note(path: Path) -> object:
    with raw(path) as connection:
        (note,) = connection.execute("SELECT value FROM meta WHERE name = 'signed'").fetchone()
        connection.execute("DELETE FROM meta WHERE name = 'signed'")
    return note


def give_note(path: Path, note: object) -> None:
    with raw(path) as connection:
        connection.execute("INSERT INTO meta VALUES ('signed', ?)", (note,))


def test_an_unsigned_store_under_a_key_offers_nothing_and_says_how_to_move(path: Path, tmp_path: Path) -> None:
    with signed(path, None) as store:
        fill(store)
    with signed(path) as store:
        found = store.find(KEY)
        assert found.stored == ()
        assert all("`muscle-mem copy`" in one.what for one in found.damaged)
        with pytest.raises(DamagedStoreError, match="not signed with this key"):
            store.seal(a_trajectory("new"), an_observation())
        assert not store.verify()
    moved = tmp_path / "moved.db"
    with signed(path, None) as old, signed(moved) as new:
        copy_store(old, new)
        assert ids(new.scan()) == ["c", "b", "a"]
        assert standing_of(new, "a").state == "trusted"
        assert new.verify()


def test_a_store_that_never_held_a_row_is_signed_by_the_first_key(path: Path) -> None:
    with signed(path, None) as unsigned:
        with signed(path) as store:
            store.seal(a_trajectory(), an_observation())
            assert store.verify()
        assert "signing_key is needed" in unsigned.find(KEY).damaged[0].what
    with pytest.raises(StoreError, match="signing_key is needed"):
        SqliteStore(path)


def test_a_store_signed_meanwhile_takes_no_unsigned_row(path: Path) -> None:
    with signed(path, None) as unsigned, signed(path), pytest.raises(StoreError, match="signing_key is needed"):
        unsigned.seal(a_trajectory(), an_observation())
    with signed(path) as store:
        assert store.verify()


@pytest.mark.parametrize(
    ("key", "error", "words"),
    [
        (b"hush-hush", InvalidValueError, "has 9 bytes; at least 16"),
        ("hush-hush-hüsh", InvalidValueError, "has 15 bytes"),
        (b"", InvalidValueError, "has 0 bytes"),
        (4711, InvalidTypeError, "not int"),
        (["hush-hush"], InvalidTypeError, "not list"),
    ],
)
def test_a_key_that_is_none_is_told_without_showing_it(
    key: object, error: type[Exception], words: str, path: Path
) -> None:
    for opened in (
        lambda: SqliteStore(path, signing_key=key),
        lambda: open_store("memory:", signing_key=key),
        lambda: Engine(path, signing_key=key),
    ):
        with pytest.raises(error) as caught:
            opened()
        assert words in str(caught.value)
        assert "hush-" not in str(caught.value)
        assert "4711" not in str(caught.value)
    assert not path.exists()


def test_memory_ignores_a_key_and_an_open_store_refuses_it(path: Path) -> None:
    assert isinstance(open_store(None, signing_key=SECRET), MemoryStore)
    Engine(signing_key=SECRET).close()
    with closing(MemoryStore()) as given, pytest.raises(InvalidValueError, match="open store"):
        open_store(given, signing_key=SECRET)


def test_the_key_is_shown_and_written_nowhere(path: Path, tmp_path: Path) -> None:
    with signed(path) as store:
        fill(store)
        store.backup(tmp_path / "copy.db")
        shown = [repr(store), str(store), store.url, repr(vars(store)), repr(store.verify())]
        assert not [one for one in shown if SECRET.decode() in one or SECRET.hex() in one]
        for name in os.listdir(tmp_path):
            assert SECRET not in (tmp_path / name).read_bytes(), name


def test_an_engine_learns_and_replays_under_a_key(path: Path, tmp_path: Path) -> None:
    def engine_on(where: Path, key: bytes | None) -> tuple[Engine, list[str]]:
        done: list[str] = []
        engine = Engine(where, signing_key=key)

        @engine.tool(effect="read")
        def look(at: str) -> str:
            done.append(at)
            return at

        engine.set_agent(lambda task: look(task))
        return engine, done

    engine, _ = engine_on(path, SECRET)
    with engine:
        assert not engine("a task")
        assert engine("a task")
    engine, _ = engine_on(path, SECRET)
    with engine:
        assert engine("a task")
    forged = tmp_path / "forged.db"
    plain, _ = engine_on(forged, None)
    with plain:
        plain("a task")
    engine, done = engine_on(forged, SECRET)
    with engine:
        outcome = engine("a task")
        assert not outcome
        assert done == ["a task"]
        assert outcome.reason == "damaged"


def test_a_file_of_another_store_under_the_same_key_is_whole(path: Path, tmp_path: Path) -> None:
    """What a key cannot tell: an older copy of the same store. The docs say so."""
    with signed(path) as store:
        fill(store)
    shutil.copy(path, tmp_path / "older.db")
    with signed(tmp_path / "older.db") as store:
        assert store.verify()
