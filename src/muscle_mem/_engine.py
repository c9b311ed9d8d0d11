"""Engine: what a user holds. It keeps tools, agent, library and policy, and lets a flow decide."""

from __future__ import annotations

import functools
import inspect
import itertools
import os
import time
import weakref
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, ParamSpec, Self, TypeVar, cast, overload

from ._agent import Agent
from ._context import Frame, frame_here, objects_here, off_here
from ._core.check import Check, short
from ._core.explain import Explanation, explain_task
from ._core.flow import Finished, demonstrate, run_task
from ._core.freezing import known_of
from ._core.key import NoKeyError, bind_task, normal_tags, task_key
from ._core.model import MODES, POLICIES, Effect, Mode, OnDivergence, Reason
from ._core.outcome import Outcome
from ._core.params import Params
from ._core.plan import Refusal, Trajectory
from ._core.recorder import Recorder
from ._core.run import Policy, Run
from ._drive import adrive, drive
from ._events import Observer, StoreEvent, log_event
from ._library import Library
from ._open import OpenRuns
from ._perform import Performer, perform_call
from ._telling import CacheInfo, Teller, library_teller
from ._tools import PROCESS, Toolbox, make_tool
from .errors import InvalidTypeError, InvalidValueError, MuscleMemError, NotFoundError, NotReadyError, StoreError
from .store import Store, open_store

P = ParamSpec("P")
R = TypeVar("R")
F = TypeVar("F", bound=Callable[..., Any])


class Engine:
    """A behavior cache around an agent: records its tool calls once, replays them safely when the task comes again.

    store: None keeps memory in the process; a path or "sqlite:///..." keeps it in a SQLite file; or a Store.
    scope: an exact part of every key; nothing matches across scopes.
    key: a function of the call's arguments that returns the key as a string, in place of the arguments.
    mode: "auto", "record" (always the agent), "replay" (never the agent) or "off"; see also MUSCLE_MEM_MODE.
    on_divergence: what happens when a replay stops in the middle: "auto", "continue", "absorb" or "raise".
    strict: raise where a task has no key, and never replay an unchecked tool that is not declared effect="read".
    success: a function that says whether a run did what it should, of task, params, steps, value those it names.
    result: a function of the list of this run's results that makes the value of a hit.
    observers: functions that get every event; without any, events go to the logger "muscle_mem".
    max_lookups: at most so many calls are captured and recordings judged at one place.
    adopt_threads: take a tool call from a thread of the agent's own into the run, if exactly one is open.

    One engine serves many threads and asyncio tasks at once.
    """

    def __init__(
        self,
        store: str | os.PathLike[str] | Store | None = None,
        *,
        scope: str = "",
        key: Callable[..., str] | None = None,
        mode: Mode = "auto",
        on_divergence: OnDivergence = "auto",
        strict: bool = False,
        success: Callable[..., Any] | None = None,
        result: Callable[[list[Any]], Any] | None = None,
        observers: Iterable[Observer] | Observer | None = None,
        max_lookups: int = 256,
        adopt_threads: bool = False,
    ) -> None:
        if not isinstance(scope, str):
            raise InvalidTypeError(f"scope must be a string, got {scope!r}; as in Engine(scope='tenant-42')")
        for role, function in (("key", key), ("success", success), ("result", result)):
            if function is not None and not callable(function):
                raise InvalidTypeError(f"Engine({role}=...) must be callable, got {function!r}")
        if isinstance(max_lookups, bool) or not isinstance(max_lookups, int) or max_lookups < 1:
            raise InvalidValueError(f"max_lookups must be 1 or more, got {max_lookups!r}")
        self._mode = _one_of("mode", mode, MODES)
        self._on_divergence = _one_of("on_divergence", on_divergence, POLICIES)
        self._scope = scope
        self._key = key
        self._policy = Policy(strict=strict, max_lookups=max_lookups, success=success, result=result)
        self._teller = Teller(observers)
        self._tools = Toolbox()
        self._library = Library(open_store(store), self._tools, library_teller(self._teller))
        self._agent: Agent | None = None
        self._context: tuple[Any, ...] = ()
        self._open = OpenRuns(self, adopt_threads)
        self._serial = itertools.count(1)
        self._perform = perform_call
        self._closer = weakref.finalize(self, _close_quietly, self._library)

    # -- building

    def set_agent(self, agent: Callable[..., Any]) -> Engine:
        """Set the agent that does what cannot be replayed; the latest wins. Chainable.

        Raises InvalidTypeError for what is not callable or is a generator, InvalidValueError for an agent that
        names one of the engine's own keywords.
        """
        self._agent = Agent(agent)
        return self

    def set_context(self, *objects: Any) -> Engine:
        """Set the objects that method tools act on in a replay; the latest call wins. Chainable.

        Raises InvalidValueError for two objects of one class.
        """
        self._context = _distinct(objects)
        return self

    @contextmanager
    def context(self, *objects: Any) -> Iterator[None]:
        """Within the block, in this task or thread, these objects are what method tools act on."""
        token = objects_here.set((*objects_here.get(), (self, _distinct(objects))))
        try:
            yield
        finally:
            objects_here.reset(token)

    def finalize(self) -> Engine:
        """Check that nothing is missing; optional, and changes nothing. Chainable.

        Raises NotReadyError without an agent, or with a method tool whose object was not given by `set_context`.
        """
        self._require_agent()
        for tool in self._tools:
            if tool.method and not any(tool.owns(value) for value in self._objects(None)):
                raise NotReadyError(
                    f"the tool {tool.name} is a method, and no object of its class was given; call set_context(obj)"
                )
        return self

    @overload
    def tool(self, fn: Callable[P, R], /) -> Callable[P, R]: ...
    @overload
    def tool(
        self,
        pre_check: Check | None = None,
        post_check: Check | None = None,
        *,
        name: str | None = None,
        aliases: Sequence[str] = (),
        version: str | int | None = None,
        effect: Effect | None = None,
        ignore: Sequence[str] = (),
        inject: Mapping[str, Any] | None = None,
    ) -> Callable[[F], F]: ...
    def tool(self, pre_check: Any = None, post_check: Check | None = None, **options: Any) -> Any:
        """Register a function or method as a tool, so that its calls inside a run are recorded and can be replayed.

        pre_check: asked before a replayed step; post_check: after it. name: the stored name (default: the qualified
        name), with aliases for recordings under older names. version: stands in for the fingerprint of the code.
        effect: "read", "idempotent", "write" (what undeclared counts as) or "irreversible". ignore: arguments that
        are neither stored nor matched. inject: values, or functions without arguments, that give such arguments in a
        replay. Works bare (`@engine.tool`), on methods, async functions, lambdas, partials and builtins.

        Raises InvalidTypeError or InvalidValueError for what can never be a tool.
        """
        return self._register(None, pre_check, post_check, options)

    @overload
    def function(self, fn: Callable[P, R], /) -> Callable[P, R]: ...
    @overload
    def function(
        self,
        pre_check: Check | None = None,
        post_check: Check | None = None,
        *,
        name: str | None = None,
        aliases: Sequence[str] = (),
        version: str | int | None = None,
        effect: Effect | None = None,
        ignore: Sequence[str] = (),
        inject: Mapping[str, Any] | None = None,
    ) -> Callable[[F], F]: ...
    def function(self, pre_check: Any = None, post_check: Check | None = None, **options: Any) -> Any:
        """The same as `tool`, for plain functions."""
        return self._register(False, pre_check, post_check, options)

    @overload
    def method(self, fn: Callable[P, R], /) -> Callable[P, R]: ...
    @overload
    def method(
        self,
        pre_check: Check | None = None,
        post_check: Check | None = None,
        *,
        name: str | None = None,
        aliases: Sequence[str] = (),
        version: str | int | None = None,
        effect: Effect | None = None,
        ignore: Sequence[str] = (),
        inject: Mapping[str, Any] | None = None,
    ) -> Callable[[F], F]: ...
    def method(self, pre_check: Any = None, post_check: Check | None = None, **options: Any) -> Any:
        """The same as `tool`, for methods: `self` is not recorded, and given again from the run's context."""
        return self._register(True, pre_check, post_check, options)

    def _register(self, method: bool | None, first: Any, post_check: Any, options: dict[str, Any]) -> Any:
        unknown = set(options) - {"name", "aliases", "version", "effect", "ignore", "inject"}
        if unknown:
            raise InvalidTypeError(f"a tool takes no option {min(unknown)!r}")
        bare = (
            first is not None
            and not isinstance(first, Check)
            and (callable(first) or isinstance(first, staticmethod | classmethod))
        )

        def decorate(fn: Any) -> Any:
            pre_check = None if bare else first
            tool, wrapper = make_tool(self, fn, pre_check=pre_check, post_check=post_check, method=method, **options)
            self._tools.add(tool)
            for name in tool.nothing_gives():
                message = f"argument {name!r} of {tool.name} is ignored, so a replay needs inject={{{name!r}: ...}}"
                self._teller.notice("warning", "nothing_to_inject", message, tool.name)
            return wrapper

        return decorate(first) if bare else decorate

    # -- running

    def __call__(
        self,
        *args: Any,
        tags: str | Iterable[str] = (),
        params: Mapping[str, Any] | None = None,
        key: str | None = None,
        mode: Mode | None = None,
        success: Callable[..., Any] | None = None,
        context: Any = None,
        on_divergence: OnDivergence | None = None,
        **kwargs: Any,
    ) -> Outcome:
        """Do a task: replay it if that is safe, else let the agent do it and learn. Truthy exactly on a hit.

        The positional and other keyword arguments are the agent's. tags are added to the task's key; params are the
        values that differ from run to run; key replaces the arguments in the key; context is the object, or a tuple of
        objects, that method tools act on. mode, success and on_divergence override the engine's.

        Raises what the agent raises, unchanged; Missed or Diverged with mode="replay"; Diverged with
        on_divergence="raise"; NotReadyError without an agent; InvalidTypeError for an async agent.
        """
        if self._agent is not None and self._agent.is_async:
            raise InvalidTypeError("the agent is async; call the engine with `await engine.acall(...)`")
        wanted = self._wanted_mode(mode)
        if wanted == "off":
            return self._off(args, kwargs)
        run, refusal = self._open_run(
            args, kwargs, tags, params, key, wanted, success, context, on_divergence, plain=True
        )
        frame = self._open.enter(run)
        token = frame_here.set(frame)
        began = time.perf_counter()
        try:
            trajectories, lookup = self._find(run, refusal)
            flow = run_task(run, trajectories, self._tools, lookup)
            finished = drive(flow, Performer(self, run, frame, asynchronous=False))
        finally:
            frame_here.reset(token)
            self._open.leave(frame)
        return self._conclude(run, finished, time.perf_counter() - began)

    async def acall(
        self,
        *args: Any,
        tags: str | Iterable[str] = (),
        params: Mapping[str, Any] | None = None,
        key: str | None = None,
        mode: Mode | None = None,
        success: Callable[..., Any] | None = None,
        context: Any = None,
        on_divergence: OnDivergence | None = None,
        **kwargs: Any,
    ) -> Outcome:
        """The same for async agents, tools and checks; plain ones work too, called inline."""
        wanted = self._wanted_mode(mode)
        if wanted == "off":
            outcome = self._off(args, kwargs)
            if inspect.isawaitable(outcome.value):
                frame = Frame(self, None)
                token = frame_here.set(frame)
                try:
                    outcome.value = await outcome.value
                finally:
                    frame_here.reset(token)
            return outcome
        run, refusal = self._open_run(
            args, kwargs, tags, params, key, wanted, success, context, on_divergence, plain=False
        )
        frame = self._open.enter(run)
        token = frame_here.set(frame)
        began = time.perf_counter()
        try:
            trajectories, lookup = self._find(run, refusal)
            flow = run_task(run, trajectories, self._tools, lookup)
            finished = await adrive(flow, Performer(self, run, frame, asynchronous=True))
        finally:
            frame_here.reset(token)
            self._open.leave(frame)
        return self._conclude(run, finished, time.perf_counter() - began)

    def _wanted_mode(self, mode: str | None) -> Mode:
        """The call's mode, else the environment's, else the engine's; but an environment that says off beats all."""
        said = os.environ.get("MUSCLE_MEM_MODE", "").strip().lower()
        if said == "off" or self in off_here.get():
            return "off"
        if mode is not None:
            return cast(Mode, _one_of("mode", mode, MODES))
        if said:
            return cast(Mode, _one_of("MUSCLE_MEM_MODE", said, MODES))
        return cast(Mode, self._mode)

    def _open_run(
        self,
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
        tags: Any,
        params: Any,
        key: Any,
        mode: Mode,
        success: Any,
        context: Any,
        on_divergence: Any,
        *,
        plain: bool,
    ) -> tuple[Run, Refusal | None]:
        """A run of its own for one call, and why it has no key, if so. Raises for misuse."""
        if success is not None and not callable(success):
            raise InvalidTypeError(f"success must be callable, got {success!r}")
        policy = self._on_divergence if on_divergence is None else _one_of("on_divergence", on_divergence, POLICIES)
        prepared = NO_PARAMS if params is None else Params(params)
        normal = normal_tags(tags) if tags else ()
        objects = self._objects(context)
        known = known_of(prepared, objects)
        task_id: bytes | None = None
        refusal: Refusal | None = None
        try:
            task_id = self._key_of(args, kwargs, prepared, normal, key, known)
        except NoKeyError as error:
            message = (
                f"the task's {error.argument} has no canonical form ({error}); give it as a param or a context object, "
                "or say key='...'; the agent runs, and nothing is looked up or stored"
            )
            if self._policy.strict:
                raise InvalidTypeError(message) from error
            self._teller.notice("warning", Reason.NO_KEY.value, message, error.argument)
            refusal = Refusal(Reason.NO_KEY, message)
        run = Run(
            id=f"{PROCESS}-{next(self._serial)}",
            task=_label(args, kwargs, key),
            args=args,
            kwargs=kwargs,
            key=task_id,
            params=prepared,
            context=objects,
            recorder=Recorder(prepared, known),
            policy=self._policy,
            clock=time.perf_counter,
            notify=self._teller.notice,
            mode=mode,
            on_divergence=cast(OnDivergence, policy),
            plain=plain,
            names_handover=self._agent is not None and self._agent.names_handover,
            success=success,
            scope=self._scope,
            tags=normal,
        )
        return run, refusal

    def _key_of(
        self,
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
        params: Params,
        tags: tuple[str, ...],
        key: Any,
        known: Any,
    ) -> bytes:
        if key is not None and not isinstance(key, str):
            raise InvalidTypeError(f"key must be a string, got {key!r}; a function belongs to Engine(key=...)")
        custom = key
        if custom is None and self._key is not None:
            try:
                custom = self._key(*args, **kwargs)
            except Exception as error:
                raise NoKeyError("key", f"Engine(key=...) raised {error!r}") from error
            if not isinstance(custom, str):
                raise NoKeyError("key", f"Engine(key=...) returned {short(custom)}, which is no string")
        if custom is not None:
            return task_key(((), {}), params, scope=self._scope, tags=tags, custom=custom)
        agent = self._agent
        if agent is None:
            return task_key((args, kwargs), params, scope=self._scope, tags=tags, known=known)
        bound = bind_task(agent.signature, args, kwargs)
        return task_key(bound, params, scope=self._scope, tags=tags, known=known, name_of=agent.name_of)

    def _objects(self, context: Any) -> tuple[Any, ...]:
        if context is not None:
            return _distinct(context if isinstance(context, tuple) else (context,))
        for engine, objects in reversed(objects_here.get()):
            if engine is self:
                return tuple(objects)
        return self._context

    def _find(self, run: Run, refusal: Refusal | None) -> tuple[list[Trajectory], Refusal | None]:
        """The recordings of this task, or why none can be had. A store that fails is no obstacle (G4)."""
        if refusal is not None or run.key is None or run.mode == "record":
            return [], refusal
        try:
            entry = self._library.find(run.key)
        except StoreError as error:
            self._teller.store_trouble("find", str(error), error)
            return [], Refusal(Reason.STORE_UNAVAILABLE, f"the store cannot be read: {error}")
        if not entry.trajectories and entry.damaged:
            return [], Refusal(Reason.DAMAGED, f"{entry.damaged} recordings of this task are damaged and not used")
        return entry.trajectories, None

    def _off(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Outcome:
        """As if there were no engine: the agent runs, and nothing is looked up, recorded or counted."""
        agent = self._require_agent().fn
        token = frame_here.set(self._open.enter(None))
        try:
            value = agent(*args, **kwargs)
        finally:
            frame_here.reset(token)
        return Outcome("miss", value=value, reason=Reason.MODE, message="the engine is off", not_learned=Reason.MODE)

    def _conclude(self, run: Run, finished: Finished, seconds: float) -> Outcome:
        """Count and tell how a run ended; raise what is to be raised."""
        outcome = finished.outcome
        if finished.followed is not None:
            if finished.failure is not None:
                self._library.failed(finished.followed, finished.failure)
            elif outcome is not None and outcome.status == "hit":
                self._library.hit(finished.followed)
                if finished.refreshed:
                    self._refresh(run, finished)
        if outcome is None:
            error = finished.error
            assert error is not None
            if not isinstance(error, MuscleMemError):
                self._teller.not_learned(run, *_why_raised(error))
            self._teller.raised(run, error, seconds)
            raise error
        outcome._judge = self
        outcome.seconds = seconds
        self._teller.ended(run, outcome)
        return outcome

    def _refresh(self, run: Run, finished: Finished) -> None:
        assert finished.followed is not None
        try:
            self._library.refresh(run, finished.followed)
        except StoreError as error:
            self._teller.store_trouble("refresh", str(error), error)

    def _require_agent(self) -> Agent:
        if self._agent is None:
            raise NotReadyError("the engine has no agent; call engine.set_agent(agent) first")
        return self._agent

    # -- around a run

    def bind(self, fn: Callable[P, R]) -> Callable[P, R]:
        """A function that carries the run which is open here into a thread of the agent's own."""
        frame = frame_here.get()
        objects = objects_here.get()

        @functools.wraps(fn)
        def bound(*args: P.args, **kwargs: P.kwargs) -> R:
            tokens = frame_here.set(frame), objects_here.set(objects)
            try:
                return fn(*args, **kwargs)
            finally:
                frame_here.reset(tokens[0])
                objects_here.reset(tokens[1])

        return bound

    @contextmanager
    def disabled(self) -> Iterator[None]:
        """Within the block, in this task or thread, the engine is off: calls go to the agent, nothing is recorded."""
        token = off_here.set((*off_here.get(), self))
        try:
            yield
        finally:
            off_here.reset(token)

    @contextmanager
    def record(
        self,
        *args: Any,
        tags: str | Iterable[str] = (),
        params: Mapping[str, Any] | None = None,
        key: str | None = None,
        success: Callable[..., Any] | None = None,
        context: Any = None,
        **kwargs: Any,
    ) -> Iterator[Demonstration]:
        """Record the tool calls of the block as a demonstration of a task, without an agent.

        Learned when the block ends without an exception; the yielded object's `outcome` tells whether.
        """
        shown = Demonstration()
        wanted = self._wanted_mode(None)
        run, _ = self._open_run(args, kwargs, tags, params, key, "record", success, context, None, plain=True)
        frame = self._open.enter(run)
        token = frame_here.set(frame)
        began = time.perf_counter()
        if wanted != "off":
            self._open.record(frame)
        try:
            yield shown
            seconds = time.perf_counter() - began
            if wanted != "off":
                shown.outcome = drive(demonstrate(run, seconds), Performer(self, run, frame, asynchronous=False))
        except BaseException as error:
            self._teller.not_learned(run, *_why_raised(error))
            raise
        finally:
            frame_here.reset(token)
            self._open.leave(frame)
        if shown.outcome is not None:
            shown.outcome._judge = self
            if shown.outcome.not_learned is not None:
                self._teller.not_learned(run, shown.outcome.not_learned, shown.outcome.not_learned_message)
            else:
                self._teller.count("learned")

    def explain(
        self,
        *args: Any,
        tags: str | Iterable[str] = (),
        params: Mapping[str, Any] | None = None,
        key: str | None = None,
        mode: Mode | None = None,
        context: Any = None,
        **kwargs: Any,
    ) -> Explanation:
        """What a call with these arguments would do now, and why; nothing is executed but captures of first steps."""
        run, lookup, trajectories = self._explained(args, kwargs, tags, params, key, mode, context, plain=True)
        frame = Frame(self, run)
        token = frame_here.set(frame)
        try:
            return drive(explain_task(run, trajectories, self._tools, lookup), perform_call)
        finally:
            frame_here.reset(token)

    async def aexplain(
        self,
        *args: Any,
        tags: str | Iterable[str] = (),
        params: Mapping[str, Any] | None = None,
        key: str | None = None,
        mode: Mode | None = None,
        context: Any = None,
        **kwargs: Any,
    ) -> Explanation:
        """The same where captures or compares are async."""
        run, lookup, trajectories = self._explained(args, kwargs, tags, params, key, mode, context, plain=False)
        frame = Frame(self, run)
        token = frame_here.set(frame)
        try:
            return await adrive(explain_task(run, trajectories, self._tools, lookup), perform_call)
        finally:
            frame_here.reset(token)

    def _explained(
        self, args: Any, kwargs: Any, tags: Any, params: Any, key: Any, mode: Any, context: Any, *, plain: bool
    ) -> tuple[Run, Refusal | None, list[Trajectory]]:
        wanted = self._wanted_mode(mode)
        run, refusal = self._open_run(args, kwargs, tags, params, key, wanted, None, context, None, plain=plain)
        self._library.flush()
        if wanted in ("off", "record"):
            return run, Refusal(Reason.MODE, f"mode={wanted!r} always asks the agent"), []
        trajectories, lookup = self._find(run, refusal)
        return run, lookup, trajectories

    # -- the memory

    def forget(self, trajectory_id: str) -> bool:
        """Delete a trajectory with all that belongs to it; whether there was one. Raises StoreError."""
        return self._library.forget((trajectory_id,)) > 0

    def report_bad(self, trajectory_id: str, why: str = "") -> None:
        """Quarantine a trajectory until `report_good`. Raises NotFoundError or StoreError."""
        self._judge(trajectory_id, good=False, why=why)

    def report_good(self, trajectory_id: str, why: str = "") -> None:
        """Trust a trajectory, and lift whatever quarantine it is in. Raises NotFoundError or StoreError."""
        self._judge(trajectory_id, good=True, why=why)

    def _judge(self, trajectory_id: str, *, good: bool, why: str) -> None:
        if self._library.store.get(trajectory_id) is None:
            raise NotFoundError(f"there is no trajectory {trajectory_id!r} in {self._library.store.url}")
        self._library.judge(trajectory_id, good=good, why=why)

    def cache_info(self) -> CacheInfo:
        """Counts since the engine was made, or since `cache_clear()`."""
        return CacheInfo(**self._teller.counts, loaded=len(self._library))

    def cache_clear(self) -> None:
        """Forget every trajectory of this engine's scope in its store, and start counting anew. Raises StoreError."""
        self._library.clear(self._scope)
        self._teller.clear()

    def close(self) -> None:
        """Write what was counted and release the store. Closing twice is fine."""
        self._closer()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()


class Demonstration:
    """What `engine.record` yields: `outcome` is set when the block has ended."""

    __slots__ = ("outcome",)

    def __init__(self) -> None:
        self.outcome: Outcome | None = None


NO_PARAMS = Params(None)


def _one_of(name: str, value: Any, allowed: Sequence[str]) -> str:
    if not isinstance(value, str) or value not in allowed:
        raise InvalidValueError(f"{name} must be one of {', '.join(allowed)}, got {value!r}")
    return value


def _distinct(objects: tuple[Any, ...]) -> tuple[Any, ...]:
    for index, value in enumerate(objects):
        if any(type(value) is type(other) and value is not other for other in objects[:index]):
            raise InvalidValueError(
                f"two context objects of class {type(value).__qualname__} were given, so which one a method tool acts "
                "on cannot be told; give one"
            )
    return objects


def _label(args: tuple[Any, ...], kwargs: Mapping[str, Any], key: str | None) -> str:
    if key is not None:
        return key[:200]
    if len(args) == 1 and not kwargs and isinstance(args[0], str):
        return args[0][:200]
    parts = [short(value, 80) for value in args] + [f"{name}={short(value, 80)}" for name, value in kwargs.items()]
    return ", ".join(parts)[:200]


def _why_raised(error: BaseException) -> tuple[Reason, str]:
    if isinstance(error, Exception):
        return Reason.AGENT_RAISED, f"the agent raised {error!r}"
    return Reason.CANCELLED, f"the run was ended by {type(error).__name__}"


def _close_quietly(library: Library) -> None:
    try:
        library.close()
    except MuscleMemError as error:
        log_event(StoreEvent("close", str(error), error))
