"""`muscle-mem demo`: an agent on real web pages, first alone and then with a memory."""

from __future__ import annotations

import sys

import click

from ..opening import UnusableStoreError, file_of, json_option
from ..output import print_json


@click.command(short_help="Watch an agent learn on web pages.")
@click.option("--store", metavar="PATH_OR_URL", help="Keep the memory in this store; made if it is not there.")
@click.option("--headed", is_flag=True, help="Show the browser's window.")
@json_option
@click.pass_context
def demo(context: click.Context, store: str | None, headed: bool, as_json: bool) -> None:
    """Watch an agent learn tasks on web pages, and replays take over.

    Without a browser a small example in the terminal is run. The memory is lost afterwards unless --store names a
    place for it; MUSCLE_MEM_STORE is not used here, so that the demo stays out of your own store. With --json the
    story goes to stderr, and stdout gets one JSON object.

    \b
    Example:
      muscle-mem demo
      muscle-mem demo --store demo.db && muscle-mem ls --store demo.db
    """
    from rich.console import Console

    from ...demo import run
    from ...errors import MuscleMemError

    name = store if store is not None else context.find_root().obj
    place = file_of(name) if name is not None and _is_file(name) else name
    try:
        code = run(store=place, headless=not headed, console=Console(file=sys.stderr if as_json else sys.stdout))
    except MuscleMemError as error:
        raise UnusableStoreError(error) from error
    if as_json:
        print_json({"ok": code == 0, "store": name})
    if code:
        context.exit(code)


def _is_file(name: str) -> bool:
    """Whether a name is for `file_of`; of all others the Engine says what is wrong with them."""
    scheme, mark, _ = name.partition("://")
    return not mark or scheme.lower() == "sqlite"
