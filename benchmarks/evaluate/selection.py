"""Which tasks are measured: not in the demo, solved by a script, the first ones by the SHA-256 of their names."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path

from muscle_mem.demo.tasks import TASKS

from .tasks import LEFT_OUT, SOLVED

TASK_COUNT = 40
SEEDS = tuple(f"evaluate-{number}" for number in range(1, 6))
IN_DEMO = frozenset(task.page for task in TASKS)
NO_SOLVER = "no solver"


@dataclass
class Selection:
    """The chosen tasks, in order, and those before the last of them that were left out, with the reason for each."""

    chosen: list[str] = field(default_factory=list)
    left_out: dict[str, str] = field(default_factory=dict)


def names_in(pages: Path) -> list[str]:
    return [page.stem for page in pages.glob("*.html")]


def in_order(names: Iterable[str]) -> list[str]:
    """Names that are not in the demo, by their hashes: an order without a choice."""
    return sorted(set(names) - IN_DEMO, key=lambda name: sha256(name.encode()).hexdigest())


def choose(names: Iterable[str], count: int, failure: Callable[[str], str]) -> Selection:
    """Take the first tasks whose script does not fail.

    Args:
        names: Names of tasks.
        count: How many to take.
        failure: Returns why the script of a task does not solve it, or "".
    """
    selection = Selection()
    for name in in_order(names):
        if len(selection.chosen) == count:
            break
        reason = failure(name) if name in SOLVED else LEFT_OUT.get(name, NO_SOLVER)
        if reason:
            selection.left_out[name] = reason
        else:
            selection.chosen.append(name)
    return selection
