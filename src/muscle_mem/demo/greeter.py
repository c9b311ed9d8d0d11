"""The smallest example, for where no browser can be had: a greeting, remembered for a second."""

from __future__ import annotations

import time
from dataclasses import dataclass

from rich.console import Console

from .._core.check import Check
from .._engine import Engine


@dataclass
class Sight:
    """What the check looks at: who is greeted, and when."""

    name: str
    time: float


def capture(name: str) -> Sight:
    """Look at the world before a greeting."""
    return Sight(name=name, time=time.time())


def compare(current: Sight, candidate: Sight) -> bool:
    """A greeting may be repeated within a second."""
    return current.time - candidate.time <= 1


def greet(console: Console) -> int:
    """Run the example: a miss, a hit, and after three seconds a miss. Returns an exit code."""
    engine = Engine()

    @engine.tool(pre_check=Check(capture, compare))
    def hello(name: str) -> None:
        time.sleep(0.1)
        console.print(f"hello {name}", highlight=False)

    def agent(name: str) -> None:
        for number in range(9):
            hello(f"{name} + {number}")

    engine.set_agent(agent)
    expected = (("first run", 0.0, False), ("second run", 0.0, True), ("three seconds later", 3.0, False))
    right = True
    for stage, wait, hit in expected:
        time.sleep(wait)
        outcome = engine("erik")
        right = right and bool(outcome) is hit
        console.print(f"{stage}: {'replayed, no agent' if outcome else 'the agent was asked'}", style="bold")
    engine.close()
    return 0 if right else 1
