"""What adapters need of an engine: runs inside a framework, with their keys and their tools."""

from __future__ import annotations

from typing import Any, Protocol

import msgspec

from .._runtime.options import CallOptions
from .._runtime.runtime import Runtime
from .session import AsyncSession, Session, open_async_session, open_session
from .task import Task, current_task


class HasRuntime(Protocol):
    """An engine."""

    _runtime: Runtime


AnySession = Session | AsyncSession


def is_off(engine: HasRuntime, task: Task | None) -> bool:
    """Return whether the engine records and replays nothing here."""
    mode = None if task is None else task._options.mode
    return engine._runtime.effective_mode(mode) == "off"


def task_of(engine: HasRuntime) -> Task | None:
    """Return the block of the engine in this context, or None."""
    return current_task(engine._runtime)


def open_hosted(engine: HasRuntime, task: Task | None, prompt: str, *, is_sync: bool) -> AnySession:
    """Open a run of the block, or of the prompt without one."""
    args: tuple[Any, ...] = (prompt,)
    kwargs: dict[str, Any] = {}
    options = CallOptions()
    if task is not None:
        options = task._options
        if task._args or task._kwargs:
            args, kwargs = task._args, task._kwargs
    options = msgspec.structs.replace(options, on_divergence=_policy(engine, options))
    opening = open_session if is_sync else open_async_session
    return opening(engine._runtime, args, kwargs, options)


def _policy(engine: HasRuntime, options: CallOptions) -> Any:
    """Return what a stopped replay does: the model goes on with the history, which an absorbed run would not have."""
    policy = options.on_divergence or engine._runtime.on_divergence
    return "auto" if policy == "absorb" else policy


def replay_place(session: AnySession) -> tuple[str | None, int]:
    """Return the trajectory that a run replays, and the index of its current step."""
    progress = session._run.progress
    trajectory = None if progress.candidate is None else progress.candidate.trajectory.id
    return trajectory, len(progress.calls) - 1


def notice(engine: HasRuntime, level: str, code: str, message: str) -> None:
    """Emit an event of an adapter."""
    engine._runtime.reporter.notice_each_time(level, code, message, "")
