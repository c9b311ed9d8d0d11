"""The two drivers of a flow: the only places where plain and async differ in form."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Generator
from typing import Any, TypeVar

from ._core.effects import Effect, refuse_awaitable

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
                    refuse_awaitable(answer, type(effect).__name__)
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
