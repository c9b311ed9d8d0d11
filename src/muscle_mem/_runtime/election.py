"""Election of one learner per key (S7).

Of the runs that miss the same key concurrently, one runs its agent and the others wait for its recording. Waiting only
saves agent runs: if it fails, the agent runs.
"""

from __future__ import annotations

import os
import sys
import threading
import time
from collections.abc import Generator
from typing import Any

from .._core.model.reason import Reason
from .._core.plan.candidate_set import NO_CANDIDATES, CandidateSet
from .._core.plan.ready_trajectory import ReadyTrajectory
from .._core.run.run import Run
from .._events import WaitEvent
from ..store.base import Leadership, Leading, is_leading
from .context import Frame, release_lease

FIRST_POLL = 0.002
LONGEST_POLL = 0.05
"""The first and the longest time in seconds between two polls; it grows from one to the other."""

ASK_INTERVAL = 0.1

OTHER_CODE = (Reason.TOOL_CHANGED, Reason.TOOL_MISSING, Reason.CHECK_CHANGED)

MISS_WAIT = 30.0
"""How many seconds runs wait by default where machines share a store."""

WaitSteps = Generator[float, None, CandidateSet]


class KeyLease:
    """A key that one run leads, in this engine and across processes."""

    __slots__ = ("_key", "_leases", "_next_question", "_shared_lease")

    def __init__(self, leases: KeyLeases, key: bytes) -> None:
        self._leases = leases
        self._key = key
        self._shared_lease: Leadership | None = None
        self._next_question = 0.0

    def acquire_shared(self) -> bool:
        """Lead the key across processes, and return whether that succeeded.

        If the store fails, the run leads anyway.
        """
        leases = self._leases
        if leases.store is None:
            return True
        now = time.monotonic()
        if now < self._next_question:
            return False
        self._next_question = now + leases.pause
        try:
            self._shared_lease = leases.store.lead(self._key)
            leases.health.succeeded("lead")
        except Exception as error:  # A user-defined store may raise anything (G4).
            leases.health.failed("lead", error)
            return True
        return self._shared_lease is not None

    def release(self) -> None:
        """Release the key for the next run. Releasing twice is allowed."""
        shared_lease, self._shared_lease = self._shared_lease, None
        self._leases.release(self._key, self)
        if shared_lease is not None:
            try:
                shared_lease.release()
            except Exception as error:  # A user-defined store may raise anything (G4).
                self._leases.health.failed("lead", error)


class KeyLeases:
    """The keys that the runs of one engine lead.

    Attributes:
        max_wait: How many seconds a run waits for another one. 0 does not wait. None is MISS_WAIT for a store that
            machines share, and 0 for others.
        pause: How many seconds pass before a store on a network is asked again who leads a key.
    """

    def __init__(self, library: Any, health: Any, max_wait: float | None) -> None:
        self.health = health
        self.store: Leading | None = library.store if is_leading(library.store) else None
        self.pause = ASK_INTERVAL if getattr(library.store, "waits_on_network", False) else 0.0
        if max_wait is None:
            max_wait = MISS_WAIT if self.store is not None and getattr(library.store, "waits_on_network", False) else 0
        self.max_wait = max_wait
        self._leases: dict[bytes, KeyLease] = {}
        self._lock = threading.Lock()
        self._pid = os.getpid()

    def acquire(self, key: bytes) -> KeyLease | None:
        """Lead a key among the runs of this engine, or return None if another run does."""
        if self._pid != os.getpid():  # The runs of the parent do not exist in a forked child.
            self._leases, self._lock, self._pid = {}, threading.Lock(), os.getpid()
        with self._lock:
            if key in self._leases:
                return None
            lease = self._leases[key] = KeyLease(self, key)
            return lease

    def release(self, key: bytes, lease: KeyLease) -> None:
        """Release a key if this lease holds it."""
        with self._lock:
            if self._leases.get(key) is lease:
                del self._leases[key]


def acquire_or_wait(
    runtime: Any, run: Run, frame: Frame, seen: CandidateSet, *, may_wait: bool, waits: bool = True
) -> WaitSteps:
    """Lead the run's key, or wait for the recording of another run.

    Yields the seconds to wait before the next step. Returns the candidates of the key if there are new ones since
    `seen`, else none, and the agent must run. The lease belongs to the frame, which releases it at the end of the run.
    With `waits` false, the caller takes the first answer, so that it is not counted as a wait.
    """
    key_leases: KeyLeases = runtime.key_leases
    assert run.key is not None
    known = {(trajectory.id, trajectory.seq, trajectory.standing.state) for trajectory in seen.trajectories}
    began = time.monotonic()
    pause = FIRST_POLL
    waited = False
    while True:
        if frame.lease is None:
            frame.lease = key_leases.acquire(run.key)
        leads = frame.lease is not None and frame.lease.acquire_shared()
        # A leader looks too, because the previous leader may just have finished.
        new_recordings = _new_recordings(runtime, run, known, leads)
        remaining = began + key_leases.max_wait - time.monotonic()
        if leads or new_recordings or not may_wait or remaining <= 0:
            break
        if not waited and waits:
            waited = True
            runtime.reporter.count("waited")
        yield min(pause, remaining)
        pause = min(pause * 1.5, LONGEST_POLL)
    if new_recordings or not leads:
        release_lease(frame)
    if waited:
        runtime.reporter.emit(WaitEvent(run.task, time.monotonic() - began, bool(new_recordings)))
    return new_recordings


def _new_recordings(runtime: Any, run: Run, known: set[tuple[str, int, str]], leads: bool) -> CandidateSet:
    """Return the candidates of the key if one of them is not known, else none.

    Recordings of other code do not count: they cannot be replayed here, and a run of this code still has to learn. A
    leader looks for the last time before its agent runs, so it makes a store that lags confirm what the previous
    leader has written. A run that waits looks again.
    """
    library = runtime.library
    try:
        entry = library.confirm(run.key) if leads else library.find(run.key)
    except Exception as error:  # A user-defined store may raise anything (G4).
        runtime.store_health.failed("confirm" if leads and library.confirms_versions else "find", error)
        return NO_CANDIDATES
    if all(
        (trajectory.id, trajectory.seq, trajectory.standing.state) in known or _is_of_other_code(trajectory)
        for trajectory in entry.trajectories
    ):
        return NO_CANDIDATES
    found: CandidateSet = runtime.find_candidates(run, None)[0]
    return found


def _is_of_other_code(trajectory: ReadyTrajectory) -> bool:
    return trajectory.refusal is not None and trajectory.refusal.reason in OTHER_CODE


def is_task_running() -> bool:
    """Return whether a task of an event loop runs in this thread."""
    asyncio = sys.modules.get("asyncio")
    return is_loop_running() and asyncio is not None and asyncio.current_task() is not None


def is_loop_running() -> bool:
    """Return whether an event loop, which must not be blocked, runs in this thread."""
    asyncio = sys.modules.get("asyncio")  # No asyncio loop can run if it is not loaded.
    if asyncio is None:
        return False
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True
