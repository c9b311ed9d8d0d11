"""OpenAI Agents SDK: what goes wrong, and what the adapter leaves alone."""

from __future__ import annotations

import asyncio
import gc
import subprocess
import sys
import weakref
from contextlib import suppress
from pathlib import Path
from typing import Any, cast

import pytest

pytest.importorskip("agents", reason="openai-agents is not installed")

from agents import Agent, MaxTurnsExceeded, ModelRefusalError, Runner, WebSearchTool, function_tool

from agents_desk import ANSWER, DONE, PARAMS, Desk, plan_of, refund_plan
from muscle_mem import Engine
from muscle_mem.errors import InvalidTypeError, InvalidValueError
from muscle_mem.events import NotLearnedEvent
from muscle_mem.integrations._shared.nesting import is_answering
from muscle_mem.integrations.openai_agents import MuscleMemoryModel, MuscleMemoryProvider, memory_guardrail
from muscle_mem.integrations.openai_agents import ledger as ledger_module
from muscle_mem.integrations.openai_agents import model as model_module
from openai_agents_stub import WAYS, Stub, StubProvider, arun, config, run
from paths import ROOT

PROMPT = "Refund order A-1001 of Ada Lovelace."


@pytest.mark.scenario("no_run")
def test_a_block_that_no_adapter_saw_logs_one_warning() -> None:
    desk = Desk()
    desk.agent = desk.agent.clone(model=desk.stub)  # A model object never asks the provider.
    task, result = desk.do()
    assert (task.outcome, result.final_output) == (None, ANSWER)
    (message,) = desk.notices("no_run")
    assert "model" in message


@pytest.mark.scenario("old_framework")
def test_a_version_without_the_hook_is_an_import_error_that_names_both(tmp_path: Path) -> None:
    (tmp_path / "agents").mkdir()
    (tmp_path / "agents" / "__init__.py").touch()
    (tmp_path / "agents" / "version.py").write_text("__version__ = '0.3.1'")
    before = [str(tmp_path), str(ROOT / "src")]
    code = f"import sys; sys.path[:0] = {before!r}\nimport muscle_mem.integrations.openai_agents"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    last = done.stderr.strip().splitlines()[-1]
    assert "expected openai-agents 0.18.1 or later, got 0.3.1" in last
    assert "pip install 'muscle-mem[openai-agents]'" in last


def test_importing_the_engine_does_not_import_the_sdk() -> None:
    code = "import sys, muscle_mem; muscle_mem.Engine(); print('agents' in sys.modules, 'openai' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False", "False"]


@pytest.mark.scenario("abandoned")
def test_a_stream_that_is_left_in_the_middle_is_not_learned() -> None:
    desk = Desk()

    async def leave() -> None:
        async with desk.engine.task("refund an order", params=PARAMS) as task:
            result = Runner.run_streamed(desk.agent, PROMPT, run_config=config(desk.provider))
            async for event in result.stream_events():
                if event.type == "run_item_stream_event":
                    result.cancel()
        assert task.outcome is None or not task.outcome.learned

    asyncio.run(leave())
    desk.reset()
    task, _ = desk.do()
    assert (task.outcome.status, task.outcome.learned, desk.stub.asked) == ("miss", True, 4)


@pytest.mark.parametrize("way", ["async", "streaming"])
@pytest.mark.scenario("cancelled")
def test_a_cancelled_run_is_not_learned_and_the_cancellation_passes(way: str) -> None:
    desk = Desk()
    desk.stub.delay = 5.0

    async def cancel() -> None:
        running = asyncio.create_task(arun(way, desk.agent, PROMPT, config(desk.provider)))
        while not desk.stub.asked:
            await asyncio.sleep(0.001)
        running.cancel()
        await running

    with pytest.raises(asyncio.CancelledError):
        asyncio.run(cancel())
    assert [event.reason for event in desk.events if isinstance(event, NotLearnedEvent)] == ["cancelled"]
    desk.stub.delay = 0.0
    desk.reset()
    task, _ = desk.do(way)
    assert (task.outcome.status, task.outcome.learned) == ("miss", True)


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.scenario("turn_limit")
def test_a_run_over_its_turn_limit_raises_as_ever(way: str) -> None:
    desk = Desk()
    with pytest.raises(MaxTurnsExceeded):
        desk.do(way, max_turns=2)
    desk.reset()
    task, _ = desk.do(way)
    assert (task.outcome.status, task.outcome.learned) == ("miss", True)
    desk.reset()
    with pytest.raises(MaxTurnsExceeded):
        desk.do(way, max_turns=2)
    desk.reset()
    assert desk.do(way)[0].outcome.status == "hit"


@pytest.mark.parametrize("where", ["previous_response_id", "conversation_id"])
@pytest.mark.scenario("server_history")
def test_a_history_that_the_server_keeps_is_left_alone(where: str) -> None:
    desk = Desk(refund_plan_of_server())
    for _ in range(2):
        desk.reset()
        with desk.engine.task("refund an order", params=PARAMS) as task:
            result = run("sync", desk.agent, PROMPT, config(desk.provider), **{where: "of_server"})
        assert (task.outcome, result.final_output, desk.stub.asked) == (None, ANSWER, 4)
        assert desk.did == DONE
        assert {request[where] for request in desk.stub.requests} == {"of_server"}
    assert not desk.notices("no_run")
    assert desk.engine.cache_info().learned == 0


def refund_plan_of_server() -> Any:
    """Return the plan of a model that gets only what is new of each turn."""
    plan, turn = refund_plan(), iter(range(100))
    return lambda results: plan([""] * (next(turn) % 4))


@pytest.mark.scenario("server_history")
def test_instructions_that_the_server_keeps_are_left_alone() -> None:
    desk = Desk(prompt={"id": "pmpt_of_server"})
    for _ in range(2):
        desk.reset()
        task, result = desk.do()
        assert (task.outcome, result.final_output, desk.stub.asked) == (None, ANSWER, 4)
    assert desk.engine.cache_info().learned == 0


@pytest.mark.scenario("server_history")
def test_what_is_left_alone_is_told_once() -> None:
    desk = Desk(refund_plan_of_server())
    for _ in range(2):
        run("sync", desk.agent, PROMPT, config(desk.provider), previous_response_id="of_server")
    (message,) = desk.notices("left_alone")
    assert "the server keeps the history" in message


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.scenario("hosted_tools")
def test_an_agent_with_hosted_tools_is_left_alone(way: str) -> None:
    desk = Desk()
    desk.agent = desk.agent.clone(tools=[*desk.tools, WebSearchTool()])
    for _ in range(2):
        desk.reset()
        task, result = desk.do(way)
        assert (task.outcome, result.final_output, desk.stub.asked, desk.did) == (None, ANSWER, 4, DONE)
        assert not desk.notices("adapter_failed")
    assert desk.engine.cache_info().learned == 0


@pytest.mark.scenario("hosted_tools", "hand_off")
def test_a_run_that_comes_to_an_agent_with_hosted_tools_goes_on_unlearned() -> None:
    desk = Desk(plan_of([[("transfer_to_desk", {})], *refund_turns()], ANSWER))
    inner = desk.agent.clone(tools=[*desk.tools, WebSearchTool()])
    door = Agent(name="door", instructions="Send people to a desk.", handoffs=[inner])
    for _ in range(2):
        desk.reset()
        task, result = desk.do(agent=door)
        assert (result.final_output, desk.stub.asked, desk.did) == (ANSWER, 5, DONE)
        assert task.outcome is None or not task.outcome.learned
    assert desk.engine.cache_info().learned == 0
    assert len(desk.notices("left_alone")) <= 1


def refund_turns() -> list[Any]:
    return [
        [("find_order", {"order": "A-1001"})],
        [("refund", {"order": "A-1001", "amount": 250})],
        [("send_mail", {"to": "Ada Lovelace", "text": "Order A-1001 was refunded."})],
    ]


@pytest.mark.scenario("two_engines", "wrapped_twice")
def test_of_two_engines_around_one_model_the_outer_one_works() -> None:
    desk = Desk()
    other = Engine(observers=[])
    inner = MuscleMemoryProvider(other, StubProvider(MuscleMemoryModel(desk.stub, other)))
    desk.provider = MuscleMemoryProvider(desk.engine, inner)
    desk.learned()
    task, _ = desk.do()
    assert (task.outcome.status, desk.did, desk.stub.asked) == ("hit", DONE, 0)
    assert other.cache_info().learned == 0


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.scenario("wrapped_twice")
def test_an_adapter_below_the_model_sees_that_a_request_is_answered(way: str) -> None:
    desk = Desk()
    inside: list[bool] = []
    real = desk.stub._wanted

    async def wanted(request: Any) -> Any:
        inside.append(is_answering(desk.engine))
        return await real(request)

    desk.stub._wanted = wanted  # type: ignore[method-assign]
    desk.learned(way=way)
    assert inside == [True] * 4
    assert not is_answering(desk.engine)


@pytest.mark.scenario("odd_results")
def test_results_that_are_no_json_are_recorded_and_replayed() -> None:
    desk = Desk(plan_of([[("odd", {})], [("find_order", {"order": "A-1001"})]], "done"))

    @function_tool
    def odd() -> Any:
        desk.did.append(("odd",))
        return object()

    desk.agent = Agent(name="odd", instructions="Be odd.", tools=[odd, desk.tools[0]])
    desk.learned()
    task, result = desk.do()
    assert (task.outcome.status, desk.did) == ("hit", [("odd",), DONE[0]])
    assert desk.stub.asked == 1  # For the answer alone, since the text of an object is another each time.
    assert result.final_output == "done"


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("broken", ["request_of", "Said", "items_of_calls", "items_of_answer"])
@pytest.mark.scenario("adapter_fails")
def test_a_failure_of_the_adapter_is_one_event_and_the_run_goes_on(
    way: str, broken: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk = Desk()
    if broken.startswith("items"):
        desk.learned(way=way)

    def fail(*args: Any, **kwargs: Any) -> Any:
        raise ZeroDivisionError("of the adapter")

    monkeypatch.setattr(model_module, broken, fail)
    _, result = desk.do(way)
    assert (result.final_output, desk.did) == (ANSWER, DONE)
    messages = desk.notices("adapter_failed")
    assert messages
    assert all("ZeroDivisionError" in message for message in messages)
    monkeypatch.undo()
    desk.reset()
    task, result = desk.do(way)
    assert (result.final_output, desk.did) == (ANSWER, DONE)
    assert task.outcome.status == ("hit" if broken.startswith("items") else "miss")


@pytest.mark.parametrize("refusing", [True, False])
def test_a_model_that_refuses_is_not_learned(refusing: bool) -> None:
    desk = Desk()
    real = desk.stub._wanted

    async def wanted(request: Any) -> Any:
        output = await real(request)
        if refusing and len(request.results) == 3:
            content = {"type": "refusal", "refusal": "No."}
            output[0] = type(output[0]).model_validate({**output[0].model_dump(), "content": [content]})
        return output

    desk.stub._wanted = wanted  # type: ignore[method-assign]
    with suppress(ModelRefusalError):
        desk.do()
    assert desk.engine.cache_info().learned == (0 if refusing else 1)


@pytest.mark.parametrize(
    ("make", "error", "said"),
    [
        (lambda engine: MuscleMemoryProvider(cast(Any, None)), InvalidTypeError, "expected an Engine, got NoneType"),
        (lambda engine: memory_guardrail("engine"), InvalidTypeError, "expected an Engine, got str"),
        (lambda engine: MuscleMemoryModel(cast(Any, "gpt-5"), engine), InvalidTypeError, "use MuscleMemoryProvider"),
        (lambda engine: MuscleMemoryProvider(engine, cast(Any, Stub)), InvalidTypeError, "use MuscleMemoryModel"),
        (lambda engine: MuscleMemoryProvider(engine, tools="refund"), InvalidTypeError, "a list of names for tools="),
        (lambda engine: MuscleMemoryProvider(engine, answer="yes"), InvalidValueError, "answer="),
    ],
)
def test_wrong_arguments_are_clear_errors(make: Any, error: type[Exception], said: str) -> None:
    with pytest.raises(error, match=said):
        make(Engine())


def test_the_calls_that_were_handed_out_are_kept_up_to_a_number(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ledger_module, "MAX_CALLS", 3)
    ledger = ledger_module.Ledger()
    for number in range(5):
        ledger.note(str(number), cast(Any, number))
    assert [ledger.find(str(number)) for number in range(5)] == [None, None, 2, 3, 4]
    assert (ledger.take("4"), ledger.take("4")) == (4, None)


def test_an_engine_is_collected_with_all_that_its_adapters_keep() -> None:
    desk = Desk()
    desk.learned()
    engine = weakref.ref(desk.engine)
    del desk
    gc.collect()
    assert engine() is None


def test_an_engine_that_is_off_leaves_everything_to_the_model(monkeypatch: pytest.MonkeyPatch) -> None:
    desk = Desk()
    desk.learned()
    monkeypatch.setenv("MUSCLE_MEM_MODE", "off")
    _, result = desk.do()
    assert (result.final_output, desk.stub.asked, desk.did) == (ANSWER, 4, DONE)
