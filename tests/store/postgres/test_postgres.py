"""The PostgreSQL store keeps the contract; and what only it promises."""

from __future__ import annotations

import gc
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from postgres_server import HOW, drop_schema, raw, url_of

psycopg = pytest.importorskip("psycopg", reason=HOW)

from muscle_mem.errors import DamagedStoreError, StoreError
from muscle_mem.store import Note, SqliteStore, Store, copy_store, open_store, verify
from muscle_mem.store.digest import sha256
from muscle_mem.store.postgres import PostgresStore
from muscle_mem.store.postgres.rows import Seals
from muscle_mem.store.postgres.schema import TABLES
from muscle_mem.store.postgres.writer import Writer
from muscle_mem.testing import KEY, StoreContract, a_trajectory, an_observation, ids


@pytest.mark.usefixtures("database")
class TestPostgresStore(StoreContract):
    def schema(self, tmp_path: Path) -> str:
        return "mm " + sha256(str(tmp_path).encode()).hex()[:20]

    def make_store(self, tmp_path: Path) -> Store:
        self.made.append(self.schema(tmp_path))
        return PostgresStore(url_of(self.schema(tmp_path)))

    def reopen(self, tmp_path: Path) -> Store | None:
        return PostgresStore(url_of(self.schema(tmp_path)))

    def damage(self, tmp_path: Path, what: str, id: str) -> bool:
        spoil = {
            "trajectory": "UPDATE trajectory SET body = body || '\\x00' WHERE id = %s",
            "standing": "UPDATE standing SET hits = hits + 1 WHERE n = (SELECT n FROM trajectory WHERE id = %s)",
            "observation": "UPDATE observation SET body = '\\x00' WHERE id = %s",
            "blob": "UPDATE blob SET body = body || '\\x00' WHERE name = (SELECT blob FROM use u JOIN observation o ON "
            "o.n = u.observation WHERE o.id = %s ORDER BY position(u.blob IN o.record) LIMIT 1)",
        }
        with raw(self.schema(tmp_path)) as connection:
            connection.execute(spoil[what], (id.encode(),))
        return True

    def blobs_kept(self, tmp_path: Path) -> int | None:
        with raw(self.schema(tmp_path)) as connection:
            return int(connection.execute("SELECT count(*) FROM blob").fetchone()[0])

    def saved(self, tmp_path: Path) -> Callable[[], object]:
        schema = self.schema(tmp_path)
        with raw(schema) as connection:
            for table in TABLES:
                connection.execute(f"CREATE TABLE saved_{table} AS SELECT * FROM {table}")

        def restore() -> None:
            with raw(schema) as connection:
                connection.execute("SET session_replication_role = replica")  # in any order of foreign keys
                connection.execute(f"TRUNCATE {', '.join(TABLES)}")
                for table in TABLES:
                    connection.execute(f"INSERT INTO {table} OVERRIDING SYSTEM VALUE SELECT * FROM saved_{table}")
                connection.execute("SELECT setval('change_n_seq', (SELECT max(n) FROM change))")

        return restore

    def pause_commits(self, pause: Callable[[], None]) -> bool:
        real = Writer.finish

        def finish(writer: Writer, answer: int) -> None:
            pause()
            real(writer, answer)

        self.patches.setattr(Writer, "finish", finish)
        return True

    @pytest.fixture(autouse=True)
    def _patches(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.patches = monkeypatch

    @pytest.fixture(autouse=True)
    def _clean(self) -> Iterator[None]:
        self.made: list[str] = []
        yield
        for schema in self.made:
            drop_schema(schema)


@pytest.fixture
def store(schema: str) -> Iterator[PostgresStore]:
    with closing(PostgresStore(url_of(schema))) as one:
        yield one


# what is refused


@pytest.mark.parametrize(
    "edit",
    [
        "UPDATE standing SET state = 'trusted'",
        "UPDATE standing SET seq = 7",
        "UPDATE trajectory SET task = 'another'",
        "UPDATE trajectory SET created = 0",
        "UPDATE trajectory SET digest = set_byte(digest, 0, get_byte(digest, 0) # 1)",
        "UPDATE trajectory SET record = set_byte(record, 3, get_byte(record, 3) # 1)",
        "UPDATE standing SET digest = set_byte(digest, 5, get_byte(digest, 5) # 128)",
    ],
)
def test_a_row_edited_in_any_column_is_damaged(store: PostgresStore, schema: str, edit: str) -> None:
    store.seal(a_trajectory(), an_observation())
    with raw(schema) as connection:
        connection.execute(edit)
    found = store.find(KEY)
    assert found.stored == ()
    assert [one.id for one in found.damaged] == ["t1"]


def test_rows_that_moved_to_another_trajectory_are_damaged(store: PostgresStore, schema: str) -> None:
    for id in ("a", "b"):
        store.seal(a_trajectory(id), an_observation())
    with raw(schema) as connection:
        n = connection.execute("SELECT n FROM trajectory WHERE id = 'a'").fetchone()[0]
        connection.execute("DELETE FROM observation WHERE trajectory = %s", (n,))
        connection.execute("UPDATE observation SET trajectory = %s", (n,))
    assert [len(one.observations) for one in store.scan().stored] == [0, 0]
    assert [one.id for one in store.scan().damaged] == ["a"]


def test_rows_forged_under_a_good_digest_are_damaged(store: PostgresStore, schema: str) -> None:
    store.seal(a_trajectory(), an_observation())
    seals = Seals(sha256)
    with raw(schema) as connection:
        body = connection.execute("SELECT body FROM trajectory").fetchone()[0]
        for record in (b"", b"\xff", b"\x90", b"\xc1", b"\x91" * 10_000, b"\x99" + b"\xc0" * 9):
            digest = seals.of("trajectory", record, body)
            connection.execute("UPDATE trajectory SET record = %s, digest = %s", (record, digest))
            found = store.find(KEY)
            assert found.stored == ()
            assert [one.id for one in found.damaged] == ["t1"]


def test_a_sequence_number_that_went_back_stops_the_writing_only(store: PostgresStore, schema: str) -> None:
    for id in ("t1", "t2", "t3"):
        store.seal(a_trajectory(id), an_observation())
    assert verify(store)
    with raw(schema) as connection:
        connection.execute("ALTER TABLE change ALTER COLUMN n RESTART WITH 1")
    with pytest.raises(DamagedStoreError, match="sequence"):
        store.seal(a_trajectory("t4"), an_observation())
    assert ids(store.find(KEY)) == ["t3", "t2", "t1"]
    assert [one.kind for one in verify(store).troubles] == ["sequence"]


def test_verify_tells_of_counts_that_were_edited_and_counts_none(store: PostgresStore, schema: str) -> None:
    store.seal(a_trajectory(), an_observation())
    for _ in range(2):
        store.note((Note(id="t1", hits=1),))
    with raw(schema) as connection:
        connection.execute("INSERT INTO evidence(trajectory, digest, record) SELECT trajectory, digest, record FROM "
                           "evidence ORDER BY n LIMIT 1")  # fmt: skip
        assert store.get("t1").standing.hits == 2  # the same row again counts once
        connection.execute("UPDATE evidence SET digest = '' WHERE n = (SELECT min(n) + 1 FROM evidence)")
    assert store.get("t1").standing.hits == 1
    assert [one.kind for one in verify(store).troubles] == ["evidence"]
    store.note((Note(id="t1", strikes=1),))
    with raw(schema) as connection:
        assert connection.execute("SELECT count(*) FROM evidence").fetchone() == (1,)  # damage is never deleted


def test_verify_tells_of_blobs_and_rows_that_nothing_reads(store: PostgresStore, schema: str) -> None:
    store.seal(a_trajectory(), an_observation(blobs=(b"kept",)))
    assert verify(store)
    with raw(schema) as connection:
        connection.execute("INSERT INTO blob VALUES (sha256('left'), 'left')")
        connection.execute("DELETE FROM standing")
    assert sorted(one.kind for one in verify(store).troubles) == ["blob", "orphan"]


# signing

SECRET = "a secret of sixteen bytes or more"


def test_a_signed_store_is_read_with_its_key_only(schema: str) -> None:
    url = url_of(schema)
    with closing(open_store(url, signing_key=SECRET)) as store:
        store.seal(a_trajectory(), an_observation())
        assert ids(store.find(KEY)) == ["t1"]
    for key, words in ((None, "missing"), ("another one, as long as this", "another signing_key")):
        with pytest.raises(StoreError, match=words) as caught:
            open_store(url, signing_key=key)
        assert SECRET not in str(caught.value)
    with closing(open_store(url, signing_key=SECRET)) as store:
        assert ids(store.find(KEY)) == ["t1"]


def test_rows_that_nobody_signed_are_refused(schema: str) -> None:
    url = url_of(schema)
    with closing(open_store(url, signing_key=SECRET)) as store:
        with closing(PostgresStore(url)) as forger:
            forger.seal(a_trajectory(), an_observation())
        found = store.find(KEY)
        assert found.stored == ()
        assert "not signed with this key" in found.damaged[0].what
        store.seal(a_trajectory("t2"), an_observation())
        assert ids(store.find(KEY)) == ["t2"]
        with pytest.raises(StoreError, match="missing"):
            open_store(url)  # the first signed row is a sign for all


# what lies in the database


def test_people_can_search_the_plain_columns(store: PostgresStore, schema: str) -> None:
    odd = a_trajectory("odd", task="nul \0 and \ud800", tags=("\0",), reason="ü")
    store.seal(a_trajectory(tags=("home", "Büro")), an_observation())
    store.seal(odd, an_observation())
    with raw(schema) as connection:
        rows = connection.execute(
            "SELECT task, scope, tags, extract(year FROM to_timestamp(created))::int, state FROM trajectory "
            "JOIN standing USING (n) WHERE 'Büro' = ANY(tags)"
        ).fetchall()
        assert rows == [("pay the bill", "tenant-42", ["home", "Büro"], 2023, "fresh")]
        rows = connection.execute("SELECT task, tags FROM trajectory WHERE task LIKE 'nul%'").fetchall()
        assert rows == [("nul \\x00 and \\ud800", ["\\x00"])]
    stored = store.get("odd")
    assert stored is not None
    assert stored.sealed == odd


def test_nothing_of_what_was_forgotten_is_in_the_tables(store: PostgresStore, schema: str) -> None:
    for forget in (lambda: store.forget(("t1",)), store.forget, lambda: store.drop(("t1",))):
        store.seal(a_trajectory(), an_observation(blobs=(b"large",)))
        assert forget() == 1
        with raw(schema) as connection:
            for table in ("trajectory", "standing", "observation", "blob", "use", "evidence"):
                assert connection.execute(f"SELECT count(*) FROM {table}").fetchone() == (0,), table


def test_a_database_that_cannot_hold_every_text_keeps_every_text(database: str) -> None:
    with raw("public") as connection:
        connection.execute("DROP DATABASE IF EXISTS mm_latin1")
        connection.execute("CREATE DATABASE mm_latin1 ENCODING 'LATIN1' LC_COLLATE 'C' LC_CTYPE 'C' TEMPLATE template0")
    try:
        odd = a_trajectory(task="😀 ü \ud800", tags=("ü", "東"), reason="\0")
        other = urlsplit(database)._replace(path="/mm_latin1").geturl()
        with closing(PostgresStore(url_of("s", at=other))) as store:
            store.seal(odd, an_observation())
            stored = store.get("t1")
            assert stored is not None
            assert stored.sealed == odd
    finally:
        with raw("public") as connection:
            connection.execute("DROP DATABASE mm_latin1")


def test_two_stores_of_one_process_share_what_they_hold(schema: str) -> None:
    with closing(PostgresStore(url_of(schema))) as one, closing(PostgresStore(url_of(schema))) as other:
        one.seal(a_trajectory("a"), an_observation())
        other.seal(a_trajectory("b"), an_observation())
        assert one.scan() == other.scan()
        assert ids(one.scan()) == ["b", "a"]


def test_everything_can_be_copied_from_sqlite_and_back(store: PostgresStore, tmp_path: Path) -> None:
    with closing(SqliteStore(tmp_path / "a.db")) as one, closing(SqliteStore(tmp_path / "b.db")) as other:
        for id in "abc":
            one.seal(a_trajectory(id), an_observation(blobs=(b"B" * 10,)), Note(id=id, hits=3, state="trusted"))
        assert copy_store(one, store).trajectories == 3
        assert copy_store(store, other).trajectories == 3
        assert other.scan() == one.scan() == store.scan()


def test_a_store_dropped_unclosed_closes_its_connections(schema: str) -> None:
    one = PostgresStore(url_of(schema))
    one.seal(a_trajectory(), an_observation())
    one.version(KEY)
    assert one.lead(KEY) is not None
    while one._listener.polls < 2:  # until the thread has its connection
        time.sleep(0.01)
    lines = list(one._pool._all)
    assert len(lines) >= 2
    del one
    gc.collect()
    assert all(line.closed for line in lines)
