"""What observers get: the kinds of event, to tell them apart by their class."""

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
