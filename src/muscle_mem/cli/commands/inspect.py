"""`muscle-mem inspect`: the store as pages in the browser."""

from __future__ import annotations

import contextlib
import json
import re
from collections.abc import Iterator

import click

from ...errors import MissingExtraError, MuscleMemError
from ...store import Store
from ...store.sqlite.unverified import UnverifiedStore, open_unverified
from ..opening import (
    ensure_exists,
    file_of,
    open_existing,
    required_store,
    scheme_of,
    signing_key,
    store_errors,
    store_option,
)

OPTION = "--read-only was given"
NO_KEY = "the store is signed, and no key was given"
_HOST_NAME = re.compile(r"[a-z0-9]([a-z0-9.-]*[a-z0-9])?")


def _host_names(context: click.Context, option: click.Parameter, given: tuple[str, ...]) -> tuple[str, ...]:
    names = tuple(name.lower() for name in given)
    for name in names:
        if not _HOST_NAME.fullmatch(name):
            raise click.BadParameter(
                f"expected the name of a host, without scheme and port, got {name!r}.", context, option
            )
    return names


@click.command(name="inspect", short_help="Show the store as pages in the browser.")
@click.option(
    "--port", type=click.IntRange(0, 65_535), default=0, metavar="PORT", help="Use this port; 0 is a free one."
)
@click.option("--no-open", is_flag=True, help="Print the URL only, without opening a browser.")
@click.option("--read-only", is_flag=True, help="Allow no changes.")
@click.option(
    "--allow-host",
    "hosts",
    multiple=True,
    metavar="NAME",
    callback=_host_names,
    help="Also accept requests for this host name; repeatable.",
)
@click.option(
    "--json", "as_json", is_flag=True, help="Print one line of JSON with the URL, open no browser, and serve."
)
@store_option
def inspect(
    port: int, no_open: bool, read_only: bool, hosts: tuple[str, ...], as_json: bool, store: str | None
) -> None:
    """Show the store as pages in the browser.

    The pages show runs, trajectories, reviews and findings. They are served on 127.0.0.1 until you press Ctrl-C. The
    printed URL has a token that works once, in one browser. Without --read-only, you can approve, report and forget
    trajectories on the pages. A signed SQLite store without its key is read-only, and its rows are not verified.
    Requires the extra `inspector`.

    To use it from another machine, forward a port: `ssh -L 8000:127.0.0.1:8000 HOST`.

    \b
    Example:
      muscle-mem inspect --store memory.db
      muscle-mem inspect --port 8000 --no-open --read-only
    """
    with store_errors():
        try:
            from ...inspector.serving import Serving
        except ImportError as error:
            raise MissingExtraError(
                f"the inspector needs more packages ({error}). Install them with: pip install 'muscle-mem[inspector]'"
            ) from error
        with _opened(store) as (source, is_unverified):
            why = NO_KEY if is_unverified else OPTION if read_only else ""
            serving = Serving(source, port=port, why_read_only=why, is_unverified=is_unverified, allowed=hosts)
            try:
                _announce(serving.url, serving.port, why, as_json)
                if not (no_open or as_json):
                    serving.open()
                with contextlib.suppress(KeyboardInterrupt):
                    serving.run()
            finally:
                serving.close()


def _announce(url: str, port: int, why: str, as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps({"url": url, "port": port, "read_only": bool(why)}))
        return
    click.echo(f"Inspector: {url}")
    if why:
        click.echo(f"Read-only: {why}.")
    click.echo("The URL works once. Press Ctrl-C to stop.")


@contextlib.contextmanager
def _opened(given: str | None) -> Iterator[tuple[Store, bool]]:
    """Open the store; without its key, a signed SQLite store is opened unverified."""
    unverified = _unverified(required_store(given))
    if unverified is None:
        with open_existing(given) as source:
            yield source, False
        return
    try:
        yield unverified, True
    finally:
        unverified.close()


def _unverified(name: str) -> UnverifiedStore | None:
    path = file_of(name) if scheme_of(name) == "sqlite" and "?" not in name else None
    if not path or signing_key() is not None:
        return None
    ensure_exists(name)
    try:
        return open_unverified(path)
    except MuscleMemError:
        return None  # What is wrong with the store is reported by opening it.
