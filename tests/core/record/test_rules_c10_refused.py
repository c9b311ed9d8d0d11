"""Rule C10: a parallel group that is refused, breaks off, or is repeated by a restarted agent."""

from __future__ import annotations

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from muscle_mem import Check, Engine, Reason
from muscle_mem.store import MemoryStore
from overlapping_calls import Bench


@pytest.fixture
def bench() -> Bench:
    return Bench()


def test_a_refused_member_is_a_miss_with_nothing_executed(bench: Bench) -> None:
    bench.gathers("a", "b")
    bench()
    bench.state["pre b"] = 1
    outcome = bench(mode="frozen")
    assert (outcome.status, outcome.reason) == ("miss", Reason.FIRST_CHECK_REFUSED)
    assert "parallel group" in outcome.message
    assert bench.log[:3] == ["pre a", "pre b", "agent"]


def test_explain_asks_all_that_open_the_group_and_tells_which_says_no() -> None:
    engine = Engine()
    meet = threading.Barrier(2, timeout=60)
    state = {"a": 0, "b": 0}
    act = engine.tool(name="act", pre_check=Check(lambda what: state[what]))(lambda what: meet.wait() and None)

    def agent(task: str) -> None:
        with ThreadPoolExecutor(2) as pool:
            list(pool.map(engine.bind(act), "ab"))

    assert engine.set_agent(agent)("t").learned
    assert engine.explain("t")
    for name in "ab":
        state.update({"a": 0, "b": 0, name: 1})
        explanation = engine.explain("t")
        assert explanation.reason is Reason.FIRST_CHECK_REFUSED
        (considered,) = explanation.considered
        assert (considered.first_step, considered.seen) == (f"act(what={name!r})", "1")


def test_a_refused_member_of_a_later_group_stops_at_the_groups_first_step(bench: Bench) -> None:
    async def plan() -> None:
        await bench.act("z")
        await asyncio.gather(bench.act("a"), bench.act("b"))

    bench.plan = plan
    bench()
    bench.state["pre b"] = 1
    outcome = bench()
    assert outcome.divergence is not None
    assert (outcome.divergence.step, outcome.divergence.tool, outcome.learned) == (1, "act", True)
    assert [entry for entry in bench.log if " " not in entry] == ["z", "agent", "a", "b"]
    assert bench()


@pytest.mark.parametrize("approved", [True, False])
def test_nothing_of_a_group_is_executed_whose_irreversible_member_is_not_approved(bench: Bench, approved: bool) -> None:
    pay = bench.tool("pay", effect="irreversible")

    async def plan() -> None:
        await asyncio.gather(bench.act("a"), pay("b"))

    bench.plan = plan
    bench()
    asked: list[str] = []
    outcome = bench(mode="frozen", approve=lambda step: asked.append(step.tool) or approved)
    assert outcome.reason is (Reason.HIT if approved else Reason.NOT_APPROVED)
    assert asked == ["pay"]
    replayed = bench.log[: bench.log.index("agent")] if "agent" in bench.log else bench.log
    assert [entry for entry in replayed if " " not in entry] == (["a", "b"] if approved else [])


class TwoWays:
    """A task with two recordings that begin with groups of different calls; `slides` are those whose checks refresh."""

    def __init__(self, slides: str) -> None:
        self.state: dict[str, Any] = {name: (name, 0) for name in "abcd"}
        self.log: list[str] = []
        self.store = MemoryStore()
        self.engine = Engine(self.store, observers=[lambda event: None])
        self.tools = {name: self._tool(name, name in slides) for name in "abcd"}
        for names in ("cd", "ab"):  # the group that was recorded last is preferred
            self.engine.set_agent(self._gathers(names))
            assert asyncio.run(self.engine.acall("t", mode="record")).learned
        self.log.clear()

    def _tool(self, name: str, refresh: bool) -> Any:
        async def fn() -> None:
            self.log.append(name)
            await asyncio.sleep(0)

        near = lambda now, then: now[0] == then[0] and abs(now[1] - then[1]) <= 1
        check = Check(lambda: self.state[name], near, refresh=refresh)
        return self.engine.tool(name=name, effect="write", pre_check=check)(fn)

    def _gathers(self, names: str) -> Any:
        async def agent(task: str) -> None:
            await asyncio.gather(*(self.tools[name]() for name in names))

        return agent

    def replay(self) -> Any:
        return asyncio.run(self.engine.acall("t", mode="replay"))


def test_what_a_refused_group_has_seen_is_not_held_against_another_recording() -> None:
    ways = TwoWays(slides="")
    ways.state["b"] = ("b", 9)
    assert ways.replay()
    assert ways.log == ["c", "d"]


@pytest.mark.parametrize(("slides", "rows"), [("a", 0), ("b", 0), ("abcd", 1), ("ad", 1)])
def test_what_a_refused_group_has_seen_refreshes_nothing(slides: str, rows: int) -> None:
    ways = TwoWays(slides)
    ways.state.update(a=("a", 1), b=("b", 9), c=("c", 1), d=("d", 1))
    assert ways.replay()
    assert ways.log == ["c", "d"]
    stored = ways.store.scan().stored
    assert sum(row.refresh for one in stored for _, row in one.observations) == rows
    ways.state.update(c=("c", 2 if "c" in slides else 1), d=("d", 2 if "d" in slides else 1))
    assert ways.replay()


@pytest.mark.parametrize("order", ["abc", "cba", "bca"])
def test_a_member_that_raises_stops_there_and_the_restarted_agent_repeats_nothing(bench: Bench, order: str) -> None:
    async def plan() -> Any:
        found = await asyncio.gather(*map(bench.act, order_now[0]), return_exceptions=True)
        return [repr(one) if isinstance(one, ValueError) else one["of"] for one in found]

    order_now = ["abc"]
    bench.plan = plan
    bench()
    bench.fails.add("b")
    order_now[0] = order
    outcome = bench()
    assert outcome.divergence is not None
    assert (outcome.reason, outcome.divergence.step) == (Reason.TOOL_RAISED, 1)
    assert [entry for entry in bench.log if " " not in entry] == ["a", "b", "agent", "c"]
    assert outcome.value == ["ValueError('b')" if name == "b" else name for name in order]
    assert outcome.not_learned is Reason.UNKNOWN_EFFECT


def test_a_group_whose_post_checks_were_not_all_asked_is_not_merged(bench: Bench) -> None:
    async def plan() -> None:
        await asyncio.gather(bench.act("a"), bench.look("b"), return_exceptions=True)
        await bench.act("c")

    bench.plan = plan
    bench()
    bench.fails.add("b")
    outcome = bench()
    assert outcome.reason is Reason.TOOL_RAISED
    assert outcome.not_learned is Reason.UNKNOWN_EFFECT
    assert "'act'" in outcome.not_learned_message


@pytest.mark.parametrize("order", ["ab", "ba"])
def test_a_restarted_agent_may_repeat_a_group_in_another_order(bench: Bench, order: str) -> None:
    bench.gathers("a", "b", then="c")
    bench()
    bench.state["pre c"] = 1
    bench.gathers(*order, then="c")
    outcome = bench()
    assert (outcome.status, outcome.learned) == ("diverged", True)
    assert [entry for entry in bench.log if " " not in entry] == ["a", "b", "agent", "c"]
    assert bench()


def test_an_agent_that_begins_again_with_any_member_of_the_first_group_is_not_merged(bench: Bench) -> None:
    bench.gathers("a", "b", then="c")
    bench()
    bench.state["pre c"] = 1
    bench.gathers("b", "a", then="c")
    assert bench(on_divergence="continue").not_learned is Reason.REPEATED_PREFIX
