"""Runs other than plain hits: a list, single ones, and live ones."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator
from typing import Any

from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from ..._reading.text import local, printable
from ...errors import MuscleMemError
from ...store.history import DAY, PastRun, day_of, keeps_history
from ...store.history_totals import history_totals
from ..history import Sum, failure
from ..history import runs as past_runs
from ..numbers import sequence_number
from ..web import Inspector, inspector_of, task_url

SHOWN = 50
EVERY_SECONDS = 1.0
MOST_AT_A_TIME = 50
MOST_OPEN = 8
"""How many live pages are served; each reads the store once a second."""

PATIENCE = 10
"""How many times as long as today's counts took to read passes before they are read again."""

KEEP_ALIVE = 15
"""After how many readings without news a comment is sent, by which a closed page is noticed."""


def runs(request: Request) -> Response:
    """List single runs, newest first."""
    inspector, given = inspector_of(request), request.query_params
    reason, key = given.get("reason") or None, _key(given.get("key", ""))
    after = sequence_number(given.get("after", ""))
    found = past_runs(inspector.store, reason=reason, key=key, after=after, limit=SHOWN)
    today = _today(inspector)
    return inspector.page(
        request,
        "runs",
        keeps_history=keeps_history(inspector.store),
        found=found,
        reason=reason,
        key=key,
        after=after,
        next_after=found[-1].seq if len(found) == SHOWN else None,
        today=today,
        newest=found[0].seq if found else 0,
        is_live=after is None and reason is None and key is None,
    )


def run(request: Request) -> Response:
    """Show one run: what it saw, what was expected, and what the agent did then."""
    inspector, number = inspector_of(request), request.path_params["number"]
    found = past_runs(inspector.store, after=min(number, 2**62) + 1, limit=1)
    if not found or found[0].seq != number:
        raise HTTPException(404, "There is no such run. The history keeps the last ones only.")
    one = found[0]
    known = inspector.store.get(one.trajectory_id) if one.trajectory_id else None
    return inspector.page(request, "run", run=one, failure=failure(one), trajectory=known)


def _key(text: str) -> bytes | None:
    try:
        return bytes.fromhex(text) or None
    except ValueError:
        return None


def _today(inspector: Inspector) -> Sum:
    found = Sum()
    day = day_of(time.time())
    if keeps_history(inspector.store):
        for count in history_totals(inspector.store, "day", day * float(DAY)):
            if count.day == day:
                found.add(count)
    return found


def live(request: Request) -> Response:
    """Send runs as they are written, and today's counts, as server-sent events."""
    state = request.app.state
    if getattr(state, "open_streams", 0) >= MOST_OPEN:
        raise HTTPException(503, f"{MOST_OPEN} live pages are open. Close one of them.")
    newest = sequence_number(request.headers.get("last-event-id", "") or request.query_params.get("after", ""))
    return StreamingResponse(_events(request, newest or 0), media_type="text/event-stream")


async def _events(request: Request, newest: int) -> AsyncIterator[str]:
    inspector, state = inspector_of(request), request.app.state
    state.open_streams = getattr(state, "open_streams", 0) + 1
    last_counts, quiet, next_counts = "", 0, 0.0
    try:
        yield "retry: 2000\n\n"
        while not inspector.is_closing():
            try:
                added = await run_in_threadpool(_added, inspector, newest)
                totals, began = last_counts, time.monotonic()
                if began >= next_counts:
                    totals = await run_in_threadpool(_totals, inspector)
                    ended = time.monotonic()
                    next_counts = ended + PATIENCE * (ended - began)
            except MuscleMemError as error:
                yield _event("trouble", {"what": printable(error, 300)})
                await asyncio.sleep(2 * EVERY_SECONDS)
                continue
            for one in reversed(added):
                newest = max(newest, one.seq)
                yield _event("run", _run_json(one), one.seq)
            if totals != last_counts:
                last_counts = totals
                yield f"event: counts\ndata: {totals}\n\n"
            quiet = 0 if added else quiet + 1
            if quiet and quiet % KEEP_ALIVE == 0:
                yield ": still here\n\n"
            await asyncio.sleep(EVERY_SECONDS)
    finally:
        state.open_streams -= 1


def _added(inspector: Inspector, newest: int) -> tuple[PastRun, ...]:
    return past_runs(inspector.store, newer_than=newest, limit=MOST_AT_A_TIME)


def _totals(inspector: Inspector) -> str:
    today = _today(inspector)
    totals = {"hits": today.hits, "diverged": today.diverged, "misses": today.misses, "rate": f"{today.rate:.0%}"}
    return json.dumps(totals)


def _event(name: str, value: dict[str, Any], id: int | None = None) -> str:
    numbered = f"id: {id}\n" if id is not None else ""
    return f"event: {name}\n{numbered}data: {json.dumps(value)}\n\n"


def _run_json(one: PastRun) -> dict[str, Any]:
    """Return a run for the script of the page, which shows each value as text."""
    return {
        "seq": one.seq,
        "at": local(one.at),
        "status": one.status,
        "reason": printable(one.reason, 80),
        "task": printable(one.task, 200),
        "where": printable(f"step {one.step} {one.tool}" if one.step >= 0 else "", 80),
        "url": f"/run/{one.seq}",
        "task_url": task_url(one.key) if one.key else "",
    }
