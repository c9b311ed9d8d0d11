"""Traces of pydantic-ai on a hit, and what a hit costs."""

from __future__ import annotations

import asyncio
import gc
import time
from typing import Any

import pytest

pytest.importorskip("pydantic_ai.capabilities", reason="pydantic-ai is not installed")

from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from pydantic_ai.capabilities import Instrumentation
from pydantic_ai.models.instrumented import InstrumentationSettings

from agents_of_pydantic_ai import OPEN_THE_DRAWER, Office, Script, hit
from muscle_mem.integrations.otel import OtelObserver


class Traced:
    def __init__(self) -> None:
        self.exporter = InMemorySpanExporter()
        self.provider = TracerProvider(shutdown_on_exit=False)
        self.provider.add_span_processor(SimpleSpanProcessor(self.exporter))

    def settings(self) -> InstrumentationSettings:
        return InstrumentationSettings(tracer_provider=self.provider)

    def spans(self) -> list[ReadableSpan]:
        found = list(self.exporter.get_finished_spans())
        self.exporter.clear()
        return found


@pytest.mark.scenario("replayed_span", "no_model_span")
@pytest.mark.parametrize("how", ["instrument", "capability before", "capability after"])
@pytest.mark.parametrize("observed", [False, True])
def test_a_replayed_call_has_one_span_and_a_hit_no_span_of_a_model(how: str, observed: bool) -> None:
    traced = Traced()
    office = Office(observers=[OtelObserver(tracer_provider=traced.provider)] if observed else [])
    script = Script(*OPEN_THE_DRAWER)
    given: list[Any] = [office.memory()]
    if how != "instrument":
        given.insert(0 if how == "capability before" else 1, Instrumentation(settings=traced.settings()))
    agent = office.agent(script, *given)
    if how == "instrument":
        agent.instrument = traced.settings()
    office.learn(agent)
    first = [span.name for span in traced.spans()]
    assert sum(name.startswith("chat ") for name in first) == 4
    with office.engine.task("open the drawer") as task:
        agent.run_sync("open the drawer")
    outcome = hit(task.outcome)
    spans = traced.spans()
    names = sorted(span.name for span in spans)
    assert not [name for name in names if name.startswith("chat")]
    assert sorted(name for name in names if "tool" in name) == [
        "execute_tool change",
        "execute_tool look",
        "execute_tool note",
    ]
    calls = [dict(span.attributes or {}) for span in spans if span.name.startswith("execute_tool")]
    assert {each["muscle_mem.replayed"] for each in calls} == {True}
    assert {each["muscle_mem.trajectory.id"] for each in calls} == {outcome.trajectory_id}


def test_without_instrumentation_a_span_of_the_user_is_left_alone() -> None:
    traced = Traced()
    office, script = Office(), Script(*OPEN_THE_DRAWER)
    agent = office.agent(script)
    agent.run_sync("open the drawer")
    office.reset()
    with traced.provider.get_tracer("user").start_as_current_span("of the user"):
        agent.run_sync("open the drawer")
    (span,) = traced.spans()
    assert not span.attributes


@pytest.mark.scenario("overhead")
def test_a_three_step_hit_costs_at_most_a_millisecond_beside_the_loop_of_the_framework() -> None:
    office, script = Office(), Script(*OPEN_THE_DRAWER)
    remembering, plain = office.agent(script), office.agent(script, _nothing())

    async def measure() -> list[float]:
        differences = []
        for agent in (remembering, plain):
            await agent.run("open the drawer")  # warm
        gc.disable()
        for _ in range(30):
            took = []
            for agent in (remembering, plain):
                office.reset()
                began = time.process_time()  # Other processes of the machine do not count.
                await agent.run("open the drawer")
                took.append(time.process_time() - began)
            differences.append(took[0] - took[1])
        gc.enable()
        return differences

    remembering.run_sync("open the drawer")
    office.reset()
    differences = asyncio.run(measure())
    assert script.asked == 4 + 31 * 4  # but for the first run, the plain one alone
    assert sorted(differences)[len(differences) // 4] < 0.001  # the machine may be busy with something else


def _nothing() -> Any:
    from pydantic_ai.capabilities import AbstractCapability

    class Nothing(AbstractCapability[Any]):
        pass

    return Nothing()
