"""The application: routes of the pages and of the changes, behind the guard."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from .._reading.text import printable
from ..errors import DamagedStoreError, StoreError
from ..store import Store
from .guard import App, Guard
from .pages import changes, compare, export, lint, overview, picture, review, runs, task, trajectories, trajectory
from .session import Session
from .web import Inspector, inspector_of, warm_up

_STATIC_FOLDER = Path(__file__).parent / "static"
STATIC = {"inspector.css": "text/css", "inspector.js": "text/javascript", "icon.svg": "image/svg+xml"}


def make_app(
    store: Store,
    session: Session,
    *,
    why_read_only: str = "",
    is_unverified: bool = False,
    allowed: Iterable[str] = (),
    is_closing: Callable[[], bool] = lambda: False,
) -> App:
    """Return the inspector of a store as an ASGI application.

    Args:
        store: The open store.
        session: The secrets of this inspector.
        why_read_only: Why there are no changes, or "". There is no route for a change then.
        is_unverified: Whether the store's rows could not be verified.
        allowed: Names of hosts beside those of the loopback.
        is_closing: Whether the server ends, so that live pages end, too.
    """
    routes: list[BaseRoute] = [
        Route("/", overview.overview),
        Route("/trajectories", trajectories.trajectories),
        Route("/task/{key}", task.task),
        Route("/trajectory/{id:path}", trajectory.trajectory),
        Route("/compare", compare.compare),
        Route("/export", export.export),
        Route("/runs", runs.runs),
        Route("/runs/live", runs.live),
        Route("/run/{number:int}", runs.run),
        Route("/review", review.review),
        Route("/lint", lint.lint),
        Route("/picture", picture.picture),
        Route("/difference", picture.difference_of_two),
        Route("/static/{name}", _static),
    ]
    if not why_read_only:
        routes += [
            Route("/judge", changes.judge, methods=["POST"]),
            Route("/forget", changes.forget, methods=["POST"]),
            Route("/flow", changes.flow, methods=["POST"]),
        ]
    made = Starlette(
        routes=routes, exception_handlers={HTTPException: _not_found, StoreError: _store_failed, Exception: _failed}
    )
    warm_up()
    made.state.inspector = Inspector(
        store, session, why_read_only=why_read_only, is_unverified=is_unverified, is_closing=is_closing
    )
    return Guard(made, session, allowed)


def _static(request: Request) -> Response:
    name = request.path_params["name"]
    if name not in STATIC:
        raise HTTPException(404, "There is no such file.")
    return Response((_STATIC_FOLDER / name).read_bytes(), media_type=STATIC[name])


def _not_found(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    titles = {404: "Not found", 405: "Not allowed", 400: "Not understood", 409: "Not done"}
    title = titles.get(error.status_code, "Not done")
    return inspector_of(request).page(request, "error", error.status_code, title=title, text=error.detail)


def _store_failed(request: Request, error: Exception) -> Response:
    damaged = isinstance(error, DamagedStoreError)
    title = "This row is damaged" if damaged else "The store cannot be used"
    status = 500 if damaged else 503
    return inspector_of(request).page(request, "error", status, title=title, text=printable(error, 1_000))


def _failed(request: Request, error: Exception) -> Response:
    text = f"{type(error).__name__}. The terminal of `muscle-mem inspect` shows more."
    return inspector_of(request).page(request, "error", 500, title="This page failed", text=text)
