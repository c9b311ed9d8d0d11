"""What goes wrong around a run of LangChain: runs that end early, surroundings that the middleware leaves alone."""

from __future__ import annotations

import asyncio
import importlib
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("langchain.agents.middleware", reason="langchain is not installed: pip install langchain")

import langchain
from langchain.agents import create_agent
from langchain.agents.middleware import ModelCallLimitMiddleware, ToolCallLimitMiddleware
from langchain_core.tools import tool
from langgraph.errors import GraphRecursionError

import muscle_mem.integrations.langchain as adapter
from langchain_desk import ANSWER, TASK, Desk, asked_for, last, params
from langchain_model import ScriptedModel
from muscle_mem import Engine, Missed
from muscle_mem.errors import MissingExtraError

MADE = ["find_order", "refund", "write"]
DONE = ANSWER.format(order="A-1001", customer="Ada")


def run(desk: Desk, model: Any = None, **options: Any) -> tuple[Any, Any]:
    with desk.engine.task(TASK, params=params()) as task:
        result = desk.agent(model or desk.model(), **options).invoke(asked_for())
    return task.outcome, result


def notices(desk: Desk, code: str) -> list[str]:
    return [event.message for event in desk.events if getattr(event, "code", "") == code]


def learns_and_hits(desk: Desk) -> None:
    """The engine is as before: it learns, and then it hits."""
    desk.reset()
    outcome, _ = run(desk)
    assert outcome.learned, outcome
    desk.reset()
    model = desk.model()
    outcome, _ = run(desk, model)
    assert outcome, outcome
    assert not model.asked


@pytest.mark.scenario("no_run")
def test_a_block_around_an_agent_without_the_middleware_says_so_once() -> None:
    desk = Desk()
    agent = create_agent(desk.model(), desk.tools)
    with desk.engine.task(TASK, params=params()) as task:
        agent.invoke(asked_for())
    assert task.outcome is None
    assert len(notices(desk, "no_run")) == 1
    assert "middleware" in notices(desk, "no_run")[0]


@pytest.mark.scenario("old_framework")
@pytest.mark.parametrize("installed", [True, False])
def test_a_version_without_middleware_is_an_error_that_names_both_versions(
    installed: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(langchain, "__version__", "0.3.30")
    monkeypatch.delitem(sys.modules, f"{adapter.__name__}.middleware")
    monkeypatch.setitem(sys.modules, "langchain.agents.middleware.types", None)
    if not installed:
        monkeypatch.setitem(sys.modules, "langchain", None)
    with pytest.raises(MissingExtraError, match=r"1\.0") as raised:
        importlib.reload(adapter)
    assert ("0.3.30" if installed else "no langchain") in str(raised.value)
    assert isinstance(raised.value, ImportError)


@pytest.mark.scenario("abandoned")
def test_a_run_that_is_left_in_the_middle_is_not_learned() -> None:
    desk = Desk()
    with desk.engine.task(TASK, params=params()) as task:
        for chunk in desk.agent(desk.model()).stream(asked_for()):
            if "tools" in chunk:
                break
    assert desk.engine.cache_info().learned == 0
    assert task.outcome is None
    learns_and_hits(desk)


@pytest.mark.scenario("abandoned", "async")
@pytest.mark.parametrize("replayed", [False, True])
def test_an_async_stream_that_is_left_in_the_middle_is_not_learned(replayed: bool) -> None:
    desk = Desk()
    if replayed:
        assert run(desk)[0].learned
        desk.reset()
    before = desk.engine.cache_info()

    async def leave() -> Any:
        async with desk.engine.task(TASK, params=params()) as task:
            stream = desk.agent(desk.model()).astream(asked_for())
            async for chunk in stream:
                if "tools" in chunk:
                    break
            await stream.aclose()
        return task

    asyncio.run(leave())
    after = desk.engine.cache_info()
    assert (after.learned, after.hits) == (before.learned, before.hits)
    assert desk.made() == ["find_order"]
    desk.reset()
    assert last(run(desk)[1]) == DONE


@pytest.mark.scenario("cancelled")
@pytest.mark.parametrize("replayed", [False, True])
def test_a_cancelled_run_is_not_learned_and_the_cancellation_passes(replayed: bool) -> None:
    desk = Desk()
    if replayed:
        assert run(desk)[0].learned
        desk.reset()
    before = desk.engine.cache_info()
    began = asyncio.Event()

    @tool
    async def write(customer: str, text: str) -> str:
        """Write to a customer."""
        began.set()
        await asyncio.sleep(30)
        return "never"

    async def cancelled() -> None:
        async def work() -> None:
            async with desk.engine.task(TASK, params=params()):
                await desk.agent(desk.model(), tools=[desk.find_order, desk.refund, write]).ainvoke(asked_for())

        task = asyncio.create_task(work())
        await began.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(cancelled())
    after = desk.engine.cache_info()
    assert (after.learned, after.hits) == (before.learned, before.hits)
    learns_and_hits(Desk())


@pytest.mark.scenario("turn_limit")
@pytest.mark.parametrize("replayed", [False, True])
def test_the_error_of_a_run_over_its_turn_limit_passes_and_nothing_is_learned(replayed: bool) -> None:
    desk = Desk()
    if replayed:
        assert run(desk)[0].learned
        desk.reset()
    before = desk.engine.cache_info()
    with pytest.raises(GraphRecursionError), desk.engine.task(TASK, params=params()):
        desk.agent(desk.model()).invoke(asked_for(), {"recursion_limit": 4})
    after = desk.engine.cache_info()
    assert (after.learned, after.hits) == (before.learned, before.hits)
    desk.reset()
    model = desk.model()
    assert run(desk, model)[0] is not None
    assert last(run(desk)[1]) == DONE


@pytest.mark.scenario("turn_limit")
@pytest.mark.parametrize("place", ["first", "then"])
@pytest.mark.parametrize("limit", ["model calls", "tool calls"])
def test_a_run_that_other_middleware_limits_is_not_learned(place: str, limit: str) -> None:
    desk = Desk()
    limits = {"model calls": ModelCallLimitMiddleware(run_limit=2), "tool calls": ToolCallLimitMiddleware(run_limit=1)}
    options: dict[str, Any] = {place: [limits[limit]]}
    with desk.engine.task(TASK, params=params()):
        desk.agent(ScriptedModel(plan=[*desk.plan()[:2], "I had to stop."]), **options).invoke(asked_for())
    assert desk.made() == (["find_order", "refund"] if limit == "model calls" else ["find_order"])
    assert desk.engine.cache_info().learned == 0
    learns_and_hits(desk)


@pytest.mark.scenario("odd_results")
@pytest.mark.parametrize("asynchronous", [False, True])
def test_results_that_are_no_json_are_replayed(asynchronous: bool) -> None:
    desk = Desk()

    class Odd:
        def __str__(self) -> str:
            return "an odd thing"

    @tool
    def write(customer: str, text: str) -> Any:
        """Write to a customer."""
        desk.log.append(("write", customer))
        return Odd()

    @tool(response_format="content_and_artifact")
    def refund(order_id: str) -> Any:
        """Refund an order."""
        desk.log.append(("refund", order_id))
        return [{"type": "text", "text": "The money is on its way."}], Odd()

    desk.write, desk.refund = write, refund
    for asked in (4, 0):
        desk.reset()
        model = desk.model()
        if asynchronous:

            async def arun(model: Any = model) -> Any:
                async with desk.engine.task(TASK, params=params()) as task:
                    return task, await desk.agent(model).ainvoke(asked_for())

            task, result = asyncio.run(arun())
            outcome = task.outcome
        else:
            outcome, result = run(desk, model)
        assert len(model.asked) == asked, outcome
        assert desk.made() == MADE
        assert isinstance(result["messages"][4].artifact, Odd)


@pytest.mark.scenario("adapter_fails")
@pytest.mark.parametrize("where", ["_plan", "_heard", "_replayed"])
def test_a_failure_of_the_middleware_itself_is_one_event_and_the_run_goes_on(
    where: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk = Desk()

    def broken(*_: Any, **__: Any) -> Any:
        raise ZeroDivisionError("a mistake of ours")

    targets: dict[str, tuple[Any, str]] = {
        "_plan": (adapter.middleware, "to_messages"),
        "_heard": (adapter.middleware.AnswerForm, "read"),
        "_replayed": (adapter.middleware.AnswerForm, "write"),
    }
    if where == "_replayed":
        assert run(desk)[0].learned
        desk.reset()
    monkeypatch.setattr(*targets[where], broken)
    _, result = run(desk)
    assert last(result) == DONE
    assert desk.made() == MADE
    told = notices(desk, "adapter_failed")
    assert told
    assert "ZeroDivisionError" in told[0]
    assert where == "_replayed" or desk.engine.cache_info().learned == 0
    monkeypatch.undo()
    assert desk.engine.cache_info().hits <= 1
    learns_and_hits(Desk())


def test_replay_mode_raises_missed_to_the_user() -> None:
    desk = Desk()
    with pytest.raises(Missed), desk.engine.task(TASK, params=params(), mode="replay"):
        desk.agent(desk.model()).invoke(asked_for())
    assert not desk.log


def test_an_engine_that_is_off_leaves_the_agent_alone() -> None:
    desk = Desk(engine=Engine(mode="off"))
    for _ in range(2):
        model = desk.model()
        _, result = run(desk, model)
        assert len(model.asked) == 4
        assert last(result) == DONE


def test_importing_muscle_mem_imports_no_framework() -> None:
    program = textwrap.dedent("""
        import sys
        import muscle_mem
        from muscle_mem import Engine
        Engine()
        found = [name for name in sys.modules if name.split(".")[0] in ("langchain", "langchain_core", "langgraph")]
        assert not found, found
    """)
    paths = [str(Path(__file__).parents[3] / "src")]
    begin = f"import sys; sys.path[:0] = {paths!r}"
    done = subprocess.run([sys.executable, "-c", f"{begin}\n{program}"], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
