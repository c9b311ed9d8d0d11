"""D7: class methods are tools, one for each class, with the decorator above or below `@classmethod`."""

from __future__ import annotations

import asyncio
import inspect
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from muscle_mem import Check, Engine, Reason
from muscle_mem.errors import InvalidTypeError

ORDERS = ("above", "below")


def shop(order: str, engine: Engine, calls: list[Any], **options: Any) -> Any:
    tool = engine.tool(**options)
    if order == "above":

        class Shop:
            stock = "main"

            @tool
            @classmethod
            def buy(cls, item: str, count: int = 1) -> str:
                calls.append((cls.__name__, cls.stock, item, count))
                return f"bought {item}"

    else:

        class Shop:  # type: ignore[no-redef]
            stock = "main"

            @classmethod
            @tool
            def buy(cls, item: str, count: int = 1) -> str:
                calls.append((cls.__name__, cls.stock, item, count))
                return f"bought {item}"

    return Shop


@pytest.fixture(params=ORDERS)
def order(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def test_d7_a_class_method_is_learned_and_replayed(order: str) -> None:
    engine, calls = Engine(), []
    Shop = shop(order, engine, calls)
    assert Shop.buy("plain") == "bought plain"
    assert Shop().buy("plain", count=2) == "bought plain"
    engine.set_agent(lambda task, who: (Shop.buy(who), Shop().buy("pen", count=3))[1])
    assert engine("t", "Ann Lee", params={"who": "Ann Lee"}).learned
    calls.clear()
    outcome = engine("t", "Bob Ray", params={"who": "Bob Ray"})
    assert (outcome.status, outcome.value) == ("hit", "bought pen")
    assert calls == [("Shop", "main", "Bob Ray", 1), ("Shop", "main", "pen", 3)]
    assert inspect.ismethod(Shop.buy)
    assert str(inspect.signature(Shop.buy)) == "(item: 'str', count: 'int' = 1) -> 'str'"


def test_d7_each_class_has_its_own_tool(order: str) -> None:
    engine, calls = Engine(), []
    Shop = shop(order, engine, calls)

    class Branch(Shop):  # type: ignore[misc]
        stock = "branch"

    engine.set_agent(lambda task: (Shop.buy("a"), Branch.buy("b"))[0])
    assert engine("t").learned
    calls.clear()
    assert engine("t")
    assert calls == [("Shop", "main", "a", 1), ("Branch", "branch", "b", 1)]


def test_d7_an_override_that_is_no_tool_is_not_left_out_silently(order: str) -> None:
    engine, calls = Engine(), []
    Shop = shop(order, engine, calls)

    class DryRun(Shop):  # type: ignore[misc]
        @classmethod
        def buy(cls, item: str, count: int = 1) -> Any:
            calls.append("dry")
            return super().buy(item, count)

    engine.set_agent(lambda task: DryRun.buy("a"))
    outcome = engine("t")
    assert outcome.not_learned is Reason.OTHER_INSTANCE
    assert "override" in outcome.not_learned_message
    assert calls == ["dry", ("DryRun", "main", "a", 1)]


def test_d7_checks_get_the_arguments_without_the_class(order: str) -> None:
    seen: list[Any] = []

    def capture(item: str, count: int = 1) -> str:
        seen.append((item, count))
        return "same"

    engine, calls = Engine(), []
    Shop = shop(order, engine, calls, pre_check=Check(capture), effect="irreversible", name="buy it")
    engine.set_agent(lambda task: Shop.buy("a", 2))
    assert engine("t").learned
    assert engine("t")
    assert set(seen) == {("a", 2)}
    assert engine.explain("t").plan[0].tool == "buy it"


def test_d7_options_are_validated_when_the_decorator_runs(order: str) -> None:
    for options, words in [({"ignore": ["ctx"]}, "ctx"), ({"effect": "odd"}, "effect"), ({"name": 5}, "name")]:
        with pytest.raises((InvalidTypeError, ValueError), match=words):
            shop(order, Engine(), [], **options)
    with pytest.raises(InvalidTypeError, match="generator"):

        class Wrong:
            @Engine().tool
            @classmethod
            def rows(cls) -> Any:
                yield 1


def test_d7_async_class_methods(order: str) -> None:
    engine, calls = Engine(), []

    class Shop:
        async def _buy(cls, item: str) -> str:
            await asyncio.sleep(0)
            calls.append(item)
            return item

        buy = engine.tool(classmethod(_buy)) if order == "above" else classmethod(engine.tool(name="Shop.buy")(_buy))

    async def agent(task: str) -> Any:
        return await Shop.buy("a")  # type: ignore[arg-type,call-arg,misc]

    engine.set_agent(agent)
    assert asyncio.run(engine.acall("t")).learned
    assert asyncio.run(engine.acall("t")).value == "a"
    assert calls == ["a", "a"]
    assert inspect.iscoroutinefunction(Shop.buy)


def test_d7_a_session_finds_the_tool_by_name_and_by_method(order: str) -> None:
    engine, calls = Engine(), []
    Shop = shop(order, engine, calls)
    for what in (Shop.buy, "buy", Shop.buy.__qualname__):
        with engine.session(f"t {what}") as session:
            session.next()
            session.said([(what, {"item": "a"})])
            call: Any = session.next()
            assert call.arguments == {"item": "a"}
            session.done(call, call.fn(*call.args, **call.kwargs))
            session.next()
            session.said([])
            assert session.next().outcome.learned  # type: ignore[union-attr]
    assert len(calls) == 3


def test_d7_a_plain_method_whose_first_parameter_is_named_cls_is_a_method() -> None:
    engine, calls = Engine(), []

    class Meta(type):
        @engine.tool
        def make(cls, what: str) -> None:
            calls.append((cls.__name__, what))

    class Made(metaclass=Meta): ...

    class Odd:
        @engine.tool
        def act(cls, what: str) -> None:
            calls.append(what)

    odd = Odd()
    Made.make("x")
    engine.set_context(odd)
    engine.set_agent(lambda task: odd.act("y"))
    engine("t")
    assert engine("t")
    assert calls == [("Made", "x"), "y", "y"]


MODULE = """
import sys
from muscle_mem import Engine

engine = Engine(sys.argv[1])


class Model:
    @{above}
    @{below}
    def create(cls, name):
        print("created", cls.__name__, name)
        return name


class User(Model):
    pass


@engine.set_agent
def agent(task):
    Model.create("a")
    User.create("b")


print(engine("t").status)
"""


@pytest.mark.parametrize("decorators", [("engine.tool", "classmethod"), ("classmethod", "engine.tool")])
def test_d7_another_process_finds_the_classes_before_they_are_called(
    decorators: tuple[str, str], tmp_path: Path
) -> None:
    path = tmp_path / "app.py"
    path.write_text(MODULE.format(above=decorators[0], below=decorators[1]))
    for status in ("miss", "hit", "hit"):
        done = subprocess.run(
            [sys.executable, str(path), str(tmp_path / "s.db")], capture_output=True, text=True, check=True
        )
        assert done.stdout.splitlines() == ["created Model a", "created User b", status]


def test_d7_the_function_below_stays_what_it_was_outside_of_a_class() -> None:
    engine, calls = Engine(), []

    @engine.tool
    def act(cls: str) -> None:
        calls.append(cls)

    engine.set_agent(lambda task: act("x"))
    engine("t")
    assert engine("t")
    assert calls == ["x", "x"]


def test_d7_a_decorator_between_is_followed(order: str) -> None:
    import functools

    engine, calls = Engine(), []

    def logged(fn: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(fn)
        def inner(*args: Any, **kwargs: Any) -> Any:
            return fn(*args, **kwargs)

        return inner

    class Shop:
        @classmethod
        @logged
        @engine.tool
        def buy(cls, item: str) -> None:
            calls.append(item)

    engine.set_agent(lambda task: Shop.buy("a"))
    assert engine("t").learned
    assert engine("t")
    assert calls == ["a", "a"]
