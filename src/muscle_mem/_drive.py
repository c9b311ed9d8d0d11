"""The two drivers of a flow: the only places where plain and async differ in form."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Generator
from typing import Any, TypeVar

from ._core.effects import Effect
from .errors import InvalidTypeError

T = TypeVar("T")
Perform = Callable[[Any], Any]


def drive(flow: Generator[Effect, Any, T], perform: Perform) -> T:
    """Perform what a flow asks for, one effect after the other, and return what it returns."""
    try:
        effect = next(flow)
        while True:
            try:
                answer = perform(effect)
                if inspect.isawaitable(answer):
                    refuse_awaitable(answer, effect)
            except BaseException as error:
                effect = flow.throw(error)
            else:
                effect = flow.send(answer)
    except StopIteration as stop:
        value: T = stop.value
        return value


async def adrive(flow: Generator[Effect, Any, T], perform: Perform) -> T:
    """The same, awaiting whatever can be awaited."""
    try:
        effect = next(flow)
        while True:
            try:
                answer = perform(effect)
                if inspect.isawaitable(answer):
                    answer = await answer
            except BaseException as error:
                effect = flow.throw(error)
            else:
                effect = flow.send(answer)
    except StopIteration as stop:
        value: T = stop.value
        return value


def refuse_awaitable(answer: Any, effect: Any) -> None:
    """An awaitable under the plain call would never run: close it, and say what to do."""
    close = getattr(answer, "close", None)
    if close is not None:
        close()
    what = type(effect).__name__
    raise InvalidTypeError(
        f"{what} returned an awaitable under the plain call, where nothing can be awaited; call the engine with "
        "`await engine.acall(...)`"
    )
