"""OpenAI Agents SDK: spans of a hit, and its cost."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Callable, Iterator
from types import FrameType
from typing import Any

import pytest

pytest.importorskip("agents", reason="openai-agents is not installed")

from agents import Agent, function_tool
from agents.tracing import generation_span, get_trace_provider, set_trace_processors
from opentelemetry import context, trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from agents_desk import PARAMS, Desk, plan_of
from muscle_mem import Check
from muscle_mem.integrations.otel import OtelObserver
from openai_agents_stub import SpanNames, Stub, config, run
from paths import ROOT

PACKAGE = str(ROOT / "src" / "muscle_mem")


class Traced(Stub):
    """A stub that has a span for each request, as the models of the SDK do."""

    async def get_response(self, *args: Any, **kwargs: Any) -> Any:
        with generation_span(model="stub"):
            return await super().get_response(*args, **kwargs)


@pytest.fixture
def spans() -> Iterator[SpanNames]:
    before = get_trace_provider()
    processor = SpanNames()
    multi = before._multi_processor  # type: ignore[attr-defined]
    processors = multi._processors
    set_trace_processors([processor])
    yield processor
    multi.set_processors(list(processors))


def traced(**options: Any) -> Desk:
    desk = Desk(**options)
    desk.stub = desk.real.model = Traced(desk.stub.plan)
    return desk


def do(desk: Desk) -> Any:
    with desk.engine.task("refund an order", params=PARAMS) as task:
        run("sync", desk.agent, "Refund it.", config(desk.provider, tracing_disabled=False))
    return task


@pytest.mark.scenario("replayed_span", "no_model_span")
def test_a_replayed_call_has_one_span_and_a_hit_none_of_a_model(spans: SpanNames) -> None:
    desk = traced()
    do(desk)
    assert len(spans.of("generation")) == 4
    names = Counter(span["name"] for span in spans.of("function"))
    desk.reset()
    spans.spans.clear()
    task = do(desk)
    assert task.outcome.status == "hit"
    assert spans.of("generation") == []
    calls = spans.of("function")
    assert Counter(span["name"] for span in calls) == names == Counter(["find_order", "refund", "send_mail"])
    for step, span in enumerate(calls):
        assert span["mcp_data"] == {
            "muscle_mem": "replayed",
            "trajectory_id": task.outcome.trajectory_id,
            "step": step,
        }


@pytest.mark.scenario("replayed_span")
def test_spans_of_recorded_calls_are_not_marked(spans: SpanNames) -> None:
    do(traced())
    assert [span["mcp_data"] for span in spans.of("function")] == [None] * 3


@pytest.mark.scenario("replayed_span")
def test_without_the_guardrail_the_turn_is_marked(spans: SpanNames) -> None:
    desk = traced(guarded=False)
    do(desk)
    desk.reset()
    spans.data.clear()
    do(desk)
    marks = [data.metadata for data in spans.data if data.type == "turn"]
    assert [(mark["muscle_mem"], mark["step"]) for mark in marks] == [("replayed", step) for step in range(4)]


class Bridge(SpanNames):
    """A bridge of the SDK's spans to OpenTelemetry, in the way that instrumentations have one."""

    def __init__(self, tracer: Any) -> None:
        super().__init__()
        self.tracer = tracer
        self.open: dict[str, Any] = {}

    def on_span_start(self, span: Any) -> None:
        name = getattr(span.span_data, "name", None) or span.span_data.type
        made = self.tracer.start_span(f"{span.span_data.type} {name}")
        self.open[span.span_id] = made, context.attach(trace.set_span_in_context(made))

    def on_span_end(self, span: Any) -> None:
        made, token = self.open.pop(span.span_id)
        context.detach(token)
        made.end()


@pytest.mark.scenario("replayed_span", "no_model_span")
def test_with_opentelemetry_the_span_of_the_framework_is_the_only_one(spans: SpanNames) -> None:
    exporter, provider = InMemorySpanExporter(), TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    set_trace_processors([Bridge(provider.get_tracer("bridge"))])
    desk = traced(observers=[OtelObserver(tracer_provider=provider)])
    do(desk)
    desk.reset()
    exporter.clear()
    assert do(desk).outcome.status == "hit"
    found = exporter.get_finished_spans()
    calls = [span for span in found if any(tool in span.name for tool in ("find_order", "refund", "send_mail"))]
    assert [span.name for span in calls] == ["function find_order", "function refund", "function send_mail"]
    assert [(span.attributes or {}).get("muscle_mem.step") for span in calls] == [0, 1, 2]
    assert all((span.attributes or {})["muscle_mem.replayed"] is True for span in calls)
    assert not [span.name for span in found if span.name.startswith("generation")]
    assert [span.name for span in found].count("invoke_workflow muscle_mem") == 1
    provider.shutdown()


@pytest.mark.scenario("overhead")
def test_a_hit_of_three_steps_adds_little_to_the_loop_with_an_instant_model() -> None:
    """The bench measures it in time, which varies on a busy machine: here, the bytecodes of the package are counted."""
    desk = Desk(plan_of([[("press", {"number": number})] for number in range(3)], "pressed"))

    async def press(number: int) -> str:  # Waiting for a thread would be counted, too.
        desk.did.append(("press", str(number)))
        return f"pressed {number}"

    tool = desk.engine.tool(name="press", version=1, pre_check=Check(lambda number: "there"))(press)
    desk.agent = Agent(name="desk", instructions="Press.", tools=[function_tool(tool, name_override="press")])
    desk.learned()
    desk.do()
    desk.reset()
    ours, others = bytecodes(desk.do)
    assert (len(desk.did), desk.stub.asked) == (3, 0)
    assert others > 100_000  # Those of the SDK's loop.
    assert 10_000 < ours < 28_000


def bytecodes(work: Callable[[], Any]) -> tuple[int, int]:
    """Count the bytecodes of the package and of all others, in this thread, while it works."""
    found = [0, 0]

    def count(frame: FrameType, event: str, arg: Any) -> Any:
        frame.f_trace_opcodes, frame.f_trace_lines = True, False
        found[not frame.f_code.co_filename.startswith(PACKAGE)] += event == "opcode"
        return count

    before = sys.gettrace()
    sys.settrace(count)
    try:
        work()
    finally:
        sys.settrace(before)
    return found[0], found[1]
