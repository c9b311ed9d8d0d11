"""The first page: runs over time, savings, reasons, and tasks."""

from __future__ import annotations

import time
from collections.abc import Callable

from markupsafe import Markup
from starlette.requests import Request
from starlette.responses import Response

from ...store.history import keeps_history
from ..history import MOST_DAYS, Sum, store_overview
from ..plot import plot
from ..web import inspector_of

SHOWN_TASKS = 25
SHOWN_CAUSES = 8
SHOWN_TRAJECTORIES = 8

ORDERS: dict[str, tuple[str, Callable[[Sum], float]]] = {
    "saves": ("saves most", lambda task: task.saved_seconds),
    "costs": ("costs most", lambda task: task.agent_seconds),
    "runs": ("runs most", lambda task: task.runs),
    "last": ("ran last", lambda task: task.last),
}


def overview(request: Request) -> Response:
    """Show what a store's runs came to in the last days."""
    inspector, now = inspector_of(request), time.time()
    order = request.query_params.get("sort", "saves")
    order = order if order in ORDERS else "saves"
    found = store_overview(inspector.store, now)
    tasks = sorted(found.tasks, key=ORDERS[order][1], reverse=True)
    newest = inspector.store.scan(limit=SHOWN_TRAJECTORIES)
    return inspector.page(
        request,
        "overview",
        keeps_history=keeps_history(inspector.store),
        days=MOST_DAYS,
        total=found.total,
        bars=found.days,
        plot=Markup(plot(found.days)),
        tasks=tasks[:SHOWN_TASKS],
        task_count=len(tasks),
        longest=max((max(task.saved_seconds, task.agent_seconds) for task in tasks), default=0.0),
        causes=found.causes[:SHOWN_CAUSES],
        most=max((cause.runs for cause in found.causes), default=0),
        order=order,
        orders=[(code, name) for code, (name, _) in ORDERS.items()],
        newest=newest.stored,
        broken=newest.damaged,
    )
