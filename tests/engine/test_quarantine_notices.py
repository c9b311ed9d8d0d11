"""The word about a task in quarantine: one a minute, with counts; one run at a time compares (S7, D6)."""

from __future__ import annotations

import threading
from typing import Any

import pytest

from muscle_mem import Engine
from muscle_mem._runtime import quarantine_notices
from muscle_mem._runtime.election import MISS_WAIT
from muscle_mem.events import NoticeEvent
from muscle_mem.store import MemoryStore
from threads_and_processes import in_threads


def look(what: str) -> str:
    return what


class Fleet:
    """Engines on one store, with an agent that makes one call."""

    def __init__(self, count: int = 1, **options: Any) -> None:
        self.store = MemoryStore()
        self.notices: list[NoticeEvent] = []
        self.runs = 0
        self.said = "x"
        self.lock = threading.Lock()
        self.before: Any = lambda: None
        self.engines = [Engine(self.store, observers=self.observe, **options) for _ in range(count)]
        for engine in self.engines:
            tool = engine.tool(effect="read")(look)
            engine.set_agent(lambda task, tool=tool: self.work(tool))

    def work(self, tool: Any) -> object:
        with self.lock:
            self.runs += 1
        self.before()
        return tool(self.said)

    def observe(self, event: Any) -> None:
        if isinstance(event, NoticeEvent) and event.code == "quarantined_task":
            self.notices.append(event)


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


def test_one_notice_a_minute_counts_the_agent_runs_since() -> None:
    fleet = Fleet()
    engine = fleet.engines[0]
    clock = Clock()
    engine._runtime.reporter._quarantines = quarantine_notices.QuarantineNotices(clock)
    learned = engine("a task")
    assert engine("a task")
    assert fleet.notices == []
    learned.report_bad("it paid the wrong person")
    for _ in range(5):
        assert engine("a task").reason == "quarantined"
    assert len(fleet.notices) == 1
    assert "the agent did 1 run because" in fleet.notices[0].message
    assert "it paid the wrong person" in fleet.notices[0].message
    clock.now += 59
    engine("a task")
    assert len(fleet.notices) == 1
    clock.now += 1
    engine("a task")
    assert len(fleet.notices) == 2
    assert "the agent did 7 runs because of quarantines, 6 since the last message" in fleet.notices[1].message


def test_a_run_that_leads_compares_with_what_a_person_holds() -> None:
    fleet = Fleet(miss_wait=30.0)
    engine = fleet.engines[0]
    engine._runtime.reporter._quarantines = quarantine_notices.QuarantineNotices(Clock())
    learned = engine("a task")
    assert learned.trajectory_id is not None
    learned.report_bad()
    again = engine("a task")
    assert again.shadow is not None
    assert again.shadow.agreed
    fleet.said = "y"
    other = engine("a task")
    assert other.shadow is not None
    assert not other.shadow.agreed
    stored = fleet.store.get(learned.trajectory_id)
    assert stored is not None
    assert (stored.standing.agreed, stored.standing.disagreed) == (1, 1)
    assert stored.standing.state == "quarantined"  # Only a person lifts it.


def test_nobody_waits_for_what_a_person_holds_and_one_compares() -> None:
    fleet = Fleet(miss_wait=60.0)
    engine = fleet.engines[0]
    engine("a task").report_bad()
    fleet.runs = 0
    barrier = threading.Barrier(4, timeout=60)
    fleet.before = barrier.wait  # Each agent runs while the others do: none of them waits.
    outcomes = in_threads(lambda _: engine("a task"), 4)
    assert fleet.runs == 4
    assert engine.cache_info().waited == 0
    assert sum(outcome.shadow is not None for outcome in outcomes) == 1
    assert not engine._runtime.key_leases._leases


def test_a_quarantine_that_a_recording_lifts_is_waited_for() -> None:
    fleet = Fleet(miss_wait=60.0)
    engine = fleet.engines[0]
    learned = engine("a task")
    from muscle_mem.store import Note

    fleet.store.note((Note(id=str(learned.trajectory_id), state="quarantined", reason="it failed twice"),))
    fleet.runs = 0
    there = threading.Event()
    fleet.before = lambda: there.wait(60) if engine.cache_info().waited else _until_waiting(engine, 3)
    outcomes = in_threads(lambda _: engine("a task"), 4)
    assert fleet.runs == 1
    assert sum(map(bool, outcomes)) == 3


def _until_waiting(engine: Engine, count: int) -> None:
    pause = threading.Event()
    while engine.cache_info().waited < count:
        pause.wait(0.001)


class Networked(MemoryStore):
    """A store that machines share, in which one of them leads a key."""

    waits_on_network = True

    def lead(self, key: bytes) -> None:
        """Never called here."""


@pytest.mark.parametrize(
    ("store", "given", "wait"),
    [
        (MemoryStore, None, 0.0),
        (Networked, None, MISS_WAIT),
        (Networked, 0.0, 0.0),
        (Networked, 5.0, 5.0),
        (MemoryStore, 5.0, 5.0),
    ],
)
def test_runs_wait_by_default_where_machines_share_a_store(store: Any, given: float | None, wait: float) -> None:
    engine = Engine(store(), miss_wait=given)
    assert engine._runtime.key_leases.max_wait == wait
