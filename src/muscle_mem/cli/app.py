"""The program that a store belongs to: its Engine, by the name that a person gave."""

from __future__ import annotations

import os
import pkgutil
import sys

import click

from .._engine.engine import Engine


def engine_of(name: str) -> Engine:
    """Import `module:engine`, also from the folder of now, and give the Engine. Raises click's UsageError.

    The name comes from the person at the command line, never from a store.
    """
    module, colon, attribute = name.partition(":")
    if not (module and colon and attribute):
        raise click.UsageError(f"--app {name!r} is not of the form module:engine, as in shop.agent:engine.")
    if os.getcwd() not in sys.path:
        sys.path.insert(0, os.getcwd())
    try:
        found = pkgutil.resolve_name(name)
    except Exception as error:  # whatever a module of the user's raises while it is imported
        raise click.UsageError(f"--app {name}: importing it raised {type(error).__name__}: {error}") from error
    if not isinstance(found, Engine):
        raise click.UsageError(f"--app {name} is of the class {type(found).__name__}, and no Engine.")
    return found
