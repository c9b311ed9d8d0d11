"""What a person may change: verdicts, deletions, sources of arguments."""

from __future__ import annotations

from collections.abc import Callable

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from ..._core.model.learned import CONFIRMED, REJECTED
from ..._reading.flow_verdicts import store_verdict, why_not_confirmed
from ..._reading.flows import flows_of
from ...errors import DamagedStoreError
from ...store import Note
from ...store.verdicts import APPROVED, bad, good
from ..web import go_to, inspector_of, trajectory_url

MOST_WHY = 500
VERDICTS: dict[str, Callable[[str, str], Note]] = {
    "approved": lambda id, why: good(id, why, word=APPROVED),
    "good": good,
    "bad": bad,
}
FLOW_VERDICTS = {"confirmed": CONFIRMED, "struck": REJECTED}


def _field(request: Request, name: str) -> str:
    form: dict[str, str] = request.state.form  # The guard has read and accepted it.
    return form.get(name, "")


def judge(request: Request) -> Response:
    """Approve a trajectory, or report it good or bad."""
    inspector, verdict = inspector_of(request), _field(request, "verdict")
    if verdict not in VERDICTS:
        raise HTTPException(400, f"The verdict must be one of {', '.join(VERDICTS)}.")
    id = inspector.stored(_field(request, "id")).sealed.id
    inspector.store.note((VERDICTS[verdict](id, " ".join(_field(request, "why").split())[:MOST_WHY]),))
    return go_to(_back(request, id), done=verdict)


def forget(request: Request) -> Response:
    """Delete a trajectory with its recordings, also a damaged one."""
    inspector, id = inspector_of(request), _field(request, "id")
    try:
        inspector.stored(id)
    except DamagedStoreError:
        pass
    if not inspector.store.forget((id,)):
        raise HTTPException(404, "There is no such trajectory. It may have been forgotten already.")
    return go_to("/trajectories", done="forgotten")


def flow(request: Request) -> Response:
    """Confirm or strike where an argument comes from."""
    inspector, verdict = inspector_of(request), _field(request, "verdict")
    if verdict not in FLOW_VERDICTS:
        raise HTTPException(400, f"The verdict must be one of {', '.join(FLOW_VERDICTS)}.")
    stored = inspector.stored(_field(request, "id"))
    for one in flows_of(inspector.store, stored):
        places = [f"{shown.step}.{shown.argument}" for shown in one.shown()]
        if one.id != _field(request, "flows") or _field(request, "place") not in places:
            continue
        at = places.index(_field(request, "place"))
        if verdict == "confirmed" and (why := why_not_confirmed(one, at)):
            raise HTTPException(409, f"It cannot be confirmed: {why}.")
        store_verdict(inspector.store, one, at, FLOW_VERDICTS[verdict])
        return go_to(_back(request, stored.sealed.id), done=verdict)
    raise HTTPException(409, "The recordings have changed since the page was made. Load it again.")


def _back(request: Request, id: str) -> str:
    return "/review" if _field(request, "back") == "review" else trajectory_url(id)
