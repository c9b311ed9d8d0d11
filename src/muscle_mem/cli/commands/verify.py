"""`muscle-mem verify`: every row of a store against its digest, every page, every blob."""

from __future__ import annotations

from typing import Any

import click

from ...store import Verified
from ...store import verify as look_through
from ..opening import json_option, open_existing, store_option
from ..output import Cell, console, id_text, print_json, print_pairs, print_table
from ..text import count, printable


@click.command(short_help="Check that the store is whole.")
@json_option
@store_option
@click.pass_context
def verify(context: click.Context, as_json: bool, store: str | None) -> None:
    """Check that a store is whole: the digest or signature of every row, the pages of the file, every blob.

    It looks at what is stored, and not at what it means; `muscle-mem doctor` does both. Nothing is changed.

    Exit codes: 0 whole, 1 trouble found, 2 the store cannot be opened.

    \b
    Example:
      muscle-mem verify --store memory.db
    """
    with open_existing(store) as source:
        found = look_through(source)
    if as_json:
        print_json({"store": source.url, **verified_json(found)})
    else:
        print_verified(printable(source.url), found)
    if not found:
        context.exit(1)


def verified_json(found: Verified) -> dict[str, Any]:
    """What was found, for programs."""
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
    """What was found, for people."""
    out = console()
    looked = ", ".join(
        (
            count(found.trajectories, "trajectory", "trajectories"),
            count(found.observations, "observation"),
            count(found.blobs, "use of a blob", "uses of blobs"),
        )
    )
    verdict = count(len(found.troubles), "trouble") if found.troubles else "whole"
    print_pairs(out, [("store", name), ("looked at", looked), ("verdict", verdict)])
    rows: list[tuple[Cell, ...]] = [
        ((trouble.kind, "red"), (id_text(trouble.id), "cyan"), (printable(trouble.what), ""))
        for trouble in found.troubles
    ]
    if rows:
        out.print()
        print_table(out, ("kind", "id", "what"), rows, fold=("what",))
