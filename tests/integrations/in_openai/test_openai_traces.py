"""What traces show of a wrapped client of OpenAI, and what it costs."""

import pytest

pytest.importorskip("openai", reason="the client of OpenAI is not installed")
pytest.importorskip("opentelemetry.sdk", reason="opentelemetry-sdk is not installed")

import client_traces as traces
from client_kit import Kit


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.scenario("no_model_span")
def test_a_hit_has_no_span_of_a_request_and_one_for_each_call(kit: Kit, stream: bool):
    traces.spans(kit, stream=stream)


@pytest.mark.scenario("overhead")
def test_a_hit_costs_at_most_a_millisecond_more_than_the_loop_with_an_instant_model(kit: Kit):
    traces.overhead(kit)
