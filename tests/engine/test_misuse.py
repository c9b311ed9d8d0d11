"""What can never work is refused where it is written, with an error that says how to mend it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from muscle_mem import Check, Engine, MuscleMemError


def send(to: str) -> str:
    return to


def capture(to: str) -> str:
    return to


MISUSES: dict[str, tuple[Callable[[Engine], Any], type[Exception], str]] = {
    "a capture as pre_check": (lambda e: e.tool(pre_check=capture), TypeError, r"pre_check=Check\(capture"),
    "a capture as pre_check of a method": (lambda e: e.method(pre_check=capture), TypeError, r"Check\(capture"),
    "a capture as post_check": (lambda e: e.tool(post_check=capture), TypeError, r"post_check=Check\(capture"),
    "a name in place of a check": (lambda e: e.tool("send"), TypeError, "a Check, got 'send'"),
    "two pre-checks": (lambda e: e.tool(Check(capture), pre_check=Check(capture)), TypeError, "given twice"),
    "three checks": (lambda e: e.tool(None, None, Check(capture)), TypeError, r"got .*Check"),
    "a name that is a number": (lambda e: e.tool(name=5)(send), TypeError, r"name=.* got 5"),
    "an empty name": (lambda e: e.tool(name="")(send), ValueError, r"name=.* got ''"),
    "aliases that are numbers": (lambda e: e.tool(aliases=[5])(send), TypeError, "aliases="),
    "one alias that is a number": (lambda e: e.tool(aliases=5)(send), TypeError, "aliases="),
    "ignore that is a number": (lambda e: e.tool(ignore=5)(send), TypeError, "ignore="),
    "secret that is a number": (lambda e: e.tool(secret=5)(send), TypeError, "secret="),
    "inject without names": (lambda e: e.tool(inject=["to"])(send), TypeError, "inject="),
    "a version that is a list": (lambda e: e.tool(version=[1])(send), TypeError, "version="),
    "a check's version that is a list": (lambda e: Check(capture, version=[1]), TypeError, "version="),  # type: ignore[arg-type]
    "an undo that is a number": (lambda e: e.tool(undo=5)(send), TypeError, "undo="),
    "a describe that is no function": (lambda e: Check(capture, describe=5), TypeError, "describe"),  # type: ignore[arg-type]
    "observers that are a number": (lambda e: Engine(observers=5), TypeError, r"observers.* got 5"),  # type: ignore[arg-type]
    "a bound call in place of a function": (lambda e: e.bind(send("x")), TypeError, "got 'x'"),  # type: ignore[arg-type]
}


@pytest.mark.parametrize("case", MISUSES)
def test_misuse_raises_at_once_and_says_what_to_do(case: str) -> None:
    misuse, kind, words = MISUSES[case]
    with pytest.raises(MuscleMemError, match=words) as raised:
        misuse(Engine())
    assert isinstance(raised.value, kind)


def test_a_function_and_its_check_may_be_given_in_one_call() -> None:
    engine = Engine()
    sent = engine.tool(send, pre_check=Check(capture), name="post")  # type: ignore[call-overload]
    engine.set_agent(lambda task: sent("Bob"))
    assert engine("write").learned
    assert engine("write")
    assert engine.explain("write").plan[0].tool == "post"


@pytest.mark.filterwarnings("ignore:NotImplemented should not be used:DeprecationWarning")
def test_not_implemented_is_no_yes() -> None:
    looked: list[Any] = ["text"]
    engine = Engine()
    guarded = engine.tool(name="guarded", pre_check=Check(lambda: looked[0], lambda a, b: a.__eq__(b)))(lambda: None)
    engine.set_agent(lambda task: guarded())
    assert engine("task").learned
    looked[0] = 5  # (5).__eq__("text") is NotImplemented, which is true
    outcome = engine("task", mode="frozen")
    assert not outcome
    assert "compare returned NotImplemented" in outcome.message


@pytest.mark.filterwarnings("ignore:NotImplemented should not be used:DeprecationWarning")
def test_not_implemented_is_no_success() -> None:
    engine = Engine(success=lambda value: value.__eq__("text"))
    tool = engine.tool(name="tool")(lambda: 5)
    engine.set_agent(lambda task: tool())
    assert engine("task").not_learned == "refused"
