"""S20: what is in quarantine in memory stays there when the store goes back in time, until somebody may lift it."""

from __future__ import annotations

from typing import Any

from muscle_mem import Engine
from muscle_mem.store import MemoryStore, Note


class Rewinding:
    """A store that can be replaced by an older state of itself, as by a failover that loses the last writes."""

    waits_on_network = False

    def __init__(self) -> None:
        self.inner = MemoryStore()
        self.old = MemoryStore()
        self.incarnation = 0
        self.refuses = False

    def keep(self) -> None:
        """Remember the state to go back to."""
        self.old = MemoryStore()
        for stored in self.inner.scan().stored:
            for _, observation in reversed(stored.observations):
                self.old.seal(stored.sealed, observation)

    def go_back(self) -> None:
        self.inner = self.old
        self.incarnation += 1

    def version(self, key: bytes) -> int:
        return self.incarnation << 32 | self.inner.version(key)

    def note(self, notes: tuple[Note, ...]) -> None:
        if self.refuses:
            raise OSError("read-only")
        self.inner.note(notes)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.inner, name)


class Worker:
    def __init__(self, store: Any) -> None:
        self.engine = Engine(store, observers=[lambda event: None])
        self.tool = self.engine.tool(effect="read")(look)
        self.engine.set_agent(lambda task: self.tool("x"))

    def does(self) -> str:
        return self.engine("a task").status


def look(what: str) -> str:
    return what


def in_quarantine(store: Rewinding) -> bool:
    return {one.standing.state for one in store.inner.scan().stored} == {"quarantined"}


def reported() -> tuple[Rewinding, Worker, str]:
    """A store that has lost a bad report, a worker that knows it, and the trajectory."""
    store = Rewinding()
    worker = Worker(store)
    learned = worker.engine("a task")
    assert worker.does() == "hit"
    store.keep()
    learned.report_bad("it paid the wrong person")
    assert worker.does() == "miss"
    store.go_back()
    assert learned.trajectory_id is not None
    return store, worker, learned.trajectory_id


def test_s20_a_lost_report_is_kept_and_written_again() -> None:
    store, worker, _ = reported()
    assert not in_quarantine(store)
    assert [worker.does() for _ in range(3)] == ["miss"] * 3
    assert in_quarantine(store)
    assert Worker(store).does() == "miss"  # Another worker learns of it.


def test_s20_a_lost_report_is_kept_while_the_store_takes_no_notes() -> None:
    store, worker, _ = reported()
    store.refuses = True
    assert [worker.does() for _ in range(3)] == ["miss"] * 3
    assert not in_quarantine(store)
    store.refuses = False
    assert worker.does() == "miss"
    assert in_quarantine(store)


def test_s20_a_person_lifts_what_was_kept() -> None:
    store, worker, id = reported()
    store.refuses = True
    assert worker.does() == "miss"
    store.refuses = False
    Worker(store.inner).engine.report_good(id)
    assert worker.does() == "hit"


def test_s20_a_recording_lifts_a_kept_quarantine_that_no_person_made() -> None:
    store = Rewinding()
    worker = Worker(store)
    learned = worker.engine("a task")
    store.keep()
    store.note((Note(id=str(learned.trajectory_id), state="quarantined", reason="it failed twice"),))
    worker.engine.explain("a task")  # It is known, and no run has lifted it.
    store.go_back()
    assert worker.does() == "miss"
    assert worker.does() == "hit"


def test_s20_without_a_change_the_store_decides() -> None:
    store = Rewinding()
    worker = Worker(store)
    learned = worker.engine("a task")
    learned.report_bad()
    assert worker.does() == "miss"
    learned.report_good()
    assert worker.does() == "hit"
