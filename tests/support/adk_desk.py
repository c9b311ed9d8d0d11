"""An office whose clerk is an agent of ADK, with a stub model that follows a script."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable
from typing import Any

from google.adk.agents import LlmAgent
from google.adk.agents.run_config import RunConfig
from google.adk.apps import App
from google.adk.models.base_llm import BaseLlm
from google.adk.models.llm_response import LlmResponse
from google.adk.runners import InMemoryRunner
from google.genai import types
from pydantic import PrivateAttr

from muscle_mem import Check, Engine
from muscle_mem.events import Event, NoticeEvent
from muscle_mem.integrations.google_adk import MuscleMemoryPlugin

Line = list[tuple[str, dict[str, Any]]] | str  # tool calls, or the final answer
TOKENS = 120  # of each response

OPEN_THE_DRAWER: tuple[Line, ...] = (
    [("look", {"thing": "drawer"})],
    [("change", {"thing": "drawer", "state": "open"})],
    [("note", {"person": "Ada", "text": "It is done"})],
    "The drawer is open.",
)
ALL = [("look", "drawer"), ("change", ("drawer", "open")), ("note", ("Ada", "It is done"))]


class Script(BaseLlm):
    """A model that says the line of the turn; a line may be a function of the request."""

    model: str = "stub"
    _lines: tuple[Any, ...] = PrivateAttr(default=())
    _asked: list[Any] = PrivateAttr(default_factory=list)
    _error: Exception | None = PrivateAttr(default=None)

    def __init__(self, *lines: Line | Callable[[Any], Line], error: Exception | None = None) -> None:
        super().__init__(model="stub")
        self._lines = lines
        self._error = error

    @property
    def asked(self) -> int:
        """How often the model was asked."""
        return len(self._asked)

    @property
    def read(self) -> Any:
        """The last request."""
        return self._asked[-1]

    async def generate_content_async(self, llm_request: Any, stream: bool = False) -> AsyncGenerator[LlmResponse, None]:
        self._asked.append(llm_request)
        if self._error is not None:
            raise self._error
        line = self._lines[min(turn_of(llm_request.contents), len(self._lines) - 1)]
        line = line(llm_request) if callable(line) else line
        usage = types.GenerateContentResponseUsageMetadata(prompt_token_count=100, candidates_token_count=20)
        if stream and isinstance(line, str):
            for word in line.split(" "):
                yield response([types.Part(text=word + " ")], partial=True)
        parts = (
            [types.Part(text=line)]
            if isinstance(line, str)
            else [types.Part(function_call=types.FunctionCall(name=name, args=args)) for name, args in line]
        )
        yield response(parts, usage_metadata=usage, partial=False)


def response(parts: list[Any], **options: Any) -> LlmResponse:
    return LlmResponse(content=types.Content(role="model", parts=parts), **options)


def turn_of(contents: list[Any]) -> int:
    """How many turns of the model there are since the last prompt."""
    turn = 0
    for content in contents:
        if content.role == "model":
            turn += 1
        elif any(part.text for part in content.parts or ()):
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

        self.plain_look = look
        check = Check(lambda thing, state: self.weather, version=1)
        self.look = self.engine.tool(name="look", effect="read")(look)
        self.change = self.engine.tool(name="change", effect="write", pre_check=check)(change)
        self.note = self.engine.tool(name="note", effect="write")(note)

    def agent(self, script: Script, tools: Any = None, **options: Any) -> LlmAgent:
        made = [self.look, self.change, self.note] if tools is None else tools
        return LlmAgent(name="clerk", model=script, instruction="You are a clerk.", tools=made, **options)

    def runner(self, agent: Any, *plugins: Any, **options: Any) -> InMemoryRunner:
        given = list(plugins) or [MuscleMemoryPlugin(self.engine, **options)]
        return InMemoryRunner(app=App(name="office", root_agent=agent, plugins=given))

    def reset(self) -> None:
        """The world as it was; what was learned stays."""
        self.made.clear()
        self.things["drawer"] = "locked"
        self.weather = "calm"

    def notices(self, code: str) -> list[str]:
        return [each.message for each in self.events if isinstance(each, NoticeEvent) and each.code == code]

    def learn(self, agent: Any, prompt: str = "open the drawer", **options: Any) -> None:
        """Run the agent once, see that it was learned, and restore the world."""
        with self.engine.task("open the drawer", **options) as task:
            run(self.runner(agent), prompt)
        assert task.outcome is not None
        assert task.outcome.learned, task.outcome
        self.reset()


def message(text: str) -> types.Content:
    return types.Content(role="user", parts=[types.Part(text=text)])


class Said:
    """What a run gave: its events, and the text of the last one."""

    def __init__(self, events: list[Any]) -> None:
        self.events = events

    @property
    def answer(self) -> str:
        texts = [part.text for part in self.events[-1].content.parts if part.text]
        return "".join(texts)

    def replayed(self) -> list[Any]:
        return [event for event in self.events if (event.custom_metadata or {}).get("muscle_mem") == "replayed"]


async def arun(runner: InMemoryRunner, content: Any, session: Any = None, **options: Any) -> Said:
    """Run an agent with a prompt, or with another content."""
    given = message(content) if isinstance(content, str) else content
    found = session or await runner.session_service.create_session(app_name="office", user_id="u")
    events = [event async for event in runner.run_async(user_id="u", session_id=found.id, new_message=given, **options)]
    return Said(events)


def run(runner: InMemoryRunner, content: Any, **options: Any) -> Said:
    return asyncio.run(arun(runner, content, **options))


def streaming() -> RunConfig:
    from google.adk.agents.run_config import StreamingMode

    return RunConfig(streaming_mode=StreamingMode.SSE)
