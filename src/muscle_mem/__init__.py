"""muscle_mem: a behavior cache for AI agents. Record an agent's tool calls once, replay them safely."""

from . import checks
from ._context import CurrentRun, current_run
from ._core.check import Check
from ._core.codec import register
from ._core.explain import Explanation
from ._core.handover import Handover
from ._core.model import Divergence, Reason
from ._core.outcome import Outcome
from ._core.secret import Secret
from ._engine import Engine
from ._session import AsyncSession, Session
from ._telling import CacheInfo
from ._turns import Answered, AskAgent, Call, Finished
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

__version__ = "0.2.0"

__all__ = [
    "Answered",
    "AskAgent",
    "AsyncSession",
    "CacheInfo",
    "Call",
    "Check",
    "CurrentRun",
    "DamagedStoreError",
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
    "Pruned",
    "Reason",
    "Secret",
    "Session",
    "StoreError",
    "TooLargeError",
    "UnknownTypeError",
    "checks",
    "current_run",
    "register",
]
