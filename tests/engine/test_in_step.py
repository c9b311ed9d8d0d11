"""What others write takes effect before the next run of the key; what may lag behind is asked before it acts."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from muscle_mem import Check, Engine, StoreError
from muscle_mem.store import Confirming, MemoryStore, SqliteStore, Store


def worker(store: Store, **options: Any) -> Engine:
    engine = Engine(store, observers=[lambda event: None], **options)
    tool = engine.tool(effect="read", name="tool", version="1")(lambda n=0: f"done {n}")
    engine.set_agent(lambda task: tool(len(task)))
    return engine


def test_a_recording_a_verdict_and_a_forgetting_of_another_store_object_take_effect(tmp_path: Path) -> None:
    one, two = worker(SqliteStore(tmp_path / "m.db")), worker(SqliteStore(tmp_path / "m.db"))
    outcome = one("another")
    assert two("another")
    one.report_bad(str(outcome.trajectory_id), "wrong")
    assert two("another", mode="frozen").reason == "quarantined"
    one.report_good(str(outcome.trajectory_id))
    assert two("another")
    assert one.forget(str(outcome.trajectory_id))
    assert two("another", mode="frozen").reason == "new_task"
    one.close()
    two.close()


OTHER = """
import sys
from muscle_mem import Engine
engine = Engine(sys.argv[1], observers=[lambda event: None])
tool = engine.tool(effect="read", name="tool", version="1")(lambda n=0: f"done {n}")
engine.set_agent(lambda task: tool(len(task)))
for line in sys.stdin:
    what, _, id = line.strip().partition(" ")
    if what == "record":
        print(engine("task").trajectory_id, flush=True)
    elif what == "bad":
        engine.report_bad(id); print("ok", flush=True)
    elif what == "forget":
        print(engine.forget(id), flush=True)
engine.close()
"""


def test_another_processs_doings_take_effect(tmp_path: Path) -> None:
    engine = worker(SqliteStore(tmp_path / "m.db"))
    other = subprocess.Popen(
        [sys.executable, "-c", OTHER, str(tmp_path / "m.db")],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )

    def ask(line: str) -> str:
        assert other.stdin is not None
        assert other.stdout is not None
        other.stdin.write(line + "\n")
        other.stdin.flush()
        return other.stdout.readline().strip()

    with other:
        assert engine("task", mode="frozen").reason == "new_task"
        id = ask("record")
        assert engine("task")
        assert ask(f"bad {id}") == "ok"
        assert engine("task", mode="frozen").reason == "quarantined"
        assert ask(f"forget {id}") == "True"
        assert engine("task", mode="frozen").reason == "new_task"
        assert other.stdin is not None
        other.stdin.close()
    engine.close()


class Lagging:
    """A store whose `version` lags until it is asked."""

    def __init__(self, store: MemoryStore) -> None:
        self._store = store
        self.url = "lagging:"
        self.asked = 0
        self.fail = False
        self.seen: dict[bytes, int] = {}

    def version(self, key: bytes) -> int:
        return self.seen.setdefault(key, self._store.version(key))

    def confirm(self, key: bytes) -> None:
        self.asked += 1
        if self.fail:
            raise OSError("gone")
        self.seen[key] = self._store.version(key)

    def catch_up(self) -> None:
        self.seen.clear()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)


@pytest.mark.parametrize("effect", ["irreversible", "write"])
def test_what_cannot_be_undone_is_confirmed_by_one_round_trip(effect: Any) -> None:
    store = Lagging(MemoryStore())
    assert isinstance(store, Confirming)
    engine = Engine(store, observers=[lambda event: None])
    done: list[str] = []
    pay = engine.tool(Check(lambda: 1), effect=effect, name="pay")(lambda: done.append("paid"))
    engine.set_agent(lambda task: pay())
    outcome = engine("pay")
    store.catch_up()
    store.asked = 0
    assert engine("pay")
    assert store.asked == (1 if effect == "irreversible" else 0)
    store._store.forget((str(outcome.trajectory_id),))  # another process, and this one does not know yet
    missed = engine("pay", mode="frozen")
    assert bool(missed) == (effect == "write")
    assert store.asked == (2 if effect == "irreversible" else 0)


def test_who_comes_to_lead_asks_a_store_that_lags_before_the_agent() -> None:
    store = Lagging(MemoryStore())
    asked: list[str] = []

    def an_engine(name: str, store: Any) -> Engine:
        engine = Engine(store, miss_wait=60.0, observers=[lambda event: None])
        tool = engine.tool(effect="read", name="tool")(lambda: "done")
        engine.set_agent(lambda task: asked.append(name) or tool())
        return engine

    late, quick = an_engine("late", store), an_engine("quick", store._store)

    def lead(key: bytes) -> Any:  # the other one has learned and let go right before
        quick("task")
        return store._store.lead(key)

    store.lead = lead  # type: ignore[attr-defined]
    assert late("task").status == "hit"
    assert asked == ["quick"]


def test_what_cannot_be_confirmed_is_not_replayed() -> None:
    store = Lagging(MemoryStore())
    engine = Engine(store, observers=[lambda event: None])
    pay = engine.tool(Check(lambda: 1), effect="irreversible", name="pay")(lambda: "paid")
    engine.set_agent(lambda task: pay())
    engine("pay")
    store.catch_up()
    store.fail = True
    outcome = engine("pay")
    assert (outcome.status, outcome.reason, outcome.value) == ("miss", "store_unavailable", "paid")
    assert engine.cache_info().store_trouble == "confirm: gone"
    raising = Engine(store, on_store_error="raise", observers=[lambda event: None])
    raising.tool(Check(lambda: 1), effect="irreversible", name="pay")(lambda: "paid")
    raising.set_agent(lambda task: "never")
    with pytest.raises(StoreError, match="on_store_error"):
        raising("pay")


@pytest.mark.parametrize("kind", ["memory", "sqlite"])
def test_a_refresh_that_meets_a_forgetting_brings_nothing_back(kind: str, tmp_path: Path) -> None:
    store: Any = MemoryStore() if kind == "memory" else SqliteStore(tmp_path / "m.db")
    engine = Engine(store, observers=[lambda event: None])
    seen = {"now": 1, "forget": ""}

    def tool() -> None:
        if seen["forget"]:
            store.forget((seen["forget"],))

    look = engine.tool(Check(lambda: seen["now"], lambda now, then: True, refresh=True), name="tool")(tool)
    engine.set_agent(lambda task: look())
    outcome = engine("task")
    seen.update(now=2, forget=str(outcome.trajectory_id))
    assert engine("task")
    assert store.scan().stored == ()
    engine.close()


def test_what_others_do_to_one_trajectory_leaves_the_loaded_ones_of_its_key_as_they_are() -> None:
    store = MemoryStore()
    engine = worker(store)
    second = engine("longer task", key="k")
    for _ in range(2):  # two in a row, so that they do not contradict the other one
        first = engine("task", key="k", mode="record")
    by_id = {one.id: one for one in engine._runtime.library.entries()[0].trajectories}
    engine.report_bad(str(second.trajectory_id))
    engine("task", key="k")
    after = {one.id: one for one in engine._runtime.library.entries()[0].trajectories}
    assert after[str(first.trajectory_id)] is by_id[str(first.trajectory_id)]
    assert after[str(second.trajectory_id)].standing.state == "quarantined"
    engine("longer task", key="k", mode="record")
    engine("task", key="k")
    assert {one.id: one.seq for one in engine._runtime.library.entries()[0].trajectories} != {
        one.id: one.seq for one in by_id.values()
    }
