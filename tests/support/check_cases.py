"""An engine with one checked tool, as the tests of rules B share it."""

from __future__ import annotations

from typing import Any

from muscle_mem import Check, Engine

Log = list[str]


def engine_with(check: Check | None, *, log: Log | None = None, **options: Any) -> Engine:
    """An engine whose agent calls one tool, `act`, under a check."""
    engine = Engine()
    done = log if log is not None else []

    @engine.tool(pre_check=check, name="act", **options)
    def act() -> None:
        done.append("act")

    return engine.set_agent(lambda task: act())
