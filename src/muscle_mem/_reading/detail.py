"""Trajectory with all its data, as JSON."""

from __future__ import annotations

from typing import Any

from .._core.binding.guards.provenance import by_argument
from .._core.binding.references.masking import is_masked
from .._core.binding.references.source_text import source_text
from .._core.export.loops import written_loops
from .._core.model.flow import OUTPUT, Source
from .._core.model.learned import AGREED, CONFIRMED, REJECTED, STRUCK
from .._core.model.records import Body, Guard, Row, StepRecord
from ..store.flows_document import entry_document
from .expressions import Outputs, expression, snapshot_text, sources
from .loading import LoadedBody, LoadedRow, summary
from .script import call_text, origins_at
from .text import class_name, count, decoded, iso, undecodable, value_repr

MAX_DIGITS_BITS = 13_000  # Python refuses to print longer ints.


def detail(trajectory: LoadedBody, rows: list[LoadedRow], number: int | None) -> dict[str, Any]:
    """Return what `show --json` prints; `number` selects an observation, from 1."""
    shown = list(enumerate(rows, 1))
    if number is not None:
        shown = shown[number - 1 : number]
    found = summary(trajectory.stored)
    found["observation_count"] = found.pop("observations")
    found["step_count"] = found.pop("steps")
    found["error"] = trajectory.error or None
    body = trajectory.body
    if trajectory.flows is not None:
        found["tools"] = list(trajectory.flows.tools)
        found["evidence"] = evidence_counts(rows)
    found["params"] = list(body.params) if body else []
    found["fixed_params"] = [name for name, _ in body.fixed] if body else []
    found["equal_params"] = [list(group) for group in body.equal] if body else []
    first = shown[0][1] if shown else None
    row = first.row if first is not None and not first.error else None
    found["steps"] = [_step(index, step, body, row) for index, step in enumerate(body.steps)] if body else []
    found["loops"] = loops_of(body, row) if body else []
    found["observations"] = [_observation(place, seen) for place, seen in shown]
    return found


def loops_of(body: Body, row: Row | None) -> list[dict[str, Any]]:
    """Return the loops of a recording: their calls, and where the list comes from."""
    tools = [step.tool for step in body.steps]
    return [
        {
            "first": loop.start,
            "last": loop.stop - 1,
            "calls": len(loop.records),
            "list": source_text(Source(OUTPUT, loop.source, path=loop.way), tools),
        }
        for loop in written_loops(body, row)
    ]


def evidence_counts(rows: list[LoadedRow]) -> dict[str, int]:
    """Return how many pieces of evidence there are of each kind."""
    entries = {entry for row in rows for entry in row.entries}
    kinds = {"agreed": (AGREED,), "struck": (STRUCK,), "verdicts": (CONFIRMED, REJECTED)}
    found = {name: sum(entry[:1] in kind for entry in entries) for name, kind in kinds.items()}
    return {**found, "unreadable": sum(bool(row.error) for row in rows)}


def evidence_text(rows: list[LoadedRow]) -> str:
    """Return in words how much evidence there is."""
    counts = evidence_counts(rows)
    text = ", ".join(
        (
            count(counts["agreed"], "agreeing value"),
            f"{counts['struck']} struck",
            count(counts["verdicts"], "verdict of people", "verdicts of people"),
        )
    )
    return text + (f"; {count(counts['unreadable'], 'record')} damaged" if counts["unreadable"] else "")


def _step(index: int, step: StepRecord, body: Body, row: Row | None) -> dict[str, Any]:
    outputs = Outputs(row, body.steps)
    return {
        "index": index,
        "tool": step.tool,
        "fingerprint": step.fingerprint,
        "method": step.method,
        "group": step.group - 1 if step.group else None,
        "late": step.late,
        "instance": step.instance or None,
        "effect": (row.effects[index] or None) if row is not None and index < len(row.effects) else None,
        "pre_check": step.pre or None,
        "post_check": step.post or None,
        "call": call_text(step, outputs),
        "arguments": [_argument(name, expr, step, body, outputs) for name, expr in step.arguments],
        "guards": [_guard(guard, outputs) for guard in step.guards],
        "provenance": by_argument(step, origins_at(index, row)),
    }


def _argument(name: str, expr: Any, step: StepRecord, body: Body, outputs: Outputs) -> dict[str, Any]:
    found: list[dict[str, Any]] = [
        {"place": source.place, "kind": source.kind, "told": source.description}
        for source in sources(name, expr, step, body, outputs)
    ]
    literal = {"place": name, "kind": "literal", "told": "literal"}
    return {"name": name, "expression": expression(expr, outputs, None), "sources": found or [literal]}


def _guard(guard: Guard, outputs: Outputs) -> dict[str, Any]:
    place = outputs.place(guard.step, guard.path)
    found = {"step": guard.step, "path": list(guard.path), "place": place, "value": value_json(guard.data)}
    return found | {"kind": guard.kind} if guard.kind else found


def _observation(number: int, seen: LoadedRow) -> dict[str, Any]:
    row = seen.row
    found: dict[str, Any] = {
        "number": number,
        "id": seen.observation.id,
        "seq": seen.seq,
        "created": iso(seen.observation.created),
        "refresh": seen.observation.refresh,
        "error": seen.error or None,
    }
    if seen.entries:
        found["entries"] = [entry_document(entry) for entry in seen.entries]
    if row is not None:
        found |= {
            "run_seconds": row.run_seconds,
            "agent_seconds": row.agent_seconds,
            "tokens": row.tokens,
            "result": row.result if row.result >= 0 else None,
            "answer": answer_text(row, None) or None,
            "steps": [_seen_step(index, row) for index in range(max(len(row.pre), len(row.post)))],
        }
    return found


def answer_text(row: Row, limit: int | None) -> str:
    """Return the answer that a hit may give back as source text, or an empty text."""
    return "" if row.final is None else expression(row.final.expr, Outputs(None, ()), limit)


def _seen_step(index: int, row: Row) -> dict[str, Any]:
    def at(values: tuple[Any, ...], default: Any) -> Any:
        return values[index] if index < len(values) else default

    pre, post, output = at(row.pre, None), at(row.post, None), at(row.outputs, b"")
    return {
        "index": index,
        "pre": None if pre is None else _snapshot_json(pre),
        "post": None if post is None else _snapshot_json(post),
        "output": value_json(output) if output else None,
        "note": at(row.notes, "") or None,
        "keywords": list(at(row.keywords, ())),
        "effect": at(row.effects, "") or None,
        "seconds": at(row.seconds, None),
    }


def _snapshot_json(data: bytes) -> dict[str, Any]:
    """Return what `value_json` does, with the names of params in a snapshot's text."""
    return {"type": None, "text": snapshot_text(data), "masked": True} if is_masked(data) else value_json(data)


def value_json(data: bytes) -> dict[str, Any]:
    """Return a stored value's `type`, its repr as `text`, and `value` if JSON has it."""
    value, error = decoded(data)
    if error:
        return {"type": None, "text": undecodable(data), "error": error}
    found: dict[str, Any] = {"type": class_name(value), "text": value_repr(value)}
    if is_json(value):
        found["value"] = value
    return found


def is_json(value: Any) -> bool:
    """Return whether JSON has a value as it is."""
    kind = type(value)
    if kind is int:
        return bool(value.bit_length() < MAX_DIGITS_BITS)
    if kind is float:
        return bool(value - value == 0)
    if kind is list:
        return all(map(is_json, value))
    if kind is dict:
        return all(type(key) is str for key in value) and all(map(is_json, value.values()))
    return value is None or kind in (str, bool)
