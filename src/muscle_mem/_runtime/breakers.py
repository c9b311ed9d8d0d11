"""Circuit breakers, which pause replays with tools that keep failing."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Iterable, Sequence

from .._core.model.reason import Reason
from .._core.plan.step import PlanStep, Refusal
from .._core.tools.tool import Tool
from .._forks import ForkSafeLock, register_for_forks

WINDOW = 20


class CircuitBreakers(ForkSafeLock):
    """The last replayed calls of each tool that failed recently.

    Replays with a tool pause when more than half of its last 20 replayed calls failed, across all trajectories. They
    resume once the agent has used the tool in a good run. Nothing is kept for tools that never failed.
    """

    __slots__ = ("__weakref__", "_lock", "failing_tools")

    def __init__(self) -> None:
        self.failing_tools: dict[Tool, deque[bool]] = {}
        self._lock = threading.Lock()
        register_for_forks(self)

    def pause_refusal(self, steps: Sequence[PlanStep]) -> Refusal | None:
        """Return why a plan with these steps is paused, or None if it is not."""
        if not self.failing_tools:
            return None
        for index, step in enumerate(steps):
            failed = list(self.failing_tools.get(step.tool, ())).count(False)  # A copy, because other threads append.
            if failed * 2 > WINDOW:
                message = (
                    f"replays with {step.tool.name!r} are paused: {failed} of its last {WINDOW} replayed calls "
                    "failed. They resume once the agent has used it in a good run."
                )
                return Refusal(Reason.QUARANTINED, message, index, step.tool.name)
        return None

    def note_successes(self, steps: Iterable[PlanStep]) -> None:
        """Note that these calls of a replay succeeded."""
        if self.failing_tools:
            with self._lock:
                for step in steps:
                    if step.tool in self.failing_tools:
                        self.failing_tools[step.tool].append(True)

    def note_failure(self, tool: Tool) -> None:
        """Note that this call of a replay failed."""
        with self._lock:
            self.failing_tools.setdefault(tool, deque(maxlen=WINDOW)).append(False)

    def reset(self, tools: Iterable[Tool]) -> None:
        """Resume replays with these tools, which an agent has used in a good run."""
        if self.failing_tools:
            with self._lock:
                for tool in tools:
                    self.failing_tools.pop(tool, None)
