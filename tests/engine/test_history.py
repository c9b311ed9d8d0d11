"""What an engine adds to the history of its store: counts and single runs, in batches, without secrets and waiting."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from benchmarks.scenarios.bytecodes import PYTHON, TARGETS, counted

from canaries import PLAIN, found_in
from muscle_mem import Check, Diverged, Engine, InvalidTypeError, InvalidValueError, Missed, Secret
from muscle_mem._library import history as histories
from muscle_mem._library.counters import HITS_PER_WRITE
from muscle_mem._library.library import Library
from muscle_mem.events import StoreEvent
from muscle_mem.store import DayCount, HistoryBatch, MemoryStore, PastRun, SqliteStore
from muscle_mem.store.history import DAY, day_of


class Desk:
    """An agent that presses two keys of a screen, whose text a check compares."""

    def __init__(self, store: Any = None, **options: Any) -> None:
        self.text = "ready"
        self.store = MemoryStore() if store is None else store
        self.engine = Engine(self.store, **{"observers": [], **options})
        self.pressed: list[Any] = []

        @self.engine.tool(name="press", pre_check=Check(lambda key: self.text))
        def press(key: str) -> str:
            self.pressed.append(key)
            return f"pressed {key}"

        self.press = press
        self.engine.set_agent(lambda task, what: [press(what), press("enter")][-1])

    def run(self, key: str = "alpha", **given: Any) -> Any:
        return self.engine("press", key, params={"what": key}, **given)

    def flush(self) -> None:
        self.engine._runtime.library.flush()
        self.engine._runtime.library.history.flush()

    def counts(self) -> dict[tuple[str, str], DayCount]:
        self.flush()
        return {(one.status, one.reason): one for one in self.store.history_counts()}

    def runs(self) -> list[PastRun]:
        self.flush()
        return list(self.store.history_runs())


def test_s26_hits_and_misses_are_counted_by_task_and_day() -> None:
    desk = Desk(clock=lambda: 20_000.5 * DAY)
    assert not desk.run("alpha")
    assert desk.run("beta")
    assert desk.run("gamma")
    counts = desk.counts()
    assert set(counts) == {("hit", "hit"), ("miss", "new_task")}
    hits = counts["hit", "hit"]
    assert (hits.runs, hits.saved_calls, hits.timed, hits.metered, hits.day) == (2, 4, 2, 0, 20_000)
    assert hits.saved_seconds > 0 < hits.seconds
    assert hits.task == counts["miss", "new_task"].task == "'press', '{what}'"
    assert (counts["miss", "new_task"].runs, counts["miss", "new_task"].saved_calls) == (1, 0)
    assert counts["miss", "new_task"].agent_seconds > 0
    assert {one.key for one in counts.values()} == {hits.key}
    assert hits.last == 20_000.5 * DAY


def test_s26_tokens_are_saved_as_the_recording_reported_them() -> None:
    from muscle_mem import current_run

    desk = Desk()

    def agent(task: str, what: str) -> str:
        current_run().report_tokens(120)
        return desk.press(what)

    desk.engine.set_agent(agent)
    desk.run()
    desk.run()
    hits = desk.counts()["hit", "hit"]
    assert (hits.saved_tokens, hits.metered, hits.saved_calls) == (120, 1, 1)


def test_s26_a_run_that_was_no_hit_says_why_and_what_the_agent_did() -> None:
    desk = Desk(scope="tenant")
    first = desk.run("alpha")
    desk.text = "changed"
    second = desk.run("beta")
    missed, new = desk.runs()
    assert (new.status, new.reason, new.trajectory_id, new.learned) == ("miss", "new_task", first.trajectory_id, True)
    assert (missed.status, missed.reason, missed.step, missed.tool) == ("miss", "first_check_refused", 0, "press")
    assert (missed.seen, missed.expected) == ("'changed'", "'ready'")
    assert missed.calls == ("press(key=what)", "press(key='enter')")
    assert missed.scope == "tenant"
    assert missed.task == "'press', '{what}'"
    assert missed.id == new.id.rpartition("-")[0] + "-" + missed.id.rpartition("-")[2]
    assert missed.message == second.message
    assert 0 < missed.agent_seconds <= missed.seconds


def test_s26_a_divergence_names_its_step() -> None:
    desk = Desk()
    first = desk.run()

    desk.pressed = Changing(desk)
    outcome = desk.run()
    assert outcome.status == "diverged"
    run = desk.runs()[0]
    assert (run.status, run.reason, run.step, run.tool) == ("diverged", "check_refused", 1, "press")
    assert (run.seen, run.expected) == ("'changed'", "'ready'")
    assert run.trajectory_id == first.trajectory_id


class Changing(list[Any]):
    """Keys whose pressing changes the screen."""

    def __init__(self, desk: Desk) -> None:
        self.desk = desk

    def append(self, key: Any) -> None:
        super().append(key)
        self.desk.text = "changed"


def test_s26_what_raises_is_counted_by_its_type() -> None:
    desk = Desk()

    def agent(task: str, what: str) -> None:
        desk.press(what)
        raise ZeroDivisionError("by hand")

    desk.engine.set_agent(agent)
    with pytest.raises(ZeroDivisionError):
        desk.run()
    with pytest.raises(Missed):
        desk.run("beta", mode="replay")
    run = desk.runs()[1]
    assert (run.status, run.reason, run.message, run.calls) == (
        "raised",
        "ZeroDivisionError",
        "by hand",
        ("press(key=what)",),
    )
    assert set(desk.counts()) == {("raised", "ZeroDivisionError"), ("miss", "new_task")}


def test_s26_a_divergence_that_raises_is_one() -> None:
    desk = Desk(on_divergence="raise")
    desk.run()
    desk.pressed = Changing(desk)
    with pytest.raises(Diverged):
        desk.run()
    assert desk.runs()[0].status == "diverged"


def test_s26_counts_alone_hold_no_single_run() -> None:
    desk = Desk(history="counts")
    desk.run()
    desk.run()
    assert set(desk.counts()) == {("hit", "hit"), ("miss", "new_task")}
    assert desk.runs() == []


@pytest.mark.parametrize("options", [{"history": "off"}, {"mode": "frozen"}])
def test_s26_nothing_is_kept_if_it_is_off(options: dict[str, Any]) -> None:
    desk = Desk(**options)
    desk.run()
    desk.run()
    assert (desk.counts(), desk.runs()) == ({}, [])


def test_options_are_checked() -> None:
    with pytest.raises(InvalidValueError, match="history"):
        Engine(history="some")  # type: ignore[arg-type]
    with pytest.raises(InvalidValueError, match="pictures"):
        Engine(pictures="all")  # type: ignore[arg-type]
    with pytest.raises(InvalidTypeError, match="history_ttl"):
        Engine(history_ttl="a month")  # type: ignore[arg-type]
    with pytest.raises(InvalidValueError, match="history_ttl"):
        Engine(history_ttl=-1.0)


def test_s26_what_is_older_than_its_time_is_deleted() -> None:
    now = [20_000.0 * DAY]
    desk = Desk(clock=lambda: now[0], history_ttl=2 * DAY)
    desk.run()
    assert len(desk.runs()) == 1
    now[0] += 4 * DAY
    desk.run()
    assert [(one.status, day_of(now[0]) - one.day) for one in desk.store.history_counts()] == [("miss", 4)]
    assert set(desk.counts()) == {("hit", "hit")}
    assert desk.runs() == []


def test_prune_deletes_old_history_too() -> None:
    now = [20_000.0 * DAY]
    desk = Desk(clock=lambda: now[0], history_ttl=2 * DAY)
    desk.run()
    now[0] += 4 * DAY
    desk.engine.prune(max_items=100)
    assert (desk.runs(), desk.counts()) == ([], {})


def test_forget_takes_the_history_of_a_task_along_with_what_waits() -> None:
    desk = Desk()
    outcome = desk.run()
    desk.run()
    assert desk.engine.forget(outcome.trajectory_id)
    assert (desk.runs(), desk.counts()) == ([], {})


def test_cache_clear_deletes_the_history_of_its_scope_alone() -> None:
    store = MemoryStore()
    one, other = Desk(store, scope="one"), Desk(store, scope="other")

    def raising(task: str, what: str) -> None:
        raise ValueError("never learned")

    for desk in (one, other):
        desk.engine.set_agent(raising)
        with pytest.raises(ValueError, match="never"):
            desk.run()
        desk.flush()
    one.engine.cache_clear()
    assert {run.scope for run in store.history_runs()} == {"other"}


class Stubborn(MemoryStore):
    """A store whose history waits for a signal, or fails."""

    def __init__(self, error: Exception | None = None) -> None:
        super().__init__()
        self.go = threading.Event()
        self.entered = threading.Event()
        self.error = error

    def add_history(self, batch: HistoryBatch) -> None:
        self.entered.set()
        if self.error is not None:
            raise self.error
        assert self.go.wait(30)
        super().add_history(batch)


def threaded(desk: Desk) -> histories.History:
    """The history of a desk, written by a thread as for a store in a file."""
    history = desk.engine._runtime.library.history
    history._uses_thread = history.is_due = True
    return history


def test_s26_a_hit_never_waits_for_the_history(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(histories, "RUN_DELAY", 0.01)
    monkeypatch.setattr(histories, "HIT_DELAY", 0.01)
    monkeypatch.setattr("muscle_mem._library.library.HIT_DELAY", 0.01)
    store = Stubborn()
    desk = Desk(store)
    threaded(desk)
    desk.run()
    assert store.entered.wait(30)
    for _ in range(HITS_PER_WRITE + 10):  # The write is still going on.
        assert desk.run()
    assert not store.go.is_set()
    store.go.set()
    assert desk.counts()["hit", "hit"].runs == HITS_PER_WRITE + 10


def test_s26_a_thread_writes_and_ends(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(histories, "RUN_DELAY", 0.01)
    with closing(SqliteStore(tmp_path / "m.db")) as store:
        desk = Desk(store)
        desk.run()
        thread = desk.engine._runtime.library.history._thread
        assert thread is not None
        thread.join(30)
        assert [run.reason for run in store.history_runs()] == ["new_task"]
        assert desk.engine._runtime.library.history.is_due
        desk.engine.close()


def test_a_store_that_fails_costs_the_history_and_nothing_else() -> None:
    events: list[Any] = []
    desk = Desk(Stubborn(OSError("full")), observers=[events.append])
    assert desk.run().learned
    assert desk.run()
    assert [event.operation for event in events if isinstance(event, StoreEvent)] == ["history"]


def test_a_store_that_was_closed_before_its_history_was_written_is_not_reported(tmp_path: Path) -> None:
    events: list[Any] = []
    store = SqliteStore(tmp_path / "m.db")
    desk = Desk(store, observers=[events.append])
    desk.run()
    store.close()
    desk.engine._runtime.library.history.flush()
    assert not [event for event in events if isinstance(event, StoreEvent)]


def test_a_store_without_a_history_is_left_alone() -> None:
    class Bare:
        """The eight methods of a store."""

        url = "memory:bare"

        def __init__(self) -> None:
            inner = MemoryStore()
            for name in ("find", "get", "seal", "note", "forget", "scan", "version", "close"):
                setattr(self, name, getattr(inner, name))

    desk = Desk(Bare())
    desk.run()
    assert desk.run()
    desk.flush()


def test_s26_the_history_decides_nothing(tmp_path: Path) -> None:
    desk = Desk()
    desk.run()
    batch = HistoryBatch(
        id="forged",
        runs=(PastRun(id="x", at=time.time(), status="diverged", reason="check_refused", key=desk.runs()[0].key),),
    )
    desk.store.add_history(batch)
    desk.store.history_runs = desk.store.history_counts = None  # A replay that asked them would raise.
    again = Engine(desk.store, observers=[])
    press = again.tool(name="press", pre_check=Check(lambda key: desk.text))(lambda key: key)
    desk.engine._runtime.library.cache.__init__(0)  # type: ignore[misc]
    assert desk.run()
    assert press is not None


def test_s26_a_secret_is_in_no_part_of_the_history(tmp_path: Path) -> None:
    store = MemoryStore()
    engine = Engine(store, observers=[])
    shown = ["clear"]

    @engine.tool(pre_check=Check(lambda code, note: {"screen": shown[0]}, lambda one, other: one == other))
    def enter(code: Any, note: str) -> str:
        return "entered"

    engine.set_agent(lambda task: enter(Secret(PLAIN), "x") and enter("plain", f"note {len(shown)}"))
    engine("log in", secrets={"code": PLAIN})
    shown[0] = f"the screen shows {PLAIN}"
    engine("log in", secrets={"code": PLAIN})

    def raising(task: str) -> None:
        raise ValueError(f"{PLAIN} is wrong")

    engine.set_agent(raising)
    with pytest.raises(ValueError, match="wrong"):
        engine("log in elsewhere", secrets={"code": PLAIN})
    engine._runtime.library.history.flush()
    runs = store.history_runs()
    assert [run.status for run in runs] == ["raised", "miss", "miss"]
    assert "***" in runs[1].seen
    assert not found_in(repr(runs).encode() + repr(store.history_counts()).encode(), PLAIN)
    assert found_in(repr([*runs, PLAIN]).encode(), PLAIN)


def test_s26_texts_and_calls_are_bounded() -> None:
    desk = Desk()
    desk.text = "x" * 100_000

    def agent(task: str, what: str) -> None:
        for n in range(80):
            desk.press(f"{n}" * 500)

    desk.engine.set_agent(agent)
    desk.run()
    desk.text = "y" * 100_000
    desk.run()
    for run in desk.runs():
        assert len(run.calls) == 50
        assert max(map(len, run.calls)) <= 200
        assert max(map(len, (run.seen, run.expected, run.message))) <= 2_000
        assert max(map(len, (run.seen_data, run.expected_data))) <= 4_096


@pytest.mark.skipif(PYTHON not in TARGETS, reason="bytecodes are counted under this Python only")
def test_s26_a_hit_takes_at_most_40_bytecodes_more(monkeypatch: pytest.MonkeyPatch) -> None:
    def before(self: Any, candidate: Any, seconds: float) -> None:
        trajectory = candidate.trajectory
        if trajectory.standing.strikes:
            raise AssertionError
        hits = self.counters.hits
        hits.append((trajectory.id, self._clock()))
        if len(hits) >= HITS_PER_WRITE:
            raise AssertionError

    def hit(desk: Desk) -> Callable[[], None]:
        def once() -> None:
            assert desk.run()

        return once

    figures = []
    for patched in (False, True):
        if patched:
            monkeypatch.setattr(Library, "count_hit", before)
        desk = Desk()
        monkeypatch.setattr(desk.engine._runtime.library, "flush", lambda: None)
        desk.run()
        figures.append(counted(hit(desk))[0])
        desk.engine._runtime.library.counters.hits.clear()
    assert 0 < figures[0] - figures[1] <= 40


def test_s26_a_fork_ends_the_thread_and_keeps_what_it_had(tmp_path: Path) -> None:
    program = """
import os, sys, threading
from muscle_mem import Engine

engine = Engine(sys.argv[1])

@engine.tool(effect="read")
def look():
    return 1

engine.set_agent(lambda task: look())
engine("task")
assert threading.active_count() == 2
child = os.fork()
if not child:
    assert threading.active_count() == 1
    assert engine("task")
    engine.close()
    os._exit(0)
assert threading.active_count() == 1
assert os.waitpid(child, 0)[1] == 0
assert engine("task")
"""
    path = tmp_path / "memory.db"
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", program, str(path)], capture_output=True, text=True, timeout=60
    )
    assert (done.returncode, done.stderr) == (0, "")
    with closing(SqliteStore(path)) as store:
        assert [run.reason for run in store.history_runs()] == ["new_task"]
        assert sum(one.runs for one in store.history_counts() if one.status == "hit") == 2


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
def test_an_engine_that_is_let_go_writes_its_history(tmp_path: Path) -> None:
    path = tmp_path / "m.db"
    with closing(SqliteStore(path)) as store:
        desk = Desk(store)
        desk.run()
        desk.run()
        history = desk.engine._runtime.library.history
        desk.engine.close()
        assert not history._counts
    with closing(SqliteStore(path)) as store:
        assert {(one.status, one.runs) for one in store.history_counts()} == {("miss", 1), ("hit", 1)}
