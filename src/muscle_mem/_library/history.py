"""The history that is not written yet, and the thread that writes it.

A hit never waits for the history: it leaves what it was in a queue. A thread adds up the queue and writes it, and ends
when it has nothing to do. A store in memory needs no thread.
"""

from __future__ import annotations

import os
import threading
import time
import weakref
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal, Protocol

from .._core.run.run import MAX_TASK_LENGTH, Run
from ..errors import StoreError
from ..store.history import DAY, HISTORY_TTL, DayCount, HistoryBatch, KeepsHistory, Picture, keeps_history
from ..store.memory import MemoryStore
from ..store.pictures import picture_hash

if TYPE_CHECKING:
    from ..store.history import PastRun

Keeping = Literal["full", "counts", "off"]
Pictures = Literal["off", "checks", "steps"]
KEEPING = ("full", "counts", "off")
PICTURES = ("off", "checks", "steps")

RUN_DELAY = 1.0
"""Seconds after which a run that missed is written; those within it are written together."""

HIT_DELAY = 10.0
MAX_COUNTS = 10_000
MAX_PENDING = 1_000
MAX_PICTURES = 1_000
STOP_SECONDS = 10.0  # A fork waits for so long until a write has ended.
PRUNE_SECONDS = 3_600.0
CountName = tuple[str, bytes, int, str, str]


class HistoryOptions(Protocol):
    """The options of an engine that its history needs."""

    @property
    def history(self) -> Keeping: ...
    @property
    def history_ttl(self) -> float: ...
    @property
    def pictures(self) -> Pictures: ...


class Health(Protocol):
    """A receiver of reports on the store; it does not keep the engine alive."""

    def failed(self, operation: str, error: BaseException) -> None: ...
    def succeeded(self, operation: str) -> None: ...


class History:
    """What an engine adds to the history of its store, bounded in size.

    `keeps` says what is kept: "off" also if the store keeps no history. `is_due` is true while no thread waits to
    write, so that what comes has to call `wake`. It refers to no tools, and so does not keep the engine alive.
    `add_up` moves the hits that were counted into this object.
    """

    def __init__(
        self, store: object, health: Health, clock: Callable[[], float], options: HistoryOptions | None = None
    ) -> None:
        keeps: Keeping = "full" if options is None else options.history
        self.keeps: Keeping = keeps if keeps_history(store) else "off"
        self.pictures: Pictures = "checks" if options is None else options.pictures
        self.ttl = HISTORY_TTL if options is None else options.history_ttl
        self.add_up: Callable[[], None] = lambda: None
        self._store: Any = store
        self._health = health
        self._clock = clock
        self._counts: dict[CountName, list[Any]] = {}
        self._runs: deque[PastRun] = deque(maxlen=MAX_PENDING)
        self._pictures: deque[Picture] = deque(maxlen=MAX_PICTURES)
        self._next_prune = 0.0
        self._uses_thread = self.keeps != "off" and not isinstance(store, MemoryStore)
        self.is_due = self._uses_thread
        self._begin()
        _histories.add(self)

    def _begin(self) -> None:
        self._pid = os.getpid()
        self._lock = threading.Lock()  # Held while counts change.
        self._writing = threading.Lock()  # Held while the store is written.
        self._waiting = threading.Condition()
        self._thread: threading.Thread | None = None
        self._due: float | None = None

    # -- adding

    def count_hit(self, sealed: Any, row: Any, now: float, seconds: float) -> None:
        """Count a hit that repeated a recording."""
        if self.keeps == "off":
            return
        day = int(now // DAY)
        saved = row.agent_seconds
        with self._lock:
            count = self._count_of((sealed.scope, sealed.key, day, "hit", "hit"), sealed, row)
            if count is not None:
                count[1] += 1
                count[2] += seconds
                count[4] += saved
                count[5] += row.tokens
                count[6] += sealed.steps
                count[7] += saved > 0
                count[8] += row.tokens > 0
                count[9] = max(count[9], now)

    def _count_of(self, name: CountName, sealed: Any, row: Any) -> list[Any] | None:
        count = self._counts.get(name)
        if count is None and len(self._counts) < MAX_COUNTS:
            text = task_text(row.task) or sealed.task
            count = self._counts[name] = [text, 0, 0.0, 0.0, 0.0, 0, 0, 0, 0, 0.0]
        return count

    def add_run(self, run: PastRun, pictures: Sequence[bytes] = ()) -> None:
        """Add a run other than a hit, with the pictures that it refers to."""
        name = (run.scope, run.key, int(run.at // DAY), run.status, run.reason)
        with self._lock:
            count = self._counts.get(name)
            if count is None and len(self._counts) < MAX_COUNTS:
                count = self._counts[name] = [run.task, 0, 0.0, 0.0, 0.0, 0, 0, 0, 0, 0.0]
            if count is not None:
                count[1] += 1
                count[2] += run.seconds
                count[3] += run.agent_seconds
                count[9] = max(count[9], run.at)
            if self.keeps == "full":
                self._runs.append(run)
                self._pictures += (
                    Picture(hash=picture_hash(one), data=one, at=run.at, key=run.key) for one in pictures
                )
        self.wake(RUN_DELAY)

    def add_step_pictures(self, run: Run, trajectory_id: str) -> None:
        """Add the pictures of a recording's steps."""
        if self.keeps == "off" or self.pictures != "steps":
            return
        found = [(at, step.picture) for at, step in enumerate(run.recorder.planned_steps()) if step.picture]
        now, key = self._clock(), run.key or b""
        made = [
            Picture(hash=picture_hash(data), data=data, at=now, key=key, trajectory_id=trajectory_id, step=at)
            for at, data in found
        ]
        if made:
            with self._lock:
                self._pictures.extend(made)
            self.wake(RUN_DELAY)

    def clear(self) -> None:
        """Drop what is not written yet."""
        self._take()

    # -- writing

    def wake(self, delay: float) -> None:
        """Have what was added written after so many seconds, or now in a store in memory.

        If there can be no thread, it is written by the next `flush`.
        """
        if not self._uses_thread:
            self.flush()
            return
        due = time.monotonic() + delay
        with self._waiting:
            self.is_due = False
            if self._due is None or due < self._due:
                self._due = due
                self._waiting.notify()
            if self._thread is None:
                thread = threading.Thread(target=_write_when_due, args=(self,), name="muscle_mem-history", daemon=True)
                try:
                    thread.start()
                except RuntimeError:  # The interpreter is about to end, or there are too many threads.
                    return
                self._thread = thread

    def flush(self, *, is_last: bool = False) -> None:
        """Write what was added. Never raises.

        The errors of the last write are not reported, and neither is a store that was closed meanwhile: another engine
        may have closed the store that both used.
        """
        if self.keeps == "off":
            return
        with self._writing:
            self.add_up()
            batch = self._take()
            if batch is None:
                return
            try:
                store: KeepsHistory = self._store
                store.add_history(batch)
                self._health.succeeded("history")
            except Exception as error:  # A user-defined store may raise any exception (G4).
                if not (is_last or _says_closed(error)):
                    self._health.failed("history", error)

    def flush_in_memory(self) -> None:
        """Write what was added if the store is in memory; else the thread does."""
        if not self._uses_thread:
            self.flush()

    def prune(self) -> None:
        """Write what was added, and delete what is too old. Raises what the store raises."""
        self.flush()
        if keeps_history(self._store):
            self._store.prune_history(before=self._clock() - self.ttl)

    def _take(self) -> HistoryBatch | None:
        """Return what was added and forget it, None if there is nothing."""
        with self._lock:
            counts, self._counts = self._counts, {}
            runs, self._runs = self._runs, deque(maxlen=MAX_PENDING)
            pictures, self._pictures = self._pictures, deque(maxlen=MAX_PICTURES)
            if self._pid != os.getpid() or not (counts or runs or pictures):
                return None
        now = self._clock()
        keep_from = 0.0
        if not self._next_prune - PRUNE_SECONDS < now < self._next_prune:
            self._next_prune, keep_from = now + PRUNE_SECONDS, now - self.ttl
        return HistoryBatch(
            id=os.urandom(16).hex(),
            counts=count_records(counts),
            runs=tuple(runs),
            pictures=tuple(pictures),
            keep_from=keep_from,
        )

    def _wait_and_write(self) -> None:
        """Write at the times that are due, until nothing is."""
        while True:
            with self._waiting:
                while self._due is not None and (left := self._due - time.monotonic()) > 0:
                    self._waiting.wait(left)
                is_stopped = self._due is None
                self._due = None
                self.is_due = True  # What is added from now on wakes the writer again.
            if not is_stopped:
                self.flush()
            with self._waiting:
                if self._due is None:
                    self._thread = None
                    return

    def stop(self) -> None:
        """End the thread, for a fork. What was added stays, and is written later."""
        with self._waiting:
            thread, self._due = self._thread, None
            self._waiting.notify()
        if thread is not None and thread is not threading.current_thread():
            thread.join(STOP_SECONDS)

    def reset_in_child(self) -> None:
        """Drop what the parent writes."""
        self._counts, self._runs = {}, deque(maxlen=MAX_PENDING)
        self._pictures = deque(maxlen=MAX_PICTURES)
        self.is_due = self._uses_thread
        self._begin()


def _says_closed(error: Exception) -> bool:
    return isinstance(error, StoreError) and "is closed" in str(error)


def _write_when_due(history: History) -> None:
    history._wait_and_write()


def count_records(counts: Mapping[CountName, Sequence[Any]]) -> tuple[DayCount, ...]:
    """Return counts as the records that a store adds up."""
    return tuple(_count_record(name, count) for name, count in counts.items())


def _count_record(name: CountName, count: Sequence[Any]) -> DayCount:
    scope, key, day, status, reason = name
    task, runs, seconds, agent, saved, tokens, calls, timed, metered, last = count
    return DayCount(
        scope=scope,
        key=key,
        task=task,
        day=day,
        status=status,
        reason=reason,
        runs=runs,
        seconds=seconds,
        agent_seconds=agent,
        saved_seconds=saved,
        saved_tokens=tokens,
        saved_calls=calls,
        timed=timed,
        metered=metered,
        last=last,
    )


def task_text(parts: Sequence[str]) -> str:
    """Return the masked text of a task, with the names of its params in braces.

    `parts` are literal, name, literal, ..., literal.
    """
    return "".join(part if at % 2 == 0 else f"{{{part}}}" for at, part in enumerate(parts))[:MAX_TASK_LENGTH]


_histories: weakref.WeakSet[History] = weakref.WeakSet()


def _before_fork() -> None:
    """End the threads, so that a fork is one of a process without them.

    Hooks that were registered later run first: no store holds a lock yet that a write may wait for.
    """
    for history in list(_histories):
        history.stop()


def _in_child() -> None:
    for history in list(_histories):
        history.reset_in_child()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=_before_fork, after_in_child=_in_child)
