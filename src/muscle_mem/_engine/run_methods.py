"""The methods of the engine that open runs for their caller to make."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any

from .._core.model.reason import Mode, OnDivergence
from .._runtime import calls
from .._runtime.calls import Demonstration
from .._runtime.late_imports import loaders
from .._runtime.options import Answer, CallOptions
from .has_runtime import HasRuntime

if TYPE_CHECKING:
    from .._session.session import AsyncSession, Session
    from .._session.task import Task


def _load_sessions() -> None:
    """Import the rooms of sessions, which few programs need."""
    from .._session import hosted, session, task  # noqa: F401


loaders.append(_load_sessions)


def session(
    self: HasRuntime,
    *args: Any,
    tags: str | Iterable[str] = (),
    params: Mapping[str, Any] | None = None,
    key: str | None = None,
    mode: Mode | None = None,
    success: Callable[..., Any] | None = None,
    approve: Callable[..., Any] | None = None,
    context: Any = None,
    on_divergence: OnDivergence | None = None,
    secrets: Mapping[str, Any] | None = None,
    answer: Answer | None = None,
    learn_params: bool | None = None,
    tools: Iterable[str | Callable[..., Any]] | None = None,
    rejoin: bool = False,
    **kwargs: Any,
) -> Session:
    """Open a run that the caller steps.

    The caller, such as a framework, makes the tool calls and calls the model. No agent is needed. With
    on_divergence="auto", the run continues from the middle with the hand-over. Nothing is looked up before
    `session.next()`.

    Args:
        args, kwargs: The positional and keyword arguments of the agent.
        tags, params, key, mode, success, approve, context, on_divergence, secrets: As for `__call__`.
        answer: Where the answer of a hit comes from; see `Engine`.
        learn_params: Whether params are learned from task texts; see `Engine`.
        tools: The tools that the agent offers in this run; see `Session.offer`. None means all that are registered.
        rejoin: Whether a stopped replay resumes after the model has made calls. The next recorded step must fit: its
            pre-check passes, and its arguments come from this run. The model then gives the answer.

    Raises:
        InvalidTypeError: An option has the wrong type.
        InvalidValueError: An option has a value that is not allowed.
    """
    options = CallOptions(
        tags, params, key, mode, success, approve, context, on_divergence, secrets, answer, learn_params
    )
    from .._session.session import SteppingOptions, open_session

    return open_session(self._runtime, args, kwargs, options, SteppingOptions(tools, rejoin))


def asession(
    self: HasRuntime,
    *args: Any,
    tags: str | Iterable[str] = (),
    params: Mapping[str, Any] | None = None,
    key: str | None = None,
    mode: Mode | None = None,
    success: Callable[..., Any] | None = None,
    approve: Callable[..., Any] | None = None,
    context: Any = None,
    on_divergence: OnDivergence | None = None,
    secrets: Mapping[str, Any] | None = None,
    answer: Answer | None = None,
    learn_params: bool | None = None,
    tools: Iterable[str | Callable[..., Any]] | None = None,
    rejoin: bool = False,
    **kwargs: Any,
) -> AsyncSession:
    """Open a run that the caller steps, with async checks and callbacks.

    It raises the same as `session`. Nothing is awaited before `await session.next()`.

    Args:
        args, kwargs: The positional and keyword arguments of the agent.
        tags, params, key, mode, success, approve, context, on_divergence, secrets: As for `__call__`.
        answer: Where the answer of a hit comes from; see `Engine`.
        learn_params: Whether params are learned from task texts; see `Engine`.
        tools: The tools that the agent offers in this run; see `Session.offer`. None means all that are registered.
        rejoin: Whether a stopped replay resumes after the model has made calls. The next recorded step must fit: its
            pre-check passes, and its arguments come from this run. The model then gives the answer.
    """
    options = CallOptions(
        tags, params, key, mode, success, approve, context, on_divergence, secrets, answer, learn_params
    )
    from .._session.session import SteppingOptions, open_async_session

    return open_async_session(self._runtime, args, kwargs, options, SteppingOptions(tools, rejoin))


def record(
    self: HasRuntime,
    *args: Any,
    tags: str | Iterable[str] = (),
    params: Mapping[str, Any] | None = None,
    key: str | None = None,
    success: Callable[..., Any] | None = None,
    context: Any = None,
    secrets: Mapping[str, Any] | None = None,
    **kwargs: Any,
) -> AbstractContextManager[Demonstration]:
    """Record the tool calls of a block as a demonstration of a task, without an agent.

    The recording is stored when the block ends without an exception.

    Args:
        args, kwargs: The positional and keyword arguments of the agent.
        tags, params, key, success, context, secrets: As for `__call__`.

    Returns:
        A context manager. The object that it yields has the `outcome` when the block has ended.
    """
    options = CallOptions(tags=tags, params=params, key=key, success=success, context=context, secrets=secrets)
    return calls.record(self._runtime, args, kwargs, options)


def task(
    self: HasRuntime,
    *args: Any,
    tags: str | Iterable[str] = (),
    params: Mapping[str, Any] | None = None,
    key: str | None = None,
    mode: Mode | None = None,
    success: Callable[..., Any] | None = None,
    approve: Callable[..., Any] | None = None,
    context: Any = None,
    on_divergence: OnDivergence | None = None,
    secrets: Mapping[str, Any] | None = None,
    answer: Answer | None = None,
    learn_params: bool | None = None,
    suspend_for: float = 3_600.0,
    **kwargs: Any,
) -> Task:
    """Set the task of the runs that a framework makes in a block.

    Use it as a `with` or `async with` block around the call of your agent, with an adapter in place.

    Args:
        args, kwargs: The task, as the arguments of an agent. The key also contains the prompt that the model gets.
        tags, params, key, mode, success, approve, context, on_divergence, secrets: As for `__call__`.
        answer: Where the answer of a hit comes from; see `Engine`.
        learn_params: Whether params are learned from task texts; see `Engine`.
        suspend_for: How long a run that waits for results continues to wait after the block, in seconds.

    Raises:
        InvalidTypeError: An option has the wrong type.
        InvalidValueError: An option has a value that is not allowed.
    """
    options = CallOptions(
        tags, params, key, mode, success, approve, context, on_divergence, secrets, answer, learn_params
    )
    from .._session.task import Task

    return Task(self._runtime, args, kwargs, options, suspend_for=suspend_for)
