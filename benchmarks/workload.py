"""What all three subjects work on: trivial tools, captures and compares. Standard library only, for the prototype
runs this file in an environment of its own."""

from __future__ import annotations

import gc
import itertools
import sys
import time
import tracemalloc
from collections.abc import Callable
from typing import Any, NamedTuple

state = {"page": "page 0"}  # the environment that captures look at
notes = itertools.cycle(("a note of today", "another note than that", "a third one"))
counts = {"captures": 0, "compares": 0, "calls": 0}
PAGE = {f"node {i}": {"tag": "input", "text": f"field {i}", "at": [i, 2 * i]} for i in range(33)}  # 200 nodes
CROP = bytearray(i * 7 % 251 for i in range(65_536))
SLOW = 0.001


class World(NamedTuple):
    """One kind of task. `arguments(i)` are those of the call at step i, always one."""

    tool: Callable[[Any], Any]
    capture: Callable[[Any], Any]
    compare: Callable[[Any, Any], bool]
    argument: Callable[[int], Any]


def same(current: Any, candidate: Any) -> bool:
    return bool(current == candidate)


def number(i: int) -> Any:
    return i


DONE = "the page was pressed"  # no figure in it: what those cost is measured by itself


def press(n: int) -> str:
    return DONE


def press_silently(n: int) -> None:
    """Return nothing, so that there is nothing in the result to look at."""


def look(n: int) -> str:
    return state["page"]


def press_counted(n: int) -> str:
    counts["calls"] += 1
    return DONE


def look_counted(n: int) -> str:
    counts["captures"] += 1
    return state["page"]


def same_counted(current: Any, candidate: Any) -> bool:
    counts["compares"] += 1
    return bool(current == candidate)


def press_slowly(n: int) -> str:
    until = time.perf_counter() + SLOW  # busy: a sleep would measure the scheduler
    while time.perf_counter() < until:
        pass
    return DONE


def press_answering(n: int) -> dict[str, Any]:
    return {"ok": True, "status": "open", "note": next(notes)}


def say_pressed(n: int) -> str:
    return f"pressed number {n}"


def look_page(n: int) -> dict[str, Any]:
    return {name: {**node, "at": list(node["at"])} for name, node in PAGE.items()}


def look_crop(n: int) -> bytes:
    return bytes(CROP)


def fill(page: dict[str, Any]) -> str:
    return DONE


def look_fill(page: dict[str, Any]) -> str:
    return state["page"]


def keep(crop: bytes) -> str:
    return DONE


def look_keep(crop: bytes) -> str:
    return state["page"]


def a_page(i: int) -> Any:
    return {**look_page(0), "step": i}


def a_crop(i: int) -> Any:
    return i.to_bytes(4, "big") + bytes(CROP[4:])


WORLDS = {
    "plain": World(press, look, same, number),
    "counted": World(press_counted, look_counted, same_counted, number),
    "slow": World(press_slowly, look, same, number),
    "silent": World(press_silently, look, same, number),
    "answers": World(press_answering, look, same, number),
    "same text": World(say_pressed, look, same, number),
    "page": World(press, look_page, same, number),
    "crop": World(press, look_crop, same, number),
    "page argument": World(fill, look_fill, same, a_page),
    "crop argument": World(keep, look_keep, same, a_crop),
}


def reset_counts() -> None:
    for name in counts:
        counts[name] = 0


def agent_of(tool: Callable[[Any], Any], world: World, steps: int) -> Callable[[str], int]:
    """An agent that makes the calls of a task."""
    arguments = [world.argument(i) for i in range(steps)]

    def agent(task: str) -> int:
        for argument in arguments:
            tool(argument)
        return steps

    return agent


def loop_of(world: World, steps: int) -> Callable[[], None]:
    """The physical limit: the same captures, compares and calls, as a person would write them."""
    capture, compare, tool = world.capture, world.compare, world.tool
    plan = [(argument, capture(argument)) for argument in map(world.argument, range(steps))]

    def loop() -> None:
        for argument, expected in plan:
            if not compare(capture(argument), expected):
                break
            tool(argument)

    return loop


def block_of(function: Callable[[], Any], clock: Callable[[], int] = time.perf_counter_ns) -> Callable[[int], int]:
    """A block: calls `function` once to warm up, then n times; the nanoseconds of the n by this clock."""

    def block(n: int) -> int:
        function()
        began = clock()
        for _ in range(n):
            function()
        return clock() - began

    return block


def fresh_block_of(make: Callable[[], Callable[[], Any]]) -> Callable[[int], int]:
    """A block of first calls: each of a function that `make` makes anew, outside the time."""

    def block(n: int) -> int:
        total = 0
        for _ in range(n):
            function = make()
            began = time.perf_counter_ns()
            function()
            total += time.perf_counter_ns() - began
        return total

    return block


def left_by(hit: Callable[[], Any], hits: int) -> dict[str, int]:
    """Bytes and blocks that hits leave behind."""
    for _ in range(10):
        hit()
    gc.collect()
    blocks = sys.getallocatedblocks()
    tracemalloc.start()
    for _ in range(hits):
        hit()
    gc.collect()
    return {"bytes": tracemalloc.get_traced_memory()[0], "blocks": sys.getallocatedblocks() - blocks}
