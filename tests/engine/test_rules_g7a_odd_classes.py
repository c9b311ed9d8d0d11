"""G7a: a value whose `__class__` raises costs the recording at most, never the run."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from muscle_mem import Check, Engine, Secret, current_run


class Odd:
    """A proxy of something that is gone."""

    @property
    def __class__(self) -> Any:
        raise RuntimeError("the object is gone")

    @__class__.setter
    def __class__(self, value: Any) -> None: ...


class OddPage(Odd):
    """Filled with a tool by the test."""


class Bench:
    def __init__(self, **options: Any) -> None:
        self.engine = Engine(**options)
        self.odd = Odd()

        @self.engine.tool(effect="read")
        def give() -> Any:
            return self.odd

        @self.engine.tool(effect="read")
        def nested() -> Any:
            return {"x": [self.odd], "id": 4711}

        @self.engine.tool
        def take(x: Any = None, **more: Any) -> str:
            return "ok"

        @self.engine.tool
        async def agive() -> Any:
            return self.odd

        self.give, self.nested, self.take, self.agive = give, nested, take, agive


AGENTS: dict[str, Callable[[Bench], Any]] = {
    "an output": lambda b: (b.give(), b.take("a"), "v")[2],
    "in an output": lambda b: (b.nested(), b.take("a"), "v")[2],
    "an output passed on": lambda b: (b.take(b.give()), "v")[1],
    "a part passed on": lambda b: (b.take(b.nested()["x"][0]), "v")[1],
    "an argument": lambda b: (b.take(Odd()), "v")[1],
    "an argument by name": lambda b: (b.take(x=Odd()), "v")[1],
    "in **more": lambda b: (b.take(q=Odd()), "v")[1],
    "in an argument": lambda b: (b.take([Odd(), {"y": Odd()}]), "v")[1],
    "beside a secret": lambda b: (b.take(Odd()), b.take(Secret("hunter22")), "v")[2],
    "a secret and an output": lambda b: (b.give(), b.take(Secret("hunter22")), "v")[2],
    "tokens": lambda b: (current_run().report_tokens(Odd()), b.take("a"), "v")[2],  # type: ignore[union-attr,arg-type]
}


@pytest.mark.parametrize("agent", AGENTS.values(), ids=AGENTS)
@pytest.mark.parametrize("mode", ["auto", "record", "shadow", "frozen"])
def test_g7a_an_odd_value_in_a_run(agent: Callable[[Bench], Any], mode: Any) -> None:
    bench = Bench()
    bench.engine.set_agent(lambda task: agent(bench))
    for _ in range(2):
        outcome = bench.engine("t", secrets={"p": "hunter22"})
        assert outcome or outcome.value == "v"
    outcome = bench.engine("t", secrets={"p": "hunter22"}, mode=mode)
    assert outcome or outcome.value == "v"
    bench.engine.explain("t", secrets={"p": "hunter22"})


@pytest.mark.parametrize(
    "options",
    [
        {"args": (Odd(),)},
        {"args": ([Odd()],)},
        {"named": Odd()},
        {"params": {"p": Odd()}},
        {"params": {"p": [Odd()], "q": "Ann Lee"}},
        {"context": Odd()},
        {"secrets": {"p": Odd()}},
        {"tags": ["a"], "key": "k", "params": {"p": Odd()}},
    ],
    ids=["argument", "in argument", "by name", "param", "in param", "context", "secret", "key"],
)
def test_g7a_an_odd_value_at_the_call(options: dict[str, Any]) -> None:
    bench = Bench()
    bench.engine.set_agent(lambda task, *args, named=None: (bench.take("Ann Lee"), "v")[1])
    args = options.pop("args", ())
    for _ in range(2):
        outcome = bench.engine("t", *args, **options)
        assert outcome or outcome.value == "v"


def test_g7a_an_odd_value_of_the_agent_and_of_async_tools() -> None:
    bench = Bench()

    async def agent(task: str) -> Any:
        await bench.agive()
        return bench.odd

    bench.engine.set_agent(agent)
    for _ in range(2):
        outcome = asyncio.run(bench.engine.acall("t"))
        assert outcome.value is bench.odd
    assert outcome


@pytest.mark.parametrize("post", [False, True])
def test_g7a_odd_snapshots_and_verdicts(post: bool) -> None:
    for capture, compare in [
        (Odd, None),
        (Odd, lambda now, then: True),
        (lambda: [Odd()], None),
        (lambda: 1, lambda now, then: Odd()),
    ]:
        engine = Engine()
        check = Check(capture, compare)
        options: dict[str, Any] = {"post_check": check} if post else {"pre_check": check}

        @engine.tool(**options)
        def act() -> int:
            return 1

        engine.set_agent(lambda task: act())
        for _ in range(2):
            outcome = engine("t")
            assert not outcome.learned
            assert outcome.value == 1


def test_g7a_a_snapshot_that_is_odd_today_is_a_refusal() -> None:
    engine, seen = Engine(), [1]

    @engine.tool(pre_check=Check(lambda: seen[0], lambda now, then: now == then))
    def act() -> int:
        return 1

    engine.set_agent(lambda task: act())
    engine("t")
    seen[0] = Odd()  # type: ignore[call-overload]
    outcome = engine("t")
    assert (outcome.status, outcome.value) == ("miss", 1)


@pytest.mark.parametrize("callback", ["success", "result", "approve"])
def test_g7a_odd_answers_of_callbacks(callback: str) -> None:
    bench = Bench(**{callback: lambda *_: Odd()})
    bench.engine.set_agent(lambda task: bench.give())
    bench.engine("t")
    assert bench.engine("t")


def test_g7a_an_odd_value_in_a_session() -> None:
    bench = Bench()
    session = bench.engine.session("t")
    session.next()
    for tool, arguments in ((bench.give, {}), (bench.take, {"x": Odd()})):
        session.said([(tool, arguments)])
        call: Any = session.next()
        session.done(call, Odd())
        session.next()
    session.said([], value=Odd())
    session.next()
    assert session.outcome is not None


def test_g7a_an_odd_context_object_of_a_method_tool() -> None:
    engine = Engine()

    class Page(OddPage):
        @engine.tool
        def click(self, x: str) -> str:
            return x

    page = Page()
    engine.set_context(page)
    engine.set_agent(lambda task: page.click("here"))
    engine("t")
    assert engine("t")


def test_g7a_observers_are_told_of_odd_values() -> None:
    events: list[str] = []

    def observe(event: Any) -> None:
        events.append(repr(event))

    observe.wants_steps = True  # type: ignore[attr-defined]
    bench = Bench(observers=[observe])
    bench.engine.set_agent(lambda task: (bench.take("a"), bench.give())[1])
    bench.engine("t")
    assert bench.engine("t")
    assert events
