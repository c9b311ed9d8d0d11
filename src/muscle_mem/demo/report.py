"""Output of the demo: one line for each run, and a table at the end."""

from __future__ import annotations

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table
from rich.text import Text

from .stages import Run
from .tasks import Task

LEGEND = (
    "without: a measured run by the agent (~: the agent did not run this time; a replay, plus the agent's time when it "
    "was recorded). with: a complete replay. The time of the audit is excluded. wrong actions: actions with another "
    "element or text than the solver chooses on the same page, and tasks that end without a reward. Replays are "
    "audited like the agent."
)
MODEL_LEGEND = (
    "without: a measured run by the agent (~: the agent did not run this time; a replay, plus the agent's time when it "
    "was recorded). with: a complete replay. wrong actions: tasks that end without a reward."
)
SCRIPT = (
    "This agent is a script that decides in milliseconds, so both times are close: both wait for the page. A model is "
    "called before every action, and a replay saves that time. Set OPENAI_API_KEY to see it."
)

HEADINGS = (
    "runs",
    "agent calls\navoided",
    "without\nmean s",
    "with\nmean s",
    "lowest\nreward",
    "wrong\nactions",
)


def print_line(console: Console, text: str, style: str = "") -> None:
    """Print one line of plain text, without markup."""
    console.print(Text(text, style=style), soft_wrap=True)


def print_run(console: Console, task: Task, run: Run) -> None:
    """Print one line for a run, and one for each wrong action."""
    if run.hit:
        how, style = f"replayed {run.steps} steps without the agent", "green"
    elif run.status == "diverged":
        how, style = f"replayed {run.steps} steps, then the agent continued ({run.reason})", "yellow"
    elif run.status == "miss":
        how, style = f"the agent performed {run.actions} actions ({run.reason})", "cyan"
    else:
        how, style = f"failed: {run.reason}", "red"
    stage = f"{run.stage}: {task.changed}" if run.stage == "changed page" else run.stage
    print_line(console, f"  {stage:<54} {how}; reward {run.reward:g}, {run.seconds:.2f} s", style)
    for wrong in run.wrong:
        print_line(console, f"    wrong: {wrong}", "red")


def print_summary(console: Console, runs: dict[str, list[Run]], scripted: bool) -> None:
    """Print the table and its legend."""
    console.print()
    console.print(summary(runs))
    console.print(LEGEND if scripted else MODEL_LEGEND, style="dim", highlight=False)
    if scripted:
        console.print(SCRIPT, style="dim", highlight=False)


def summary(runs: dict[str, list[Run]]) -> Table:
    """Return a table with runs, avoided agent calls, times, rewards and wrong actions."""
    table = Table(title="Savings by replay", title_justify="left", box=SIMPLE_HEAD, collapse_padding=True)
    table.add_column("task", no_wrap=True)
    for heading in HEADINGS:
        table.add_column(heading, justify="right")
    for title, own in runs.items():
        table.add_row(title, *_figures(own))
    table.add_section()
    table.add_row("all", *_figures([run for own in runs.values() for run in own]), style="bold")
    return table


def _figures(runs: list[Run]) -> tuple[str, ...]:
    return (
        str(len(runs)),
        str(sum(run.agent_calls == 0 for run in runs)),
        _without(runs),
        _mean([run.seconds for run in runs if run.hit]),
        f"{min(run.reward for run in runs):g}",
        str(sum(len(run.wrong) for run in runs)),
    )


def _without(runs: list[Run]) -> str:
    by_agent = [run.seconds for run in runs if run.status == "miss"]
    if by_agent:
        return _mean(by_agent)
    # With recordings, the agent may not have run. Its time is known from when it was recorded.
    return "~" + _mean([run.seconds + run.saved for run in runs if run.hit])


def _mean(seconds: list[float]) -> str:
    return f"{sum(seconds) / len(seconds):.2f}" if seconds else "-"
