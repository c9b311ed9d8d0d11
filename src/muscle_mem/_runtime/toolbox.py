"""The tools of an engine, and their resolution from stored steps."""

from __future__ import annotations

import itertools
import os
import threading
from typing import Any, Protocol

from .._core.model.reason import Reason
from .._core.model.records import StepRecord
from .._core.plan.step import Refusal
from .._core.tools.closures import is_same_callable
from .._core.tools.tool import Tool
from .._forks import ForkSafeLock, process_name, register_for_forks
from .breakers import CircuitBreakers
from .named_engines import PREFIX, register_toolbox, resolve_engine

_instance_numbers = itertools.count(1)  # For all engines, because they may share a store.


class SettleClasses(Protocol):
    """A function that registers the tools of class methods whose classes exist by now."""

    def __call__(self, *, subclasses: bool) -> None: ...


class Toolbox(ForkSafeLock):
    """The registered tools of one engine.

    Attributes:
        version: A number that grows with every change, so that plans with older tools are dropped.
        secret_names: Names of arguments that are secret for every tool.
        external_rules: The checks and options of external tools, by name.
        external_schemas: The schemas with which external tools were seen last, by name.
    """

    def __init__(self) -> None:
        self.version = 0
        self.secret_names: frozenset[str] = frozenset()
        self.external_rules: dict[str, tuple[tuple[Any, Any], dict[str, Any]]] = {}
        self.external_schemas: dict[str, Any] = {}
        self._by_name: dict[str, list[Tool]] = {}
        self._aliases: dict[str, str] = {}
        self._pending: list[SettleClasses] = []
        self._lock = threading.Lock()
        register_for_forks(self)
        register_toolbox(self)
        self.breakers = CircuitBreakers()
        self.pause_refusal = self.breakers.pause_refusal
        self.failing_tools = self.breakers.failing_tools

    def __iter__(self) -> Any:
        for settle in list(self._pending):
            settle(subclasses=False)
        return (tool for tools in list(self._by_name.values()) for tool in list(tools))

    def __len__(self) -> int:
        return sum(map(len, self._by_name.values()))

    def add_pending(self, settle: SettleClasses) -> None:
        """Keep a function that registers the tools of classes that exist by now."""
        self._pending.append(settle)

    def add(self, tool: Tool) -> None:
        """Register a tool.

        The latest tool of a name wins, unless both were defined inside a function or have state (D7).
        """
        tool.secret |= self.secret_names
        with self._lock:
            others = self._by_name.get(tool.name, [])
            for again in [t for t in others if t.fn is tool.fn or _is_same_tool(t, tool)]:
                tool.instance = again.instance
                others = [t for t in others if t is not again]
            if tool.may_share_name:
                for twin in [t for t in others if t.fingerprint == tool.fingerprint]:
                    self._assign_instance(twin)
                    self._assign_instance(tool)
                self._by_name[tool.name] = [t for t in others if t.may_share_name] + [tool]
            elif tool.name == "<lambda>":  # All lambdas have this name, so it identifies none.
                self._by_name[tool.name] = [t for t in others if t.fingerprint != tool.fingerprint] + [tool]
            else:
                self._by_name[tool.name] = [tool]
            for alias in tool.aliases:
                self._aliases[alias] = tool.name
            self.version += 1

    def external_tool_named(self, name: str) -> Tool | None:
        """Return the external tool of this name, or None."""
        return next((tool for tool in self._by_name.get(name, ()) if tool.is_external), None)

    def _assign_instance(self, tool: Tool) -> None:
        if not tool.instance:
            tool.instance = f"{process_name()}:{os.getpid()}:{next(_instance_numbers)}"

    def resolve(self, record: StepRecord) -> Tool | Refusal:
        """Return the registered tool of a stored step, or why there is none."""
        name = record.tool
        if name.startswith(PREFIX) and name not in self._by_name:
            return resolve_engine(record)
        if name not in self._by_name:
            for settle in list(self._pending):
                settle(subclasses=True)
        tools: list[Tool] = self._by_name.get(name, [])
        if self._aliases.get(name, name) != name:
            tools = tools + self._by_name.get(self._aliases[name], [])
        if not tools:
            message = f"tool {name!r} is not registered. Register it, or add {name!r} to the aliases= of its new name."
            return Refusal(Reason.TOOL_MISSING, message)
        same = [tool for tool in tools if tool.fingerprint == record.fingerprint]
        if not same:
            message = (
                f"tool {name!r} has changed since the recording, and the next agent run records it again. "
                "Declare version= so that later edits do not count."
            )
            return Refusal(Reason.TOOL_CHANGED, message)
        if record.instance or len(same) > 1:
            same = [tool for tool in same if record.instance and tool.instance == record.instance]
            if len(same) != 1:
                message = f"tool {name!r} is ambiguous: several have this name and code. Pass a name= for each."
                return Refusal(Reason.TOOL_AMBIGUOUS, message)
        tool = same[0]
        if record.method and not tool.method:
            tool.mark_as_method()
        return tool


def _is_same_tool(old: Tool, new: Tool) -> bool:
    return old.fingerprint == new.fingerprint and is_same_callable(old.fn, new.fn)
