"""`muscle-mem demo`: an agent on web pages, first recorded, then replayed."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, TextIO

import click

from ..opening import UnusableStoreError, file_of, json_option, scheme_of
from ..output import print_json

if TYPE_CHECKING:
    from rich.console import Console

WIDTH = 100


@click.command(short_help="Watch an agent learn on web pages.")
@click.option("--store", metavar="PATH_OR_URL", help="Keep the recordings in this store; create it if necessary.")
@click.option("--headed", is_flag=True, help="Show the browser window.")
@json_option
@click.pass_context
def demo(context: click.Context, store: str | None, headed: bool, as_json: bool) -> None:
    """Run an agent on tasks in web pages, then replay the recorded tasks.

    Without a browser, the command runs a small example in the terminal. Recordings are discarded unless you pass
    --store. MUSCLE_MEM_STORE is not used, so that the demo does not write to your own store. With --json, progress goes
    to stderr and one JSON object to stdout.

    \b
    Example:
      muscle-mem demo
      muscle-mem demo --store demo.db && muscle-mem ls --store demo.db
    """
    from ...demo import run
    from ...demo.next_lines import next_lines
    from ...errors import MuscleMemError

    name = store if store is not None else context.find_root().obj
    place = file_of(name) if name is not None and scheme_of(name) == "sqlite" else name
    try:
        report = run(store=place, headless=not headed, console=_console(sys.stderr if as_json else sys.stdout))
    except MuscleMemError as error:
        raise UnusableStoreError(error) from error
    if as_json:
        totals = None if report.totals is None else report.totals.as_dict()
        print_json({"ok": report.ok, "store": name, "totals": totals})
    elif report.ok and report.totals is not None:
        click.echo("\n" + "\n".join(next_lines(name)))
    if not report.ok:
        context.exit(1)


def _console(file: TextIO) -> Console:
    """Return a console of at most WIDTH columns, without styles if NO_COLOR is set."""
    from rich.console import Console

    plain = bool(os.environ.get("NO_COLOR"))
    console = Console(file=file, highlight=False, color_system=None if plain else "auto")
    console.width = min(console.width, WIDTH) if console.is_terminal else WIDTH
    return console
