"""`muscle-mem demo`: an agent on web pages, first recorded, then replayed."""

from __future__ import annotations

import shlex
import sys

import click

from ..opening import UnusableStoreError, file_of, json_option, scheme_of
from ..output import print_json


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
    from rich.console import Console

    from ...demo import run
    from ...errors import MuscleMemError

    name = store if store is not None else context.find_root().obj
    place = file_of(name) if name is not None and scheme_of(name) == "sqlite" else name
    try:
        code = run(store=place, headless=not headed, console=Console(file=sys.stderr if as_json else sys.stdout))
    except MuscleMemError as error:
        raise UnusableStoreError(error) from error
    if as_json:
        print_json({"ok": code == 0, "store": name})
    elif name is not None and not code:
        click.echo(f"\nSee what it learned, in the browser: muscle-mem inspect --store {shlex.quote(name)}")
    if code:
        context.exit(code)
