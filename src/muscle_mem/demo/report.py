"""What the demo says: a line a run, and the table at the end."""

from __future__ import annotations

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table
from rich.text import Text

from .stages import Run
from .tasks import Task

LEGEND = (
    "without: a run by the agent alone, as measured (~: it was not asked this time; a replay, and the time it had "
    "thought when it was recorded). with: a run replayed to its end. The audit's own time is left out. "
    "wrong actions: on another element, or with another text, than the solver would choose on that very page, or a "
    "task that ends without its reward; replays are audited like the agent."
)
MODEL_LEGEND = (
    "without: a run by the agent alone, as measured (~: it was not asked this time; a replay, and the time it had "
    "thought when it was recorded). with: a run replayed to its end. "
    "wrong actions: a task that ends without its reward."
)
SCRIPT = (
    "The agent here is a script that thinks for milliseconds, so the two times are close: both wait for the page. "
    "A model is asked before every action, and a replay leaves that out; set OPENAI_API_KEY to see it."
)

HEADINGS = (
    "runs",
    "agent calls\navoided",
    "without\nmean s",
    "with\nmean s",
    "lowest\nreward",
    "wrong\nactions",
)


def say(console: Console, text: str, style: str = "") -> None:
    """One line of plain text, whatever brackets it holds."""
    console.print(Text(text, style=style), soft_wrap=True)


def tell(console: Console, task: Task, run: Run) -> None:
    """One run in one line, and one for each wrong action."""
    if run.hit:
        how, style = f"replayed {run.steps} steps, no agent", "green"
    elif run.status == "diverged":
        how, style = f"replayed {run.steps} steps, then the agent went on ({run.reason})", "yellow"
    elif run.status == "miss":
        how, style = f"the agent did {run.actions} actions ({run.reason})", "cyan"
    else:
        how, style = f"failed: {run.reason}", "red"
    stage = f"{run.stage}: {task.changed}" if run.stage == "changed page" else run.stage
    say(console, f"  {stage:<54} {how}; reward {run.reward:g}, {run.seconds:.2f} s", style)
    for wrong in run.wrong:
        say(console, f"    wrong: {wrong}", "red")


def close(console: Console, runs: dict[str, list[Run]], scripted: bool) -> None:
    """The table, and what its columns mean."""
    console.print()
    console.print(summary(runs))
    console.print(LEGEND if scripted else MODEL_LEGEND, style="dim", highlight=False)
    if scripted:
        console.print(SCRIPT, style="dim", highlight=False)


def summary(runs: dict[str, list[Run]]) -> Table:
    """Runs, agent calls avoided, time without and with the memory, reward, wrong actions: for each task."""
    table = Table(title="What the memory did", title_justify="left", box=SIMPLE_HEAD, collapse_padding=True)
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
    # Warm, the agent may not have run at all: what it had needed when it was recorded is still known.
    return "~" + _mean([run.seconds + run.saved for run in runs if run.hit])


def _mean(seconds: list[float]) -> str:
    return f"{sum(seconds) / len(seconds):.2f}" if seconds else "-"
