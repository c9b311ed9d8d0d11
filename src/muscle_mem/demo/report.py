"""Story of the demo as lines: the first task step by step, the others run by run."""

from __future__ import annotations

import textwrap
import time

from rich.console import Console
from rich.text import Text

from .._core.model.handover import Handover
from .costs import SECONDS_PER_CALL, bills
from .page import Page
from .printing import WIDTH, print_line, print_paragraph, seconds_text
from .stages import Run, Stage
from .stops import stop_of_handover
from .tasks import Task
from .watch import VERBS, PageAction

SHOWN_STEP_BY_STEP = (Stage.NEW, Stage.SAME, Stage.OTHER, Stage.CHANGED)
KNOWN = "The task, which an earlier run of the demo has recorded."
HEADINGS = {
    Stage.NEW: "A new task. Nothing is recorded, so the agent decides each step.",
    Stage.SAME: "The same task again. Each recorded step is repeated if its check passes.",
    Stage.OTHER: "The same task with other data.",
    Stage.OTHER_AGAIN: "That data again.",
    Stage.CHANGED: "The page has changed: {changed}.",
    Stage.CHANGED_AGAIN: "The changed page again. What the agent did there was recorded.",
    Stage.OLD: "The old page again: both pages are recorded now.",
}
_LABEL = "  {:<20} "
REASONS = {
    "new_task": "",
    "first_check_refused": "",
    "unconfirmed": "not replayed: the agent chose among alternatives, and may choose another one for other data",
}


def steps_text(number: int) -> str:
    """Return a number of steps: 1 step, 3 steps."""
    return f"{number} step" if number == 1 else f"{number} steps"


class Acts:
    """Listener that shows every step of a task as it happens."""

    def __init__(self, console: Console, task: Task, page: Page, pause: float, is_script: bool) -> None:
        self._console = console
        self._task = task
        self._page = page
        self._pause = pause
        self._is_script = is_script
        self._act = 0
        self._stage = Stage.NEW
        self._instruction = ""
        self._by_agent: list[PageAction] = []

    def began(self, stage: Stage, instruction: str, is_known: bool) -> None:
        """Print the heading of a run."""
        if self._act:
            time.sleep(self._pause)
        self._act += 1
        self._stage, self._instruction, self._by_agent = stage, instruction, []
        heading = KNOWN if is_known and stage is Stage.NEW else HEADINGS[stage].format(changed=self._task.changed)
        print_line(self._console, f"\n  {self._act}. {heading}", "bold")
        if stage in (Stage.NEW, Stage.OTHER):
            print_paragraph(self._console, f"Task: {instruction}", "     ", "dim")

    def acted(self, action: PageAction) -> None:
        """Print an action that is about to be performed."""
        if action.by_agent:
            self._by_agent.append(action)
            if self._is_script:
                tokens = bills(self._instruction, self._by_agent)[-1].tokens
                who = f"agent (a model: about {SECONDS_PER_CALL:g} s, {tokens:,} tokens)"
            else:
                who = "the model decided"
            self._print_step(str(action), who, "cyan")
        elif self._stage in SHOWN_STEP_BY_STEP:
            self._print_step(str(action), "check passed, replayed", "green")

    def handed_over(self, handover: Handover) -> None:
        """Print the check that failed, before the agent continues."""
        stop = stop_of_handover(handover)
        step = VERBS[handover.divergence.tool].format(target=self._page.looked_at, text="...")
        self._print_step(step, "CHECK FAILED, so not done", "bold yellow")
        print_line(self._console, f"       expected: {stop.expected}", "yellow")
        print_line(self._console, f"       seen:     {stop.seen}", "yellow")
        print_line(self._console, "       The agent continues from here:", "yellow")

    def ended(self, run: Run) -> None:
        """Print the result of a run."""
        if run.stop is not None and run.status == "miss":
            print_paragraph(self._console, stop_text(run), "     ", "yellow")
        self._print_result(run)
        for wrong in run.wrong:
            print_paragraph(self._console, f"wrong: {wrong}", "     ", "red")

    def _print_step(self, what: str, who: str, style: str) -> None:
        line = Text(f"       {what:<46} ")
        line.append(who, style=style)
        self._console.print(line, soft_wrap=True)

    def _print_result(self, run: Run) -> None:
        took = seconds_text(run.seconds)
        recorded = ", recorded" if run.learned else ""
        if run.hit:
            text, style = f"Done in {took}. The agent was not asked", "green"
            if run.stage is Stage.CHANGED:
                text += ": this page is recorded, too"
            saved = seconds_text(run.steps * SECONDS_PER_CALL)
            text += f", which saves about {saved} of a model." if self._is_script else "."
        elif run.status == "failed":
            text, style = f"Failed: {run.message}", "red"
        elif run.steps:
            kept, own = steps_text(run.steps), steps_text(len(run.by_agent))
            text, style = f"Done in {took}: {kept} replayed, {own} by the agent{recorded}.", "yellow"
            if self._is_script:
                text += f" This saves about {seconds_text(run.steps * SECONDS_PER_CALL)} of a model."
        else:
            text, style = f"Done in {took}: {steps_text(len(run.by_agent))} by the agent{recorded}.", "cyan"
            if self._is_script:
                text += f" A model would add about {_model_seconds(run)}."
        print_paragraph(self._console, text, "     ", style)


class Lines:
    """Listener that shows each run of a task in one line, and what a check saw."""

    def __init__(self, console: Console, task: Task, is_script: bool) -> None:
        self._console = console
        self._task = task
        self._is_script = is_script
        self._is_first = True
        self._is_known = False

    def began(self, stage: Stage, instruction: str, is_known: bool) -> None:
        """Print the instruction before the first run."""
        self._is_known = is_known and stage is Stage.NEW
        if self._is_first:
            print_paragraph(self._console, instruction, "  ", "dim")
        self._is_first = False

    def ended(self, run: Run) -> None:
        """Print the lines of a run."""
        label = "known task" if self._is_known else run.stage.value
        for text, style in self._lines(run):
            for part in textwrap.wrap(text, min(WIDTH, self._console.width) - len(_LABEL.format(""))):
                line = Text(_LABEL.format(label))
                line.append(part, style=style)
                self._console.print(line, soft_wrap=True)
                label = ""

    def _lines(self, run: Run) -> list[tuple[str, str]]:
        lines = []
        if run.stage is Stage.CHANGED:
            lines.append((f"change: {self._task.changed}", ""))
        if run.stage is Stage.OTHER:
            lines.append((run.instruction, "dim"))
        if run.stop is not None:
            lines.append((stop_text(run), "yellow"))
        elif REASONS.get(run.reason):
            lines.append((REASONS[run.reason], "yellow"))
        took = seconds_text(run.seconds)
        model = f" (with a model about {_model_seconds(run)} longer)" if self._is_script else ""
        if run.hit:
            lines.append((f"replayed {steps_text(run.steps)} in {took}", "green"))
        elif run.status == "failed":
            lines.append((f"failed: {run.message}", "red"))
        elif run.steps:
            own = len(run.by_agent)
            lines.append((f"replayed {steps_text(run.steps)}, the agent did {own}, in {took}{model}", "yellow"))
        else:
            lines.append((f"the agent did {steps_text(len(run.by_agent))} in {took}{model}", "cyan"))
        return lines + [(f"wrong: {wrong}", "red") for wrong in run.wrong]


def stop_text(run: Run) -> str:
    """Return the failed check of a run as a line."""
    if run.stop is None:
        return ""
    return f"check of step {run.stop.step} failed: expected {run.stop.expected}; seen {run.stop.seen}"


def _model_seconds(run: Run) -> str:
    return seconds_text(run.model_calls * SECONDS_PER_CALL)
