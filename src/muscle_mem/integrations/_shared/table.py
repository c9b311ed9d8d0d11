"""The open runs of one adapter, found by the ids of their calls."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Sequence

from .messages import Message
from .runs import HostedRun

MAX_RUNS = 1_000


class RunTable:
    """A bounded table of runs.

    The oldest is closed where there are too many, and any that has been silent for too long.
    """

    def __init__(self) -> None:
        self._by_id: dict[str, list[HostedRun]] = {}
        self._runs: dict[HostedRun, None] = {}
        self._lock = threading.Lock()

    def add(self, run: HostedRun) -> list[HostedRun]:
        """Keep a run, as the newest; return those that must be closed."""
        with self._lock:
            self._runs[run] = None
            gone = list(self._runs)[: max(0, len(self._runs) - MAX_RUNS)]
        return gone + [other for other in self.runs() if other not in gone and other.has_expired()]

    def settle(self, run: HostedRun) -> None:
        """Keep the ids of a run, or drop a run that is over."""
        if not run.is_over and run.settled_ids == len(run.ids):
            return
        with self._lock:
            run.settled_ids = len(run.ids)
            for call_id in run.ids:
                runs = self._by_id.setdefault(call_id, [])
                if run.is_over:
                    if run in runs:
                        runs.remove(run)
                elif run not in runs:
                    runs.append(run)
                if not runs:
                    del self._by_id[call_id]
            if run.is_over:
                self._runs.pop(run, None)

    def find(self, call_ids: Iterable[str], messages: Sequence[Message] = ()) -> HostedRun | None:
        """Return the run that handed out these calls, or None.

        Some servers give calls of several conversations the same id. Then it is the run that the conversation began
        with, and of several the one that waits for most of these calls.

        Args:
            call_ids: The ids of the calls.
            messages: The conversation, where it is known.
        """
        wanted = list(dict.fromkeys(call_ids))
        known = self._by_id.get(wanted[0]) if len(wanted) == 1 else None
        if known is not None and len(known) == 1:
            return None if known[0].is_over else known[0]
        with self._lock:
            found = dict.fromkeys(run for call_id in wanted for run in reversed(self._by_id.get(call_id, ())))
        candidates = [run for run in found if not run.is_over]
        if len(candidates) > 1 and messages:
            candidates = [run for run in candidates if run.began_with(messages)]
        return max(candidates, key=lambda run: _fit(run, wanted), default=None)

    def runs(self) -> list[HostedRun]:
        """Return the runs, oldest first."""
        with self._lock:
            return list(self._runs)

    def __len__(self) -> int:
        return len(self._runs)


def _fit(run: HostedRun, call_ids: list[str]) -> tuple[int, int]:
    return sum(call_id in run.outstanding for call_id in call_ids), sum(call_id in run.ids for call_id in call_ids)
