"""`muscle-mem ls`: what a store remembers, newest first."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import click

from ...store import STATES, Stored
from ...store.paging import pages
from ...store.pruning import recorded_at
from ..finding import matches
from ..opening import json_option, open_existing, store_option
from ..output import STATE_STYLES, Cell, console, id_text, is_terminal, print_json, print_table
from ..reading import summary
from ..text import count, local, printable

F = TypeVar("F", bound=Callable[..., Any])
COLUMNS = ("id", "task", "tags/scope", "steps", "state", "hits", "observations", "recorded")


def filters(command: F) -> F:
    """The options --state, --scope and --task, which `matches` understands."""
    for option in (
        click.option("--task", metavar="TEXT", help="Only those with TEXT in the task, in whatever case."),
        click.option("--scope", metavar="SCOPE", help="Only those of exactly this scope; '' means no scope."),
        click.option(
            "--state",
            "states",
            type=click.Choice(STATES),
            multiple=True,
            help="Only those of this state; may be repeated.",
        ),
    ):
        command = option(command)
    return command


@click.command(short_help="List the trajectories, newest first.")
@click.option("--limit", type=click.IntRange(min=1), metavar="N", help="The N newest only.")
@filters
@json_option
@store_option
def ls(
    limit: int | None, states: tuple[str, ...], scope: str | None, task: str | None, as_json: bool, store: str | None
) -> None:
    """List the trajectories of a store, newest first.

    Ids are shortened on a terminal and whole elsewhere; `recorded` is in local time. Hits are those that engines
    have written so far: a running one keeps its latest in memory for a while.

    \b
    Example:
      muscle-mem ls --store memory.db --state quarantined --limit 20
      muscle-mem ls --task invoice --json
    """
    found: list[Stored] = []
    broken = 0
    with open_existing(store) as source:
        for stored, damaged in pages(source):
            broken += len(damaged)
            found += [trajectory for trajectory in stored if matches(trajectory, states, scope, task)]
            if limit is not None and len(found) >= limit:
                del found[limit:]
                break
    if as_json:
        print_json([summary(one) for one in found])
    elif found:
        rows = [_row(one) for one in found]
        print_table(
            console(), COLUMNS, rows, right=("steps", "hits", "observations"), fold=("task", "tags/scope", "state")
        )
    else:
        click.echo("No trajectories." if not (states or task or scope is not None) else "No trajectories like that.")
    if broken:
        click.echo(f"{count(broken, 'damaged row')} left out; see `muscle-mem doctor`.", err=True)


def _row(stored: Stored) -> tuple[Cell, ...]:
    sealed, standing = stored.sealed, stored.standing
    state = standing.state + (f" ({standing.reason})" if standing.reason else "")
    return (
        (id_text(sealed.id), "cyan"),
        (printable(sealed.task, 120 if is_terminal() else None), ""),
        (labels(stored), ""),
        (str(sealed.steps), ""),
        (printable(state, 60 if is_terminal() else None), STATE_STYLES.get(standing.state, "")),
        (str(standing.hits), ""),
        (str(len(stored.observations)), ""),
        (local(recorded_at(stored)), ""),
    )


def labels(stored: Stored) -> str:
    """Tags and scope in short: `a, b @tenant-42`."""
    tags = ", ".join(map(printable, stored.sealed.tags))
    scope = f"@{printable(stored.sealed.scope)}" if stored.sealed.scope else ""
    return " ".join(part for part in (tags, scope) if part)
