"""A wrapped client of Anthropic: what goes wrong, and what its adapter leaves alone."""

import asyncio
from pathlib import Path

import pytest

import client_trouble as trouble
from client_kit import Kit

pytest.importorskip("anthropic", reason="the client of Anthropic is not installed")


@pytest.mark.scenario("no_run")
def test_a_block_around_an_unwrapped_client_logs_one_warning(kit: Kit):
    trouble.no_run(kit)


@pytest.mark.scenario("old_framework")
def test_an_old_version_is_an_import_error_that_names_both(tmp_path: Path):
    trouble.old_framework(tmp_path, "anthropic", "0.125.0", "1.0")


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.scenario("cancelled")
def test_a_cancelled_run_is_not_learned_and_the_cancellation_passes(kit: Kit, stream: bool):
    asyncio.run(trouble.cancelled(kit, stream=stream))


HOSTED = {"tools": [{"type": "web_search_20250305", "name": "web_search"}]}


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.scenario("hosted_tools")
def test_tools_that_the_provider_runs_are_left_alone(kit: Kit, stream: bool):
    trouble.left_alone(kit, HOSTED, "web_search_20250305", stream=stream)


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
    from muscle_mem.integrations.anthropic import FORMATS

    trouble.adapter_fails(kit, broken, FORMATS, stream=stream)
