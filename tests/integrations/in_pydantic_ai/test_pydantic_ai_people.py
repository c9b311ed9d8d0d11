"""Approvals of pydantic-ai: what needs a person's word needs it on a hit, too."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from types import MappingProxyType
from typing import Any

import pytest

pytest.importorskip("pydantic_ai.capabilities", reason="pydantic-ai is not installed")

from pydantic_ai import Agent, DeferredToolRequests, DeferredToolResults, Tool, ToolApproved, ToolDenied
from pydantic_ai.capabilities import HandleDeferredToolCalls
from pydantic_ai.messages import ModelMessagesTypeAdapter

from agents_of_pydantic_ai import OPEN_THE_DRAWER, Office, Script, hit, learned
from muscle_mem import Reason
from muscle_mem.events import RunEvent
from muscle_mem.integrations._shared import CallNotMadeError
from paths import SUPPORT


def careful(office: Office, script: Script, *capabilities: Any) -> Agent[Any, Any]:
    """An agent whose `change` needs approval."""
    tools = [office.look, Tool(office.change, requires_approval=True), office.note]
    return office.agent(script, *capabilities, tools=tools, output_type=[str, DeferredToolRequests])


def decide(agent: Agent[Any, Any], result: Any, word: Any) -> Any:
    """Give the word of a person about the one call that waits for it."""
    assert isinstance(result.output, DeferredToolRequests)
    (call,) = result.output.approvals
    given = DeferredToolResults(approvals={call.tool_call_id: word})
    return agent.run_sync(message_history=result.all_messages(), deferred_tool_results=given)


def learn(office: Office, agent: Agent[Any, Any]) -> None:
    with office.engine.task("open the drawer") as task:
        result = decide(agent, agent.run_sync("open the drawer"), True)
    assert result.output == "The drawer is open."
    learned(task.outcome)
    assert [name for name, _ in office.made] == ["look", "change", "note"]
    office.reset()


@pytest.mark.scenario("approval")
def test_a_hit_asks_for_the_approval_that_the_framework_asks_for() -> None:
    office, script = Office(), Script(*OPEN_THE_DRAWER)
    agent = careful(office, script)
    learn(office, agent)
    with office.engine.task("open the drawer") as task:
        waiting = agent.run_sync("open the drawer")
        assert [name for name, _ in office.made] == ["look"]
        assert waiting.output.approvals[0].args_as_dict() == {"thing": "drawer", "state": "open"}
        assert decide(agent, waiting, True).output == "The drawer is open."
    hit(task.outcome)
    assert script.asked == 4


@pytest.mark.scenario("denied", "approval")
def test_a_no_of_a_person_is_not_held_against_the_recording() -> None:
    office, script = Office(), Script(*OPEN_THE_DRAWER)
    agent = careful(office, script)
    learn(office, agent)
    script.lines = (*OPEN_THE_DRAWER[:2], "As you wish.")
    for _ in range(3):  # two failures in a row would quarantine it
        with office.engine.task("open the drawer") as task:
            result = decide(agent, agent.run_sync("open the drawer"), ToolDenied("not today"))
        assert result.output == "As you wish."
        assert task.outcome is not None
        assert (task.outcome.status, task.outcome.reason) == ("diverged", Reason.REFUSED_BY_PERSON)
    assert [name for name, _ in office.made] == ["look"] * 3
    office.reset()
    script.lines = OPEN_THE_DRAWER
    asked = script.asked
    with office.engine.task("open the drawer") as task:
        waiting = agent.run_sync("open the drawer")  # asks again
        assert decide(agent, waiting, True).output == "The drawer is open."
    hit(task.outcome)
    assert script.asked == asked


@pytest.mark.scenario("denied")
def test_a_run_with_a_no_is_not_learned() -> None:
    office = Office()
    script = Script(*OPEN_THE_DRAWER[:2], OPEN_THE_DRAWER[2], "It stays locked.")
    agent = careful(office, script)
    with office.engine.task("open the drawer") as task:
        result = decide(agent, agent.run_sync("open the drawer"), ToolDenied("never"))
    assert result.output == "It stays locked."
    assert [name for name, _ in office.made] == ["look", "note"]
    assert task.outcome is not None
    assert task.outcome.not_learned == "unlearnable"
    office.reset()
    again = careful(office, Script(*OPEN_THE_DRAWER))
    with office.engine.task("open the drawer") as task:
        decide(again, again.run_sync("open the drawer"), True)  # the person is asked again
    assert task.outcome is not None
    assert task.outcome.learned
    assert [name for name, _ in office.made] == ["look", "change", "note"]


@pytest.mark.scenario("approval")
def test_arguments_that_a_person_changed_are_not_those_of_the_recording() -> None:
    office, script = Office(), Script(*OPEN_THE_DRAWER)
    agent = careful(office, script)
    learn(office, agent)
    word = ToolApproved(override_args={"thing": "drawer", "state": "ajar"})
    asked = script.asked
    with office.engine.task("open the drawer") as task:
        result = decide(agent, agent.run_sync("open the drawer"), word)
    assert result.output == "The drawer is open."
    assert office.made[1] == ("change", ("drawer", "ajar"))
    assert task.outcome is not None
    assert (task.outcome.status, task.outcome.learned) == ("diverged", False)
    assert script.asked == asked + 2  # the rest of the task
    office.reset()
    with office.engine.task("another task") as task:
        decide(agent, agent.run_sync("another task"), word)
    assert task.outcome is not None
    assert not task.outcome.learned


@pytest.mark.scenario("approval", "denied")
@pytest.mark.parametrize("word", [True, ToolDenied("not today")], ids=["yes", "no"])
def test_a_word_that_is_given_inside_of_the_run_counts(word: Any) -> None:
    office, script = Office(), Script(*OPEN_THE_DRAWER)
    asked: list[str] = []

    async def answer(ctx: Any, requests: DeferredToolRequests) -> DeferredToolResults:
        asked.extend(call.tool_name for call in requests.approvals)
        given = word if len(asked) > 1 else True
        return DeferredToolResults(approvals={call.tool_call_id: given for call in requests.approvals})

    tools = [office.look, Tool(office.change, requires_approval=True), office.note]
    agent = office.agent(script, office.memory(), HandleDeferredToolCalls(answer), tools=tools)
    office.learn(agent)
    with office.engine.task("open the drawer") as task:
        agent.run_sync("open the drawer")
    assert asked == ["change", "change"]
    if word is True:
        hit(task.outcome)
    else:
        assert task.outcome is not None
        assert task.outcome.reason == Reason.REFUSED_BY_PERSON


@pytest.mark.scenario("approved_later", "state_changed")
@pytest.mark.parametrize("weather", ["calm", "stormy"])
def test_an_approval_after_the_block_goes_on_with_its_run(weather: str) -> None:
    office, script = Office(), Script(*OPEN_THE_DRAWER)
    agent = careful(office, script)
    learn(office, agent)
    with office.engine.task("open the drawer") as task:
        waiting = agent.run_sync("open the drawer")
    assert task.outcome is None
    assert task.suspended
    office.weather = weather  # while the person was thinking
    result = decide(agent, waiting, True)
    assert result.output == "The drawer is open."
    assert not task.suspended
    names = [name for name, _ in office.made]
    if weather == "calm":
        hit(task.outcome)
        assert script.asked == 4
        assert names == ["look", "change", "note"]
    else:
        assert task.outcome is not None
        assert (task.outcome.status, task.outcome.reason) == ("diverged", Reason.CHECK_REFUSED)
        assert names == ["look", "note"]  # the model went on without it


@pytest.mark.scenario("approved_later", "tool_raises")
def test_a_tool_that_raises_after_a_later_approval_ends_its_run() -> None:
    office, script = Office(), Script(*OPEN_THE_DRAWER)
    agent = careful(office, script)
    learn(office, agent)
    with office.engine.task("open the drawer") as task:
        waiting = agent.run_sync("open the drawer")
    assert task.suspended
    office.things = MappingProxyType({"drawer": "locked"})  # type: ignore[assignment]
    with pytest.raises(TypeError, match="mappingproxy"):
        decide(agent, waiting, True)
    assert not task.suspended
    ended = [each for each in office.events if isinstance(each, RunEvent)]
    assert ended[-1].status == "raised"


@pytest.mark.scenario("approved_later", "error_as_text")
@pytest.mark.parametrize("kind", ["a result", "a failure"])
def test_a_tool_that_is_made_outside_gives_its_result_later(kind: str) -> None:
    from pydantic_ai import ExternalToolset, ModelRetry, ToolDefinition

    office, script = Office(), Script([("ship", {})], OPEN_THE_DRAWER[0], "Shipped.")
    external = ExternalToolset([ToolDefinition(name="ship", parameters_json_schema={"type": "object"})])
    agent = office.agent(script, tools=[office.look], toolsets=[external], output_type=[str, DeferredToolRequests])

    def ship(result: Any) -> Any:
        waiting = agent.run_sync("ship it")
        (call,) = waiting.output.calls
        given = DeferredToolResults(calls={call.tool_call_id: result})
        return agent.run_sync(message_history=waiting.all_messages(), deferred_tool_results=given).output

    for _ in range(2):
        with office.engine.task("ship it") as task:
            assert ship("on its way") == "Shipped."
    hit(task.outcome)
    assert script.asked == 3
    if kind == "a failure":
        with office.engine.task("ship it") as task:
            ship(ModelRetry("no ship"))
        assert task.outcome is not None
        assert (task.outcome.status, task.outcome.reason) == ("diverged", Reason.TOOL_RAISED)
        assert task.outcome.divergence is not None
        assert not isinstance(task.outcome.divergence.error, CallNotMadeError)
        assert script.asked > 3


@pytest.mark.scenario("checkpoint")
def test_a_run_resumed_from_stored_messages_goes_on_where_it_was() -> None:
    office, script = Office(), Script(*OPEN_THE_DRAWER)
    agent = careful(office, script)
    learn(office, agent)
    with office.engine.task("open the drawer") as task:
        waiting = agent.run_sync("open the drawer")
    stored = waiting.all_messages_json()
    (call,) = waiting.output.approvals
    another = careful(office, script, *agent_memory(agent))  # the same memory, as in another request of a server
    result = another.run_sync(
        message_history=ModelMessagesTypeAdapter.validate_json(stored),
        deferred_tool_results=DeferredToolResults(approvals={call.tool_call_id: True}),
    )
    assert result.output == "The drawer is open."
    hit(task.outcome)
    assert script.asked == 4


def agent_memory(agent: Agent[Any, Any]) -> list[Any]:
    from muscle_mem.integrations.pydantic_ai import MuscleMemory

    found: list[Any] = []
    agent.root_capability.apply(lambda each: found.append(each) if isinstance(each, MuscleMemory) else None)
    return found


ELSEWHERE = """
import sys
from pathlib import Path
from pydantic_ai import DeferredToolResults
from pydantic_ai.messages import ModelMessagesTypeAdapter
from agents_of_pydantic_ai import OPEN_THE_DRAWER, Office, Script
sys.path.insert(0, {tests!r})
from test_pydantic_ai_people import careful

office, script = Office(store={store!r}), Script(*OPEN_THE_DRAWER)
agent = careful(office, script)
messages = ModelMessagesTypeAdapter.validate_json(Path({stored!r}).read_text())
result = agent.run_sync(
    message_history=messages, deferred_tool_results=DeferredToolResults(approvals={{{call!r}: True}})
)
assert result.output == "The drawer is open.", result.output
assert [name for name, _ in office.made] == ["change", "note"], office.made
assert script.asked == 2, script.asked
"""


@pytest.mark.scenario("approved_elsewhere")
def test_an_approval_in_another_process_is_left_to_the_model(tmp_path: Path) -> None:
    store, stored = str(tmp_path / "memory.db"), tmp_path / "messages.json"
    office, script = Office(store=store), Script(*OPEN_THE_DRAWER)
    agent = careful(office, script)
    learn(office, agent)
    waiting = agent.run_sync("open the drawer")
    (call,) = waiting.output.approvals
    stored.write_bytes(waiting.all_messages_json())
    code = ELSEWHERE.format(tests=str(Path(__file__).parent), store=store, stored=str(stored), call=call.tool_call_id)
    path = ":".join([str(SUPPORT), *(each for each in sys.path if each)])
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code],
        capture_output=True,
        text=True,
        env={"PYTHONPATH": path},
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
