"""The engine: the public interface, which delegates to a runtime.

Its methods stand in this file and, by topic, in the files `*_methods.py`: functions that the class takes over as they
are, so that it needs no base classes.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping
from contextlib import AbstractContextManager
from typing import Any, NoReturn, ParamSpec, Self, TypeVar

from .._core.model.outcome import Outcome
from .._core.model.reason import Generalize, Mode, OnDivergence, OnStoreError
from .._core.plan.trust import Trust
from .._events import Observer
from .._library.history import Keeping, Pictures
from .._library.library import LIBRARY_BYTES
from .._runtime.agent import Agent
from .._runtime.calls import acall, call
from .._runtime.context import bind_to_run, disabled_block, objects_block
from .._runtime.options import Answer, CallOptions, EngineOptions
from .._runtime.runtime import Runtime
from .._runtime.validation import distinct_objects
from ..errors import InvalidTypeError
from ..store import Store, open_store
from ..store.history import HISTORY_TTL
from . import explain_methods, maintenance_methods, run_methods, tool_methods

P = ParamSpec("P")
R = TypeVar("R")


class Engine:
    """A behavior cache around an agent.

    The engine records the tool calls of your agent while it does a task, and replays them when the same task comes
    again. Before each replayed step it runs the step's check. One engine serves many threads and asyncio tasks
    concurrently.

    Args:
        store: Where recordings are kept. None keeps them in the process. A path or "sqlite:///..." uses a SQLite file,
            "postgresql://..." a database, "folder:///..." a folder of JSON files. A `Store` is used as it is.
        scope: A part of every task key, such as a tenant. Recordings of different scopes never match. A function
            returns the scope of each call. It can name the parameters `context` (a tuple of the call's context
            objects), `args` and `kwargs`.
        key: A function of the call's arguments that returns the task key as a string, in place of the arguments.
        mode: "auto" (replay or agent), "record" (always the agent), "replay" (never the agent), "frozen" (learns and
            counts nothing), "shadow" (runs the agent and compares it with a replay) or "off". The environment variable
            MUSCLE_MEM_MODE overrides it.
        on_divergence: What happens when a replay stops in the middle: "auto", "continue", "absorb" or "raise".
        strict: Whether to raise if a task has no key, and to refuse to replay unchecked tools that are not declared
            effect="read".
        success: A function that returns whether a run succeeded. It can name the parameters `task`, `params`, `steps`
            and `value`.
        approve: A function that is called before an irreversible step is replayed. It can name the parameters `task`,
            `params`, `step`, `element` and `count`. The last two are None outside of a loop over a list. A true value
            approves the step. "whole loop" approves the calls of the tool for all elements.
        trust: The evidence that a replay requires: "first" (a finished run that was not rejected), "verified" (a
            positive verdict) or "manual" (a review).
        result: A function that gets the list of this run's results and returns the value of a hit.
        observers: A function, or several, that get every event. By default, events go to the logger "muscle_mem".
        max_lookups: The maximum number of calls that are captured, and of recordings that are compared, at one step.
        adopt_threads: Whether a tool call from a thread that does not belong to a run joins the open run, if exactly
            one run is open.
        signing_key: A secret of at least 16 bytes. Recordings that were not written with it are rejected. Only for
            stores in files and databases.
        miss_wait: How many seconds a run waits when another run, in any thread, task or process, is learning the same
            task. 0 does not wait. None means 30 for a store that machines share (PostgreSQL), and 0 for others.
        library_bytes: The approximate number of bytes of recordings that are kept in memory. The least recently used
            tasks are dropped first.
        max_items: The maximum number of trajectories in the store. None means unlimited. See `prune`.
        max_bytes: The maximum number of bytes in the store. None means unlimited. See `prune`.
        ttl: How long a trajectory is replayed after it was last recorded, in seconds. None means unlimited.
        on_store_error: "bypass" runs the agent if the store fails. "raise" raises StoreError: before the agent runs if
            the store cannot be read, and afterwards if the recording was not stored (`error.outcome`).
        generalize: For which values of params a recording is replayed. "computed" requires a second recording if a
            literal may have been computed from a changed param. "confirmed" requires it if a param has a value that
            was not recorded. "at_once" does not require it.
        clock: A function that returns the time in seconds since the epoch. Everything that depends on the time of day
            or the date uses it. None uses the system's clock.
        name: The name of the engine. If the agent of another run calls a named engine, the call is a step of that run.
            If the engine has no name, the outer run is not learned. A replay calls the latest engine of the name.
        learn_flows: Whether the engine learns the sources of arguments that differ from run to run, such as an id that
            an earlier step returned.
        probation: How many further values must agree with such a source before a step with an effect is replayed.
        answer: The value of a hit if no step returned it. "recorded" returns the recorded value if all results of tools
            are as recorded. Use it if what your agent returns depends only on the task, its params and the tools'
            results. A function gets the list of this run's results. In sessions, tasks and adapters, "auto" also
            asks the model if the recorded answer is not valid, and "model" always asks it.
        history: What the store keeps about runs, for people: "full" (counts per task and day, and the last runs that
            were not plain hits, with what was seen and expected), "counts" or "off". Replays never read the history.
        history_ttl: How long the history is kept, in seconds.
        pictures: Which pictures are stored, for people: "checks" (pictures that image checks compare), "steps" (also
            pictures that `picture=` of a tool returns) or "off".
        learn_params: Whether params are learned from the texts of tasks that are worded alike, so that tasks need no
            `params=`.
        accept_cache_store: Whether irreversible steps are replayed without `approve` from a store that outlives the
            process and may lose acknowledged writes; see `Promises`.

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
        miss_wait: float | None = None,
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
        answer: Answer | None = None,
        history: Keeping = "full",
        history_ttl: float = HISTORY_TTL,
        pictures: Pictures = "checks",
        learn_params: bool = False,
        accept_cache_store: bool = False,
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
            answer=answer,
            history=history,
            history_ttl=history_ttl,
            pictures=pictures,
            learn_params=learn_params,
            accept_cache_store=accept_cache_store,
        )
        self._runtime = Runtime(open_store(store, signing_key=signing_key), options, observers)

    def __repr__(self) -> str:
        runtime = self._runtime
        fn = None if runtime.agent is None else runtime.agent.fn
        agent = "None" if fn is None else str(getattr(fn, "__qualname__", type(fn).__name__)).rpartition("<locals>.")[2]
        scope = runtime.keys.fixed_scope
        parts = [
            f"store={runtime.library.store.url!r}",
            f"mode={runtime.mode!r}",
            f"scope={'a function' if scope is None else repr(scope)}",
            f"tools={len(runtime.tools)}",
            f"agent={agent}",
        ]
        return f"<Engine {runtime.name + ' ' if runtime.name else ''}{', '.join(parts)}>"

    # -- building

    tool = tool_methods.tool
    function = tool_methods.function
    method = tool_methods.method
    external_tool = tool_methods.external_tool

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
        self._runtime.set_context(objects)
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
        answer: Answer | None = None,
        learn_params: bool | None = None,
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
            answer: Overrides the engine's setting: "recorded", or a function.
            learn_params: Overrides the engine's setting.
            **kwargs: Keyword arguments of the agent.

        Returns:
            The outcome. It is truthy exactly on a hit.

        Raises:
            Exception: Any exception of the agent, unchanged.
            Missed: mode="replay", and nothing could be replayed.
            Diverged: A replay stopped, and mode="replay" or on_divergence="raise" forbids the agent to continue.
            NotReadyError: There is no agent.
            InvalidTypeError: The agent is async, or an option has the wrong type.
            InvalidValueError: An option has a value that is not allowed.
        """
        options = CallOptions(
            tags, params, key, mode, success, approve, context, on_divergence, secrets, answer, learn_params
        )
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
        answer: Answer | None = None,
        learn_params: bool | None = None,
        **kwargs: Any,
    ) -> Outcome:
        """Do a task with async agents, tools and checks.

        It returns and raises the same as `__call__`. Sync agents, tools and checks work too and are called inline. A
        store that waits on a network is called in a thread, so observers may be called there.

        Args:
            args, kwargs: The positional and keyword arguments of the agent.
            tags, params, key, mode, success, approve, context, on_divergence, secrets, answer: As for `__call__`.
            learn_params: As for `__call__`.
        """
        options = CallOptions(
            tags, params, key, mode, success, approve, context, on_divergence, secrets, answer, learn_params
        )
        return await acall(self._runtime, args, kwargs, options)

    session = run_methods.session
    asession = run_methods.asession
    record = run_methods.record
    task = run_methods.task

    # -- asking before a call

    explain = explain_methods.explain
    dry_run = explain_methods.dry_run
    aexplain = explain_methods.aexplain

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

    forget = maintenance_methods.forget
    report_bad = maintenance_methods.report_bad
    report_good = maintenance_methods.report_good
    cache_info = maintenance_methods.cache_info
    cache_clear = maintenance_methods.cache_clear
    prune = maintenance_methods.prune

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
