"""B13: a capture that cannot take its tool's arguments is refused at registration."""

from __future__ import annotations

import functools
from typing import Any

import pytest

from muscle_mem import Check, Engine, InvalidTypeError, checks


def function(parameters: str) -> Any:
    names: dict[str, Any] = {}
    exec(f"def work({parameters}):\n    return 1\n", names)
    return names["work"]


FITTING = [
    ("", ""),
    ("a, b", "a, b"),
    ("a, b", "x, y"),
    ("a, b", "*args"),
    ("a, b", "*args, **kwargs"),
    ("a, b", "**kwargs"),
    ("a, b", "a, *rest"),
    ("a, b", "b, a"),
    ("a, b", "a, b, c=1"),
    ("a, b=1", "a"),
    ("a, b=1", "a, b"),
    ("a=1", ""),
    ("a, *, b", "a, b"),
    ("a, *, b", "a, *, b"),
    ("a, *, b=1", "a"),
    ("a, *, b=1", "a, *, b"),
    ("a, /, b", "x, b"),
    ("a, b", "*, a, b"),
    ("*args", ""),
    ("*args", "a"),
    ("*args", "a, b, c"),
    ("**kwargs", "a, b"),
    ("a, *rest, **more", "a, b, *, c"),
    ("a, b, c=1, d=2", "a, b, d"),
]
WRONG = [
    ("a", ""),
    ("a, b", "a"),
    ("a", "a, b"),
    ("", "a"),
    ("a=1", "a, b"),
    ("a, /", "*, a"),
    ("a, *, b", "a"),
    ("a, *, b", "a, c"),
    ("a, *, b", "a, /, c"),
    ("a, *rest", ""),
    ("a, b", "a, *, c"),
    ("a, /", "**kwargs"),
]


@pytest.mark.parametrize("role", ["pre_check", "post_check"])
@pytest.mark.parametrize(("tool", "capture"), FITTING)
def test_b13_a_capture_that_can_take_a_call_of_its_tool_is_fine(role: str, tool: str, capture: str) -> None:
    Engine().tool(**{role: Check(function(capture))})(function(tool))


@pytest.mark.parametrize("role", ["pre_check", "post_check"])
@pytest.mark.parametrize(("tool", "capture"), WRONG)
def test_b13_a_capture_that_can_take_none_is_refused_and_told_why(role: str, tool: str, capture: str) -> None:
    engine = Engine()
    with pytest.raises(InvalidTypeError) as refused:
        engine.tool(**{role: Check(function(capture))})(function(tool))
    for part in (role, "'work'", f"({tool})", f"({capture})"):
        assert part in str(refused.value)


def test_b13_a_method_gives_its_capture_the_object_first() -> None:
    engine = Engine()
    for parameters, fits in [("self, where", True), ("page, where", True), ("*args", True), ("where", False)]:
        method = function("self, where")
        if fits:
            engine.method(pre_check=Check(function(parameters)))(method)
        else:
            with pytest.raises(InvalidTypeError):
                engine.method(pre_check=Check(function(parameters)))(method)
    with pytest.raises(InvalidTypeError):

        class Page:
            @engine.tool(pre_check=Check(lambda where: where))
            def click(self, where: str) -> None: ...

    class Static:
        @engine.tool(pre_check=Check(lambda where: where))
        @staticmethod
        def click(where: str) -> None: ...


def test_b13_partials_bound_methods_objects_and_async_captures_are_looked_at() -> None:
    engine = Engine()

    class Eye:
        def look(self, where: str) -> str:
            return where

        def __call__(self, where: str) -> str:
            return where

    async def look(where: str) -> str:
        return where

    async def nothing() -> str:
        return ""

    two = function("a, b")
    for capture in (functools.partial(two, 1), Eye().look, Eye()):
        engine.tool(pre_check=Check(capture))(function("where"))
        with pytest.raises(InvalidTypeError):
            engine.tool(pre_check=Check(capture))(function(""))

    async def tool(where: str) -> None: ...

    engine.tool(pre_check=Check(look))(tool)
    with pytest.raises(InvalidTypeError):
        engine.tool(pre_check=Check(nothing))(tool)


def test_b13_signatures_that_are_hidden_or_missing_are_not_looked_at() -> None:
    engine = Engine()

    def with_client(fn: Any) -> Any:
        @functools.wraps(fn)
        def inner(*args: Any, **kwargs: Any) -> Any:
            return fn("client", *args, **kwargs)

        return inner

    engine.tool(pre_check=Check(lambda to: to))(with_client(function("client, to")))
    engine.tool(pre_check=Check(with_client(function("client, to"))))(function("to"))
    engine.tool(pre_check=Check(max))(function("to"))
    engine.tool(pre_check=Check(lambda text: text))(print)


def test_b13_ready_made_and_combined_checks_fit_every_tool() -> None:
    engine = Engine()
    for parameters in ("", "a, b", "*args", "a, *, b", "**more"):
        engine.tool(pre_check=checks.all_of(checks.json_subset(dict), Check(lambda *_, **__: 1)))(function(parameters))
