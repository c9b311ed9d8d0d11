"""Several agents, several tasks and several engines of pydantic-ai at a time."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

pytest.importorskip("pydantic_ai.capabilities", reason="pydantic-ai is not installed")

from pydantic_ai import Agent, RunContext

from agents_of_pydantic_ai import OPEN_THE_DRAWER, Office, Script, hit
from muscle_mem import Engine
from muscle_mem.integrations.pydantic_ai import MuscleMemory


@pytest.mark.scenario("hand_off")
def test_a_hand_off_to_another_agent_is_recorded_and_replayed() -> None:
    """The second agent gets the history of the first and a prompt; each run is a task of its own."""
    office = Office()
    first, second = Script(OPEN_THE_DRAWER[0], "It is locked."), Script(OPEN_THE_DRAWER[1], "Open.")
    reader = office.agent(first, name="reader")
    smith = office.agent(second, name="smith")
    for _ in range(2):
        office.reset()
        with office.engine.task("see to the drawer") as task:
            seen = reader.run_sync("how is the drawer?")
            done = smith.run_sync("then open it", message_history=seen.all_messages())
        assert (seen.output, done.output) == ("It is locked.", "Open.")
        assert [name for name, _ in office.made] == ["look", "change"]
    assert [bool(outcome) for outcome in task.outcomes] == [True, True]
    assert (first.asked, second.asked) == (2, 2)


@pytest.mark.scenario("hand_off")
def test_a_hand_off_by_an_output_function_is_replayed() -> None:
    office = Office()
    second = Script(OPEN_THE_DRAWER[1], "Open.")
    smith = office.agent(second, name="smith")

    async def hand_to_the_smith(ctx: RunContext[Any], order: str) -> str:
        """Hand the order to the smith."""
        return (await smith.run(order)).output

    first = Script(OPEN_THE_DRAWER[0], [("final_result", {"order": "open the drawer"})])
    clerk = office.agent(first, output_type=hand_to_the_smith)
    for _ in range(2):
        office.reset()
        assert clerk.run_sync("see to the drawer").output == "Open."
        assert [name for name, _ in office.made] == ["look", "change"]
    assert (first.asked, second.asked) == (2, 2)


@pytest.mark.scenario("sub_agent")
@pytest.mark.parametrize("inner_has_memory", [True, False])
def test_an_agent_that_is_a_tool_is_one_step(inner_has_memory: bool) -> None:
    office = Office()
    second = Script(OPEN_THE_DRAWER[1], "Open.")
    smith = office.agent(second, name="smith")
    if not inner_has_memory:
        smith = Agent(second.model(), name="smith", tools=[office.change])

    async def ask_the_smith(order: str) -> str:
        return (await smith.run(order)).output

    first = Script(OPEN_THE_DRAWER[0], [("ask_the_smith", {"order": "open the drawer"})], "Done.")
    clerk = office.agent(first, tools=[office.look, ask_the_smith])
    for _ in range(2):
        office.reset()
        with office.engine.task("see to the drawer") as task:
            assert clerk.run_sync("see to the drawer").output == "Done."
        assert [name for name, _ in office.made] == ["look", "change"]
    outer = [outcome for outcome in task.outcomes if outcome.steps == 2]
    assert len(outer) == 1
    hit(outer[0])
    assert first.asked == 3
    assert second.asked == (2 if inner_has_memory else 4)


@pytest.mark.scenario("two_tasks")
def test_two_tasks_in_one_conversation_are_two_runs() -> None:
    office, script = Office(), Script(OPEN_THE_DRAWER[0], "Seen.")
    agent = office.agent(script)
    for round in range(2):
        with office.engine.task("see") as task:
            one = agent.run_sync("how is the drawer?")
            agent.run_sync("and now?", message_history=one.all_messages())
        assert len(task.outcomes) == 2
        assert [bool(outcome) for outcome in task.outcomes] == [bool(round)] * 2
    assert len(office.made) == 4
    assert script.asked == 4
    agent.run_sync("and now?")  # without the history it is another task
    assert script.asked == 6


@pytest.mark.scenario("twelve_at_once")
def test_twelve_runs_at_a_time_do_not_meet() -> None:
    office = Office()

    async def note(person: str) -> str:
        await asyncio.sleep(0.001)
        office.made.append(("note", person))
        return f"noted {person}"

    def line(messages: Any) -> Any:
        return [("note", {"person": messages[0].parts[-1].content.split()[-1]})]

    script = Script(line, lambda messages: f"{messages[0].parts[-1].content} done")
    agent = office.agent(script, tools=[note])
    people = [f"person{number:02}" for number in range(12)]

    async def all_of_them() -> None:
        office.made.clear()
        results = await asyncio.gather(*(agent.run(f"note {person}") for person in people))
        assert [result.output for result in results] == [f"note {person} done" for person in people]
        assert sorted(person for _, person in office.made) == people

    asyncio.run(all_of_them())
    assert script.asked == 24
    asyncio.run(all_of_them())
    assert script.asked == 24


@pytest.mark.scenario("two_engines")
def test_of_two_engines_the_outer_replays_and_neither_breaks_the_run() -> None:
    office, script = Office(), Script(OPEN_THE_DRAWER[0], "Seen.")
    other = Engine(observers=[office.events.append])
    agent = office.agent(script, office.memory(), MuscleMemory(other), tools=[office.look])
    for _ in range(2):
        assert agent.run_sync("see").output == "Seen."
    assert script.asked == 2
    assert len(office.made) == 2
    assert not office.notices("adapter_failed")
    assert Office.agent(office, script, MuscleMemory(other), tools=[office.look]).run_sync("see").output == "Seen."


@pytest.mark.scenario("wrapped_twice")
def test_a_memory_given_twice_records_once() -> None:
    office, script = Office(), Script(*OPEN_THE_DRAWER)
    agent = office.agent(script)
    for _ in range(2):
        office.reset()
        with office.engine.task("open the drawer") as task:
            agent.run_sync("open the drawer", capabilities=[office.memory()])
        assert len(task.outcomes) == 1
        assert len(office.made) == 3
    hit(task.outcome)
    assert script.asked == 4
    assert not office.notices("adapter_failed")
