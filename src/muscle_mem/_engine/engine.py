"""Engine: what a user holds. It keeps tools, agent, library and policy, and lets a flow decide."""

from __future__ import annotations

import functools
import inspect
import itertools
import os
import time
import weakref
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, ParamSpec, Self, TypeVar, cast

from .._core.flow import demonstrate, run_task
from .._core.model.outcome import Outcome
from .._core.model.reason import MODES, ON_STORE_ERROR, POLICIES, Mode, OnDivergence, OnStoreError
from .._core.plan.trust import TRUSTS, Trust
from .._core.record.verdict import hide_of
from .._core.run.run import Policy
from .._events import Observer
from .._library.library import LIBRARY_BYTES, Library, write_last_counts
from .._library.limits import limits_of, seconds, whole
from .._runtime.agent import Agent
from .._runtime.context import Frame, enter_frame, frame_now, leave_frame, objects_here, objects_now, off_here, off_now
from .._runtime.drivers import OF_THE_STORE, adrive, aside, drive
from .._runtime.election import Leaders
from .._runtime.open_runs import OpenRuns
from .._runtime.performer import Performer, perform_call
from .._runtime.reporter import Teller
from .._runtime.runs import why_raised
from .._runtime.store_health import Health
from .._runtime.toolbox import PROCESS, Toolbox
from .._runtime.validation import distinct, ensure_callable, one_of
from .._session.session import Sessions
from ..errors import InvalidTypeError, InvalidValueError, NotReadyError
from ..store import Store, open_store
from .decorators import ToolDecorators
from .explaining import Explaining
from .maintenance import Tending

P = ParamSpec("P")
R = TypeVar("R")
F = TypeVar("F", bound=Callable[..., Any])


class Engine(ToolDecorators, Explaining, Tending, Sessions):
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
        if not isinstance(scope, str):
            raise InvalidTypeError(f"scope must be a string, got {scope!r}; as in Engine(scope='tenant-42')")
        for role, function in (("key", key), ("success", success), ("approve", approve), ("result", result)):
            ensure_callable(f"Engine({role}=...)", function)
        if isinstance(max_lookups, bool) or not isinstance(max_lookups, int) or max_lookups < 1:
            raise InvalidValueError(f"max_lookups must be 1 or more, got {max_lookups!r}")
        wait, limits = seconds("miss_wait", miss_wait), limits_of(max_items, max_bytes, ttl)
        most = whole("library_bytes", library_bytes, "bytes")
        self._raises = one_of("on_store_error", on_store_error, ON_STORE_ERROR) == "raise"
        self._mode = cast(Mode, one_of("mode", mode, MODES))
        self._on_divergence = cast(OnDivergence, one_of("on_divergence", on_divergence, POLICIES))
        self._scope = scope
        self._key = key
        self._teller = Teller(observers)
        self._policy = Policy(
            time.perf_counter,
            self._teller.notice,
            PROCESS,
            scope,
            strict=strict,
            max_lookups=max_lookups,
            success=success,
            approve=approve,
            result=result,
            trust=TRUSTS.index(one_of("trust", trust, TRUSTS)),
        )
        self._tools = Toolbox()
        opened = open_store(store, signing_key=signing_key)
        self._away = OF_THE_STORE if getattr(opened, "waits_on_network", False) else ()
        self._health = Health(self._teller)
        self._library = Library(opened, self._tools, self._health, most=most, limits=limits)
        self._leaders = Leaders(self._library, self._health, wait)
        self._agent: Agent | None = None
        self._context: tuple[Any, ...] = ()
        self._open = OpenRuns(self, adopt_threads)
        self._serial = itertools.count(1)
        self._perform = perform_call
        self._closer = weakref.finalize(self, write_last_counts, opened, self._library.counts)

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
        self._context = distinct(objects)
        return self

    @contextmanager
    def context(self, *objects: Any) -> Iterator[None]:
        """Within the block, in this task or thread, these objects are what method tools act on."""
        token = objects_here.set((*objects_now(), (self, distinct(objects))))
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
        if self._agent is not None and self._agent.is_async:
            raise InvalidTypeError("the agent is async; call the engine with `await engine.acall(...)`")
        wanted = self._wanted_mode(mode)
        if wanted == "off":
            return self._off(args, kwargs)
        run, refusal = self._open_run(
            args,
            kwargs,
            tags,
            params,
            key,
            wanted,
            success,
            context,
            on_divergence,
            True,
            secrets,
            approve,
        )
        frame = self._open.enter(run)
        token = enter_frame(frame)
        began = time.perf_counter()
        if self._teller.watched:
            self._teller.began(run)
        try:
            found, lookup = self._find(run, refusal)
            flow = run_task(run, found, self._tools, lookup)
            finished = drive(flow, Performer(self, run, frame, False))
        except BaseException as error:  # an interrupt within a replayed tool: whoever was told of its beginning
            self._teller.raised(run, error, time.perf_counter() - began)
            raise
        finally:
            leave_frame(token)
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
        approve: Callable[..., Any] | None = None,
        context: Any = None,
        on_divergence: OnDivergence | None = None,
        secrets: Mapping[str, Any] | None = None,
        **kwargs: Any,
    ) -> Outcome:
        """The same for async agents, tools and checks; plain ones work too, called inline.

        A store that waits on a network is asked in a thread, so that the loop goes on; observers may be called there.
        """
        wanted = self._wanted_mode(mode)
        if wanted == "off":
            outcome = self._off(args, kwargs)
            if inspect.isawaitable(outcome.value):
                frame = Frame(self, None)
                token = enter_frame(frame)
                try:
                    outcome.value = await outcome.value
                finally:
                    leave_frame(token)
            return outcome
        run, refusal = self._open_run(
            args,
            kwargs,
            tags,
            params,
            key,
            wanted,
            success,
            context,
            on_divergence,
            False,
            secrets,
            approve,
        )
        frame = self._open.enter(run)
        token = enter_frame(frame)
        began = time.perf_counter()
        if self._teller.watched:
            self._teller.began(run)
        try:
            away = self._away
            found, lookup = await aside(self._find, run, refusal) if away else self._find(run, refusal)
            flow = run_task(run, found, self._tools, lookup)
            finished = await adrive(flow, Performer(self, run, frame, True), away)
            if away:
                await aside(self._settle, run, frame, finished)
        except BaseException as error:  # an interrupt within a replayed tool: whoever was told of its beginning
            self._teller.raised(run, error, time.perf_counter() - began)
            raise
        finally:
            leave_frame(token)
            self._open.leave(frame)
        return self._conclude(run, finished, time.perf_counter() - began, settled=bool(away))

    # -- around a run

    def bind(self, fn: Callable[P, R]) -> Callable[P, R]:
        """A function that carries the run which is open here into a thread of the agent's own."""
        if not callable(fn):
            raise InvalidTypeError(f"engine.bind takes the function that the thread calls, got {fn!r}")
        frame = frame_now()
        objects = objects_now()

        @functools.wraps(fn)
        def bound(*args: P.args, **kwargs: P.kwargs) -> R:
            tokens = enter_frame(frame), objects_here.set(objects)
            try:
                return fn(*args, **kwargs)
            finally:
                leave_frame(tokens[0])
                objects_here.reset(tokens[1])

        return bound

    @contextmanager
    def disabled(self) -> Iterator[None]:
        """Within the block, in this task or thread, the engine is off: calls go to the agent, nothing is recorded."""
        token = off_here.set((*off_now(), self))
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
        secrets: Mapping[str, Any] | None = None,
        **kwargs: Any,
    ) -> Iterator[Demonstration]:
        """Record the tool calls of the block as a demonstration of a task, without an agent.

        Learned when the block ends without an exception; the yielded object's `outcome` tells whether.
        """
        shown = Demonstration()
        wanted = self._wanted_mode(None)
        run, _ = self._open_run(
            args, kwargs, tags, params, key, "record", success, context, None, plain=True, secrets=secrets
        )
        frame = self._open.enter(run)
        token = enter_frame(frame)
        began = time.perf_counter()
        if wanted != "off":
            self._open.record(frame)
        try:
            yield shown
            seconds = time.perf_counter() - began
            if wanted != "off":
                shown.outcome = drive(demonstrate(run, seconds), Performer(self, run, frame, False))
        except BaseException as error:
            self._teller.not_learned(run, *why_raised(error))
            raise
        finally:
            leave_frame(token)
            self._open.leave(frame)
        if shown.outcome is not None:
            shown.outcome._judge = self
            shown.outcome._hide = hide_of(run)
            if shown.outcome.not_learned is not None:
                self._teller.not_learned(run, shown.outcome.not_learned, shown.outcome.not_learned_message)
            else:
                self._teller.count("learned")
            self._raise_trouble(run, shown.outcome)

    def close(self) -> None:
        """Write what was counted and release the store. Closing twice is fine."""
        if self._closer.detach():
            self._library.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()


class Demonstration:
    """What `engine.record` yields: `outcome` is set when the block has ended."""

    __slots__ = ("outcome",)

    def __init__(self) -> None:
        self.outcome: Outcome | None = None
