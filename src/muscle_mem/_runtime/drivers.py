"""The two drivers of a flow: the only places where plain and async differ in form."""

from __future__ import annotations

import contextvars
import inspect
from collections.abc import Callable, Generator
from typing import Any, TypeVar

from .._core.run.effects import Effect, LeadKey, RunStoreCall, Save, refuse_awaitable

T = TypeVar("T")
Perform = Callable[[Any], Any]

NEVER_AWAITED = frozenset({type(None), bool, int, float, str, bytes, list, tuple, dict})
"""Types of answers that need not be asked at length whether they can be awaited, which takes longer than most calls."""

STORE_EFFECTS = (LeadKey, RunStoreCall, Save)
"""The effects that are the store's to perform: those of one that waits on a network are performed aside."""


def drive(flow: Generator[Effect, Any, T], perform: Perform) -> T:
    """Perform what a flow asks for, one effect after the other, and return what it returns."""
    try:
        effect = next(flow)
        while True:
            try:
                answer = perform(effect)
                if type(answer) not in NEVER_AWAITED and inspect.isawaitable(answer):
                    refuse_awaitable(answer, type(effect).__name__)
            except BaseException as error:
                effect = flow.throw(error)
            else:
                effect = flow.send(answer)
    except StopIteration as stop:
        value: T = stop.value
        return value


async def adrive(flow: Generator[Effect, Any, T], perform: Perform, blocking_effects: tuple[type, ...] = ()) -> T:
    """The same, awaiting whatever can be awaited. Effects of the kinds `blocking_effects` are performed in a thread."""
    try:
        effect = next(flow)
        while True:
            try:
                answer = (await in_thread(perform, effect)) if isinstance(effect, blocking_effects) else perform(effect)
                if type(answer) not in NEVER_AWAITED and inspect.isawaitable(answer):
                    answer = await answer
            except BaseException as error:
                effect = flow.throw(error)
            else:
                effect = flow.send(answer)
    except StopIteration as stop:
        value: T = stop.value
        return value


async def in_thread(work: Callable[..., T], *args: Any) -> T:
    """Do blocking work in a thread, with the context of here, while the loop goes on.

    Cancelled meanwhile, it still waits for the thread, which may hold what the run releases when it ends: a store's
    call ends within the store's own deadline.
    """
    import asyncio  # loaded already where a loop runs, and not wanted where none does

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
            future.exception()  # looked at, so that asyncio does not log that it was never retrieved
        raise cancelled
    return future.result()
