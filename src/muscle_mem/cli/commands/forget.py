"""`muscle-mem forget`: delete trajectories with their observations."""

from __future__ import annotations

import click

from ..._reading.text import count, printable
from ..completion import complete_ids
from ..finding import Filter, full_ids
from ..opening import json_option, open_existing, store_option
from ..output import print_json
from .ls import filters


@click.command(short_help="Delete trajectories.")
@click.argument("ids", metavar="[ID]...", nargs=-1, shell_complete=complete_ids)
@click.option("--all", "everything", is_flag=True, help="Delete all of the store, including damaged rows.")
@filters
@click.option("--yes", "-y", is_flag=True, help="Skip the confirmation.")
@json_option
@store_option
def forget(
    ids: tuple[str, ...],
    everything: bool,
    chosen: Filter,
    yes: bool,
    as_json: bool,
    store: str | None,
) -> None:
    """Delete trajectories: by ID, by --state, --scope and --task, or with --all.

    An ID may be shortened to four or more characters. If any ID is not found, nothing is deleted. Without IDs, the
    command asks for confirmation. Deleted data is erased from the file and cannot be restored.

    \b
    Example:
      muscle-mem forget 5c7a40f4 --store memory.db
      muscle-mem forget --state quarantined --yes
      muscle-mem forget --all
    """
    if bool(ids) + everything + bool(chosen) != 1:
        raise click.UsageError("expected either IDs, --all, or --state, --scope and --task. Pass one of the three.")
    with open_existing(store) as source:
        wanted: tuple[str, ...] | None = None
        if not everything:
            wanted = full_ids(source, ids) if ids else tuple(one.sealed.id for one in chosen.select(source))
        if not ids and not yes and wanted != ():
            _ask(wanted, source.url)
        gone = source.forget(wanted) if wanted != () else 0
    if as_json:
        print_json({"forgotten": gone, "ids": None if wanted is None else list(wanted)})
    else:
        click.echo(f"Deleted {count(gone, 'trajectory', 'trajectories')}.")
    if getattr(source, "erasure_pending", False):
        click.echo(
            "Another process is reading the store. Until it ends, erased bytes may remain in the write-ahead log.",
            err=True,
        )


def _ask(wanted: tuple[str, ...] | None, url: str) -> None:
    what = "everything" if wanted is None else count(len(wanted), "trajectory", "trajectories")
    click.confirm(f"Delete {what} from {printable(url)}?", abort=True, err=True)
