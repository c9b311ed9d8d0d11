"""Engine of the user's program, named by --app."""

from __future__ import annotations

import os
import pkgutil
import sys

import click

from .._engine.engine import Engine


def engine_of(name: str) -> Engine:
    """Import `module:engine`, also from the current folder. Raises UsageError.

    The name comes from the command line, never from a store.
    """
    module, colon, attribute = name.partition(":")
    if not (module and colon and attribute):
        raise click.UsageError(f"--app: expected module:engine, got {name!r}. Pass a name such as shop.agent:engine.")
    if os.getcwd() not in sys.path:
        sys.path.insert(0, os.getcwd())
    try:
        found = pkgutil.resolve_name(name)
    except Exception as error:  # The user's module may raise anything.
        raise click.UsageError(f"--app: importing {name} raised {type(error).__name__}: {error}") from error
    if not isinstance(found, Engine):
        raise click.UsageError(
            f"--app: expected an Engine, got {type(found).__name__} for {name}. Pass the name of an Engine."
        )
    return found
