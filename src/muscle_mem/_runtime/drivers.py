"""The two drivers of a flow: the only places where sync and async code differ."""

from __future__ import annotations

import contextvars
from collections.abc import Callable, Generator
from typing import Any, TypeVar

from .._core.model.kinds import is_awaitable
from .._core.run.effects import Effect, LeadKey, RunStoreCall, Save, refuse_awaitable

T = TypeVar("T")
Perform = Callable[[Any], Any]

NEVER_AWAITED = frozenset({type(None), bool, int, float, str, bytes, list, tuple, dict})
"""Types of answers that are never awaitable; `is_awaitable` takes longer than most calls."""

STORE_EFFECTS = (LeadKey, RunStoreCall, Save)
"""The effects that call the store. They run in a thread if the store waits on a network."""


def drive(flow: Generator[Effect, Any, T], perform: Perform) -> T:
    """Perform the effects of a flow in order, and return its result."""
    try:
        effect = next(flow)
        while True:
            try:
                answer = perform(effect)
                if type(answer) not in NEVER_AWAITED and is_awaitable(answer):
                    refuse_awaitable(answer, type(effect).__name__)
            except BaseException as error:
                effect = flow.throw(error)
            else:
                effect = flow.send(answer)
    except StopIteration as stop:
        return stop.value  # type: ignore[no-any-return]  # T, as a generator cannot declare it.


async def adrive(flow: Generator[Effect, Any, T], perform: Perform, blocking_effects: tuple[type, ...] = ()) -> T:
    """Perform and await the effects of a flow in order, and return its result.

    Effects of the types `blocking_effects` are performed in a thread.
    """
    try:
        effect = next(flow)
        while True:
            try:
                answer = (await in_thread(perform, effect)) if isinstance(effect, blocking_effects) else perform(effect)
                if type(answer) not in NEVER_AWAITED and is_awaitable(answer):
                    answer = await answer
            except BaseException as error:
                effect = flow.throw(error)
            else:
                effect = flow.send(answer)
    except StopIteration as stop:
        value: T = stop.value
        return value


async def in_thread(work: Callable[..., T], *args: Any) -> T:
    """Do blocking work in a thread, in the current context, without blocking the loop.

    If it is cancelled, it still waits for the thread, which may use what the run releases when it ends. The wait is
    bounded by the store's deadline.
    """
    import asyncio  # A running loop has loaded it already; sync programs do not need it.

    context = contextvars.copy_context()
    future = asyncio.get_running_loop().run_in_executor(None, lambda: context.run(work, *args))
    cancelled: BaseException | None = None
    while not future.done():
        try:
            await asyncio.wait((future,))
        except asyncio.CancelledError as error:
            cancelled = error
    if cancelled is not None:
        if not future.cancelled():
            future.exception()  # Otherwise asyncio logs that it was never retrieved.
        raise cancelled
    return future.result()
