"""Sums of the history: what a store computes equals the sum of its counts."""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from muscle_mem.store import open_store
from muscle_mem.store.history import DAY, DayCount, HistoryBatch
from muscle_mem.store.history_totals import By, folded, history_totals, sums_history


@pytest.fixture(params=["memory:", "{path}/store.db", "folder:///{path}/folder"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Any]:
    with closing(open_store(request.param.format(path=tmp_path))) as opened:
        yield opened


def counts(seed: int) -> tuple[DayCount, ...]:
    chance = random.Random(seed)
    found = []
    for _ in range(60):
        key = bytes([chance.randrange(5)]) * 32
        found.append(
            DayCount(
                key=key, day=chance.randrange(100, 106), status=chance.choice(["hit", "miss", "diverged"]),
                reason=chance.choice(["a", "ü\x00"]), scope=chance.choice(["", "s"]), task=f"task {key[0]}",
                runs=chance.randrange(9), seconds=0.5 * chance.randrange(9), saved_seconds=0.25 * chance.randrange(9),
                saved_tokens=chance.randrange(9), saved_calls=3, timed=1, metered=2, last=float(chance.randrange(99)),
                agent_seconds=1.0,
            )
        )  # fmt: skip
    return tuple(found)


@pytest.mark.parametrize("seed", range(3))
def test_the_sums_of_a_store_are_those_of_its_counts(store: Any, seed: int) -> None:
    store.add_history(HistoryBatch(id="x", counts=counts(seed)))
    assert sums_history(store)
    kinds: tuple[By, By] = ("task", "day")
    for by in kinds:
        for since in (None, 103.0 * DAY, 999.0 * DAY):
            wanted = folded(store.history_counts(since=since), by)
            assert sorted(history_totals(store, by, since), key=repr) == sorted(wanted, key=repr)


def test_a_store_that_sums_nothing_is_summed_for(store: Any) -> None:
    class Plain:
        history_counts = staticmethod(store.history_counts)

    store.add_history(HistoryBatch(id="x", counts=counts(1)))
    by_task = history_totals(Plain(), "task")  # type: ignore[arg-type]
    assert sum(one.runs for one in by_task) == sum(one.runs for one in store.history_counts())
    assert {one.day for one in by_task} == {0}
    assert {one.task for one in history_totals(Plain(), "day")} == {""}  # type: ignore[arg-type]
