"""What the SQLite store leaves out to be quick, counted; and that nothing altered passes for it."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from muscle_mem.errors import DamagedStoreError
from muscle_mem.store import SqliteStore
from muscle_mem.store.sqlite.row_cache import MIN_OBSERVATIONS
from muscle_mem.store.sqlite.rows import Digests
from muscle_mem.testing import KEY, a_trajectory, an_observation, ids


@pytest.fixture
def store(tmp_path: Path) -> Iterator[SqliteStore]:
    with closing(SqliteStore(tmp_path / "memory.db")) as store:
        yield store


def edit(store: SqliteStore, sql: str, *values: object) -> None:
    """As another program would."""
    with closing(sqlite3.connect(store.path, isolation_level=None)) as other:
        assert other.execute(sql, values).rowcount > 0


def traced(store: SqliteStore) -> list[str]:
    said: list[str] = []
    with store._connections.using() as lease:
        assert lease.connection is not None
        lease.connection.set_trace_callback(said.append)
    return said


def test_sealing_a_new_trajectory_takes_six_statements(store: SqliteStore) -> None:
    store.seal(a_trajectory(), an_observation())
    said = traced(store)
    store.seal(a_trajectory("t2"), an_observation())
    words = [" ".join(one.split()[:3]).partition("(")[0] for one in said]
    inserts = ["INSERT INTO trajectory", "UPDATE sequence SET", "INSERT INTO standing", "INSERT INTO observation"]
    assert words == ["BEGIN IMMEDIATE", *inserts, "COMMIT"]


def test_finding_a_key_takes_two_statements_for_any_number_of_trajectories(store: SqliteStore) -> None:
    for name in "abcde":
        store.seal(a_trajectory(name), an_observation(name))
        store.seal(a_trajectory(name), an_observation("again", body=name.encode()))
    said = traced(store)
    found = store.find(KEY)
    assert len(said) == 4  # and the transaction that makes them one view
    assert [[row.body for _, row in one.observations] for one in found.stored] == [
        [name.encode(), b"\x00snapshots"] for name in "edcba"
    ]


def test_two_who_write_in_turns_count_on_from_each_other(store: SqliteStore) -> None:
    with closing(SqliteStore(store.path)) as other:
        numbers = [one.seal(a_trajectory(f"t{at}"), an_observation()) for at, one in enumerate([store, other] * 4)]
        assert numbers == list(range(1, 9))


def test_a_number_that_was_rolled_back_is_given_again(store: SqliteStore, monkeypatch: pytest.MonkeyPatch) -> None:
    store.seal(a_trajectory(), an_observation())

    def broken(self: Digests, id: bytes, row: object) -> bytes:
        raise KeyboardInterrupt

    monkeypatch.setattr(Digests, "of_observation", broken)
    with pytest.raises(KeyboardInterrupt):
        store.seal(a_trajectory("t2"), an_observation())
    monkeypatch.undo()
    assert store.seal(a_trajectory("t2"), an_observation()) == 2


@pytest.mark.parametrize("digest", ["x''", "''", "zeroblob(32)"])
@pytest.mark.parametrize("last", [0, 1, 2])
def test_a_forged_sequence_number_is_refused_by_who_counted_it_and_by_others(
    store: SqliteStore, last: int, digest: str
) -> None:
    store.seal(a_trajectory(), an_observation())
    edit(store, f"UPDATE sequence SET last = {last}, digest = {digest}")
    with closing(SqliteStore(store.path)) as other:
        for one in (store, other):
            with pytest.raises(DamagedStoreError, match="sequence"):
                one.seal(a_trajectory("t2"), an_observation())


def test_an_observation_that_outlived_its_trajectory_is_taken_over(store: SqliteStore) -> None:
    store.seal(a_trajectory(), an_observation(created=1.0))
    edit(store, "DELETE FROM standing")
    edit(store, "DELETE FROM trajectory")
    store.seal(a_trajectory(), an_observation(created=2.0))
    assert [row.created for _, row in store.find(KEY).stored[0].observations] == [2.0]
    assert store.inspect() == ()


@pytest.fixture
def many(store: SqliteStore) -> SqliteStore:
    """A trajectory with very many observations, which were read before."""
    for at in range(MIN_OBSERVATIONS):
        store.seal(a_trajectory(), an_observation(f"o{at}", body=b"body %d" % at))
    assert len(store.find(KEY).stored[0].observations) == MIN_OBSERVATIONS
    return store


def test_what_was_verified_is_not_verified_again_while_it_is_the_same(
    many: SqliteStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    checked: list[object] = []
    is_whole = Digests.is_observation_intact

    def noted(self: Digests, id: bytes, row: tuple[object, ...], digest: object) -> bool:
        checked.append(row)
        return is_whole(self, id, row, digest)  # type: ignore[arg-type]

    monkeypatch.setattr(Digests, "is_observation_intact", noted)
    before = many.find(KEY)
    assert not checked
    many.seal(a_trajectory(), an_observation("new"))
    checked.clear()
    found = many.find(KEY)
    assert len(checked) == 1
    assert found.stored[0].observations[1:] == before.stored[0].observations


@pytest.mark.parametrize(
    "change", ["body = x'00'", "digest = zeroblob(32)", "created = 7", "seq = 999", "refresh = 1", "id = 'other'"]
)
def test_an_altered_row_among_many_is_noticed_however_often_it_was_read(many: SqliteStore, change: str) -> None:
    edit(many, f"UPDATE observation SET {change} WHERE n = 5")
    for _ in range(2):
        found = many.find(KEY)
        assert len(found.damaged) == 1
        assert len(found.stored[0].observations) == MIN_OBSERVATIONS - 1


def test_a_row_among_many_that_is_another_trajectorys_is_noticed(many: SqliteStore) -> None:
    many.seal(a_trajectory("t2"), an_observation("other"))
    many.find(KEY)
    edit(many, "UPDATE observation SET trajectory = 2 WHERE n = 5")
    found = many.find(KEY)
    assert [one.id for one in found.damaged] == ["t2"]
    assert ids(found) == ["t2", "t1"]


def test_an_altered_blob_among_many_is_noticed(many: SqliteStore) -> None:
    many.seal(a_trajectory(), an_observation("large", blobs=(b"blob" * 2000,)))
    assert not many.find(KEY).damaged
    edit(many, "UPDATE blob SET body = x'00'")
    assert len(many.find(KEY).damaged) == 1
