"""Blocks that say what the runs in them are about: `engine.task(...)`."""

from __future__ import annotations

from contextvars import ContextVar, Token
from typing import Any, Protocol, Self

from .._core.model.outcome import Outcome
from .._runtime.options import CallOptions
from .._runtime.runtime import Runtime
from ..errors import NotReadyError

SUSPEND_SECONDS = 3_600.0


class BlockRun(Protocol):
    """A run that an adapter opened in a block."""

    @property
    def waits_for_results(self) -> bool:
        """Whether calls that it handed out have no result yet."""
        ...

    def end_with_block(self, error: BaseException | None) -> None:
        """Close the run, since its block ends."""
        ...


class Task:
    """A task whose model turns and tool calls an adapter sees.

    Create it with `engine.task(...)`, and use it as a `with` or `async with` block around the call of your agent.

    Attributes:
        outcomes: The outcomes of the runs in the block, in the order in which they ended.
        suspended: Whether a run of the block waits for results of calls that it handed out.
    """

    __module__ = "muscle_mem"

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
        self.suspended = False
        self._runtime = runtime
        self._args = args
        self._kwargs = kwargs
        self._options = options
        self._suspend_for = suspend_for
        self._runs: list[BlockRun] = []
        self._was_seen = False
        self._token: Token[tuple[Task, ...]] | None = None

    @property
    def outcome(self) -> Outcome | None:
        """The outcome of the run that ended last; None if there is none, or a run is suspended."""
        return None if self.suspended or not self.outcomes else self.outcomes[-1]

    def __enter__(self) -> Self:
        if self._token is not None:
            raise NotReadyError("task is already open as a context manager. Use each task in one block.")
        self._token = current_tasks.set((*current_tasks.get(), self))
        return self

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        token, self._token = self._token, None
        assert token is not None
        try:
            current_tasks.reset(token)
        except ValueError:  # A fixture or a framework may leave the block in another context.
            current_tasks.set(tuple(task for task in current_tasks.get() if task is not self))
        for run in list(self._runs):
            if run.waits_for_results:
                self.suspended = True
            else:
                run.end_with_block(error)

    async def __aenter__(self) -> Self:
        return self.__enter__()

    async def __aexit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        self.__exit__(kind, error, trace)

    def note_seen(self) -> None:
        """Note that a model turn or a tool call of the block has reached an adapter."""
        self._was_seen = True

    def note_run(self, run: BlockRun) -> None:
        """Note a run that began in the block."""
        self._runs.append(run)

    def note_end(self, run: BlockRun, outcome: Outcome | None) -> None:
        """Note that a run has ended, with its outcome unless it was closed before."""
        if run in self._runs:
            self._runs.remove(run)
        if outcome is not None:
            self.outcomes.append(outcome)
        self.suspended = self.suspended and any(run.waits_for_results for run in self._runs)


current_tasks: ContextVar[tuple[Task, ...]] = ContextVar("muscle_mem_tasks", default=())


def current_task(runtime: Runtime) -> Task | None:
    """Return the innermost open block of an engine in this context, or None."""
    for task in reversed(current_tasks.get()):
        if task._runtime is runtime and task._token is not None:
            return task
    return None
