"""What the demo says: a line a run, and the table at the end."""

from __future__ import annotations

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from muscle_mem.demo.stages import Run
from muscle_mem.demo.tasks import Task


HEADINGS = (
    "runs",
    "agent calls\navoided",
    "agent run\nmean s",
    "replay\nmean s",
    "thinking\nsaved s",
    "lowest\nreward",
    "wrong\nactions",
)


def tell(console: Console, task: Task, run: Run) -> None:
    """One run in one line."""
    if run.hit:
        how = f"[green]replayed[/green] {run.steps} steps, no agent"
    elif run.status == "diverged":
        how = f"[yellow]replayed {run.steps} steps, then the agent took over[/yellow] ({escape(run.reason)})"
    else:
        how = f"[cyan]the agent[/cyan] did {run.actions} actions ({escape(run.reason)})"
    stage = f"{run.stage}: {task.changed}" if run.stage == "changed page" else run.stage
    console.print(f"  {stage:<54} {how}; reward {run.reward:g}, {run.seconds:.2f} s", highlight=False, soft_wrap=True)
    for wrong in run.wrong:
        console.print(f"    [red]wrong:[/red] {escape(wrong)}", highlight=False, soft_wrap=True)


def summary(runs: dict[str, list[Run]]) -> Table:
    """Runs, agent calls avoided, time by the agent and replayed, reward, wrong actions: for each task."""
    table = Table(title="What the memory did", title_justify="left", box=SIMPLE_HEAD)
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
        _mean([run.seconds for run in runs if run.status == "miss"]),
        _mean([run.seconds for run in runs if run.hit]),
        f"{sum(run.saved for run in runs):.2f}",
        f"{min(run.reward for run in runs):g}",
        str(sum(len(run.wrong) for run in runs)),
    )


def _mean(seconds: list[float]) -> str:
    return f"{sum(seconds) / len(seconds):.2f}" if seconds else "-"
