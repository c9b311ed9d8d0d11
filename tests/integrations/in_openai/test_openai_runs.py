"""Runs of an application with a wrapped client of OpenAI: recorded, and replayed."""

import asyncio

import pytest

import client_scenarios as scenarios
from client_kit import Kit, learn

openai = pytest.importorskip("openai", reason="the client of OpenAI is not installed")

USAGE = {"chat": ("prompt_tokens", "completion_tokens"), "responses": ("input_tokens", "output_tokens")}


@pytest.mark.scenario("record")
def test_a_run_is_learned(kit: Kit):
    assert learn(kit).learned


@pytest.mark.scenario("hit", "sync")
def test_the_same_task_is_replayed(kit: Kit):
    scenarios.hit(kit)


@pytest.mark.scenario("hit_other_params")
def test_the_same_task_with_other_params_is_replayed(kit: Kit):
    scenarios.hit_other_params(kit)


def test_without_a_block_the_prompt_is_the_task(kit: Kit):
    scenarios.without_a_block(kit)


@pytest.mark.scenario("async")
def test_an_async_client_records_and_replays(kit: Kit):
    asyncio.run(scenarios.asynchronous(kit))


@pytest.mark.scenario("streaming")
def test_streams_are_learned_and_replayed(kit: Kit):
    scenarios.hit(kit, stream=True)


@pytest.mark.scenario("streaming")
def test_async_streams_are_learned_and_replayed(kit: Kit):
    asyncio.run(scenarios.asynchronous(kit, stream=True))


@pytest.mark.scenario("parallel_calls")
def test_calls_of_one_turn_are_replayed_as_one_turn(kit: Kit):
    scenarios.parallel_calls(kit)


@pytest.mark.scenario("typed_answer")
def test_a_typed_answer_comes_back(kit: Kit):
    scenarios.typed_answer(kit)


@pytest.mark.scenario("usage")
def test_a_replayed_turn_has_no_usage(kit: Kit):
    scenarios.usage(kit, USAGE[kit.wire])


@pytest.mark.scenario("two_tasks")
def test_two_tasks_in_one_conversation_are_two_runs(kit: Kit):
    scenarios.two_tasks(kit)


@pytest.mark.scenario("twelve_at_once")
def test_twelve_threads_do_not_meet(kit: Kit):
    scenarios.twelve_at_once(kit)


@pytest.mark.scenario("twelve_at_once")
def test_twelve_tasks_do_not_meet(kit: Kit):
    asyncio.run(scenarios.twelve_tasks(kit))
