"""`muscle-mem ls`: the trajectories of a store, newest first."""

from __future__ import annotations

import functools
import time
from collections.abc import Callable
from typing import Any

import click
import msgspec

from ..._reading.loading import holds_flows, newest_row, summary
from ..._reading.text import clipped, count, local, printable, short_date
from ...store import STATES, Store, Stored, keeps_history
from ...store.history import MAX_RUNS
from ...store.paging import pages
from ...store.pruning import recorded_at
from ..amounts import AGES, SECONDS, Amount
from ..completion import complete_scopes, complete_tags
from ..finding import Filter
from ..opening import json_option, open_existing, store_option
from ..output import STATE_STYLES, Cell, console, id_text, is_terminal, print_json, print_table
from ..progress import watched

FLOWS = "flows of recordings"
COLUMNS = ("id", "task", "tags/scope", "steps", "state", "hits", "observations", "recorded")
NARROW = ("id", "state", "hits", "date", "task")
FIXED = 12 + 11 + 6 + 7 + 4 * 2
"""The columns of a terminal that the narrow table takes beside the task."""

LEAST = 20
SORTS = ("recorded", "hits", "saved", "failures", "last")


def filters(command: Callable[..., None]) -> Callable[..., None]:
    """Add the options --state, --scope and --task, and pass them as one `chosen`."""

    @functools.wraps(command)
    def filtered(*args: Any, states: tuple[str, ...], scope: str | None, task: str | None, **options: Any) -> None:
        command(*args, chosen=Filter(states, scope, task), **options)

    decorated: Callable[..., None] = filtered
    for option in (
        click.option("--task", metavar="TEXT", help="Select tasks that contain TEXT, in any case."),
        click.option(
            "--scope",
            metavar="SCOPE",
            shell_complete=complete_scopes,
            help="Select this exact scope; '' selects those without a scope.",
        ),
        click.option(
            "--state", "states", type=click.Choice(STATES), multiple=True, help="Select this state; repeatable."
        ),
    ):
        decorated = option(decorated)
    return decorated


@click.command(short_help="List the trajectories, newest first.")
@click.option("--limit", type=click.IntRange(min=1), metavar="N", help="List only the first N.")
@click.option(
    "--sort", type=click.Choice(SORTS), default="recorded", help="Sort by this, the highest or latest first. [recorded]"
)
@click.option(
    "--tag", "tags", metavar="TAG", multiple=True, shell_complete=complete_tags, help="Select this tag; repeatable."
)
@click.option(
    "--since", "age", metavar="AGE", type=Amount("age", SECONDS, AGES), help="Select what was recorded in the last AGE."
)
@click.option("--reason", metavar="REASON", help="Select those with this reason of their state or of a stopped replay.")
@filters
@json_option
@store_option
def ls(
    limit: int | None,
    sort: str,
    tags: tuple[str, ...],
    age: float | None,
    reason: str | None,
    chosen: Filter,
    as_json: bool,
    store: str | None,
) -> None:
    """List the trajectories of a store, newest first.

    On a terminal, each trajectory is one line with a short id and date, and params are left out of the task. Other
    output is complete. `saved` is an estimate: hits times the agent's time in the newest recording. A running engine
    writes its latest hits with a delay. "flows of recordings" is what several recordings of a task have in common;
    `muscle-mem flows` lists it.

    \b
    Example:
      muscle-mem ls --store memory.db --state quarantined --limit 20
      muscle-mem ls --sort saved --since 7d
      muscle-mem ls --task invoice --json
    """
    since = None if age is None else time.time() - age
    chosen = msgspec.structs.replace(chosen, tags=tags, since=since, reason=reason)
    with open_existing(store) as source:
        if reason is not None:
            chosen = msgspec.structs.replace(chosen, ids=_stopped_for(source, reason))
        with watched("listing", source) as seen:
            found, broken = _select(seen, chosen, None if sort != "recorded" else limit)
    if sort != "recorded":
        found.sort(key=lambda one: -_worth(one, sort))
    found = found[:limit]
    if as_json:
        print_json([summary(one) for one in found])
    elif found:
        _print(found)
    else:
        click.echo("No trajectories match." if chosen else "No trajectories.")
    if broken:
        click.echo(f"{count(broken, 'damaged row')} not listed. Run `muscle-mem doctor`.", err=True)


def _select(source: Store, chosen: Filter, limit: int | None) -> tuple[list[Stored], int]:
    """Return the trajectories that match, and the number of damaged rows on the way."""
    found: list[Stored] = []
    broken = 0
    for stored, damaged in pages(source):
        broken += len(damaged)
        found += [trajectory for trajectory in stored if chosen.matches(trajectory)]
        if limit is not None and len(found) >= limit:
            break
    return found, broken


def _stopped_for(source: object, reason: str) -> frozenset[str]:
    """Return the trajectories that runs followed or recorded with this reason."""
    if not keeps_history(source):
        return frozenset()
    return frozenset(run.trajectory_id for run in source.history_runs(reason=reason, limit=MAX_RUNS)) - {""}


def _worth(stored: Stored, sort: str) -> float:
    standing = stored.standing
    if sort == "saved":
        row = newest_row(stored)
        saved = standing.hits * row.agent_seconds if row is not None else 0.0
        return saved if saved - saved == 0 else 0.0  # Not so for infinity and NaN.
    return {"hits": standing.hits, "failures": standing.failures, "last": standing.last_hit}[sort]


def _print(found: list[Stored]) -> None:
    out = console()
    if is_terminal():
        now = time.time()
        room = max(LEAST, out.width - FIXED)
        print_table(out, NARROW, [_narrow_row(one, now, room) for one in found], right=("hits",))
        return
    rows = [_row(one) for one in found]
    print_table(out, COLUMNS, rows, right=("steps", "hits", "observations"), fold=("task", "tags/scope", "state"))


def _task(stored: Stored) -> str:
    """Return the task with the names of its params in place of their values."""
    row = newest_row(stored)
    parts = row.task if row is not None else ()
    masked = "".join(part if at % 2 == 0 else f"{{{part}}}" for at, part in enumerate(parts))
    task = printable(masked or stored.sealed.task)
    return f"{FLOWS}: {task}" if holds_flows(stored) else task


def _narrow_row(stored: Stored, now: float, room: int) -> tuple[Cell, ...]:
    sealed, standing = stored.sealed, stored.standing
    what = " ".join(part for part in (_task(stored), labels(stored)) if part)
    if standing.reason and standing.state not in ("fresh", "trusted"):
        reason = clipped(printable(standing.reason), max(8, room // 2 - 1))
        what = f"{clipped(what, max(8, room - len(reason) - 3))} ({reason})"
    return (
        (id_text(sealed.id), "cyan"),
        (printable(standing.state, 11), STATE_STYLES.get(standing.state, "")),
        (str(standing.hits), ""),
        (short_date(recorded_at(stored), now), ""),
        (clipped(what, room), ""),
    )


def _row(stored: Stored) -> tuple[Cell, ...]:
    sealed, standing = stored.sealed, stored.standing
    state = standing.state + (f" ({standing.reason})" if standing.reason else "")
    return (
        (id_text(sealed.id), "cyan"),
        (_task(stored), ""),
        (labels(stored), ""),
        (str(sealed.steps), ""),
        (printable(state), STATE_STYLES.get(standing.state, "")),
        (str(standing.hits), ""),
        (str(len(stored.observations)), ""),
        (local(recorded_at(stored)), ""),
    )


def labels(stored: Stored) -> str:
    """Return tags and scope in short form: `a, b @tenant-42`."""
    tags = ", ".join(map(printable, stored.sealed.tags))
    scope = f"@{printable(stored.sealed.scope)}" if stored.sealed.scope else ""
    return " ".join(part for part in (tags, scope) if part)
