"""Trajectories as documents and as Python functions."""

from __future__ import annotations

import re

import msgspec

from .._core.export.python_source import python_source
from .._core.export.source_options import PythonSource, SourceOptions
from ..errors import InvalidValueError
from ..store import Store, Stored
from ..store.document import to_document
from ..store.jsontext import to_text
from .flows import optional_of
from .loading import holds_flows, load_body, load_rows


def json_text(stored: Stored) -> str:
    """Return a trajectory as the text of a JSON document."""
    return to_text(to_document(stored))


def python_text(stored: Stored, options: SourceOptions, store: Store | None = None) -> PythonSource:
    """Return a trajectory as a Python function. Raises InvalidValueError.

    With the store, steps that other recordings prove optional are written as such.
    """
    if holds_flows(stored):
        raise InvalidValueError("flows of recordings have no steps. Export a recording of the task")
    loaded = load_body(stored)
    if loaded.body is None:
        raise InvalidValueError(loaded.error)
    rows = [seen.row for seen in load_rows(loaded) if seen.row is not None and not seen.error]
    if store is not None:
        lacked = [one for one in optional_of(store, stored) if not one.missing]
        options = msgspec.structs.replace(options, optional={one.step: (one.has, one.lacks) for one in lacked})
    return python_source(
        loaded.body, rows[0] if rows else None, task=stored.sealed.task, id=stored.sealed.id, options=options
    )


def file_name(stored: Stored, ending: str) -> str:
    """Return the file name of a trajectory: its task, then the beginning of its id.

    The name is the same for every export, so that a version control system shows what changed.
    """
    mark = "_" if ending == ".py" else "-"
    words = re.sub(r"[^a-z0-9]+", mark, stored.sealed.task.casefold())[:40].strip("-_")
    return f"{words or 'trajectory'}{mark}{re.sub(r'[^0-9a-zA-Z]', '', stored.sealed.id)[:12]}{ending}"
