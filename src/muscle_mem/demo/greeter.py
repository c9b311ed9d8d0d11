"""Smallest example, for machines without a browser: a greeting.

The greeting is valid for a second.
"""

from __future__ import annotations

import time
from dataclasses import dataclass

from rich.console import Console

from .._core.model.outcome import Outcome
from .._core.tools.check import Check
from .._engine.engine import Engine
from .printing import print_line, print_paragraph, seconds_text

TRIES = 5
WHAT = "An agent greets erik nine times. A recorded greeting is repeated if it is a second old at most."


@dataclass
class Sight:
    """Snapshot of the check: who is greeted, and when."""

    name: str
    time: float


def capture(name: str) -> Sight:
    """Capture the state before a greeting."""
    return Sight(name=name, time=time.time())


def compare(current: Sight, candidate: Sight) -> bool:
    """Return whether the recorded greeting is at most a second old."""
    return current.time - candidate.time <= 1


def greet(console: Console) -> int:
    """Run the example: a miss, a hit, and a miss three seconds later; return a code."""
    engine = Engine()

    @engine.tool(pre_check=Check(capture, compare))
    def hello(name: str) -> None:
        time.sleep(0.1)
        console.print(f"   hello {name}", highlight=False)

    def agent(name: str) -> None:
        for number in range(9):
            hello(f"{name} + {number}")

    engine.set_agent(agent)
    print_paragraph(
        console, "An agent greets erik nine times. A recorded greeting is repeated if it is a second old at most."
    )
    first, second = _twice(engine, console)
    time.sleep(3)
    third = _run(engine, console, "3. Three seconds later: the recorded greetings are too old, so their check fails.")
    engine.close()
    return 0 if not first and second and not third else 1


def _twice(engine: Engine, console: Console) -> tuple[Outcome, Outcome]:
    """Return the outcomes of the first two runs.

    On a busy machine, the second run may start over a second later. Both are then repeated.
    """
    for _ in range(TRIES):
        first = _run(engine, console, "1. A new task. Nothing is recorded, so the agent does it.")
        second = _run(engine, console, "2. The same task again. Each recorded step is repeated if its check passes.")
        if second:
            break
        print_line(console, "\nThe machine was too busy to greet again within a second. Both runs are repeated.")
        engine.cache_clear()
    return first, second


def _run(engine: Engine, console: Console, heading: str) -> Outcome:
    print_line(console, f"\n{heading}", "bold")
    outcome = engine("erik")
    done = f"{outcome.steps} steps replayed, the agent was not asked" if outcome else "the agent did it, recorded"
    print_line(console, f"   Done in {seconds_text(outcome.seconds)}: {done}.", "green" if outcome else "cyan")
    return outcome
