"""`muscle-mem ls`: the trajectories of a store, newest first."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import click

from ..._reading.loading import holds_flows, summary
from ..._reading.text import count, local, printable
from ...store import STATES, Stored
from ...store.paging import pages
from ...store.pruning import recorded_at
from ..finding import Filter
from ..opening import json_option, open_existing, store_option
from ..output import STATE_STYLES, Cell, console, id_text, is_terminal, print_json, print_table

FLOWS = "flows of recordings"
COLUMNS = ("id", "task", "tags/scope", "steps", "state", "hits", "observations", "recorded")


def filters(command: Callable[..., None]) -> Callable[..., None]:
    """Add the options --state, --scope and --task, and pass them as one `chosen`."""

    @functools.wraps(command)
    def filtered(*args: Any, states: tuple[str, ...], scope: str | None, task: str | None, **options: Any) -> None:
        command(*args, chosen=Filter(states, scope, task), **options)

    decorated: Callable[..., None] = filtered
    for option in (
        click.option("--task", metavar="TEXT", help="Select tasks that contain TEXT, in any case."),
        click.option("--scope", metavar="SCOPE", help="Select this exact scope; '' selects those without a scope."),
        click.option(
            "--state", "states", type=click.Choice(STATES), multiple=True, help="Select this state; repeatable."
        ),
    ):
        decorated = option(decorated)
    return decorated


@click.command(short_help="List the trajectories, newest first.")
@click.option("--limit", type=click.IntRange(min=1), metavar="N", help="List only the N newest.")
@filters
@json_option
@store_option
def ls(limit: int | None, chosen: Filter, as_json: bool, store: str | None) -> None:
    """List the trajectories of a store, newest first.

    Ids are shortened on a terminal and complete elsewhere. `recorded` is in local time. `hits` lags behind a running
    engine, which writes its latest hits with a delay. "flows of recordings" is what several recordings of a task have
    in common; `muscle-mem flows` lists it.

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
            found += [trajectory for trajectory in stored if chosen.matches(trajectory)]
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
        click.echo("No trajectories match." if chosen else "No trajectories.")
    if broken:
        click.echo(f"{count(broken, 'damaged row')} not listed. Run `muscle-mem doctor`.", err=True)


def _row(stored: Stored) -> tuple[Cell, ...]:
    sealed, standing = stored.sealed, stored.standing
    task = f"{FLOWS}: {sealed.task}" if holds_flows(stored) else sealed.task
    state = standing.state + (f" ({standing.reason})" if standing.reason else "")
    return (
        (id_text(sealed.id), "cyan"),
        (printable(task, 120 if is_terminal() else None), ""),
        (labels(stored), ""),
        (str(sealed.steps), ""),
        (printable(state, 60 if is_terminal() else None), STATE_STYLES.get(standing.state, "")),
        (str(standing.hits), ""),
        (str(len(stored.observations)), ""),
        (local(recorded_at(stored)), ""),
    )


def labels(stored: Stored) -> str:
    """Return tags and scope in short form: `a, b @tenant-42`."""
    tags = ", ".join(map(printable, stored.sealed.tags))
    scope = f"@{printable(stored.sealed.scope)}" if stored.sealed.scope else ""
    return " ".join(part for part in (tags, scope) if part)
