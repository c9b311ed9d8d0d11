"""The middle of a run of an agent of pydantic-ai: a replay stops, the model goes on with the history."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import pytest

pytest.importorskip("pydantic_ai.capabilities", reason="pydantic-ai is not installed")

from pydantic_ai import BinaryContent, FunctionToolset, ModelRetry, ToolReturn
from pydantic_ai.capabilities import Hooks
from pydantic_ai.exceptions import UnexpectedModelBehavior
from pydantic_ai.messages import ToolReturnPart
from pydantic_ai.toolsets import WrapperToolset

from agents_of_pydantic_ai import OPEN_THE_DRAWER, Office, Script, hit, learned
from muscle_mem import Check, Diverged, Missed, Reason
from muscle_mem.events import RunEvent


def parts_of(messages: list[Any], kind: type) -> list[Any]:
    return [part for message in messages for part in message.parts if isinstance(part, kind)]


@pytest.mark.scenario("check_refuses")
def test_after_a_refused_check_the_model_goes_on_with_the_history() -> None:
    office, script = Office(), Script(*OPEN_THE_DRAWER)
    agent = office.agent(script)
    office.learn(agent)
    office.weather = "stormy"
    with office.engine.task("open the drawer") as task:
        result = agent.run_sync("open the drawer")
    outcome = task.outcome
    assert outcome is not None
    assert (outcome.status, outcome.reason) == ("diverged", Reason.CHECK_REFUSED)
    assert result.output == "The drawer is open."
    assert [name for name, _ in office.made] == ["look", "change", "note"]  # the replayed step was made once
    assert script.asked == 4 + 3
    assert [part.content for part in parts_of(script.read, ToolReturnPart)][:1] == ["locked"]
    assert outcome.learned
    office.reset()
    office.weather = "stormy"
    with office.engine.task("open the drawer") as task:
        agent.run_sync("open the drawer")
    hit(task.outcome)  # the detour is known now
    assert script.asked == 7


@pytest.mark.scenario("rejoin")
@pytest.mark.parametrize("rejoin", [True, False])
def test_after_a_step_of_the_model_the_replay_takes_over_again(rejoin: bool) -> None:
    office = Office()

    @office.engine.tool(name="sign", effect="write", pre_check=Check(lambda paper: "fine", version=1))
    def sign(paper: str) -> str:
        office.made.append(("sign", paper))
        return f"signed {paper}"

    script = Script(*OPEN_THE_DRAWER[:2], [("sign", {"paper": "form"})], [("sign", {"paper": "copy"})], "Signed.")
    agent = office.agent(script, office.memory(rejoin=rejoin), tools=[office.look, office.change, sign])
    office.learn(agent)
    asked = script.asked
    office.weather = "stormy"  # the change is refused; the model makes it itself
    with office.engine.task("open the drawer") as task:
        result = agent.run_sync("open the drawer")
    assert task.outcome is not None
    assert task.outcome.status == "diverged"
    assert [name for name, _ in office.made] == ["look", "change", "sign", "sign"]
    assert result.output == "Signed."
    assert script.asked - asked == (2 if rejoin else 4)  # its own step and the answer, or all of the rest


class Asking(WrapperToolset[Any]):
    """A toolset that asks a person in the middle of each call."""

    def __init__(self, wrapped: Any, ask: Callable[[str], None]) -> None:
        super().__init__(wrapped)
        self.ask = ask

    def visit_and_replace(self, visitor: Any) -> Any:
        return Asking(self.wrapped.visit_and_replace(visitor), self.ask)

    async def for_run(self, ctx: Any) -> Any:
        return self

    async def for_run_step(self, ctx: Any) -> Any:
        return self

    async def call_tool(self, name: str, tool_args: Any, ctx: Any, tool: Any) -> Any:
        self.ask(name)
        return await super().call_tool(name, tool_args, ctx, tool)


@pytest.mark.scenario("state_changed")
@pytest.mark.parametrize("where", ["in a hook", "in a toolset"])
def test_a_replayed_call_is_not_made_if_the_state_has_changed_since(where: str) -> None:
    office, script = Office(), Script(*OPEN_THE_DRAWER)
    changes = False

    def ask(name: str) -> None:
        if changes and name == "change":
            time.sleep(0.06)  # as a person thinks; a younger verdict is the present one
            office.weather = "stormy"

    async def before(ctx: Any, *, call: Any, tool_def: Any, args: Any) -> Any:
        ask(call.tool_name)
        return args

    tools: Any = FunctionToolset([office.look, office.change, office.note])
    hooks: Any = Hooks()
    if where == "in a hook":
        hooks.on.before_tool_execute(before)
    else:
        tools = Asking(tools, ask)
    agent = office.agent(script, office.memory(), hooks, tools=[], toolsets=[tools])
    office.learn(agent)
    asked, changes = script.asked, True
    with office.engine.task("open the drawer") as task:
        result = agent.run_sync("open the drawer")
    assert task.outcome is not None
    assert (task.outcome.status, task.outcome.reason) == ("diverged", Reason.CHECK_REFUSED)
    assert [name for name, _ in office.made] == ["look", "note"]  # the model went on without it
    assert script.asked > asked
    refused = parts_of(result.all_messages(), ToolReturnPart)[1]
    assert "was not made" in str(refused.content)


@pytest.mark.scenario("tool_raises")
def test_a_tool_that_raises_in_a_replay_raises_to_the_user() -> None:
    office, script = Office(), Script(*OPEN_THE_DRAWER)
    agent = office.agent(script)
    office.learn(agent)
    del office.things["drawer"]
    with office.engine.task("open the drawer") as task, pytest.raises(KeyError, match="drawer") as raised:
        agent.run_sync("open the drawer")
    assert "muscle_mem" not in str(raised.value)
    assert task.outcome is None or not task.outcome
    assert script.asked == 4
    office.reset()
    with office.engine.task("open the drawer") as task:
        agent.run_sync("open the drawer")
    hit(task.outcome)  # one failure is none


@pytest.mark.scenario("tool_raises", "error_as_text")
def test_a_tool_that_asks_for_a_retry_counts_as_one_that_raised() -> None:
    office = Office()
    jammed = False

    def change(thing: str, state: str) -> str:
        if jammed:
            raise ModelRetry("it is jammed, try another way")
        return office.change(thing, state)

    script = Script(*OPEN_THE_DRAWER)
    agent = office.agent(script, tools=[office.look, change, office.note])
    office.learn(agent)
    jammed = True
    script.lines = (*OPEN_THE_DRAWER[:2], "It is jammed.")
    with office.engine.task("open the drawer") as task:
        result = agent.run_sync("open the drawer")
    assert result.output == "It is jammed."
    assert task.outcome is not None
    assert (task.outcome.status, task.outcome.reason) == ("diverged", Reason.TOOL_RAISED)
    assert task.outcome.divergence is not None
    assert isinstance(task.outcome.divergence.error, ModelRetry)
    assert script.asked == 5


@pytest.mark.scenario("error_as_text")
def test_arguments_that_the_framework_rejects_are_no_step() -> None:
    office = Office()
    script = Script([("look", {"place": "drawer"})], *OPEN_THE_DRAWER)
    agent = office.agent(script)
    for _ in range(2):
        office.reset()
        with office.engine.task("open the drawer") as task:
            assert agent.run_sync("open the drawer").output == "The drawer is open."
    assert hit(task.outcome).steps == 3
    assert script.asked == 5


@pytest.mark.scenario("model_error")
def test_an_error_of_the_model_passes_and_nothing_is_learned() -> None:
    office, script = Office(), Script(*OPEN_THE_DRAWER)
    agent = office.agent(script)

    class Overloaded(Exception):
        pass

    error = Overloaded("too many")
    script.error = error
    with office.engine.task("open the drawer") as task, pytest.raises(Overloaded) as raised:
        agent.run_sync("open the drawer")
    assert raised.value is error
    assert task.outcome is None or not task.outcome.learned
    script.error = None
    office.learn(agent)
    office.weather, script.error = "stormy", error
    with office.engine.task("open the drawer"), pytest.raises(Overloaded):
        agent.run_sync("open the drawer")
    script.error = None
    office.reset()
    with office.engine.task("open the drawer") as task:
        agent.run_sync("open the drawer")
    hit(task.outcome)


@pytest.mark.scenario("unknown_tool")
def test_a_tool_that_the_agent_no_longer_offers_is_a_miss_before_the_first_effect() -> None:
    office, script = Office(), Script(*OPEN_THE_DRAWER)
    office.learn(office.agent(script))
    script.lines = (*OPEN_THE_DRAWER[:2], "The drawer is open.")
    agent = office.agent(script, tools=[office.look, office.change])
    with office.engine.task("open the drawer") as task:
        agent.run_sync("open the drawer")
    outcome = learned(task.outcome)
    assert (outcome.status, outcome.reason) == ("miss", Reason.TOOL_MISSING)
    assert "note" in outcome.message
    assert len(office.made) == 2


@pytest.mark.scenario("unknown_tool")
def test_a_call_of_a_tool_that_does_not_exist_is_no_step() -> None:
    office = Office()
    script = Script([("invent", {"thing": "drawer"})], *OPEN_THE_DRAWER)
    agent = office.agent(script)
    for _ in range(2):
        office.reset()
        with office.engine.task("open the drawer") as task:
            agent.run_sync("open the drawer")
    assert hit(task.outcome).steps == 3


@pytest.mark.scenario("tool_changed")
def test_a_changed_schema_is_a_changed_tool() -> None:
    office = Office()

    def make(default: str) -> Any:
        if default == "one":

            def sort(thing: str) -> str:
                return "sorted"
        else:

            def sort(thing: str, order: str = "name") -> str:  # type: ignore[misc]
                return "sorted"

        return sort

    script = Script([("sort", {"thing": "drawer"})], "Sorted.")
    for kind, status in (("one", "miss"), ("one", "hit"), ("two", "miss")):
        agent = office.agent(script, tools=[make(kind)])
        with office.engine.task("sort it") as task:
            agent.run_sync("sort it")
        assert task.outcome is not None
        assert task.outcome.status == status
    assert task.outcome.reason == Reason.TOOL_CHANGED


@pytest.mark.scenario("odd_results")
def test_results_that_are_no_json_do_not_stop_the_run() -> None:
    office = Office()

    def reach(place: str) -> Any:
        office.made.append(("reach", place))
        return {"place": place, "found": {1, 2, 3}, "raw": b"\x00\xff"}

    script = Script([("reach", {"place": "shelf"})], "Reached.")
    agent = office.agent(script, tools=[reach])
    for _ in range(2):
        with office.engine.task("reach it") as task:
            assert agent.run_sync("reach it").output == "Reached."
    hit(task.outcome)
    assert len(office.made) == 2
    assert script.asked == 2


@pytest.mark.scenario("odd_results")
def test_what_a_tool_returns_beside_its_result_begins_no_task() -> None:
    office = Office()

    def photograph(thing: str) -> ToolReturn:
        office.made.append(("photograph", thing))
        image = BinaryContent(data=b"a picture", media_type="image/png")
        return ToolReturn(f"photographed the {thing}", content=["The picture:", image])

    script = Script([("photograph", {"thing": "drawer"})], OPEN_THE_DRAWER[0], "Seen.")
    agent = office.agent(script, tools=[photograph, office.look])
    for _ in range(2):
        office.reset()
        with office.engine.task("see it") as task:
            assert agent.run_sync("see it").output == "Seen."
        assert len(task.outcomes) == 1
        assert len(office.made) == 2
    hit(task.outcome)
    assert script.asked == 3
    agent = office.agent(script, office.memory(answer=lambda results: results[0]), tools=[photograph, office.look])
    assert agent.run_sync("see it").output == "photographed the drawer"


@pytest.mark.scenario("check_refuses")
def test_what_the_user_forbids_the_engine_raises_to_the_user() -> None:
    office, script = Office(), Script(*OPEN_THE_DRAWER)
    agent = office.agent(script)
    with office.engine.task("open the drawer", mode="replay"), pytest.raises(Missed):
        agent.run_sync("open the drawer")
    assert script.asked == 0
    office.learn(agent)
    office.weather = "stormy"
    with office.engine.task("open the drawer", mode="replay"), pytest.raises(Diverged):
        agent.run_sync("open the drawer")
    assert script.asked == 4


@pytest.mark.scenario("tool_raises")
def test_a_tool_raises_the_same_exception_while_it_is_recorded() -> None:
    office = Office()
    cause, error = ValueError("cause"), RuntimeError("error")

    def fail(thing: str) -> str:
        raise error from cause

    agent = office.agent(Script([("fail", {"thing": "drawer"})], "Done."), tools=[fail])
    with office.engine.task("fail") as task, pytest.raises(RuntimeError) as raised:
        agent.run_sync("fail")
    assert raised.value is error
    assert raised.value.__cause__ is cause
    assert task.outcome is None or not task.outcome.learned
    office.events.clear()
    with pytest.raises(RuntimeError):
        agent.run_sync("fail")
    assert [each.status for each in office.events if isinstance(each, RunEvent)] == ["raised"]  # without a block, too


def test_a_replay_that_never_ends_in_an_answer_is_bounded_by_the_framework() -> None:
    office = Office()
    script = Script([("look", {"place": "drawer"})])
    agent = office.agent(script)
    with pytest.raises(UnexpectedModelBehavior):
        agent.run_sync("look")
    assert not office.made
