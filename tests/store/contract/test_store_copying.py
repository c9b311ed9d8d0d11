"""Copying between stores: everything, in order, once, whatever was cut off in between."""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from muscle_mem.errors import StoreError
from muscle_mem.store import MemoryStore, Note, Observation, Sealed, SqliteStore, Store, Tally, copy_store
from muscle_mem.testing import KEY, OTHER_KEY, a_trajectory, an_observation, ids, observed, standing_of
from store_cases import raw

BLOB = b"blob" * 3000


def fill(store: Store) -> None:
    store.seal(a_trajectory("a"), an_observation("o1", blobs=(BLOB, b"x", BLOB)))
    store.seal(a_trajectory("b", state="quarantined", reason="failed_write"), an_observation("o1", created=-5.0))
    store.seal(a_trajectory("c", OTHER_KEY), an_observation("o1", blobs=(BLOB,)))
    store.seal(a_trajectory("a"), an_observation("o2"), Note(id="a", hits=5, state="trusted", last_hit=3.5))
    store.seal(a_trajectory("a"), an_observation("r", refresh=True, blobs=(b"x",)))
    store.seal(a_trajectory("b"), an_observation("o2"), Note(id="b", failures=1, held=True, by_person=True))
    store.seal(a_trajectory("d"), an_observation("o1"))
    store.seal(a_trajectory("d"), an_observation("r", refresh=True))
    store.note((Note(id="c", checks=(Tally("click pre", 4, 1),), agreed=2, disagreed=1, strikes=1),))


def content(store: Store) -> list[Any]:
    """All of a store without its numbers: trajectories in order, recordings in the order of the whole store."""
    found = store.scan(limit=10_000).stored
    heads = [(one.sealed, one.standing, {row.id: row for _, row in one.observations}) for one in found]
    rows = sorted((seq, one.sealed.id, row.id) for one in found for seq, row in one.observations if not row.refresh)
    return [*heads, [row[1:] for row in rows]]


@pytest.fixture
def source(tmp_path: Path) -> Iterator[SqliteStore]:
    with closing(SqliteStore(tmp_path / "source.db")) as store:
        fill(store)
        yield store


@pytest.fixture
def target(tmp_path: Path) -> Iterator[SqliteStore]:
    with closing(SqliteStore(tmp_path / "target.db")) as store:
        yield store


def test_all_of_it_arrives_in_its_order(source: SqliteStore, target: SqliteStore) -> None:
    done = copy_store(source, target)
    assert (done.trajectories, done.observations, done.present, done.damaged, done.kept) == (4, 8, 0, (), ())
    assert content(target) == content(source)
    assert target.verify()
    with closing(MemoryStore()) as memory, closing(MemoryStore()) as again:
        copy_store(target, memory)
        copy_store(memory, again)
        assert content(again) == content(source)


def test_copying_again_writes_nothing(source: SqliteStore, target: SqliteStore) -> None:
    copy_store(source, target)
    before = target.scan()
    version = target.version(KEY)
    done = copy_store(source, target)
    assert (done.trajectories, done.observations, done.present, done.kept) == (0, 0, 4, ())
    assert target.scan() == before
    assert target.version(KEY) == version


class Breaking(MemoryStore):
    """Fails at the n-th sealing, before or after it was done, as a server that goes away does."""

    left = 0
    after = False

    def seal(self, sealed: Sealed, observation: Observation, note: Note | None = None) -> int:
        self.left -= 1
        if self.left < 0 and not self.after:
            raise StoreError("cut off")
        seq = super().seal(sealed, observation, note)
        if self.left < 0:
            raise StoreError("cut off")
        return seq


@pytest.mark.parametrize("after", [False, True])
@pytest.mark.parametrize("n", range(8))
def test_a_copy_that_was_cut_off_is_mended_by_another(n: int, after: bool, source: SqliteStore) -> None:
    with closing(Breaking()) as target:
        target.left, target.after = n, after
        with pytest.raises(StoreError, match="cut off"):
            copy_store(source, target)
        target.left = 100
        copy_store(source, target)
        assert content(target) == content(source)


def test_a_target_in_use_keeps_its_standings_and_gets_what_it_lacks(source: SqliteStore, target: SqliteStore) -> None:
    target.seal(a_trajectory("a"), an_observation("o1"), Note(id="a", hits=1, state="retired"))
    target.seal(a_trajectory("a"), an_observation("mine", refresh=True))
    target.seal(a_trajectory("own"), an_observation("o1"))
    done = copy_store(source, target)
    assert (done.trajectories, done.observations, done.kept) == (3, 6, ("a",))
    assert standing_of(target, "a").state == "retired"
    assert standing_of(target, "a").hits == 1
    assert {id for _, id in observed(target, "a")} == {"o1", "o2", "mine"}
    assert target.get("own") is not None
    before = target.scan()
    assert copy_store(source, target).observations == 0
    assert target.scan() == before


def test_damaged_rows_are_told_and_not_copied(source: SqliteStore, target: SqliteStore, tmp_path: Path) -> None:
    with raw(tmp_path / "source.db") as connection:
        connection.execute("UPDATE standing SET hits = 99 WHERE n = 2")
        connection.execute("UPDATE observation SET body = x'00' WHERE id = 'o2' AND trajectory = 1")
        connection.execute("UPDATE observation SET body = x'00' WHERE trajectory = 3")
    done = copy_store(source, target)
    assert sorted({one.id for one in done.damaged}) == ["a", "b", "c"]
    assert sorted(ids(target.scan())) == ["a", "d"]
    assert {id for _, id in observed(target, "a")} == {"o1", "r"}
    assert target.verify()


def test_a_damaged_target_is_told_and_left_alone(source: SqliteStore, target: SqliteStore, tmp_path: Path) -> None:
    copy_store(source, target)
    with raw(tmp_path / "target.db") as connection:
        connection.execute("UPDATE standing SET hits = 99 WHERE n = (SELECT n FROM trajectory WHERE id = 'a')")
    done = copy_store(source, target)
    assert [one.id for one in done.damaged] == ["a"]
    assert [one.id for one in target.scan().damaged] == ["a"]


def test_a_store_is_not_copied_into_itself(source: SqliteStore, tmp_path: Path) -> None:
    with closing(SqliteStore(tmp_path / "source.db")) as again:
        for target in (source, again):
            with pytest.raises(StoreError, match="into itself"):
                copy_store(source, target)


@pytest.mark.parametrize("seed", range(15))
def test_random_stores_arrive_as_they_were(seed: int) -> None:
    chance = random.Random(seed)
    with closing(MemoryStore()) as source, closing(MemoryStore()) as target:
        for _ in range(40):
            id = chance.choice("abcdefgh")
            blobs = tuple(chance.choices([BLOB, b"", b"y"], k=chance.randrange(3)))
            row = an_observation(chance.choice("xyz"), refresh=chance.random() < 0.3, blobs=blobs)
            note = Note(id=id, hits=1, state=chance.choice(["fresh", "trusted", None]))
            source.seal(a_trajectory(id, bytes([ord(id) % 2]) * 32), row, note)
            if chance.random() < 0.1:
                source.forget((chance.choice("abcdefgh"),))
        copy_store(source, target)
        assert content(target) == content(source)
