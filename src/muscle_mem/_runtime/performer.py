"""Performing the effects of one run: calls, the agent, sleeping and saving."""

from __future__ import annotations

import time
from types import CoroutineType
from typing import Any

import msgspec

from .._core.codec.copies import copy_for_onlooker
from .._core.model.handover import Handover
from .._core.model.kinds import is_awaitable
from .._core.model.reason import Reason
from .._core.plan.candidate_set import CandidateSet
from .._core.run import effects
from .._core.run.recorder import Problem, Recording
from .._core.run.run import Run
from .._events import LearnedEvent, PruneEvent, StepBeganEvent, StepEndedEvent
from ..store.base import QUARANTINED
from .context import Frame, release_lease
from .election import WaitSteps, acquire_or_wait, is_loop_running

STEP_EFFECTS = (effects.Capture, effects.Compare, effects.Invoke)


def perform_call(effect: effects.Effect) -> Any:
    """Call the function of a check or a tool; the answer may be awaitable."""
    if isinstance(effect, effects.Capture):
        return effect.check.capture(*effect.args, **effect.kwargs)
    if isinstance(effect, effects.Compare):
        return effect.check.compare(effect.current, effect.candidate)
    if isinstance(effect, effects.Invoke):
        answer = effect.tool.fn(*effect.args, **effect.kwargs)
        if effect.tool.may_be_async and type(answer) is CoroutineType:
            effect.tool.was_awaited = True
        return answer
    raise AssertionError(effect)


class Performer(msgspec.Struct, eq=False):
    """The performer of one run's effects; with `is_async`, answers may be awaited."""

    runtime: Any
    run: Run
    frame: Frame
    is_async: bool
    lease_attempt: WaitSteps | None = None

    def __call__(self, effect: effects.Effect) -> Any:
        if isinstance(effect, STEP_EFFECTS):  # First, because each step has three of them.
            if self.run.is_watched and isinstance(effect, effects.Invoke):
                return self._watched_call(effect)
            return perform_call(effect)
        if isinstance(effect, effects.RunAgent):
            return self._run_agent(effect.handover)
        if isinstance(effect, effects.Save):
            return self._save(effect.recording)
        if isinstance(effect, effects.LeadKey):
            return self._lead_key(effect)
        if isinstance(effect, effects.RunCallback):
            return effect.function(*effect.args)
        if isinstance(effect, effects.Sleep):
            return self._sleep(effect.seconds)
        raise AssertionError(effect)

    def _watched_call(self, effect: effects.Invoke) -> Any:
        """Make a replayed call, and emit events immediately before and after it."""
        run, watch = self.run, self.runtime.reporter.emit_step
        step, tool, hide = len(run.progress.results), effect.tool, run.redactor.redact
        tool_args = effect.args[1:] if tool.method else effect.args
        shown = copy_for_onlooker(dict(tool.name_arguments(tool_args, effect.kwargs)), run.context)
        watch(StepBeganEvent(run.id, step, tool.name, shown, hide))
        began = time.perf_counter()

        def ended(result: Any, error: BaseException | None) -> None:
            seconds = time.perf_counter() - began
            watch(StepEndedEvent(run.id, step, tool.name, seconds, copy_for_onlooker(result, run.context), error, hide))

        async def awaited(answer: Any) -> Any:
            try:
                result = await answer
            except BaseException as error:
                ended(None, error)
                raise
            ended(result, None)
            return result

        try:
            answer = perform_call(effect)
        except BaseException as error:
            ended(None, error)
            raise
        if self.is_async and is_awaitable(answer):
            return awaited(answer)
        ended(answer, None)
        return answer

    def _run_agent(self, handover: Handover | None) -> Any:
        """Start to record, and call the agent.

        The caller of the flow closes the frame when the run ends.
        """
        runtime = self.runtime
        run = self.run
        agent = (run.agent or runtime.require_agent()).fn  # `set_agent` may have been called since the run began.
        kwargs = run.kwargs if handover is None else {**run.kwargs, "handover": handover}
        runtime.open_runs.start_recording(self.frame)
        return agent(*run.args, **kwargs)

    def _lead_key(self, effect: effects.LeadKey) -> float | CandidateSet:
        if self.lease_attempt is None:
            may_wait = not self.frame.is_nested and (self.is_async or not is_loop_running())
            self.lease_attempt = acquire_or_wait(
                self.runtime, self.run, self.frame, effect.seen, may_wait=may_wait, waits=effect.waits
            )
        try:
            return next(self.lease_attempt)
        except StopIteration as stop:
            found: CandidateSet = stop.value
            return found

    def _sleep(self, seconds: float) -> Any:
        if self.is_async:
            import asyncio  # A running loop has loaded it already; sync programs do not need it.

            return asyncio.sleep(seconds)
        time.sleep(seconds)
        return None

    def _save(self, recording: tuple[Recording, list[Problem], bool]) -> Problem | None:
        """Seal a recording. If the store fails, only the recording is lost (G4)."""
        done, quarantine, accepted = recording
        runtime = self.runtime
        try:
            state = runtime.library.seal(self.run, done, quarantine, accepted)
        except Exception as error:  # A user-defined store may raise anything (G4).
            runtime.store_health.failed("seal", error)
            self.run.store_error = error
            return Problem(Reason.STORE_UNAVAILABLE, f"the store failed to store the recording: {error}")
        runtime.open_runs.note_learned(self.frame, done.id)
        release_lease(self.frame)  # Waiting runs can read the recording now.
        pruned = runtime.library.prune_if_due(runtime.open_runs.followed_ids())
        if pruned:
            runtime.reporter.count("pruned", pruned)
            runtime.reporter.emit(PruneEvent(pruned))
        if quarantine and state == QUARANTINED:
            return quarantine[0]
        runtime.reporter.emit(LearnedEvent(self.run.task, done.id, len(done.body.steps), state))
        return None
