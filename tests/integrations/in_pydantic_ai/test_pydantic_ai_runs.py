"""What the memory of an agent of pydantic-ai is for: the second run of a task is made without the model."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

pytest.importorskip("pydantic_ai.capabilities", reason="pydantic-ai is not installed")

from pydantic import BaseModel
from pydantic_ai import Agent, NativeOutput, ToolOutput
from pydantic_ai.messages import FunctionToolCallEvent, ToolCallPart

from agents_of_pydantic_ai import OPEN_THE_DRAWER, TOKENS, Office, Script, hit, learned, replayed_turns
from muscle_mem import Check
from muscle_mem.integrations.pydantic_ai import MuscleMemory

ALL = [("look", "drawer"), ("change", ("drawer", "open")), ("note", ("Ada", "It is done"))]


@pytest.mark.scenario("record", "hit", "sync")
def test_the_second_run_of_a_task_is_made_without_the_model() -> None:
    office, script = Office(), Script(*OPEN_THE_DRAWER)
    agent = office.agent(script)
    with office.engine.task("open the drawer") as task:
        assert agent.run_sync("open the drawer").output == "The drawer is open."
    learned(task.outcome)
    assert office.made == ALL
    assert script.asked == 4
    office.reset()
    with office.engine.task("open the drawer") as task:
        result = agent.run_sync("open the drawer")
    assert hit(task.outcome).steps == 3
    assert (result.output, task.outcome.value_source) == ("The drawer is open.", "recorded")
    assert office.made == ALL
    assert script.asked == 4
    assert replayed_turns(result.all_messages()) == 4


@pytest.mark.scenario("hit")
def test_without_a_block_the_prompt_is_the_task_and_the_memory_may_be_given_to_a_run() -> None:
    office, script = Office(), Script(*OPEN_THE_DRAWER)
    agent = Agent(script.model(), name="clerk", tools=[office.look, office.change, office.note])
    for _ in range(2):
        office.reset()
        result = agent.run_sync("open the drawer", capabilities=[office.memory()])
        assert (result.output, office.made) == ("The drawer is open.", ALL)
    assert script.asked == 4
    agent.run_sync("open the drawer")  # without the memory
    assert script.asked == 8


@pytest.mark.scenario("record", "hit", "decorated_tools")
def test_tools_of_the_framework_are_learned_beside_decorated_functions() -> None:
    office, script = Office(), Script(*OPEN_THE_DRAWER)
    noted: list[str] = []

    def note(person: str, text: str) -> str:
        noted.append(text)
        return "noted"

    agent = office.agent(script, tools=[office.look, office.change, note])
    office.learn(agent)
    with office.engine.task("open the drawer") as task:
        agent.run_sync("open the drawer")
    hit(task.outcome)
    assert noted == ["It is done"] * 2
    assert office.made == ALL[:2]
    assert len(office.looked) == 1  # the call follows at once


@pytest.mark.scenario("hit_other_params")
def test_a_hit_with_other_params_uses_their_values() -> None:
    office = Office()
    person = "Ada"
    script = Script(
        OPEN_THE_DRAWER[0],
        OPEN_THE_DRAWER[1],
        lambda _: [("note", {"person": person, "text": f"Dear {person}, it is done"})],
        "Done.",
    )
    agent = office.agent(script)
    office.learn(agent, "open the drawer for Ada", params={"person": "Ada"})
    person = "Bertha"
    with office.engine.task("open the drawer", params={"person": "Bertha"}) as task:
        agent.run_sync("open the drawer for Bertha")
    hit(task.outcome)
    assert office.made[-1] == ("note", ("Bertha", "Dear Bertha, it is done"))
    assert script.asked == 4


@pytest.mark.scenario("async")
def test_async_runs_are_recorded_and_replayed_with_sync_and_async_tools() -> None:
    office, script = Office(), Script(*OPEN_THE_DRAWER)
    agent = office.agent(script)

    async def twice() -> None:
        for _ in range(2):
            office.reset()
            async with office.engine.task("open the drawer") as task:
                result = await agent.run("open the drawer")
            assert (result.output, office.made) == ("The drawer is open.", ALL)
        hit(task.outcome)

    asyncio.run(twice())
    assert script.asked == 4


@pytest.mark.scenario("streaming")
def test_streamed_runs_are_learned_and_replayed_as_streams() -> None:
    office, script = Office(), Script(*OPEN_THE_DRAWER)
    agent = office.agent(script)

    async def stream() -> list[str]:
        office.reset()
        async with agent.run_stream("open the drawer") as result:
            texts = [text async for text in result.stream_text(delta=True, debounce_by=None)]
        assert office.made == ALL
        return texts

    async def events() -> list[Any]:
        office.reset()
        seen: list[Any] = []

        async def handler(ctx: Any, stream: Any) -> None:
            seen.extend([event async for event in stream])

        result = await agent.run("open the drawer", event_stream_handler=handler)
        assert result.output == "The drawer is open."
        return seen

    first = asyncio.run(stream())
    assert script.asked == 4
    assert "".join(first) == "".join(asyncio.run(stream())) == "The drawer is open."
    seen = asyncio.run(events())
    assert [event.part.tool_name for event in seen if isinstance(event, FunctionToolCallEvent)] == [
        "look",
        "change",
        "note",
    ]
    assert script.asked == 4


@pytest.mark.scenario("parallel_calls")
def test_the_calls_of_one_turn_are_replayed_as_one_turn() -> None:
    office = Office()
    order: list[str] = []
    check = Check(lambda thing: order.append(f"look at {thing}"), version=1)

    @office.engine.tool(name="push", version=1, pre_check=check)
    async def push(thing: str) -> str:
        order.append(f"push {thing}")
        await asyncio.sleep(0)
        return f"the {thing} moved"

    script = Script([("push", {"thing": "drawer"}), ("push", {"thing": "lamp"})], "Both.")
    agent = office.agent(script, tools=[push])
    for _ in range(2):
        order.clear()
        with office.engine.task("both") as task:
            result = agent.run_sync("both")
        assert order[:2] == ["look at drawer", "look at lamp"]
        assert sorted(each for each in order if each.startswith("push")) == ["push drawer", "push lamp"]
    hit(task.outcome)
    assert script.asked == 2
    turns = [
        [part.tool_name for part in each.parts if isinstance(part, ToolCallPart)] for each in result.all_messages()
    ]
    assert turns[1] == ["push", "push"]


class Report(BaseModel):
    state: str
    count: int


class Refusal(BaseModel):
    why: str


def typed(
    office: Office, said: list[tuple[str, dict[str, Any]]] | str, **options: Any
) -> tuple[Agent[Any, Any], Script]:
    script = Script(OPEN_THE_DRAWER[0], said)
    return office.agent(script, **options), script


@pytest.mark.scenario("typed_answer")
@pytest.mark.parametrize("kind", ["tool", "one of two tools", "native", "number"])
def test_a_typed_answer_comes_back_as_its_type(kind: str) -> None:
    office = Office()
    value = {"state": "locked", "count": 1}
    output: Any = Report
    said: Any = [("final_result", value)]
    expected: Any = Report(state="locked", count=1)
    if kind == "one of two tools":
        output = [ToolOutput(Report, name="report"), ToolOutput(Refusal, name="refuse")]
        said, expected = [("refuse", {"why": "it rains"})], Refusal(why="it rains")
    elif kind == "native":
        output, said = NativeOutput(Report), expected.model_dump_json()
    elif kind == "number":
        output, said, expected = int, [("final_result", {"response": 7})], 7
    agent, script = typed(office, said, output_type=output)
    for _ in range(2):
        with office.engine.task("how is it?") as task:
            assert agent.run_sync("how is it?").output == expected
    hit(task.outcome)
    assert script.asked == 2


@pytest.mark.scenario("typed_answer")
def test_another_schema_is_another_task() -> None:
    office = Office()
    agent, _ = typed(office, [("final_result", {"state": "locked", "count": 1})], output_type=Report)
    with office.engine.task("how is it?") as task:
        agent.run_sync("how is it?")
    learned(task.outcome)
    agent, script = typed(office, [("final_result", {"why": "it rains"})], output_type=Refusal)
    with office.engine.task("how is it?") as task:
        assert agent.run_sync("how is it?").output == Refusal(why="it rains")
    assert task.outcome is not None
    assert task.outcome.status == "miss"
    assert script.asked == 2


@pytest.mark.scenario("typed_answer")
def test_an_answer_that_the_framework_rejects_is_not_the_answer() -> None:
    from pydantic_ai import ModelRetry

    office, script = Office(), Script(OPEN_THE_DRAWER[0], "maybe", "locked")
    agent = office.agent(script)

    @agent.output_validator
    def certain(answer: str) -> str:
        if answer == "maybe":
            raise ModelRetry("be certain")
        return answer

    for _ in range(2):
        with office.engine.task("how is it?") as task:
            assert agent.run_sync("how is it?").output == "locked"
    hit(task.outcome)
    assert script.asked == 3
    assert task.outcome.saved_tokens == 3 * TOKENS


@pytest.mark.scenario("typed_answer")
@pytest.mark.parametrize("strategy", ["early", "graceful", "exhaustive"])
def test_tools_called_beside_the_final_answer_are_learned_if_they_are_made(strategy: Any) -> None:
    office = Office()
    said = [*OPEN_THE_DRAWER[1], ("final_result", {"state": "open", "count": 1})]
    agent, script = typed(office, said, output_type=Report, end_strategy=strategy)
    for _ in range(2):
        office.reset()
        with office.engine.task("open it") as task:
            assert agent.run_sync("open it").output == Report(state="open", count=1)
        assert office.made == (ALL[:1] if strategy == "early" else ALL[:2])
    hit(task.outcome)
    assert script.asked == 2


@pytest.mark.scenario("typed_answer")
def test_the_answer_of_a_hit_may_be_that_of_a_function_or_of_the_model() -> None:
    office, script = Office(), Script(*OPEN_THE_DRAWER)
    office.agent(script).run_sync("open the drawer")
    office.reset()
    agent = office.agent(script, office.memory(answer=lambda results: f"{len(results)} done"))
    assert agent.run_sync("open the drawer").output == "3 done"
    assert script.asked == 4
    office.reset()
    agent = office.agent(script, office.memory(answer="model"))
    assert agent.run_sync("open the drawer").output == "The drawer is open."
    assert script.asked == 5
    assert len([each for each in script.read if each.kind == "response"]) == 3  # it read the replayed history


@pytest.mark.scenario("usage")
def test_a_replayed_turn_has_no_usage_and_says_what_it_is() -> None:
    office, script = Office(), Script(*OPEN_THE_DRAWER)
    agent = office.agent(script)
    office.learn(agent)
    with office.engine.task("open the drawer") as task:
        result = agent.run_sync("open the drawer")
    outcome = hit(task.outcome)
    assert outcome.saved_tokens == 4 * TOKENS
    responses = [message for message in result.all_messages() if message.kind == "response"]
    assert [each.usage.total_tokens for each in responses] == [0] * 4
    assert {each.model_name for each in responses} == {"muscle-mem"}
    details = [each.provider_details or {} for each in responses]
    assert {each["trajectory_id"] for each in details} == {outcome.trajectory_id}
    assert [each["step"] for each in details] == [0, 1, 2, 3]
    assert result.usage.total_tokens == 0


@pytest.mark.scenario("renamed_tool")
@pytest.mark.parametrize("how", ["name", "prefix"])
def test_a_renamed_tool_is_learned_and_replayed_by_the_name_of_the_framework(how: str) -> None:
    from pydantic_ai import FunctionToolset, Tool

    office = Office()
    toolset: Any
    if how == "name":
        toolset = FunctionToolset([Tool(office.change, name="alter")])
    else:
        toolset = FunctionToolset([office.change]).prefixed("alter")
    name = "alter" if how == "name" else "alter_change"
    script = Script([(name, {"thing": "drawer", "state": "open"})], "Done.")
    agent: Agent[Any, Any] = Agent(
        script.model(), name="clerk", toolsets=[toolset], capabilities=[MuscleMemory(office.engine)]
    )
    for _ in range(2):
        office.reset()
        with office.engine.task("alter it") as task:
            result = agent.run_sync("alter it")
        assert office.made == ALL[1:2]
    hit(task.outcome)
    assert script.asked == 2
    assert [part.tool_name for part in result.all_messages()[1].parts if isinstance(part, ToolCallPart)] == [name]
    office.weather = "stormy"
    with office.engine.task("alter it") as task:
        agent.run_sync("alter it")
    assert task.outcome is not None
    assert task.outcome.status == "miss"  # the check of the decorated function belongs to it
