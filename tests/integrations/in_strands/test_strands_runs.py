"""What the plugin for Strands is for: the second run of a task is made without the model."""

from __future__ import annotations

import asyncio
import sys
from typing import Any

import pytest

pytest.importorskip("strands.plugins", reason="strands-agents is not installed")

from pydantic import BaseModel
from strands import Agent, tool

from muscle_mem import Check, Secret
from muscle_mem.integrations.strands import MuscleMemoryPlugin, model, plugin
from strands_desk import ALL, OPEN_THE_DRAWER, TOKENS, Office, Script


@pytest.mark.scenario("record", "hit", "sync", "usage", "decorated_tools")
def test_the_second_run_of_a_task_is_made_without_the_model() -> None:
    office, script = Office(), Script(*OPEN_THE_DRAWER)
    tools = [office.plain_look, office.change, office.note]
    with office.engine.task("open the drawer") as task:
        assert str(office.agent(script, tools)("open the drawer")).strip() == "The drawer is open."
    assert task.outcome.learned
    assert (office.made, script.asked) == (ALL, 4)
    office.reset()
    agent = office.agent(script, tools)
    with office.engine.task("open the drawer") as task:
        result = agent("open the drawer")
    assert (task.outcome.status, task.outcome.steps) == ("hit", 3)
    assert (str(result).strip(), task.outcome.value_source) == ("The drawer is open.", "recorded")
    assert (office.made, script.asked) == (ALL, 4)
    assert result.metrics.accumulated_usage["totalTokens"] == 0
    assert task.outcome.saved_tokens == 4 * TOKENS


@pytest.mark.scenario("async", "streaming")
def test_an_agent_that_streams_is_learned_and_replayed() -> None:
    office, script = Office(), Script(*OPEN_THE_DRAWER)

    async def streamed() -> str:
        agent = office.agent(script)
        return "".join([event["data"] async for event in agent.stream_async("open the drawer") if "data" in event])

    for status in ("miss", "hit"):
        office.reset()
        with office.engine.task("open the drawer") as task:
            assert asyncio.run(streamed()) == "The drawer is open."
        assert (task.outcome.status, office.made) == (status, ALL)
    assert script.asked == 4
    office.reset()
    with office.engine.task("open the drawer") as task:
        asyncio.run(office.agent(script).invoke_async("open the drawer"))
    assert (task.outcome.status, office.made, script.asked) == ("hit", ALL, 4)


@pytest.mark.scenario("hit_other_params")
def test_a_hit_with_other_params_uses_their_values() -> None:
    office = Office()

    def note(messages: Any) -> Any:
        return [("note", {"person": messages[0]["content"][0]["text"].split(" for ")[1], "text": "It is done"})]

    script = Script(*OPEN_THE_DRAWER[:2], note, "Done.")
    office.learn(office.agent(script), "open it for Ada", params={"person": "Ada"})
    with office.engine.task("open the drawer", params={"person": "Babbage"}) as task:
        office.agent(script)("open it for Babbage")
    assert (task.outcome.status, script.asked) == ("hit", 4)
    assert office.made[-1] == ("note", ("Babbage", "It is done"))


@pytest.mark.scenario("parallel_calls")
def test_the_calls_of_one_turn_are_replayed_as_one_turn() -> None:
    office = Office()
    script = Script([("look", {"thing": "drawer"}), ("note", {"person": "Ada", "text": "soon"})], "Both are done.")
    office.learn(office.agent(script))
    agent = office.agent(script)
    with office.engine.task("open the drawer") as task:
        agent("open the drawer")
    assert (task.outcome.status, script.asked) == ("hit", 2)
    assert [len([block for block in each["content"] if "toolUse" in block]) for each in agent.messages] == [0, 2, 0, 0]
    assert sorted(office.made) == [("look", "drawer"), ("note", ("Ada", "soon"))]


class Report(BaseModel):
    thing: str
    count: int


@pytest.mark.scenario("typed_answer")
def test_a_typed_answer_comes_back_as_its_type() -> None:
    class Other(BaseModel):
        thing: str

    office = Office()
    script = Script(
        [("look", {"thing": "drawer"})], lambda _: [("Report", {"thing": "drawer", "count": 3})], "never read"
    )
    for status in ("miss", "hit"):
        with office.engine.task("count") as task:
            result = office.agent(script)("count", structured_output_model=Report)
        assert result.structured_output == Report(thing="drawer", count=3)
        assert task.outcome.status == status
    assert script.asked == 2
    other = Script([("look", {"thing": "drawer"})], lambda _: [("Other", {"thing": "drawer"})])
    with office.engine.task("count") as task:
        office.agent(other)("count", structured_output_model=Other)
    assert task.outcome.status == "miss"


@pytest.mark.scenario("two_tasks")
def test_two_tasks_in_one_conversation_are_two_runs() -> None:
    office, script = Office(), Script(*OPEN_THE_DRAWER)
    for expected in ("miss", "hit"):
        agent = office.agent(script)
        for prompt in ("open the drawer", "open it once more"):
            office.reset()
            with office.engine.task("drawers") as task:
                agent(prompt)
            assert task.outcome.status == expected
    assert script.asked == 8


@pytest.mark.scenario("twelve_at_once")
def test_twelve_runs_at_a_time_do_not_meet() -> None:
    office = Office()
    script = Script(lambda messages: [("look", {"thing": messages[0]["content"][0]["text"]})], "Seen.")
    office.things.update({f"box {number}": "closed" for number in range(12)})

    async def all_of_them() -> None:
        await asyncio.gather(*(office.agent(script).invoke_async(f"box {number}") for number in range(12)))

    asyncio.run(all_of_them())
    asyncio.run(all_of_them())
    assert sorted(office.made) == sorted([("look", f"box {number}") for number in range(12)] * 2)
    assert script.asked == 24


@pytest.mark.scenario("sub_agent")
def test_an_agent_used_as_a_tool_is_one_step_of_the_outer_run() -> None:
    office = Office()
    inner = Script([("change", {"thing": "drawer", "state": "open"})], "It is open.")

    @tool
    def opener(thing: str) -> str:
        """Open a thing."""
        return str(office.agent(inner, [office.change], name="opener")(f"open the {thing}"))

    outer = Script([("opener", {"thing": "drawer"})], "All done.")
    for status in ("miss", "hit"):
        office.reset()
        with office.engine.task("open the drawer") as task:
            office.agent(outer, [opener])("open the drawer")
        assert task.outcome.status == status
        assert office.made == ALL[1:2]
    assert (outer.asked, inner.asked) == (2, 2)


@pytest.mark.scenario("check_refuses", "rejoin")
@pytest.mark.parametrize("rejoin", [False, True])
def test_a_check_that_refuses_hands_over_with_the_history(rejoin: bool) -> None:
    office, script = Office(), Script(*OPEN_THE_DRAWER)
    check = Check(lambda person, text: "quiet", version=1)
    note = tool(office.engine.tool(name="write", effect="write", pre_check=check)(office.note._tool_func))
    lines = (*OPEN_THE_DRAWER[:2], [("note", {"person": "Ada", "text": "It is done"})], OPEN_THE_DRAWER[3])
    script = Script(*lines)
    tools = [office.look, office.change, note]
    office.learn(office.agent(script, tools))
    office.weather = "stormy"
    memory = MuscleMemoryPlugin(office.engine, rejoin=rejoin)
    with office.engine.task("open the drawer") as task:
        result = office.agent(script, tools, memory)("open the drawer")
    assert (task.outcome.status, task.outcome.reason) == ("diverged", "check_refused")
    assert (str(result).strip(), office.made) == ("The drawer is open.", ALL)
    assert script.asked == 4 + (2 if rejoin else 3)


@pytest.mark.scenario("state_changed")
def test_a_state_that_changes_before_the_tool_stops_the_replayed_call() -> None:
    from strands.hooks import BeforeToolCallEvent

    office, script = Office(), Script(*OPEN_THE_DRAWER[:3], "I stop.")
    office.learn(office.agent(script))

    async def slowly(event: BeforeToolCallEvent) -> None:
        if event.tool_use["name"] == "change":
            await asyncio.sleep(0.06)  # a verdict younger than this is not asked again
            office.weather = "stormy"

    agent = Agent(
        model=script,
        tools=[office.look, office.change, office.note],
        system_prompt="You are a clerk.",
        callback_handler=None,
        name="clerk",
    )
    agent.add_hook(slowly, BeforeToolCallEvent)
    MuscleMemoryPlugin(office.engine).init_agent(agent)
    with office.engine.task("open the drawer") as task:
        agent("open the drawer")
    assert (task.outcome.status, task.outcome.reason) == ("diverged", "check_refused")
    assert ALL[1] not in office.made
    results = [block["toolResult"] for each in agent.messages for block in each["content"] if "toolResult" in block]
    assert results[1]["status"] == "error"
    assert "was not made" in results[1]["content"][0]["text"]


@pytest.mark.scenario("tool_raises", "error_as_text")
@pytest.mark.parametrize("way", ["raises", "returns"])
def test_a_call_that_fails_stops_the_replay(way: str) -> None:
    office, script = Office(), Script(*OPEN_THE_DRAWER)
    broken: list[bool] = []

    @tool
    def change(thing: str, state: str) -> Any:
        """Change a thing."""
        if broken and way == "raises":
            raise OSError("the key is gone")
        if broken:
            return {"status": "error", "content": [{"text": "the key is gone"}]}
        return "changed"

    tools = [office.look, change, office.note]
    office.learn(office.agent(script, tools))
    broken.append(True)
    agent = office.agent(script, tools)
    with office.engine.task("open the drawer") as task:
        agent("open the drawer")
    assert task.outcome.status == "diverged"
    assert script.asked == 4 + 2  # the model read the error, and went on
    results = [block["toolResult"] for each in agent.messages for block in each["content"] if "toolResult" in block]
    assert results[1]["status"] == "error"
    assert "the key is gone" in results[1]["content"][0]["text"]


@pytest.mark.scenario("model_error")
def test_an_error_of_the_model_passes_and_nothing_is_learned() -> None:
    office, broken = Office(), Script("never", error=ConnectionError("no line"))
    with office.engine.task("open the drawer") as task, pytest.raises(Exception, match="no line"):
        office.agent(broken)("open the drawer")
    assert task.outcome is None or not task.outcome.learned
    office.learn(office.agent(Script(*OPEN_THE_DRAWER)))


@pytest.mark.scenario("unknown_tool")
def test_a_tool_that_is_no_longer_offered_is_a_miss_before_the_first_effect() -> None:
    office, other = Office(), Script("I cannot.")
    office.learn(office.agent(Script(*OPEN_THE_DRAWER)))
    with office.engine.task("open the drawer") as task:
        office.agent(other, [office.look, office.change])("open the drawer")
    assert (task.outcome.status, task.outcome.reason) == ("miss", "tool_missing")
    assert (office.made, other.asked) == ([], 1)


def asking(office: Office, script: Script) -> Agent:
    """An agent that asks a person before it changes a thing."""
    from strands.hooks import BeforeToolCallEvent

    def ask(event: BeforeToolCallEvent) -> None:
        if event.tool_use["name"] == "change" and event.interrupt("approve", reason="change") != "yes":
            event.cancel_tool = "a person refused it"

    agent = Agent(
        model=script,
        tools=[office.look, office.change, office.note],
        system_prompt="You are a clerk.",
        callback_handler=None,
        name="clerk",
    )
    agent.add_hook(ask, BeforeToolCallEvent)
    MuscleMemoryPlugin(office.engine).init_agent(agent)
    return agent


def answered(agent: Agent, word: str) -> Any:
    result = agent("open the drawer")
    assert result.stop_reason == "interrupt"
    answers = [{"interruptResponse": {"interruptId": each.id, "response": word}} for each in result.interrupts]
    return agent(answers)


@pytest.mark.scenario("approval")
def test_a_person_is_asked_on_a_hit_too() -> None:
    office, script = Office(), Script(*OPEN_THE_DRAWER)
    for status in ("miss", "hit"):
        office.reset()
        with office.engine.task("open the drawer") as task:
            result = answered(asking(office, script), "yes")
        assert (task.outcome.status, office.made) == (status, ALL)
        assert str(result).strip() == "The drawer is open."
    assert script.asked == 4


@pytest.mark.scenario("denied")
def test_a_person_who_refuses_stops_the_replay_and_counts_against_nothing() -> None:
    office, script = Office(), Script(*OPEN_THE_DRAWER)
    with office.engine.task("open the drawer"):
        answered(asking(office, script), "yes")
    office.reset()
    with office.engine.task("open the drawer") as task:
        answered(asking(office, script), "no")
    assert (task.outcome.status, task.outcome.reason) == ("diverged", "refused_by_person")
    assert not task.outcome.learned
    assert ALL[1] not in office.made
    office.reset()
    with office.engine.task("open the drawer") as task:
        answered(asking(office, script), "yes")
    assert task.outcome.status == "hit"


@pytest.mark.scenario("adapter_fails")
def test_a_failure_of_the_plugin_costs_the_run_and_nothing_else(monkeypatch: pytest.MonkeyPatch) -> None:
    office, script = Office(), Script(*OPEN_THE_DRAWER)

    def broken(*_: Any) -> Any:
        raise RuntimeError("a bug")

    for module, name in ((model, "to_request"), (plugin, "content_of"), (model.Heard, "note")):
        with monkeypatch.context() as patch:
            patch.setattr(module, name, broken)
            office.reset()
            with office.engine.task("open the drawer"):
                assert str(office.agent(script)("open the drawer")).strip() == "The drawer is open."
            assert office.made == ALL
            assert office.notices("adapter_failed")


@pytest.mark.scenario("secrets")
def test_secrets_are_given_again_and_not_stored() -> None:
    office = Office()
    script = Script([("note", {"person": "Ada", "text": "s3cr3t-77-x"})], "Done.")
    secrets = {"code": Secret("s3cr3t-77-x")}
    office.learn(office.agent(script), "send it", secrets=secrets)
    with office.engine.task("open the drawer", secrets=secrets) as task:
        office.agent(script)("send it")
    assert (task.outcome.status, script.asked) == ("hit", 2)
    assert office.made == [("note", ("Ada", "s3cr3t-77-x"))]


@pytest.mark.scenario("server_history")
def test_a_model_that_keeps_the_conversation_is_left_alone() -> None:
    class Stateful(Script):
        @property
        def stateful(self) -> bool:
            return True

    office, script = Office(), Stateful(*OPEN_THE_DRAWER)
    for _ in range(2):
        office.agent(script)("open the drawer")
    assert script.asked == 8
    assert office.notices("left_alone")


@pytest.mark.scenario("no_run")
def test_a_block_without_the_plugin_warns() -> None:
    office = Office()
    with office.engine.task("greet"):
        Agent(model=Script("Hello."), callback_handler=None)("hello")
    assert len(office.notices("no_run")) == 1


@pytest.mark.scenario("other_image")
def test_the_same_prompt_with_another_image_is_another_task() -> None:
    office, script = Office(), Script(*OPEN_THE_DRAWER)
    for data, asked in ((b"one", 4), (b"one", 4), (b"two", 8)):
        office.reset()
        image = {"image": {"format": "png", "source": {"bytes": data}}}
        office.agent(script)([{"text": "open what you see"}, image])
        assert script.asked == asked


@pytest.mark.scenario("old_framework")
def test_without_the_framework_the_import_names_the_version(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in sys.modules if name.startswith("muscle_mem.integrations.strands")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "strands.plugins", None)
    with pytest.raises(ImportError, match=r"strands-agents 1.* or later, got an earlier one.*\[strands\]"):
        import muscle_mem.integrations.strands  # noqa: F401
