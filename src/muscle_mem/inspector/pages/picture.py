"""Pictures of steps, and the difference between two of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from ..._core.model.records import Row
from ..._reading.loading import load_body, load_rows
from ..._reading.text import printable
from ..history import run_picture
from ..pictures import UndecodablePictureError, difference, open_picture, png, snapshot_picture
from ..web import Inspector, inspector_of

if TYPE_CHECKING:
    from PIL.Image import Image

ROLES: Mapping[str, Callable[[Row], tuple[bytes | None, ...]]] = {
    "picture": lambda row: row.pictures,
    "pre": lambda row: row.pre,
    "post": lambda row: row.post,
    "output": lambda row: row.outputs,
}


def picture(request: Request) -> Response:
    """Send a picture as a new PNG."""
    return _sent(lambda: _picture(inspector_of(request), request.query_params.get("of", "")))


def difference_of_two(request: Request) -> Response:
    """Send the difference between two pictures, as a new PNG."""
    inspector = inspector_of(request)
    a, b = (request.query_params.get(name, "") for name in ("a", "b"))
    return _sent(lambda: difference(_picture(inspector, a), _picture(inspector, b)))


def _sent(made: Callable[[], Image]) -> Response:
    try:
        return Response(png(made()), media_type="image/png")
    except UndecodablePictureError as error:
        raise HTTPException(404, f"There is no picture to show: {printable(error, 200)}.") from error


def _picture(inspector: Inspector, name: str) -> Image:
    role, _, rest = name.partition(".")
    if role == "run":
        return snapshot_or_picture(run_picture(inspector.store, rest))
    number, _, rest = rest.partition(".")
    step, _, id = rest.partition(".")
    if role not in ROLES or not _is_number(number) or not _is_number(step):
        raise HTTPException(404, "There is no such picture.")
    rows = load_rows(load_body(inspector.stored(id)))
    row = rows[int(number) - 1].row if 0 < int(number) <= len(rows) else None
    values = ROLES[role](row) if row is not None else ()
    data = values[int(step)] if int(step) < len(values) else None
    if not data:
        raise UndecodablePictureError("the step has none")
    return open_picture(data) if role == "picture" else snapshot_picture(data)


def snapshot_or_picture(data: bytes) -> Image:
    """Return the picture of encoded bytes, or of a stored value that holds one."""
    try:
        return snapshot_picture(data)
    except UndecodablePictureError:
        return open_picture(data)


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) < 9
