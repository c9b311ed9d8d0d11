"""The declared loops of a recording (L11)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ...model.declared_flow import DeclaredEach
from ...model.records import StepRecord
from .for_each import MAX_BODY, Loop, declared_elements, declared_way
from .recorded_runs import NO_OUTPUT

Each = Sequence[Mapping[str, DeclaredEach]]


def declared_loops(
    records: Sequence[StepRecord], outputs: Sequence[Any], each: Each
) -> tuple[list[Loop], dict[int, Any]] | None:
    """Return the declared loops, and for each start its conditions and arguments.

    Return None if the calls do not go through the lists as declared.
    """
    found: list[Loop] = []
    said: dict[int, Any] = {}
    at = 0
    while at < len(records):
        if not each[at]:
            at += 1
            continue
        loop, inner = _loop_at(records, outputs, each, at)
        if loop is None:
            return None
        flow = next(iter(each[at].values()))
        found.append(loop)
        said[loop.start] = (flow.where, inner)
        at = loop.stop
    return found, said


def _loop_at(
    records: Sequence[StepRecord], outputs: Sequence[Any], each: Each, at: int
) -> tuple[Loop | None, tuple[Any, ...]]:
    flow = next(iter(each[at].values()))
    source = max((one for one in range(at) if is_called(flow, records[one].tool)), default=-1)
    if source < 0 or outputs[source] is NO_OUTPUT:
        return None, ()
    try:
        count = len(declared_elements(outputs[source], flow))
        way, _ = declared_way(outputs[source], flow)
    except LookupError:
        return None, ()
    size = _size(records, each, at, count)
    if not size:
        return None, ()
    inner: list[tuple[int, str, Any]] = []
    for number in range(size):
        for name, own in each[at + number].items():
            if (own.tool, own.where) != (flow.tool, flow.where):
                return None, ()
            own_way, rest = declared_way(outputs[source], own)
            if own_way != way:
                return None, ()
            inner.append((number, name, rest))
    return Loop(at, size, count, source, way), tuple(inner)


def _size(records: Sequence[StepRecord], each: Each, at: int, count: int) -> int:
    """Return how many calls an iteration has; 0 if that is not known."""
    tools = [record.tool for record in records]
    if count == 1:
        last = at
        while last + 1 < len(records) and last + 1 - at < MAX_BODY and each[last + 1] and tools[last + 1] != tools[at]:
            last += 1
        return last + 1 - at
    following = next((one for one in range(at + 1, len(tools)) if tools[one] == tools[at]), 0)
    size = following - at
    if size < 1 or at + size * count > len(tools):
        return 0
    return size if all(tools[one] == tools[one - size] for one in range(at + size, at + size * count)) else 0


def is_called(flow: DeclaredEach, tool: str) -> bool:
    """Return whether a stored tool name is that of a declared list."""
    return tool == flow.tool or tool.endswith(f".{flow.tool}")
