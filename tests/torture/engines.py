"""An engine on a store in trouble: whatever happens to the recording, the user's task is done, once a call."""

from __future__ import annotations

import os
from pathlib import Path

from muscle_mem import Engine, Outcome

from .figures import Figures

WORLD = "world.log"


class Desk:
    """An engine with one tool that writes into the world's log where it acts, and an agent that uses it thrice."""

    def __init__(self, folder: Path, store: Path) -> None:
        self._world = os.open(folder / WORLD, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        self.told: list[str] = []
        self.agent_runs = 0
        self.engine = Engine(
            f"sqlite:///{store}?busy_timeout=0.2", observers=[lambda event: self.told.append(type(event).__name__)]
        )
        stamp = self.engine.tool(effect="write")(self._stamp)

        def agent(task: str) -> str:
            self.agent_runs += 1
            for n in range(3):
                stamp(f"{task}/{n}")
            return task

        self.engine.set_agent(agent)

    def _stamp(self, what: str) -> str:
        os.write(self._world, f"{what}\n".encode())
        return what

    def do(self, task: str) -> Outcome:
        """One call of the engine."""
        return self.engine(task)

    def close(self) -> None:
        self.engine.close()
        os.close(self._world)


def judge_world(folder: Path, calls: dict[str, int], figures: Figures) -> None:
    """Every call of a task did its three acts once: not left out, and not done again."""
    path = folder / WORLD
    acts = path.read_text().splitlines() if path.exists() else []
    for task, times in calls.items():
        done = [act for act in acts if act.startswith(f"{task}/")]
        expected = [f"{task}/{n}" for _ in range(times) for n in range(3)]
        if done != expected:
            kind = "duplicates" if len(done) > len(expected) else "left out"
            figures.fault(kind, f"task {task}, called {times} times, did {done}")
    figures.counted["acts"] += len(acts)
