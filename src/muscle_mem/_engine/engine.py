"""The engine: the public interface, which delegates to a runtime."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping
from contextlib import AbstractContextManager
from typing import Any, NoReturn, ParamSpec, Self, TypeVar, Unpack, overload

from .._core.model.outcome import Outcome
from .._core.model.reason import Generalize, Mode, OnDivergence, OnStoreError
from .._core.plan.trust import Trust
from .._core.replay.explain import Explanation
from .._core.tools.check import Check
from .._events import Observer
from .._library.library import LIBRARY_BYTES
from .._runtime.agent import Agent
from .._runtime.calls import Demonstration, acall, call, record
from .._runtime.context import bind_to_run, disabled_block, objects_block
from .._runtime.options import CallOptions, EngineOptions, ToolOptions
from .._runtime.reporter import CacheInfo
from .._runtime.runtime import Runtime
from .._runtime.validation import distinct_objects
from .._session.session import AsyncSession, Session, open_async_session, open_session
from ..errors import InvalidTypeError
from ..store import Store, open_store
from ..store.pruning import Pruned
from .decorators import register
from .explaining import aexplain, explain

P = ParamSpec("P")
R = TypeVar("R")
F = TypeVar("F", bound=Callable[..., Any])


class Engine:
    """A behavior cache around an agent.

    The engine records the tool calls of your agent while it does a task, and replays them when the same task comes
    again. Before each replayed step it runs the step's check. One engine serves many threads and asyncio tasks
    concurrently.

    Args:
        store: Where recordings are kept. None keeps them in the process. A path or "sqlite:///..." uses a SQLite file,
            "postgresql://..." a database, "folder:///..." a folder of JSON files. A `Store` is used as it is.
        scope: An exact part of every task key. Recordings of different scopes never match. A function makes it for
            each call, from those of context (a tuple of the call's context objects), args and kwargs that it names.
        key: A function of the call's arguments that returns the task key as a string, in place of the arguments.
        mode: "auto" (replay or agent), "record" (always the agent), "replay" (never the agent), "frozen" (learns and
            counts nothing), "shadow" (runs the agent and compares it with a replay) or "off". The environment variable
            MUSCLE_MEM_MODE overrides it.
        on_divergence: What happens when a replay stops in the middle: "auto", "continue", "absorb" or "raise".
        strict: Whether to raise if a task has no key, and to refuse to replay unchecked tools that are not declared
            effect="read".
        success: A function that returns whether a run succeeded. It is called with those of task, params, steps and
            value that it names.
        approve: A function that is called before an irreversible step is replayed, with those of task, params and step
            that it names. The step is replayed if it returns a true value.
        trust: The evidence that a replay requires: "first" (a finished run that was not rejected), "verified" (a
            positive verdict) or "manual" (a review).
        result: A function that gets the list of this run's results and returns the value of a hit.
        observers: A function, or several, that get every event. By default, events go to the logger "muscle_mem".
        max_lookups: The maximum number of calls that are captured, and of recordings that are compared, at one step.
        adopt_threads: Whether a tool call from a thread that does not belong to a run joins the run that is open, if
            exactly one is.
        signing_key: A secret of at least 16 bytes. Recordings that were not written with it are rejected. Only for
            stores in files and databases.
        miss_wait: How many seconds a run waits when another run, in any thread, task or process, is learning the same
            task. 0 does not wait.
        library_bytes: The approximate number of bytes of recordings that are kept in memory. The least recently used
            tasks are dropped first.
        max_items: The maximum number of trajectories in the store. None means unlimited. See `prune`.
        max_bytes: The maximum number of bytes in the store. None means unlimited. See `prune`.
        ttl: For how many seconds after it was last recorded a trajectory is replayed. None means unlimited.
        on_store_error: "bypass" runs the agent if the store fails. "raise" raises StoreError: before the agent runs if
            the store cannot be read, and afterwards if the recording was not stored (`error.outcome`).
        generalize: For which values of params a recording is replayed. "computed" asks for a second recording where a
            literal may have been computed from a changed param. "confirmed" asks for it wherever a param has a value
            that was not recorded. "at_once" asks for none.
        clock: A function that returns the time in seconds since the epoch. Everything that depends on the time of day
            or the date uses it. None uses the system's clock.
        name: The name under which calls of this engine, made inside the agent of another run, are steps of that run.
            Without a name, the outer run is not learned. The latest engine of a name is called by a replay.
        learn_flows: Whether arguments that differ from run to run are read from where several recordings took them,
            such as the id that an earlier step returned.
        probation: How many further values must agree with such a source before a step with an effect is replayed.

    Raises:
        InvalidTypeError: An option has the wrong type.
        InvalidValueError: An option has a value that is not allowed.
        StoreError: The store cannot be opened.
    """

    __module__ = "muscle_mem"

    def __init__(
        self,
        store: str | os.PathLike[str] | Store | None = None,
        *,
        scope: str | Callable[..., str] = "",
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
        generalize: Generalize = "computed",
        clock: Callable[[], float] | None = None,
        name: str = "",
        learn_flows: bool = True,
        probation: int = 0,
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
            generalize=generalize,
            clock=clock,
            name=name,
            learn_flows=learn_flows,
            probation=probation,
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
        """Register a function or method as a tool.

        The calls that the agent makes to it during a run are recorded and can be replayed. Outside a run the decorated
        function behaves exactly like the original. Use it bare (`@engine.tool`) or with options, on functions, methods,
        async functions, lambdas, partials and builtins.

        Args:
            pre_check: The check that runs before a replayed step.
            post_check: The check that runs after a replayed step.
            name: The stored name. Defaults to the qualified name without the module.
            aliases: Older stored names whose recordings belong to this tool.
            version: A string or number in place of the fingerprint of the code. Change it when the meaning changes.
            effect: "read", "idempotent", "write" (the default) or "irreversible".
            ignore: Names of arguments that are neither stored nor compared.
            inject: Values, or functions without arguments, that provide such arguments during a replay, by name.
            secret: Names of arguments whose values are never stored. Pass them again for each replay.
            trust: The evidence that a replay of this tool requires: "first", "verified" or "manual".
            undo: How to undo a call: a text with {argument} and {result} in it, or the tool that does it. It is part of
                the hand-over and is never run by the engine.
            optional: Whether a replay skips the step if its pre-check fails and the pre-check of the next step passes.
            any: Names of arguments of which any recorded value will do, such as the wording of a message.
            failed: A function that gets a result and returns whether it is a failure, or "nothing_done" for a failure
                that had no effect. False means that no result is one. By default, MCP results and tool messages that
                say so are failures, and in a replay a result that has an error where the recorded one had none.
            refuses: Exception classes that the tool raises before it has done anything.
            answers: "any" if a replay goes on after every answer of the tool. By default it stops at an answer, such as
                False or an empty list, after which no recording went on.

        Raises:
            InvalidTypeError: The function cannot be a tool, or an option has the wrong type.
            InvalidValueError: An option has a value that is not allowed.
        """
        return register(self._runtime, None, args, options)

    @overload
    def function(self, fn: Callable[P, R], /) -> Callable[P, R]: ...
    @overload
    def function(
        self, pre_check: Check | None = None, post_check: Check | None = None, **options: Unpack[ToolOptions]
    ) -> Callable[[F], F]: ...
    def function(self, *args: Any, **options: Any) -> Any:
        """Register a plain function as a tool; see `tool`."""
        return register(self._runtime, False, args, options)

    @overload
    def method(self, fn: Callable[P, R], /) -> Callable[P, R]: ...
    @overload
    def method(
        self, pre_check: Check | None = None, post_check: Check | None = None, **options: Unpack[ToolOptions]
    ) -> Callable[[F], F]: ...
    def method(self, *args: Any, **options: Any) -> Any:
        """Register a method as a tool; see `tool`.

        `self` is not recorded. During a replay it is the run's context object of that class.
        """
        return register(self._runtime, True, args, options)

    def set_agent(self, agent: Callable[..., Any]) -> Engine:
        """Set the agent that runs when nothing can be replayed; the latest call wins.

        Returns:
            The engine, so that calls can be chained.

        Raises:
            InvalidTypeError: The agent is not callable, or is a generator.
            InvalidValueError: A parameter of the agent has the name of an option of the engine's call.
        """
        self._runtime.set_agent(Agent(agent))
        return self

    def set_context(self, *objects: Any) -> Engine:
        """Set the objects that method tools act on during a replay; the latest call wins.

        Returns:
            The engine, so that calls can be chained.

        Raises:
            InvalidValueError: Two of the objects have the same class.
        """
        self._runtime.context = distinct_objects(objects)
        return self

    def context(self, *objects: Any) -> AbstractContextManager[None]:
        """Set the objects that method tools act on, within a block.

        The objects apply to the current task or thread, and take precedence over those of `set_context`.

        Raises:
            InvalidValueError: Two of the objects have the same class.
        """
        return objects_block(self._runtime, distinct_objects(objects))

    def finalize(self) -> Engine:
        """Check that the engine is complete. Optional; changes nothing.

        Returns:
            The engine, so that calls can be chained.

        Raises:
            NotReadyError: There is no agent, or a method tool has no context object.
        """
        self._runtime.ensure_complete()
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
        """Do a task: replay it if that is safe, else run the agent and learn.

        Args:
            *args: Arguments of the agent.
            tags: A tag, or several, that become part of the task key.
            params: The values that differ from run to run, by name. They are masked in the task key, and replaced in
                the arguments of replayed steps.
            key: The task key, in place of the arguments.
            mode: Overrides the engine's mode.
            success: Overrides the engine's success callback.
            approve: Overrides the engine's approval callback.
            context: The object, or tuple of objects, that method tools act on.
            on_divergence: Overrides the engine's setting.
            secrets: Values, by name, that tools get and that are never stored. `Secret` values in params and arguments
                need not be repeated here.
            **kwargs: Keyword arguments of the agent.

        Returns:
            The outcome. It is truthy exactly on a hit.

        Raises:
            Exception: Whatever the agent raises, unchanged.
            Missed: mode="replay", and nothing could be replayed.
            Diverged: A replay stopped, and mode="replay" or on_divergence="raise" forbids the agent to continue.
            NotReadyError: There is no agent.
            InvalidTypeError: The agent is async, or an option has the wrong type.
            InvalidValueError: An option has a value that is not allowed.
        """
        options = CallOptions(tags, params, key, mode, success, approve, context, on_divergence, secrets)
        return call(self._runtime, args, kwargs, options)

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
        """Do a task with async agents, tools and checks.

        It returns and raises the same as `__call__`. Sync agents, tools and checks work too and are called inline. A
        store that waits on a network is called in a thread, so observers may be called there.

        Args:
            args, kwargs: The positional and keyword arguments of the agent.
            tags, params, key, mode, success, approve, context, on_divergence, secrets: As for `__call__`.
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
        """Open a run that the caller steps.

        A framework then makes the tool calls and calls the model itself. No agent is needed. With on_divergence="auto"
        the run continues from the middle with the hand-over. Nothing is looked up before `session.next()`.

        Args:
            args, kwargs: The positional and keyword arguments of the agent.
            tags, params, key, mode, success, approve, context, on_divergence, secrets: As for `__call__`.

        Raises:
            InvalidTypeError: An option has the wrong type.
            InvalidValueError: An option has a value that is not allowed.
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
        """Open a run that the caller steps, with async checks and callbacks.

        It raises the same as `session`. Nothing is awaited before `await session.next()`.

        Args:
            args, kwargs: The positional and keyword arguments of the agent.
            tags, params, key, mode, success, approve, context, on_divergence, secrets: As for `__call__`.
        """
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
        """Record the tool calls of a block as a demonstration of a task, without an agent.

        The recording is stored when the block ends without an exception.

        Args:
            args, kwargs: The positional and keyword arguments of the agent.
            tags, params, key, success, context, secrets: As for `__call__`.

        Returns:
            A context manager. The object that it yields has the `outcome` when the block has ended.
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
        """Return what a call with these arguments would do now, and why.

        Only the captures of first steps are called.

        Args:
            args, kwargs: The positional and keyword arguments of the agent.
            tags, params, key, mode, context, secrets: As for `__call__`.

        Returns:
            The explanation. Its `plan` holds the steps that a replay would make, with this call's arguments.
        """
        options = CallOptions(tags=tags, params=params, key=key, mode=mode, context=context, secrets=secrets)
        return explain(self._runtime, args, kwargs, options)

    def dry_run(self, *args: Any, **kwargs: Any) -> Explanation:
        """Return the same as `explain`."""
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
        """Return what a call with async checks would do now; see `explain`.

        Args:
            args, kwargs: The positional and keyword arguments of the agent.
            tags, params, key, mode, context, secrets: As for `__call__`.
        """
        options = CallOptions(tags=tags, params=params, key=key, mode=mode, context=context, secrets=secrets)
        return await aexplain(self._runtime, args, kwargs, options)

    # -- around a run

    def bind(self, fn: Callable[P, R]) -> Callable[P, R]:
        """Return a function that carries the current run into another thread.

        Wrap the target of a thread that your agent starts, so that its tool calls belong to the run.

        Raises:
            InvalidTypeError: The argument is not callable.
        """
        return bind_to_run(fn)

    def disabled(self) -> AbstractContextManager[None]:
        """Turn the engine off within a block, in the current task or thread.

        Calls go to the agent, and nothing is recorded.
        """
        return disabled_block(self._runtime)

    # -- maintaining the recordings

    def forget(self, trajectory_id: str) -> bool:
        """Delete a trajectory and everything that belongs to it.

        Returns:
            Whether it existed.

        Raises:
            StoreError: The store failed.
        """
        return self._runtime.maintenance.forget(trajectory_id)

    def report_bad(self, trajectory_id: str, why: str = "") -> None:
        """Quarantine a trajectory until `report_good`.

        Args:
            trajectory_id: The id, as in `outcome.trajectory_id`.
            why: The reason, which is stored and shown.

        Raises:
            NotFoundError: The store has no such trajectory.
            StoreError: The store failed.
        """
        self._runtime.maintenance.report_bad(trajectory_id, why)

    def report_good(self, trajectory_id: str, why: str = "") -> None:
        """Trust a trajectory, and lift its quarantine.

        Args:
            trajectory_id: The id, as in `outcome.trajectory_id`.
            why: The reason, which is stored and shown.

        Raises:
            NotFoundError: The store has no such trajectory.
            StoreError: The store failed.
        """
        self._runtime.maintenance.report_good(trajectory_id, why)

    def cache_info(self) -> CacheInfo:
        """Return counts since the engine was created or cleared, and its current state."""
        return self._runtime.maintenance.cache_info()

    def cache_clear(self, scope: str | None = None) -> None:
        """Delete every trajectory of a scope, and reset the counts.

        Args:
            scope: The scope. Defaults to the engine's, unless that is a function.

        Raises:
            InvalidTypeError: The scope is not a string.
            InvalidValueError: No scope was given, and the engine's is a function.
            StoreError: The store failed.
        """
        self._runtime.maintenance.cache_clear(scope)

    def prune(self, max_items: int | None = None, max_bytes: int | None = None, ttl: float | None = None) -> Pruned:
        """Delete expired trajectories, and as many others as exceed the limits.

        It applies to the whole store, whatever the scope. Trajectories that can never be replayed are deleted first,
        then those that were recorded or hit the longest ago. Trajectories that an agent is working on stay, and so do
        damaged rows, which `muscle-mem doctor` reports. An engine with limits prunes automatically, now and then
        after a recording.

        Args:
            max_items: The maximum number of trajectories. Defaults to the engine's.
            max_bytes: The maximum number of bytes. Defaults to the engine's.
            ttl: The age in seconds beyond which a trajectory is deleted. Defaults to the engine's.

        Returns:
            What was deleted and what was kept.

        Raises:
            InvalidTypeError: A limit is not a number.
            InvalidValueError: A limit is negative, or there is no limit.
            StoreError: The store failed.
        """
        return self._runtime.maintenance.prune(max_items, max_bytes, ttl)

    def close(self) -> None:
        """Write the counts and release the store. Closing twice is allowed."""
        self._runtime.close()

    def __copy__(self) -> Self:
        return self

    def __deepcopy__(self, memo: Any) -> Self:
        return self

    def __reduce_ex__(self, protocol: Any) -> NoReturn:
        raise InvalidTypeError(
            "cannot pickle an Engine: it holds open runs, locks and functions. Create an engine with the same store "
            "in each process."
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()
