"""`muscle-mem copy`: copy one store into another, signed with the target's key."""

from __future__ import annotations

import click

from ..._reading.text import count, printable
from ...store import Copied, copy_store
from ..opening import UnusableStoreError, ensure_exists, file_of, json_option, open_named, signing_key, store_errors
from ..output import print_json
from ..progress import watched


@click.command("copy", short_help="Copy all data into another store.")
@click.argument("source", metavar="FROM")
@click.argument("target", metavar="TO")
@click.option("--from-signing-key-env", metavar="NAME", help="Read FROM's signing key from this environment variable.")
@click.option("--to-signing-key-env", metavar="NAME", help="Read TO's signing key from this environment variable.")
@click.option("--approve", is_flag=True, help="Approve what was signed with another key, so that it is replayed.")
@json_option
@click.pass_context
def copy(
    context: click.Context,
    source: str,
    target: str,
    from_signing_key_env: str | None,
    to_signing_key_env: str | None,
    approve: bool,
    as_json: bool,
) -> None:
    """Copy all data of the store FROM into the store TO. TO is created if necessary.

    Trajectories keep their order, state, counts, observations and blobs. They are signed with the key of TO, if any. A
    key is used only if an option names its environment variable. A second copy writes only what is missing. A
    trajectory that exists in TO keeps its state and counts there. Damaged rows are reported and not copied.

    If both keys are given and differ, trajectories are quarantined in TO until you approve them, unless you pass
    --approve. Trajectories that TO has already get no recordings then.

    Exit codes: 0 all copied; 1 damaged rows were not copied; 2 a store cannot be used.

    \b
    Example:
      muscle-mem copy memory.db copy.db
      muscle-mem copy plain.db signed.db --to-signing-key-env MUSCLE_MEM_SIGNING_KEY
    """
    keys = [_key(name) for name in (from_signing_key_env, to_signing_key_env)]
    if "://" not in target and file_of(target) is None:
        raise UnusableStoreError(
            f"cannot copy to {target!r}: expected a file or URL, got a store in memory. Pass a path."
        )
    with store_errors():
        ensure_exists(source)
        with (
            open_named(source, keys[0]) as reads,
            open_named(target, keys[1]) as writes,
            watched("copying", reads) as seen,
        ):
            done = copy_store(seen, writes, approve=approve or None in keys or keys[0] == keys[1])
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
        raise click.UsageError(f"environment variable {variable} is unset or empty. Set it to the signing key.")
    return key


def _print(done: Copied) -> None:
    new = count(done.trajectories, "trajectory", "trajectories")
    click.echo(f"Copied {new} and {count(done.observations, 'observation')}; {done.present} already existed.")
    for id in done.kept:
        click.echo(f"{printable(id)}: the target has a different standing, which was kept.", err=True)
    for damaged_row in done.damaged:
        click.echo(f"not copied: {printable(damaged_row.id or '(no id)')}: {printable(damaged_row.what)}", err=True)
