"""The page of one trajectory."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from ..._core.model.records import Row
from ..._reading.detail import answer_text, evidence_text, loops_of
from ..._reading.flows import flows_of, optional_of
from ..._reading.loading import LoadedBody, LoadedRow, load_body, load_rows
from ..._reading.script import param_conditions
from ..._reading.text import count, duration, local, printable
from ...store import Stored
from ..history import last_failure, step_pictures
from ..steps import Recording, steps
from ..values import text_block
from ..web import inspector_of

MOST_OBSERVATIONS = 100
MOST_SIBLINGS = 50


class TaskPart(msgspec.Struct, frozen=True):
    """A part of a task's text: a param's name, or literal text."""

    is_param: bool
    text: str


def trajectory(request: Request) -> Response:
    """Show a trajectory: its steps, where their arguments come from, and its standing."""
    inspector = inspector_of(request)
    stored = inspector.stored(request.path_params["id"])
    loaded = load_body(stored)
    rows = load_rows(loaded)
    number = _number(request.query_params.get("observation", ""), len(rows))
    seen = rows[number - 1] if rows else None
    learned = flows_of(inspector.store, stored)
    recording = Recording(stored.sealed.id, number, fitting(seen), step_pictures(inspector.store, stored.sealed.id))
    standing = stored.standing
    found = steps(loaded.body, recording, learned, standing.checks, standing.hits) if loaded.body else []
    siblings = [one for one in inspector.store.find(stored.sealed.key).stored if one.sealed.id != stored.sealed.id]
    return inspector.page(
        request,
        "trajectory",
        stored=stored,
        loaded=loaded,
        title=task_parts(stored, fitting(seen)),
        rows=rows[:MOST_OBSERVATIONS],
        number=number,
        seen=seen,
        steps=found,
        has_pictures=any(True for step in found for _ in step.pictures),
        facts=list(_facts(stored, loaded, rows, seen)),
        conditions=list(param_conditions(loaded.body)) if loaded.body else [],
        learned=learned,
        loops=loops_of(loaded.body, fitting(seen)) if loaded.body else [],
        lacked=optional_of(inspector.store, stored) if loaded.body else [],
        siblings=siblings[:MOST_SIBLINGS],
        failure=last_failure(inspector.store, stored),
        answer=_answer(seen),
    )


def _number(given: str, most: int) -> int:
    return min(int(given), most) if given.isascii() and given.isdigit() and len(given) < 6 and int(given) else 1


def fitting(seen: LoadedRow | None) -> Row | None:
    """Return the row of a recording, if it can be read and fits its trajectory."""
    return seen.row if seen is not None and not seen.error else None


def task_parts(stored: Stored, row: Row | None) -> list[TaskPart]:
    """Return the text of a task with its params marked."""
    if row is None or len(row.task) % 2 == 0:
        return [TaskPart(False, printable(stored.sealed.task, 2_000))]
    return [TaskPart(bool(at % 2), printable(part, 2_000)) for at, part in enumerate(row.task) if part]


def _facts(
    stored: Stored, loaded: LoadedBody, rows: list[LoadedRow], seen: LoadedRow | None
) -> Iterator[tuple[str, str, str]]:
    """Yield name, value and remark of the figures at the top."""
    standing = stored.standing
    last = f"last {local(standing.last_hit)}" if standing.last_hit else "none so far"
    yield "Hits", str(standing.hits), last
    yield "Failures", str(standing.failures), f"{standing.strikes} in a row"
    if standing.agreed or standing.disagreed:
        yield "Shadow runs", f"{standing.agreed} agreed", f"{standing.disagreed} disagreed"
    if loaded.flows is not None:
        yield "Evidence", str(len(rows)), evidence_text(rows)
        return
    yield "Steps", str(stored.sealed.steps), f"first recorded {local(stored.sealed.created)}"
    row = fitting(seen)
    if row is not None:
        tokens = f"; {count(row.tokens, 'token')}" if row.tokens else ""
        yield "A run of the agent", duration(row.run_seconds), f"{duration(row.agent_seconds)} outside tools{tokens}"
        saved = standing.hits * row.agent_seconds
        if saved == saved and saved:
            yield "Saved", duration(saved), "hits times the agent's time outside tools"


def _answer(seen: LoadedRow | None) -> Any:
    row = fitting(seen)
    text = answer_text(row, None) if row is not None else ""
    return text_block(text) if text else None
