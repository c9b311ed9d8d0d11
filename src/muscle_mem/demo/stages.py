"""Stages of the demo for one task: the agent, replays, other data, a changed page."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path
from typing import Protocol

from .._core.model.outcome import Outcome
from .._engine.engine import Engine
from ..store import Store
from .agents import Audit, ScriptedAgent
from .costs import Bill, bills, total
from .model import ModelAgent, ModelError
from .page import Page
from .sight import TargetError
from .solvers import PuzzledError
from .stops import Stop, stop_of_run
from .tasks import Task
from .watch import PageAction, Watch


class Stage(Enum):
    """One of the runs of a task, in the order of the demo."""

    NEW = "new task"
    SAME = "same task again"
    OTHER = "other data"
    OTHER_AGAIN = "that data again"
    CHANGED = "page has changed"
    CHANGED_AGAIN = "changed page again"
    OLD = "old page again"


MUST_REPLAY = (Stage.SAME, Stage.OTHER_AGAIN, Stage.CHANGED_AGAIN, Stage.OLD)


@dataclass(frozen=True)
class Run:
    """Result of one run. `wrong` lists every wrong action.

    `seconds` is its duration without the audit. `steps` were replayed, and `actions` are all on the page, in order.
    `model_calls` are the decisions of the agent: a model is called once for each. `learned` is whether the run was
    recorded, and `stop` the failed check, if any.
    """

    stage: Stage
    instruction: str
    status: str
    reason: str
    message: str
    steps: int
    actions: tuple[PageAction, ...]
    agent_calls: int
    model_calls: int
    seconds: float
    reward: float
    wrong: tuple[str, ...]
    learned: bool = False
    stop: Stop | None = None

    @property
    def hit(self) -> bool:
        """Return whether the run was replayed to its end without the agent."""
        return self.status == "hit"

    @property
    def by_agent(self) -> list[PageAction]:
        """The actions that the agent decided."""
        return [action for action in self.actions if action.by_agent]

    @property
    def bill(self) -> Bill:
        """What a model would have cost for the actions that the agent decided."""
        return total(bills(self.instruction, self.by_agent))

    @property
    def bill_without(self) -> Bill:
        """What a model would have cost for all actions."""
        return total(bills(self.instruction, self.actions))


class Listener(Protocol):
    """Receiver of what happens in the runs of one task."""

    def began(self, stage: Stage, instruction: str, is_known: bool) -> None:
        """Receive the start of a run, and whether its first step can be replayed."""

    def ended(self, run: Run) -> None:
        """Receive the end of a run."""


@dataclass
class Lab:
    """Engine, page, agent and observer of the runs."""

    engine: Engine
    memory: Store
    page: Page
    agent: ScriptedAgent | ModelAgent
    watch: Watch
    pages: Path
    listener: Listener | None = field(default=None, init=False)

    def warm_up(self, task: Task) -> None:
        """Perform a task with the script, outside a run, so that nothing is recorded.

        The first clicks in a new browser are slow and would distort the comparison.
        """
        ScriptedAgent(self.page)(self.page.open(self.pages / f"{task.page}.html", task.seed))

    def run(self, task: Task, stage: Stage, seed: str, change: str = "") -> Run:
        """Reload the task's page and run the engine on its instruction."""
        audit = Audit()
        # A model may choose another order than the script, so only the page's reward judges it.
        own = (audit,) if isinstance(self.agent, ScriptedAgent) else ()
        self.page.auditors = (*own, self.watch.audit)
        self.watch.actions = []
        instruction = self.page.open(self.pages / f"{task.page}.html", seed, change)
        audit.instruction = instruction
        if self.listener is not None:
            found = self.engine.explain(instruction, params=task.params(instruction), context=self.page)
            self.listener.began(stage, instruction, bool(found))
        calls, decisions = self.agent.calls, self.agent.decisions
        began = time.perf_counter()
        outcome = self._do(task, instruction)
        seconds = time.perf_counter() - began - self.page.audit_seconds
        end = self.page.view()
        reward = end.reward if end.done else 0.0
        run = Run(
            stage=stage,
            instruction=instruction,
            status="failed" if isinstance(outcome, str) else outcome.status,
            reason="" if isinstance(outcome, str) else outcome.reason.value,
            message=outcome if isinstance(outcome, str) else outcome.message,
            steps=0 if isinstance(outcome, str) else outcome.steps,
            actions=tuple(self.watch.actions),
            agent_calls=self.agent.calls - calls,
            model_calls=self.agent.decisions - decisions,
            seconds=seconds,
            reward=reward,
            wrong=(*audit.wrong, *([f"ended with reward {reward:g}"] if reward <= 0 else [])),
            learned=not isinstance(outcome, str) and outcome.learned,
            stop=None if isinstance(outcome, str) else self._stop(),
        )
        if self.listener is not None:
            self.listener.ended(run)
        return run

    def _do(self, task: Task, instruction: str) -> Outcome | str:
        """Return the outcome of the engine's run, or the message of an agent's error."""
        try:
            return self.engine(instruction, params=task.params(instruction), context=self.page)
        except (ModelError, TargetError, PuzzledError) as error:
            return str(error)

    def _stop(self) -> Stop | None:
        event = self.watch.ended[-1]
        return None if event.status == "hit" else stop_of_run(self.engine, self.memory, event.run_id)


def story(lab: Lab, task: Task) -> Iterator[Run]:
    """Yield the runs of one task, each when it ends."""
    yield lab.run(task, Stage.NEW, task.seed)
    yield lab.run(task, Stage.SAME, task.seed)
    for seed in task.other_seeds:
        run = lab.run(task, Stage.OTHER, seed)
        yield run
        if not run.hit:
            yield lab.run(task, Stage.OTHER_AGAIN, seed)
    yield lab.run(task, Stage.CHANGED, task.seed, task.change)
    yield lab.run(task, Stage.CHANGED_AGAIN, task.seed, task.change)
    yield lab.run(task, Stage.OLD, task.seed)


def shortfalls(task: Task, runs: list[Run]) -> list[str]:
    """Return the failures of a task's runs as messages."""
    failures = [f"{task.page}, {run.stage.value}: {wrong}" for run in runs for wrong in run.wrong]
    return failures + [
        f"{task.page}, {run.stage.value}: not replayed ({run.message})"
        for run in runs
        if run.stage in MUST_REPLAY and not run.hit
    ]
