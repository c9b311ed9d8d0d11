"""The surroundings of a model request.

They are an adapter that has already seen it, or a call of another run.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

_answering: ContextVar[tuple[int, ...]] = ContextVar("muscle_mem_answering", default=())
_making: ContextVar[tuple[Any, ...]] = ContextVar("muscle_mem_making", default=())


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


def is_another_answering(engine: Any) -> bool:
    """Return whether an adapter of another engine has seen the present request."""
    return any(known != id(engine) for known in _answering.get())


def is_answering(engine: Any) -> bool:
    """Return whether an adapter of this engine has seen the present request."""
    return id(engine) in _answering.get()


@contextmanager
def making_call(run: Any) -> Iterator[None]:
    """Let the framework make a call of a run.

    An agent that runs inside of it is a separate run. It is not answered by an adapter outside of the call, which has
    seen another request.
    """
    tokens = _making.set((*_making.get(), run)), _answering.set(())
    try:
        yield
    finally:
        for variable, token in zip((_making, _answering), tokens, strict=True):
            try:
                variable.reset(token)
            except ValueError:  # The framework may leave the call in another context.
                pass


def is_inside_call(task: Any) -> bool:
    """Return whether a call of a run of this block is being made in this context."""
    return any(run.task is task for run in _making.get())
