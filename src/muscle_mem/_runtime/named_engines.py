"""Engines called inside the agent of another run: each call is one step of it.

The step is stored with the name of the engine, the task and its options, and replayed by making the call. Its output is
the value of the inner run. Its effect is the strongest of those that the inner run had when it was recorded.
"""

from __future__ import annotations

import functools
import inspect
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, cast

import msgspec

from .._core.model.outcome import Outcome
from .._core.model.reason import EFFECTS, Reason
from .._core.model.records import StepRecord
from .._core.plan.step import Refusal
from .._core.run.run import Run
from .._core.tools.tool import Tool, ToolSpec
from .context import Frame, enter_frame, get_frame, leave_frame
from .options import CallOptions

PREFIX = "engine:"
_runtimes: weakref.WeakValueDictionary[str, Any] = weakref.WeakValueDictionary()
_toolboxes: weakref.WeakSet[Any] = weakref.WeakSet()
callers: dict[bool, Callable[..., Any]] = {}
"""The functions that make a plain and an async call of an engine. The module of the calls sets them."""


def register_engine(name: str, runtime: Any) -> None:
    """Make an engine known under its name; the latest of a name wins."""
    if name:
        _runtimes[name] = runtime
        for tools in list(_toolboxes):
            tools.version += 1  # A step that lacked its engine may have it now.


def register_toolbox(tools: Any) -> None:
    """Note tools whose plans may contain steps of engines."""
    _toolboxes.add(tools)


class EngineTool(Tool):
    """The call of an engine as a tool.

    Args:
        runtime: The runtime of the engine, or None to find it by its name at each call.
        name: The name of the engine.
        is_async: Whether the call is awaited.
        effect: The effect of the inner run; None if it is not known or not declared.

    Attributes:
        runs: The inner runs of this call.
        outcome: The outcome of the latest call, or None.
    """

    __slots__ = ("outcome", "runs")
    checks_itself = True

    def __init__(self, runtime: Any, name: str, is_async: bool, effect: str | None = None) -> None:
        self.runs: list[Run] = []
        self.outcome: Outcome | None = None
        spec = ToolSpec(name=PREFIX + name, effect=effect, secret=("secrets",))
        super().__init__(_caller(self, runtime, name, is_async), spec)
        self.settle_fingerprint()

    @property
    def identity(self) -> tuple[str, str, str]:
        """The identity of the call, without its effect, which is known only after it."""
        return self.name, "async" if self.is_async else "plain", ""

    def settle_effect(self) -> None:
        """Take the strongest effect that a recorded call has collected.

        It is collected from the calls of the inner runs. Where one of these read an untrusted output, the value of the
        inner run is one as well.
        """
        if self.runs:
            self.effect = _strongest(self.runs)
            self.trusted = all(tool.trusted for tool in _tools_of(self.runs))
            self.settle_fingerprint()

    def raise_effect(self, runs: list[Run]) -> None:
        """Take the effect of a replay's inner runs if it exceeds the recorded one."""
        effect = _strongest(runs)
        if effect is not None and EFFECTS.index(effect) > EFFECTS.index(self.effect or "write"):
            self.effect = effect

    def settle_fingerprint(self) -> None:
        """Set the fingerprint, which holds the effect for the replay."""
        self.fingerprint = ":".join(("e", "async" if self.is_async else "plain", self.effect or ""))


class _InnerRuns(msgspec.Struct, eq=False):
    """The inner runs of one replayed call."""

    runs: list[Run] = []


@contextmanager
def _noting_effect(tool: EngineTool, is_recorded: bool) -> Iterator[None]:
    """Note the effect of a call: the recorded one, or a stronger one of its replay."""
    outer = get_frame()
    if is_recorded or outer is None:
        try:
            yield
        finally:
            tool.settle_effect()
        return
    inner = _InnerRuns()
    frame = Frame(outer.runtime, outer.run, inner_tool=inner)
    token = enter_frame(frame)
    try:
        yield
    finally:
        leave_frame(token, frame)
        tool.raise_effect(inner.runs)


def _strongest(runs: list[Run]) -> str | None:
    """Return the strongest effect of the calls of some runs; None without calls."""
    found = [tool.effect or "write" for tool in _tools_of(runs)]
    return max(found, key=EFFECTS.index) if found else None


def _tools_of(runs: list[Run]) -> Iterator[Tool]:
    """Yield the tools that some runs called, replayed or new."""
    for run in runs:
        yield from (call[0].tool for call in run.progress.entered_calls)
        yield from (step.tool for recorder in run.recorder_slot for step in recorder.steps)


@functools.cache
def _call_signature() -> inspect.Signature:
    """Return the signature of a call of an engine.

    The engine's own options stand between the arguments of the task.
    """
    own = msgspec.structs.fields(CallOptions)
    return inspect.Signature(
        [
            inspect.Parameter("args", inspect.Parameter.VAR_POSITIONAL),
            *(inspect.Parameter(field.name, inspect.Parameter.KEYWORD_ONLY, default=field.default) for field in own),
            inspect.Parameter("kwargs", inspect.Parameter.VAR_KEYWORD),
        ]
    )


def _caller(tool: EngineTool, runtime: Any, name: str, is_async: bool) -> Callable[..., Any]:
    """Return the function that calls an engine and returns the value of the run."""

    def find() -> Any:
        found = _runtimes.get(name) if runtime is None else runtime
        if found is None:
            raise LookupError(f"engine {name!r} does not exist any more in this process")
        return found

    def kept(outcome: Outcome) -> Any:
        tool.outcome = outcome
        return outcome.value

    def options_in(named: dict[str, Any]) -> CallOptions:
        return CallOptions(**{name: named.pop(name) for name in CallOptions.__struct_fields__ if name in named})

    def call_engine(*args: Any, **named: Any) -> Any:
        options = options_in(named)
        with _noting_effect(tool, runtime is not None):
            return kept(callers[False](find(), args, named, options))

    async def acall_engine(*args: Any, **named: Any) -> Any:
        options = options_in(named)
        with _noting_effect(tool, runtime is not None):
            return kept(await callers[True](find(), args, named, options))

    found: Any = acall_engine if is_async else call_engine
    found.__signature__ = _call_signature()  # Read by `inspect.signature`.
    return cast(Callable[..., Any], found)


def resolve_engine(record: StepRecord) -> Tool | Refusal:
    """Return the tool of a stored call of an engine, or why there is none."""
    name = record.tool.removeprefix(PREFIX)
    if name not in _runtimes:
        message = f"engine {name!r} does not exist in this process. Create it first: Engine(name={name!r})."
        return Refusal(Reason.TOOL_MISSING, message, tool=record.tool)
    _, manner, effect = (*record.fingerprint.split(":"), "", "")[:3]
    return EngineTool(None, name, manner == "async", effect if effect in EFFECTS else None)


def given_options(options: CallOptions) -> dict[str, Any]:
    """Return the options of a call that are not their defaults, by name."""
    defaults = CallOptions()
    return {
        name: value
        for name in CallOptions.__struct_fields__
        if (value := getattr(options, name)) is not getattr(defaults, name)
    }


def outcome_of(tool: EngineTool, value: Any) -> Outcome:
    """Return the outcome of a recorded call.

    The outcome of a call that the outer replay has made says so.
    """
    if tool.outcome is not None:
        return tool.outcome
    message = "the replay of the outer run has made this call"
    return Outcome("hit", value=value, value_source="step", reason=Reason.HIT, message=message)
