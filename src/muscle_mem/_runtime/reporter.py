"""Events for observers, notices that appear once, and the counts of `cache_info`."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple, cast

from .._core.model.outcome import Outcome
from .._core.model.reason import Reason
from .._core.model.text import long_repr
from .._core.run.run import Run
from .._events import Event, NoticeEvent, NotLearnedEvent, Observer, RunBeganEvent, RunEvent, log_event, logs_debug
from .._forks import ForkSafeLock, register_for_forks
from ..errors import InvalidTypeError
from .task_keys import digests_of

if TYPE_CHECKING:
    from .quarantine_notices import QuarantineNotices

SUGGEST_KEY_AFTER = 5
BY_STATUS = {"hit": "hits", "miss": "misses", "diverged": "diverged"}
NEVER_HITS = frozenset(
    {
        Reason.OPAQUE_ARGUMENT,
        Reason.CAPTURE_FAILED,
        Reason.CHECK_FAILED,
        Reason.INCOMPLETE_THREADS,
        Reason.OVERLAPPING,
        Reason.NESTED_RUN,
        Reason.FORKED,
        Reason.FOREIGN_TOOL,
        Reason.CHANGED_ARGUMENT,
        Reason.FLOW_MISMATCH,
        Reason.OTHER_INSTANCE,
        Reason.STILL_RUNNING,
        Reason.TOO_LARGE,
        Reason.FAILED_WRITE,
        Reason.UNTRUSTED_VALUE,
        Reason.NOT_ABSORBED,
    }
)


class CacheInfo(NamedTuple):
    """Counts since the engine was created or cleared, and its current state.

    Attributes:
        hits: Runs that were replayed.
        misses: Runs of which nothing was replayed.
        diverged: Runs whose replay stopped in the middle.
        learned: Runs that were stored as recordings.
        not_learned: Runs that were not stored.
        store_errors: Operations of the store that failed.
        waited: Runs that waited for the recording of another run.
        pruned: Trajectories that were deleted because the store exceeded its limits.
        loaded: Trajectories in memory at the moment.
        loaded_bytes: The approximate number of bytes that they use.
        store_answers: Whether the last operation of each kind succeeded.
        store_trouble: The last error of the store; empty if there was none.
    """

    hits: int
    misses: int
    diverged: int
    learned: int
    not_learned: int
    store_errors: int
    waited: int
    pruned: int
    loaded: int
    loaded_bytes: int
    store_answers: bool
    store_trouble: str


CacheInfo.__module__ = "muscle_mem"


COUNTER_NAMES = CacheInfo._fields[: CacheInfo._fields.index("loaded")]


class Reporter(ForkSafeLock):
    """The dispatcher of events to observers; their exceptions are logged and ignored."""

    def __init__(self, observers: Iterable[Observer] | Observer | None) -> None:
        self._observers = _validated_observers(observers)
        self._only_logs = self._observers == (log_event,)
        self.step_observers = tuple(o for o in self._observers if _may_want_steps(o))
        self._reported: set[tuple[str, str]] = set()
        self._lock = threading.Lock()
        register_for_forks(self)
        self._quarantines: QuarantineNotices | None = None
        self._new_keys: dict[bytes, Mapping[str, bytes]] = {}
        self.counts = dict.fromkeys(COUNTER_NAMES, 0)

    def emit(self, event: Event) -> None:
        """Send an event to every observer."""
        self._send(self._observers, event)

    def _send(self, observers: Iterable[Observer], event: Event) -> None:
        for observer in observers:
            try:
                observer(event)
            except Exception:  # An observer must not affect the agent.
                log_event(NoticeEvent("observer", f"observer {long_repr(observer)} raised on {type(event).__name__}"))

    def run_began(self, run: Run) -> None:
        """Report the start of a run to observers that want events of its steps."""
        if not any(map(_wants_steps, self.step_observers)):
            return
        run.is_watched = True
        self.emit_step(RunBeganEvent(run.id, run.task, run.redactor.redact(run.scope), run.mode))

    def emit_step(self, event: Event) -> None:
        """Send an event to observers whose `wants_steps` is true at the moment."""
        self._send(filter(_wants_steps, self.step_observers), event)

    def notice(self, level: str, code: str, message: str, tool: str = "") -> None:
        """Emit a notice once per tool and code."""
        if (tool, code) not in self._reported:
            self._reported.add((tool, code))
            self.emit(NoticeEvent(code, message, tool, cast(Any, level)))

    def notice_each_time(self, level: str, code: str, message: str, tool: str = "") -> None:
        """Emit a notice each time, since it concerns one call."""
        self.emit(NoticeEvent(code, message, tool, cast(Any, level)))

    def not_learned(self, run: Run, reason: Reason, message: str) -> None:
        """Report why a run was not learned.

        It is a warning, once per tool and reason, if such a run can never be learned.
        """
        self.count("not_learned")
        recorder = run.recorder
        problem = next((p for p in (*recorder.problems, *recorder.quarantine) if p.reason is reason), None)
        tool = problem.tool if problem is not None else ""
        never = reason in NEVER_HITS and (tool, reason.value) not in self._reported
        if never:
            self._reported.add((tool, reason.value))
        self.emit(NotLearnedEvent(run.task, reason.value, run.redact(message), tool, "warning" if never else "debug"))

    def run_raised(self, run: Run, error: BaseException, seconds: float) -> None:
        """Report that a run ended with an exception."""
        if not self._only_logs or logs_debug():
            message = run.redact(long_repr(error))
            self.emit(
                RunEvent(
                    "raised",
                    "raised",
                    message,
                    run.task,
                    0,
                    None,
                    seconds,
                    run_id=run.id,
                    scope=run.redactor.redact(run.scope),
                    error_type=type(error).__qualname__,
                )
            )

    def run_ended(self, run: Run, outcome: Outcome, counted: bool = True) -> None:
        """Count and report how a run ended."""
        status = outcome.status
        if counted:
            with self._lock:
                self.counts[BY_STATUS[status]] += 1
        if status != "hit":
            if outcome.learned:
                self.count("learned")
            if outcome.not_learned is not None and counted:
                self.not_learned(run, outcome.not_learned, outcome.not_learned_message)
            self._suggest_key(run, outcome)
            if outcome.reason is Reason.QUARANTINED:
                self._tell_quarantine(run, outcome)
        elif self._new_keys:
            self._new_keys.clear()
        if not self._only_logs or logs_debug():
            self._emit_run_event(run, outcome)

    def _tell_quarantine(self, run: Run, outcome: Outcome) -> None:
        """Report once a minute how often the agent ran because of quarantines."""
        with self._lock:
            if self._quarantines is None:
                from .quarantine_notices import QuarantineNotices

                self._quarantines = QuarantineNotices()
            message = self._quarantines.note(run, outcome)
        if message is not None:
            self.notice_each_time("warning", "quarantined_task", message)

    def _emit_run_event(self, run: Run, outcome: Outcome) -> None:
        divergence = outcome.divergence
        self.emit(
            RunEvent(
                outcome.status,
                outcome.reason.value,
                outcome.message,
                run.task,
                outcome.steps,
                outcome.trajectory_id,
                outcome.seconds,
                run_id=run.id,
                scope=run.redactor.redact(run.scope),
                saved_seconds=outcome.saved,
                saved_tokens=outcome.saved_tokens,
                failed_step=divergence.step if divergence is not None else -1,
                failed_tool=divergence.tool if divergence is not None else "",
            )
        )

    def count(self, what: str, more: int = 1) -> None:
        """Add to a count."""
        with self._lock:
            self.counts[what] += more

    def clear(self) -> None:
        """Reset the counts."""
        with self._lock:
            self.counts = dict.fromkeys(self.counts, 0)

    def _suggest_key(self, run: Run, outcome: Outcome) -> None:
        """Suggest `key=` after five consecutive misses with five new keys (A2)."""
        if outcome.reason is not Reason.NEW_TASK:
            self._new_keys.clear()
        elif run.key is not None and len(self._new_keys) < SUGGEST_KEY_AFTER and run.key not in self._new_keys:
            self._new_keys[run.key] = digests_of(run)
            if len(self._new_keys) == SUGGEST_KEY_AFTER:
                self.notice("info", "suggest_key", _key_suggestion(list(self._new_keys.values())))


def _key_suggestion(tasks: list[Mapping[str, bytes]]) -> str:
    """Return the message about tasks that were new each time.

    It names the parts that differed, if they are known.
    """
    names = dict.fromkeys(name for parts in tasks for name in parts)
    differing = [name for name in names if len({parts.get(name) for parts in tasks}) > 1]
    if not differing:
        return (
            f"{SUGGEST_KEY_AFTER} consecutive tasks were new. If their arguments contain a value that never repeats, "
            "such as a timestamp, pass key= to the call or to Engine()."
        )
    return (
        f"{SUGGEST_KEY_AFTER} consecutive tasks were new, and differed in: {', '.join(differing)}. If these contain a "
        "value that never repeats, such as a date, pass it in params=, or pass key= to engine.task()."
    )


def _may_want_steps(observer: Observer) -> bool:
    """Return whether an observer has the attribute.

    It may be a property that changes.
    """
    return hasattr(type(observer), "wants_steps") or _wants_steps(observer)


def _wants_steps(observer: Observer) -> bool:
    """Return whether an observer wants events of steps.

    Never raises, since it may be a user's property.
    """
    try:
        return bool(getattr(observer, "wants_steps", False))
    except Exception:  # An observer must not affect the agent.
        return False


def _validated_observers(observers: Iterable[Observer] | Observer | None) -> tuple[Observer, ...]:
    if observers is None:
        return (log_event,)
    found = (observers,) if callable(observers) or not isinstance(observers, Iterable) else tuple(observers)
    for observer in found:
        if not callable(observer):
            raise InvalidTypeError(f"Engine(observers=...) failed: expected callables, got {observer!r}")
    return found
