"""`muscle-mem verify`: check the digest of every row, every page and every blob."""

from __future__ import annotations

from typing import Any

import click

from ..._reading.text import count, printable
from ...store import Verified
from ...store import verify as verify_store
from ..opening import json_option, open_existing, store_option
from ..output import Cell, console, id_text, print_json, print_pairs, print_table
from ..progress import watched


@click.command(short_help="Check that the store is intact.")
@json_option
@store_option
@click.pass_context
def verify(context: click.Context, as_json: bool, store: str | None) -> None:
    """Check the digest or signature of every row, every page, and every blob.

    The command does not decode values; `muscle-mem doctor` also does that. It does not change the store.

    Exit codes: 0 intact; 1 damage found; 2 the store cannot be opened.

    \b
    Example:
      muscle-mem verify --store memory.db
    """
    with open_existing(store) as source, watched("verifying", source) as seen:
        found = verify_store(seen)
    if as_json:
        print_json({"store": source.url, **verified_json(found)})
    else:
        print_verified(printable(source.url), found)
    if not found:
        context.exit(1)


def verified_json(found: Verified) -> dict[str, Any]:
    """Return the result as JSON."""
    return {
        "ok": bool(found),
        "trajectories": found.trajectories,
        "observations": found.observations,
        "blobs": found.blobs,
        "troubles": [
            {"kind": trouble.kind, "id": trouble.id or None, "what": trouble.what} for trouble in found.troubles
        ],
    }


def print_verified(name: str, found: Verified) -> None:
    """Print the result as text."""
    out = console()
    looked = ", ".join(
        (
            count(found.trajectories, "trajectory", "trajectories"),
            count(found.observations, "observation"),
            count(found.blobs, "use of a blob", "uses of blobs"),
        )
    )
    verdict = count(len(found.troubles), "problem") if found.troubles else "intact"
    print_pairs(out, [("store", name), ("checked", looked), ("verdict", verdict)])
    rows: list[tuple[Cell, ...]] = [
        ((trouble.kind, "red"), (id_text(trouble.id), "cyan"), (printable(trouble.what), ""))
        for trouble in found.troubles
    ]
    if rows:
        out.print()
        print_table(out, ("kind", "id", "what"), rows, fold=("what",))
