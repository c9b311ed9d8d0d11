"""What `muscle-mem doctor` says, page by page."""

from __future__ import annotations

import time
from itertools import groupby

from starlette.requests import Request
from starlette.responses import Response

from ..._reading.doctoring import Report
from ...errors import StoreError
from ..numbers import sequence_number
from ..web import inspector_of

MOST_SECONDS = 1.0
"""How long a page looks, before it offers to look further."""

PAGE = 100


def lint(request: Request) -> Response:
    """Examine rows for a while, the newest first, and the file if asked to."""
    inspector = inspector_of(request)
    report = Report(inspector.store.url)
    after = next_after = sequence_number(request.query_params.get("after", ""))
    end, failed = time.monotonic() + MOST_SECONDS, ""
    seen: set[object] = set()
    try:
        while time.monotonic() < end:
            page = inspector.store.scan(after=next_after, limit=PAGE)
            report.add_page(page.stored, [one for one in page.damaged if one not in seen])
            seen.update(page.damaged)
            next_after = page.stored[-1].seq if page.stored else None
            if next_after is None:
                break
    except StoreError as error:
        failed, next_after = str(error), None
    if request.query_params.get("file"):
        report.add_storage(inspector.store)
    report.conclude()
    found = sorted((*report.problems, *report.notices), key=lambda one: (not one.problem, one.kind))
    return inspector.page(
        request,
        "lint",
        report=report,
        groups=[(kind, list(group)) for kind, group in groupby(found, key=lambda one: (one.problem, one.kind))],
        after=after,
        next_after=next_after,
        failed=failed,
        with_file=bool(request.query_params.get("file")),
    )
