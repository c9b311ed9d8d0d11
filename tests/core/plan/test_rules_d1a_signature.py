"""D1a: recorded arguments are bound by name to the live signature."""

from __future__ import annotations

import functools
import random
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


def random_parameters(
    names: list[str], choose: random.Random
) -> tuple[str, list[str], dict[str, int], list[str], bool]:
    """Return a signature: its text, the names by position, the defaults, the names by keyword only, and any *args."""
    names = choose.sample(names, len(names))
    split = choose.randint(0, len(names))
    by_position, by_name = names[:split], names[split:]
    slash = choose.randint(0, len(by_position)) if choose.random() < 0.3 else 0
    first_default = choose.randint(0, len(by_position))
    defaults = {name: 100 + at for at, name in enumerate(by_position) if at >= first_default}
    defaults |= {name: 200 + at for at, name in enumerate(by_name) if choose.random() < 0.5}
    star = choose.random() < 0.3
    texts = [f"{name}={defaults[name]}" if name in defaults else name for name in by_position]
    if slash:
        texts.insert(slash, "/")
    if star:
        texts.append("*more")
    elif by_name:
        texts.append("*")
    texts += [f"{name}={defaults[name]}" if name in defaults else name for name in by_name]
    return ", ".join(texts), by_position, defaults, by_name, star


@pytest.mark.parametrize("seed", range(120))
def test_d1a_random_signatures_get_each_argument_under_its_name(seed: int) -> None:
    choose = random.Random(seed)
    names = ["a", "b", "c", "d"][: choose.randint(1, 4)]
    text, by_position, defaults, by_name, star = random_parameters(names, choose)
    count = choose.randint(sum(name not in defaults for name in by_position), len(by_position))
    passed = [1000 + at for at in range(count)]
    given = dict(zip(by_position, passed, strict=False))
    extra = (
        [choose.randint(2000, 2999) for _ in range(choose.randint(0, 2))] if star and count == len(by_position) else []
    )
    keywords = {name: choose.randint(3000, 3999) for name in by_name if name not in defaults or choose.random() < 0.5}
    given |= keywords
    calls: list[Any] = []

    def tool_of(engine: Engine, parameters: str) -> Any:
        scope: dict[str, Any] = {"calls": calls}
        exec(f"def work({parameters}):\n    calls.append(dict(locals()))\n", scope)
        return engine.tool(effect="write", version=1, name="work")(scope["work"])

    engine = Engine(observers=[])
    work = tool_of(engine, text)
    engine.set_agent(lambda task: work(*passed, *extra, **keywords))
    assert engine("task").learned
    later = [*names, "new"] if choose.random() < 0.3 else names
    if choose.random() < 0.2:
        later = later[1:]
    now, _, now_defaults, _, now_star = random_parameters(later, choose)
    tool_of(engine, now)
    engine.set_agent(lambda task: None)
    calls.clear()
    outcome = engine("task")
    fits = set(given) <= set(later) and all(name in given or name in now_defaults for name in later)
    if not fits or (extra and not now_star):
        assert outcome.reason is Reason.TOOL_CHANGED, (text, now)
        assert calls == []
        return
    expected = {name: given.get(name, now_defaults.get(name)) for name in later}
    assert outcome, (text, now, outcome.message)
    assert calls == [expected | ({"more": tuple(extra)} if now_star else {})], (text, now)
