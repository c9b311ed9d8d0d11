"""`muscle-mem prune`: limit a store by age, number and size."""

from __future__ import annotations

import time

import click

from ..._reading.text import count
from ...store import keeps_history
from ...store.pruning import Limits
from ...store.pruning import prune as prune_store
from ..amounts import AGES, BYTES, SECONDS, Amount
from ..opening import json_option, open_existing, store_option
from ..output import print_json
from ..progress import watched


@click.command(short_help="Delete old or excess trajectories.")
@click.option("--max-items", metavar="N", type=click.IntRange(min=0), help="Keep at most N trajectories.")
@click.option(
    "--max-bytes",
    metavar="SIZE",
    type=Amount("size", BYTES, "500000, 64k, 20M or 1G"),
    help="Keep at most SIZE, such as 20M or 1G.",
)
@click.option(
    "--ttl",
    metavar="AGE",
    type=Amount("age", SECONDS, AGES),
    help="Delete trajectories last recorded before AGE, such as 12h or 30d.",
)
@click.option(
    "--history-ttl",
    metavar="AGE",
    type=Amount("age", SECONDS, AGES),
    help="Delete what is older than AGE from the history of runs.",
)
@click.option("--dry-run", is_flag=True, help="Report what would be deleted, and keep it.")
@json_option
@store_option
def prune(
    max_items: int | None,
    max_bytes: float | None,
    ttl: float | None,
    history_ttl: float | None,
    dry_run: bool,
    as_json: bool,
    store: str | None,
) -> None:
    """Delete old trajectories, then the least recently used until the limits are met.

    Trajectories that can never be replayed are deleted first. Those that were reported bad are deleted last, because
    the agent would record them again. Unlike forget, prune may leave deleted bytes in the file until the space is
    reused.

    \b
    Example:
      muscle-mem prune --ttl 30d --dry-run --store memory.db
      muscle-mem prune --max-items 10000 --max-bytes 200M --store memory.db
    """
    limits = Limits(max_items=max_items, max_bytes=None if max_bytes is None else int(max_bytes), ttl=ttl)
    if not limits and history_ttl is None:
        raise click.UsageError("expected a limit. Pass --max-items, --max-bytes, --ttl or --history-ttl.")
    with open_existing(store) as source:
        now = time.time()
        old_history = 0
        with watched("surveying", source) as seen:
            done = prune_store(seen, limits, now, dry_run=dry_run)
        if history_ttl is not None and keeps_history(source):
            old_history = source.prune_history(before=now - history_ttl, dry_run=dry_run)
    if as_json:
        shown = {} if history_ttl is None else {"history": old_history}
        print_json({**done._asdict(), **shown, "dry_run": dry_run})
        return
    verb = "Would delete" if dry_run else "Deleted"
    if history_ttl is not None:
        click.echo(f"{verb} {count(old_history, 'row')} of the history.")
    if not limits:
        return
    age = f" ({done.expired} by age)" if done.expired else ""
    click.echo(
        f"{verb} {count(done.dropped, 'trajectory', 'trajectories')}{age}, {done.dropped_bytes} bytes; "
        f"{done.kept} remain, {done.kept_bytes} bytes."
    )
