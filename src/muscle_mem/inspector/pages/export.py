"""A trajectory as a file to download."""

from __future__ import annotations

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from ..._core.export.source_options import SourceOptions
from ..._reading.exporting import file_name, json_text, python_text
from ..._reading.text import printable
from ...errors import InvalidValueError
from ..web import inspector_of


def export(request: Request) -> Response:
    """Send a trajectory as JSON or as a Python function."""
    stored = inspector_of(request).stored(request.query_params.get("id", ""))
    kind = request.query_params.get("format", "json")
    if kind not in ("json", "python"):
        raise HTTPException(400, "The format must be json or python.")
    try:
        text = (
            json_text(stored)
            if kind == "json"
            else python_text(stored, SourceOptions(), inspector_of(request).store).text
        )
    except InvalidValueError as error:
        raise HTTPException(409, f"It cannot be exported: {printable(error, 300)}.") from error
    name = file_name(stored, ".json" if kind == "json" else ".py")
    return Response(
        text.encode("utf-8", "backslashreplace"),
        media_type="application/json" if kind == "json" else "text/plain; charset=utf-8",
        headers={"content-disposition": f'attachment; filename="{name}"'},
    )
