"""`muscle-mem forget`: delete trajectories with all that belongs to them."""

from __future__ import annotations

import click

from ...store import Store
from ...store.paging import pages
from ..finding import full_ids, matches
from ..opening import json_option, open_existing, store_option
from ..output import print_json
from ..text import count, printable
from .ls import filters


@click.command(short_help="Delete trajectories.")
@click.argument("ids", metavar="[ID]...", nargs=-1)
@click.option("--all", "everything", is_flag=True, help="Forget all that the store holds, damaged rows too.")
@filters
@click.option("--yes", "-y", is_flag=True, help="Do not ask.")
@json_option
@store_option
def forget(
    ids: tuple[str, ...],
    everything: bool,
    states: tuple[str, ...],
    scope: str | None,
    task: str | None,
    yes: bool,
    as_json: bool,
    store: str | None,
) -> None:
    """Forget trajectories: by ID, by --state, --scope and --task, or --all.

    IDs may be cut to their first four characters or more. If one of them is not there, nothing is forgotten. All but
    named IDs are asked for before. What is forgotten is erased from the file, and cannot be brought back.

    \b
    Example:
      muscle-mem forget 5c7a40f4 --store memory.db
      muscle-mem forget --state quarantined --yes
      muscle-mem forget --all
    """
    filtered = bool(states) or scope is not None or task is not None
    if bool(ids) + everything + filtered != 1:
        raise click.UsageError("Give IDs, or --all, or some of --state, --scope and --task.")
    with open_existing(store) as source:
        wanted = full_ids(source, ids) if ids else None if everything else _matching(source, states, scope, task)
        if not ids and not yes and wanted != ():
            _ask(wanted, source.url)
        gone = source.forget(wanted) if wanted != () else 0
    if as_json:
        print_json({"forgotten": gone, "ids": None if wanted is None else list(wanted)})
    else:
        click.echo(f"Forgot {count(gone, 'trajectory', 'trajectories')}.")
    if getattr(source, "erasure_pending", False):
        click.echo(
            "Another program reads the store; until it ends, erased bytes may lie in the log beside it.", err=True
        )


def _matching(source: Store, states: tuple[str, ...], scope: str | None, task: str | None) -> tuple[str, ...]:
    return tuple(
        trajectory.sealed.id
        for stored, _ in pages(source)
        for trajectory in stored
        if matches(trajectory, states, scope, task)
    )


def _ask(wanted: tuple[str, ...] | None, url: str) -> None:
    what = "everything" if wanted is None else count(len(wanted), "trajectory", "trajectories")
    click.confirm(f"Forget {what} in {printable(url)}?", abort=True, err=True)
