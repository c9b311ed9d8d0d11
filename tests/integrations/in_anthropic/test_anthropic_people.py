"""A wrapped client of Anthropic, and a person who is asked before calls are made."""

import asyncio

import pytest

import client_people as people
from client_kit import Kit

pytest.importorskip("anthropic", reason="the client of Anthropic is not installed")


@pytest.mark.scenario("approval")
def test_a_loop_that_asks_a_person_asks_on_a_hit(kit: Kit):
    people.approval(kit)


@pytest.mark.scenario("denied")
def test_a_no_does_not_count_against_the_recording(kit: Kit):
    people.denied(kit)


@pytest.mark.scenario("denied")
def test_a_no_while_recording_is_not_learned(kit: Kit):
    people.denied_while_recording(kit)


@pytest.mark.scenario("state_changed")
def test_a_call_is_not_made_if_the_state_changed_while_a_person_thought(kit: Kit):
    people.state_changed(kit)


@pytest.mark.parametrize("kind", ["no", "late"])
@pytest.mark.scenario("state_changed", "denied")
def test_an_async_loop_asks_and_says_the_same(kit: Kit, kind: str):
    asyncio.run(people.asynchronous_people(kit, kind))


@pytest.mark.scenario("approved_later")
def test_a_run_that_is_approved_after_its_block_goes_on(kit: Kit):
    people.approved_later(kit)


@pytest.mark.scenario("approved_elsewhere")
def test_a_run_that_is_approved_elsewhere_is_neither_replayed_nor_learned(kit: Kit):
    people.approved_elsewhere(kit)


@pytest.mark.scenario("checkpoint")
def test_a_run_goes_on_from_its_saved_messages(kit: Kit):
    people.checkpoint(kit)
