"""Observer that reports runs, replayed tool calls and savings to OpenTelemetry.

    engine = Engine("memory.db", observers=[OtelObserver()])

A run is a span `invoke_workflow`, and a replayed call is a span `execute_tool`. The names follow OpenTelemetry's
semantic conventions for generative AI. The agent's framework traces the agent's calls as children of the run's span.
As long as no provider of an SDK is set, the observer asks for no events of steps, and a hit does nothing for it.
"""

from __future__ import annotations

import json
import threading
import time
from typing import Any, Final

from .._events import (
    Event,
    LearnedEvent,
    NotLearnedEvent,
    RunBeganEvent,
    RunEvent,
    StepBeganEvent,
    StepEndedEvent,
    StoreEvent,
)
from ..errors import MissingExtraError

try:
    from opentelemetry import context, metrics, trace
    from opentelemetry.trace import Span, SpanKind, Status, StatusCode
except ImportError as error:
    message = (
        "importing muscle_mem.integrations.otel failed: opentelemetry is missing. Run pip install 'muscle-mem[otel]'."
    )
    raise MissingExtraError(message) from error

SCOPE: Final = "muscle_mem"
MAX_TEXT: Final = 4_096
API_MODULES: Final = ("opentelemetry.trace", "opentelemetry.metrics")
_Open = tuple[Span, Any]


class OtelObserver:
    """Observer that turns an engine's events into spans and metrics.

    Pass it as `Engine(observers=[...])`. One observer may serve several engines, threads and tasks.

    Args:
        contents: Also report tasks, arguments, results and messages, cut to 4,096 characters and without the secrets of
            the run. Off by default, because they are your users' data.
        name: The name of runs, reported as `gen_ai.workflow.name`.
        tracer_provider: The provider of the tracer; by default the global one.
        meter_provider: The provider of the meter; by default the global one.
    """

    def __init__(
        self,
        *,
        contents: bool = False,
        name: str = SCOPE,
        tracer_provider: trace.TracerProvider | None = None,
        meter_provider: metrics.MeterProvider | None = None,
    ) -> None:
        self._contents = contents
        self._name = name
        self._tracer_provider, self._meter_provider = tracer_provider, meter_provider
        self._tracer = trace.get_tracer(SCOPE, tracer_provider=tracer_provider)
        self._open: dict[tuple[str, int], _Open] = {}
        self._lock = threading.Lock()
        meter = metrics.get_meter(SCOPE, meter_provider=meter_provider)
        self._runs = meter.create_counter("muscle_mem.runs", "{run}", "Runs, by status and reason.")
        self._run_seconds = meter.create_histogram("muscle_mem.run.duration", "s", "Duration of runs.")
        self._tool_seconds = meter.create_histogram(
            "gen_ai.execute_tool.duration", "s", "Duration of replayed tool calls."
        )
        self._saved_seconds = meter.create_counter("muscle_mem.saved.time", "s", "Agent time saved by hits.")
        self._saved_tokens = meter.create_counter("muscle_mem.saved.tokens", "{token}", "Tokens saved by hits.")
        self._learned = meter.create_counter("muscle_mem.learned", "{run}", "Recorded runs.")
        self._not_learned = meter.create_counter(
            "muscle_mem.not_learned", "{run}", "Runs that were not recorded, by reason."
        )
        self._troubles = meter.create_counter("muscle_mem.store.errors", "{error}", "Failed store operations.")

    @property
    def wants_steps(self) -> bool:
        """Whether spans or metrics go anywhere at the moment; a provider may be set later."""
        return self._has_tracer() or self._has_meter()

    def _has_tracer(self) -> bool:
        return _records(self._tracer_provider or trace.get_tracer_provider())

    def _has_meter(self) -> bool:
        return _records(self._meter_provider or metrics.get_meter_provider())

    def __call__(self, event: Event) -> None:
        if not self.wants_steps:
            return
        match event:
            case RunBeganEvent():
                self._begin((event.run_id, -1), f"invoke_workflow {self._name}", self._of_run(event.task, event.scope))
            case StepBeganEvent():
                self._begin((event.run_id, event.step), f"execute_tool {event.tool}", self._of_step(event))
            case StepEndedEvent():
                self._end_step(event)
            case RunEvent():
                self._end_run(event)
            case LearnedEvent():
                self._learned.add(1)
            case NotLearnedEvent():
                self._not_learned.add(1, {"muscle_mem.reason": event.reason})
            case StoreEvent():
                self._troubles.add(1, {"muscle_mem.operation": event.operation})

    # -- beginnings

    def _begin(self, key: tuple[str, int], name: str, attributes: dict[str, Any]) -> None:
        """Start a span and make it current, so that spans inside it become children."""
        if not self._has_tracer():
            return
        span = self._tracer.start_span(name, kind=SpanKind.INTERNAL, attributes=attributes)
        token = context.attach(trace.set_span_in_context(span))
        with self._lock:
            self._open[key] = span, token

    def _of_run(self, task: str, scope: str) -> dict[str, Any]:
        found: dict[str, Any] = {"gen_ai.operation.name": "invoke_workflow", "gen_ai.workflow.name": self._name}
        if scope:
            found["muscle_mem.scope"] = scope
        if self._contents:
            found["muscle_mem.task"] = task[:MAX_TEXT]
        return found

    def _of_step(self, event: StepBeganEvent) -> dict[str, Any]:
        found: dict[str, Any] = {
            "gen_ai.operation.name": "execute_tool",
            "gen_ai.tool.name": event.tool,
            "gen_ai.tool.type": "function",
            "muscle_mem.replayed": True,
            "muscle_mem.step": event.step,
        }
        if self._contents:
            found["gen_ai.tool.call.arguments"] = event.hide(_text(event.arguments))[:MAX_TEXT]
        return found

    # -- ends

    def _end(self, key: tuple[str, int]) -> Span | None:
        with self._lock:
            span, token = self._open.pop(key, (None, None))
        if token is not None:
            context.detach(token)
        return span

    def _end_step(self, event: StepEndedEvent) -> None:
        measured = {"gen_ai.tool.name": event.tool}
        if event.error is not None:
            measured["error.type"] = type(event.error).__qualname__
        self._tool_seconds.record(event.seconds, measured)
        span = self._end((event.run_id, event.step))
        if span is None:
            return
        if event.error is not None:
            self._fail(span, type(event.error).__qualname__, event.hide(repr(event.error)))
        elif self._contents:
            span.set_attribute("gen_ai.tool.call.result", event.hide(_text(event.result))[:MAX_TEXT])
        span.end()

    def _end_run(self, event: RunEvent) -> None:
        labels = {"muscle_mem.status": event.status, "muscle_mem.reason": event.reason}
        self._runs.add(1, labels)
        self._run_seconds.record(event.seconds, {"muscle_mem.status": event.status})
        if event.saved_seconds > 0:
            self._saved_seconds.add(event.saved_seconds)
        if event.saved_tokens > 0:
            self._saved_tokens.add(event.saved_tokens)
        span = self._end((event.run_id, -1)) or self._past(event)
        span.set_attributes({**labels, "muscle_mem.steps": event.steps})
        for name, value in (
            ("muscle_mem.trajectory.id", event.trajectory_id),
            ("muscle_mem.saved.time", event.saved_seconds),
            ("muscle_mem.saved.tokens", event.saved_tokens),
            ("muscle_mem.failed_tool", event.failed_tool),
            ("muscle_mem.message", event.message[:MAX_TEXT] if self._contents else ""),
        ):
            if value:
                span.set_attribute(name, value)
        if event.failed_step >= 0:
            span.set_attribute("muscle_mem.failed_step", event.failed_step)
        if event.status == "raised":
            self._fail(span, event.error_type, event.message)
        span.end()

    def _past(self, event: RunEvent) -> Span:
        """Return a span for a stepped run, whose beginning was not reported."""
        began = time.time_ns() - int(event.seconds * 1e9)
        attributes = self._of_run(event.task, event.scope)
        return self._tracer.start_span(f"invoke_workflow {self._name}", attributes=attributes, start_time=began)

    def _fail(self, span: Span, error_type: str, message: str) -> None:
        span.set_attribute("error.type", error_type or "_OTHER")
        span.set_status(Status(StatusCode.ERROR, message[:MAX_TEXT] if self._contents else None))


def _records(provider: object) -> bool:
    """Return whether a provider is of an SDK.

    Those of the API itself record nothing.
    """
    return not type(provider).__module__.startswith(API_MODULES)


def _text(value: Any) -> str:
    """Return a value as JSON if possible, else its repr. Never raises."""
    try:
        return json.dumps(value, ensure_ascii=False, default=repr)
    except Exception:  # A user's object may raise anything.
        try:
            return repr(value)
        except Exception:
            return f"<{type(value).__name__}>"
