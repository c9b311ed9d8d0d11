"""`muscle-mem migrate`: migrate a store of an older release.

It can also report whether that is necessary.
"""

from __future__ import annotations

import click

from ..._reading.text import printable
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
    scheme_of,
    signing_key,
    store_errors,
    store_option,
)
from ..output import print_json
from ..progress import running


@click.command(short_help="Migrate a store of an older release.")
@click.option("--dry-run", is_flag=True, help="Report the migration without running it.")
@json_option
@store_option
def migrate(dry_run: bool, as_json: bool, store: str | None) -> None:
    """Migrate a store that an older release wrote to the version of this release.

    Opening a store in any other way also migrates it. This command lets you choose the time and reports the result.
    Back up the store first: an older release cannot open it afterwards. The migration is one transaction. Rows that
    fail their digest before it also fail after it.

    Exit codes: 0 up to date; 2 the store cannot be opened.

    \b
    Example:
      muscle-mem migrate --dry-run --store memory.db
    """
    name = required_store(store)
    with store_errors():
        ensure_exists(name)
        before, latest = _versions(name)
        if not dry_run:
            with running("migrating"), open_named(name, signing_key()):
                pass
    after = max(before, latest)
    name = without_secrets(name)
    if as_json:
        print_json({"store": name, "from": before, "to": after, "migrated": before != after and not dry_run})
    elif before == after:
        click.echo(f"{printable(name)} is up to date (version {before}).")
    else:
        verb = "would be migrated" if dry_run else "was migrated"
        click.echo(f"{printable(name)} {verb} from version {before} to version {after}.")


def _versions(name: str) -> tuple[int, int]:
    """Return the version of an existing store, and the newest of this release."""
    if is_postgres(name):
        before, latest = postgres_versions(name)
        return before or latest, latest
    path = file_of(name)
    return LATEST if path is None or scheme_of(name) != "sqlite" else stored_version(path), LATEST
