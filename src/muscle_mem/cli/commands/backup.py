"""`muscle-mem backup`: a copy of a store in a file, made while others use it."""

from __future__ import annotations

import click

from ...store import SqliteStore
from ..opening import UnusableStoreError, json_option, open_existing, store_option
from ..output import print_json
from ..text import printable
from .verify import print_verified, verified_json


@click.command(short_help="Copy the store into a file.")
@click.argument("file", type=click.Path(dir_okay=True))
@click.option("--overwrite", is_flag=True, help="Replace the file if it is there.")
@json_option
@store_option
@click.pass_context
def backup(context: click.Context, file: str, overwrite: bool, as_json: bool, store: str | None) -> None:
    """Back a store up into FILE, while agents go on using it.

    The copy is one state of the store, and is looked through before it appears under its name. Damaged rows are copied
    as they are, and reported. Only its owner may read the file; it holds all that the store holds.

    Exit codes: 0 made and fine, 1 made and damaged rows are in it, 2 not made.

    \b
    Example:
      muscle-mem backup memory-today.db --store memory.db
    """
    with open_existing(store) as source:
        if not isinstance(source, SqliteStore):
            raise UnusableStoreError(
                f"{source.url} is not a file. Use the back-ups of its server, or `muscle-mem copy` into a file."
            )
        found = source.backup(file, overwrite=overwrite)
    if as_json:
        print_json({"store": source.url, "file": file, **verified_json(found)})
    else:
        print_verified(printable(file), found)
    if not found:
        context.exit(1)
