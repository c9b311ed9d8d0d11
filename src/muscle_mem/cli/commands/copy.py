"""`muscle-mem copy`: everything from one store into another, signed again."""

from __future__ import annotations

import click

from ...store import Copied, copy_store
from ..opening import UnusableStoreError, ensure_exists, file_of, json_option, open_named, signing_key, store_errors
from ..output import print_json
from ..text import count, printable


@click.command("copy", short_help="Copy everything into another store.")
@click.argument("source", metavar="FROM")
@click.argument("target", metavar="TO")
@click.option("--from-signing-key-env", metavar="NAME", help="The environment variable that holds FROM's signing_key.")
@click.option("--to-signing-key-env", metavar="NAME", help="The environment variable that holds TO's signing_key.")
@json_option
@click.pass_context
def copy(
    context: click.Context,
    source: str,
    target: str,
    from_signing_key_env: str | None,
    to_signing_key_env: str | None,
    as_json: bool,
) -> None:
    """Copy all that the store FROM holds into the store TO, which is made if it is not there.

    Trajectories keep their order, standings, observations and blobs; TO signs them under its own key, or none. A key is
    used only where an option names its variable. Copying again writes only what is missing. A trajectory that TO has
    keeps the standing it has there. Damaged rows are reported and not copied.

    Exit codes: 0 all copied, 1 damaged rows were left out, 2 one of the stores cannot be used.

    \b
    Example:
      muscle-mem copy memory.db copy.db
      muscle-mem copy plain.db signed.db --to-signing-key-env MUSCLE_MEM_SIGNING_KEY
    """
    keys = [_key(name) for name in (from_signing_key_env, to_signing_key_env)]
    if "://" not in target and file_of(target) is None:
        raise UnusableStoreError(
            f"The store {target!r} is in memory, and would be lost when the command ends. Give a path."
        )
    with store_errors():
        ensure_exists(source)
        with open_named(source, keys[0]) as reads, open_named(target, keys[1]) as writes:
            done = copy_store(reads, writes)
    if as_json:
        print_json(
            {
                "from": reads.url,
                "to": writes.url,
                "ok": not done.damaged,
                "trajectories": done.trajectories,
                "observations": done.observations,
                "present": done.present,
                "damaged": [{"id": damaged_row.id or None, "what": damaged_row.what} for damaged_row in done.damaged],
                "kept_standing": list(done.kept),
            }
        )
    else:
        _print(done)
    if done.damaged:
        context.exit(1)


def _key(variable: str | None) -> str | None:
    if variable is None:
        return None
    key = signing_key(variable)
    if key is None:
        raise click.UsageError(f"The environment variable {variable} is not set, or is empty.")
    return key


def _print(done: Copied) -> None:
    new = count(done.trajectories, "trajectory", "trajectories")
    present = f"{done.present} {'was' if done.present == 1 else 'were'} there already"
    click.echo(f"Copied {new} and {count(done.observations, 'observation')}; {present}.")
    for id in done.kept:
        click.echo(f"{printable(id)}: another standing is there, and was kept.", err=True)
    for damaged_row in done.damaged:
        click.echo(f"not copied: {printable(damaged_row.id or '(no id)')}: {printable(damaged_row.what)}", err=True)
