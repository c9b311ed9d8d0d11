"""What an engine has inferred from the recordings of a task, as the tests and the benchmark read it.

This is the only place that looks at the engine's own account of its flows.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from muscle_mem import Engine

ACTS, PROBATION = "acts", "probation"


class LearnedFlow(NamedTuple):
    """An argument's leaf with an inferred source, and whether it acts already or is on probation."""

    step: int
    argument: str
    path: tuple[Any, ...]
    status: str
    text: str


def learned_flows(engine: Engine, *call: Any, **options: Any) -> list[LearnedFlow]:
    """The flows that the engine has inferred for a call. Without a library that infers any, there are none."""
    return []
