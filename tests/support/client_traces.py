"""What traces show of an application with a wrapped client, and what the client costs."""

from __future__ import annotations

import functools
import gc
import itertools
import json
import statistics
import time
from collections.abc import Callable
from typing import Any

from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from client_kit import ALL, TASK, Kit, clerk, params, prompt
from client_loops import WIRES as LOOP_WIRES
from muscle_mem import Engine
from muscle_mem.integrations.otel import OtelObserver
from stub_models import WIRES, Seen

ANSWER = "Ada has the money of A-1001."


class Traced:
    """Spans of the engine, of the requests that a client sends, and of the tools of a loop.

    A client makes no spans. Instrumentations of HTTP libraries make those of requests, and applications those of tools.
    """

    def __init__(self) -> None:
        self.exporter, self.provider = InMemorySpanExporter(), TracerProvider(shutdown_on_exit=False)
        self.provider.add_span_processor(SimpleSpanProcessor(self.exporter))
        self.tracer = self.provider.get_tracer("application")

    def around(self, name: str, fn: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(fn)
        def traced(*args: Any, **kwargs: Any) -> Any:
            with self.tracer.start_as_current_span(name):
                return fn(*args, **kwargs)

        return traced

    def client(self, plain: Any) -> Any:
        transport = plain._client._transport
        transport.handle_request = self.around("request", transport.handle_request)
        return plain

    def names(self) -> list[str]:
        return [span.name for span in self.exporter.get_finished_spans()]


def spans(kit: Kit, *, stream: bool) -> None:
    """A hit has no span of a request, and each of its calls has the span of the loop alone."""
    traced = Traced()
    engine = Engine(observers=[OtelObserver(tracer_provider=traced.provider)])
    plain = traced.client(kit.make_client(base_url=kit.stub.url))
    tools = {name: traced.around(f"tool {name}", fn) for name, fn in kit.shop.tools().items()}
    calls = [f"tool {name}" for name in ALL]
    for requests in (4, 0):
        traced.exporter.clear()
        loop = kit.loop(kit.wrap(plain, engine), tools=tools, stream=stream)
        with engine.task(TASK, params=params()) as task:
            assert loop.run(prompt()) == ANSWER
        names = traced.names()
        assert names.count("request") == requests
        assert [name for name in names if name != "request"] == [*calls, "invoke_workflow muscle_mem"]
    assert task.outcome.status == "hit"
    assert all(call.id.startswith("call_mm_") for reply in loop.replies for call in reply.calls)
    plain.close()
    engine.close()
    traced.provider.shutdown()


class InstantModel:
    """A network whose only server answers at once, with one turn of a task after the other.

    All that a client does of itself is done: it writes HTTP, and reads it.
    """

    def __init__(self, wire: str, body: dict[str, Any]) -> None:
        path = {"chat": "/chat/completions", "responses": "/responses", "messages": "/v1/messages"}[wire]
        seen = [Seen(path, {}, {}, prompt=prompt(), turn=turn) for turn in range(4)]
        bodies = [json.dumps(WIRES[path].payload(clerk(turn), body)).encode() for turn in seen]
        head = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\nrequest-id: 1\r\ncontent-length: "
        self._responses = itertools.cycle([f"{head}{len(body)}\r\n\r\n".encode() + body for body in bodies])

    def connect_tcp(self, *args: Any, **options: Any) -> InstantModel:
        return self

    def read(self, *args: Any, **options: Any) -> bytes:
        return next(self._responses)

    def write(self, *args: Any, **options: Any) -> None:
        pass

    def get_extra_info(self, info: str) -> Any:
        return None

    close = write


def overhead(kit: Kit) -> None:
    """Time a hit of three steps, and the same loop with an instant model."""
    plain = kit.make_client(base_url=kit.stub.url)
    kit.closes.append(plain)
    network = InstantModel(kit.wire, LOOP_WIRES[kit.wire].request(kit.loop(plain)))
    plain._client._transport_for_url(plain.base_url)._pool._network_backend = network
    remembering = kit.wrap(plain, kit.engine)
    outcomes: list[Any] = []

    def plainly() -> None:
        assert kit.loop(plain).run(prompt()) == ANSWER

    def remembered() -> None:
        with kit.engine.task(TASK, params=params()) as task:
            assert kit.loop(remembering).run(prompt()) == ANSWER
        outcomes.append(task.outcome)

    def timed(run: Callable[[], None]) -> float:
        kit.reset()
        began = time.perf_counter()
        run()
        return time.perf_counter() - began

    for run in (plainly, remembered, plainly, remembered):  # learned, and warm
        timed(run)
    # The best round counts: what else runs here makes others slower, and none faster.
    gc.collect()
    gc.disable()
    try:
        rounds = [statistics.median(-timed(plainly) + timed(remembered) for _ in range(5)) for _ in range(12)]
    finally:
        gc.enable()
    assert [outcome.status for outcome in outcomes] == ["miss", *["hit"] * (len(outcomes) - 1)]
    assert min(rounds) < 0.001, rounds
