"""A wrapped client of OpenAI: what goes wrong, and what its adapter leaves alone."""

import asyncio
from pathlib import Path

import pytest

import client_trouble as trouble
from client_kit import Kit

pytest.importorskip("openai", reason="the client of OpenAI is not installed")


@pytest.mark.scenario("no_run")
def test_a_block_around_an_unwrapped_client_logs_one_warning(kit: Kit):
    trouble.no_run(kit)


@pytest.mark.scenario("old_framework")
def test_an_old_version_is_an_import_error_that_names_both(tmp_path: Path):
    trouble.old_framework(tmp_path, "openai", "2.54.0", "3.0")


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.scenario("cancelled")
def test_a_cancelled_run_is_not_learned_and_the_cancellation_passes(kit: Kit, stream: bool):
    asyncio.run(trouble.cancelled(kit, stream=stream))


HOSTED = {
    "chat": ({"web_search_options": {"search_context_size": "low"}}, "a hosted web search"),
    "responses": ({"tools": [{"type": "web_search"}]}, "a tool of the type 'web_search'"),
}


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.scenario("hosted_tools")
def test_tools_that_the_provider_runs_are_left_alone(kit: Kit, stream: bool):
    trouble.left_alone(kit, *HOSTED[kit.wire], stream=stream)


@pytest.mark.parametrize("kit", ["responses"], indirect=True)
@pytest.mark.parametrize("name", ["previous_response_id", "conversation"])
@pytest.mark.scenario("server_history")
def test_a_history_on_the_server_is_left_alone(kit: Kit, name: str):
    trouble.left_alone(kit, {name: "of_the_server"}, f"a history on the server ({name})")


@pytest.mark.parametrize("kit", ["responses"], indirect=True)
@pytest.mark.scenario("server_history")
def test_a_recording_is_not_replayed_into_a_history_on_the_server(kit: Kit):
    trouble.learned_then_left_alone(kit, {"conversation": "of_the_server"})


@pytest.mark.parametrize("kit", ["chat"], indirect=True)
@pytest.mark.scenario("many_choices")
def test_a_request_for_several_answers_is_left_alone(kit: Kit):
    trouble.left_alone(kit, {"n": 2}, "several answers (n=2)")


@pytest.mark.parametrize("kit", ["chat"], indirect=True)
@pytest.mark.scenario("many_choices")
def test_a_recording_is_not_replayed_as_several_answers(kit: Kit):
    trouble.learned_then_left_alone(kit, {"n": 2})


@pytest.mark.scenario("odd_results")
def test_results_that_are_no_json_are_recorded_and_replayed(kit: Kit):
    trouble.odd_results(kit)


@pytest.mark.scenario("odd_results")
def test_a_result_that_is_no_json_and_is_needed_is_taken_from_this_run(kit: Kit):
    trouble.needed_odd_result(kit)


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("broken", trouble.BROKEN)
@pytest.mark.scenario("adapter_fails")
def test_a_failure_of_the_adapter_is_an_event_and_the_run_goes_on(kit: Kit, broken: str, stream: bool):
    from muscle_mem.integrations.openai import FORMATS

    trouble.adapter_fails(kit, broken, FORMATS, stream=stream)
