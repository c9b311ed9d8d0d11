"""People in a run of LangChain: approvals, a no, edits, interrupts and checkpoints."""

from __future__ import annotations

import asyncio
import json
import os
import pickle
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("langchain.agents.middleware", reason="langchain is not installed: pip install langchain")

from langchain.agents.middleware import HumanInTheLoopMiddleware
from langchain_core.messages import ToolMessage
from langchain_core.tools import tool
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.types import Command, interrupt

from langchain_desk import ANSWER, TASK, Desk, asked_for, calls_in, last, params
from langchain_model import ScriptedModel
from muscle_mem import Engine
from paths import ROOT

MADE = ["find_order", "refund", "write"]
THREAD: Any = {"configurable": {"thread_id": "1"}}
ORDERS = ["memory first", "memory last"]


def has_per_call() -> bool:
    try:
        HumanInTheLoopMiddleware({}, interrupt_mode="per_call")  # type: ignore[call-arg]
    except TypeError:
        return False
    return True


MODES = ["batched", *(["per_call"] if has_per_call() else [])]
ways = pytest.mark.parametrize("order", ORDERS)
modes = pytest.mark.parametrize("mode", MODES)


def approving(mode: str, **options: Any) -> HumanInTheLoopMiddleware[Any, Any, Any]:
    """Middleware that asks a person before the tool `refund`."""
    settings: dict[str, Any] = {} if mode == "batched" else {"interrupt_mode": mode}
    decisions: Any = {"allowed_decisions": ["approve", "edit", "reject", *(["respond"] if has_per_call() else [])]}
    return HumanInTheLoopMiddleware({"refund": decisions}, **settings, **options)


def decided(result: dict[str, Any], decision: dict[str, Any], mode: str) -> Command[Any]:
    """The command that resumes a run with a person's decision."""
    asked = result["__interrupt__"]
    return Command(resume={asked[0].id: decision} if mode == "per_call" else {"decisions": [decision]})


class Office:
    """An agent with a person who approves refunds, and a checkpointer."""

    def __init__(self, desk: Desk, model: Any, mode: str, order: str, **options: Any) -> None:
        person = approving(mode, **options)
        place: dict[str, Any] = {"then": [person]} if order == "memory first" else {"first": [person]}
        self.desk, self.mode, self.model = desk, mode, model
        self.agent = desk.agent(model, checkpointer=InMemorySaver(), **place)

    def begin(self) -> dict[str, Any]:
        return self.agent.invoke(asked_for(), THREAD)  # type: ignore[no-any-return]

    def go_on(self, result: dict[str, Any], decision: dict[str, Any]) -> dict[str, Any]:
        return self.agent.invoke(decided(result, decision, self.mode), THREAD)  # type: ignore[no-any-return]


def learned(desk: Desk, mode: str, order: str) -> None:
    office = Office(desk, desk.model(), mode, order)
    with desk.engine.task(TASK, params=params()) as task:
        asked = office.begin()
        assert "refund" not in desk.made()
        office.go_on(asked, {"type": "approve"})
    assert task.outcome is not None
    assert task.outcome.learned, task.outcome
    desk.reset()


@pytest.mark.scenario("approval", "checkpoint")
@modes
@ways
def test_a_tool_that_needs_approval_asks_on_a_hit(mode: str, order: str) -> None:
    desk = Desk()
    learned(desk, mode, order)
    office = Office(desk, desk.model(), mode, order)
    with desk.engine.task(TASK, params=params()) as task:
        asked = office.begin()
        assert asked["__interrupt__"]
        assert desk.made() == ["find_order"]
        result = office.go_on(asked, {"type": "approve"})
    assert task.outcome, task.outcome
    assert not office.model.asked
    assert desk.made() == MADE
    assert last(result) == ANSWER.format(order="A-1001", customer="Ada")


@pytest.mark.scenario("denied")
@modes
@ways
def test_a_no_of_a_person_stops_the_replay_and_does_not_count_against_the_recording(mode: str, order: str) -> None:
    desk = Desk()
    learned(desk, mode, order)
    office = Office(desk, ScriptedModel(plan=["I did not refund it."]), mode, order)
    with desk.engine.task(TASK, params=params()) as task:
        asked = office.begin()
        result = office.go_on(asked, {"type": "reject", "message": "Not today."})
    assert desk.made() == ["find_order"]
    assert last(result) == "I did not refund it."
    assert len(office.model.asked) == 1
    assert "Not today." in office.model.asked[0][-1].content
    assert task.outcome is not None
    assert task.outcome.status == "diverged"
    assert task.outcome.reason == "refused_by_person"


@pytest.mark.scenario("approval", "denied")
@modes
@ways
def test_after_a_no_the_next_run_is_a_hit_again_and_asks_again(mode: str, order: str) -> None:
    desk = Desk()
    learned(desk, mode, order)
    for _ in range(3):
        office = Office(desk, ScriptedModel(plan=["I did not refund it."]), mode, order)
        with desk.engine.task(TASK, params=params()):
            office.go_on(office.begin(), {"type": "reject"})
        desk.reset()
    office = Office(desk, desk.model(), mode, order)
    with desk.engine.task(TASK, params=params()) as task:
        asked = office.begin()
        assert asked["__interrupt__"]
        assert "refund" not in desk.made()
        office.go_on(asked, {"type": "approve"})
    assert task.outcome, task.outcome
    assert desk.made() == MADE


@pytest.mark.scenario("approval", "denied")
@modes
@ways
@pytest.mark.parametrize("learned_before", [False, True])
def test_a_no_is_not_learned_so_the_next_run_asks_again(mode: str, order: str, learned_before: bool) -> None:
    """What the model does instead is not what it does if the person says yes."""
    desk = Desk()
    if learned_before:
        learned(desk, mode, order)
    plan = desk.plan()

    def instead(messages: Any) -> Any:
        said_no = any(getattr(message, "status", "") == "error" for message in messages)
        return [("write", {"customer": "Ada", "text": "We are sorry."})] if said_no else plan[2](messages)

    for decision in ("reject", "approve"):
        office = Office(desk, ScriptedModel(plan=[*plan[:2], instead, "Done."]), mode, order)
        with desk.engine.task(TASK, params=params()) as task:
            asked = office.begin()
            assert asked["__interrupt__"], "the person is asked"
            office.go_on(asked, {"type": decision})
        assert desk.made() == (["find_order", "write"] if decision == "reject" else MADE)
        assert task.outcome is not None
        if decision == "reject":
            assert task.outcome.not_learned == "unlearnable"
        desk.reset()


@pytest.mark.scenario("state_changed")
@modes
@ways
def test_a_refund_that_was_made_while_a_person_thought_is_not_made_again(mode: str, order: str) -> None:
    desk = Desk()
    learned(desk, mode, order)
    office = Office(desk, ScriptedModel(plan=["It was refunded by phone."]), mode, order)
    with desk.engine.task(TASK, params=params()) as task:
        asked = office.begin()
        assert asked["__interrupt__"]
        time.sleep(0.06)  # A person thinks, and a verdict is trusted for a twentieth of a second.
        desk.status["A-1001"] = "refunded by phone"
        result = office.go_on(asked, {"type": "approve"})
    assert "refund" not in desk.made()
    assert last(result) == "It was refunded by phone."
    assert task.outcome is not None
    assert task.outcome.reason == "check_refused"


@pytest.mark.scenario("approved_later")
@modes
@ways
@pytest.mark.parametrize("inside", [False, True])
def test_approved_after_the_block_the_run_goes_on_and_its_outcome_reaches_the_task(
    mode: str, order: str, inside: bool
) -> None:
    desk = Desk()
    learned(desk, mode, order)
    office = Office(desk, desk.model(), mode, order)
    with desk.engine.task(TASK, params=params()) as task:
        asked = office.begin()
    assert task.outcome is None
    assert task.suspended
    if inside:
        with desk.engine.task("another task") as other:
            result = office.go_on(asked, {"type": "approve"})
        assert other.outcome is None
    else:
        result = office.go_on(asked, {"type": "approve"})
    assert not office.model.asked
    assert desk.made() == MADE
    assert last(result) == ANSWER.format(order="A-1001", customer="Ada")
    assert not task.suspended
    assert task.outcome


@pytest.mark.scenario("approved_later", "async")
@modes
def test_approved_after_an_async_block(mode: str) -> None:
    desk = Desk()
    learned(desk, mode, "memory first")
    office = Office(desk, desk.model(), mode, "memory first")

    async def run() -> Any:
        async with desk.engine.task(TASK, params=params()) as task:
            asked = await office.agent.ainvoke(asked_for(), THREAD)
        assert task.suspended
        await office.agent.ainvoke(decided(asked, {"type": "approve"}, mode), THREAD)
        return task

    task = asyncio.run(run())
    assert task.outcome
    assert not office.model.asked
    assert desk.made() == MADE


@modes
@ways
def test_a_call_that_a_person_edited_is_made_as_edited_and_not_learned(mode: str, order: str) -> None:
    edit = {"type": "edit", "edited_action": {"name": "refund", "args": {"order_id": "B-2002"}}}
    desk = Desk()
    office = Office(desk, desk.model(), mode, order, **({"edit_notice": None} if has_per_call() else {}))
    with desk.engine.task(TASK, params=params()) as task:
        office.go_on(office.begin(), edit)
    assert ("refund", "B-2002") in desk.log
    assert task.outcome is not None
    assert not task.outcome.learned
    desk.reset()
    learned(desk, mode, order)
    office = Office(desk, desk.model(), mode, order, **({"edit_notice": None} if has_per_call() else {}))
    with desk.engine.task(TASK, params=params()) as task:
        office.go_on(office.begin(), edit)
    assert ("refund", "B-2002") in desk.log
    assert ("refund", "A-1001") not in desk.log
    assert len(office.model.asked) == 2, "the model wrote the letter and the answer"
    assert task.outcome is not None
    assert task.outcome.reason == "refused_by_person"


@pytest.mark.skipif(not has_per_call(), reason="this version of LangChain has no answers in place of a tool")
@modes
@ways
def test_a_call_that_a_person_answered_in_place_of_the_tool_is_not_learned(mode: str, order: str) -> None:
    desk = Desk()
    office = Office(desk, desk.model(), mode, order)
    with desk.engine.task(TASK, params=params()) as task:
        office.go_on(office.begin(), {"type": "respond", "message": "I did it by hand."})
    assert "refund" not in desk.made()
    assert task.outcome is not None
    assert not task.outcome.learned


ELSEWHERE = """
import json, pickle
from pathlib import Path
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.types import Command
from langchain_desk import TASK, Desk, params
from muscle_mem import Engine
from test_langchain_people import THREAD, approving

desk = Desk(engine=Engine("memory.db"))
saver = InMemorySaver()
storage, writes, blobs = pickle.loads(Path("graph").read_bytes())
for thread, spaces in storage.items():
    saver.storage[thread].update(spaces)
saver.writes.update(writes)
saver.blobs.update(blobs)
model = desk.model()
agent = desk.agent(model, checkpointer=saver, then=[approving("batched")])
with desk.engine.task(TASK, params=params()) as task:
    agent.invoke(Command(resume={"decisions": [{"type": "approve"}]}), THREAD)
info = desk.engine.cache_info()
print(json.dumps([desk.made(), len(model.asked), str(task.outcome), info.learned, info.hits]))
desk.engine.close()
"""


@pytest.mark.scenario("approved_elsewhere")
def test_approved_in_another_process_the_results_are_foreign(tmp_path: Path) -> None:
    """The state of the graph goes to another process, which approves the call and makes it."""
    desk = Desk(engine=Engine(tmp_path / "memory.db"))
    learned(desk, "batched", "memory first")
    model, saver = desk.model(), InMemorySaver()
    with desk.engine.task(TASK, params=params()) as task:
        desk.agent(model, checkpointer=saver, then=[approving("batched")]).invoke(asked_for(), THREAD)
    assert task.suspended
    assert not model.asked
    desk.engine.close()
    storage = {thread: dict(spaces) for thread, spaces in saver.storage.items()}
    (tmp_path / "graph").write_bytes(pickle.dumps((storage, dict(saver.writes), dict(saver.blobs))))
    paths = [str(ROOT / "src"), str(ROOT / "tests" / "support"), str(Path(__file__).parent)]
    done = subprocess.run(
        [sys.executable, "-c", ELSEWHERE],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(paths)},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == [["refund", "write"], 2, "None", 0, 0]


@pytest.mark.scenario("checkpoint")
def test_an_interrupt_inside_a_tool_goes_on_where_it_was() -> None:
    desk = Desk()

    @tool
    def refund(order_id: str) -> str:
        """Refund an order, if a person says so."""
        word = interrupt({"refund": order_id})
        desk.log.append(("refund", order_id))
        return f"refunded {order_id}: {word}"

    desk.refund = refund
    for asked_times in (4, 0):
        desk.reset()
        model = desk.model()
        agent = desk.agent(model, checkpointer=InMemorySaver())
        with desk.engine.task(TASK, params=params()) as task:
            agent.invoke(asked_for(), THREAD)
            assert desk.made() == ["find_order"]
            agent.invoke(Command(resume="fine"), THREAD)
        assert len(model.asked) == asked_times
        assert desk.made() == MADE
        assert task.outcome is not None
        assert task.outcome.status == ("miss" if asked_times else "hit")


@pytest.mark.scenario("checkpoint")
def test_a_graph_that_stops_before_its_tools_goes_on_from_its_checkpoint() -> None:
    desk = Desk()
    for asked_times in (4, 0):
        desk.reset()
        model = desk.model()
        agent = desk.agent(model, checkpointer=InMemorySaver(), interrupt_before=["tools"])
        with desk.engine.task(TASK, params=params()) as task:
            result = agent.invoke(asked_for(), THREAD)
            while agent.get_state(THREAD).next:
                result = agent.invoke(None, THREAD)
        assert len(model.asked) == asked_times
        assert desk.made() == MADE
        assert last(result) == ANSWER.format(order="A-1001", customer="Ada")
        assert task.outcome is not None
        assert task.outcome.status == ("miss" if asked_times else "hit")


@pytest.mark.scenario("checkpoint")
def test_a_run_that_is_forked_from_an_older_checkpoint_passes_through() -> None:
    """Its results are those of a run that is over."""
    desk = Desk()
    with desk.engine.task(TASK, params=params()):
        desk.agent(desk.model()).invoke(asked_for())
    desk.reset()
    model = desk.model()
    agent = desk.agent(model, checkpointer=InMemorySaver())
    with desk.engine.task(TASK, params=params()) as task:
        agent.invoke(asked_for(), THREAD)
    assert task.outcome
    before = [state for state in agent.get_state_history(THREAD) if state.next == ("tools",)]
    result = agent.invoke(None, before[-1].config)
    assert calls_in(result["messages"])[0][0] == "find_order"
    assert any(isinstance(message, ToolMessage) for message in result["messages"])
    assert len(model.asked) == 3
