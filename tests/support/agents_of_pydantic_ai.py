"""An office whose clerk is an agent of pydantic-ai, with a stub model that follows a script."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from typing import Any

from pydantic_ai import Agent
from pydantic_ai.messages import ModelMessage, ModelResponse, TextPart, ToolCallPart, UserPromptPart
from pydantic_ai.models.function import AgentInfo, DeltaToolCall, DeltaToolCalls, FunctionModel
from pydantic_ai.usage import RequestUsage

from muscle_mem import Check, Engine, Outcome
from muscle_mem.events import Event, NoticeEvent
from muscle_mem.integrations.pydantic_ai import MuscleMemory

Line = list[tuple[str, dict[str, Any]]] | str  # tool calls, or the final answer
TOKENS = 120  # of each response

OPEN_THE_DRAWER: tuple[Line, ...] = (
    [("look", {"thing": "drawer"})],
    [("change", {"thing": "drawer", "state": "open"})],
    [("note", {"person": "Ada", "text": "It is done"})],
    "The drawer is open.",
)


def turn_of(messages: list[ModelMessage]) -> int:
    """How many responses there are since the last prompt, whoever gave them."""
    turn, run = 0, None
    for message in messages:
        if message.kind == "response":
            turn += 1
        elif message.run_id != run and any(isinstance(part, UserPromptPart) for part in message.parts):
            turn = 0  # What the framework asks again in a run does not count.
        run = message.run_id
    return turn


class Script:
    """A model that says the line of the turn; a line may be a function of the history.

    `asked` counts the requests, and `read` is the history of the last.
    """

    def __init__(self, *lines: Line | Callable[[list[ModelMessage]], Line]) -> None:
        self.lines = lines
        self.asked = 0
        self.read: list[ModelMessage] = []
        self.error: Exception | None = None

    def line(self, messages: list[ModelMessage]) -> Line:
        self.asked += 1
        self.read = list(messages)
        if self.error is not None:
            raise self.error
        line = self.lines[min(turn_of(messages), len(self.lines) - 1)]
        return line(messages) if callable(line) else line

    def reply(self, messages: list[ModelMessage], info: AgentInfo) -> ModelResponse:
        line = self.line(messages)
        parts = [TextPart(line)] if isinstance(line, str) else [ToolCallPart(name, args) for name, args in line]
        return ModelResponse(parts=parts, usage=RequestUsage(input_tokens=100, output_tokens=20))

    async def stream(self, messages: list[ModelMessage], info: AgentInfo) -> AsyncIterator[str | DeltaToolCalls]:
        line = self.line(messages)
        if isinstance(line, str):
            for word in line.split(" "):
                yield f"{word} " if word != line.split(" ")[-1] else word
        else:
            for number, (name, args) in enumerate(line):
                text = json.dumps(args)
                yield {number: DeltaToolCall(name, text[:3], tool_call_id=f"said_{self.asked}_{number}")}
                yield {number: DeltaToolCall(json_args=text[3:])}

    def model(self) -> FunctionModel:
        return FunctionModel(self.reply, stream_function=self.stream)


class Office:
    """Things with states, and the tools that act on them. `made` are the calls that were really made."""

    def __init__(self, *, observers: Any = (), **options: Any) -> None:
        self.events: list[Event] = []
        self.engine = Engine(observers=[self.events.append, *observers], **options)
        self.made: list[tuple[str, Any]] = []
        self.things = {"drawer": "locked"}
        self.weather = "calm"  # seen by the check alone
        self.looked: list[str] = []  # the captures

        def capture(thing: str, state: str) -> str:
            self.looked.append(thing)
            return self.weather

        def look(thing: str) -> str:
            self.made.append(("look", thing))
            return self.things[thing]

        def change(thing: str, state: str) -> str:
            self.made.append(("change", (thing, state)))
            self.things[thing] = state
            return f"the {thing} is {state}"

        async def note(person: str, text: str) -> str:
            await asyncio.sleep(0)
            self.made.append(("note", (person, text)))
            return "noted"

        check = Check(capture, version=1)
        self.look = self.engine.tool(name="look", effect="read")(look)
        self.change = self.engine.tool(name="change", effect="write", pre_check=check)(change)
        self.note = self.engine.tool(name="note", effect="write")(note)

    def memory(self, **options: Any) -> MuscleMemory:
        return MuscleMemory(self.engine, **options)

    def agent(self, script: Script, *capabilities: Any, tools: Any = None, **options: Any) -> Agent[Any, Any]:
        """A new agent with the tools and the memory of the office."""
        given = capabilities or (self.memory(),)
        made = [self.look, self.change, self.note] if tools is None else tools
        options.setdefault("name", "clerk")
        return Agent(script.model(), tools=made, capabilities=list(given), **options)

    def reset(self) -> None:
        """The world as it was; what was learned stays."""
        self.made.clear()
        self.looked.clear()
        self.things["drawer"] = "locked"
        self.weather = "calm"

    def notices(self, code: str) -> list[str]:
        return [each.message for each in self.events if isinstance(each, NoticeEvent) and each.code == code]

    def learn(self, agent: Agent[Any, Any], prompt: Any = "open the drawer", **options: Any) -> Any:
        """Run the agent once, see that it was learned, and restore the world."""
        with self.engine.task("open the drawer", **options) as task:
            result = agent.run_sync(prompt)
        learned(task.outcome)
        self.reset()
        return result


def learned(outcome: Outcome | None) -> Outcome:
    """See that a run was learned."""
    assert outcome is not None
    assert outcome.status != "hit"
    assert outcome.learned, outcome
    return outcome


def hit(outcome: Outcome | None) -> Outcome:
    """See that a run was a hit."""
    assert outcome is not None
    assert outcome, outcome
    return outcome


def replayed_turns(messages: list[ModelMessage]) -> int:
    """How many responses of a history are marked as replayed."""
    return sum(
        message.kind == "response" and (message.provider_details or {}).get("muscle_mem") == "replayed"
        for message in messages
    )
