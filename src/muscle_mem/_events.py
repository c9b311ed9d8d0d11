"""Events: frozen records that observers get. The default observer is the standard logging module."""

import functools
import logging
from collections.abc import Callable
from typing import Any, Literal

import msgspec

from ._core.model.outcome import redacted_repr

logger = logging.getLogger("muscle_mem")
Level = Literal["debug", "info", "warning", "error"]
LEVELS = {"debug": logging.DEBUG, "info": logging.INFO, "warning": logging.WARNING, "error": logging.ERROR}


class RunEvent(msgspec.Struct, frozen=True):
    """A run has ended: `status` is hit, miss, diverged or raised. `seconds` is how long it took.

    `saved_seconds` and `saved_tokens` are what a hit spared the agent. Of a replay that stopped, `failed_step` (from 0)
    and `failed_tool` say where; -1 and "" otherwise. `error_type` names the exception that ended a raised run.
    """

    __module__ = "muscle_mem.events"

    status: str
    reason: str
    message: str
    task: str
    steps: int
    trajectory_id: str | None
    seconds: float
    level: Level = "debug"
    run_id: str = ""
    scope: str = ""
    saved_seconds: float = 0.0
    saved_tokens: int = 0
    failed_step: int = -1
    failed_tool: str = ""
    error_type: str = ""


class RunBeganEvent(msgspec.Struct, frozen=True):
    """A run has begun; the RunEvent of the same `run_id` ends it. Only for observers that want steps."""

    __module__ = "muscle_mem.events"

    run_id: str
    task: str
    scope: str
    mode: str
    level: Level = "debug"


class StepBeganEvent(msgspec.Struct, frozen=True):
    """A replayed tool call begins, in the same thread and context. Only for observers that want steps.

    `step` counts from 0. `arguments` are live values by name, and may hold secrets; `hide` takes those out of texts.
    """

    __module__ = "muscle_mem.events"

    run_id: str
    step: int
    tool: str
    arguments: dict[str, Any]
    hide: Callable[[str], str] = str
    level: Level = "debug"

    def __repr__(self) -> str:
        return redacted_repr(self, self.hide)


class StepEndedEvent(msgspec.Struct, frozen=True):
    """A replayed tool call has ended with a live `result`, or with an `error`. Only for observers that want steps."""

    __module__ = "muscle_mem.events"

    run_id: str
    step: int
    tool: str
    seconds: float
    result: Any = None
    error: BaseException | None = None
    hide: Callable[[str], str] = str
    level: Level = "debug"

    def __repr__(self) -> str:
        return redacted_repr(self, self.hide)


class LearnedEvent(msgspec.Struct, frozen=True):
    """A run was recorded and sealed."""

    __module__ = "muscle_mem.events"

    task: str
    trajectory_id: str
    steps: int
    state: str
    level: Level = "info"


class NotLearnedEvent(msgspec.Struct, frozen=True):
    """A run was not recorded, and why."""

    __module__ = "muscle_mem.events"

    task: str
    reason: str
    message: str
    tool: str = ""
    level: Level = "info"


class NoticeEvent(msgspec.Struct, frozen=True):
    """A notice for people, emitted once per tool and code."""

    __module__ = "muscle_mem.events"

    code: str
    message: str
    tool: str = ""
    level: Level = "warning"


class StoreEvent(msgspec.Struct, frozen=True):
    """The store failed, or answers again (level info), or holds something damaged. The task went on without it.

    Of an operation that goes on failing the first, the tenth, the hundredth failure is reported, and so on.
    """

    __module__ = "muscle_mem.events"

    operation: str
    message: str
    error: BaseException | None = None
    level: Level = "error"


class WaitEvent(msgspec.Struct, frozen=True):
    """A run has waited for another that was learning the same task (`Engine(miss_wait=...)`), so many seconds.

    `found` says whether there was something new to replay afterwards.
    """

    __module__ = "muscle_mem.events"

    task: str
    seconds: float
    found: bool
    level: Level = "debug"


class PruneEvent(msgspec.Struct, frozen=True):
    """The store had grown past the engine's limits, and so many trajectories were dropped."""

    __module__ = "muscle_mem.events"

    dropped: int
    level: Level = "info"


Event = (
    RunEvent
    | RunBeganEvent
    | StepBeganEvent
    | StepEndedEvent
    | LearnedEvent
    | NotLearnedEvent
    | NoticeEvent
    | StoreEvent
    | WaitEvent
    | PruneEvent
)
Observer = Callable[[Event], Any]


def event_text(event: Event) -> str:
    """An event as one line."""
    match event:
        case RunEvent():
            return f"{event.status} ({event.reason}): {event.message} [{event.task}]"
        case RunBeganEvent():
            return f"began [{event.task}]"
        case StepBeganEvent():
            return f"step {event.step} ({event.tool}) began"
        case StepEndedEvent():
            told = "ended" if event.error is None else f"raised {type(event.error).__name__}"
            return f"step {event.step} ({event.tool}) {told} after {event.seconds:.6f} s"
        case LearnedEvent():
            return f"learned {event.steps} steps as {event.trajectory_id}, {event.state} [{event.task}]"
        case NotLearnedEvent():
            return f"not learned ({event.reason}): {event.message} [{event.task}]"
        case NoticeEvent():
            return f"{event.code}: {event.message}"
        case StoreEvent():
            return f"store: {event.operation}: {event.message}"
        case WaitEvent():
            what = "something" if event.found else "nothing"
            return f"waited {event.seconds:.2f} seconds for another run, and found {what} [{event.task}]"
        case PruneEvent():
            return f"pruned: {event.dropped} trajectories were dropped from the store"


def log_event(event: Event) -> None:
    """The default observer: one line to the logger `muscle_mem`, at the event's own level."""
    level = LEVELS[event.level]
    if logger.isEnabledFor(level):
        logger.log(level, "%s", event_text(event))


logs_debug: Callable[[], bool] = functools.partial(logger.isEnabledFor, logging.DEBUG)
"""Whether the default observer would say anything of a debug event."""
