"""What the plugin for ADK is for: the second run of a task is made without the model."""

from __future__ import annotations

import asyncio
import sys
from typing import Any

import pytest

pytest.importorskip("google.adk.plugins.base_plugin", reason="google-adk is not installed")

from google.adk.agents import LlmAgent
from google.adk.tools import FunctionTool, google_search
from google.genai import types
from pydantic import BaseModel

from adk_desk import ALL, OPEN_THE_DRAWER, TOKENS, Office, Script, arun, message, run, streaming
from muscle_mem import Engine
from muscle_mem.integrations.google_adk import MuscleMemoryPlugin


@pytest.mark.scenario("record", "hit", "async", "usage", "decorated_tools")
def test_the_second_run_of_a_task_is_made_without_the_model() -> None:
    office, script = Office(), Script(*OPEN_THE_DRAWER)
    agent = office.agent(script, [office.plain_look, office.change, office.note])
    with office.engine.task("open the drawer") as task:
        assert run(office.runner(agent), "open the drawer").answer == "The drawer is open."
    assert task.outcome.learned
    assert office.made == ALL
    assert script.asked == 4
    office.reset()
    with office.engine.task("open the drawer") as task:
        said = run(office.runner(agent), "open the drawer")
    assert (task.outcome.status, task.outcome.steps) == ("hit", 3)
    assert (said.answer, task.outcome.value_source) == ("The drawer is open.", "recorded")
    assert office.made == ALL
    assert script.asked == 4
    replayed = said.replayed()
    assert [event.custom_metadata["step"] for event in replayed] == [0, 1, 2, 3]
    assert {event.usage_metadata.total_token_count for event in replayed} == {0}
    assert {event.custom_metadata["trajectory_id"] for event in replayed} == {task.outcome.trajectory_id}
    assert task.outcome.saved_tokens == 4 * TOKENS


def test_without_a_block_the_prompt_is_the_task() -> None:
    office, script = Office(), Script(*OPEN_THE_DRAWER)
    runner = office.runner(office.agent(script))
    for _ in range(2):
        office.reset()
        assert run(runner, "open the drawer").answer == "The drawer is open."
        assert office.made == ALL
    assert script.asked == 4
    run(runner, "open the other drawer")
    assert script.asked == 8


@pytest.mark.scenario("sync")
def test_the_synchronous_runner_replays_too() -> None:
    office, script = Office(), Script(*OPEN_THE_DRAWER)
    runner = office.runner(office.agent(script))
    asyncio.run(runner.session_service.create_session(app_name="office", user_id="u", session_id="one"))
    asyncio.run(runner.session_service.create_session(app_name="office", user_id="u", session_id="two"))
    for session in ("one", "two"):
        office.reset()
        events = list(runner.run(user_id="u", session_id=session, new_message=message("open the drawer")))
        assert events[-1].content.parts[0].text == "The drawer is open."
        assert office.made == ALL
    assert script.asked == 4


@pytest.mark.scenario("hit_other_params")
def test_a_hit_with_other_params_uses_their_values() -> None:
    office = Office()

    def person_of(request: Any) -> str:
        return str(request.contents[0].parts[0].text.split(" for ")[1])

    script = Script(
        *OPEN_THE_DRAWER[:2], lambda request: [("note", {"person": person_of(request), "text": "It is done"})], "Done."
    )
    agent = office.agent(script)
    office.learn(agent, "open it for Ada", params={"person": "Ada"})
    with office.engine.task("open the drawer", params={"person": "Babbage"}) as task:
        run(office.runner(agent), "open it for Babbage")
    assert task.outcome.status == "hit"
    assert office.made[-1] == ("note", ("Babbage", "It is done"))
    assert script.asked == 4


@pytest.mark.scenario("parallel_calls")
def test_the_calls_of_one_turn_are_replayed_as_one_turn() -> None:
    office = Office()
    both = [("look", {"thing": "drawer"}), ("note", {"person": "Ada", "text": "soon"})]
    script = Script(both, "Both are done.")
    agent = office.agent(script)
    office.learn(agent)
    with office.engine.task("open the drawer") as task:
        said = run(office.runner(agent), "open the drawer")
    assert (task.outcome.status, script.asked) == ("hit", 2)
    assert [len(event.get_function_calls()) for event in said.replayed()] == [2, 0]
    assert sorted(office.made) == [("look", "drawer"), ("note", ("Ada", "soon"))]


@pytest.mark.scenario("streaming")
def test_a_streamed_run_is_learned_and_replayed() -> None:
    office, script = Office(), Script(*OPEN_THE_DRAWER)
    agent = office.agent(script)
    for status in ("miss", "hit"):
        office.reset()
        with office.engine.task("open the drawer") as task:
            said = run(office.runner(agent), "open the drawer", run_config=streaming())
        assert task.outcome.status == status
        assert (said.answer, office.made) == ("The drawer is open.", ALL)
    assert script.asked == 4


class Report(BaseModel):
    thing: str
    count: int


@pytest.mark.scenario("typed_answer")
def test_a_typed_answer_comes_back_and_another_schema_is_another_task() -> None:
    class Other(BaseModel):
        thing: str

    office, script = Office(), Script('{"thing": "drawer", "count": 3}')
    agent = office.agent(script, [], output_schema=Report, output_key="report")
    for _ in range(2):
        runner = office.runner(agent)
        said = run(runner, "count")
        assert Report.model_validate_json(said.answer) == Report(thing="drawer", count=3)
        assert said.events[-1].actions.state_delta["report"] == {"thing": "drawer", "count": 3}
    run(office.runner(office.agent(script, [], output_schema=Other)), "count")
    assert script.asked == 3  # answers without a tool call are the model's


@pytest.mark.scenario("hand_off")
def test_a_transfer_ends_one_recording_and_begins_another() -> None:
    office = Office()
    first = Script([("transfer_to_agent", {"agent_name": "opener"})])
    second = Script([("change", {"thing": "drawer", "state": "open"})], "The drawer is open.")
    opener = LlmAgent(name="opener", model=second, description="Opens things.", tools=[office.change])
    agent = LlmAgent(name="clerk", model=first, tools=[office.look], sub_agents=[opener])
    for _ in range(2):
        office.reset()
        with office.engine.task("open the drawer") as task:
            said = run(office.runner(agent), "open the drawer")
        assert (said.answer, office.made) == ("The drawer is open.", ALL[1:2])
        assert [event.author for event in said.events] == ["clerk", "clerk", "opener", "opener", "opener"]
    assert [outcome.status for outcome in task.outcomes] == ["hit", "hit"]
    assert (first.asked, second.asked) == (1, 2)


@pytest.mark.scenario("two_tasks")
def test_two_tasks_in_one_session_are_two_runs() -> None:
    office, script = Office(), Script(*OPEN_THE_DRAWER)
    runner = office.runner(office.agent(script))

    async def twice() -> list[Any]:
        session = await runner.session_service.create_session(app_name="office", user_id="u")
        found = []
        for prompt in ("open the drawer", "open it once more"):
            with office.engine.task("drawers") as task:
                await arun(runner, prompt, session)
            found.append(task.outcome.status)
            office.reset()
        return found

    assert asyncio.run(twice()) == ["miss", "miss"]
    assert asyncio.run(twice()) == ["hit", "hit"]
    assert script.asked == 8


@pytest.mark.scenario("twelve_at_once")
def test_twelve_runs_at_a_time_do_not_meet() -> None:
    office = Office()
    script = Script(lambda request: [("look", {"thing": request.contents[0].parts[0].text})], "Seen.")
    office.things.update({f"box {number}": "closed" for number in range(12)})
    runner = office.runner(office.agent(script))

    async def all_of_them() -> None:
        await asyncio.gather(*(arun(runner, f"box {number}") for number in range(12)))

    asyncio.run(all_of_them())
    asyncio.run(all_of_them())
    assert sorted(office.made) == sorted([("look", f"box {number}") for number in range(12)] * 2)
    assert script.asked == 24 - 2 * 12 + 24  # each is asked in its first run, and in none of its second


@pytest.mark.scenario("hosted_tools")
def test_an_agent_with_tools_of_the_provider_is_left_alone() -> None:
    office = Office()
    script = Script("I have searched.")
    script.model = "gemini-2.5-flash"
    agent = office.agent(script, [google_search])
    for _ in range(2):
        run(office.runner(agent), "search")
    assert script.asked == 2
    assert len(office.notices("left_alone")) == 2  # once for each plugin object


@pytest.mark.scenario("no_run")
def test_a_block_without_the_plugin_warns() -> None:
    office, script = Office(), Script("Hello.")
    from google.adk.runners import InMemoryRunner

    with office.engine.task("greet"):
        run(InMemoryRunner(agent=office.agent(script), app_name="office"), "hello")
    assert len(office.notices("no_run")) == 1


@pytest.mark.scenario("old_framework")
def test_without_the_framework_the_import_names_the_version(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in sys.modules if name.startswith("muscle_mem.integrations.google_adk")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "google.adk.plugins.base_plugin", None)
    with pytest.raises(ImportError, match=r"expected google-adk 2.* or later, got \d.*muscle-mem\[google-adk\]"):
        import muscle_mem.integrations.google_adk  # noqa: F401


def test_the_options_are_those_of_all_adapters() -> None:
    engine = Engine()
    with pytest.raises(Exception, match="answer"):
        MuscleMemoryPlugin(engine, answer=3)
    plugin = MuscleMemoryPlugin(engine, answer="model", tools=[], rejoin=True, name="other")
    assert plugin.name == "other"


@pytest.mark.scenario("other_image")
def test_the_same_prompt_with_another_image_is_another_task() -> None:
    office, script = Office(), Script(*OPEN_THE_DRAWER)
    runner = office.runner(office.agent(script))

    def prompt(data: bytes) -> types.Content:
        image = types.Part(inline_data=types.Blob(data=data, mime_type="image/png"))
        return types.Content(role="user", parts=[types.Part(text="open what you see"), image])

    for data, asked in ((b"one", 4), (b"one", 4), (b"two", 8)):
        office.reset()
        run(runner, prompt(data))
        assert script.asked == asked


@pytest.mark.scenario("renamed_tool")
def test_a_tool_under_another_name_is_replayed_by_that_name() -> None:
    office = Office()
    script = Script([("glance", {"thing": "drawer"})], "Seen.")
    tool = FunctionTool(office.look)
    tool.name = "glance"
    declared = tool._get_declaration
    tool._get_declaration = lambda: declared().model_copy(update={"name": "glance"})  # type: ignore[method-assign]
    agent = office.agent(script, [tool])
    office.learn(agent)
    with office.engine.task("open the drawer") as task:
        said = run(office.runner(agent), "open the drawer")
    assert (task.outcome.status, script.asked) == ("hit", 2)
    assert said.events[0].get_function_calls()[0].name == "glance"
