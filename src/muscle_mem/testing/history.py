"""Contract of the history, for stores that keep one."""

from __future__ import annotations

import hashlib
from contextlib import closing
from pathlib import Path
from typing import Any

from ..store.history import (
    DAY,
    PICTURES_BYTES,
    RUNS_PER_TASK,
    DayCount,
    HistoryBatch,
    KeepsHistory,
    PastRun,
    Picture,
)
from .records import KEY, OTHER_KEY, a_trajectory, an_observation
from .subject import StoreUnderTest

TODAY = 20_000


def a_count(key: bytes = KEY, **changes: Any) -> DayCount:
    """Return a count of one hit."""
    fields: dict[str, Any] = {
        "scope": "s",
        "task": "pay {bill} \ud800",
        "day": TODAY,
        "status": "hit",
        "reason": "hit",
        "runs": 1,
        "seconds": 0.5,
        "saved_seconds": 2.5,
        "saved_tokens": 100,
        "saved_calls": 3,
        "timed": 1,
        "metered": 1,
        "last": TODAY * DAY + 5.0,
    }
    return DayCount(key=key, **(fields | changes))


def a_run(id: str = "r1", key: bytes = KEY, **changes: Any) -> PastRun:
    """Return a run that missed."""
    fields: dict[str, Any] = {"at": TODAY * DAY + 9.0, "status": "miss", "reason": "new_task", "calls": ("pay(7)",)}
    return PastRun(id=id, key=key, **(fields | changes))


def a_picture(data: bytes = b"picture", **changes: Any) -> Picture:
    """Return a picture, by default of a run."""
    fields: dict[str, Any] = {"at": TODAY * DAY + 9.0, "key": KEY}
    return Picture(hash=hashlib.sha256(data).hexdigest(), data=data, **(fields | changes))


class HistoryContract(StoreUnderTest):
    """Contract of `muscle_mem.store.KeepsHistory`, skipped for other stores."""

    def test_counts_of_the_same_day_add_up(self, tmp_path: Path) -> None:
        with self.opened(tmp_path) as store:
            if not isinstance(store, KeepsHistory):
                return
            assert store.history_counts() == ()
            yesterday = a_count(day=TODAY - 1, status="miss", reason="new_task", last=1.0)
            elsewhere = a_count(scope="other", runs=4)
            store.add_history(HistoryBatch(id="1", counts=(a_count(), yesterday, elsewhere)))
            store.add_history(
                HistoryBatch(id="2", counts=(a_count(seconds=1.5, last=TODAY * DAY + 7.0), a_count(OTHER_KEY)))
            )
            store.add_history(HistoryBatch(id="2", counts=(a_count(),)))  # Written again.
            both = a_count(
                runs=2, seconds=2.0, saved_seconds=5.0, saved_tokens=200, saved_calls=6, timed=2, metered=2,
                last=TODAY * DAY + 7.0,
            )  # fmt: skip
            assert set(store.history_counts()) == {both, yesterday, elsewhere, a_count(OTHER_KEY)}
            assert store.history_counts()[-1] == yesterday
            assert store.history_counts(scope="other") == (elsewhere,)
            assert store.history_counts(key=OTHER_KEY) == (a_count(OTHER_KEY),)
            assert store.history_counts(key=KEY, scope="s", since=TODAY * DAY + 1.0) == (both,)

    def test_runs_are_kept_newest_first_and_found_by_what_they_are(self, tmp_path: Path) -> None:
        with self.opened(tmp_path) as store:
            if not isinstance(store, KeepsHistory):
                return
            full = a_run(
                "r2",
                status="diverged",
                reason="check_refused",
                scope="s",
                task="pay {bill}",
                message="it differs",
                step=2,
                tool="pay",
                seen="7",
                expected="8",
                seen_data=b"\x01\x07",
                expected_data=b"\x01\x08",
                trajectory_id="t",
                seconds=1.5,
                agent_seconds=1.0,
                not_learned="refused",
            )
            store.add_history(HistoryBatch(id="1", runs=(a_run(), full, a_run("r3", OTHER_KEY, at=5.0, learned=True))))
            found = store.history_runs()
            assert [run.id for run in found] == ["r3", "r2", "r1"]
            assert found[0].seq > found[1].seq > found[2].seq > 0
            assert found[1] == PastRun(**{**_fields(full), "seq": found[1].seq})
            assert _ids(store.history_runs(key=KEY)) == ["r2", "r1"]
            assert _ids(store.history_runs(scope="s")) == ["r2"]
            assert _ids(store.history_runs(reason="new_task")) == ["r3", "r1"]
            assert _ids(store.history_runs(trajectory_id="t")) == ["r2"]
            assert _ids(store.history_runs(since=6.0, limit=1)) == ["r2"]
            assert _ids(store.history_runs(after=found[1].seq)) == ["r1"]
            assert _ids(store.history_runs(newer_than=found[1].seq)) == ["r3"]

    def test_a_task_keeps_its_last_runs(self, tmp_path: Path) -> None:
        with self.opened(tmp_path) as store:
            if not isinstance(store, KeepsHistory):
                return
            runs = tuple(a_run(str(n)) for n in range(RUNS_PER_TASK + 5))
            store.add_history(HistoryBatch(id="1", runs=(a_run("other", OTHER_KEY), *runs)))
            found = store.history_runs(limit=1000)
            assert _ids(found) == [*reversed([run.id for run in runs[5:]]), "other"]

    def test_old_history_is_deleted(self, tmp_path: Path) -> None:
        with self.opened(tmp_path) as store:
            if not isinstance(store, KeepsHistory):
                return
            old = a_picture(b"old", at=1.0)
            runs = (a_run("old", at=1.0, seen_picture=old.hash), a_run("new"), a_run("other", OTHER_KEY))
            counts = (a_count(day=TODAY - 40), a_count())
            store.add_history(HistoryBatch(id="1", counts=counts, runs=runs, pictures=(old,)))
            assert store.prune_history(before=(TODAY - 39) * DAY + 1.0, dry_run=True) == 2
            assert len(store.history_runs()) == 3
            store.add_history(HistoryBatch(id="2", keep_from=(TODAY - 39) * DAY + 1.0))
            assert (_ids(store.history_runs()), store.history_counts()) == (["other", "new"], (a_count(),))
            assert store.picture(old.hash) is None
            assert store.prune_history(keys=(OTHER_KEY,)) == 1
            assert _ids(store.history_runs()) == ["new"]
            assert store.prune_history() == 2
            assert (store.history_runs(), store.history_counts()) == ((), ())

    def test_pictures_are_found_by_hash_and_by_step(self, tmp_path: Path) -> None:
        with self.opened(tmp_path) as store:
            if not isinstance(store, KeepsHistory):
                return
            seen, first, second = a_picture(b"seen"), a_picture(b"1", trajectory_id="t", step=0), a_picture(b"2")
            again = a_picture(b"1", trajectory_id="t", step=3)
            store.add_history(
                HistoryBatch(id="1", runs=(a_run(seen_picture=seen.hash),), pictures=(seen, first, again))
            )
            assert store.picture(seen.hash) == b"seen"
            assert store.picture(second.hash) is None
            assert store.step_pictures("t") == {0: first.hash, 3: first.hash}
            assert store.step_pictures("") == {}

    def test_the_oldest_pictures_make_room(self, tmp_path: Path) -> None:
        with self.opened(tmp_path) as store:
            if not isinstance(store, KeepsHistory):
                return
            size = PICTURES_BYTES // 4
            pictures = [a_picture(bytes([n]) * size, trajectory_id="t", step=n) for n in range(5)]
            for n, picture in enumerate(pictures):
                store.add_history(HistoryBatch(id=str(n), pictures=(picture,)))
            assert store.step_pictures("t") == {n: pictures[n].hash for n in range(1, 5)}

    def test_forget_takes_the_history_of_a_task_along(self, tmp_path: Path) -> None:
        with self.opened(tmp_path) as store:
            if not isinstance(store, KeepsHistory):
                return
            for id, key in (("a", KEY), ("b", KEY), ("c", OTHER_KEY)):
                store.seal(a_trajectory(id, key), an_observation())
            seen = a_picture(b"seen")
            steps = [a_picture(id.encode(), key=key, trajectory_id=id, step=0) for id, key in (("a", KEY), ("b", KEY))]
            store.add_history(
                HistoryBatch(
                    id="1",
                    counts=(a_count(), a_count(OTHER_KEY)),
                    runs=(a_run("1"), a_run("2", trajectory_id="a", seen_picture=seen.hash), a_run("3", OTHER_KEY)),
                    pictures=(seen, *steps),
                )
            )
            assert store.forget(("a",)) == 1
            assert _ids(store.history_runs()) == ["3", "1"]
            assert (store.picture(seen.hash), store.step_pictures("a")) == (None, {})
            assert store.step_pictures("b") == {0: steps[1].hash}
            assert len(store.history_counts()) == 2
            assert store.forget(("b",)) == 1
            assert (_ids(store.history_runs()), store.history_counts()) == (["3"], (a_count(OTHER_KEY),))
            assert store.step_pictures("b") == {}
            assert store.forget() == 1
            assert (store.history_runs(), store.history_counts()) == ((), ())

    def test_what_is_in_the_history_changes_no_version(self, tmp_path: Path) -> None:
        with self.opened(tmp_path) as store:
            if not isinstance(store, KeepsHistory):
                return
            store.seal(a_trajectory("a"), an_observation())
            before = store.find(KEY)
            store.add_history(HistoryBatch(id="1", counts=(a_count(),), runs=(a_run(trajectory_id="a"),)))
            assert store.find(KEY) == before

    def test_the_history_persists(self, tmp_path: Path) -> None:
        with self.opened(tmp_path) as store:
            if not isinstance(store, KeepsHistory):
                return
            picture = a_picture(trajectory_id="t", step=1)
            store.add_history(HistoryBatch(id="1", counts=(a_count(),), runs=(a_run(),), pictures=(picture,)))
            again = self.reopen(tmp_path)
            if again is None:
                return
            with closing(again):
                assert isinstance(again, KeepsHistory)
                assert again.history_counts() == (a_count(),)
                assert _ids(again.history_runs()) == ["r1"]
                assert again.picture(picture.hash) == b"picture"


def _fields(run: PastRun) -> dict[str, Any]:
    return {name: getattr(run, name) for name in PastRun.__struct_fields__}


def _ids(runs: tuple[PastRun, ...]) -> list[str]:
    return [run.id for run in runs]
