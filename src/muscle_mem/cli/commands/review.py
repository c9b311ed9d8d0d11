"""`muscle-mem approve`, `report-good` and `report-bad`: review trajectories."""

from __future__ import annotations

from collections.abc import Callable

import click

from ..._reading.text import count
from ...store import Note
from ...store.verdicts import APPROVED, bad, good
from ..completion import complete_ids
from ..finding import full_ids
from ..opening import json_option, open_existing, store_option
from ..output import print_json

_ids = click.argument("ids", metavar="ID...", nargs=-1, required=True, shell_complete=complete_ids)
_why = click.option("--why", default="", metavar="TEXT", help="Set the reason, which is shown with the state.")


@click.command(short_help="Approve trajectories for trust='manual'.")
@_ids
@_why
@json_option
@store_option
def approve(ids: tuple[str, ...], why: str, as_json: bool, store: str | None) -> None:
    """Approve trajectories for replay by engines with trust='manual'.

    Review them with `muscle-mem show` first. Approval also lifts a quarantine. An ID may be shortened to four or more
    characters. If any ID is not found, nothing is changed.

    \b
    Example:
      muscle-mem approve 5c7a40f4 --why "read it, looks right" --store memory.db
    """
    _report(ids, lambda id: good(id, why, word=APPROVED), "Approved", as_json, store)


@click.command(name="report-good", short_help="Report that trajectories did the right thing.")
@_ids
@_why
@json_option
@store_option
def report_good(ids: tuple[str, ...], why: str, as_json: bool, store: str | None) -> None:
    """Report that trajectories did the right thing: trust them, lift a quarantine.

    \b
    Example:
      muscle-mem report-good 5c7a40f4 --store memory.db
    """
    _report(ids, lambda id: good(id, why), "Reported good:", as_json, store)


@click.command(name="report-bad", short_help="Quarantine trajectories that did the wrong thing.")
@_ids
@_why
@json_option
@store_option
def report_bad(ids: tuple[str, ...], why: str, as_json: bool, store: str | None) -> None:
    """Report that trajectories did the wrong thing: quarantine them until report-good.

    \b
    Example:
      muscle-mem report-bad 5c7a40f4 --why "paid the wrong invoice" --store memory.db
    """
    _report(ids, lambda id: bad(id, why), "Quarantined", as_json, store)


def _report(ids: tuple[str, ...], note: Callable[[str], Note], done: str, as_json: bool, store: str | None) -> None:
    with open_existing(store) as source:
        wanted = full_ids(source, ids)
        source.note(tuple(note(id) for id in wanted))
    if as_json:
        print_json({"ids": list(wanted), "said": done.rstrip(":").lower()})
    else:
        click.echo(f"{done} {count(len(wanted), 'trajectory', 'trajectories')}.")
