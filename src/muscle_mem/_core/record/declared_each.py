"""Declared loops of a recording: each is compared with what was recorded (L11)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ...errors import NotStorableError
from .. import codec
from ..binding.references.declared_flows import is_tool_of
from ..binding.references.for_each import declared_elements
from ..binding.tasks.freeze import Container, Encoded
from ..model.declared_flow import DeclaredEach, DeclaredFlow
from ..model.reason import Reason
from ..model.records import Expr, Lit, Par
from ..model.text import safe_repr
from ..run.recorder import Problem, RecordedStep, Recorder
from .read_output import read_output

_MAX_SHOWN = 40


def each_problem(
    recorder: Recorder, steps: Sequence[RecordedStep], ended: Mapping[int, frozenset[int]]
) -> Problem | None:
    """Return the first declared loop that a recording does not follow, or None."""
    for tool in dict.fromkeys(step.tool for step in steps):
        for name, flow in tool.each.items():
            calls = [at for at, step in enumerate(steps) if step.tool is tool]
            for source, group in _by_source(steps, ended, flow, calls):
                why = _difference(recorder, steps, name, flow, source, group)
                if why:
                    message = f"argument {name!r} of {tool.name!r} does not fit flows={flow!r}: {why}"
                    return Problem(Reason.FLOW_MISMATCH, message, tool.name)
    return None


def _by_source(
    steps: Sequence[RecordedStep], ended: Mapping[int, frozenset[int]], flow: DeclaredEach, calls: Sequence[int]
) -> Iterator[tuple[int, list[int]]]:
    """Yield the calls that go through each list; -1 if there is none."""
    groups: dict[int, list[int]] = {}
    for at in calls:
        sources = [one for one in ended.get(at, ()) if is_tool_of(DeclaredFlow(flow.tool), steps[one].tool)]
        groups.setdefault(max(sources, default=-1), []).append(at)
    yield from groups.items()


def _difference(
    recorder: Recorder, steps: Sequence[RecordedStep], name: str, flow: DeclaredEach, source: int, calls: Sequence[int]
) -> str:
    if source < 0:
        return f"no call of {flow.tool!r} ended before it. Correct the tool name, or remove it."
    redactor = recorder.known.redactor
    output, _ = read_output(steps[source], redactor)
    if redactor and redactor.contains_secret(output):
        return f"the output of {flow.tool!r} contains the value of a secret"
    try:
        wanted = [value for _, value in declared_elements(output, flow)]
        made = [_value(recorder, steps[at], name) for at in calls]
    except LookupError as error:
        return f"{error.args[0]}. Correct the path, or remove it."
    if len(made) != len(wanted):
        return f"expected {len(wanted)} calls, one for each element, got {len(made)}. Correct it, or remove it."
    for number, (one, other) in enumerate(zip(made, wanted, strict=True)):
        if not _is_same(one, other):
            return (
                f"expected {safe_repr(other, _MAX_SHOWN)} from element {number + 1}, got {safe_repr(one, _MAX_SHOWN)}. "
                "Correct it, or remove it."
            )
    return ""


def _value(recorder: Recorder, step: RecordedStep, name: str) -> Any:
    """Return the value of a recorded argument. Raises LookupError."""
    if step.record is not None:
        expr = dict(step.record.arguments).get(name)
        if isinstance(expr, Lit):
            return codec.decode(expr.data, lenient=True)
        raise LookupError("the argument is not a constant")
    named = dict(step.arguments)
    if name not in named:
        raise LookupError("the argument was left out")
    return _plain(recorder, named[name])


def _plain(recorder: Recorder, frozen: Any) -> Any:
    if isinstance(frozen, Encoded):
        return codec.decode(frozen.data, lenient=True)
    if isinstance(frozen, Container):
        return codec.fold(frozen.kind, tuple(_plain(recorder, item) for item in frozen.items))
    if isinstance(frozen, Par):
        return recorder.params.values[frozen.name]
    if isinstance(frozen, Expr):
        raise LookupError("the argument is an object, a secret or a context object")
    return frozen


def _is_same(one: Any, other: Any) -> bool:
    try:
        return codec.canonical(one) == codec.canonical(other)
    except NotStorableError:
        return False
