"""What adapters need of an engine: runs inside a framework."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, Protocol, TypeVar, cast

import msgspec

from .._core.model.handover import chat_name
from .._core.model.reason import Reason
from .._core.model.text import safe_repr
from .._core.tools.tool import Tool
from .._runtime.external_tools import Offer, see_external
from .._runtime.options import CallOptions, validated_answer
from .._runtime.runtime import Runtime
from ..errors import InvalidTypeError
from .session import AsyncSession, Session, SteppingOptions, open_async_session, open_session
from .task import Task, current_task

MAX_WRAPPERS = 8
T = TypeVar("T")


class HasRuntime(Protocol):
    """An engine."""

    _runtime: Runtime


AnySession = Session | AsyncSession


class HostedTask(msgspec.Struct, frozen=True, eq=False):
    """What a run inside a framework is about.

    Attributes:
        prompt: The text of the prompt.
        parts: What is part of the key, by name: the whole prompt, the agent, its instructions, the history, and so on.
        is_nested: Whether the run is inside of a call of another run of its block.
    """

    prompt: str
    parts: Mapping[str, Any]
    is_nested: bool = False


def is_off(engine: HasRuntime, task: Task | None) -> bool:
    """Return whether the engine records and replays nothing here."""
    mode = None if task is None else task.options.mode
    return engine._runtime.effective_mode(mode) == "off"


def is_strict(engine: HasRuntime) -> bool:
    """Return whether the user wants bad tasks to raise."""
    return engine._runtime.policy.strict


def engine_name(engine: HasRuntime) -> str:
    """Return the name of an engine, empty without one."""
    return engine._runtime.name


def never_asks(engine: HasRuntime, task: Task | None) -> bool:
    """Return whether mode="replay" forbids to ask the model."""
    mode = None if task is None else task.options.mode
    return engine._runtime.effective_mode(mode) == "replay"


def task_of(engine: HasRuntime) -> Task | None:
    """Return the block of the engine in this context, or None."""
    return current_task(engine._runtime)


def now_of(engine: HasRuntime) -> float:
    """Return the time of the engine's clock, in seconds since the epoch."""
    return engine._runtime.policy.wall_clock()


def open_hosted(
    engine: HasRuntime, task: Task | None, about: HostedTask, *, answer: Any, rejoin: bool, is_sync: bool
) -> AnySession:
    """Open a run of a block, or of its prompt without one.

    Args:
        engine: The engine.
        task: The block, or None.
        about: What the run is about.
        answer: Where its answer comes from if the block does not say so.
        rejoin: Whether it goes back to the replay after calls of the model's own.
        is_sync: Whether its steps are awaited.
    """
    runtime = engine._runtime
    options = CallOptions() if task is None else task.options
    args: tuple[Any, ...] = (about.prompt,)
    kwargs: dict[str, Any] = {}
    if about.is_nested:
        options = msgspec.structs.replace(options, key=None)
    elif task is not None and (task.args or task.kwargs):
        args, kwargs = task.args, task.kwargs
    policy = options.on_divergence or runtime.on_divergence
    options = msgspec.structs.replace(
        options,
        on_divergence="auto" if policy == "absorb" else policy,  # The model goes on with the history that it has.
        answer=_answer(options.answer, answer, runtime.answer),
    )
    opening = open_session if is_sync else open_async_session
    return opening(runtime, args, kwargs, options, SteppingOptions(rejoin=rejoin, parts=about.parts))


def _answer(*settings: Any) -> Any:
    """Return the first setting of a block, an adapter and an engine.

    Where a recorded answer does not hold, a framework needs one of the model.
    """
    found = next((setting for setting in settings if setting is not None), "auto")
    return "auto" if found == "recorded" else found


def validated_adapter_options(engine: Any, tools: Any, rejoin: Any) -> tuple[str, ...] | None:
    """Return the `tools=` of an adapter, whose other options are right.

    Raises InvalidTypeError.
    """
    if not isinstance(getattr(engine, "_runtime", None), Runtime):
        raise InvalidTypeError(f"adapter got an invalid engine: expected an Engine, got {safe_repr(engine)}")
    if type(rejoin) is not bool:
        raise InvalidTypeError(f"invalid rejoin=: expected True or False, got {safe_repr(rejoin)}")
    if tools is None:
        return None
    names = tuple(tools) if isinstance(tools, Iterable) and not isinstance(tools, str) else (None,)
    if not all(isinstance(name, str) for name in names):
        raise InvalidTypeError(f"invalid tools=: expected the names of tools in a list, got {safe_repr(tools)}")
    return cast("tuple[str, ...]", names)


def validated_adapter_answer(answer: Any) -> Any:
    """Return the `answer=` of an adapter.

    Raises InvalidValueError.
    """
    return validated_answer(answer)


def kept(engine: HasRuntime, name: str, make: Callable[[], T]) -> T:
    """Return what all adapters of an engine share under a name; it is made at first.

    It may refer to the engine, because it is collected with it.
    """
    shared = engine._runtime.kept_for_adapters
    found: T = shared[name] if name in shared else shared.setdefault(name, make())
    return found


def tools_version(engine: HasRuntime) -> int:
    """Return a number that grows when a tool of the engine is registered."""
    return engine._runtime.tools.version


def see_tool(
    engine: HasRuntime,
    name: str,
    schema: Mapping[str, Any] | None,
    annotations: tuple[bool | None, bool | None, bool | None],
    fn: Any = None,
) -> tuple[Tool, Any]:
    """Return an offered tool, and what a session takes for it.

    It is registered at first sight.

    Args:
        engine: The engine.
        name: The name of the tool, as the model knows it.
        schema: The JSON schema of its arguments, or None.
        annotations: Whether it only reads, is destructive, and is idempotent; None if that is not known.
        fn: The function that the framework calls for it, if it is known.
    """
    runtime = engine._runtime
    registered = [tool for tool in runtime.tools if not tool.is_external]
    for function in _functions_within(fn):
        found = next((tool for tool in registered if function is tool.wrapper or function is tool.fn), None)
        if found is not None:
            return found, fn if getattr(fn, "__func__", None) is function else found
    named = [tool for tool in registered if tool.name == name or name in tool.aliases]
    if not named and fn is None:  # Another function of the same short name is another tool.
        named = [tool for tool in registered if name in (tool.name.rpartition(".")[2], chat_name(tool.name))]
    tool = named[0] if len(named) == 1 else see_external(runtime, Offer(name, schema, *annotations))
    return tool, tool


def _functions_within(fn: Any) -> Iterator[Any]:
    """Yield a function, and those that it wraps or binds."""
    for _ in range(MAX_WRAPPERS):
        if fn is None:
            return
        function = getattr(fn, "__func__", fn)
        yield function
        fn = getattr(function, "__wrapped__", None)


def replay_place(session: AnySession) -> tuple[str | None, int]:
    """Return the trajectory that a run replays, and how many steps it has begun."""
    progress = session._run.progress
    trajectory = None if progress.candidate is None else progress.candidate.trajectory.id
    return trajectory, len(progress.calls)


def has_more_calls(session: AnySession) -> bool:
    """Return whether another call of the present turn is to be handed out."""
    return bool(session._calls.waiting)


def is_asked_for_answer(reason: Reason) -> bool:
    """Return whether the model is asked only for its answer."""
    return reason is Reason.HIT


def note_approval(session: AnySession) -> None:
    """Note that a person has approved a call.

    No earlier verdict of a pre-check is then the present one.
    """
    session._calls.note_change()


def notice(engine: HasRuntime, level: str, code: str, message: str) -> None:
    """Emit an event of an adapter."""
    engine._runtime.reporter.notice_each_time(level, code, message, "")
