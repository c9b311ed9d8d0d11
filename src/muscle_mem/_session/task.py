"""Blocks that say what the runs in them are about: `engine.task(...)`."""

from __future__ import annotations

from contextvars import ContextVar, Token
from typing import Any, Protocol, Self

from .._core.model.outcome import Outcome
from .._core.model.text import safe_repr
from .._runtime.context import carried
from .._runtime.options import CallOptions
from .._runtime.runtime import Runtime
from .._runtime.validation import task_label
from ..errors import InvalidTypeError, InvalidValueError, NotReadyError

SUSPEND_SECONDS = 3_600.0
NO_RUN = (
    "a task block ended, and no adapter has seen a model turn or a tool call in it, so nothing was recorded or "
    "replayed. Likely causes: the agent has a model object, which bypasses the provider; the client is not wrapped; "
    "the middleware or capability is missing; a thread that was started in the block makes the calls without "
    "engine.bind(). The task: "
)


class BlockRun(Protocol):
    """A run that an adapter opened in a block."""

    def waits_for_results(self) -> bool:
        """Return whether handed out calls have no result yet and may still get one."""
        ...

    def suspend(self) -> None:
        """Let the run wait for its results after the block."""
        ...

    def end_with_block(self, error: BaseException | None) -> None:
        """Close the run, since its block ends."""
        ...


class Task:
    """A task whose model turns and tool calls an adapter sees.

    Create it with `engine.task(...)`, and use it as a `with` or `async with` block around the call of your agent.

    Attributes:
        outcomes: The outcomes of the runs in the block, in the order in which they ended.
    """

    def __init__(
        self,
        runtime: Runtime,
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
        options: CallOptions,
        *,
        suspend_for: float = SUSPEND_SECONDS,
    ) -> None:
        self.outcomes: list[Outcome] = []
        self.args = args
        self.kwargs = kwargs
        self.options = options
        self.suspend_for = _validated_seconds(suspend_for)
        self.runtime = runtime
        self.is_open = False
        self._runs: list[BlockRun] = []
        self._was_seen = False
        self._token: Token[tuple[Task, ...]] | None = None
        runtime.validate_options(options)  # Else they would be refused inside of the framework.

    @property
    def outcome(self) -> Outcome | None:
        """The outcome of the run that ended last; None while a run is suspended."""
        return None if self.suspended or not self.outcomes else self.outcomes[-1]

    @property
    def suspended(self) -> bool:
        """Whether a run waits for results of its calls after the block has ended."""
        return not self.is_open and any(run.waits_for_results() for run in list(self._runs))

    def __enter__(self) -> Self:
        if self._token is not None:
            raise NotReadyError("a task was entered again. Make a new one for each block: engine.task(...).")
        self._token = _current_tasks.set((*_current_tasks.get(), self))
        self.is_open = True
        return self

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        assert self._token is not None
        waiting = [run for run in self._runs if error is None and run.waits_for_results()]
        self.is_open = False
        try:
            _current_tasks.reset(self._token)
        except ValueError:  # A fixture or a framework may leave the block in another context.
            _current_tasks.set(tuple(task for task in _current_tasks.get() if task is not self))
        for run in list(self._runs):
            if run in waiting:
                run.suspend()
            else:
                run.end_with_block(error)
        if error is None and not self._was_seen and self.runtime.effective_mode(self.options.mode) != "off":
            label = safe_repr(task_label(self.args, self.kwargs, self.options.key), 80)
            self.runtime.reporter.notice_each_time("warning", "no_run", NO_RUN + label)

    async def __aenter__(self) -> Self:
        return self.__enter__()

    async def __aexit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        self.__exit__(kind, error, trace)

    def note_seen(self) -> None:
        """Note that a model turn or a tool call of the block has reached an adapter."""
        self._was_seen = True

    def note_run(self, run: BlockRun) -> None:
        """Note a run that began in the block."""
        self._was_seen = True
        self._runs.append(run)

    def note_end(self, run: BlockRun, outcome: Outcome | None) -> None:
        """Note that a run has ended, with its outcome unless it was closed before."""
        if run in self._runs:
            self._runs.remove(run)
        if outcome is not None:
            self.outcomes.append(outcome)


def _validated_seconds(seconds: Any) -> float:
    if isinstance(seconds, bool) or not isinstance(seconds, int | float):
        raise InvalidTypeError(f"invalid suspend_for=: expected a number of seconds, got {safe_repr(seconds)}")
    if not seconds >= 0:
        raise InvalidValueError(f"invalid suspend_for=: expected 0 seconds or more, got {seconds!r}")
    return float(seconds)


_current_tasks: ContextVar[tuple[Task, ...]] = ContextVar("muscle_mem_tasks", default=())
carried.append(_current_tasks)


def current_task(runtime: Runtime) -> Task | None:
    """Return the innermost open block of an engine in this context, or None."""
    for task in reversed(_current_tasks.get()):
        if task.runtime is runtime and task.is_open:
            return task
    return None
