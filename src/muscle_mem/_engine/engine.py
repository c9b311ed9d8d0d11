"""Engine: what a user holds. It keeps nothing but a runtime, and delegates to it."""

from __future__ import annotations

import functools
import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from typing import Any, ParamSpec, Self, TypeVar, Unpack, overload

from .._core.model.outcome import Outcome
from .._core.model.reason import Mode, OnDivergence, OnStoreError
from .._core.plan.trust import Trust
from .._core.replay.explain import Explanation
from .._core.tools.check import Check
from .._events import Observer
from .._library.library import LIBRARY_BYTES
from .._runtime.agent import Agent
from .._runtime.calls import Demonstration, acall, call, record
from .._runtime.context import (
    current_objects,
    disabled_engines,
    enter_frame,
    get_disabled,
    get_frame,
    get_objects,
    reset_frame,
)
from .._runtime.options import CallOptions, EngineOptions, ToolOptions
from .._runtime.reporter import CacheInfo
from .._runtime.runtime import Runtime
from .._runtime.validation import distinct_objects
from .._session.session import AsyncSession, Session, open_async_session, open_session
from ..errors import InvalidTypeError, NotReadyError
from ..store import Store, open_store
from ..store.pruning import Pruned
from .decorators import register
from .explaining import aexplain, explain

P = ParamSpec("P")
R = TypeVar("R")
F = TypeVar("F", bound=Callable[..., Any])


class Engine:
    """A behavior cache around an agent: records its tool calls once, replays them safely when the task comes again.

    store: None keeps memory in the process; a path or "sqlite:///..." keeps it in a SQLite file, "postgresql://..." in
        a database, "folder:///..." in a folder of JSON files; or a Store.
    scope: an exact part of every key; nothing matches across scopes.
    key: a function of the call's arguments that returns the key as a string, in place of the arguments.
    mode: "auto", "record" (always the agent), "replay" (never the agent), "frozen" (nothing is learned or counted),
        "shadow" (the agent, compared with what a replay would have done) or "off"; see also MUSCLE_MEM_MODE.
    on_divergence: what happens when a replay stops in the middle: "auto", "continue", "absorb" or "raise".
    strict: raise where a task has no key, and never replay an unchecked tool that is not declared effect="read".
    success: a function that says whether a run did what it should, of task, params, steps, value those it names.
    approve: a function that is asked before an irreversible step is replayed, of task, params, step those it names.
    trust: what a replay asks for: "first" (a finished, unrefused run), "verified" (a positive verdict) or "manual" (a
        person's word).
    result: a function of the list of this run's results that makes the value of a hit.
    observers: functions that get every event; without any, events go to the logger "muscle_mem".
    max_lookups: at most so many calls are captured and recordings judged at one place.
    adopt_threads: take a tool call from a thread of the agent's own into the run, if exactly one is open.
    miss_wait: when several runs miss the same task at once, in threads, tasks or processes, one asks its agent and the
    others wait for its recording, at most so many seconds; 0 is not at all.
    library_bytes: about how much of the store is kept in memory; the least recently used tasks leave.
    max_items, max_bytes, ttl: how many trajectories and bytes the store may hold, and for how many seconds after it was
    last recorded a trajectory is replayed; None is no limit. See `prune`.
    on_store_error: "bypass" lets the agent do the task whatever the store does; "raise" raises StoreError before the
    agent runs if the store cannot be read, and after it if the recording was not taken (`error.outcome`).
    signing_key: a secret of at least 16 bytes; recordings that were not written with it are refused (store files only).

    One engine serves many threads and asyncio tasks at once.
    """

    __module__ = "muscle_mem"

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
        approve: Callable[..., Any] | None = None,
        trust: Trust = "first",
        result: Callable[[list[Any]], Any] | None = None,
        observers: Iterable[Observer] | Observer | None = None,
        max_lookups: int = 256,
        adopt_threads: bool = False,
        signing_key: bytes | str | None = None,
        miss_wait: float = 0.0,
        library_bytes: int = LIBRARY_BYTES,
        max_items: int | None = None,
        max_bytes: int | None = None,
        ttl: float | None = None,
        on_store_error: OnStoreError = "bypass",
    ) -> None:
        options = EngineOptions(
            scope=scope,
            key=key,
            mode=mode,
            on_divergence=on_divergence,
            strict=strict,
            success=success,
            approve=approve,
            trust=trust,
            result=result,
            max_lookups=max_lookups,
            adopt_threads=adopt_threads,
            miss_wait=miss_wait,
            library_bytes=library_bytes,
            max_items=max_items,
            max_bytes=max_bytes,
            ttl=ttl,
            on_store_error=on_store_error,
        )
        self._runtime = Runtime(open_store(store, signing_key=signing_key), options, observers)

    # -- building

    @overload
    def tool(self, fn: Callable[P, R], /) -> Callable[P, R]: ...
    @overload
    def tool(
        self, pre_check: Check | None = None, post_check: Check | None = None, **options: Unpack[ToolOptions]
    ) -> Callable[[F], F]: ...
    def tool(self, *args: Any, **options: Any) -> Any:
        """Register a function or method as a tool, so that its calls inside a run are recorded and can be replayed.

        pre_check: asked before a replayed step; post_check: after it. name: the stored name (default: the qualified
        name), with aliases for recordings under older names. version: stands in for the fingerprint of the code.
        effect: "read", "idempotent", "write" (what undeclared counts as) or "irreversible". ignore: arguments that
        are neither stored nor matched. inject: values, or functions without arguments, that give such arguments in a
        replay. secret: arguments whose values are never stored, and are given again at each replay. trust: how much
        evidence a replay of this tool asks for, "first", "verified" or "manual". undo: how to take it back, a text with
        {argument} and {result} in it, or the tool that does; told in a hand-over, never run. optional: skipped in a
        replay where its pre-check says no and the next step's says yes. Works bare
        (`@engine.tool`), on methods, async functions, lambdas, partials and builtins.

        Raises InvalidTypeError or InvalidValueError for what can never be a tool.
        """
        return register(self._runtime, None, args, options)

    @overload
    def function(self, fn: Callable[P, R], /) -> Callable[P, R]: ...
    @overload
    def function(
        self, pre_check: Check | None = None, post_check: Check | None = None, **options: Unpack[ToolOptions]
    ) -> Callable[[F], F]: ...
    def function(self, *args: Any, **options: Any) -> Any:
        """The same as `tool`, for plain functions."""
        return register(self._runtime, False, args, options)

    @overload
    def method(self, fn: Callable[P, R], /) -> Callable[P, R]: ...
    @overload
    def method(
        self, pre_check: Check | None = None, post_check: Check | None = None, **options: Unpack[ToolOptions]
    ) -> Callable[[F], F]: ...
    def method(self, *args: Any, **options: Any) -> Any:
        """The same as `tool`, for methods: `self` is not recorded, and given again from the run's context."""
        return register(self._runtime, True, args, options)

    def set_agent(self, agent: Callable[..., Any]) -> Engine:
        """Set the agent that does what cannot be replayed; the latest wins. Chainable.

        Raises InvalidTypeError for what is not callable or is a generator, InvalidValueError for an agent that
        names one of the engine's own keywords.
        """
        self._runtime.set_agent(Agent(agent))
        return self

    def set_context(self, *objects: Any) -> Engine:
        """Set the objects that method tools act on in a replay; the latest call wins. Chainable.

        Raises InvalidValueError for two objects of one class.
        """
        self._runtime.context = distinct_objects(objects)
        return self

    @contextmanager
    def context(self, *objects: Any) -> Iterator[None]:
        """Within the block, in this task or thread, these objects are what method tools act on."""
        token = current_objects.set((*get_objects(), (self._runtime, distinct_objects(objects))))
        try:
            yield
        finally:
            current_objects.reset(token)

    def finalize(self) -> Engine:
        """Check that nothing is missing; optional, and changes nothing. Chainable.

        Raises NotReadyError without an agent, or with a method tool whose object was not given by `set_context`.
        """
        self._runtime.require_agent()
        objects = self._runtime.context_objects()
        for tool in self._runtime.tools:
            if tool.method and not any(tool.is_method_of(value) for value in objects):
                raise NotReadyError(
                    f"the tool {tool.name} is a method, and no object of its class was given; call set_context(obj)"
                )
        return self

    # -- running

    def __call__(
        self,
        *args: Any,
        tags: str | Iterable[str] = (),
        params: Mapping[str, Any] | None = None,
        key: str | None = None,
        mode: Mode | None = None,
        success: Callable[..., Any] | None = None,
        approve: Callable[..., Any] | None = None,
        context: Any = None,
        on_divergence: OnDivergence | None = None,
        secrets: Mapping[str, Any] | None = None,
        **kwargs: Any,
    ) -> Outcome:
        """Do a task: replay it if that is safe, else let the agent do it and learn. Truthy exactly on a hit.

        The positional and other keyword arguments are the agent's. tags are added to the task's key; params are the
        values that differ from run to run; key replaces the arguments in the key; context is the object, or a tuple of
        objects, that method tools act on. mode, success and on_divergence override the engine's. secrets are values, by
        names, that tools will be given and that are never stored; Secrets in params and arguments need not be repeated.

        Raises what the agent raises, unchanged; Missed or Diverged with mode="replay"; Diverged with
        on_divergence="raise"; NotReadyError without an agent; InvalidTypeError for an async agent.
        """
        return call(
            self._runtime,
            args,
            kwargs,
            CallOptions(tags, params, key, mode, success, approve, context, on_divergence, secrets),
        )

    async def acall(
        self,
        *args: Any,
        tags: str | Iterable[str] = (),
        params: Mapping[str, Any] | None = None,
        key: str | None = None,
        mode: Mode | None = None,
        success: Callable[..., Any] | None = None,
        approve: Callable[..., Any] | None = None,
        context: Any = None,
        on_divergence: OnDivergence | None = None,
        secrets: Mapping[str, Any] | None = None,
        **kwargs: Any,
    ) -> Outcome:
        """The same for async agents, tools and checks; plain ones work too, called inline.

        A store that waits on a network is asked in a thread, so that the loop goes on; observers may be called there.
        """
        options = CallOptions(tags, params, key, mode, success, approve, context, on_divergence, secrets)
        return await acall(self._runtime, args, kwargs, options)

    def session(
        self,
        *args: Any,
        tags: str | Iterable[str] = (),
        params: Mapping[str, Any] | None = None,
        key: str | None = None,
        mode: Mode | None = None,
        success: Callable[..., Any] | None = None,
        approve: Callable[..., Any] | None = None,
        context: Any = None,
        on_divergence: OnDivergence | None = None,
        secrets: Mapping[str, Any] | None = None,
        **kwargs: Any,
    ) -> Session:
        """A run that the caller steps, so that a framework makes the tool calls and asks the model itself.

        Takes what the engine's own call takes; needs no agent. `on_divergence="auto"` goes on from the middle with the
        hand-over. Raises for misuse as the engine's own call does; nothing is looked up before `session.next()`.
        """
        options = CallOptions(tags, params, key, mode, success, approve, context, on_divergence, secrets)
        return open_session(self._runtime, args, kwargs, options)

    def asession(
        self,
        *args: Any,
        tags: str | Iterable[str] = (),
        params: Mapping[str, Any] | None = None,
        key: str | None = None,
        mode: Mode | None = None,
        success: Callable[..., Any] | None = None,
        approve: Callable[..., Any] | None = None,
        context: Any = None,
        on_divergence: OnDivergence | None = None,
        secrets: Mapping[str, Any] | None = None,
        **kwargs: Any,
    ) -> AsyncSession:
        """The same for async checks and callbacks; nothing is awaited before `await session.next()`."""
        options = CallOptions(tags, params, key, mode, success, approve, context, on_divergence, secrets)
        return open_async_session(self._runtime, args, kwargs, options)

    def record(
        self,
        *args: Any,
        tags: str | Iterable[str] = (),
        params: Mapping[str, Any] | None = None,
        key: str | None = None,
        success: Callable[..., Any] | None = None,
        context: Any = None,
        secrets: Mapping[str, Any] | None = None,
        **kwargs: Any,
    ) -> AbstractContextManager[Demonstration]:
        """Record the tool calls of the block as a demonstration of a task, without an agent.

        Learned when the block ends without an exception; the yielded object's `outcome` tells whether.
        """
        options = CallOptions(tags=tags, params=params, key=key, success=success, context=context, secrets=secrets)
        return record(self._runtime, args, kwargs, options)

    # -- asking before a call

    def explain(
        self,
        *args: Any,
        tags: str | Iterable[str] = (),
        params: Mapping[str, Any] | None = None,
        key: str | None = None,
        mode: Mode | None = None,
        context: Any = None,
        secrets: Mapping[str, Any] | None = None,
        **kwargs: Any,
    ) -> Explanation:
        """What a call with these arguments would do now, and why; nothing is executed but captures of first steps.

        The explanation's `plan` holds the steps that a replay would make, with the arguments of this call.
        """
        options = CallOptions(tags=tags, params=params, key=key, mode=mode, context=context, secrets=secrets)
        return explain(self._runtime, args, kwargs, options)

    def dry_run(self, *args: Any, **kwargs: Any) -> Explanation:
        """The same as `explain`: its `plan` tells the bound steps, and nothing is executed but first captures."""
        return self.explain(*args, **kwargs)

    async def aexplain(
        self,
        *args: Any,
        tags: str | Iterable[str] = (),
        params: Mapping[str, Any] | None = None,
        key: str | None = None,
        mode: Mode | None = None,
        context: Any = None,
        secrets: Mapping[str, Any] | None = None,
        **kwargs: Any,
    ) -> Explanation:
        """The same where captures or compares are async."""
        options = CallOptions(tags=tags, params=params, key=key, mode=mode, context=context, secrets=secrets)
        return await aexplain(self._runtime, args, kwargs, options)

    # -- around a run

    def bind(self, fn: Callable[P, R]) -> Callable[P, R]:
        """A function that carries the run which is open here into a thread of the agent's own."""
        if not callable(fn):
            raise InvalidTypeError(f"engine.bind takes the function that the thread calls, got {fn!r}")
        frame = get_frame()
        objects = get_objects()

        @functools.wraps(fn)
        def bound(*args: P.args, **kwargs: P.kwargs) -> R:
            tokens = enter_frame(frame), current_objects.set(objects)
            try:
                return fn(*args, **kwargs)
            finally:
                reset_frame(tokens[0])
                current_objects.reset(tokens[1])

        return bound

    @contextmanager
    def disabled(self) -> Iterator[None]:
        """Within the block, in this task or thread, the engine is off: calls go to the agent, nothing is recorded."""
        token = disabled_engines.set((*get_disabled(), self._runtime))
        try:
            yield
        finally:
            disabled_engines.reset(token)

    # -- the care of what is remembered

    def forget(self, trajectory_id: str) -> bool:
        """Delete a trajectory with all that belongs to it; whether there was one. Raises StoreError."""
        return self._runtime.maintenance.forget(trajectory_id)

    def report_bad(self, trajectory_id: str, why: str = "") -> None:
        """Quarantine a trajectory until `report_good`. Raises NotFoundError or StoreError."""
        self._runtime.maintenance.report_bad(trajectory_id, why)

    def report_good(self, trajectory_id: str, why: str = "") -> None:
        """Trust a trajectory, and lift whatever quarantine it is in. Raises NotFoundError or StoreError."""
        self._runtime.maintenance.report_good(trajectory_id, why)

    def cache_info(self) -> CacheInfo:
        """Counts since the engine was made, or since `cache_clear()`, and how things are now; see `CacheInfo`."""
        return self._runtime.maintenance.cache_info()

    def cache_clear(self) -> None:
        """Forget every trajectory of this engine's scope in its store, and start counting anew. Raises StoreError."""
        self._runtime.maintenance.cache_clear()

    def prune(self, max_items: int | None = None, max_bytes: int | None = None, ttl: float | None = None) -> Pruned:
        """Drop trajectories that are older than `ttl` seconds, and so many that no more than the limits are left.

        What is not given is as the engine was made with. It concerns the whole store, whatever the scope. What can
        never be replayed goes first, then what was recorded or hit the longest ago. What an agent is at work on stays,
        and so do damaged rows, for `muscle-mem doctor` to tell of. Done by itself after a recording, now and then, if
        the engine has limits.

        Raises InvalidTypeError or InvalidValueError for what is no limit, or if there is none; StoreError.
        """
        return self._runtime.maintenance.prune(max_items, max_bytes, ttl)

    def close(self) -> None:
        """Write what was counted and release the store. Closing twice is fine."""
        self._runtime.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()
