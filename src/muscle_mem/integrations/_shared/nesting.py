"""Which engines are answering a model request in this context: an adapter inside of another one passes it through."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

_answering: ContextVar[tuple[int, ...]] = ContextVar("muscle_mem_answering", default=())


@contextmanager
def answering(engine: Any) -> Iterator[None]:
    """Let the model answer a request that an adapter of this engine has already seen."""
    token = _answering.set((*_answering.get(), id(engine)))
    try:
        yield
    finally:
        try:
            _answering.reset(token)
        except ValueError:  # A stream may be closed in another context than it was opened in.
            pass


def is_answering(engine: Any) -> bool:
    """Return whether an adapter of this engine has already seen the request of this context."""
    return id(engine) in _answering.get()
