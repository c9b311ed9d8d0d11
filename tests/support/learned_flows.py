"""What an engine has inferred from the recordings of a task, as the tests and the benchmark read it.

This is the only place that looks at the engine's own account of its flows.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from muscle_mem import Engine
from muscle_mem._core import codec
from muscle_mem._core.model.records import Lit, Node
from muscle_mem._core.plan.flows import Flow
from muscle_mem._core.plan.generalized import GeneralTrajectory
from muscle_mem._runtime.options import CallOptions

ACTS, PROBATION = "acts", "probation"


class LearnedFlow(NamedTuple):
    """An argument's leaf with an inferred source, and whether it acts already or is on probation."""

    step: int
    argument: str
    path: tuple[Any, ...]
    status: str
    text: str


def learned_flows(engine: Engine, *call: Any, **options: Any) -> list[LearnedFlow]:
    """The flows that the engine has inferred for a call, of each generalized trajectory that it has for it."""
    runtime = engine._runtime
    run, refusal = runtime.open_run(call, {}, CallOptions(**options), "auto", True)
    found, _ = runtime.find_candidates(run, refusal)
    if found.learning is None:
        return []
    return [
        LearnedFlow(flow.step, flow.argument, _names(general, flow), flow.status, repr(flow.sources))
        for general in found.learning.all()
        for flow in general.flows
        if flow.status in (ACTS, PROBATION)
    ]


def _names(general: GeneralTrajectory, flow: Flow) -> tuple[Any, ...]:
    """Keys, fields and positions that lead to a leaf in its argument."""
    record = general.parents[0].body.steps[flow.step]
    (expr,) = [expr for name, expr in record.arguments if name == flow.argument]
    found: list[Any] = []
    for index in flow.path:
        if isinstance(expr, Lit):
            unfolded = codec.unfold(codec.decode(expr.data))
            assert unfolded is not None
            kind, items = unfolded[0], tuple(Lit(codec.encode(item)) for item in unfolded[1])
        else:
            assert isinstance(expr, Node)
            kind, items = expr.kind, expr.items
        key = items[index - 1] if kind == "dict" else None
        found.append(codec.decode(key.data) if isinstance(key, Lit) else index)
        expr = items[index]
    return tuple(found)
