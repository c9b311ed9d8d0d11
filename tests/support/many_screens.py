"""A recording with large snapshots that are alike."""

from __future__ import annotations

from typing import Any

from muscle_mem import Check, Engine


def many_screens(store: Any, rows: int) -> Engine:
    """A trajectory of two steps with so many observations: one screen for all of them, and a counter that differs."""
    screen = bytes(range(256)) * 400
    seen = {"count": 0}

    def look(*_: Any) -> Any:
        return screen

    def count(*_: Any) -> Any:
        return seen["count"]

    engine = Engine(store, observers=[lambda event: None])
    first = engine.tool(Check(look), name="first")(lambda: None)
    second = engine.tool(Check(count), name="second")(lambda: screen)

    def agent(task: str) -> Any:
        first()
        second()

    engine.set_agent(agent)
    for number in range(rows):
        seen["count"] = number
        assert engine("task", mode="record").learned
    assert engine("task")
    return engine
