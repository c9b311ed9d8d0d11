"""D1a: recorded arguments are bound by name to the live signature."""

from __future__ import annotations

import functools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from muscle_mem import Engine, Outcome, Reason


def run(path: Path, parameters: str, call: str, calls: list[Any], **options: Any) -> Outcome:
    """One process: a tool of this signature, and an agent that makes this call."""
    with Engine(path / "s.db", observers=[]) as engine:
        names: dict[str, Any] = {"calls": calls}
        exec(f"def send({parameters}):\n    calls.append(dict(locals()))\n", names)
        send = engine.tool(effect="write", version="1", **options)(names["send"])
        engine.set_agent(lambda task: eval(call, {"send": send}))
        return engine("task")


SAME = {"to": "ann@a.com", "text": "hello"}


@pytest.mark.parametrize(
    ("before", "call", "after", "expected"),
    [
        ("to, text", 'send("ann@a.com", "hello")', "text, to", SAME),
        ("to, text", 'send("ann@a.com", text="hello")', "text, to", SAME),
        ("to, text", 'send(to="ann@a.com", text="hello")', "text, to", SAME),
        ("to, text", 'send("ann@a.com", "hello")', "*, text, to", SAME),
        ("*, to, text", 'send(to="ann@a.com", text="hello")', "text, to", SAME),
        ("*, to, text", 'send(to="ann@a.com", text="hello")', "text, to, /", SAME),
        ("to, text", 'send("ann@a.com", "hello")', "text, to, /", SAME),
        ("to, text, /", 'send("ann@a.com", "hello")', "text, to", SAME),
        ("to, /, text", 'send("ann@a.com", "hello")', "text, /, to", SAME),
        ("to, text", 'send("ann@a.com", "hello")', "cc=None, to=0, text=0", {"cc": None, **SAME}),
        ("to, text", 'send("ann@a.com", "hello")', "cc=None, text=0, to=0, /", {"cc": None, **SAME}),
        ("to, text", 'send("ann@a.com", "hello")', "to, text, cc=None", {"cc": None, **SAME}),
        ("to, text, cc=1", 'send("ann@a.com", "hello")', "cc=2, text=0, to=0", {"cc": 2, **SAME}),
        ("to, text, *more", 'send("ann@a.com", "hello", 7, 8)', "text, to, *more", {**SAME, "more": (7, 8)}),
        (
            "to, text, *more",
            'send("ann@a.com", "hello", 7, 8)',
            "cc=None, text=0, to=0, *more",
            {"cc": None, **SAME, "more": (7, 8)},
        ),
        (
            "to, text, *more, cc=1, **rest",
            'send("ann@a.com", "hello", 7, cc=2, bcc=3)',
            "text, to, *other, bcc, cc=1, **rest",
            {**SAME, "other": (7,), "cc": 2, "bcc": 3, "rest": {}},
        ),
        ("to, **rest", 'send("ann@a.com", text="hello")', "text, to, **rest", {**SAME, "rest": {}}),
        ("to, text", 'send("ann@a.com", text="hello")', "to, **rest", {"to": "ann@a.com", "rest": {"text": "hello"}}),
        (
            "to, **rest",
            'send("ann@a.com", args=1, text="hello")',
            "to, *args, **rest",
            {"to": "ann@a.com", "args": (), "rest": {"args": 1, "text": "hello"}},
        ),
    ],
)
def test_d1a_a_moved_parameter_gets_the_argument_of_its_name(
    tmp_path: Path, before: str, call: str, after: str, expected: dict[str, Any]
) -> None:
    calls: list[Any] = []
    assert run(tmp_path, before, call, calls).learned
    calls.clear()
    assert run(tmp_path, after, "1 / 0", calls)
    assert calls == [expected]


@pytest.mark.parametrize(
    ("before", "call", "after", "named"),
    [
        ("to, text", 'send("ann@a.com", "hello")', "to, message", "'text'"),
        ("to, text", 'send(to="ann@a.com", text="hello")', "to, message", "'text'"),
        ("to, text=''", 'send("ann@a.com", "hello")', "to", "'text'"),
        ("to, text", 'send("ann@a.com", "hello")', "to, text, cc", "'cc'"),
        ("to, text", 'send("ann@a.com", "hello")', "to, text, *, cc", "'cc'"),
        ("to, text=''", 'send("ann@a.com")', "to, text", "'text'"),
        ("to, *more", 'send("ann@a.com", "hello")', "to, text=''", "*args"),
        ("to, **more", 'send("ann@a.com", text="hello")', "to", "'text'"),
        ("to, text", 'send("ann@a.com", "hello")', "to, **rest", "'text'"),
        ("to", 'send("ann@a.com")', "", "'to'"),
    ],
)
def test_d1a_a_renamed_removed_or_newly_required_parameter_is_a_changed_tool(
    tmp_path: Path, before: str, call: str, after: str, named: str
) -> None:
    calls: list[Any] = []
    assert run(tmp_path, before, call, calls).learned
    calls.clear()
    outcome = run(tmp_path, after, "None", calls)
    assert (outcome.status, outcome.reason) == ("miss", Reason.TOOL_CHANGED)
    assert named in outcome.message
    assert calls == []


def test_d1a_a_new_parameter_that_is_injected_is_given(tmp_path: Path) -> None:
    calls: list[Any] = []
    assert run(tmp_path, "to", 'send("ann@a.com")', calls).learned
    calls.clear()
    assert run(tmp_path, "client, to", "1 / 0", calls, inject={"client": 7})
    assert calls == [{"client": 7, "to": "ann@a.com"}]


def test_d1a_nothing_is_executed_before_the_changed_step(tmp_path: Path) -> None:
    calls: list[Any] = []

    def once(parameters: str, agent: Callable[[Any, Any], Any]) -> Outcome:
        with Engine(tmp_path / "s.db", observers=[]) as engine:

            @engine.tool(effect="write", version=1)
            def first() -> None:
                calls.append("first")

            names: dict[str, Any] = {"calls": calls}
            exec(f"def second({parameters}):\n    calls.append('second')\n", names)
            second = engine.tool(effect="write", version=1)(names["second"])
            engine.set_agent(lambda task: agent(first, second))
            return engine("task")

    once("text", lambda first, second: (first(), second("x")))
    calls.clear()
    assert once("words", lambda first, second: None).reason is Reason.TOOL_CHANGED
    assert calls == []


def test_d1a_a_method_is_bound_by_name_too(tmp_path: Path) -> None:
    calls: list[Any] = []

    def once(parameters: str, call: str) -> Outcome:
        with Engine(tmp_path / "s.db", observers=[]) as engine:
            names: dict[str, Any] = {"calls": calls, "engine": engine}
            exec(
                "class Page:\n    @engine.method(version=1)\n"
                f"    def send(self, {parameters}):\n        calls.append((to, text))\n",
                names,
            )
            page = names["Page"]()
            engine.set_context(page)
            engine.set_agent(lambda task: eval(call, {"page": page}))
            return engine("task")

    assert once("to, text", 'page.send("ann@a.com", "hello")').learned
    assert once("text, to", "1 / 0")
    assert calls == [("ann@a.com", "hello")] * 2
    assert once("text, to, cc", "None").reason is Reason.TOOL_CHANGED


@pytest.mark.parametrize("version", [None, 1])
def test_d1a_a_decorator_that_gives_an_argument_itself_goes_on_hitting(version: Any) -> None:
    calls: list[Any] = []

    def with_client(fn: Any) -> Any:
        @functools.wraps(fn)
        def inner(*args: Any, **kwargs: Any) -> Any:
            return fn("client", *args, **kwargs)

        return inner

    engine = Engine()

    @engine.tool(effect="write", version=version)
    @with_client
    def send(client: str, to: str, text: str = "") -> None:
        calls.append((client, to, text))

    engine.set_agent(lambda task: send("ann@a.com"))
    engine("task")
    assert engine("task")
    assert calls == [("client", "ann@a.com", "")] * 2
