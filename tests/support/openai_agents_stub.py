"""A model of the OpenAI Agents SDK that follows a plan, the same plan behind a server on loopback, and span names."""

from __future__ import annotations

import asyncio
import itertools
import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from agents import Agent, Model, ModelProvider, ModelResponse, RunConfig, Runner, Usage
from agents.tracing import Span, Trace, TracingProcessor
from openai.types.responses import (
    Response,
    ResponseCompletedEvent,
    ResponseFunctionToolCall,
    ResponseOutputItemDoneEvent,
    ResponseOutputMessage,
    ResponseOutputText,
    ResponseTextDeltaEvent,
)

Wish = tuple[str, dict[str, Any]]
Plan = Callable[[list[str]], "list[Wish] | str | BaseException"]
"""From the results since the last prompt to the calls of the next turn, the answer or an error."""

NUMBERS = itertools.count()
TOKENS = (100, 10)  # of each response: input, output


def results_since_prompt(items: Any) -> list[str]:
    """Return the tool results behind the last user message."""
    found: list[str] = []
    for item in [] if isinstance(items, str) else items:
        if item.get("role") == "user":
            found.clear()
        elif item.get("type") == "function_call_output":
            found.append(item["output"])
    return found


def output_of(wanted: list[Wish] | str) -> list[Any]:
    """Return the output items of a response."""
    if isinstance(wanted, str):
        text = ResponseOutputText(text=wanted, type="output_text", annotations=[], logprobs=[])
        id = f"msg_{next(NUMBERS)}"
        return [ResponseOutputMessage(id=id, type="message", role="assistant", status="completed", content=[text])]
    return [
        ResponseFunctionToolCall(
            type="function_call", call_id=f"call_{next(NUMBERS)}", name=name, arguments=json.dumps(arguments)
        )
        for name, arguments in wanted
    ]


class Request(dict[str, Any]):
    """A request that a stub got, by the names of the SDK's parameters."""

    @property
    def texts(self) -> str:
        return json.dumps(self["input"], default=str)

    @property
    def results(self) -> list[str]:
        return results_since_prompt(self["input"])


class Stub(Model):
    """A model whose answers follow from the results so far. `requests` are those that reached it.

    A stream may leave out the "items", or the "output" of the response at its end, as those of some servers do.
    """

    leaves_out = ""

    def __init__(self, plan: Plan, *, delay: float = 0.0) -> None:
        self.plan, self.delay = plan, delay
        self.requests: list[Request] = []
        self.closed = 0

    @property
    def asked(self) -> int:
        return len(self.requests)

    async def _wanted(self, request: Request) -> list[Any]:
        self.requests.append(request)
        await asyncio.sleep(self.delay)
        wanted = self.plan(request.results)
        if isinstance(wanted, BaseException):
            raise wanted
        return output_of(wanted)

    async def get_response(self, system_instructions: Any, input: Any, *args: Any, **kwargs: Any) -> ModelResponse:
        output = await self._wanted(Request(system_instructions=system_instructions, input=input, **kwargs))
        usage = Usage(requests=1, input_tokens=TOKENS[0], output_tokens=TOKENS[1], total_tokens=sum(TOKENS))
        return ModelResponse(output=output, usage=usage, response_id=None)

    async def stream_response(self, system_instructions: Any, input: Any, *args: Any, **kwargs: Any) -> Any:
        output = await self._wanted(Request(system_instructions=system_instructions, input=input, **kwargs))
        for event in events_of(output, self.leaves_out):
            yield event

    async def close(self) -> None:
        self.closed += 1


def response_of(output: list[Any]) -> Response:
    usage = {
        "input_tokens": TOKENS[0],
        "output_tokens": TOKENS[1],
        "total_tokens": sum(TOKENS),
        "input_tokens_details": {"cached_tokens": 0, "cache_write_tokens": 0},
        "output_tokens_details": {"reasoning_tokens": 0},
    }
    return Response.model_validate(
        {
            "id": f"resp_{next(NUMBERS)}",
            "created_at": 0,
            "model": "stub",
            "object": "response",
            "output": [item.model_dump(exclude_unset=True) for item in output],
            "parallel_tool_calls": True,
            "tool_choice": "auto",
            "tools": [],
            "usage": usage,
        }
    )


def events_of(output: list[Any], leaves_out: str = "") -> Iterator[Any]:
    """Yield the events that the SDK needs of a stream, with the text in two pieces."""
    number = itertools.count()
    for place, item in enumerate(output):
        if isinstance(item, ResponseOutputMessage):
            text = item.content[0].text  # type: ignore[union-attr]
            for piece in (text[: len(text) // 2], text[len(text) // 2 :]):
                yield ResponseTextDeltaEvent(
                    type="response.output_text.delta",
                    item_id=item.id,
                    output_index=place,
                    content_index=0,
                    delta=piece,
                    logprobs=[],
                    sequence_number=next(number),
                )
        if leaves_out != "items":
            yield ResponseOutputItemDoneEvent(
                type="response.output_item.done", item=item, output_index=place, sequence_number=next(number)
            )
    yield ResponseCompletedEvent(
        type="response.completed",
        response=response_of([] if leaves_out == "output" else output),
        sequence_number=next(number),
    )


class StubProvider(ModelProvider):
    """The provider of one model, and of others by their names. `names` are those that were asked for."""

    def __init__(self, model: Model) -> None:
        self.model = model
        self.models: dict[str | None, Any] = {}
        self.names: list[str | None] = []
        self.closed = 0

    def get_model(self, model_name: str | None) -> Model:
        self.names.append(model_name)
        return self.models.get(model_name, self.model)

    async def aclose(self) -> None:
        self.closed += 1


def config(provider: ModelProvider, **options: Any) -> RunConfig:
    """Return how to run agents with a provider, without traces unless asked for."""
    return RunConfig(model_provider=provider, **{"tracing_disabled": True, **options})


WAYS = ("sync", "async", "streaming")


def run(way: str, agent: Agent[Any], input: Any, run_config: RunConfig, **options: Any) -> Any:
    """Run an agent in one of the three ways of the SDK, and return its result."""
    if way == "sync":
        loop = asyncio.new_event_loop()  # The SDK leaves the loop open that it would make.
        asyncio.set_event_loop(loop)
        try:
            return Runner.run_sync(agent, input, run_config=run_config, **options)
        finally:
            asyncio.set_event_loop(None)
            loop.run_until_complete(loop.shutdown_default_executor())
            loop.close()
    return asyncio.run(arun(way, agent, input, run_config, **options))


async def arun(way: str, agent: Agent[Any], input: Any, run_config: RunConfig, **options: Any) -> Any:
    """Run an agent inside of a loop; of a stream, also keep its events in `result.seen`."""
    if way == "async":
        return await Runner.run(agent, input, run_config=run_config, **options)
    result: Any = Runner.run_streamed(agent, input, run_config=run_config, **options)
    result.seen = [event async for event in result.stream_events()]
    return result


def calls_of(result: Any) -> list[tuple[str, str]]:
    """Return the tool calls of a result, each as its name and its id."""
    raw = [item.raw_item for item in result.new_items if item.type in ("tool_call_item", "handoff_call_item")]
    return [(item.name, item.call_id) for item in raw]


class SpanNames(TracingProcessor):
    """A processor that keeps the spans of the SDK that have ended."""

    def __init__(self) -> None:
        self.spans: list[dict[str, Any]] = []
        self.data: list[Any] = []

    def on_span_end(self, span: Span[Any]) -> None:
        self.spans.append({**span.span_data.export(), "of": span.span_data.type})
        self.data.append(span.span_data)

    def of(self, type: str) -> list[dict[str, Any]]:
        return [span for span in self.spans if span["of"] == type]

    def on_trace_start(self, trace: Trace) -> None: ...
    def on_trace_end(self, trace: Trace) -> None: ...
    def on_span_start(self, span: Span[Any]) -> None: ...
    def shutdown(self) -> None: ...
    def force_flush(self) -> None: ...


class _Handler(BaseHTTPRequestHandler):
    server: Any

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["content-length"])))
        self.server.requests.append(body)
        wanted = self.server.plan(results_since_prompt(body["input"]))
        if isinstance(wanted, BaseException):
            self.send_error(400, str(wanted))
            return
        output = output_of(wanted)
        if body.get("stream"):
            kind = "text/event-stream"
            text = "".join(f"event: {event.type}\ndata: {event.model_dump_json()}\n\n" for event in events_of(output))
        else:
            kind, text = "application/json", response_of(output).model_dump_json(exclude_unset=True)
        data = text.encode()
        self.send_response(200)
        self.send_header("content-type", kind)
        self.send_header("content-length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *args: Any) -> None: ...


@contextmanager
def responses_server(plan: Plan) -> Iterator[Any]:
    """Serve the Responses API on loopback; yields the server, with `url` and `requests`."""
    server: Any = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
    server.plan, server.requests = plan, []
    server.url = f"http://127.0.0.1:{server.server_address[1]}/v1"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
