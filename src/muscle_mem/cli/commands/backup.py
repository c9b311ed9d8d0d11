"""`muscle-mem backup`: a copy of a SQLite store, made while engines use it."""

from __future__ import annotations

import click

from ..._reading.text import printable
from ...store import SqliteStore
from ..opening import UnusableStoreError, json_option, open_existing, store_option
from ..output import print_json
from .verify import print_verified, verified_json


@click.command(short_help="Copy the store into a file.")
@click.argument("file", type=click.Path(dir_okay=True))
@click.option("--overwrite", is_flag=True, help="Replace FILE if it exists.")
@json_option
@store_option
@click.pass_context
def backup(context: click.Context, file: str, overwrite: bool, as_json: bool, store: str | None) -> None:
    """Back up a store to FILE while engines continue to use it.

    The copy is a consistent snapshot. It is verified before it gets its final name. Damaged rows are copied unchanged
    and reported. FILE contains all data of the store and is readable by its owner only.

    Exit codes: 0 written and intact; 1 written with damaged rows; 2 not written.

    \b
    Example:
      muscle-mem backup memory-today.db --store memory.db
    """
    with open_existing(store) as source:
        if not isinstance(source, SqliteStore):
            raise UnusableStoreError(
                f"cannot back up {source.url}: expected a SQLite store. Use `muscle-mem copy`, or its server's backup."
            )
        found = source.backup(file, overwrite=overwrite)
    if as_json:
        print_json({"store": source.url, "file": file, **verified_json(found)})
    else:
        print_verified(printable(file), found)
    if not found:
        context.exit(1)
