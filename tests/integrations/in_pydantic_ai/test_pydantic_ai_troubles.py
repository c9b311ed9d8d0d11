"""What goes wrong around an agent of pydantic-ai: the run goes on, by a rule, with a message."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("pydantic_ai.capabilities", reason="pydantic-ai is not installed")

from pydantic_ai import Agent, UsageLimits, WebSearchTool
from pydantic_ai.capabilities import NativeTool
from pydantic_ai.exceptions import UsageLimitExceeded

import muscle_mem
from agents_of_pydantic_ai import OPEN_THE_DRAWER, Office, Script, hit
from muscle_mem.integrations.pydantic_ai import MuscleMemory

SOURCE = Path(muscle_mem.__file__).parent.parent


@pytest.mark.scenario("no_run")
def test_a_block_that_no_agent_with_a_memory_ran_in_says_so() -> None:
    office, script = Office(), Script(*OPEN_THE_DRAWER)
    forgetful: Agent[Any, Any] = Agent(script.model(), tools=[office.look, office.change, office.note])
    with office.engine.task("open the drawer") as task:
        forgetful.run_sync("open the drawer")
    assert task.outcome is None
    (said,) = office.notices("no_run")
    assert "capabilities" in said or "adapter" in said


OLD = """
import sys, types
old = types.ModuleType("pydantic_ai")
old.__path__, old.__version__ = [], "1.60.0"
sys.modules["pydantic_ai"] = old
try:
    import muscle_mem.integrations.pydantic_ai
except ImportError as error:
    print(error)
else:
    raise SystemExit("imported")
"""


@pytest.mark.scenario("old_framework")
def test_an_old_version_is_an_import_error_that_names_both_versions() -> None:
    done = subprocess.run(
        [sys.executable, "-c", OLD], capture_output=True, text=True, env={"PYTHONPATH": str(SOURCE)}, timeout=60
    )
    assert done.returncode == 0, done.stderr
    assert "2.0.0 or later" in done.stdout
    assert "found 1.60.0" in done.stdout
    assert "pip install 'muscle-mem[pydantic-ai]'" in done.stdout


def test_importing_the_package_imports_no_framework() -> None:
    code = "import sys, muscle_mem.integrations; assert not {'pydantic_ai', 'opentelemetry'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True, env={"PYTHONPATH": str(SOURCE)}, timeout=60)


def ends_as_before(office: Office, agent: Agent[Any, Any], script: Script) -> None:
    """The next run of a task that was learned before is a hit."""
    office.reset()
    asked = script.asked
    with office.engine.task("open the drawer") as task:
        assert agent.run_sync("open the drawer").output == "The drawer is open."
    hit(task.outcome)
    assert script.asked == asked


@pytest.mark.scenario("abandoned")
@pytest.mark.parametrize("known", [False, True])
def test_a_run_that_is_left_in_the_middle_is_not_learned(known: bool) -> None:
    office, script = Office(), Script(*OPEN_THE_DRAWER)
    agent = office.agent(script)
    if known:
        office.learn(agent)

    async def leave() -> None:
        async with agent.iter("open the drawer") as run:
            async for node in run:
                if Agent.is_call_tools_node(node):
                    break

    with office.engine.task("open the drawer") as task:
        asyncio.run(leave())
    assert task.outcome is None or not task.outcome.learned
    office.reset()
    if not known:
        office.learn(agent)
    ends_as_before(office, agent, script)


@pytest.mark.scenario("abandoned", "streaming")
def test_a_stream_that_is_left_in_the_middle_is_not_learned() -> None:
    office, script = Office(), Script(*OPEN_THE_DRAWER)
    agent = office.agent(script)

    async def leave() -> None:
        async with agent.run_stream("open the drawer") as result:
            async for _ in result.stream_text(debounce_by=None):
                break

    with office.engine.task("open the drawer"):
        asyncio.run(leave())
    office.reset()
    with office.engine.task("open the drawer") as task:
        assert agent.run_sync("open the drawer").output == "The drawer is open."
    assert task.outcome is not None


@pytest.mark.scenario("cancelled")
@pytest.mark.parametrize("known", [False, True])
def test_a_cancelled_run_is_not_learned(known: bool) -> None:
    office, script = Office(), Script(*OPEN_THE_DRAWER)
    slow = False

    async def change(thing: str, state: str) -> str:
        if slow:
            await asyncio.sleep(60)
        return office.change(thing, state)

    agent = office.agent(script, tools=[office.look, change, office.note])
    if known:
        office.learn(agent)
    slow = True

    async def cancel() -> None:
        running = asyncio.ensure_future(agent.run("open the drawer"))
        await asyncio.sleep(0.05)
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running

    with office.engine.task("open the drawer") as task:
        asyncio.run(cancel())
    assert task.outcome is None or not task.outcome.learned
    slow = False
    office.reset()
    if not known:
        office.learn(agent)
    ends_as_before(office, agent, script)


@pytest.mark.scenario("turn_limit")
def test_a_run_over_its_turn_limit_is_not_learned() -> None:
    office, script = Office(), Script(*OPEN_THE_DRAWER)
    agent = office.agent(script)
    with office.engine.task("open the drawer") as task, pytest.raises(UsageLimitExceeded):
        agent.run_sync("open the drawer", usage_limits=UsageLimits(request_limit=2))
    assert task.outcome is None or not task.outcome.learned
    office.reset()
    office.learn(agent)
    with office.engine.task("open the drawer"), pytest.raises(UsageLimitExceeded):
        agent.run_sync("open the drawer", usage_limits=UsageLimits(request_limit=2))
    ends_as_before(office, agent, script)


@pytest.mark.scenario("server_history")
def test_a_history_at_the_provider_is_left_alone() -> None:
    office, script = Office(), Script(*OPEN_THE_DRAWER)
    agent = office.agent(script)
    settings: Any = {"openai_previous_response_id": "auto"}
    for _ in range(2):
        office.reset()
        with office.engine.task("open the drawer") as task:
            assert agent.run_sync("open the drawer", model_settings=settings).output == "The drawer is open."
        assert task.outcome is None
    assert script.asked == 8
    (said,) = office.notices("left_alone")
    assert "openai_previous_response_id" in said


@pytest.mark.scenario("hosted_tools")
def test_tools_of_the_provider_are_left_alone() -> None:
    from pydantic_ai.models.function import FunctionModel
    from pydantic_ai.profiles import ModelProfile

    office, script = Office(), Script(*OPEN_THE_DRAWER)
    profile = ModelProfile(supported_native_tools=frozenset({WebSearchTool}))
    model = FunctionModel(script.reply, profile=profile)
    agent: Agent[Any, Any] = Agent(
        model,
        name="clerk",
        tools=[office.look, office.change, office.note],
        capabilities=[office.memory(), NativeTool(WebSearchTool())],
    )
    for _ in range(2):
        office.reset()
        assert agent.run_sync("open the drawer").output == "The drawer is open."
    assert script.asked == 8
    (said,) = office.notices("left_alone")
    assert "native tools" in said


@pytest.mark.scenario("adapter_fails")
@pytest.mark.parametrize("part", ["to_request", "answer_of", "replayed_response"])
def test_a_failure_of_the_adapter_is_one_event(part: str, monkeypatch: pytest.MonkeyPatch) -> None:
    from muscle_mem.integrations.pydantic_ai import agent_run

    office, script = Office(), Script(*OPEN_THE_DRAWER)
    agent = office.agent(script)
    if part == "replayed_response":
        agent.run_sync("open the drawer")
        office.reset()

    def broken(*_: Any, **__: Any) -> Any:
        raise AssertionError("a mistake of ours")

    monkeypatch.setattr(agent_run, part, broken)
    assert agent.run_sync("open the drawer").output == "The drawer is open."
    said = office.notices("adapter_failed")
    assert said
    assert all("AssertionError" in each for each in said)
    monkeypatch.undo()
    office.reset()
    assert agent.run_sync("open the drawer").output == "The drawer is open."
    assert [name for name, _ in office.made] == ["look", "change", "note"]


def test_an_agent_cannot_be_made_from_a_spec_with_a_memory() -> None:
    assert MuscleMemory.get_serialization_name() is None
