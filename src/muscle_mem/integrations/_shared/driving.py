"""The two drivers of the shared steps, where sync and async code differ."""

from __future__ import annotations

import asyncio
import contextvars
import inspect
import threading
from collections.abc import Callable, Coroutine, Generator
from typing import Any, TypeVar

T = TypeVar("T")
Steps = Generator[Callable[[], Any], Any, T]
"""Steps yield functions of a session to call; those of an async session return awaitables."""


def drive(steps: Steps[T]) -> T:
    """Do the steps, and return their result."""
    try:
        operation = next(steps)
        while True:
            try:
                answer = operation()
                if inspect.iscoroutine(answer):
                    answer = _run_coroutine(answer)
            except BaseException as error:
                operation = steps.throw(error)
            else:
                operation = steps.send(answer)
    except StopIteration as stop:
        value: T = stop.value
        return value


async def adrive(steps: Steps[T]) -> T:
    """Do the steps, awaiting what is awaitable, and return their result."""
    try:
        operation = next(steps)
        while True:
            try:
                answer = operation()
                if inspect.isawaitable(answer):
                    answer = await answer
            except BaseException as error:
                operation = steps.throw(error)
            else:
                operation = steps.send(answer)
    except StopIteration as stop:
        value: T = stop.value
        return value


def _run_coroutine(work: Coroutine[Any, Any, Any]) -> Any:
    """Run a coroutine of a run that began in async code and goes on in sync code."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return asyncio.run(work)
    found: list[Any] = []
    failed: list[BaseException] = []

    def run() -> None:
        try:
            found.append(asyncio.run(work))
        except BaseException as error:
            failed.append(error)

    thread = threading.Thread(target=contextvars.copy_context().run, args=(run,))
    thread.start()
    thread.join()
    if failed:
        raise failed[0]
    return found[0]
