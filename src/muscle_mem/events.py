"""The events that observers get, one class per kind."""

from __future__ import annotations

from ._events import (
    Event,
    LearnedEvent,
    NoticeEvent,
    NotLearnedEvent,
    Observer,
    PruneEvent,
    RunBeganEvent,
    RunEvent,
    StepBeganEvent,
    StepEndedEvent,
    StoreEvent,
    WaitEvent,
)

__all__ = [
    "Event",
    "LearnedEvent",
    "NotLearnedEvent",
    "NoticeEvent",
    "Observer",
    "PruneEvent",
    "RunBeganEvent",
    "RunEvent",
    "StepBeganEvent",
    "StepEndedEvent",
    "StoreEvent",
    "WaitEvent",
]
