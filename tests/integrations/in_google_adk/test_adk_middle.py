"""What happens in the middle of a run of ADK: refusals, errors, people."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

pytest.importorskip("google.adk.plugins.base_plugin", reason="google-adk is not installed")

from google.adk.plugins.base_plugin import BasePlugin
from google.adk.tools import FunctionTool, LongRunningFunctionTool
from google.genai import types

from adk_desk import ALL, OPEN_THE_DRAWER, Office, Script, arun, run
from muscle_mem import Check, Secret
from muscle_mem.integrations.google_adk import MuscleMemoryPlugin, plugin


@pytest.mark.scenario("check_refuses")
def test_a_check_that_refuses_hands_over_with_the_history() -> None:
    office, script = Office(), Script(*OPEN_THE_DRAWER)
    agent = office.agent(script)
    office.learn(agent)
    office.weather = "stormy"
    with office.engine.task("open the drawer") as task:
        said = run(office.runner(agent), "open the drawer")
    assert (task.outcome.status, task.outcome.reason) == ("diverged", "check_refused")
    assert said.answer == "The drawer is open."
    assert office.made == ALL  # the model went on behind the first call
    assert script.asked == 4 + 3


class Between(BasePlugin):
    """Does something right before a tool is called, ahead of the memory."""

    def __init__(self, tool: str, action: Any) -> None:
        super().__init__("between")
        self.tool = tool
        self.action = action

    async def before_tool_callback(self, *, tool: Any, tool_args: dict[str, Any], tool_context: Any) -> Any:
        return self.action() if tool.name == self.tool else None


@pytest.mark.scenario("state_changed")
def test_a_state_that_changes_before_the_tool_stops_the_replayed_call() -> None:
    office, script = Office(), Script(*OPEN_THE_DRAWER[:3], lambda request: "I stop.")
    agent = office.agent(script)
    office.learn(agent)

    async def slowly() -> None:
        await asyncio.sleep(0.06)  # a verdict younger than this is not asked again
        office.weather = "stormy"

    class Slow(Between):
        async def before_tool_callback(self, *, tool: Any, tool_args: dict[str, Any], tool_context: Any) -> Any:
            if tool.name == self.tool:
                await slowly()

    plugins = [Slow("change", None), MuscleMemoryPlugin(office.engine)]
    with office.engine.task("open the drawer") as task:
        said = run(office.runner(agent, *plugins), "open the drawer")
    assert (task.outcome.status, task.outcome.reason) == ("diverged", "check_refused")
    assert ("change", ("drawer", "open")) not in office.made
    told = [
        part.function_response.response
        for event in said.events
        for part in event.content.parts
        if part.function_response
    ]
    assert "was not made" in told[1]["error"]


@pytest.mark.scenario("tool_raises")
def test_a_tool_that_raises_passes_its_exception_and_stops_the_replay() -> None:
    office, script = Office(), Script(*OPEN_THE_DRAWER)
    broken: list[bool] = []

    def change(thing: str, state: str) -> str:
        """Change a thing."""
        if broken:
            raise OSError("the key is gone")
        return "changed"

    agent = office.agent(script, [office.look, change, office.note])
    office.learn(agent)
    broken.append(True)
    with office.engine.task("open the drawer") as task, pytest.raises(OSError, match="the key is gone"):
        run(office.runner(agent), "open the drawer")
    assert task.outcome is None or task.outcome.status != "hit"
    broken.clear()
    with office.engine.task("open the drawer") as task:
        run(office.runner(agent), "open the drawer")
    assert office.made[-1] == ALL[-1]


@pytest.mark.scenario("error_as_text")
def test_a_result_with_an_error_counts_as_a_failed_call() -> None:
    office, script = Office(), Script(*OPEN_THE_DRAWER)
    broken: list[bool] = []

    def change(thing: str, state: str) -> dict[str, Any]:
        """Change a thing."""
        return {"error": "the key is gone"} if broken else {"state": state}

    agent = office.agent(script, [office.look, change, office.note])
    office.learn(agent)
    broken.append(True)
    with office.engine.task("open the drawer") as task:
        run(office.runner(agent), "open the drawer")
    assert task.outcome.status == "diverged"
    assert task.outcome.reason == "returned_error"
    assert script.asked == 4 + 2


@pytest.mark.scenario("model_error")
def test_an_error_of_the_model_passes_and_nothing_is_learned() -> None:
    office, broken = Office(), Script("never", error=ConnectionError("no line"))
    with office.engine.task("open the drawer") as task, pytest.raises(ConnectionError, match="no line"):
        run(office.runner(office.agent(broken)), "open the drawer")
    assert task.outcome is None or not task.outcome.learned
    script = Script(*OPEN_THE_DRAWER)
    office.learn(office.agent(script))
    assert script.asked == 4


@pytest.mark.scenario("unknown_tool")
def test_a_tool_that_is_no_longer_offered_is_a_miss_before_the_first_effect() -> None:
    office, script = Office(), Script(*OPEN_THE_DRAWER)
    office.learn(office.agent(script))
    other = Script("I cannot.")
    with office.engine.task("open the drawer") as task:
        run(office.runner(office.agent(other, [office.look, office.change])), "open the drawer")
    assert (task.outcome.status, task.outcome.reason) == ("miss", "tool_missing")
    assert (office.made, other.asked) == ([], 1)


@pytest.mark.scenario("rejoin")
def test_the_replay_takes_over_again_after_a_step_of_the_model() -> None:
    office, script = Office(), Script(*OPEN_THE_DRAWER)
    check = Check(lambda person, text: "quiet", version=1)

    async def note(person: str, text: str) -> str:
        """Note something for a person."""
        office.made.append(("note", (person, text)))
        return "noted"

    tool = office.engine.tool(name="note", effect="write", pre_check=check)(note)
    agent = office.agent(script, [office.look, office.change, tool])
    office.learn(agent)
    office.weather = "stormy"
    with office.engine.task("open the drawer") as task:
        said = run(office.runner(agent, rejoin=True), "open the drawer")
    assert office.made == ALL
    assert script.asked == 4 + 2  # the changed step, and the answer, since results differ from the recorded
    assert said.answer == "The drawer is open."
    assert task.outcome.status == "diverged"


def confirmed(events: list[Any], answer: bool) -> types.Content:
    """Answer the question that ADK asks a person."""
    (call,) = [
        call for event in events for call in event.get_function_calls() if call.name == "adk_request_confirmation"
    ]
    response = types.FunctionResponse(id=call.id, name=call.name, response={"confirmed": answer})
    return types.Content(role="user", parts=[types.Part(function_response=response)])


def with_a_person(office: Office, agent: Any, answer: bool, meanwhile: Any = lambda: None, **options: Any) -> Any:
    """Run an agent, and answer its question."""

    async def both() -> Any:
        runner = office.runner(agent, **options)
        session = await runner.session_service.create_session(app_name="office", user_id="u")
        said = await arun(runner, "open the drawer", session)
        assert office.made == ALL[:1]
        meanwhile()
        return await arun(runner, confirmed(said.events, answer), session)

    return asyncio.run(both())


@pytest.mark.scenario("approval", "approved_later")
def test_a_tool_that_needs_a_person_asks_on_a_hit_too() -> None:
    office, script = Office(), Script(*OPEN_THE_DRAWER)
    agent = office.agent(script, [office.look, FunctionTool(office.change, require_confirmation=True), office.note])
    for status in ("miss", "hit"):
        office.reset()
        with office.engine.task("open the drawer") as task:
            said = with_a_person(office, agent, True)
        assert said.answer == "The drawer is open."
        assert (task.outcome.status, office.made) == (status, ALL)
    assert script.asked == 4
    office.reset()
    with office.engine.task("open the drawer") as task:  # the block ends while a person thinks

        async def first() -> Any:
            runner = office.runner(agent)
            session = await runner.session_service.create_session(app_name="office", user_id="u")
            return runner, session, await arun(runner, "open the drawer", session)

        runner, session, said = asyncio.run(first())
    assert (task.outcome, task.suspended) == (None, True)
    said = asyncio.run(arun(runner, confirmed(said.events, True), session))
    assert (task.outcome.status, office.made, script.asked) == ("hit", ALL, 4)


def test_a_state_that_changes_while_a_person_thinks_stops_the_call() -> None:
    office, script = Office(), Script(*OPEN_THE_DRAWER)
    agent = office.agent(script, [office.look, FunctionTool(office.change, require_confirmation=True), office.note])
    with office.engine.task("open the drawer"):
        with_a_person(office, agent, True)
    office.reset()

    def later() -> None:
        office.weather = "stormy"

    with office.engine.task("open the drawer") as task:
        with_a_person(office, agent, True, later)
    assert (task.outcome.status, task.outcome.reason) == ("diverged", "check_refused")
    assert ALL[1] not in office.made


@pytest.mark.scenario("denied")
def test_a_person_who_refuses_stops_the_replay_and_counts_against_nothing() -> None:
    office, script = Office(), Script(*OPEN_THE_DRAWER)
    agent = office.agent(script, [office.look, FunctionTool(office.change, require_confirmation=True), office.note])
    with office.engine.task("open the drawer"):
        with_a_person(office, agent, True)
    office.reset()
    with office.engine.task("open the drawer") as task:
        with_a_person(office, agent, False)
    assert (task.outcome.status, task.outcome.reason) == ("diverged", "refused_by_person")
    assert not task.outcome.learned
    assert ALL[1] not in office.made
    office.reset()
    with office.engine.task("open the drawer") as task:
        with_a_person(office, agent, True)
    assert task.outcome.status == "hit"


def test_a_run_with_a_long_running_tool_is_not_learned() -> None:
    office = Office()

    def order(thing: str) -> dict[str, str]:
        """Order a thing; the answer comes later."""
        return {"status": "pending"}

    script = Script([("order", {"thing": "drawer"})], "It is ordered.")
    agent = office.agent(script, [LongRunningFunctionTool(order)])
    for _ in range(2):
        with office.engine.task("order") as task:
            run(office.runner(agent), "order a drawer")
        assert not task.outcome.learned
    assert script.asked >= 4


@pytest.mark.scenario("adapter_fails")
def test_a_failure_of_the_plugin_costs_the_run_and_nothing_else(monkeypatch: pytest.MonkeyPatch) -> None:
    office, script = Office(), Script(*OPEN_THE_DRAWER)

    def broken(*_: Any) -> Any:
        raise RuntimeError("a bug")

    for name in ("to_request", "usage_of"):
        with monkeypatch.context() as patch:
            patch.setattr(plugin, name, broken)
            office.reset()
            with office.engine.task("open the drawer") as task:
                assert run(office.runner(office.agent(script)), "open the drawer").answer == "The drawer is open."
            assert office.made == ALL
            assert task.outcome is None or not task.outcome.learned
    assert office.notices("adapter_failed")


@pytest.mark.scenario("secrets")
def test_secrets_are_not_stored_and_are_given_again() -> None:
    office = Office()
    script = Script(lambda request: [("note", {"person": "Ada", "text": "s3cr3t-77-x"})], "Done.")
    agent = office.agent(script)
    office.learn(agent, "send it", secrets={"code": Secret("s3cr3t-77-x")})
    with office.engine.task("open the drawer", secrets={"code": Secret("s3cr3t-77-x")}) as task:
        run(office.runner(agent), "send it")
    assert (task.outcome.status, script.asked) == ("hit", 2)
    assert office.made == [("note", ("Ada", "s3cr3t-77-x"))]
