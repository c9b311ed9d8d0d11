"""P2: a tool says whether its output is trusted, and which of its arguments decide where something goes."""

from __future__ import annotations

from typing import Any

import pytest

from muscle_mem import Engine, InvalidTypeError, InvalidValueError
from muscle_mem._core.binding.guards.provenance import may_receive, untrusted_steps
from muscle_mem._core.tools.tool import Tool


def send(to: str, text: str = "") -> None: ...


def tool_of(engine: Engine, name: str) -> Tool:
    return next(tool for tool in engine._runtime.tools if tool.name == name)


def test_p2_both_are_off_by_default() -> None:
    engine = Engine()
    engine.tool(send)
    tool = tool_of(engine, "send")
    assert tool.trusted
    assert not tool.is_sink("to")


@pytest.mark.parametrize("names", ["to", ["to"], ("to",), {"to"}])
def test_p2_one_name_or_several(names: Any) -> None:
    engine = Engine()
    engine.tool(sink=names, trusted=False)(send)
    tool = tool_of(engine, "send")
    assert not tool.trusted
    assert (tool.is_sink("to"), tool.is_sink("text"), tool.is_sink("*0"), tool.is_sink("other")) == (
        True,
        False,
        False,
        False,
    )


def test_p2_a_variadic_stands_for_all_that_it_takes() -> None:
    engine = Engine()

    @engine.tool(name="post", sink=["paths", "headers"])
    def post(body: str, *paths: str, **headers: str) -> None: ...

    tool = tool_of(engine, "post")
    assert [name for name in ("body", "*0", "*7", "authorization") if tool.is_sink(name)] == [
        "*0",
        "*7",
        "authorization",
    ]


def test_p2_a_name_that_a_variadic_takes_may_be_one() -> None:
    engine = Engine()

    @engine.tool(name="post", sink="url")
    def post(**options: str) -> None: ...

    assert tool_of(engine, "post").is_sink("url")
    assert not tool_of(engine, "post").is_sink("body")


def test_p2_methods_and_class_methods_have_sinks() -> None:
    engine = Engine()

    class Till:
        @engine.tool(name="Till.pay", sink=["account"])
        def pay(self, account: str) -> None: ...

    class Post:
        @engine.tool(sink=["to"], trusted=False)
        @classmethod
        def send(cls, to: str) -> None: ...

    assert tool_of(engine, "Till.pay").is_sink("account")
    found = [tool for tool in engine._runtime.tools if tool.is_sink("to")]
    assert [tool.trusted for tool in found] == [False]
    assert {Till, Post}


@pytest.mark.parametrize(
    ("options", "kind", "words"),
    [
        ({"trusted": None}, InvalidTypeError, ["trusted=", "None", "True or False"]),
        ({"trusted": "no"}, InvalidTypeError, ["trusted=", "'no'"]),
        ({"trusted": 0}, InvalidTypeError, ["trusted=", "got 0"]),
        ({"sink": ["account"]}, InvalidValueError, ["sink=", "'send'", "to, text", "'account'"]),
        ({"sink": 5}, InvalidTypeError, ["sink=", "got 5"]),
        ({"sink": [None]}, InvalidTypeError, ["sink=", "None"]),
        ({"sinks": ["to"]}, InvalidTypeError, ["'sinks'", "sink", "trusted"]),
    ],
)
def test_p2_what_is_wrong_is_said_where_it_is_written(options: Any, kind: type[Exception], words: list[str]) -> None:
    with pytest.raises(kind) as raised:
        Engine().tool(**options)(send)
    assert [word for word in words if word not in str(raised.value)] == []


def test_p2_a_fingerprint_does_not_depend_on_it() -> None:
    fingerprints = set()
    for options in ({}, {"trusted": False}, {"sink": ["to"]}, {"sink": "text", "trusted": False}):
        engine = Engine()
        engine.tool(**options)(send)  # type: ignore[call-overload]
        fingerprints.add(tool_of(engine, "send").identity)
    assert len(fingerprints) == 1


def test_p4_nothing_inferred_goes_from_an_untrusted_output_to_where_it_matters() -> None:
    engine = Engine()
    options: dict[str, Any]
    for name, options in {
        "mail": {"trusted": False, "effect": "read"},
        "orders": {"effect": "read"},
        "note": {},
        "pay": {"sink": ["to"]},
        "burn": {"effect": "irreversible"},
    }.items():
        engine.tool(name=name, **options)(lambda to, text="": None)
    mail, orders, note, pay, burn = (tool_of(engine, name) for name in ("mail", "orders", "note", "pay", "burn"))
    assert untrusted_steps([mail, orders, mail, pay]) == {0, 2}
    assert [may_receive(target, "to") for target in (orders, note, pay, burn)] == [True, True, False, False]
    assert may_receive(pay, "text")
