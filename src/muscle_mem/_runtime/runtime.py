"""The parts of an engine, and the step from a call to a run."""

from __future__ import annotations

import itertools
import os
import threading
import time
import weakref
from collections.abc import Iterable
from typing import Any, cast

from .._core.binding.params.search import NO_PARAMS, Params
from .._core.flow import off_outcome
from .._core.model.outcome import Outcome
from .._core.model.reason import POLICIES, Mode, OnDivergence, Reason
from .._core.plan.candidate_set import NO_CANDIDATES, CandidateSet
from .._core.plan.step import Refusal
from .._core.plan.trust import TRUSTS
from .._core.run.run import Policy, Run
from .._core.tools.validation import validated_choice
from .._events import Observer
from .._forks import process_name
from .._library.cache import CacheEntry, without_irreversible
from .._library.counters import flush_counters
from .._library.library import Library
from ..errors import NotReadyError
from ..store.base import Store
from ..store.pictures import small_picture
from ..store.promises import promises_of
from .agent import Agent
from .context import enter_frame, get_disabled, get_objects, is_turned_off, reset_frame
from .drivers import STORE_EFFECTS
from .election import KeyLeases
from .late_imports import LateImports as LateImports
from .maintenance import Maintenance
from .named_engines import register_engine
from .open_runs import OpenRuns
from .options import CallOptions, EngineOptions, mode_of, validated_answer, validated_learn_params
from .performer import perform_call
from .reporter import Reporter
from .store_health import StoreHealthMonitor, as_store_error
from .task_keys import KeyMaker, Parts
from .toolbox import Toolbox
from .validation import (
    ENVIRON,
    MODE_KEY,
    MODE_NAME,
    distinct_objects,
    ensure_callable,
    environment_mode,
)

_run_numbers = itertools.count(1)  # For all engines, so that two of them give no run the same id.

CACHE_REFUSED = (
    "irreversible steps are not replayed from the store {url} without approval: it may lose what it acknowledged, such "
    "as a quarantine. Pass approve=, or accept_cache_store=True to the engine."
)


class Runtime:
    """The parts of one engine, on which its public methods operate.

    Args:
        store: The open store of the trajectories.
        options: The validated options of the engine.
        observers: Functions that get every event. None sends events to the log.
    """

    def __init__(
        self, store: Store, options: EngineOptions, observers: Iterable[Observer] | Observer | None = None
    ) -> None:
        self.name = options.name
        self.mode: Mode = options.mode
        self.on_divergence: OnDivergence = options.on_divergence
        self.answer = options.answer
        self.learns_params = options.learn_params
        self.learned_params: Any = None
        self.raises_store_errors = options.on_store_error == "raise"
        self.reporter = Reporter(observers)
        clock = time.time if options.clock is None else options.clock
        self.policy = Policy(
            time.perf_counter,
            self.reporter.notice,
            process_name,
            options.scope if isinstance(options.scope, str) else "",
            strict=options.strict,
            max_lookups=options.max_lookups,
            success=options.success,
            approve=options.approve,
            result=options.result,
            trust=TRUSTS.index(options.trust),
            generalize=options.generalize,
            wall_clock=clock,
            make_lock=threading.RLock,
            emit=self.reporter.notice_each_time,
            shrink_picture=small_picture if options.pictures == "steps" and options.history != "off" else None,
        )
        self.tools = Toolbox()
        self.blocking_effects = STORE_EFFECTS if getattr(store, "waits_on_network", False) else ()
        self.store_health = StoreHealthMonitor(self.reporter)
        self.library = Library(
            store,
            self.tools,
            self.store_health,
            max_bytes=options.library_bytes,
            limits=options.limits,
            clock=clock,
            learns_flows=options.learn_flows,
            probation=options.probation,
            approves=options.approve is not None,
            keeping=options,
        )
        self.accepts_cache_store = options.accept_cache_store
        promises_of(store)
        self.key_leases = KeyLeases(self.library, self.store_health, options.miss_wait)
        self.agent: Agent | None = None
        self.needs_acall = self.takes_handover = False
        self.context: tuple[Any, ...] = ()
        self.adapter_objects: tuple[Any, ...] = ()
        self.open_runs = OpenRuns(self, options.adopt_threads)
        self.kept_for_adapters: dict[str, Any] = {}
        self.keys = KeyMaker(self.policy, options.key, options.scope)
        self.maintenance = Maintenance(
            self.library, self.reporter, self.store_health, self.open_runs, self.keys.fixed_scope
        )
        self.perform = perform_call
        self._closer = weakref.finalize(self, flush_counters, store, self.library.counters)

        register_engine(self.name, self)

    def close(self) -> None:
        """Write the counts and release the store. Closing twice is allowed."""
        if self._closer.detach():
            self.library.close()

    def set_agent(self, agent: Agent) -> None:
        """Set the agent that runs when nothing can be replayed."""
        self.agent = agent
        self.needs_acall = agent.is_async
        self.takes_handover = agent.takes_handover

    def require_agent(self) -> Agent:
        """Return the agent. Raises NotReadyError if there is none."""
        if self.agent is None:
            raise NotReadyError("the engine has no agent. Call engine.set_agent(agent) first.")
        return self.agent

    def ensure_complete(self) -> None:
        """Raise NotReadyError if the agent or the context object of a method is missing."""
        self.require_agent()
        objects = self.context_objects()
        for tool in self.tools:
            if tool.method and not any(tool.is_method_of(value) for value in objects):
                raise NotReadyError(f"method {tool.name!r} has no context object. Call engine.set_context(obj) first.")

    def effective_mode(self, mode: str | None) -> Mode:
        """Return the mode of the call, else of the environment, else of the engine.

        "off" in the environment takes precedence.
        """
        # ENVIRON is None where os.environ lacks this private dictionary.
        if not get_disabled() and os.environ is ENVIRON and MODE_KEY not in ENVIRON._data:  # type: ignore[attr-defined]
            return self.mode if mode is None else mode_of("mode", mode)
        named = environment_mode()
        if named == "off" or is_turned_off(self):
            return "off"
        if mode is not None:
            return mode_of("mode", mode)
        return mode_of(MODE_NAME, named) if named else self.mode

    def context_objects(self, context: Any = None) -> tuple[Any, ...]:
        """Return the objects that method tools act on.

        They are those of the call, else of the block, else of the engine; and those of adapters, unless one of the same
        class is among them.
        """
        if context is not None:
            return self.with_adapters(distinct_objects(context if issubclass(type(context), tuple) else (context,)))
        blocks = [block for block in get_objects() if block.runtime is self and block.is_open]
        return self.with_adapters(blocks[-1].objects) if blocks else self.context

    def with_adapters(self, objects: tuple[Any, ...]) -> tuple[Any, ...]:
        """Return context objects, and those of adapters whose class is not among them."""
        classes = [type(value) for value in objects]
        return (*objects, *[value for value in self.adapter_objects if type(value) not in classes])

    def set_context(self, objects: tuple[Any, ...]) -> None:
        """Set the objects of the engine that method tools act on."""
        self.context = self.with_adapters(distinct_objects(objects))

    def add_adapter_object(self, value: Any) -> None:
        """Add an object of an adapter for method tools; the latest of a class counts."""
        kind = type(value)
        self.adapter_objects = (*(other for other in self.adapter_objects if type(other) is not kind), value)
        self.context = (*(other for other in self.context if type(other) is not kind), value)

    def open_run(
        self,
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
        options: CallOptions,
        mode: Mode,
        is_sync: bool,
        *,
        is_stepped: bool = False,
        parts: Parts | None = None,
    ) -> tuple[Run, Refusal | None]:
        """Return the run of one call, and the reason if it has no key.

        `parts` are what a framework adds to the task.
        Raises InvalidTypeError or InvalidValueError for invalid options.
        """
        shared = self.policy
        agent = self.agent
        success = shared.success
        approve = shared.approve
        policy = self.on_divergence
        if options.success is not None:
            success = ensure_callable("success", options.success)
        if options.approve is not None:
            approve = ensure_callable("approve", options.approve)
        if options.on_divergence is not None:
            policy = cast(OnDivergence, validated_choice("on_divergence", options.on_divergence, POLICIES))
        if options.context is None and not get_objects():
            objects = self.context
        else:
            objects = self.context_objects(options.context)
        refusal = task = None
        if (
            agent is not None
            and options.key is None
            and options.secrets is None
            and not options.tags
            and self.keys.is_plain
            and parts is None
        ):
            memo: Agent | None = agent
            known = agent.recall(args, kwargs, options.params)
        else:
            memo = known = None
        task_id: bytes | None
        if known is None:
            params = options.params
            prepared = NO_PARAMS if params is None else Params(params)
            task = self.keys.prepare(agent, args, kwargs, options, prepared, objects, parts)
            task_id, text = task.key, task.text
            if memo is not None and task_id is not None:
                memo.remember(args, kwargs, params, (task_id, text, prepared))
        else:
            task_id, text, prepared = known
        run = Run(  # Keyword arguments would be looked up one by one at every call.
            shared,
            next(_run_numbers),
            text,
            args,
            kwargs,
            task_id,
            prepared,
            objects,
            mode,
            policy,
            is_sync,
            self.takes_handover,
            agent,
            success,
            approve,
        )
        if task is not None:
            refusal = task.refusal
            run.initial_redactor, run.tags, run.own_scope = task.redactor, task.tags, task.scope
            if options.key is not None or self.keys.custom is not None:
                run.has_custom_key = True
            if parts is not None:
                run.parts = parts
        if options.answer is not None or self.answer is not None:
            run.answer = self.answer if options.answer is None else validated_answer(options.answer, is_stepped)
        if self.learns_params if options.learn_params is None else validated_learn_params(options.learn_params):
            run.learns_params = True
        if self.key_leases.max_wait and mode == "auto" and task_id is not None:
            run.may_wait = True
        return run, refusal

    def validate_options(self, options: CallOptions) -> None:
        """Raise an error for options that `open_run` would refuse.

        It is InvalidTypeError or InvalidValueError.
        """
        ensure_callable("success", options.success)
        ensure_callable("approve", options.approve)
        if options.on_divergence is not None:
            validated_choice("on_divergence", options.on_divergence, POLICIES)
        self.context_objects(options.context)
        validated_answer(options.answer)
        if options.learn_params is not None:
            validated_learn_params(options.learn_params)
        self.effective_mode(options.mode)
        self.keys.validate(options)

    def find_candidates(self, run: Run, refusal: Refusal | None) -> tuple[CandidateSet, Refusal | None]:
        """Return the recordings of a task, and the reason if they cannot be used.

        A store that fails does not prevent the run (G4).
        """
        if refusal is not None or run.key is None or run.mode == "record":
            return NO_CANDIDATES, refusal
        entry: CacheEntry | None = None
        try:
            entry = self.library.find(run.key)
            if entry.is_unconditional:
                return entry.candidate_set, None
            library = self.library
            if entry.has_irreversible and library.confirms_versions:
                entry = library.confirm(run.key)
            asks = entry.has_irreversible and self._asks_for_cache(run)
        except Exception as error:  # A user-defined store may raise anything (G4).
            self.store_health.failed("find" if entry is None else "confirm", error)
            if self.raises_store_errors:
                raise as_store_error(error, "the task was not started") from error
            safe = () if entry is None else without_irreversible(entry)
            return CandidateSet(safe), Refusal(Reason.STORE_UNAVAILABLE, f"the store cannot be read: {error}")
        if library.growth.limits.ttl is not None:
            library.expire_old(entry, mark=run.mode != "frozen")
        if entry.damaged_count and not entry.trajectories:
            return NO_CANDIDATES, Refusal(
                Reason.DAMAGED,
                f"{entry.damaged_count} recordings of this task are damaged and not used. Run `muscle-mem doctor`.",
            )
        if run.learns_params and not entry.trajectories:
            from .learned_params import find_by_template

            return find_by_template(self, run)
        if asks:
            safe = without_irreversible(entry)
            message = CACHE_REFUSED.format(url=library.store.url)
            return CandidateSet(safe), None if safe else Refusal(Reason.NOT_APPROVED, message)
        return entry.candidate_set, None

    def _asks_for_cache(self, run: Run) -> bool:
        """Return whether the store may lose verdicts, and no approval is asked for (S22)."""
        if self.accepts_cache_store or run.approve is not None or run.mode == "shadow":
            return False
        return promises_of(self.library.store).may_revive

    def run_agent_alone(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Outcome:
        """Run the agent without an engine: nothing is looked up, recorded or counted."""
        agent = self.require_agent().fn
        token = enter_frame(self.open_runs.enter(None))
        try:
            value = agent(*args, **kwargs)
        finally:
            reset_frame(token)
        return off_outcome(value)
