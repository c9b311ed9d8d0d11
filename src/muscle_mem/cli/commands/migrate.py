"""`muscle-mem migrate`: bring a store of an older release up to date, or report whether it needs to be."""

from __future__ import annotations

import click

from ...store.naming import is_postgres, without_secrets
from ...store.sqlite.opening import stored_version
from ...store.sqlite.schema import LATEST
from ...store.urls import postgres_versions
from ..opening import (
    ensure_exists,
    file_of,
    json_option,
    open_named,
    required_store,
    signing_key,
    store_errors,
    store_option,
)
from ..output import print_json
from ..text import printable


@click.command(short_help="Bring an older store up to date.")
@click.option("--dry-run", is_flag=True, help="Only report what would be done.")
@json_option
@store_option
def migrate(dry_run: bool, as_json: bool, store: str | None) -> None:
    """Bring a store that an older release wrote up to this release's version.

    Any other opening does the same; this command says so, and lets you choose the moment. Make a back-up first: an
    older release refuses the store afterwards. A migration is one transaction, and what fails its digest before it
    fails it after.

    Exit codes: 0 up to date, 2 the store cannot be opened.

    \b
    Example:
      muscle-mem migrate --dry-run --store memory.db
    """
    name = required_store(store)
    with store_errors():
        ensure_exists(name)
        before, latest = _versions(name)
        if not dry_run:
            with open_named(name, signing_key()):
                pass
    after = max(before, latest)
    name = without_secrets(name)
    if as_json:
        print_json({"store": name, "from": before, "to": after, "migrated": before != after and not dry_run})
    elif before == after:
        click.echo(f"{printable(name)} is up to date (version {before}).")
    else:
        verb = "would be brought" if dry_run else "was brought"
        click.echo(f"{printable(name)} {verb} from version {before} to version {after}.")


def _versions(name: str) -> tuple[int, int]:
    """The version of a store that is there, and the newest that this release knows."""
    if is_postgres(name):
        before, latest = postgres_versions(name)
        return before or latest, latest
    scheme, mark, _ = name.partition("://")
    path = file_of(name)
    return LATEST if path is None or (mark and scheme.lower() != "sqlite") else stored_version(path), LATEST
