"""OpenTelemetry: a span a run and a span a replayed call, by the conventions; nobody pays who does not ask."""

from __future__ import annotations

import asyncio
import re
import subprocess
import sys
from pathlib import Path
from types import FrameType
from typing import Any, get_args

import pytest
from opentelemetry import trace
from opentelemetry.metrics import NoOpMeterProvider
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from muscle_mem import Check, Engine, current_run
from muscle_mem._core.replay import replay
from muscle_mem._events import Event, RunBeganEvent, RunEvent, StepBeganEvent, StepEndedEvent
from muscle_mem.integrations.otel import OtelObserver
from paths import ROOT


class Traced:
    """An engine with an observer, and what it told."""

    def __init__(self, **options: Any) -> None:
        self.exporter = InMemorySpanExporter()
        self.provider = TracerProvider(shutdown_on_exit=False)
        self.provider.add_span_processor(SimpleSpanProcessor(self.exporter))
        self.reader = InMemoryMetricReader()
        self.meters = MeterProvider([self.reader], shutdown_on_exit=False)
        self.observer = OtelObserver(tracer_provider=self.provider, meter_provider=self.meters, **options)
        self.engine = Engine(observers=[self.observer], scope="tenant")
        self.tracer = self.provider.get_tracer("application")
        self.world: dict[str, Any] = {"door": "closed"}

        def open_door(password: str) -> dict[str, str]:
            with self.tracer.start_as_current_span("inside the tool"):
                if "break" in self.world:
                    raise self.world["break"]
                return {"door": "open", "by": password}

        check = Check(lambda password: self.world["door"], version=1)
        self.open_door = self.engine.tool(name="open_door", version=1, pre_check=check, secret=["password"])(open_door)
        self.ring = self.engine.tool(name="ring", version=1)(lambda: None)
        self.engine.set_agent(self.agent)

    def agent(self, task: str) -> Any:
        run = current_run()
        assert run is not None
        run.report_tokens(70)
        with self.tracer.start_as_current_span("invoke_agent mine"):
            self.ring()
            return self.open_door("hunter2")

    def do(self, task: str = "let hunter2 in", **options: Any) -> Any:
        self.exporter.clear()
        return self.engine(task, secrets={"password": "hunter2"}, **options)

    def spans(self) -> dict[str, ReadableSpan]:
        return {span.name: span for span in self.exporter.get_finished_spans()}

    def metrics(self) -> dict[str, Any]:
        data = self.reader.get_metrics_data()
        assert data is not None
        return {
            metric.name: {tuple(dict(point.attributes or {}).values()): point for point in metric.data.data_points}
            for resource in data.resource_metrics
            for scope in resource.scope_metrics
            for metric in scope.metrics
        }

    def end(self) -> None:
        self.provider.shutdown()
        self.meters.shutdown()


@pytest.fixture
def traced() -> Any:
    made = Traced()
    yield made
    assert trace.get_current_span() is trace.INVALID_SPAN
    assert not made.observer._open
    made.end()


def parent(span: ReadableSpan) -> int | None:
    return span.parent.span_id if span.parent is not None else None


def identity(span: ReadableSpan) -> int:
    assert span.context is not None
    return span.context.span_id


def test_a_replay_is_a_span_with_a_span_for_each_call(traced: Traced) -> None:
    assert traced.do().learned
    assert traced.do()
    spans = traced.spans()
    assert set(spans) == {
        "invoke_workflow muscle_mem",
        "execute_tool ring",
        "execute_tool open_door",
        "inside the tool",
    }
    run, step = spans["invoke_workflow muscle_mem"], spans["execute_tool open_door"]
    assert parent(run) is None
    assert parent(step) == identity(run) == parent(spans["execute_tool ring"])
    assert parent(spans["inside the tool"]) == identity(step)
    assert dict(step.attributes or {}) == {
        "gen_ai.operation.name": "execute_tool",
        "gen_ai.tool.name": "open_door",
        "gen_ai.tool.type": "function",
        "muscle_mem.replayed": True,
        "muscle_mem.step": 1,
    }
    told = dict(run.attributes or {})
    assert told.pop("muscle_mem.saved.time") > 0
    assert len(str(told.pop("muscle_mem.trajectory.id"))) == 32
    assert told == {
        "gen_ai.operation.name": "invoke_workflow",
        "gen_ai.workflow.name": "muscle_mem",
        "muscle_mem.scope": "tenant",
        "muscle_mem.status": "hit",
        "muscle_mem.reason": "hit",
        "muscle_mem.steps": 2,
        "muscle_mem.saved.tokens": 70,
    }
    assert run.start_time <= step.start_time <= step.end_time <= run.end_time


def test_calls_that_the_agent_makes_are_left_to_its_framework(traced: Traced) -> None:
    traced.do()
    spans = traced.spans()
    assert set(spans) == {"invoke_workflow muscle_mem", "invoke_agent mine", "inside the tool"}
    assert parent(spans["invoke_agent mine"]) == identity(spans["invoke_workflow muscle_mem"])
    told = dict(spans["invoke_workflow muscle_mem"].attributes or {})
    assert (told["muscle_mem.status"], told["muscle_mem.reason"]) == ("miss", "new_task")


def test_a_divergence_tells_where_and_why(traced: Traced) -> None:
    traced.do()
    traced.world["door"] = "open"
    assert traced.do(on_divergence="continue").status == "diverged"
    run = traced.spans()["invoke_workflow muscle_mem"]
    told = dict(run.attributes or {})
    wanted = ("check_refused", 1, "open_door")
    assert tuple(told[f"muscle_mem.{name}"] for name in ("reason", "failed_step", "failed_tool")) == wanted
    assert run.status.status_code is trace.StatusCode.UNSET


def test_an_event_of_a_step_is_shown_without_secrets(traced: Traced) -> None:
    seen: list[Any] = []

    class Watcher:
        wants_steps = True

        def __call__(self, event: Any) -> None:
            seen.append(repr(event))

    traced.engine = Engine(observers=[Watcher()])
    tool = traced.engine.tool(name="echo", version=1, effect="read", secret=["word"])(lambda word: [word])
    traced.engine.set_agent(lambda task: tool("hunter2"))
    traced.do("t")
    assert traced.do("t")
    assert any("StepEndedEvent" in text and "***" in text for text in seen)
    assert "hunter2" not in "".join(seen)


@pytest.mark.parametrize("error", [ValueError("no hunter2"), KeyboardInterrupt()])
def test_a_tool_that_raises_and_an_interrupt_end_their_spans(traced: Traced, error: BaseException) -> None:
    traced.do()
    traced.world["break"] = error
    with pytest.raises(type(error)):
        traced.do()
    spans = traced.spans()
    for name in ("execute_tool open_door", "invoke_workflow muscle_mem"):
        assert (spans[name].attributes or {})["error.type"] == type(error).__name__
        assert spans[name].status.status_code is trace.StatusCode.ERROR
        assert not spans[name].status.description


def test_contents_are_told_only_when_asked_for_and_without_secrets(traced: Traced) -> None:
    traced.do()
    traced.do()
    assert "hunter2" not in "".join(span.to_json() for span in traced.exporter.get_finished_spans())
    assert "let" not in str(traced.spans()["invoke_workflow muscle_mem"].attributes)
    open_one = Traced(contents=True, name="doors")
    try:
        open_one.do()
        assert open_one.do()
        spans = open_one.spans()
        assert "hunter2" not in "".join(span.to_json() for span in spans.values())
        assert (spans["invoke_workflow doors"].attributes or {})["muscle_mem.task"] == "let *** in"
        step = spans["execute_tool open_door"].attributes or {}
        assert step["gen_ai.tool.call.arguments"] == '{"password": "***"}'
        assert step["gen_ai.tool.call.result"] == '{"door": "open", "by": "***"}'
        open_one.world["break"] = ValueError("no hunter2")
        with pytest.raises(ValueError, match="hunter2"):
            open_one.do()
        spans = open_one.spans()
        assert "***" in str(spans["execute_tool open_door"].status.description)
        assert "hunter2" not in "".join(
            span.to_json() for name, span in spans.items() if "muscle" in name or "open" in name
        )
    finally:
        open_one.end()


def test_metrics_count_runs_and_what_they_saved(traced: Traced) -> None:
    traced.do()
    for _ in range(2):
        assert traced.do()
    found = traced.metrics()
    assert found["muscle_mem.runs"]["hit", "hit"].value == 2
    assert found["muscle_mem.runs"]["miss", "new_task"].value == 1
    assert found["muscle_mem.run.duration"]["hit",].count == 2
    assert found["gen_ai.execute_tool.duration"]["open_door",].count == 2
    assert found["muscle_mem.saved.tokens"][()].value == 140
    assert found["muscle_mem.saved.time"][()].value > 0
    assert found["muscle_mem.learned"][()].value == 1


def test_async_calls_have_their_spans_around_them() -> None:
    traced = Traced()
    inside: list[int] = []

    async def wait() -> str:
        await asyncio.sleep(0)
        inside.append(trace.get_current_span().get_span_context().span_id)
        return "waited"

    tool = traced.engine.tool(name="wait", version=1)(wait)

    async def agent(task: str) -> str:
        return await tool()

    async def both() -> None:
        traced.engine.set_agent(agent)
        await asyncio.gather(traced.engine.acall("a"), traced.engine.acall("b"))
        inside.clear()
        traced.exporter.clear()
        outcomes = await asyncio.gather(traced.engine.acall("a"), traced.engine.acall("b"))
        assert all(outcomes)

    asyncio.run(both())
    steps = [span for span in traced.exporter.get_finished_spans() if span.name == "execute_tool wait"]
    assert sorted(map(identity, steps)) == sorted(inside)
    runs = [span for span in traced.exporter.get_finished_spans() if span.name != "execute_tool wait"]
    assert {parent(step) for step in steps} == set(map(identity, runs))
    assert len(runs) == 2
    traced.end()


def test_a_session_has_a_span_made_afterwards(traced: Traced) -> None:
    traced.do()
    traced.exporter.clear()
    with traced.engine.session("let hunter2 in", secrets={"password": "hunter2"}) as session:
        while (call := session.next()).__class__.__name__ == "Call":
            session.done(call, call.fn(*call.args, **call.kwargs))
    run = traced.spans()["invoke_workflow muscle_mem"]
    assert (run.attributes or {})["muscle_mem.status"] == "hit"
    assert not [name for name in traced.spans() if name.startswith("execute_tool")]


def test_steps_are_told_only_to_those_who_want_them(monkeypatch: pytest.MonkeyPatch) -> None:
    def make(observer: Any) -> tuple[Engine, list[Any]]:
        seen: list[Any] = []
        engine = Engine(observers=[observer(seen)])
        act = engine.tool(name="act", version=1, effect="read")(lambda: "done")
        engine.set_agent(lambda task: act())
        engine("a task")
        seen.clear()
        return engine, seen

    class Watcher:
        wants_steps = True

        def __init__(self, seen: list[Any]) -> None:
            self.seen = seen

        def __call__(self, event: Any) -> None:
            self.seen.append(event)

    made: list[Any] = []
    real = replay.Invoke
    monkeypatch.setattr(replay, "Invoke", lambda *args: made.append(args) or real(*args))
    engine, seen = make(lambda seen: seen.append)
    assert engine("a task")
    assert [type(event) for event in seen] == [RunEvent]
    assert not made  # a call that nobody watches is made at once
    engine, seen = make(Watcher)
    assert engine("a task")
    assert [type(event) for event in seen] == [RunBeganEvent, StepBeganEvent, StepEndedEvent, RunEvent]
    assert len({event.run_id for event in seen}) == 1
    assert seen[2].result == "done"
    assert len(made) == 1


def lines_of_a_hit(steps: int, observers: list[Any]) -> int:
    engine = Engine(observers=observers)
    act = engine.tool(name="act", version=1, effect="read")(lambda: None)
    engine.set_agent(lambda task: [act() for _ in range(steps)] and None)
    for _ in range(3):  # A run of the agent, and hits that prepare.
        last = engine("a task")
    assert last.status == "hit"
    found = 0

    def count(frame: FrameType, event: str, arg: Any) -> Any:
        nonlocal found
        found += event == "line"  # Bytecodes are not counted in the same way by each Python.
        return count

    before = sys.gettrace()
    sys.settrace(count)
    try:
        engine("a task")
    finally:
        sys.settrace(before)
    return found


@pytest.mark.parametrize("steps", [1, 10])
def test_an_observer_without_a_tracer_costs_at_most_as_much_as_the_hit(steps: int) -> None:
    unheard = OtelObserver(tracer_provider=trace.NoOpTracerProvider(), meter_provider=NoOpMeterProvider())
    alone = lines_of_a_hit(steps, [])
    assert alone > 50
    assert lines_of_a_hit(steps, [unheard]) <= 2 * alone
    assert lines_of_a_hit(steps, [OtelObserver()]) <= 2 * alone  # The global providers, which nobody has set.


def test_an_observer_without_a_tracer_still_measures(traced: Traced) -> None:
    engine = Engine(observers=[OtelObserver(meter_provider=traced.meters)])
    act = engine.tool(name="act", version=1, effect="read")(lambda: None)
    engine.set_agent(lambda task: act())
    engine("a task")
    assert engine("a task")
    assert traced.metrics()["gen_ai.execute_tool.duration"]["act",].count == 1


PROVIDER_SET_LATER = """
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from muscle_mem import Engine
from muscle_mem.integrations.otel import OtelObserver

engine = Engine(observers=[OtelObserver()])
act = engine.tool(name="act", version=1, effect="read")(lambda: None)
engine.set_agent(lambda task: act())
engine("a task")
assert engine("a task")
exporter, provider = InMemorySpanExporter(), TracerProvider(shutdown_on_exit=False)
provider.add_span_processor(SimpleSpanProcessor(exporter))
trace.set_tracer_provider(provider)
assert engine("a task")
print(*sorted(span.name for span in exporter.get_finished_spans()), sep=",")
"""


def test_a_provider_that_is_set_after_the_engine_was_made_gets_spans() -> None:
    done = subprocess.run([sys.executable, "-c", PROVIDER_SET_LATER], capture_output=True, text=True)
    assert done.stdout.strip() == "execute_tool act,invoke_workflow muscle_mem", done.stderr


def test_an_attribute_of_an_observer_that_raises_is_no_wish_for_steps() -> None:
    seen: list[Any] = []

    class Odd:
        @property
        def wants_steps(self) -> bool:
            raise RuntimeError("not today")

        def __call__(self, event: Any) -> None:
            seen.append(type(event))

    engine = Engine(observers=[Odd()])
    act = engine.tool(name="act", version=1, effect="read")(lambda: None)
    engine.set_agent(lambda task: act())
    engine("a task")
    seen.clear()
    assert engine("a task")
    assert seen == [RunEvent]


def test_without_opentelemetry_the_error_names_the_extra() -> None:
    code = "import sys; sys.modules['opentelemetry'] = None; import muscle_mem.integrations.otel"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert "pip install 'muscle-mem[otel]'" in done.stderr


def test_every_event_and_field_is_on_the_page() -> None:
    page = (ROOT / "docs" / "guides" / "observability.md").read_text()
    rows = {line.split("`")[1]: line for line in page.splitlines() if line.startswith("| `")}
    for event in get_args(Event):
        fields = [name for name in event.__struct_fields__ if name != "level"]
        assert not [name for name in fields if f"`{name}`" not in rows[event.__name__]], event


def test_every_attribute_and_metric_is_on_the_page() -> None:
    from muscle_mem.integrations import otel

    page = (ROOT / "docs" / "integrations" / "opentelemetry.md").read_text()
    names = set(re.findall(r'"((?:muscle_mem|gen_ai|error)\.[\w.]+)"', Path(otel.__file__).read_text()))
    assert len(names) > 20
    assert not [name for name in names - {"muscle_mem.operation"} if f"`{name}`" not in page]
