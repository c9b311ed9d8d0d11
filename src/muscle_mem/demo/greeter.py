"""The smallest example, for machines without a browser: a greeting, remembered for a second."""

from __future__ import annotations

import time
from dataclasses import dataclass

from rich.console import Console

from .._core.model.outcome import Outcome
from .._core.tools.check import Check
from .._engine.engine import Engine

TRIES = 5


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
    first, second = _twice(engine, console)
    time.sleep(3)
    third = engine("erik")
    console.print(f"three seconds later: {_said(third)}", style="bold")
    engine.close()
    return 0 if not first and second and not third else 1


def _twice(engine: Engine, console: Console) -> tuple[Outcome, Outcome]:
    """The first two runs; from the start again where the machine was so busy that a greeting was over a second old."""
    for _ in range(TRIES):
        first, second = engine("erik"), engine("erik")
        console.print(f"first run: {_said(first)}", style="bold")
        console.print(f"second run: {_said(second)}", style="bold")
        if second:
            break
        console.print("this machine was too busy to greet again within a second; once more")
        engine.cache_clear()
    return first, second


def _said(outcome: Outcome) -> str:
    return "replayed, no agent" if outcome else "the agent was asked"
