"""Completion of ids, scopes and tags of a store in a shell."""

from __future__ import annotations

import itertools
import os
from collections.abc import Iterable, Iterator

import click
from click.shell_completion import CompletionItem

from ..store import Store, Stored, open_store
from ..store.naming import is_postgres
from ..store.paging import each
from ..store.sqlite.opening import stored_version
from ..store.sqlite.schema import LATEST
from ..store.urls import postgres_versions
from .opening import VARIABLE, ensure_exists, file_of, scheme_of, signing_key

MOST_READ = 2_000
"""Trajectories that are read for one completion, the newest."""

MOST_SHOWN = 200


def complete_ids(context: click.Context, _: click.Parameter, begin: str) -> list[CompletionItem]:
    """Return the ids that begin with a text, with their tasks."""
    found = ((one.sealed.id, one.sealed.task) for one in _stored(context))
    return _items(begin, found)


def complete_scopes(context: click.Context, _: click.Parameter, begin: str) -> list[CompletionItem]:
    """Return the scopes that begin with a text."""
    return _items(begin, ((one.sealed.scope, "") for one in _stored(context)))


def complete_tags(context: click.Context, _: click.Parameter, begin: str) -> list[CompletionItem]:
    """Return the tags that begin with a text."""
    return _items(begin, ((tag, "") for one in _stored(context) for tag in one.sealed.tags))


def _items(begin: str, found: Iterable[tuple[str, str]]) -> list[CompletionItem]:
    """Return completions, each once.

    A text with control characters would break the line of the shell, and is left out.
    """
    try:
        texts = dict(found)
    except Exception:  # A shell shows errors between what is typed.
        return []
    chosen = [name for name in texts if name and name.startswith(begin) and name.isprintable()]
    return [
        CompletionItem(name, help=texts[name][:60] if texts[name].isprintable() else None)
        for name in sorted(chosen)[:MOST_SHOWN]
    ]


def _stored(context: click.Context) -> Iterator[Stored]:
    name = context.params.get("store") or context.find_root().params.get("store") or os.environ.get(VARIABLE)
    if not name:
        return
    ensure_exists(name)
    if not _is_current(name):  # Completion must not migrate a store.
        return
    store: Store = open_store(name, signing_key=signing_key())
    try:
        yield from itertools.islice(each(store), MOST_READ)
    finally:
        store.close()


def _is_current(name: str) -> bool:
    """Return whether opening a store leaves its version as it is."""
    if is_postgres(name):
        version, latest = postgres_versions(name)
        return version == latest
    path = file_of(name)
    return scheme_of(name) != "sqlite" or path is None or stored_version(path) == LATEST
