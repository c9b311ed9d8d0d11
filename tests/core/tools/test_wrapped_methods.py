"""A method tool belongs to its class also where another decorator or a property stands around it."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import pytest

from muscle_mem import Engine


def plainly(fn: Callable[..., Any]) -> Callable[..., Any]:
    """A decorator that leaves no trace of what it wraps."""

    def wrapped(*args: Any) -> Any:
        return fn(*args)

    return wrapped


class Caller:
    """A decorator that is a class."""

    def __init__(self, func: Callable[..., Any]) -> None:
        self.func = func

    def __get__(self, owner: Any, kind: type) -> Any:
        return functools.partial(self.func, owner)

    def __call__(self, *args: Any) -> Any:
        return self.func(*args)


AROUND = {
    "a decorator without functools.wraps": (plainly, lambda page: page.read()),
    "two of them": (lambda fn: plainly(plainly(fn)), lambda page: page.read()),
    "a property": (property, lambda page: page.read),
    "a cached property": (functools.cached_property, lambda page: page.read),
    "a decorator that is a class": (Caller, lambda page: page.read()),
    "a decorated property": (lambda fn: property(plainly(fn)), lambda page: page.read),
}


@pytest.mark.parametrize("around", AROUND)
def test_a_wrapped_method_is_replayed_on_the_context_object(around: str) -> None:
    decorator, use = AROUND[around]
    engine = Engine()

    class Page:
        def __init__(self) -> None:
            self.reads = 0

        def read(self) -> int:
            self.reads += 1
            return self.reads

    Page.read = decorator(engine.tool(effect="read")(Page.read))  # type: ignore[method-assign]
    if around == "a cached property":
        Page.read.__set_name__(Page, "read")  # type: ignore[attr-defined]
    page, other = Page(), Page()
    engine.set_agent(lambda task: use(page))
    assert engine("read it", context=page).learned
    hit = engine("read it", context=other)
    assert hit, hit.message
    assert (page.reads, other.reads) == (1, 1)


def test_a_method_of_another_class_is_not_taken_for_one() -> None:
    engine = Engine()

    class Page:
        @plainly
        @engine.tool(effect="read")
        def read(self) -> int:
            return 1

    class Other:
        @plainly
        @engine.tool(effect="read")
        def read(self) -> int:
            return 2

    page = Page()
    engine.set_agent(lambda task: page.read())
    assert engine("read it", context=page).learned
    assert engine("read it", context=Other()).reason == "not_replayable"
