"""All trajectories, newest first, a page at a time."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response

from ...errors import DamagedStoreError
from ...store import STATES, Store, Stored
from ..numbers import sequence_number
from ..web import go_to, inspector_of, trajectory_url

SHOWN = 50
MOST_READ = 2_000
"""How many trajectories a filtered page looks at, before it offers to go on."""


def trajectories(request: Request) -> Response:
    """List trajectories by state, scope and a text in the task."""
    inspector, given = inspector_of(request), request.query_params
    text, state = given.get("task", "").strip(), given.get("state", "")
    scope = given.get("scope")
    after = sequence_number(given.get("after", ""))
    if text and after is None and _is_id(inspector.store, text):
        return go_to(trajectory_url(text))
    found: list[Stored] = []
    broken: list[object] = []
    read, next_after = 0, after
    while len(found) < SHOWN and read < MOST_READ:
        page = inspector.store.scan(after=next_after, limit=SHOWN)
        broken += [one for one in page.damaged if one not in broken]
        if not page.stored:
            next_after = None
            break
        for one in page.stored:
            read, next_after = read + 1, one.seq
            if _matches(one, text, state, scope):
                found.append(one)
            if len(found) == SHOWN:
                break
    return inspector.page(
        request,
        "trajectories",
        found=found,
        broken=broken,
        read=read,
        after=after,
        next_after=next_after,
        task=text,
        state=state,
        scope=scope,
        states=STATES,
    )


def _is_id(store: Store, text: str) -> bool:
    try:
        return store.get(text) is not None
    except DamagedStoreError:
        return True


def _matches(stored: Stored, text: str, state: str, scope: str | None) -> bool:
    return (
        (not text or text.casefold() in stored.sealed.task.casefold() or stored.sealed.id.startswith(text))
        and (not state or stored.standing.state == state)
        and (not scope or stored.sealed.scope == scope)
    )
