"""Runs of an application with a wrapped client of OpenAI that stop in the middle."""

import pytest

import client_scenarios as scenarios
from client_kit import Kit

openai = pytest.importorskip("openai", reason="the client of OpenAI is not installed")


@pytest.mark.scenario("check_refuses")
def test_the_model_goes_on_where_a_check_refuses(kit: Kit):
    scenarios.check_refuses(kit)


@pytest.mark.scenario("rejoin")
def test_the_replay_takes_over_again(kit: Kit):
    scenarios.rejoin(kit)


@pytest.mark.scenario("tool_raises")
def test_the_replay_stops_where_a_tool_raises(kit: Kit):
    scenarios.tool_raises(kit)


@pytest.mark.scenario("error_as_text")
def test_an_error_that_is_told_as_text_stops_the_replay(kit: Kit):
    scenarios.error_as_text(kit)


@pytest.mark.scenario("model_error")
def test_an_error_of_the_model_passes_unchanged(kit: Kit):
    scenarios.model_error(kit, openai.APIStatusError)


def test_a_request_that_is_sent_again_is_one_turn(kit: Kit):
    scenarios.retried(kit)


def test_an_answer_that_was_cut_off_is_not_learned(kit: Kit):
    scenarios.cut_off(kit)


@pytest.mark.scenario("unknown_tool")
def test_a_tool_that_is_not_offered_is_a_miss(kit: Kit):
    scenarios.unknown_tool(kit)


@pytest.mark.scenario("tool_changed")
def test_a_tool_with_another_schema_has_changed(kit: Kit):
    scenarios.tool_changed(kit)


@pytest.mark.scenario("abandoned", "turn_limit")
def test_a_run_over_its_limit_is_not_learned(kit: Kit):
    scenarios.abandoned(kit)
