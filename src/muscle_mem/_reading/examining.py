"""Problems of trajectories whose rows pass their digests."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from .._core.binding.references.masking import is_masked, unpack_mask
from .._core.model.learned import FlowsBody
from .._core.model.records import Body, Expr, Guard, Lit, Node, Par, Ref, Row, Tpl
from .._core.plan.identity import general_id
from ..errors import DecodeError
from ..store import STATES, Stored
from .loading import LoadedBody, LoadedRow, load_body, load_rows
from .text import decoded, unknown_classes


class Finding(msgspec.Struct, frozen=True):
    """Finding about a store: its kind as a code, a trajectory's id or "", a sentence."""

    kind: str
    id: str
    what: str
    problem: bool = True


def examine(stored: Stored, classes: dict[str, int]) -> Iterator[Finding]:
    """Yield the problems of one trajectory, and count unknown classes in `classes`."""
    trajectory = load_body(stored)
    id = stored.sealed.id
    if trajectory.flows is not None:
        yield from (Finding(kind, id, what) for kind, what in _flows(trajectory, trajectory.flows))
        return
    if trajectory.body is None:
        yield Finding("unreadable", id, trajectory.error)
        return
    unknown: set[str] = set()
    yield from (Finding(kind, id, what) for kind, what in _body(trajectory.body, stored, unknown))
    if not stored.observations:
        yield Finding("no_observation", id, "it does not have a readable observation, so checks cannot compare")
    for seen in load_rows(trajectory):
        yield from (Finding(kind, id, what) for kind, what in _row(seen, trajectory.body, unknown))
    for name in unknown:
        classes[name] = classes.get(name, 0) + 1


def _flows(trajectory: LoadedBody, flows: FlowsBody) -> Iterator[tuple[str, str]]:
    """Yield the problems of the record of a generalized trajectory."""
    stored = trajectory.stored
    if len(flows.tools) != stored.sealed.steps:
        yield "misfit", f"steps: expected {stored.sealed.steps} by its row, got {len(flows.tools)} tools"
    if general_id(stored.sealed.key, flows.digest) != stored.sealed.id:
        yield "misfit", "its id is not that of its key and calls, so its evidence is not used"
    if stored.standing.state not in STATES:
        yield "misfit", f"state: expected one of {', '.join(STATES)}, got {stored.standing.state!r}"
    for seen in load_rows(trajectory):
        if seen.error:
            yield "unreadable", f"evidence {seen.observation.id}: {seen.error}"


def _body(body: Body, stored: Stored, unknown: set[str]) -> Iterator[tuple[str, str]]:
    if len(body.steps) != stored.sealed.steps:
        yield "misfit", f"steps: expected {stored.sealed.steps} by its row, got {len(body.steps)}"
    if stored.standing.state not in STATES:
        yield "misfit", f"state: expected one of {', '.join(STATES)}, got {stored.standing.state!r}"
    for index, step in enumerate(body.steps):
        for name, expr in step.arguments:
            for kind, what in _expression(expr, index, body, unknown):
                yield kind, f"step {index} ({step.tool}), argument {name}: {what}"
        for guard in step.guards:
            for kind, what in _guard(guard, index):
                yield kind, f"step {index} ({step.tool}), guard: {what}"
    yield from _params(body)


def _params(body: Body) -> Iterator[tuple[str, str]]:
    named = {*(name for name, _ in body.fixed), *(name for group in body.equal for name in group)}
    named |= {one.name for one in body.leafwise} | {name for one in body.parts for name in (one.name, one.whole)}
    for name in sorted(named - set(body.params)):
        yield "dangling", f"it refers to parameter {name!r}, which the trajectory does not have"


def _expression(expr: Expr, index: int, body: Body, unknown: set[str]) -> Iterator[tuple[str, str]]:
    if isinstance(expr, Lit):
        yield from _value(expr.data, unknown)
    elif isinstance(expr, Par | Tpl):
        for name in (expr.name,) if isinstance(expr, Par) else expr.parts[1::2]:
            if name not in body.params:
                yield "dangling", f"it refers to parameter {name!r}, which the trajectory does not have"
        if isinstance(expr, Tpl) and len(expr.parts) % 2 == 0:
            yield "misfit", "its template has an even number of parts"
    elif isinstance(expr, Ref):
        yield from _source(expr.step, index)
    elif isinstance(expr, Node):
        for item in expr.items:
            yield from _expression(item, index, body, unknown)


def _guard(guard: Guard, index: int) -> Iterator[tuple[str, str]]:
    yield from _source(guard.step, index)
    yield from _value(guard.data, set())


def _source(step: int, index: int) -> Iterator[tuple[str, str]]:
    if not 0 <= step < index:
        yield "dangling", f"it refers to the output of step {step}, which is not an earlier step"


def _value(data: bytes, unknown: set[str]) -> Iterator[tuple[str, str]]:
    value, error = decoded(data)
    if error:
        yield "unreadable", f"{len(data)} bytes cannot be decoded: {error}"
    else:
        unknown.update(unknown_classes(value))


def _row(seen: LoadedRow, body: Body, unknown: set[str]) -> Iterator[tuple[str, str]]:
    name = f"observation {seen.observation.id}"
    row = seen.row
    if row is None:
        yield "unreadable", f"{name}: {seen.error}"
        return
    if seen.error:
        yield "misfit", f"{name} does not match its trajectory: {seen.error}"
    for role, index, data in _values(row):
        found = _value(data, unknown) if role == "output" else _snapshot(data, index, body, unknown)
        for kind, what in found:
            yield kind, f"{name}, {role} of step {index}: {what}"


def _snapshot(data: bytes, index: int, body: Body, unknown: set[str]) -> Iterator[tuple[str, str]]:
    if not is_masked(data):
        yield from _value(data, unknown)
        return
    try:
        expr = unpack_mask(data)
    except DecodeError as error:
        yield "unreadable", f"{len(data)} bytes cannot be decoded: {error}"
    else:
        yield from _expression(expr, index, body, unknown)


def _values(row: Row) -> Iterator[tuple[str, int, bytes]]:
    for role, values in (("pre-snapshot", row.pre), ("post-snapshot", row.post), ("output", row.outputs)):
        for index, data in enumerate(values):
            if data or (data is not None and role != "output"):  # An empty output was not stored.
                yield role, index, data
