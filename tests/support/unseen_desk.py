"""A desk whose tools are called from places that a run cannot see."""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Callable
from typing import Any

import pytest

from muscle_mem import Engine, Outcome

FORK = multiprocessing.get_context("fork") if hasattr(os, "fork") else None
needs_fork = pytest.mark.skipif(FORK is None, reason="there is no fork here")


class Desk:
    """An engine with two tools; tools called in children are seen by nobody here."""

    def __init__(self, **options: Any) -> None:
        self.events: list[Any] = []
        self.engine = Engine(observers=[self.events.append], **options)
        self.calls: list[Any] = []

        @self.engine.tool(effect="write")
        def save(text: str) -> None:
            self.calls.append(text)

        @self.engine.tool(effect="write")
        async def asave(text: str) -> None:
            self.calls.append(text)

        self.save, self.asave = save, asave

    def run(self, agent: Callable[[], Any], task: str = "task") -> Outcome:
        self.engine.set_agent(lambda task: agent())
        return self.engine(task)

    def warnings(self) -> list[str]:
        return [event.message for event in self.events if event.level == "warning"]
