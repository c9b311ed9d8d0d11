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

from .._core.plan.candidate_set import NOBODY, Company
from .._core.run.run import Run
from .._events import WaitEvent
from ..store.base import Leadership, Leading, is_leading
from .context import Frame, let_go

FIRST_LOOK = 0.002
LONGEST_LOOK = 0.05
"""Seconds between two looks at what the others have done; they grow from the first to the longest."""

Steps = Generator[float, None, Company]


class Held:
    """A key that one run leads, here and across processes."""

    __slots__ = ("_across", "_key", "_leaders")

    def __init__(self, leaders: Leaders, key: bytes) -> None:
        self._leaders = leaders
        self._key = key
        self._across: Leadership | None = None

    def reach_across(self) -> bool:
        """Whether no other process leads the key. A store that cannot say is no obstacle."""
        leaders = self._leaders
        if leaders.store is None:
            return True
        try:
            self._across = leaders.store.lead(self._key)
            leaders.health.fine("lead")
        except Exception as error:  # a store of the user's own may raise anything (G4)
            leaders.health.trouble("lead", error)
            return True
        return self._across is not None

    def release(self) -> None:
        """Let the next one lead. Releasing twice is fine."""
        across, self._across = self._across, None
        self._leaders.let_go(self._key, self)
        if across is not None:
            try:
                across.release()
            except Exception as error:  # a store of the user's own may raise anything (G4)
                self._leaders.health.trouble("lead", error)


class Leaders:
    """Who leads which key in this engine. `wait` is how many seconds a run waits for another; 0 is not at all."""

    def __init__(self, library: Any, health: Any, wait: float) -> None:
        self.wait = wait
        self.health = health
        self.store: Leading | None = library.store if is_leading(library.store) else None
        self._held: dict[bytes, Held] = {}
        self._lock = threading.Lock()
        self._pid = os.getpid()

    def take(self, key: bytes) -> Held | None:
        """Lead a key among the runs of this engine; None while another does."""
        if self._pid != os.getpid():  # a forked child: its parent's runs are not here
            self._held, self._lock, self._pid = {}, threading.Lock(), os.getpid()
        with self._lock:
            if key in self._held:
                return None
            held = self._held[key] = Held(self, key)
            return held

    def let_go(self, key: bytes, held: Held) -> None:
        """Of the one that holds it; of any other it means nothing."""
        with self._lock:
            if self._held.get(key) is held:
                del self._held[key]


def attempt(runtime: Any, run: Run, frame: Frame, seen: Company, *, may_wait: bool) -> Steps:
    """Lead the run's key, or wait for another's recording. Yields the seconds to wait before going on.

    Returns the company of the key if there is somebody new in it since `seen`; or nobody, and the agent is to run.
    What is held meanwhile is the frame's, which lets it go when the run is over, however it ends.
    """
    leaders: Leaders = runtime.leaders
    assert run.key is not None
    known = {(one.id, one.seq, one.standing.state) for one in seen.trajectories}
    began = time.monotonic()
    pause = FIRST_LOOK
    waited = False
    while True:
        if frame.held is None:
            frame.held = leaders.take(run.key)
        leads = frame.held is not None and frame.held.reach_across()
        news = _news(runtime, run, known, leads)  # also as a leader: the one before may just have ended
        remaining = began + leaders.wait - time.monotonic()
        if leads or news or not may_wait or remaining <= 0:
            break
        if not waited:
            waited = True
            runtime.reporter.count("waited")
        yield min(pause, remaining)
        pause = min(pause * 1.5, LONGEST_LOOK)
    if news or not leads:
        let_go(frame)
    if waited:
        runtime.reporter.emit(WaitEvent(run.task, time.monotonic() - began, bool(news)))
    return news


def _news(runtime: Any, run: Run, known: set[tuple[str, int, str]], leads: bool) -> Company:
    """The trajectories of the key, if there is one among them that was not known.

    Who leads looks for the last time before its agent runs: a store that lags has to be asked what the leader before
    has written. Who waits will look again.
    """
    library = runtime.library
    try:
        entry = library.confirm(run.key) if leads else library.find(run.key)
    except Exception as error:  # a store of the user's own may raise anything (G4)
        runtime.store_health.trouble("confirm" if leads and library.confirming else "find", error)
        return NOBODY
    if all((one.id, one.seq, one.standing.state) in known for one in entry.trajectories):
        return NOBODY
    found: Company = runtime.find(run, None)[0]
    return found


def loop_runs_here() -> bool:
    """Whether an event loop runs in this thread, which nothing may block."""
    asyncio = sys.modules.get("asyncio")  # where it is not loaded, no loop of its runs
    if asyncio is None:
        return False
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True
