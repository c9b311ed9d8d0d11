"""The whole story of a run on one page: replay if it is safe, ask the agent if not, learn from what it did."""

from __future__ import annotations

import functools
from collections.abc import Generator, Sequence
from typing import Any

import msgspec

from ..errors import Diverged, Missed
from .binding.resolve import plan_text
from .model.handover import Handover, Planned, undo_text
from .model.outcome import Divergence, Outcome, Source
from .model.reason import Reason
from .model.text import retold
from .plan.candidate_set import Company
from .plan.step import Refusal, Registry
from .plan.trajectory import Candidate
from .record.absorb import Absorber, Call
from .record.learn import learn, seed
from .record.redact import conceal, fit_to_keep
from .record.verdict import executed_of, hide_of, verdict
from .replay.eligibility import admit
from .replay.replay import replay
from .replay.shadow import held_against
from .run.effects import Ask, Effect, Lead, RunAgent, Sleep
from .run.recorder import Problem
from .run.run import Progress, Run

AS_MISS = {
    Reason.CHECK_REFUSED: Reason.FIRST_CHECK_REFUSED,
    Reason.CHECK_ERROR: Reason.FIRST_CHECK_REFUSED,
    Reason.NO_CANDIDATE: Reason.NOT_REPLAYABLE,
}
SAID_NO = (Reason.CHECK_REFUSED, Reason.CHECK_ERROR, Reason.POST_CHECK_REFUSED)
HIT = Reason.HIT  # a member is looked up at length, which shows in a hit
UNMENDED = (Reason.NO_KEY, Reason.MODE, Reason.STORE_UNAVAILABLE, Reason.NEEDS_ACALL, Reason.SECRET_MISSING)
"""Misses that no other run's recording could turn into a hit."""


class Finished(msgspec.Struct, frozen=True):
    """How a run ended: an outcome, or the exception that passes on to the caller.

    `followed` is the trajectory that was replayed, `failure` why it failed in a way that counts against it.
    `refreshed` is a row of this run's snapshots to keep beside the recorded ones.
    """

    outcome: Outcome | None = None
    error: BaseException | None = None
    followed: Candidate | None = None
    failure: Problem | None = None
    failed_step: int = 0
    refreshed: bool = False


Flow = Generator[Effect, Any, Finished]


def run_task(run: Run, found: Company, registry: Registry, lookup: Refusal | None = None) -> Flow:
    """Do a task: replay what was `found`, or let the agent do it and learn. `lookup` is why nothing was found."""
    if run.mode == "record":
        return (yield from _miss(run, Refusal(Reason.MODE, "mode='record' always asks the agent")))
    live, refusal = admit(run, found, registry)
    if run.mode == "shadow" and found:
        why = Refusal(Reason.MODE, "mode='shadow' lets the agent work, and only compares")
        return (yield from _miss(run, why, live.candidates if live is not None else ()))
    if live is not None:
        end = yield from replay(run, live)
        if not isinstance(end, Refusal):
            if run.success is None and run.policy.result is None:
                value, source = _step_value(run.progress, end.row.result)
                return _hit(run, end, value, source)
            return (yield from _judged(run, end))
        refusal = _stopped(run, end)
        if run.progress.entered:
            return (yield from _diverge(run, refusal))
    refusal = refusal or lookup or Refusal(Reason.NEW_TASK, "nothing was recorded for this task")
    if run.leads and not run.outside and refusal.reason not in UNMENDED:
        news = yield from _lead(run, found)
        if isinstance(news, Finished):
            return news
        if news:
            run.begin_again()
            return (yield from run_task(run, news, registry))
    return (yield from _miss(run, refusal))


def _stopped(run: Run, refusal: Refusal) -> Refusal:
    """Why a replay stopped; which check of which candidate said no is kept to be counted."""
    progress = run.progress
    if progress.candidate is not None and refusal.reason in SAID_NO:
        place = "post" if refusal.step < len(progress.calls) else "pre"
        run.said_no += ((progress.candidate, f"{refusal.tool} {place}"),)
    if progress.entered:
        return refusal
    return msgspec.structs.replace(refusal, reason=AS_MISS.get(refusal.reason, refusal.reason))


def _lead(run: Run, seen: Company) -> Generator[Effect, Any, Finished | Company]:
    """Become the one run that learns this key, or wait for what another learns; nobody if the agent is to run."""
    run.leads = False  # once a run
    try:
        while True:
            answer = yield Lead(seen)
            if isinstance(answer, Company):
                return answer
            yield Sleep(answer)
    except GeneratorExit:
        raise
    except BaseException as error:  # as when the wait is interrupted or cancelled
        run.close()
        return Finished(error=error)


def _judged(run: Run, candidate: Candidate) -> Flow:
    """A candidate came to its end: a hit, if the success callback has no other opinion. Its value may be made, too."""
    live = (
        (yield from _made_value(run))
        if run.policy.result is not None
        else _step_value(run.progress, candidate.row.result)
    )
    if run.success is not None:
        accepted, why = yield from verdict(run, live[0])
        if not accepted:
            steps = len(run.progress.results)  # optional steps that were skipped have a place too
            message = f"the replay ran to its end, but the success callback {why}"
            return (yield from _diverge(run, Refusal(Reason.UNSUCCESSFUL, message, steps)))
    return _hit(run, candidate, *live)


def _hit(run: Run, candidate: Candidate, value: Any, source: Source) -> Finished:
    """How a run ended whose candidate came to its own end, with its live value."""
    progress, row = run.progress, candidate.row
    steps = len(progress.results) - len(progress.skipped)
    id, message = candidate.trajectory.id, _replayed(steps)
    outcome = Outcome("hit", value, source, HIT, message, steps, id, False, None, "", row.agent_seconds, row.tokens)
    if progress.refreshed is None:
        return Finished(outcome, None, candidate)
    kept = fit_to_keep(progress.refreshed.values(), run.veil, run.context)
    return Finished(outcome, None, candidate, refreshed=kept)


@functools.lru_cache(256)
def _replayed(steps: int) -> str:
    """The message of a hit; few lengths make most of them."""
    return f"{steps} step{'s'[: steps != 1]} replayed"


def _step_value(progress: Progress, at: int) -> tuple[Any, Source]:
    """A hit's live value: this run's result of the step whose output the agent had returned."""
    results = progress.results
    if 0 <= at < len(results) and at not in progress.skipped:
        return results[at], "step"
    return None, "none"


def _made_value(run: Run) -> Generator[Effect, Any, tuple[Any, Source]]:
    """A hit's live value: what Engine(result=...) makes of this run's results."""
    make = run.policy.result
    assert make is not None
    try:
        return (yield Ask(make, (run.progress.live_results,))), "result"
    except Exception as error:
        run.notify("warning", "result", f"Engine(result=...) raised {retold(error)}; the hit has no value", "")
        return None, "none"


def _miss(run: Run, refusal: Refusal, shadowed: Sequence[Candidate] = ()) -> Flow:
    """Nothing was executed: the agent does the task. What it does is held against the `shadowed` candidates."""
    refusal = run.hidden(refusal)
    if run.mode == "replay":
        why = f"{refusal.reason.value}: {refusal.message}"
        message = f"nothing was replayed for {run.task}: {why}; mode='replay' never asks the agent"
        outcome = Outcome("miss", reason=refusal.reason, message=refusal.message, not_learned=Reason.MODE)
        return Finished(error=Missed(message, outcome))
    value, error, seconds = yield from _ask_agent(run, None)
    if error is not None:
        run.close()
        return Finished(error=error)
    outcome = Outcome("miss", value=value, reason=refusal.reason, message=refusal.message)
    run.close()
    if shadowed:
        conceal(run.recorder, run.scope, run.context)  # as the candidates are: secrets by their names
    outcome.shadow = yield from held_against(run, shadowed)
    yield from learn(run, outcome, value, seconds)
    return Finished(outcome)


def _diverge(run: Run, refusal: Refusal) -> Flow:
    """A replay stopped in the middle: the agent goes on, or starts again without doing anything twice (F1, F2)."""
    progress = run.progress
    followed = progress.candidate
    assert followed is not None
    for result in progress.results if run.secretive else ():
        run.veil.meet_secrets(result)
    refusal = run.hidden(refusal)
    divergence = _divergence(run, refusal)
    handover = hand_over(run, followed, divergence)
    failed = refusal.step < len(progress.calls) or refusal.reason is Reason.UNSUCCESSFUL
    failure = _failure(run, refusal) if failed else None
    unasked = _unasked(run, handover)
    if unasked is not None:
        return Finished(
            error=Diverged(f"{divergence}; {unasked}", handover),
            followed=followed,
            failure=failure,
            failed_step=refusal.step,
        )
    seed(run, followed, refusal)
    if run.on_divergence == "absorb" or (run.on_divergence == "auto" and not run.names_handover):
        run.recorder.absorber = Absorber(progress.entered, handover.executed, run.env, _rest(run, followed))
    run.handover = handover
    value, error, seconds = yield from _ask_agent(run, handover)
    if error is not None:
        run.close()
        if isinstance(error, Exception):
            _add_note(error, f"muscle_mem: the agent was asked after a divergence: {divergence}")
        failure = _failure(run, refusal) if failed else None
        return Finished(error=error, followed=followed, failure=failure, failed_step=refusal.step)
    refusal = run.hidden(refusal)  # again: the agent may have told of more secrets
    outcome = Outcome(
        "diverged",
        value=value,
        reason=refusal.reason,
        message=refusal.message,
        steps=len(handover.executed),
        trajectory_id=followed.trajectory.id,
        divergence=_divergence(run, refusal),
    )
    yield from learn(run, outcome, value, seconds, broken=refusal)
    failure = _failure(run, refusal) if failed else None
    return Finished(outcome, followed=followed, failure=failure, failed_step=refusal.step)


def _failure(run: Run, refusal: Refusal) -> Problem:
    return Problem(refusal.reason, run.hide(refusal.message), refusal.tool)


def _divergence(run: Run, refusal: Refusal) -> Divergence:
    return Divergence(
        refusal.step,
        refusal.reason,
        refusal.tool,
        refusal.message,
        refusal.seen,
        refusal.expected,
        refusal.error,
        hide_of(run),
    )


def _unasked(run: Run, handover: Handover) -> str | None:
    """Why the agent is not asked after a divergence, if so."""
    if run.mode == "replay":
        return "mode='replay' never asks the agent"
    if run.on_divergence == "raise":
        return "on_divergence='raise'"
    irreversible = any(step.effect == "irreversible" for step in handover.executed)
    if irreversible and run.on_divergence == "continue" and not run.names_handover:
        return (
            "an irreversible step was executed, and on_divergence='continue' would start an agent that cannot know; "
            "let the agent's signature name `handover`, or use on_divergence='absorb'"
        )
    return None


def hand_over(run: Run, followed: Candidate, divergence: Divergence) -> Handover:
    """What was executed in this run, and what was not."""
    progress = run.progress
    entered = progress.entered
    last = len(entered) - 1
    executed = tuple(
        executed_of(run, step, args, kwargs, result, progress.error if index == last else None)
        for index, ((step, args, kwargs), result) in enumerate(zip(entered, progress.live_results, strict=True))
    )
    undo = tuple(
        run.hide(undo_text(step.tool, done))
        for (step, _, _), done in zip(entered, executed, strict=True)
        if step.tool.undo
    )
    records = followed.trajectory.body.steps[len(progress.calls) :]
    remaining = tuple(
        Planned(record.tool, ", ".join(f"{name}={plan_text(expr)}" for name, expr in record.arguments))
        for record in records
    )
    return Handover(executed, divergence, remaining, undo[::-1], hide_of(run))


def _rest(run: Run, followed: Candidate) -> list[Call]:
    """The members of a parallel group that were not executed although others were."""
    steps = followed.trajectory.steps
    made = len(run.progress.calls)
    return [
        (step, (run.objects[step.tool],) if step.method else (), {})
        for step in steps[made : max(made, steps[made - 1].stop)]
    ]


def _ask_agent(run: Run, handover: Handover | None) -> Generator[Effect, Any, tuple[Any, BaseException | None, float]]:
    """The agent's value, or the exception it raised (carried as a value: a generator would change a StopIteration)."""
    began = run.clock()
    try:
        value = yield RunAgent(handover if run.names_handover else None)
    except GeneratorExit:
        raise
    except BaseException as error:
        return None, error, run.clock() - began
    return value, None, run.clock() - began


def _add_note(error: Exception, note: str) -> None:
    try:
        error.add_note(note)
    except Exception:  # an exception that lets nothing be written on it, as a frozen dataclass
        pass


def demonstrate(run: Run, seconds: float) -> Generator[Effect, Any, Outcome]:
    """Learn from what was recorded without an agent, as `engine.record` does."""
    outcome = Outcome("miss", reason=Reason.MODE, message="a demonstration was recorded", value_source="none")
    yield from learn(run, outcome, None, seconds)
    return outcome


def switched_off(value: Any) -> Outcome:
    """How a run ends that an engine had no part in."""
    return Outcome("miss", value=value, reason=Reason.MODE, message="the engine is off", not_learned=Reason.MODE)
