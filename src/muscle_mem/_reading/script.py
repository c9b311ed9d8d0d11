"""Script of a trajectory: its steps, their checks and the sources of arguments."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from .._core.binding.guards.provenance import provenance_text
from .._core.model.records import Body, Row, StepRecord
from .expressions import Outputs, expression, guard_text, snapshot_text, sources
from .text import display_name, duration, printable, value_text

SHORT = 160
INDENT = "      "


def call_text(step: StepRecord, outputs: Outputs) -> str:
    """Return one call: `Page.type_text(target='Username', text=name)`."""
    starred = max((place for place, (name, _) in enumerate(step.arguments) if name.startswith("*")), default=-1)
    parts: list[str] = []
    for place, (name, expr) in enumerate(step.arguments):
        spelled = "" if place <= starred else f"{printable(name)}="  # Arguments before *args are positional.
        parts.append(spelled + expression(expr, outputs))
    return f"{display_name(printable(step.tool))}({', '.join(parts)})"


def remark(index: int, step: StepRecord, row: Row | None) -> str:
    """Return the remark after a call: its effect, its checks and its duration."""
    effect = row.effects[index] if row is not None and index < len(row.effects) else ""
    checks = [f"{kind}-check" for kind, check in (("pre", step.pre), ("post", step.post)) if check]
    parts = [printable(effect) if effect else "write (undeclared)", ", ".join(checks) or "unchecked"]
    if row is not None and index < len(row.seconds):
        parts.append(duration(row.seconds[index]))
    return "; ".join(parts)


def details(index: int, step: StepRecord, body: Body, row: Row | None, outputs: Outputs) -> Iterator[str]:
    """Yield the lines below a step."""
    if step.method:
        yield "self <- context object"
    if step.group:
        began = "started after another one ended" if step.late else "started while the others were running"
        yield f"parallel group of step {step.group - 1}; {began}"
    shown: set[int] = set()
    for name, expr in step.arguments:
        for source in sources(name, expr, step, body, outputs):
            shown.update(map(id, source.guards))
            yield printable(f"{source.place} <- {source.description}")
    came_from = provenance_text(step, origins_at(index, row))
    if came_from:
        yield printable(f"provenance: {came_from}")
    for guard in step.guards:
        if id(guard) not in shown:
            yield printable(f"guarded: {guard_text(guard, outputs)}")
    if row is not None:
        yield from observed_text(index, step, row)


def origins_at(index: int, row: Row | None) -> Sequence[str]:
    """Return the stored provenance of a step's leaves; empty if there is none."""
    return row.origins[index] if row is not None and index < len(row.origins) else ()


def observed_text(index: int, step: StepRecord, row: Row) -> Iterator[str]:
    """Yield the snapshots and the output of a step in one observation."""
    for kind, check, snapshots in (("pre", step.pre, row.pre), ("post", step.post, row.post)):
        snapshot = snapshots[index] if index < len(snapshots) else None
        if snapshot is not None:
            yield f"{kind}-snapshot: {snapshot_text(snapshot, SHORT)}"
        elif check:
            yield f"{kind}-snapshot: <none>"
    yield f"output: {output_text(index, row)}"


def output_text(index: int, row: Row) -> str:
    """Return an output as text, or why it was not stored."""
    output = row.outputs[index] if index < len(row.outputs) else b""
    note = row.notes[index] if index < len(row.notes) else ""
    returned = " (returned by the agent)" if row.result == index else ""
    if output:
        return printable(value_text(output), SHORT) + returned
    return f"<not stored{': ' + printable(note, SHORT) if note else ''}>{returned}"


def script(body: Body, row: Row | None) -> Iterator[tuple[str, str]]:
    """Yield text and style of each line of the script.

    Steps are numbered from 0, as in divergences and `output[0]`.
    """
    outputs = Outputs(row, body.steps)
    calls: Sequence[str] = [call_text(step, outputs) for step in body.steps]
    wide = len(str(len(calls) - 1))
    grouped = any(step.group for step in body.steps)
    column = min(max(map(len, calls), default=0), 72)
    for index, (step, call) in enumerate(zip(body.steps, calls, strict=True)):
        mark = ("∥ " if step.group else "  ") if grouped else ""
        yield f"{index:>{max(wide, 3)}}  {mark}{call:<{column}}   # {remark(index, step, row)}", "bold"
        for line in details(index, step, body, row, outputs):
            yield INDENT + "  " + line, "dim"


def param_conditions(body: Body) -> Iterator[tuple[str, str]]:
    """Yield name and text of what a trajectory requires of its params."""
    fixed = {name for name, _ in body.fixed}
    shown = [
        printable(name) + (" (fixed: only for the recorded value)" if name in fixed else "") for name in body.params
    ]
    yield "params", ", ".join(shown) or "none"
    for group in body.equal:
        yield "equal", f"{', '.join(map(printable, group))} had equal values: replayed only if they are equal again"
    for part in body.parts:
        yield "part", f"{printable(part.name)} was a part of {printable(part.whole)}: replayed only if it is one again"
