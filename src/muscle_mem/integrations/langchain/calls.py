"""Tool calls of an agent: what was handed out, and what was made of it."""

from __future__ import annotations

import copy
import threading
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final, Generic, TypeVar

import msgspec
from langchain_core.messages import BaseMessage, HumanMessage, ToolMessage
from langchain_core.tools import BaseTool
from langgraph.types import Command

from .._shared import Memory
from .messages import error_of, split_content

T = TypeVar("T")
MAX_ADDED: Final = 1_000
EDITED: Final = "the arguments of the call were changed before it was made"
ANSWERED: Final = "a person or other middleware answered a call in place of its tool"
EDITED_CALLS: Final = "hitl_edited_tool_calls"  # Where HumanInTheLoopMiddleware keeps what a person changed.


class Ending:
    """A turn after whose calls the agent ends without asking the model again.

    Attributes:
        answer: The typed answer that the model gave beside the calls, or None.
    """

    def __init__(self, call_ids: Sequence[str], answer: Any = None) -> None:
        self._left = set(call_ids)
        self.answer = answer

    def is_reached(self, call_id: str) -> bool:
        """Return whether this was the last call without a result."""
        self._left.discard(call_id)
        return not self._left


class OpenCall:
    """A call that was handed out and has no result yet.

    Attributes:
        name: The name of the tool.
        arguments: Its arguments, as the model or the recording has them.
        mark: What marks a replayed call in traces; None for a call of the model.
        ending: The end of the run that its result may bring, or None.
        was_interrupted: Whether the graph was interrupted in it.
    """

    def __init__(self, name: str, arguments: Any, mark: dict[str, Any] | None, ending: Ending | None) -> None:
        self.name = name
        self.arguments = arguments
        self.mark = mark
        self.ending = ending
        self.was_interrupted = False


class Bounded(Generic[T]):
    """A table for several threads that drops its oldest entry when it is full.

    Args:
        limit: The highest number of entries.
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._entries: dict[str, T] = {}
        self._lock = threading.Lock()

    def add(self, name: str, entry: T) -> None:
        """Keep an entry, as the newest."""
        with self._lock:
            while len(self._entries) >= self._limit:
                del self._entries[next(iter(self._entries))]
            self._entries[name] = entry

    def get(self, name: str) -> T | None:
        """Return an entry, or None."""
        return self._entries.get(name)

    def take(self, name: str) -> T | None:
        """Drop an entry and return it, or None."""
        with self._lock:
            return self._entries.pop(name, None)


class AddedMessages:
    """Messages in the user's name that tools have added. They begin no run."""

    def __init__(self) -> None:
        self._messages: deque[BaseMessage] = deque(maxlen=MAX_ADDED)

    def note(self, returned: Any) -> None:
        """Keep the messages of a tool's command."""
        for each in returned if isinstance(returned, list) else [returned]:
            if isinstance(each, Command):
                self._messages.extend(m for m in _messages(each) if isinstance(m, HumanMessage))

    def __contains__(self, message: object) -> bool:
        id = getattr(message, "id", None)
        return any(each is message or (id is not None and each.id == id) for each in tuple(self._messages))


class Attempt:
    """One execution of a tool call by the framework, watched at the tool itself.

    Between the hook and the tool stand other middleware, which may ask a person, change the arguments or answer in
    the tool's place.

    Attributes:
        id: The id of the call for the room.
        was_made: Whether the tool was called.
        was_refused: Whether the pre-check refused the call right before the tool.
        was_edited: Whether a person changed its arguments.
        is_watched: Whether a stand-in is in the tool's place. A tool that other middleware brings has none.
        request: The request to pass on.
    """

    def __init__(self, memory: Memory, call_id: str, call: OpenCall, request: Any) -> None:
        self._memory = memory
        self.id = call_id
        self._call = call
        self._name: str = request.tool_call["name"]
        self._message_id: str = request.tool_call["id"]
        self.is_watched = False
        self._may_be_edited = call.was_interrupted
        self.was_made = False
        self.was_refused = False
        self.was_edited = False
        self.request = request

    def watch(self) -> None:
        """Replace the tool by one that confirms the call, notes it and makes it."""
        request = self.request
        edits = request.state.get(EDITED_CALLS) if isinstance(request.state, Mapping) else None
        self._may_be_edited = self._may_be_edited or self._message_id in (edits or ())
        self.was_edited = self._name != self._call.name or self._is_changed(request.tool, request.tool_call["args"])
        if request.tool is not None:
            self.request = request.override(tool=self._watched(request.tool))
            self.is_watched = True

    def _watched(self, tool: BaseTool) -> BaseTool:

        def invoke(input: Any, config: Any = None, **options: Any) -> Any:
            if not self.was_made and not self._memory.confirm(self.id):
                return self.refusal()
            self._note(tool, input)
            with self._memory.inside(self.id):
                return tool.invoke(input, self._marked(config), **options)

        async def ainvoke(input: Any, config: Any = None, **options: Any) -> Any:
            if not self.was_made and not await self._memory.aconfirm(self.id):
                return self.refusal()
            self._note(tool, input)
            with self._memory.inside(self.id):
                return await tool.ainvoke(input, self._marked(config), **options)

        stand_in = copy.copy(tool)
        stand_in.__dict__.update(invoke=invoke, ainvoke=ainvoke)
        return stand_in

    def refusal(self) -> ToolMessage:
        """Return the message in place of a result if the pre-check has just failed."""
        self.was_refused = True
        why = self._memory.why_not(self.id)
        return ToolMessage(why, name=self._name, tool_call_id=self._message_id, status="error")

    def _note(self, tool: BaseTool, given: Any) -> None:
        self.was_made = True
        if self._may_be_edited and isinstance(given, Mapping):
            self.was_edited = self.was_edited or self._is_changed(tool, given.get("args"))

    def _is_changed(self, tool: BaseTool | None, given: Any) -> bool:
        """Return whether arguments are not those that were handed out.

        What the framework injects is not a change.
        """
        known = self._call.arguments
        if given == known or not isinstance(given, Mapping) or not isinstance(known, Mapping):
            return False
        try:
            names = {*known, *(() if tool is None else tool.args)}
        except Exception:  # A schema that cannot be made: what is injected is not known.
            names = {*known, *given}
        return any(given.get(name) != known.get(name) for name in names)

    def _marked(self, config: Any) -> Any:
        """Return the configuration of a call, with the mark of a replayed one for traces."""
        if self._call.mark is None:
            return config
        config = dict(config or {})
        config["metadata"] = {**(config.get("metadata") or {}), **self._call.mark}
        return config

    def report(self, returned: Any) -> Report:
        """Return what the room has to know about the call."""
        found, hands_over = _result(returned, self._message_id)
        text = "" if found is None else split_content(found.content)[0]
        if self.was_refused:
            return Report()
        if self.was_edited:
            self._memory.unlearnable(self.id, EDITED)
            return Report(refusal=EDITED)
        if self.is_watched and not self.was_made:
            self._memory.unlearnable(self.id, ANSWERED)
            return Report(refusal=text or ANSWERED)
        error = None if found is None else error_of(found)
        content = None if found is None else found.content
        ends, answer = hands_over, None
        if self._call.ending is not None and error is None:
            ends = self._call.ending.is_reached(self.id) or ends
            answer = content if self._call.ending.answer is None else self._call.ending.answer
        return Report(is_done=True, content=content, error=error, ends_run=ends, answer=answer)


class Report(msgspec.Struct, frozen=True, eq=False):
    """What the room has to know about a tool call.

    Attributes:
        is_done: Whether the call was made, with a result.
        content: The result that the model reads.
        error: The error that the result reports, or None.
        refusal: Why the call was not made by the agent, None if it was.
        ends_run: Whether the agent asks its model no more in this run.
        answer: The final answer of a run that ends so.
    """

    is_done: bool = False
    content: Any = None
    error: BaseException | None = None
    refusal: str | None = None
    ends_run: bool = False
    answer: Any = None


def _result(returned: Any, call_id: str) -> tuple[ToolMessage | None, bool]:
    """Return a call's message, and whether the graph goes on at another place.

    The framework returns a message, a command with a message inside, or several of them.
    """
    found: ToolMessage | None = None
    hands_over = False
    for each in returned if isinstance(returned, list) else [returned]:
        if isinstance(each, Command):
            hands_over = hands_over or bool(each.goto) or each.graph is not None
        for message in _messages(each):
            if isinstance(message, ToolMessage) and message.tool_call_id == call_id:
                found = message
    return found, hands_over


def _messages(returned: Any) -> Iterator[Any]:
    if not isinstance(returned, Command):
        yield returned
        return
    update = returned.update
    messages = update.get("messages") if isinstance(update, Mapping) else update
    if isinstance(messages, list | tuple):
        yield from messages
