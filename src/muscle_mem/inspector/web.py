"""What all pages share: the store, the session, and the templates."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

from jinja2 import Environment, FunctionLoader, StrictUndefined
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from .._reading.loading import holds_flows
from .._reading.text import count, duration, iso, local, printable
from ..store import Store, Stored
from ..store.pruning import recorded_at
from .session import Session

MOST_EDITABLE = 5_000
_TEMPLATES = Path(__file__).parent / "templates"

DONE = {
    "approved": "Approved. Engines with trust='manual' may replay it.",
    "good": "Reported good. The trajectory is trusted.",
    "bad": "Reported bad. The trajectory is quarantined until it is reported good.",
    "forgotten": "Forgotten. The trajectory and its recordings were deleted.",
    "confirmed": "Confirmed. The argument is taken from this source from now on, where it can be.",
    "struck": "Struck. The agent is asked before that step until the source is confirmed.",
}
"""What a page reports after an action, by the code in its address."""


class Inspector:
    """The store that is shown, and what may be done with it.

    `why_read_only` is empty if changes are allowed. `is_unverified` says that rows could not be verified.
    `is_closing` says whether the server ends.
    """

    def __init__(
        self,
        store: Store,
        session: Session,
        *,
        why_read_only: str = "",
        is_unverified: bool = False,
        is_closing: Callable[[], bool] = lambda: False,
    ) -> None:
        self.store = store
        self.session = session
        self.why_read_only = why_read_only
        self.is_unverified = is_unverified
        self.is_closing = is_closing

    @property
    def read_only(self) -> bool:
        """Return whether there are no changes."""
        return bool(self.why_read_only)

    def page(self, request: Request, template: str, status: int = 200, /, **values: Any) -> Response:
        """Return a page from a template.

        Args:
            request: The request.
            template: The name of the template, without its ending.
            status: The HTTP status.
            values: What the template shows.
        """
        text = (
            environment()
            .get_template(f"{template}.html")
            .render(
                inspector=self,
                store_name=printable(self.store.url, 200),
                csrf=self.session.csrf,
                path=request.url.path,
                done=DONE.get(request.query_params.get("done", ""), ""),
                now=time.time(),
                **values,
            )
        )
        return HTMLResponse(text.encode("utf-8", "replace"), status)

    def stored(self, id: str) -> Stored:
        """Return a trajectory. Raises an HTTPException if it is unknown."""
        found = self.store.get(id) if id and len(id) <= 1_000 else None
        if found is None:
            raise HTTPException(404, f"There is no trajectory {printable(id, 80)!r}. It may have been forgotten.")
        return found


def inspector_of(request: Request) -> Inspector:
    """Return the inspector that answers a request."""
    found: Inspector = request.app.state.inspector
    return found


def go_to(path: str, **query: str) -> Response:
    """Return the answer to a change: a redirect to a page."""
    return RedirectResponse(f"{path}?{urlencode(query)}" if query else path, status_code=303)


def trajectory_url(id: str, **query: object) -> str:
    """Return the address of a trajectory's page."""
    address = "/trajectory/" + quote(id.encode("utf-8", "surrogatepass"), safe="")
    return f"{address}?{urlencode(query)}" if query else address


def task_url(key: bytes) -> str:
    """Return the address of a task's page."""
    return f"/task/{key.hex()}"


def url(path: str, **query: object) -> str:
    """Return an address with a query, without arguments that are None."""
    given = {name: value for name, value in query.items() if value is not None}
    return f"{path}?{urlencode(given, errors='surrogatepass')}" if given else path


def state_of(stored: Stored) -> str:
    """Return the state of a trajectory as a class of the style sheet."""
    return stored.standing.state if stored.standing.state in ("fresh", "trusted", "quarantined", "retired") else "odd"


def ago(seconds: float, now: float) -> str:
    """Return a time as its distance from now: `3 min ago`.

    Args:
        seconds: The time, in seconds since the epoch.
        now: The current time.
    """
    if not seconds:
        return "never"
    past = now - seconds
    if past != past or past < -60:
        return local(seconds)
    for most, unit, name in ((60, 1, "s"), (3600, 60, "min"), (86_400, 3600, "h"), (90 * 86_400, 86_400, "d")):
        if past < most:
            return f"{max(0, int(past // unit))} {name} ago"
    return local(seconds)[:10]


def number(value: int) -> str:
    """Return a number for people: `14,841`, `16.0 million`."""
    return f"{value:,}" if abs(value) < 10_000_000 else f"{value / 1_000_000:,.1f} million"


def editable(text: str) -> str:
    """Return a text for a field of a form, or "" if a field cannot show it."""
    plain = text.replace("\n", " ").replace("\t", " ")
    return text if len(text) <= MOST_EDITABLE and printable(plain) == plain else ""


def warm_up() -> None:
    """Compile the templates, so that the first page does not wait for it."""
    for path in sorted(_TEMPLATES.glob("*.html")):
        environment().get_template(path.name)


@cache
def environment() -> Environment:
    """Return the templates.

    Everything that they show is escaped, and a missing value is an error.
    """

    def load(name: str) -> str:
        return (_TEMPLATES / name).read_text(encoding="utf-8")

    made = Environment(
        loader=FunctionLoader(load), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    made.filters.update(shown=printable, duration=duration, local=local, iso=iso, many=count)
    made.filters.update(ago=ago, number=number, editable=editable)
    functions: Mapping[str, Any] = {
        "trajectory_url": trajectory_url,
        "task_url": task_url,
        "url": url,
        "state_of": state_of,
        "holds_flows": holds_flows,
        "recorded_at": recorded_at,
    }
    made.globals.update(functions)
    return made
