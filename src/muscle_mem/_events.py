"""Events: immutable records for observers; by default, they are logged."""

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
    """A run ended.

    Attributes:
        status: "hit", "miss", "diverged" or "raised".
        reason: The reason as a code.
        message: The reason as a sentence.
        task: The task as a short text.
        steps: How many steps were replayed.
        trajectory_id: The trajectory that was replayed or learned; None if neither.
        seconds: The duration of the run.
        level: The log level of the event.
        run_id: The id of the run.
        scope: The engine's scope.
        saved_seconds: On a hit, the seconds that the agent spent outside of tool calls in the recorded run; else 0.0.
        saved_tokens: On a hit, the tokens that the recorded run reported; else 0.
        failed_step: The index of the step at which a replay stopped, from 0; -1 if it did not stop.
        failed_tool: The tool of that step, or "".
        error_type: The name of the exception that ended a run with the status "raised", or "".
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
    """A run began.

    Only observers with `wants_steps = True` get this event. The RunEvent with the same `run_id` ends the run.

    Attributes:
        run_id: The id of the run.
        task: The task as a short text.
        scope: The engine's scope.
        mode: The mode of the run.
        level: The log level of the event.
    """

    __module__ = "muscle_mem.events"

    run_id: str
    task: str
    scope: str
    mode: str
    level: Level = "debug"


class StepBeganEvent(msgspec.Struct, frozen=True):
    """A replayed tool call began.

    Only observers with `wants_steps = True` get this event, in the thread and context of the call.

    Attributes:
        run_id: The id of the run.
        step: The index of the step, from 0.
        tool: The name of the tool.
        arguments: Copies of the arguments by name. They may contain secrets.
        hide: A function that removes the run's secrets from a text.
        level: The log level of the event.
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
    """A replayed tool call ended.

    Only observers with `wants_steps = True` get this event, in the thread and context of the call.

    Attributes:
        run_id: The id of the run.
        step: The index of the step, from 0.
        tool: The name of the tool.
        seconds: The duration of the call.
        result: A copy of the result. It may contain secrets.
        error: The exception that the call raised, or None.
        hide: A function that removes the run's secrets from a text.
        level: The log level of the event.
    """

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
    """A run was recorded for replay.

    Attributes:
        task: The task as a short text.
        trajectory_id: The trajectory that was recorded.
        steps: How many steps it has.
        state: The state of the trajectory.
        level: The log level of the event.
    """

    __module__ = "muscle_mem.events"

    task: str
    trajectory_id: str
    steps: int
    state: str
    level: Level = "info"


class NotLearnedEvent(msgspec.Struct, frozen=True):
    """A run was not recorded for replay.

    Attributes:
        task: The task as a short text.
        reason: The reason as a code.
        message: The reason as a sentence.
        tool: The tool that caused it, or "".
        level: The log level of the event.
    """

    __module__ = "muscle_mem.events"

    task: str
    reason: str
    message: str
    tool: str = ""
    level: Level = "info"


class NoticeEvent(msgspec.Struct, frozen=True):
    """A notice for the developer, emitted once per tool and code.

    The notice `differing_call` is emitted each time: a restarted agent is about to call a tool that the replay has
    executed with other arguments.

    Attributes:
        code: The kind of notice.
        message: The notice as a sentence.
        tool: The tool that it concerns, or "".
        level: The log level of the event.
    """

    __module__ = "muscle_mem.events"

    code: str
    message: str
    tool: str = ""
    level: Level = "warning"


class StoreEvent(msgspec.Struct, frozen=True):
    """A store operation failed or recovered, or stored data is damaged.

    The task continued without the store. If an operation fails repeatedly, the first, tenth, hundredth failure is
    reported, and so on.

    Attributes:
        operation: The name of the operation.
        message: The cause as a sentence.
        error: The exception that the store raised, or None.
        level: The log level of the event; "info" if the operation recovered.
    """

    __module__ = "muscle_mem.events"

    operation: str
    message: str
    error: BaseException | None = None
    level: Level = "error"


class WaitEvent(msgspec.Struct, frozen=True):
    """A run waited for another run that was learning the same task.

    See `Engine(miss_wait=...)`.

    Attributes:
        task: The task as a short text.
        seconds: How long the run waited.
        found: Whether there was a new recording to replay afterwards.
        level: The log level of the event.
    """

    __module__ = "muscle_mem.events"

    task: str
    seconds: float
    found: bool
    level: Level = "debug"


class PruneEvent(msgspec.Struct, frozen=True):
    """The store exceeded the engine's limits, and trajectories were deleted.

    Attributes:
        dropped: How many trajectories were deleted.
        level: The log level of the event.
    """

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
    """Return an event as one line."""
    match event:
        case RunEvent():
            return f"{event.status} ({event.reason}): {event.message} [{event.task}]"
        case RunBeganEvent():
            return f"began [{event.task}]"
        case StepBeganEvent():
            return f"step {event.step} ({event.tool}) began"
        case StepEndedEvent():
            verb = "ended" if event.error is None else f"raised {type(event.error).__name__}"
            return f"step {event.step} ({event.tool}) {verb} after {event.seconds:.6f} s"
        case LearnedEvent():
            return f"learned {event.steps} steps as {event.trajectory_id}, {event.state} [{event.task}]"
        case NotLearnedEvent():
            return f"not learned ({event.reason}): {event.message} [{event.task}]"
        case NoticeEvent():
            return f"{event.code}: {event.message}"
        case StoreEvent():
            return f"store: {event.operation}: {event.message}"
        case WaitEvent():
            what = "a new recording" if event.found else "no new recording"
            return f"waited {event.seconds:.2f} seconds for another run, and found {what} [{event.task}]"
        case PruneEvent():
            return f"pruned: {event.dropped} trajectories were deleted from the store"


def log_event(event: Event) -> None:
    """Log an event as one line to the logger `muscle_mem`, at the event's level.

    This is the default observer.
    """
    level = LEVELS[event.level]
    if logger.isEnabledFor(level):
        logger.log(level, "%s", event_text(event))


logs_debug: Callable[[], bool] = functools.partial(logger.isEnabledFor, logging.DEBUG)
"""Return whether the default observer logs debug events."""
