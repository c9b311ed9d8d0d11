"""Stages of the demo for one task: the agent, replays, other data, a changed page."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from .._core.model.outcome import Outcome
from .._engine.engine import Engine
from .agents import Audit, ScriptedAgent
from .model import ModelAgent, ModelError
from .page import Page
from .sight import TargetError
from .solvers import PuzzledError
from .tasks import Task


@dataclass(frozen=True)
class Run:
    """Result of one run. `wrong` lists every wrong action.

    `seconds` is its duration without the audit. `saved` is the time that the agent spent outside tool calls when the
    run was recorded.
    """

    stage: str
    status: str
    reason: str
    steps: int
    actions: int
    agent_calls: int
    seconds: float
    saved: float
    reward: float
    wrong: tuple[str, ...]

    @property
    def hit(self) -> bool:
        """Return whether the run was replayed to its end without the agent."""
        return self.status == "hit"


@dataclass
class Lab:
    """Engine, page and agent of the runs."""

    engine: Engine
    page: Page
    agent: ScriptedAgent | ModelAgent
    pages: Path

    def warm_up(self, task: Task) -> None:
        """Perform a task with the script, outside a run, so that nothing is recorded.

        The first clicks in a new browser are slow and would distort the comparison.
        """
        ScriptedAgent(self.page)(self.page.open(self.pages / f"{task.page}.html", task.seed))

    def run(self, task: Task, stage: str, seed: str, change: str = "") -> Run:
        """Reload the task's page and run the engine on its instruction."""
        audit = Audit()
        # A model may choose another order than the script, so only the page's reward judges it.
        self.page.auditor = audit if isinstance(self.agent, ScriptedAgent) else None
        instruction = self.page.open(self.pages / f"{task.page}.html", seed, change)
        audit.instruction = instruction
        calls = self.agent.calls
        began = time.perf_counter()
        outcome = self._do(task, instruction)
        seconds = time.perf_counter() - began - self.page.audit_seconds
        end = self.page.view()
        reward = end.reward if end.done else 0.0
        wrong = [*audit.wrong, *([f"ended with reward {reward:g}"] if reward <= 0 else [])]
        return Run(
            stage=stage,
            status="failed" if isinstance(outcome, str) else outcome.status,
            reason=outcome if isinstance(outcome, str) else outcome.reason.value,
            steps=0 if isinstance(outcome, str) else outcome.steps,
            actions=self.page.actions,
            agent_calls=self.agent.calls - calls,
            seconds=seconds,
            saved=0.0 if isinstance(outcome, str) else outcome.saved,
            reward=reward,
            wrong=tuple(wrong),
        )

    def _do(self, task: Task, instruction: str) -> Outcome | str:
        """Return the outcome of the engine's run, or the message of an agent's error."""
        try:
            return self.engine(instruction, params=task.params(instruction), context=self.page)
        except (ModelError, TargetError, PuzzledError) as error:
            return str(error)


def story(lab: Lab, task: Task) -> Iterator[Run]:
    """Yield the runs of one task, each when it ends."""
    yield lab.run(task, "first run", task.seed)
    yield lab.run(task, "second run", task.seed)
    for seed in task.other_seeds:
        run = lab.run(task, "other data", seed)
        yield run
        if not run.hit:
            yield lab.run(task, "the same again", seed)
    yield lab.run(task, "changed page", task.seed, task.change)
    yield lab.run(task, "the same again", task.seed, task.change)
    yield lab.run(task, "the old page", task.seed)


def shortfalls(task: Task, runs: list[Run]) -> list[str]:
    """Return the failures of a task's runs as messages."""
    failures = [f"{task.page}, {run.stage}: {wrong}" for run in runs for wrong in run.wrong]
    return failures + [
        f"{task.page}, {run.stage}: not replayed ({run.reason})"
        for run in runs
        if run.stage in ("second run", "the same again", "the old page") and not run.hit
    ]
