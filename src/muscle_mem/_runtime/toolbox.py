"""The tools of an engine: found again by what was stored of them, and wrapped so that their calls can be recorded."""

from __future__ import annotations

import functools
import inspect
import itertools
import os
import threading
from collections.abc import Callable, Generator, Mapping, Sequence
from typing import Any

from .._core import codec
from .._core.model.reason import Reason
from .._core.model.records import StepRecord
from .._core.plan.step import Refusal
from .._core.plan.trust import TRUSTS
from .._core.record.call import record_call, record_now
from .._core.run.effects import Effect
from .._core.run.run import Run
from .._core.tools.check import Check, version_of
from .._core.tools.closures import is_same
from .._core.tools.fingerprint import fingerprint, stored_name
from .._core.tools.tool import Tool, check_tool, signature_of
from .._forks import Brief, watch
from ..errors import InvalidTypeError
from .breakers import Breakers
from .context import Frame, frame_here, frame_of_call
from .drivers import adrive, drive
from .source import find_source
from .validation import name_given, names_given, one_of

PROCESS = os.urandom(6).hex()
_twins = itertools.count(1)  # for all engines, since they may share a store


class Toolbox(Brief):
    """The registered tools of one engine. `version` grows with every change, so that joined plans can be dropped."""

    def __init__(self) -> None:
        self.version = 0
        self.secret_names: frozenset[str] = frozenset()  # arguments that are secret whatever tool they are of
        self._by_name: dict[str, list[Tool]] = {}
        self._aliases: dict[str, str] = {}
        self._lock = threading.Lock()
        watch(self)
        self.breakers = Breakers()
        self.paused = self.breakers.paused
        self.failing = self.breakers.failing

    def __iter__(self) -> Any:
        return (tool for tools in list(self._by_name.values()) for tool in list(tools))

    def __len__(self) -> int:
        return sum(map(len, self._by_name.values()))

    def add(self, tool: Tool) -> None:
        """Register a tool. The latest of a name wins, unless both were made inside a function or hold state (D7)."""
        tool.secret |= self.secret_names
        with self._lock:
            others = self._by_name.get(tool.name, [])
            for again in [t for t in others if t.fn is tool.fn or _made_again(t, tool)]:
                tool.instance = again.instance
                others = [t for t in others if t is not again]
            if tool.factory:
                for twin in [t for t in others if t.fingerprint == tool.fingerprint]:
                    self._tell_apart(twin)
                    self._tell_apart(tool)
                self._by_name[tool.name] = [t for t in others if t.factory] + [tool]
            elif tool.name == "<lambda>":  # all of them have this name, so it says nothing
                self._by_name[tool.name] = [t for t in others if t.fingerprint != tool.fingerprint] + [tool]
            else:
                self._by_name[tool.name] = [tool]
            for alias in tool.aliases:
                self._aliases[alias] = tool.name
            self.version += 1

    def _tell_apart(self, tool: Tool) -> None:
        if not tool.instance:
            tool.instance = f"{PROCESS}:{os.getpid()}:{next(_twins)}"

    def resolve(self, record: StepRecord) -> Tool | Refusal:
        """The live tool that a stored step means, or why there is none."""
        name = record.tool
        tools: list[Tool] = self._by_name.get(name, [])
        if self._aliases.get(name, name) != name:
            tools = tools + self._by_name.get(self._aliases[name], [])
        if not tools:
            message = f"the tool {name} is not registered; register it, or give its new name an alias"
            return Refusal(Reason.TOOL_MISSING, message)
        same = [tool for tool in tools if tool.fingerprint == record.fingerprint]
        if not same:
            message = (
                f"the tool {name} has changed since this was recorded; the agent's next run records it anew, and a "
                f"declared version= keeps later edits from counting"
            )
            return Refusal(Reason.TOOL_CHANGED, message)
        if record.instance or len(same) > 1:
            same = [tool for tool in same if record.instance and tool.instance == record.instance]
            if len(same) != 1:
                message = f"several tools are called {name} and have the same code; give each its own name="
                return Refusal(Reason.TOOL_AMBIGUOUS, message)
        tool = same[0]
        if record.method and not tool.method:
            tool.become_method()
        return tool


def _made_again(old: Tool, new: Tool) -> bool:
    return old.fingerprint == new.fingerprint and is_same(old.fn, new.fn)


def make_tool(
    engine: Any,
    fn: Any,
    *,
    pre_check: Check | None = None,
    post_check: Check | None = None,
    method: bool | None = None,
    name: str | None = None,
    aliases: Sequence[str] = (),
    version: str | int | None = None,
    effect: str | None = None,
    ignore: Sequence[str] = (),
    inject: Mapping[str, Any] | None = None,
    secret: Sequence[str] = (),
    trust: str | None = None,
    undo: Any = None,
    optional: bool = False,
) -> tuple[Tool, Any]:
    """A tool and its wrapper, which stands in the function's place. Raises for what can never be a tool."""
    static = isinstance(fn, staticmethod)
    inner = fn.__func__ if static else fn
    names, kept, others = names_given("ignore", ignore), names_given("secret", secret), names_given("aliases", aliases)
    if inject is not None and not isinstance(inject, Mapping):
        raise InvalidTypeError(f"inject must be a dict by the names of arguments, got {inject!r}")
    if undo is not None and not (isinstance(undo, str) or callable(undo)):
        raise InvalidTypeError(f"undo must be a text or the tool that takes it back, got {undo!r}")
    check_tool(inner, effect=effect, ignore=[*names, *(inject or {})], checks=(pre_check, post_check), secret=kept)
    in_class = _in_class(inner) and not static
    signature = signature_of(inner)
    pre_check = pre_check.for_signature(signature) if pre_check else None
    post_check = post_check.for_signature(signature) if post_check else None
    tool = Tool(
        inner,
        name=name_given("name", name),
        aliases=others,
        method=method if method is not None and not static else in_class and _first_parameter(inner) == "self",
        fingerprint=fingerprint(inner, find_source) if version is None else f"v:{version_of(version)}",
        pre=pre_check,
        post=post_check,
        check_prints=(
            pre_check.identify(find_source) if pre_check else "",
            post_check.identify(find_source) if post_check else "",
        ),
        effect=effect,
        ignore=names,
        inject=inject,
        secret=kept,
        trust=0 if trust is None else TRUSTS.index(one_of("trust", trust, TRUSTS)),
        undo=undo,
        optional=bool(optional),
    )
    tool.undecided = in_class and not tool.method and method is None and bool(tool.positional)
    _know_types(tool)
    wrapper = _wrap(engine, tool)
    tool.wrapper = wrapper
    return tool, staticmethod(wrapper) if static else wrapper


def _in_class(fn: Any) -> bool:
    if inspect.ismethod(fn) or isinstance(fn, functools.partial) or not inspect.isfunction(fn):
        return False
    owner = fn.__qualname__.rpartition(".")[0]
    return bool(owner) and not owner.endswith("<locals>")


def _first_parameter(fn: Any) -> str:
    try:
        return next(iter(inspect.signature(fn).parameters), "")
    except (TypeError, ValueError):
        return ""


def _know_types(tool: Tool) -> None:
    """Classes that the annotations name can be decoded in this process."""
    functions = [tool.fn]
    for check in (tool.pre, tool.post):
        if check is not None:
            functions.append(check.capture)
            if not check.exact:
                functions.append(check.compare)
    for function in functions:
        for annotation in _annotations(function):
            codec.know(annotation)


def _annotations(function: Any) -> list[Any]:
    found = getattr(function, "__annotations__", None) or {}
    try:
        found = {**found, **inspect.get_annotations(function, eval_str=True)}
    except Exception:  # names that cannot be evaluated here are only not known
        pass
    return list(found.values())


def _wrap(engine: Any, tool: Tool) -> Callable[..., Any]:
    return _wrap_async(engine, tool) if tool.is_async else _wrap_plain(engine, tool)


def _frame_of(engine: Any, tool: Tool, args: tuple[Any, ...], frame: Frame | None) -> Frame | None:
    """Where a call belongs that was made where no run is, in a session, or of a tool that may be a method."""
    if frame is None:
        frame = engine._open.stray(tool) if engine._open.frames else None
    if frame is None or not frame.recording or frame.engine is not engine:
        return None
    if frame.run is None or frame.run.recorder.closed:
        return None
    if frame.outside:
        engine._open.untold(frame.run, tool)
        return None
    if tool.undecided and args:
        tool.undecided = False
        if tool.owns(args[0]):
            tool.become_method()
    return frame


def _wrap_plain(engine: Any, tool: Tool) -> Callable[..., Any]:
    fn = tool.fn
    here, enter, leave = frame_here.get, frame_here.set, frame_here.reset
    recording = engine._open.frames

    def finish(flow: Generator[Effect, Any, Any]) -> Any:
        return drive(flow, engine._perform)

    def wrapper(*args: Any, **kwargs: Any) -> Any:
        if not recording:
            return fn(*args, **kwargs) if kwargs else fn(*args)
        frame = here()
        if frame is None or frame.outside or tool.undecided:
            frame = _frame_of(engine, tool, args, frame)
        if frame is None or not frame.recording or frame.engine is not engine:
            return fn(*args, **kwargs)
        run: Run = frame.run  # type: ignore[assignment] # there is one where something is recorded
        recorder = run.recorder
        if recorder.closed:
            return fn(*args, **kwargs)
        token = enter(frame_of_call(engine, run, recorder))
        try:
            return record_now(run, recorder, tool, args, kwargs, finish)
        finally:
            leave(token)

    return _dress(wrapper, fn)


def _wrap_async(engine: Any, tool: Tool) -> Callable[..., Any]:
    fn = tool.fn
    here = frame_here

    async def wrapper(*args: Any, **kwargs: Any) -> Any:
        frame = _frame_of(engine, tool, args, here.get())
        if frame is None or frame.run is None:
            return await fn(*args, **kwargs)
        run = frame.run
        token = here.set(frame_of_call(engine, run, run.recorder))
        try:
            answer = await adrive(record_call(run, tool, args, kwargs), engine._perform)
        finally:
            here.reset(token)
        if answer.error is not None:
            raise answer.error
        return answer.result

    return _dress(wrapper, fn)


def _dress(wrapper: Callable[..., Any], fn: Any) -> Callable[..., Any]:
    try:
        functools.update_wrapper(wrapper, fn)
    except (AttributeError, TypeError):  # a callable object with unusual attributes
        pass
    if not hasattr(fn, "__name__"):
        wrapper.__name__ = wrapper.__qualname__ = stored_name(fn)
    return wrapper
