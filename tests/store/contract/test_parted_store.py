"""S21: a store of several parts keeps the contract; and what only it does.

The contract looks at numbers across keys, too, of which a store of parts promises nothing. Of three parts, both keys of
the contract are in one. The tests below use keys of different parts.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from muscle_mem import Engine
from muscle_mem.errors import InvalidTypeError, InvalidValueError, StoreError
from muscle_mem.store import MemoryStore, Note, Promises, SqliteStore, Store, copy_store, verify
from muscle_mem.store.history import HistoryBatch, PastRun
from muscle_mem.store.parted import PartedStore
from muscle_mem.testing import StoreContract, a_trajectory, an_observation, ids
from sqlite_contract import SqliteContract
from store_cases import raw

KEYS = [bytes([0, n]) * 16 for n in range(4)]


class TestPartedMemoryStore(StoreContract):
    def make_store(self, tmp_path: Path) -> Store:
        return PartedStore([MemoryStore() for _ in range(3)])


class TestPartedSqliteStore(SqliteContract):
    def folders(self, tmp_path: Path) -> list[Path]:
        return [tmp_path / f"part {n}" for n in range(3)]

    def make_store(self, tmp_path: Path) -> Store:
        for folder in self.folders(tmp_path):
            folder.mkdir(parents=True, exist_ok=True)
        return self.reopen(tmp_path)

    def reopen(self, tmp_path: Path) -> PartedStore:  # type: ignore[override]
        return PartedStore([folder / "store.db" for folder in self.folders(tmp_path)])

    def damage(self, tmp_path: Path, what: str, id: str) -> bool:
        return all(SqliteContract.damage(self, folder, what, id) for folder in self.folders(tmp_path))

    def saved(self, tmp_path: Path) -> Callable[[], object]:
        restores = []
        for folder in self.folders(tmp_path):
            with closing(SqliteStore(folder / "store.db")) as part:
                part.backup(folder / "saved.db")
            restores.append(folder)

        def restore() -> None:
            for folder in restores:
                for left in ("store.db-wal", "store.db-shm"):
                    (folder / left).unlink(missing_ok=True)
                (folder / "saved.db").replace(folder / "store.db")

        return restore

    def blobs_kept(self, tmp_path: Path) -> int | None:
        return sum(SqliteContract.blobs_kept(self, folder) or 0 for folder in self.folders(tmp_path))


@pytest.fixture
def two() -> Iterator[PartedStore]:
    with closing(PartedStore([MemoryStore(), MemoryStore()])) as store:
        yield store


def filled(store: Store, count: int = 12) -> list[str]:
    """Record trajectories with keys of all parts, unevenly; return their ids."""
    names = []
    for n in range(count):
        names.append(f"t{n}")
        store.seal(a_trajectory(names[-1], KEYS[(n % 5) % 4]), an_observation())
    return names


def test_s21_each_key_has_one_part_and_numbers_are_unique(two: PartedStore) -> None:
    names = filled(two)
    assert [{one.sealed.key for one in part.scan().stored} for part in two.parts] == [
        {KEYS[0], KEYS[2]},
        {KEYS[1], KEYS[3]},
    ]
    for id in names:
        stored = two.get(id)
        assert stored is not None
        assert stored in two.find(stored.sealed.key).stored
    assert len({one.seq for one in two.scan().stored}) == len(names)


@pytest.mark.parametrize("limit", [1, 3, 100])
def test_s21_pages_list_everything_once(two: PartedStore, limit: int) -> None:
    names = filled(two)
    pages: list[Callable[[int | None], tuple[Any, ...]]] = [
        lambda after: two.scan(after=after, limit=limit).stored,
        lambda after: two.survey(after=after, limit=limit),
    ]
    for page_of in pages:
        seqs: list[int] = []
        after = None
        while page := page_of(after):
            assert len(page) <= limit
            seqs += [one.seq for one in page]
            after = seqs[-1]
        assert seqs == sorted(set(seqs), reverse=True)
        assert len(seqs) == len(names)


def test_s21_ids_that_were_not_seen_are_found_in_every_part(two: PartedStore) -> None:
    names = filled(two)
    fresh = PartedStore(two.parts)
    fresh._places.clear()
    fresh.note((Note(id="t0", hits=1), Note(id="t1", hits=2), Note(id="?", hits=9)))
    fresh._places.clear()
    assert [found.standing.hits for id in ("t0", "t1") if (found := fresh.get(id))] == [1, 2]
    fresh._places.clear()
    assert fresh.forget(("t0", "t1", "?", "t1")) == 2
    fresh._places.clear()
    assert fresh.drop(("t2", "t3")) == 2
    assert fresh.get("?") is None
    assert fresh.forget() == len(names) - 4


def test_s21_a_note_on_a_trajectory_of_another_part_is_written(two: PartedStore) -> None:
    two.seal(a_trajectory("a", KEYS[0]), an_observation())
    two.seal(a_trajectory("b", KEYS[1]), an_observation(), Note(id="a", state="retired"))
    stored = two.get("a")
    assert stored is not None
    assert stored.standing.state == "retired"


def test_s21_a_reader_of_the_history_misses_no_part(two: PartedStore) -> None:
    def add(n: int, key: bytes) -> None:
        run = PastRun(id=f"r{n}", at=float(n), status="miss", reason="new_task", key=key)
        two.add_history(HistoryBatch(id=str(n), runs=(run,)))

    for n in range(9):
        add(n, KEYS[0])
    runs = two.history_runs(limit=1)
    last = runs[0].seq
    for n in range(9, 15):  # Part 1 is far behind part 0.
        add(n, KEYS[n % 2])
        new = two.history_runs(newer_than=last)
        assert [run.id for run in new] == [f"r{n}"]
        last = max(last, new[0].seq)
    assert two.history_runs(newer_than=last) == ()
    seen: list[str] = []
    after = None
    while page := two.history_runs(after=after, limit=4):
        seen += [run.id for run in page]
        after = page[-1].seq
    assert sorted(seen) == sorted(f"r{n}" for n in range(15))
    assert two.prune_history(keys=(KEYS[1],)) == 3
    assert two.prune_history() == 12


class Down(MemoryStore):
    """A part that can be unreachable."""

    is_down = False

    def find(self, key: bytes) -> Any:
        if self.is_down:
            raise StoreError("down")
        return super().find(key)

    note = lambda self, notes: self.find(b"") and super().note(notes)


def test_s21_a_part_that_is_down_costs_its_own_tasks_only() -> None:
    down = Down()
    store = PartedStore([MemoryStore(), down])
    filled(store)
    down.is_down = True
    assert ids(store.find(KEYS[0]))
    with pytest.raises(StoreError, match="down"):
        store.find(KEYS[1])
    store._places.clear()
    with pytest.raises(StoreError, match="down"):
        store.note((Note(id="t0", hits=1),))
    stored = store.parts[0].get("t0")
    assert stored is not None
    assert stored.standing.hits == 1  # The parts that can take it did.


def test_s21_other_parts_or_another_order_are_refused(tmp_path: Path) -> None:
    paths = [tmp_path / f"{n}.db" for n in range(2)]
    with closing(PartedStore(paths)) as store:
        filled(store)
    for wrong in (paths[::-1], [*paths, tmp_path / "2.db"]):
        with pytest.raises(StoreError, match="same parts in the same order"):
            PartedStore(wrong)
    with closing(PartedStore(paths)) as store, closing(PartedStore([tmp_path / f"new {n}" for n in range(3)])) as more:
        assert copy_store(store, more).trajectories == 12  # How parts are added.
        assert sorted(ids(more.scan())) == sorted(ids(store.scan()))
        assert verify(more)


@pytest.mark.parametrize(
    ("parts", "error"),
    [([], InvalidValueError), ("a.db", InvalidTypeError), (7, InvalidTypeError), (["x.db", "x.db"], InvalidValueError)],
)
def test_s21_a_list_that_is_none_is_refused(
    parts: Any, error: type[Exception], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(error, match="parts="):
        PartedStore(parts)


def test_s21_the_weakest_promise_counts(two: PartedStore, tmp_path: Path) -> None:
    assert two.promises == Promises(acknowledged="cache", order="key", lasts=False)
    with closing(PartedStore([MemoryStore(), tmp_path / "a.db"])) as mixed:
        assert mixed.promises == Promises(acknowledged="cache", order="key")
    with closing(PartedStore([tmp_path / "a.db", tmp_path / "b.db"])) as files:
        assert files.promises == Promises(acknowledged="machine", order="key")


def test_s21_an_engine_learns_and_replays_over_parts(tmp_path: Path) -> None:
    paths = [tmp_path / f"{n}.db" for n in range(3)]
    for status in ("miss", "hit"):
        with Engine(PartedStore(paths), miss_wait=1.0) as engine:

            @engine.tool(effect="read")
            def look(what: str) -> str:
                return what

            engine.set_agent(lambda task, look=look: look(task))
            assert [engine(f"task {n}").status for n in range(9)] == [status] * 9
            if status == "hit":
                held = engine("task 0").trajectory_id
                engine.report_bad(held, "wrong")
                assert engine("task 0").status == "miss"
                assert engine.prune(max_items=4).kept == 4
    counts = []
    for path in paths:
        with raw(path) as connection:
            counts.append(connection.execute("SELECT count(*) FROM trajectory").fetchone()[0])
    assert sum(counts) == 4
