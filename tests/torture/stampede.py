"""Thirty-two workers miss the same tasks together: one of them asks its agent, the others wait and replay.

Some leaders are killed while their agent is at work: that costs one agent run each, and nobody waits for the dead.
"""

from __future__ import annotations

import os
import random
import signal
import time
from pathlib import Path
from typing import Any

from muscle_mem import Engine
from muscle_mem.store import SqliteStore

from .children import Child, StartLine, scratch
from .figures import Figures, Proof, Size
from .history import count_acts, dump_file
from .writing import STORE

WORKERS = 32
KILLED = 4  # of the tasks, the leaders of so many are killed
STEPS = 3
AGENT_SECONDS = 0.05


def run(seed: int, size: int, control: str) -> Figures:
    """So many tasks, which all workers do in one order."""
    figures, line, chance = Figures(), StartLine(), random.Random(seed)
    figures.wrong.update(dict.fromkeys(("agent runs", "left out", "duplicates"), 0))
    tasks = [f"task{n}" for n in range(size)]
    deadly = set(chance.sample(tasks, min(KILLED, size // 2)))
    with scratch() as folder:
        children = [Child(lambda n=n: _work(folder, n, tasks, deadly, control, line)) for n in range(WORKERS)]
        line.go()
        ends = [child.result() for child in children]
        _judge(folder, tasks, ends, figures)
    return figures


def _judge(folder: Path, tasks: list[str], ends: list[tuple[int, Any]], figures: Figures) -> None:
    acts = count_acts(folder / "world.log")
    killed = sum(code == -signal.SIGKILL for code, _ in ends)
    asked = sum(times for act, times in acts.items() if act.startswith("agent"))
    figures.counted.update({"tasks": len(tasks), "killed leaders": killed, "agent runs": asked})
    if not len(tasks) <= asked <= len(tasks) + killed:
        figures.fault("agent runs", f"{asked} of {len(tasks)} tasks, with {killed} leaders killed")
    for number, (code, said) in enumerate(ends):
        if code == -signal.SIGKILL:
            continue
        if code != 0:
            figures.fault("broken", f"a worker ended with {code}")
            continue
        figures.counted["hits"] += said["hits"]
        figures.most("longest call, seconds", said["longest"])
        for task in tasks:
            for step in range(STEPS):
                times = acts.get(f"w{number} {task}/{step}", 0)
                if times != 1:
                    figures.fault("duplicates" if times else "left out", f"w{number} did {task}/{step} {times} times")
    made = dump_file(folder / STORE)
    if made.damaged or made.disagreements or len([1 for rows in made.stored.values() for _ in rows]) != len(tasks):
        figures.fault("partial", f"{len(made.stored)} trajectories, {made.damaged}, {made.disagreements}")


def _work(
    folder: Path, number: int, tasks: list[str], deadly: set[str], control: str, line: StartLine
) -> dict[str, Any]:
    """In a child: an engine of its own on the store of all."""
    world = os.open(folder / "world.log", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    line.wait()
    if control == "one learner":
        SqliteStore.lead = lambda self, key: _Nothing()
    engine = Engine(f"sqlite:///{folder / STORE}?busy_timeout=60", miss_wait=30, observers=[lambda event: None])
    act = engine.tool(effect="idempotent", name="act", version=1)(
        _Acting(world, number)
    )  # Its state differs by worker.

    def agent(task: str) -> str:
        os.write(world, f"agent {task}\n".encode())
        for step in range(STEPS):
            act(f"{task}/{step}")
            time.sleep(AGENT_SECONDS / STEPS)
            if step == 1 and task in deadly and _is_first(folder / f"{task}.killed"):
                os.kill(os.getpid(), signal.SIGKILL)
        return task

    engine.set_agent(agent)
    hits, longest = 0, 0.0
    for task in tasks:
        began = time.monotonic()
        hits += bool(engine(task))
        longest = max(longest, time.monotonic() - began)
    engine.close()
    return {"hits": hits, "longest": longest}


class _Acting:
    """The tool, one source for all workers; who acts is written where it acts."""

    def __init__(self, world: int, number: int) -> None:
        self._world = world
        self._number = number

    def __call__(self, what: str) -> None:
        os.write(self._world, f"w{self._number} {what}\n".encode())


class _Nothing:
    """A leadership that keeps nobody out."""

    def release(self) -> None:
        pass


def _is_first(path: Path) -> bool:
    try:
        os.close(os.open(path, os.O_CREAT | os.O_EXCL))
    except FileExistsError:
        return False
    return True


PROOF = Proof(
    run,
    promise="When many workers miss the same task together, one agent runs and the others wait for its "
    "recording (`miss_wait`). A worker that is killed while it leads costs one more agent run, and no "
    "worker waits for it.",
    blind="Waits that are longer than `miss_wait`. The agent then runs, which is correct and saves nothing.",
    unit="tasks of 32 workers",
    small=Size(1, 4),
    large=Size(10, 40),
    controls={"one learner": ("agent runs", Size(1, 3))},
)
