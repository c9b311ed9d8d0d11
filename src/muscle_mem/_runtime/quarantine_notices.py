"""Notices about tasks in quarantine: one a minute, with counts of agent runs."""

from __future__ import annotations

import time
from collections.abc import Callable

from .._core.model.outcome import Outcome
from .._core.run.run import Run

PAUSE = 60.0


class QuarantineNotices:
    """The agent runs of an engine that a quarantine caused.

    Not safe for threads. `clock` returns seconds.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._last_told: float | None = None
        self._runs = 0
        self._untold = 0
        self._compared = 0
        self._agreed = 0

    def note(self, run: Run, outcome: Outcome) -> str | None:
        """Count a run, and return the message that is due, or None."""
        self._runs += 1
        self._untold += 1
        if outcome.shadow is not None:
            self._compared += 1
            self._agreed += outcome.shadow.agreed
        now = self._clock()
        if self._last_told is not None and now - self._last_told < PAUSE:
            return None
        since = "" if self._last_told is None else f", {self._untold} since the last message"
        compared = f" In {self._agreed} of {self._compared} compared runs, it did the same." if self._compared else ""
        self._last_told, self._untold = now, 0
        runs = f"{self._runs} run{'s'[: self._runs != 1]}"
        return (
            f"the agent did {runs} because of quarantines{since}. The last is {run.task}: "
            f"{run.redact(outcome.message)}.{compared}"
        )
