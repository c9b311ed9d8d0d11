"""The open runs of one adapter, found by the ids of their calls."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator

from .runs import HostedRun

MAX_RUNS = 1_000
MAX_ENDED = 4_000


class RunTable:
    """A bounded table of runs; the oldest is closed when there are too many."""

    def __init__(self) -> None:
        self._by_id: dict[str, HostedRun] = {}
        self._runs: dict[HostedRun, None] = {}
        self._lock = threading.Lock()

    def add(self, run: HostedRun) -> None:
        """Keep a run, as the newest."""
        with self._lock:
            self._runs[run] = None
            gone = [] if len(self._runs) <= MAX_RUNS else [next(iter(self._runs))]
        for old in gone:
            old.close()
            self.forget(old)

    def note_ids(self, run: HostedRun) -> None:
        """Note the ids of the calls that a run has handed out."""
        with self._lock:
            for call_id in run.ids:
                self._by_id[call_id] = run

    def find(self, call_ids: Iterable[str]) -> HostedRun | None:
        """Return the run that handed out one of these calls, or None."""
        with self._lock:
            for call_id in call_ids:
                run = self._by_id.get(call_id)
                if run is not None:
                    return run
        return None

    def forget(self, run: HostedRun) -> None:
        """Drop a run that is over."""
        with self._lock:
            self._runs.pop(run, None)
            for call_id in run.ids:
                if self._by_id.get(call_id) is run:
                    del self._by_id[call_id]

    def __len__(self) -> int:
        return len(self._runs)

    def __iter__(self) -> Iterator[HostedRun]:
        return iter(list(self._runs))
