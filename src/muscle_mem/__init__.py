"""muscle_mem: a behavior cache for AI agents.

It records the tool calls of an agent once, and replays them safely.
"""

from __future__ import annotations

TYPE_CHECKING = False  # Type checkers recognize the name; importing typing would be slow.
if TYPE_CHECKING:
    from typing import Any

    from . import checks
    from ._core.codec import register
    from ._core.model.declared_flow import DeclaredEach, DeclaredFlow, each, ref
    from ._core.model.handover import Handover
    from ._core.model.outcome import Divergence, Outcome
    from ._core.model.param import Param
    from ._core.model.reason import Reason
    from ._core.model.secret import Secret
    from ._core.replay.explain import Explanation
    from ._core.tools.check import Check
    from ._engine.engine import Engine
    from ._runtime.context import CurrentRun, current_run
    from ._runtime.reporter import CacheInfo
    from ._session.session import AsyncSession, Session
    from ._session.turns import Answered, AskAgent, Call, Finished
    from .errors import (
        DamagedStoreError,
        DecodeError,
        Diverged,
        ForeignStoreError,
        InvalidTypeError,
        InvalidValueError,
        Missed,
        MissingExtraError,
        MuscleMemError,
        NewerStoreError,
        NotFoundError,
        NotReadyError,
        NotStorableError,
        StoreError,
        TooLargeError,
        UnknownTypeError,
    )
    from .store.pruning import Pruned

__version__ = "0.4.0"

__all__ = [
    "Answered",
    "AskAgent",
    "AsyncSession",
    "CacheInfo",
    "Call",
    "Check",
    "CurrentRun",
    "DamagedStoreError",
    "DeclaredEach",
    "DeclaredFlow",
    "DecodeError",
    "Diverged",
    "Divergence",
    "Engine",
    "Explanation",
    "Finished",
    "ForeignStoreError",
    "Handover",
    "InvalidTypeError",
    "InvalidValueError",
    "Missed",
    "MissingExtraError",
    "MuscleMemError",
    "NewerStoreError",
    "NotFoundError",
    "NotReadyError",
    "NotStorableError",
    "Outcome",
    "Param",
    "Pruned",
    "Reason",
    "Secret",
    "Session",
    "StoreError",
    "TooLargeError",
    "UnknownTypeError",
    "checks",
    "current_run",
    "each",
    "ref",
    "register",
]

# Names are imported on first use, so that importing the package is fast.
_ROOMS = {
    "_runtime.context": "CurrentRun current_run",
    "_core.tools.check": "Check",
    "_core.codec": "register",
    "_core.replay.explain": "Explanation",
    "_core.model.declared_flow": "DeclaredEach DeclaredFlow each ref",
    "_core.model.handover": "Handover",
    "_core.model.outcome": "Divergence Outcome",
    "_core.model.param": "Param",
    "_core.model.reason": "Reason",
    "_core.model.secret": "Secret",
    "_engine.engine": "Engine",
    "_session.session": "AsyncSession Session",
    "_runtime.reporter": "CacheInfo",
    "_session.turns": "Answered AskAgent Call Finished",
    "store.pruning": "Pruned",
}
_ROOM_OF = {name: room for room, names in _ROOMS.items() for name in names.split()}
_PACKAGES = frozenset({"checks", "errors", "events", "store", "testing"})


def __getattr__(name: str) -> Any:
    from importlib import import_module

    if name in _PACKAGES:
        return import_module("." + name, __name__)
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module("." + _ROOM_OF.get(name, "errors"), __name__), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__, *_PACKAGES})
