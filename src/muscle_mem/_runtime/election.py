"""One learner at a time: runs that miss the same key together make one agent run, and the others wait for it (S7).

Waiting only saves agent runs: whatever goes wrong with it, the agent runs.
"""

from __future__ import annotations

import os
import sys
import threading
import time
from collections.abc import Generator
from typing import Any

from .._core.plan.candidate_set import NO_CANDIDATES, CandidateSet
from .._core.run.run import Run
from .._events import WaitEvent
from ..store.base import Leadership, Leading, is_leading
from .context import Frame, release_lease

FIRST_POLL = 0.002
LONGEST_POLL = 0.05
"""Seconds between two looks at what the others have done; they grow from the first to the longest."""

WaitSteps = Generator[float, None, CandidateSet]


class KeyLease:
    """A key that one run leads, here and across processes."""

    __slots__ = ("_key", "_leases", "_shared_lease")

    def __init__(self, leases: KeyLeases, key: bytes) -> None:
        self._leases = leases
        self._key = key
        self._shared_lease: Leadership | None = None

    def acquire_shared(self) -> bool:
        """Whether no other process leads the key. A store that cannot say does not prevent the run."""
        leases = self._leases
        if leases.store is None:
            return True
        try:
            self._shared_lease = leases.store.lead(self._key)
            leases.health.succeeded("lead")
        except Exception as error:  # a store of the user's own may raise anything (G4)
            leases.health.failed("lead", error)
            return True
        return self._shared_lease is not None

    def release(self) -> None:
        """Let the next one lead. Releasing twice is fine."""
        shared_lease, self._shared_lease = self._shared_lease, None
        self._leases.release(self._key, self)
        if shared_lease is not None:
            try:
                shared_lease.release()
            except Exception as error:  # a store of the user's own may raise anything (G4)
                self._leases.health.failed("lead", error)


class KeyLeases:
    """Who leads which key in this engine. `max_wait` is how many seconds a run waits for another; 0 is not at all."""

    def __init__(self, library: Any, health: Any, max_wait: float) -> None:
        self.max_wait = max_wait
        self.health = health
        self.store: Leading | None = library.store if is_leading(library.store) else None
        self._leases: dict[bytes, KeyLease] = {}
        self._lock = threading.Lock()
        self._pid = os.getpid()

    def acquire(self, key: bytes) -> KeyLease | None:
        """Lead a key among the runs of this engine; None while another does."""
        if self._pid != os.getpid():  # a forked child: its parent's runs are not here
            self._leases, self._lock, self._pid = {}, threading.Lock(), os.getpid()
        with self._lock:
            if key in self._leases:
                return None
            lease = self._leases[key] = KeyLease(self, key)
            return lease

    def release(self, key: bytes, lease: KeyLease) -> None:
        """Of the one that holds it; of any other it means nothing."""
        with self._lock:
            if self._leases.get(key) is lease:
                del self._leases[key]


def acquire_or_wait(runtime: Any, run: Run, frame: Frame, seen: CandidateSet, *, may_wait: bool) -> WaitSteps:
    """Lead the run's key, or wait for another's recording. Yields the seconds to wait before going on.

    Returns the candidates of the key if there are new ones since `seen`; or none, and the agent must
    run. What is held meanwhile is the frame's, which lets it go when the run is over, however it ends.
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
        # also as a leader: the one before may just have ended
        new_recordings = _new_recordings(runtime, run, known, leads)
        remaining = began + key_leases.max_wait - time.monotonic()
        if leads or new_recordings or not may_wait or remaining <= 0:
            break
        if not waited:
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
    """The trajectories of the key, if there is one among them that was not known.

    Who leads looks for the last time before its agent runs: a store that lags has to be asked what the leader before
    has written. Who waits will look again.
    """
    library = runtime.library
    try:
        entry = library.confirm(run.key) if leads else library.find(run.key)
    except Exception as error:  # a store of the user's own may raise anything (G4)
        runtime.store_health.failed("confirm" if leads and library.confirms_versions else "find", error)
        return NO_CANDIDATES
    if all((trajectory.id, trajectory.seq, trajectory.standing.state) in known for trajectory in entry.trajectories):
        return NO_CANDIDATES
    found: CandidateSet = runtime.find_candidates(run, None)[0]
    return found


def is_loop_running() -> bool:
    """Whether an event loop runs in this thread, which nothing may block."""
    asyncio = sys.modules.get("asyncio")  # where it is not loaded, no loop of its runs
    if asyncio is None:
        return False
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True
