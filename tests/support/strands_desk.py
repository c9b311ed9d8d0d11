"""An office whose clerk is an agent of Strands, with a stub model that follows a script."""

from __future__ import annotations

import asyncio
import itertools
import json
from collections.abc import AsyncIterator, Callable
from typing import Any

from strands import Agent, tool
from strands.models.model import Model

from muscle_mem import Check, Engine
from muscle_mem.events import Event, NoticeEvent
from muscle_mem.integrations.strands import MuscleMemoryPlugin

Line = list[tuple[str, dict[str, Any]]] | str  # tool calls, or the final answer
TOKENS = 120  # of each response
NUMBERS = itertools.count()

OPEN_THE_DRAWER: tuple[Line, ...] = (
    [("look", {"thing": "drawer"})],
    [("change", {"thing": "drawer", "state": "open"})],
    [("note", {"person": "Ada", "text": "It is done"})],
    "The drawer is open.",
)
ALL = [("look", "drawer"), ("change", ("drawer", "open")), ("note", ("Ada", "It is done"))]


class Script(Model):
    """A model that says the line of the turn; a line may be a function of the messages."""

    def __init__(self, *lines: Line | Callable[[Any], Line], error: Exception | None = None) -> None:
        self.lines = lines
        self.error = error
        self.read: list[Any] = []

    @property
    def asked(self) -> int:
        return len(self.read)

    def update_config(self, **options: Any) -> None:
        raise AssertionError

    def get_config(self) -> dict[str, str]:
        return {"model_id": "stub"}

    def structured_output(self, *args: Any, **options: Any) -> Any:
        raise AssertionError

    async def stream(
        self, messages: Any, tool_specs: Any = None, system_prompt: Any = None, **options: Any
    ) -> AsyncIterator[Any]:
        self.read.append(messages)
        if self.error is not None:
            raise self.error
        line = self.lines[min(turn_of(messages), len(self.lines) - 1)]
        line = line(messages) if callable(line) else line
        yield {"messageStart": {"role": "assistant"}}
        if isinstance(line, str):
            yield {"contentBlockStart": {"start": {}}}
            for word in line.split(" "):
                yield {"contentBlockDelta": {"delta": {"text": word if word == line.split(" ")[-1] else word + " "}}}
            yield {"contentBlockStop": {}}
        else:
            for name, arguments in line:
                use = {"name": name, "toolUseId": f"said_{next(NUMBERS)}"}
                yield {"contentBlockStart": {"start": {"toolUse": use}}}
                text = json.dumps(arguments)
                yield {"contentBlockDelta": {"delta": {"toolUse": {"input": text[:3]}}}}
                yield {"contentBlockDelta": {"delta": {"toolUse": {"input": text[3:]}}}}
                yield {"contentBlockStop": {}}
        yield {"messageStop": {"stopReason": "end_turn" if isinstance(line, str) else "tool_use"}}
        usage = {"inputTokens": 100, "outputTokens": 20, "totalTokens": TOKENS}
        yield {"metadata": {"usage": usage, "metrics": {"latencyMs": 1}}}


def turn_of(messages: list[Any]) -> int:
    """How many turns of the model there are since the last prompt."""
    turn = 0
    for message in messages:
        if message["role"] == "assistant":
            turn += 1
        elif any("text" in block for block in message["content"]):
            turn = 0
    return turn


class Office:
    """Things with states, and the tools that act on them. `made` are the calls that were really made."""

    def __init__(self, **options: Any) -> None:
        self.events: list[Event] = []
        self.engine = Engine(observers=[self.events.append], **options)
        self.made: list[tuple[str, Any]] = []
        self.things = {"drawer": "locked"}
        self.weather = "calm"  # seen by the check alone

        def look(thing: str) -> str:
            """Look at a thing."""
            self.made.append(("look", thing))
            return self.things[thing]

        def change(thing: str, state: str) -> str:
            """Change a thing."""
            self.made.append(("change", (thing, state)))
            self.things[thing] = state
            return f"the {thing} is {state}"

        async def note(person: str, text: str) -> str:
            """Note something for a person."""
            await asyncio.sleep(0)
            self.made.append(("note", (person, text)))
            return "noted"

        self.plain_look = tool(look)
        check = Check(lambda thing, state: self.weather, version=1)
        self.look = tool(self.engine.tool(name="look", effect="read")(look))
        self.change = tool(self.engine.tool(name="change", effect="write", pre_check=check)(change))
        self.note = tool(self.engine.tool(name="note", effect="write")(note))

    def agent(self, script: Script, tools: Any = None, memory: Any = None, **options: Any) -> Agent:
        made = [self.look, self.change, self.note] if tools is None else tools
        given = {"system_prompt": "You are a clerk.", "callback_handler": None, "name": "clerk", **options}
        plugins = [memory or MuscleMemoryPlugin(self.engine), *given.pop("plugins", ())]
        return Agent(model=script, tools=made, plugins=plugins, **given)

    def reset(self) -> None:
        """The world as it was; what was learned stays."""
        self.made.clear()
        self.things["drawer"] = "locked"
        self.weather = "calm"

    def notices(self, code: str) -> list[str]:
        return [each.message for each in self.events if isinstance(each, NoticeEvent) and each.code == code]

    def learn(self, agent: Agent, prompt: Any = "open the drawer", **options: Any) -> None:
        """Run an agent once, see that it was learned, and restore the world."""
        with self.engine.task("open the drawer", **options) as task:
            agent(prompt)
        assert task.outcome is not None
        assert task.outcome.learned, task.outcome
        self.reset()
