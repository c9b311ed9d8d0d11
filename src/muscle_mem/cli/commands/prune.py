"""`muscle-mem prune`: keep a store small, by age, number and size."""

from __future__ import annotations

import re
import time

import click

from ...store.pruning import Limits
from ...store.pruning import prune as prune_store
from ..opening import json_option, open_existing, store_option
from ..output import print_json
from ..text import count

SECONDS = {"": 1, "s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}
BYTES = {"": 1, "k": 2**10, "m": 2**20, "g": 2**30}


class Amount(click.ParamType[float]):
    """A number with a unit out of a closed list."""

    def __init__(self, name: str, units: dict[str, int], example: str) -> None:
        self.name = name
        self._units = units
        self._example = example

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """The number in the smallest unit."""
        found = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([a-z]?)", str(value).strip().lower())
        if found is None or found[2] not in self._units:
            self.fail(f"{value!r} is not valid; write {self._example}.", param, ctx)
        return float(found[1]) * self._units[found[2]]


@click.command(short_help="Drop what is too old or too much.")
@click.option("--max-items", metavar="N", type=click.IntRange(min=0), help="Leave so many trajectories at most.")
@click.option("--max-bytes", metavar="SIZE", type=Amount("size", BYTES, "500000, 64k, 20M or 1G"), help="As 20M or 1G.")
@click.option(
    "--ttl",
    metavar="AGE",
    type=Amount("age", SECONDS, "seconds, 90m, 12h, 30d or 2w"),
    help="Drop what was not recorded for so long, as 12h or 30d.",
)
@click.option("--dry-run", is_flag=True, help="Only report what would be dropped.")
@json_option
@store_option
def prune(
    max_items: int | None, max_bytes: float | None, ttl: float | None, dry_run: bool, as_json: bool, store: str | None
) -> None:
    """Drop trajectories that are too old, or the least recently used ones until the limits are kept.

    What can never be replayed goes first; what a person has reported bad goes last, since it would be learned again.
    Unlike forget it may leave the dropped bytes in the file until their room is used again.

    \b
    Example:
      muscle-mem prune --ttl 30d --dry-run --store memory.db
      muscle-mem prune --max-items 10000 --max-bytes 200M --store memory.db
    """
    limits = Limits(max_items=max_items, max_bytes=None if max_bytes is None else int(max_bytes), ttl=ttl)
    if not limits:
        raise click.UsageError("Give some of --max-items, --max-bytes and --ttl.")
    with open_existing(store) as source:
        done = prune_store(source, limits, time.time(), dry_run=dry_run)
    if as_json:
        print_json({**done._asdict(), "dry_run": dry_run})
        return
    verb = "Would drop" if dry_run else "Dropped"
    age = f" ({done.expired} for their age)" if done.expired else ""
    click.echo(
        f"{verb} {count(done.dropped, 'trajectory', 'trajectories')}{age} of {done.dropped_bytes} bytes; "
        f"{done.kept} of {done.kept_bytes} bytes stay."
    )
