"""Performing the effects of one run: calling the user's functions and agent, sleeping, saving."""

from __future__ import annotations

import inspect
import time
from typing import Any

import msgspec

from .._core.model.handover import Handover
from .._core.model.reason import Reason
from .._core.plan.candidate_set import Company
from .._core.run import effects
from .._core.run.recorder import Problem, Recording
from .._core.run.run import Run
from .._events import LearnedEvent, PruneEvent, StepBeganEvent, StepEndedEvent
from ..store.base import QUARANTINED
from .context import Frame, let_go
from .election import Steps, attempt, loop_runs_here

OF_A_STEP = (effects.Capture, effects.Compare, effects.Invoke)


def perform_call(effect: effects.Effect) -> Any:
    """Call what a check or a tool is made of; the answer may be awaitable."""
    if isinstance(effect, effects.Capture):
        return effect.check.capture(*effect.args, **effect.kwargs)
    if isinstance(effect, effects.Compare):
        return effect.check.compare(effect.current, effect.candidate)
    if isinstance(effect, effects.Invoke):
        return effect.tool.fn(*effect.args, **effect.kwargs)
    raise AssertionError(effect)


class Performer(msgspec.Struct, eq=False):
    """Performs the effects of one run. `asynchronous` says that answers may be awaited."""

    runtime: Any
    run: Run
    frame: Frame
    asynchronous: bool
    leading: Steps | None = None

    def __call__(self, effect: effects.Effect) -> Any:
        if isinstance(effect, OF_A_STEP):  # first, since there are three of them a step
            if self.run.watched and isinstance(effect, effects.Invoke):
                return self._watched_call(effect)
            return perform_call(effect)
        if isinstance(effect, effects.RunAgent):
            return self._agent(effect.handover)
        if isinstance(effect, effects.Save):
            return self._save(effect.recording)
        if isinstance(effect, effects.Lead):
            return self._lead(effect.seen)
        if isinstance(effect, effects.Ask):
            return effect.function(*effect.args)
        if isinstance(effect, effects.Sleep):
            return self._sleep(effect.seconds)
        raise AssertionError(effect)

    def _watched_call(self, effect: effects.Invoke) -> Any:
        """A replayed call, told to those who want steps right before and right after it."""
        run, watch = self.run, self.runtime.reporter.watch
        step, tool, hide = len(run.progress.results), effect.tool, run.veil.hide
        own = effect.args[1:] if tool.method else effect.args
        watch(StepBeganEvent(run.id, step, tool.name, dict(tool.named(own, effect.kwargs)), hide))
        began = time.perf_counter()

        def ended(result: Any, error: BaseException | None) -> None:
            seconds = time.perf_counter() - began
            watch(StepEndedEvent(run.id, step, tool.name, seconds, result, error, hide))

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
        if self.asynchronous and inspect.isawaitable(answer):
            return awaited(answer)
        ended(answer, None)
        return answer

    def _agent(self, handover: Handover | None) -> Any:
        """Call the agent, its tool calls recorded from here on; `calls` closes the frame when the run is over."""
        runtime = self.runtime
        run = self.run
        agent = (run.agent or runtime.require_agent()).fn  # the one it began with, though another may be set by now
        kwargs = run.kwargs if handover is None else {**run.kwargs, "handover": handover}
        runtime.open_runs.record(self.frame)
        return agent(*run.args, **kwargs)

    def _lead(self, seen: Company) -> float | Company:
        if self.leading is None:
            may_wait = not self.frame.nested and (self.asynchronous or not loop_runs_here())
            self.leading = attempt(self.runtime, self.run, self.frame, seen, may_wait=may_wait)
        try:
            return next(self.leading)
        except StopIteration as stop:
            found: Company = stop.value
            return found

    def _sleep(self, seconds: float) -> Any:
        if self.asynchronous:
            import asyncio  # loaded already where a loop runs, and not wanted where none does

            return asyncio.sleep(seconds)
        time.sleep(seconds)
        return None

    def _save(self, recording: tuple[Recording, list[Problem], bool]) -> Problem | None:
        """Seal a recording; a store that fails costs the recording and nothing else (G4)."""
        done, quarantine, accepted = recording
        runtime = self.runtime
        try:
            state = runtime.library.seal(self.run, done, quarantine, accepted)
        except Exception as error:  # a store of the user's own may raise anything (G4)
            runtime.store_health.trouble("seal", error)
            self.run.trouble = error
            return Problem(Reason.STORE_UNAVAILABLE, f"the store did not take the recording: {error}")
        let_go(self.frame)  # the others may have what was learned
        pruned = runtime.library.prune_if_due(runtime.open_runs.followed())
        if pruned:
            runtime.reporter.count("pruned", pruned)
            runtime.reporter.emit(PruneEvent(pruned))
        if quarantine and state == QUARANTINED:
            return quarantine[0]
        runtime.reporter.emit(LearnedEvent(self.run.task, done.id, len(done.body.steps), state))
        return None
