"""A wrapped client of OpenAI with several agents, engines and kinds of tools; and what makes a task."""

from pathlib import Path

import pytest

import client_several as several
from client_kit import Kit

pytest.importorskip("openai", reason="the client of OpenAI is not installed")


@pytest.mark.scenario("hand_off")
def test_a_hand_off_is_recorded_and_replayed(kit: Kit):
    several.hand_off(kit)


@pytest.mark.scenario("sub_agent")
def test_an_agent_in_a_tool_is_one_step(kit: Kit):
    several.sub_agent(kit)


@pytest.mark.scenario("decorated_tools")
def test_functions_of_the_engine_and_others_stand_side_by_side(kit: Kit):
    several.decorated_tools(kit)


@pytest.mark.scenario("renamed_tool")
def test_a_tool_is_replayed_by_the_name_that_the_model_knows(kit: Kit):
    several.renamed_tool(kit)


@pytest.mark.scenario("two_engines")
def test_of_two_engines_the_outer_one_works(kit: Kit):
    several.two_engines(kit)


@pytest.mark.parametrize("with_another_between", [False, True])
@pytest.mark.scenario("wrapped_twice")
def test_a_client_that_is_wrapped_twice_records_once(kit: Kit, with_another_between: bool):
    several.wrapped_twice(kit, with_another_between=with_another_between)


@pytest.mark.scenario("other_image")
def test_another_image_is_another_task(kit: Kit):
    several.other_image(kit)


@pytest.mark.scenario("other_prompt")
def test_another_prompt_is_another_task(kit: Kit):
    several.other_prompt(kit)


@pytest.mark.scenario("dated_instructions")
def test_instructions_with_a_date_are_named(kit: Kit):
    several.dated_instructions(kit)


@pytest.mark.scenario("secrets")
def test_a_secret_is_not_in_the_store(kit: Kit, tmp_path: Path):
    several.secrets(kit, tmp_path)
