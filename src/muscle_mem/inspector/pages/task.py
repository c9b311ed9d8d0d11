"""The page of one task: its trajectories, its runs, and what a run would find."""

from __future__ import annotations

import time

from markupsafe import Markup
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from ..._reading.flows import learned_of
from ..._reading.loading import holds_flows, load_body, newest_row
from ...store import Stored
from ..finder import find, question
from ..history import counts, overview, runs, since_days
from ..plot import plot
from ..web import inspector_of
from .trajectory import TaskPart, task_parts

SHOWN_RUNS = 20
SHOWN_CAUSES = 10
MOST_TRAJECTORIES = 200


def task(request: Request) -> Response:
    """Show a task by its key."""
    inspector = inspector_of(request)
    key = _key(request.path_params["key"])
    found = inspector.store.find(key)
    past = runs(inspector.store, key=key, limit=SHOWN_RUNS)
    now = time.time()
    days = counts(inspector.store, key=key, since=since_days(now))
    summed = overview(days, days, now)
    if not (found.stored or found.damaged or past or summed.total.runs):
        raise HTTPException(404, "There is no task with this key. Its trajectories may have been forgotten.")
    recordings = [one for one in found.stored if not holds_flows(one)]
    asked = question(dict(request.query_params))
    return inspector.page(
        request,
        "task",
        key=key,
        title=_title(recordings, [one.task for one in past]),
        text=recordings[0].sealed.task if recordings else past[0].task if past else "",
        scope=recordings[0].sealed.scope if recordings else past[0].scope if past else "",
        tags=recordings[0].sealed.tags if recordings else (),
        recordings=recordings[:MOST_TRAJECTORIES],
        more=max(0, len(recordings) - MOST_TRAJECTORIES),
        broken=found.damaged,
        learned=list(learned_of(inspector.store, key)),
        total=summed.total,
        plot=Markup(plot(summed.days)),
        causes=summed.causes[:SHOWN_CAUSES],
        most=max((cause.runs for cause in summed.causes), default=0),
        past=past,
        params=_params(recordings),
        asked=asked,
        answers=find(inspector.store, asked, recordings) if asked is not None else None,
    )


def _key(text: str) -> bytes:
    try:
        return bytes.fromhex(text)
    except ValueError as error:
        raise HTTPException(404, "There is no task with this key.") from error


def _title(recordings: list[Stored], texts: list[str]) -> list[TaskPart]:
    if recordings:
        return task_parts(recordings[0], newest_row(recordings[0]))
    return [TaskPart(False, next(filter(None, texts), "(a task without a text)"))]


def _params(recordings: list[Stored]) -> list[tuple[str, str]]:
    """Return names and types of the params of all recordings."""
    found: dict[str, str] = {}
    for stored in recordings[:MOST_TRAJECTORIES]:
        body = load_body(stored).body
        if body is not None:
            found |= dict(zip(body.params, [kind.rpartition(":")[2] for kind in body.kinds], strict=False))
    return list(found.items())
