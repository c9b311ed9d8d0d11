"""D7: lambdas, partials, builtins, bound methods and callable objects as tools, and telling apart what they hold."""

from __future__ import annotations

import functools
import operator
from pathlib import Path
from typing import Any

import pytest

from muscle_mem import Check, Engine, Outcome, Reason

Log = list[Any]


def module(engine: Engine, log: Log, *sources: str) -> dict[str, Any]:
    """Source texts executed as a module or notebook cells would be, with `engine` and `log` in reach."""
    names: dict[str, Any] = {"engine": engine, "log": log, "__name__": "cell"}
    for source in sources:
        exec(source, names)
    return names


class Page:
    """Something with a state, whose methods are made tools one object at a time."""

    def __init__(self) -> None:
        self.clicks: Log = []

    def click(self, where: str) -> str:
        self.clicks.append(where)
        return where

    def __call__(self, where: str) -> str:
        return self.click(where)


def click_on(page: Page, where: str) -> str:
    return page.click(where)


@pytest.mark.parametrize(
    "make", [lambda page: page.click, lambda page: page, lambda page: functools.partial(click_on, page)]
)
@pytest.mark.parametrize("used", [0, 1])
def test_d7_a_tool_that_carries_an_object_never_replays_on_another(make: Any, used: int) -> None:
    pages = [Page(), Page()]
    engine = Engine(observers=[])
    tools = [engine.tool()(make(page)) for page in pages]
    engine.set_agent(lambda task: tools[used](task))
    engine("task")
    assert engine("task", mode="replay")
    assert pages[used].clicks == ["task", "task"]
    assert pages[1 - used].clicks == []


def test_d7_the_state_of_a_callable_object_is_part_of_it_across_processes(tmp_path: Path) -> None:
    class Act:
        def __init__(self, where: str) -> None:
            self.where = where

        def __call__(self, what: str) -> None:
            done.append((self.where, what))

    done: Log = []

    def run(where: str) -> Outcome:
        with Engine(tmp_path / "s.db", observers=[]) as engine:
            act = engine.tool(name="act", effect="write")(Act(where))
            engine.set_agent(lambda task: act("x"))
            return engine("task")

    assert run("test").learned
    assert run("test")
    assert run("prod").reason is Reason.TOOL_CHANGED
    assert done == [("test", "x")] * 2 + [("prod", "x")]


def test_d7_a_bound_method_that_is_registered_again_is_the_same_tool() -> None:
    page = Page()
    engine = Engine(observers=[])
    tool = engine.tool()(page.click)
    engine.set_agent(lambda task: tool(task))
    engine("task")
    engine.tool()(page.click)
    assert engine("task", mode="replay")


def test_d7_partials_of_one_function_with_other_values_both_stay() -> None:
    log: Log = []
    engine = Engine(observers=[])

    def note(kind: str, text: str) -> None:
        log.append((kind, text))

    warn, fail = (engine.tool()(functools.partial(note, kind)) for kind in ("warn", "fail"))
    engine.set_agent(lambda task: (warn("a"), fail("b")))
    engine("task")
    assert engine("task", mode="replay")
    assert log == [("warn", "a"), ("fail", "b")] * 2


def test_d7_lambdas_are_tools_and_two_of_them_both_stay() -> None:
    log: Log = []
    engine = Engine(observers=[])
    source = (
        "one = engine.tool()(lambda x: log.append(('one', x)))\ntwo = engine.tool()(lambda x: log.append(('two', x)))"
    )
    names = module(engine, log, source)
    engine.set_agent(lambda task: (names["one"](1), names["two"](2)))
    engine("task")
    assert engine("task", mode="replay")
    assert log == [("one", 1), ("two", 2)] * 2


def test_d7_a_lambda_cell_that_is_run_again_keeps_its_recordings() -> None:
    log: Log = []
    engine = Engine(observers=[])
    source = "one = engine.tool()(lambda x: log.append(('one', x)))"
    one = module(engine, log, source)["one"]
    engine.set_agent(lambda task: one(1))
    engine("task")
    module(engine, log, source)
    assert engine("task", mode="replay")


@pytest.mark.parametrize("builtin", [len, sorted, operator.itemgetter(0), " ".join, functools.lru_cache(str.upper)])
def test_d7_builtins_are_tools(builtin: Any) -> None:
    engine = Engine(observers=[])
    argument: Any = "text" if isinstance(builtin, functools._lru_cache_wrapper) else ["b", "a"]
    tool = engine.tool(effect="read")(builtin)
    engine.set_agent(lambda task: tool(argument))
    asked = engine("task")
    assert asked.learned, asked.not_learned_message
    assert engine("task", mode="replay").value == asked.value == builtin(argument)


def test_d7_functions_that_a_decorator_renamed_are_apart_when_they_hold_different_objects() -> None:
    pages = [Page(), Page()]
    engine = Engine(observers=[])

    def on(page: Page) -> Any:
        @functools.wraps(click_on)
        def click(where: str) -> str:
            return page.click(where)

        return engine.tool()(click)

    tools = [on(page) for page in pages]
    engine.set_agent(lambda task: tools[0](task))
    engine("task")
    assert engine("task", mode="replay")
    assert [page.clicks for page in pages] == [["task", "task"], []]


def test_d7_functions_that_differ_by_an_object_among_their_defaults_are_apart() -> None:
    left, right = Page(), Page()
    engine = Engine(observers=[])
    source = "def note(text, page={page}):\n    page.click(text)\nnote = engine.tool()(note)"
    names = module(engine, [left, right], "left, right = log", source.format(page="left"), "to_left = note")
    exec(source.format(page="right"), names)
    engine.set_agent(lambda task: names["to_left"](task))
    engine("task")
    assert engine("task", mode="replay")
    assert (left.clicks, right.clicks) == (["task", "task"], [])


def test_d7_a_decorated_module_tool_that_is_run_again_keeps_its_recordings() -> None:
    log: Log = []
    engine = Engine(observers=[])
    retry = """
import functools
def retry(times):
    def deco(fn):
        @functools.wraps(fn)
        def inner(*args):
            return fn(*args)
        return inner
    return deco
"""
    cell = "@engine.tool()\n@retry(3)\ndef save(text):\n    log.append(text)\nagent = lambda task: save('x')"
    engine.set_agent(module(engine, log, retry, cell)["agent"])
    engine("task")
    module(engine, log, retry, cell)
    assert engine("task", mode="replay")


def test_d7_a_module_tool_with_a_mutable_default_that_is_run_again_keeps_its_recordings() -> None:
    log: Log = []
    engine = Engine(observers=[])
    cell = "@engine.tool()\ndef save(text, options={'a': [1]}):\n    log.append(text)\nagent = lambda task: save('x')"
    engine.set_agent(module(engine, log, cell)["agent"])
    engine("task")
    module(engine, log, cell)
    assert engine("task", mode="replay")
    assert log == ["x", "x"]


def test_d7_tools_that_a_function_makes_again_for_the_same_objects_are_the_same_tools() -> None:
    log: Log = []
    open_ = [True]
    engine = Engine(observers=[])

    def build() -> Any:
        @engine.tool()
        def save(text: str) -> None:
            log.append(text)

        @engine.tool(Check(lambda: open_[0]))
        def leave() -> None:
            log.append("left")

        return lambda task: (save("x"), leave())

    first = build()
    engine.set_agent(first)
    engine("task")
    build()
    log.clear()
    assert engine("task", mode="replay")
    assert log == ["x", "left"]
    open_[0] = False
    log.clear()
    assert engine("task").status == "diverged"
    assert log == ["x", "left"], "what the replay did is not done again, though the agent holds the tools of before"
