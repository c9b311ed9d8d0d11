"""The ways of doing a task at a seed: the agent alone, a blind replay, and replays with checks."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from muscle_mem import Engine
from muscle_mem.demo.sight import TargetError
from muscle_mem.demo.solvers import PuzzledError

from .agent import Policies, ScriptedAgent, params_of
from .page import LabPage
from .results import Line
from .tools import BarePage, checked_page

if TYPE_CHECKING:
    from playwright.sync_api import Page as BrowserPage

AGENT = "agent"
WAYS = {
    "blind": "a: blind replay",
    "checks": "b: with checks",
    "params": "c: with checks and params",
    "three": "d: with checks and params, after three recordings",
    "before": "c without the check after a step",
    "places": "c without the checks of the whole page",
    "texts": "d with params learned from texts, none declared",
}
CHECKED = ("checks", "params", "three")  # a wrong hit in these is a fault
RECORDINGS = {AGENT: 0, "blind": 1, "checks": 1, "params": 1, "three": 3, "before": 1, "places": 1, "texts": 3}
DECLARED = ("params", "three", "before", "places")


def recording_seeds(seed: str, way: str) -> list[str]:
    """The seeds of the recordings: never that of the replay."""
    return [f"{seed}-recorded-{number}" for number in range(1, RECORDINGS[way] + 1)]


@dataclass(frozen=True)
class Task:
    name: str
    policies: Policies


@dataclass
class Lab:
    """A browser page and the folder of the task's pages."""

    browser_page: BrowserPage
    pages: Path

    def run(self, task: Task, seed: str, way: str) -> Line:
        """Record at other seeds, then do the task at this one."""
        if way == AGENT:
            return self._alone(task, seed)
        return self._blind(task, seed) if way == "blind" else self._checked(task, seed, way)

    def _alone(self, task: Task, seed: str) -> Line:
        page = BarePage(self.browser_page)
        error = self._act(task, page, seed)
        return self._line(page, task, seed, AGENT, status=AGENT, reason=error, steps=0)

    def _blind(self, task: Task, seed: str) -> Line:
        """Send the recorded calls again, whatever the page shows. An action that cannot be made is handed over."""
        page = BarePage(self.browser_page)
        (recorded_at,) = recording_seeds(seed, "blind")
        failed = self._act(task, page, recorded_at)
        recorded = page.calls
        instruction = self._open(page, task, seed)
        steps, status, reason = 0, "hit", ""
        try:
            if failed:
                raise TargetError(f"the recording failed: {failed}")
            for verb, arguments in recorded:
                if page.view().done:
                    break
                page.perform(verb, *arguments)
                steps += 1
        except TargetError as error:
            status, reason = "diverged", str(error)
            attempt(partial(ScriptedAgent(page, task.policies), instruction))
        return self._line(page, task, seed, "blind", status, reason, steps)

    def _checked(self, task: Task, seed: str, way: str) -> Line:
        with Engine(learn_params=way == "texts") as engine:
            page = checked_page(engine, afterwards=way != "before", wholes=way != "places")(self.browser_page)
            engine.set_agent(ScriptedAgent(page, task.policies))
            named = way in DECLARED
            for other in recording_seeds(seed, way):
                instruction = self._open(page, task, other)
                params = params_of(task.policies, instruction) if named else {}
                attempt(partial(engine, instruction, params=params, context=page, mode="record"))
            instruction = self._open(page, task, seed)
            params = params_of(task.policies, instruction) if named else {}
            try:
                outcome = engine(instruction, params=params, context=page)
                status, reason, steps = str(outcome.status), str(outcome.reason.value), outcome.steps
            except (TargetError, PuzzledError) as error:
                status, reason, steps = "failed", str(error), 0
        return self._line(page, task, seed, way, status, reason, steps)

    def _act(self, task: Task, page: BarePage, seed: str) -> str:
        instruction = self._open(page, task, seed)
        return attempt(partial(ScriptedAgent(page, task.policies), instruction))

    def _open(self, page: LabPage, task: Task, seed: str) -> str:
        if isinstance(page, BarePage):
            page.calls = []
        return page.open(self.pages / f"{task.name}.html", seed)

    def _line(self, page: LabPage, task: Task, seed: str, way: str, status: str, reason: str, steps: int) -> Line:
        end = page.view()
        reward = end.reward if end.done else 0.0
        return Line(task.name, seed, way, verdict(status, reward), status, reason, steps, page.acted, reward)


def attempt(act: Callable[[], object]) -> str:
    """Why an agent failed, or ""."""
    try:
        act()
    except (TargetError, PuzzledError) as error:
        return str(error)
    return ""


def verdict(status: str, reward: float) -> str:
    """What a run counts as, by what was reported and by the reward of the page."""
    if status in ("hit", AGENT):
        return "solved" if reward > 0 else "wrong" if status == "hit" else "unsolved"
    return "handed over" if reward > 0 else "unsolved"
