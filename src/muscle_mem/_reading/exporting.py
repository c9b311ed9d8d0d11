"""Trajectories as documents and as Python functions."""

from __future__ import annotations

import re

from .._core.export.python_source import python_source
from .._core.export.source_options import PythonSource, SourceOptions
from ..errors import InvalidValueError
from ..store import Stored
from ..store.document import to_document
from ..store.jsontext import to_text
from .loading import holds_flows, load_body, load_rows


def json_text(stored: Stored) -> str:
    """Return a trajectory as the text of a JSON document."""
    return to_text(to_document(stored))


def python_text(stored: Stored, options: SourceOptions) -> PythonSource:
    """Return a trajectory as a Python function. Raises InvalidValueError."""
    if holds_flows(stored):
        raise InvalidValueError("flows of recordings have no steps. Export a recording of the task")
    loaded = load_body(stored)
    if loaded.body is None:
        raise InvalidValueError(loaded.error)
    rows = [seen.row for seen in load_rows(loaded) if seen.row is not None and not seen.error]
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
