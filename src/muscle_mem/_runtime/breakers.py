"""A circuit breaker per tool: when its replayed calls keep failing across trajectories, replays with it pause."""

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
    """The last replayed calls of the tools that failed of late; nothing is kept of tools that never did.

    More than half of the last 20 failed: replays with the tool pause, until an agent's good run has used it.
    """

    __slots__ = ("__weakref__", "_lock", "failing_tools")

    def __init__(self) -> None:
        self.failing_tools: dict[Tool, deque[bool]] = {}
        self._lock = threading.Lock()
        register_for_forks(self)

    def pause_refusal(self, steps: Sequence[PlanStep]) -> Refusal | None:
        """Why a plan with these steps is not replayed for now, if so."""
        if not self.failing_tools:
            return None
        for index, step in enumerate(steps):
            failed = list(self.failing_tools.get(step.tool, ())).count(False)  # a copy: other threads are counting
            if failed * 2 > WINDOW:
                message = (
                    f"replays with {step.tool.name} are paused: {failed} of its last {WINDOW} replayed calls "
                    "failed; they go on once the agent has used it in a good run"
                )
                return Refusal(Reason.QUARANTINED, message, index, step.tool.name)
        return None

    def note_successes(self, steps: Iterable[PlanStep]) -> None:
        """These calls of a replay went well."""
        if self.failing_tools:
            with self._lock:
                for step in steps:
                    if step.tool in self.failing_tools:
                        self.failing_tools[step.tool].append(True)

    def note_failure(self, tool: Tool) -> None:
        """This call of a replay failed."""
        with self._lock:
            self.failing_tools.setdefault(tool, deque(maxlen=WINDOW)).append(False)

    def reset(self, tools: Iterable[Tool]) -> None:
        """An agent has used these tools in a good run."""
        if self.failing_tools:
            with self._lock:
                for tool in tools:
                    self.failing_tools.pop(tool, None)
