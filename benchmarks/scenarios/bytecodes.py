"""Bytecodes of a hit, counted by tracing: the same on a busy machine as on a quiet one, but not in two Pythons."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from types import FrameType
from typing import Any

from ..ours import must_hit, recorded
from ..scenario import Bench, Row, Target, scenario
from ..workload import WORLDS

WARM = 50
PYTHON = f"{sys.version_info.major}.{sys.version_info.minor}"
TARGETS = {"3.11": (975, 139)}
"""What a hit of one step, and a further step, took in 0.2.0; other Pythons compile the same source otherwise."""


@scenario("bytecodes")
def of_a_hit(bench: Bench) -> Iterator[Row]:
    """A steady hit of one step, and what a further step adds. Its tool returns nothing that has to be looked at."""
    one, calls = counted(must_hit(recorded(WORLDS["silent"], 1)))
    further = (counted(must_hit(recorded(WORLDS["silent"], 11)))[0] - one) / 10
    note = f"{calls} Python calls, under Python {PYTHON}"
    limits: list[Target | None] = [Target(most) for most in TARGETS.get(PYTHON, ())]
    limits = limits or [None, None]
    yield Row("bytecodes.1", "bytecodes of a steady hit, 1 step", "bytecodes", one, target=limits[0], note=note)
    yield Row("bytecodes.further", "bytecodes of a further step", "bytecodes", further, target=limits[1])


@scenario("bytecodes")
def of_looks(bench: Bench) -> Iterator[Row]:
    """What a further step adds whose result holds answers, or could hold an error."""
    worlds = (("plain", "the recorded text"), ("same text", "a text with a number in it"))
    for world, what in (*worlds, ("answers", "a dict with two answers and a new text")):
        hits = [counted(must_hit(recorded(WORLDS[world], steps)))[0] for steps in (1, 11)]
        name = f"bytecodes of a further step that returns {what}"
        yield Row(f"bytecodes.further.{world.replace(' ', '.')}", name, "bytecodes", (hits[1] - hits[0]) / 10)


@scenario("bytecodes")
def of_no_tracing(bench: Bench) -> Iterator[Row]:
    """A steady hit with OtelObserver while no provider of an SDK is set, as a multiple of the hit without it."""
    title = "steady hit, 10 steps: bytecodes with OtelObserver and no tracer, to those without it"
    try:
        from muscle_mem.integrations.otel import OtelObserver
    except ImportError as error:
        yield Row("bytecodes.unheard", title, "x", note=f"skipped: {error}")
        return
    quiet, unheard = (
        counted(must_hit(recorded(WORLDS["silent"], 10, observers=observers)))[0]
        for observers in ([], [OtelObserver()])
    )
    yield Row("bytecodes.unheard", title, "x", unheard / quiet, target=Target(2))


def counted(hit: Callable[[], None]) -> tuple[int, int]:
    """Bytecodes and Python calls of a hit, without those of the function that makes it."""
    for _ in range(WARM):
        hit()
    found = [0, 0]

    def trace(frame: FrameType, event: str, arg: Any) -> Any:
        frame.f_trace_opcodes, frame.f_trace_lines = True, False
        if frame.f_code is not hit.__code__ and event in ("opcode", "call"):
            found[event == "call"] += 1
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        hit()
    finally:
        sys.settrace(before)
    return found[0], found[1]
