"""Tables at the end of the demo: what happened, and what a model would have cost."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from .costs import ASSUMED_SECONDS, MEASURED_SECONDS, PRICE_SOURCE, PRICES, SECONDS_PER_CALL, TOKEN_SOURCE, Bill, total
from .printing import print_line, print_paragraph, seconds_text
from .stages import Run, Stage

ASKED = "runs with the agent: it did all or some of the steps. In the other runs it was not asked."
WRONG = (
    "wrong actions: steps on the wrong element or with the wrong text, and tasks that were not done. Every "
    "step, replayed or not, is compared with what the script would do on that page. The engine does not see this."
)
WRONG_OF_A_MODEL = (
    "wrong actions: tasks that were not done. Single steps are not examined, since a model may choose another order."
)
STOPPED = "stopped at a step: its check failed, so the step was not done, and the agent did the rest."


@dataclass(frozen=True)
class Totals:
    """Sums over runs.

    `asked` counts the runs in which the agent was asked. `steps` are all actions on the pages: `replayed` steps, and
    those that the agent decided. `changed` are runs on a changed page, of which a check `stopped` some.
    """

    runs: int
    asked: int
    steps: int
    replayed: int
    wrong: int
    changed: int
    stopped: int

    @classmethod
    def of(cls, runs: Sequence[Run]) -> Totals:
        """Return the sums of these runs."""
        changed = [run for run in runs if run.stage is Stage.CHANGED]
        return cls(
            runs=len(runs),
            asked=sum(run.agent_calls > 0 for run in runs),
            steps=sum(len(run.actions) for run in runs),
            replayed=sum(run.steps for run in runs),
            wrong=sum(len(run.wrong) for run in runs),
            changed=len(changed),
            stopped=sum(not run.hit for run in changed),
        )

    def as_dict(self) -> dict[str, Any]:
        """Return the sums by name."""
        return asdict(self)


def print_summary(
    console: Console, runs: Mapping[str, Sequence[Run]], is_script: bool, seconds_per_call: float | None = None
) -> None:
    """Print the tables.

    Args:
        console: The console to print to.
        runs: The runs by task.
        is_script: Whether the agent was a script, whose steps are examined.
        seconds_per_call: The measured seconds of a model's call; None if it was not called.
    """
    every = [run for own in runs.values() for run in own]
    console.print()
    print_line(console, "What happened", "bold")
    console.print(happened(runs))
    wrong = WRONG if is_script else WRONG_OF_A_MODEL
    stopped = STOPPED if Totals.of(every).stopped else ""
    for line in (ASKED, wrong, stopped, _mean_times(every)):
        print_paragraph(console, line, " ", "dim")
    console.print()
    print_line(console, f"What a model as the agent would cost for these {len(every)} runs (estimated)", "bold")
    console.print(costs(every, seconds_per_call or SECONDS_PER_CALL))
    measured = MEASURED_SECONDS.format(seconds=seconds_per_call) if seconds_per_call else ASSUMED_SECONDS
    hits = sum(run.hit for run in every)
    share = f"Saved: {hits} of these {len(every)} runs were complete replays. It depends on how often tasks repeat."
    for line in (share, measured, TOKEN_SOURCE, PRICE_SOURCE):
        print_paragraph(console, line, " ", "dim")


def happened(runs: Mapping[str, Sequence[Run]]) -> Table:
    """Return a table with runs, steps, wrong actions and changed pages, by task."""
    table = Table(box=SIMPLE_HEAD, collapse_padding=True, pad_edge=False)
    table.add_column(" task", no_wrap=True)
    for heading in ("runs", "runs with\nthe agent", "steps", "steps\nreplayed", "wrong\nactions"):
        table.add_column(heading, justify="right")
    table.add_column("when the page had changed")
    for title, own in runs.items():
        table.add_row(
            f" {title}",
            *_figures(Totals.of(own)),
            "; ".join(_changed(run) for run in own if run.stage is Stage.CHANGED),
        )
    every = Totals.of([run for own in runs.values() for run in own])
    table.add_section()
    stopped = f"{every.stopped} of {every.changed} changes noticed"
    table.add_row(" all", *_figures(every), stopped if every.stopped else "all replayed", style="bold")
    return table


def costs(runs: Sequence[Run], seconds_per_call: float) -> Table:
    """Return a table with calls, waiting, tokens and money, without and with replays."""
    without, with_replays = bill_without(runs), bill_with(runs)
    table = Table(box=SIMPLE_HEAD, collapse_padding=True, pad_edge=False)
    table.add_column("", no_wrap=True)
    for heading in ("agent does\nall runs", "with\nmuscle_mem", "saved"):
        table.add_column(heading, justify="right")

    def add(name: str, of: Callable[[Bill], float], text: Callable[[float], str]) -> None:
        before, after = of(without), of(with_replays)
        saved = f"{1 - after / before:.0%}" if before else "-"
        table.add_row(f" {name}", text(before), text(after), saved)

    add("calls of the model", lambda bill: bill.calls, lambda number: f"{number:,.0f}")
    add("waiting for it", lambda bill: bill.calls * seconds_per_call, seconds_text)
    add("tokens", lambda bill: bill.tokens, lambda number: f"{number:,.0f}")
    for price in PRICES:
        add(f"price with {price.model}", lambda bill, price=price: bill.dollars(price), _dollars)  # type: ignore[misc]
    return table


def bill_without(runs: Sequence[Run]) -> Bill:
    """Return what a model would cost that decides every step."""
    return total(run.bill_without for run in runs)


def bill_with(runs: Sequence[Run]) -> Bill:
    """Return what a model would cost for the steps that were not replayed."""
    return total(run.bill for run in runs)


def _figures(totals: Totals) -> tuple[str, ...]:
    return tuple(str(n) for n in (totals.runs, totals.asked, totals.steps, totals.replayed, totals.wrong))


def _changed(run: Run) -> str:
    if run.hit:
        return "replayed"
    if run.status == "failed":
        return "not done"
    return f"stopped at step {run.steps + 1}, agent did {len(run.by_agent)}"


def _mean_times(runs: Sequence[Run]) -> str:
    means = []
    for what, status in (("a complete replay", "hit"), ("a run of the agent alone", "miss")):
        seconds = [run.seconds for run in runs if run.status == status]
        if seconds:
            means.append(f"{what} took {seconds_text(sum(seconds) / len(seconds))}")
    return f"Measured, without loading the page: {', '.join(means)} on average." if means else ""


def _dollars(amount: float) -> str:
    if 0 < amount < 0.0005:
        return "< $0.001"
    return f"${amount:.3f}" if amount < 1 else f"${amount:.2f}"
