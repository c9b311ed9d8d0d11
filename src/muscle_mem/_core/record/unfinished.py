"""Outputs whose work is not done when the call returns."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from types import AsyncGeneratorType, CoroutineType, GeneratorType
from typing import Any

from ..model.reason import Reason
from ..run.recorder import RecordedStep
from ..run.run import Run

_ITERATORS = frozenset({GeneratorType, AsyncGeneratorType, CoroutineType, map, filter, zip, enumerate})
_MANAGERS = (contextlib._GeneratorContextManager, contextlib._AsyncGeneratorContextManager)
_FUTURES = frozenset({"concurrent.futures._base.Future", "multiprocessing.pool.ApplyResult"})
_FUTURES |= {"multiprocessing.pool.IMapIterator"}
_CONTAINERS = (list, tuple, dict, set)
_MAX_DEPTH = 3
_MAX_PARTS = 1_000

_LOCK_MODULES = frozenset({"_thread", "threading", "asyncio.locks", "multiprocessing.synchronize"})
_HANDLE_MODULES = frozenset({"PIL", "io", "_io", "mmap", "posix", "nt", "tempfile", "zipfile", "tarfile", "socket"})
_HANDLE_MODULES |= {"unittest", "builtins"}
_HANDLE_NAMES = ("connection", "client", "cursor", "socket")


def note_unfinished(run: Run, step: RecordedStep, result: Any) -> None:
    """Note a problem or a warning if work is left in an output that has no encoding."""
    try:
        _note_unfinished(run, step, result)
    except Exception:  # A class of the user's may raise on any access, which must not end the call.
        pass


def _note_unfinished(run: Run, step: RecordedStep, result: Any) -> None:
    tool = step.tool.name
    for part in _parts(result):
        kind = type(part)
        remedy = _remedy(kind)
        if remedy:
            message = f"{tool!r} returned unfinished work: expected a value, got {kind.__name__}. {remedy}"
            run.recorder.add_problem(Reason.STILL_RUNNING, message, tool, step)
            return
        if _is_open_block(kind) and not any(part is known for known in (*run.context, *run.params.values.values())):
            message = (
                f"{tool!r} returned a {kind.__name__}, which is used in a `with` block. A replay does not "
                "repeat what the agent does with it. Make its end a tool."
            )
            if run.policy.strict:
                run.recorder.add_problem(Reason.STILL_RUNNING, message, tool, step)
                return
            run.notify("warning", "open_block", message, tool)


def _parts(value: Any) -> Iterator[Any]:
    """Yield a value, or the parts of builtin containers, up to a depth and number."""
    waiting = [(value, 0)]
    for _ in range(_MAX_PARTS):
        if not waiting:
            return
        part, depth = waiting.pop()
        if type(part) in _CONTAINERS and depth < _MAX_DEPTH:
            items = part.values() if type(part) is dict else part
            waiting += [(item, depth + 1) for item in [*items][:_MAX_PARTS]]
        else:
            yield part


def _remedy(kind: type) -> str:
    """Return what to do about an output of a type, or "" if its work is done."""
    if issubclass(kind, _MANAGERS):
        return "Do the work in the tool, or make the begin and the end of the block two tools."
    if not {f"{owner.__module__}.{owner.__qualname__}" for owner in kind.__mro__}.isdisjoint(_FUTURES):
        return "Return the result of the future."
    if kind in _ITERATORS or kind.__module__ == "itertools" or hasattr(kind, "__await__"):
        return "Return a list, or make the tool an async function."
    return ""


def _is_open_block(kind: type) -> bool:
    """Return whether a type's `with` block does work at its end.

    Files, pictures, locks and connections are exempt, since the end of their block only releases them.
    """
    if not (hasattr(kind, "__enter__") or hasattr(kind, "__aenter__")):
        return False
    modules = {owner.__module__ for owner in kind.__mro__ if owner is not object}
    if modules & _LOCK_MODULES or {module.partition(".")[0] for module in modules} & _HANDLE_MODULES:
        return False
    if hasattr(kind, "read") and hasattr(kind, "close"):
        return False
    return not kind.__name__.lower().endswith(_HANDLE_NAMES)
