"""The runs of an engine: opened from what a call gives, concluded with what their flow returned."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any, cast

from .._core.binding.freeze import Known, known_of
from .._core.binding.params import Params
from .._core.binding.task_key import NoKeyError, bind_task, normal_tags, task_key
from .._core.flow import Finished, switched_off
from .._core.model.outcome import Outcome
from .._core.model.reason import MODES, POLICIES, Mode, OnDivergence, Reason
from .._core.model.text import retold, short
from .._core.plan.candidate_set import NOBODY, Company
from .._core.plan.step import Refusal
from .._core.redaction.redactor import SCALARS, Veil, veil_of
from .._core.run.run import Policy, Run
from .._library.cache import Entry, is_irreversible
from .._library.library import Library
from ..errors import InvalidTypeError, MuscleMemError, NotReadyError, StoreError
from .agent import Agent
from .context import Frame, enter_frame, leave_frame, let_go, objects_now, off_now
from .election import Leaders
from .open_runs import OpenRuns
from .reporter import Teller
from .store_health import Health
from .toolbox import Toolbox
from .validation import distinct, ensure_callable, label, mode_said, one_of

NO_PARAMS = Params(None)


class Runs:
    """The part of an engine between a call and its flow."""

    _agent: Agent | None
    _away: tuple[type, ...]
    _context: tuple[Any, ...]
    _health: Health
    _key: Callable[..., str] | None
    _library: Library
    _leaders: Leaders
    _mode: Mode
    _on_divergence: OnDivergence
    _open: OpenRuns
    _policy: Policy
    _raises: bool
    _scope: str
    _serial: itertools.count[int]
    _teller: Teller
    _tools: Toolbox

    def _wanted_mode(self, mode: str | None) -> Mode:
        """The call's mode, else the environment's, else the engine's; but an environment that says off beats all."""
        said = mode_said()
        if said == "off" or ((off := off_now()) and self in off):
            return "off"
        if mode is not None:
            return cast(Mode, one_of("mode", mode, MODES))
        if said:
            return cast(Mode, one_of("MUSCLE_MEM_MODE", said, MODES))
        return self._mode

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
        plain: bool,
        secrets: Any = None,
        approve: Any = None,
    ) -> tuple[Run, Refusal | None]:
        """A run of its own for one call, and why it has no key, if so. Raises for misuse."""
        engine_policy, agent, policy = self._policy, self._agent, self._on_divergence
        if success is None:
            success = engine_policy.success
        else:
            ensure_callable("success", success)
        if approve is None:
            approve = engine_policy.approve
        else:
            ensure_callable("approve", approve)
        if on_divergence is not None:
            policy = cast(OnDivergence, one_of("on_divergence", on_divergence, POLICIES))
        objects = self._context if context is None and not objects_now() else self._objects(context)
        plainly = agent is not None and key is None and secrets is None and self._key is None and not tags
        known = agent.recall(args, kwargs, params) if plainly else None  # type: ignore[union-attr]  # plainly says it
        refusal: Refusal | None = None
        veil: Veil | None = None
        shown: tuple[str, ...] = ()
        task_id: bytes | None
        if known is not None:
            task_id, text, prepared = known
        else:
            text, prepared = label(args, kwargs, key), NO_PARAMS if params is None else Params(params)
            normal = normal_tags(tags) if tags else ()
            veil = self._veil(args, kwargs, prepared, secrets)
            shown = tuple(map(veil.hide, normal)) if veil else normal
            task_id, refusal = self._key_or_why(args, kwargs, prepared, normal, key, known_of(prepared, objects, veil))
            if plainly and task_id is not None:
                agent.remember(args, kwargs, params, (task_id, text, prepared))  # type: ignore[union-attr]  # likewise
        run = Run(  # by position: names would be looked up one by one at every call
            engine_policy,
            next(self._serial),
            text,
            args,
            kwargs,
            task_id,
            prepared,
            objects,
            shown,
            mode,
            policy,
            plain,
            agent is not None and agent.names_handover,
            agent,
            success,
            approve,
            veil,
        )
        if self._leaders.wait and mode == "auto" and task_id is not None:
            run.leads = True
        return run, refusal

    def _key_or_why(
        self,
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
        params: Params,
        tags: tuple[str, ...],
        key: Any,
        known: Known,
    ) -> tuple[bytes | None, Refusal | None]:
        """The key of a task, or why it has none. Raises InvalidTypeError where the engine is strict."""
        try:
            return self._key_of(args, kwargs, params, tags, key, known), None
        except NoKeyError as error:
            message = (
                f"the task's {error.argument} has no canonical form ({error}); give it as a param or a context object, "
                "or say key='...'; the agent runs, and nothing is looked up or stored"
            )
            message = known.veil.hide(message)
            if self._policy.strict:
                raise InvalidTypeError(message) from (None if known.veil else error)
            self._teller.notice("warning", Reason.NO_KEY.value, message, error.argument)
            return None, Refusal(Reason.NO_KEY, message)

    def _veil(self, args: tuple[Any, ...], kwargs: dict[str, Any], params: Params, secrets: Any) -> Veil | None:
        """The secrets that a call gives; None where it gives nothing that may be one. Raises for misuse."""
        places = self._agent.places if self._agent is not None else ()
        loose: list[tuple[str, Any]] = []
        for index, value in enumerate(args):
            if type(value) not in SCALARS:
                loose.append((places[index] if index < len(places) else f"argument {index + 1}", value))
        loose += [(name, value) for name, value in kwargs.items() if type(value) not in SCALARS]
        if secrets is None and not loose and not params.opaque:
            return None
        return veil_of(loose, params, secrets)

    def _key_of(
        self,
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
        params: Params,
        tags: tuple[str, ...],
        key: Any,
        known: Known,
    ) -> bytes:
        if key is not None and not isinstance(key, str):
            raise InvalidTypeError(f"key must be a string, got {key!r}; a function belongs to Engine(key=...)")
        custom = key
        if custom is None and self._key is not None:
            try:
                custom = self._key(*args, **kwargs)
            except Exception as error:
                raise NoKeyError("key", f"Engine(key=...) raised {retold(error)}") from error
            if not isinstance(custom, str):
                raise NoKeyError("key", f"Engine(key=...) returned {short(custom)}, which is no string")
        if custom is not None:
            return task_key(((), {}), params, scope=self._scope, tags=tags, custom=custom, known=known)
        agent = self._agent
        if agent is None:
            return task_key((args, kwargs), params, scope=self._scope, tags=tags, known=known)
        bound = bind_task(agent.signature, args, kwargs)
        return task_key(bound, params, scope=self._scope, tags=tags, known=known, name_of=agent.name_of)

    def _objects(self, context: Any) -> tuple[Any, ...]:
        if context is not None:
            return distinct(context if isinstance(context, tuple) else (context,))
        for engine, objects in reversed(objects_now()):
            if engine is self:
                return tuple(objects)
        return self._context

    def _find(self, run: Run, refusal: Refusal | None) -> tuple[Company, Refusal | None]:
        """The recordings of this task, or why none can be had. A store that fails is no obstacle (G4)."""
        if refusal is not None or run.key is None or run.mode == "record":
            return NOBODY, refusal
        library = self._library
        entry: Entry | None = None
        try:
            entry = library.find(run.key)
            if entry.plain:
                return entry.company, None
            if entry.irreversible and library.confirming:
                entry = library.confirm(run.key)
        except Exception as error:  # a store of the user's own may raise anything (G4)
            self._health.trouble("find" if entry is None else "confirm", error)
            if self._raises:
                raise _as_store_error(error, "the task was not begun") from error
            safe = () if entry is None else [one for one in entry.trajectories if not is_irreversible(one)]
            return Company(safe), Refusal(Reason.STORE_UNAVAILABLE, f"the store cannot be read: {error}")
        if library.growth.limits.ttl is not None:
            library.age(entry, mark=run.mode != "frozen")
        if entry.damaged and not entry.trajectories:
            return NOBODY, Refusal(Reason.DAMAGED, f"{entry.damaged} recordings of this task are damaged and not used")
        return entry.company, None

    def _off(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Outcome:
        """As if there were no engine: the agent runs, and nothing is looked up, recorded or counted."""
        agent = self._require_agent().fn
        token = enter_frame(self._open.enter(None))
        try:
            value = agent(*args, **kwargs)
        finally:
            leave_frame(token)
        return switched_off(value)

    def _settle(self, run: Run, frame: Frame, finished: Finished) -> None:
        """The part of concluding a run that may wait for the store, to be done aside before the rest."""
        if run.mode != "frozen":
            self._count(run, finished)
        let_go(frame)

    def _conclude(self, run: Run, finished: Finished, seconds: float, *, settled: bool = False) -> Outcome:
        """Count and tell how a run ended; raise what is to be raised."""
        outcome = finished.outcome
        counted = run.mode != "frozen"
        if counted and not settled:
            self._count(run, finished)
        if outcome is None:
            error = finished.error
            assert error is not None
            if counted and not isinstance(error, MuscleMemError):
                self._teller.not_learned(run, *why_raised(error))
            self._teller.raised(run, error, seconds)
            raise error
        outcome._judge = self  # type: ignore[assignment]  # the whole engine, of which this is a part
        outcome.seconds = seconds
        if (run.early_veil is not None or run.made) and run.secretive:  # asked first: a hit mostly has neither
            outcome._hide = run.veil.hide
        self._teller.ended(run, outcome, counted)
        if run.trouble is not None:
            self._raise_trouble(run, outcome)
        return outcome

    def _raise_trouble(self, run: Run, outcome: Outcome | None) -> None:
        """With on_store_error="raise": what the store raised when it was to take the recording."""
        if run.trouble is not None and self._raises:
            error = _as_store_error(run.trouble, "the task was done, see `outcome`, and not recorded")
            error.outcome = outcome
            raise error from run.trouble

    def _count(self, run: Run, finished: Finished) -> None:
        """What the run says of the trajectory it replayed, and of the tools it used."""
        outcome, followed, toolbox = finished.outcome, finished.followed, self._tools
        for candidate, check in run.said_no:
            self._library.counts.said_no(candidate.trajectory.id, check)
        if followed is not None and outcome is not None and outcome.status == "hit":
            self._library.hit(followed)
            if toolbox.failing:
                toolbox.breakers.replayed(followed.trajectory.steps)
            if run.success is not None:
                self._library.verified(followed)
            if finished.refreshed:
                self._refresh(run, finished)
            return
        if outcome is not None and outcome.learned:
            toolbox.breakers.used(step.tool for step in run.recorder.steps)
        if outcome is not None and outcome.shadow is not None:
            self._library.shadowed(outcome.shadow.trajectory_id, agreed=outcome.shadow.agreed)
        if followed is not None and finished.failure is not None:
            self._library.failed(followed, finished.failure)
            for step in followed.trajectory.steps[finished.failed_step : finished.failed_step + 1]:
                toolbox.breakers.failed(step.tool)

    def _refresh(self, run: Run, finished: Finished) -> None:
        assert finished.followed is not None
        try:
            self._library.refresh(run, finished.followed)
        except Exception as error:  # a store of the user's own may raise anything (G4)
            self._health.trouble("refresh", error)

    def _require_agent(self) -> Agent:
        if self._agent is None:
            raise NotReadyError("the engine has no agent; call engine.set_agent(agent) first")
        return self._agent


def _as_store_error(error: Exception, what: str) -> StoreError:
    return StoreError(f"the store failed and on_store_error='raise', so {what}: {str(error) or retold(error)}")


def why_raised(error: BaseException) -> tuple[Reason, str]:
    """Why a run that ended with an exception is not learned."""
    if isinstance(error, Exception):
        return Reason.AGENT_RAISED, f"the agent raised {retold(error)}"
    return Reason.CANCELLED, f"the run was ended by {type(error).__name__}"
