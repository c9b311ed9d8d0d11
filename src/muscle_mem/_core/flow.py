"""The sequence of a run: replay if it is safe, else run the agent and learn."""

from __future__ import annotations

import functools
from collections.abc import Generator, Sequence
from typing import Any

import msgspec

from ..errors import Diverged, Missed
from .model.handover import Handover
from .model.outcome import Outcome, Shadow, Source
from .model.reason import Reason
from .plan.candidate_set import CandidateSet
from .plan.ready_trajectory import Candidate
from .plan.step import Refusal, Registry
from .record.verdict import success_verdict
from .replay.eligibility import eligible
from .replay.replay import replay
from .run.effects import Effect, LeadKey, RunAgent, Sleep
from .run.recorder import Problem
from .run.run import NO_DETOUR, Progress, Run

MISS_REASONS = {
    Reason.CHECK_REFUSED: Reason.FIRST_CHECK_REFUSED,
    Reason.CHECK_ERROR: Reason.FIRST_CHECK_REFUSED,
    Reason.NO_CANDIDATE: Reason.NOT_REPLAYABLE,
}
MAX_REFUSED = 16  # Observations that a detour keeps, of those that were refused before it.
CHECK_REASONS = (Reason.CHECK_REFUSED, Reason.CHECK_ERROR, Reason.POST_CHECK_REFUSED)
HIT = Reason.HIT  # A module constant: access to an enum member is slow enough to show in a hit.
OFF = "the engine is off"
NOT_LEARNABLE = (Reason.NO_KEY, Reason.MODE, Reason.STORE_UNAVAILABLE, Reason.NEEDS_ACALL, Reason.SECRET_MISSING)
"""Misses that no other run's recording could turn into a hit."""


class RunResult(msgspec.Struct, frozen=True):
    """The end of a run: an outcome, or the exception that the caller gets.

    `followed` is the candidate that was replayed, `failure` a failure that counts against it. `refreshed` says that
    this run's snapshots are stored as another observation, `quarantine` why the candidate must not be replayed again.
    `evidence` is a generalized trajectory, and what the agent's calls say of
    its flows.
    """

    outcome: Outcome | None = None
    error: BaseException | None = None
    followed: Candidate | None = None
    failure: Problem | None = None
    failed_step: int = 0
    refreshed: bool = False
    quarantine: Problem | None = None
    evidence: tuple[Any, list[bytes]] | None = None


Flow = Generator[Effect, Any, RunResult]


def run_task(run: Run, found: CandidateSet, registry: Registry, lookup: Refusal | None = None) -> Flow:
    """Replay one of the candidates `found`, or run the agent and learn.

    `lookup` is why nothing was found.
    """
    if run.mode == "record":
        return (yield from _miss(run, Refusal(Reason.MODE, "mode='record' always asks the agent")))
    live, refusal = eligible(run, found, registry)
    if run.mode == "shadow" and found:
        why = Refusal(Reason.MODE, "mode='shadow' runs the agent and only compares its calls")
        return (yield from _miss(run, why, live.candidates if live is not None else ()))
    if live is not None:
        end = yield from replay(run, live)
        if not isinstance(end, Refusal):
            if run.success is None and run.policy.result is None and run.answer is None:
                value, source = _step_value(run.progress, end.value_step)
                return _hit(run, end, value, source)
            return (yield from _finish(run, end))
        refusal = _note_stop(run, end)
        if run.progress.entered_calls:
            return (yield from _diverge(run, refusal))
    refusal = refusal or lookup or Refusal(Reason.NEW_TASK, "no recording exists for this task")
    held: Sequence[Candidate] = ()
    if run.may_wait and not run.is_stepped and refusal.reason not in NOT_LEARNABLE:
        held = _held(found) if refusal.reason is Reason.QUARANTINED else ()
        news = yield from _wait_for_recording(run, found, waits=not held)
        if isinstance(news, RunResult):
            return news
        if news:
            run.reset_progress()
            return (yield from run_task(run, news, registry))
        held = held if news is not None else ()
    return (yield from _miss(run, refusal, held))


def _held(found: CandidateSet) -> list[Candidate]:
    """Return the candidates whose quarantine only a person lifts.

    No run waits for them. One at a time compares its agent's calls with them, as in a shadow run, and the counts show
    the person whether the agent still does the same.
    """
    held = [one for one in found.trajectories if one.standing.held and one.standing.state == "quarantined"]
    return [candidate for trajectory in held for candidate in trajectory.candidates]


def _note_stop(run: Run, refusal: Refusal) -> Refusal:
    """Return why a replay stopped, and note a check that failed to be counted."""
    progress = run.progress
    run.stop = refusal
    if progress.candidate is not None and refusal.reason in CHECK_REASONS:
        position = "post" if progress.was_made(refusal.step) else "pre"
        run.refused_checks += ((progress.candidate, f"{refusal.tool} {position}"),)
    run.detour = NO_DETOUR
    if refusal.reason is Reason.CHECK_REFUSED and progress.candidate is not None and not progress.skipped:
        refused = progress.refused or (progress.candidate,)
        run.detour = refusal.step, tuple(candidate.id for candidate in refused[:MAX_REFUSED])
    if progress.candidate is not None and progress.candidate.trajectory.iteration_of(refusal.step) is not None:
        # The recording does not prove a length (L13), and a failure does not speak against the loop.
        is_answer = refusal.reason is Reason.LOOP_UNCLEAR
        run.detour = (-2 - refusal.step if is_answer else refusal.step), ()
    if progress.entered_calls:
        return refusal
    return msgspec.structs.replace(refusal, reason=MISS_REASONS.get(refusal.reason, refusal.reason))


def _wait_for_recording(
    run: Run, seen: CandidateSet, *, waits: bool
) -> Generator[Effect, Any, RunResult | CandidateSet | None]:
    """Wait for the run that learns this key, or become that run.

    Returns the candidates to replay, none if the agent must run, or how the run ended. With `waits` false, it is None
    if another run learns the key.
    """
    run.may_wait = False  # A run waits once.
    try:
        while True:
            answer = yield LeadKey(seen, waits)
            if isinstance(answer, CandidateSet):
                return answer
            if not waits:
                return None
            yield Sleep(answer)
    except GeneratorExit:
        raise
    except BaseException as error:  # The wait was interrupted or cancelled.
        run.close()
        return RunResult(error=error)


def _finish(run: Run, candidate: Candidate) -> Flow:
    """Return the hit of a finished candidate, with its value.

    It is not a hit if the model, asked only for its answer, makes calls, or if the success callback rejects it.
    """
    from .replay.final_answer import may_ask

    live = yield from _live_value(run, candidate)
    if may_ask(run) and (live[1] == "none" or run.answer == "model"):
        return (yield from _ask_for_answer(run, candidate))
    return (yield from _check_success(run, candidate, live))


def _live_value(run: Run, candidate: Candidate) -> Generator[Effect, Any, tuple[Any, Source]]:
    """Return the value of a hit and its source, without asking the model (D5, I5)."""
    from .replay.final_answer import answer_from, recorded_answer

    if callable(run.answer):
        return (yield from answer_from(run.answer, "answer=", run))
    if run.policy.result is not None:
        return (yield from answer_from(run.policy.result, "Engine(result=...)", run))
    live = _step_value(run.progress, candidate.value_step)
    if live[1] == "none" and run.keeps_answer:
        found = recorded_answer(run, candidate)
        if found is not None:
            return found[0], "recorded"
    return live


def _ask_for_answer(run: Run, candidate: Candidate) -> Flow:
    """Ask the model for its answer after all steps were replayed.

    If it makes calls instead, the replay has stopped there, and nothing counts against the recording.
    """
    from .record.merge import begin_with_replay
    from .replay.divergence import make_divergence, make_handover
    from .replay.final_answer import ASKED

    stop = Refusal(Reason.NO_CANDIDATE, "the model made calls after all steps were replayed", len(run.progress.calls))
    for result in run.progress.results if run.has_secrets else ():
        run.redactor.add_secrets_in(result)
    handover = make_handover(run, candidate, make_divergence(run, stop))
    begin_with_replay(run, candidate, stop, handover)
    run.handover = handover
    value, error, seconds = yield from _ask_agent(run, Refusal(HIT, ASKED), handover)
    if error is not None or run.recorder.events:
        return (yield from _end_diverged(run, candidate, stop, handover, value, error, seconds))
    return (yield from _check_success(run, candidate, (value, "model")))


def _check_success(run: Run, candidate: Candidate, live: tuple[Any, Source]) -> Flow:
    """Return the hit of a finished candidate, unless the success callback rejects it."""
    if run.success is not None:
        accepted, why = yield from success_verdict(run, live[0])
        if not accepted:
            steps = len(run.progress.results)  # Skipped optional steps count, since they have a position.
            message = f"the replay finished, but the success callback {why}{_why_no_value(run, candidate, live[1])}"
            return (yield from _diverge(run, Refusal(Reason.UNSUCCESSFUL, message, steps)))
    return _hit(run, candidate, *live)


def _hit(run: Run, candidate: Candidate, value: Any, source: Source) -> RunResult:
    """Return the result of a run whose candidate finished, with its live value."""
    progress, row = run.progress, candidate.row
    steps = len(progress.results) - len(progress.skipped)
    id, message = candidate.trajectory.id, _replayed(steps)
    outcome = Outcome("hit", value, source, HIT, message, steps, id, False, None, "", row.agent_seconds, row.tokens)
    if progress.refreshed_snapshots is None:
        return RunResult(outcome, None, candidate)
    from .record.redact import may_store

    kept = may_store(progress.refreshed_snapshots.values(), run.redactor, run.context)
    return RunResult(outcome, None, candidate, refreshed=kept)


@functools.lru_cache(256)
def _replayed(steps: int) -> str:
    """Return the message of a hit, cached since most hits have one of few lengths."""
    return f"{steps} step{'s'[: steps != 1]} replayed"


def _step_value(progress: Progress, at: int) -> tuple[Any, Source]:
    """Return this run's result of the step whose output the agent had returned."""
    results = progress.results
    if 0 <= at < len(results) and at not in progress.skipped:
        return results[at], "step"
    return None, "none"


def _why_no_value(run: Run, candidate: Candidate, source: Source) -> str:
    """Return why a success callback got None in place of a value (G7b).

    The text is appended to a message.
    """
    if source != "none" or run.policy.result is not None or callable(run.answer):
        return ""
    from .record.learn import NO_VALUE, UNCERTAIN_VALUE

    if candidate.row.result >= 0:
        return f". It got value=None: {UNCERTAIN_VALUE}"
    return f". It got value=None: {NO_VALUE}"


def _miss(run: Run, refusal: Refusal, shadowed: Sequence[Candidate] = ()) -> Flow:
    """Run the agent, since nothing was replayed, and learn from its calls.

    The calls are compared with the `shadowed` candidates.
    """
    refusal = run.redact_refusal(refusal)
    if run.mode == "replay":
        why = f"{refusal.reason.value}: {refusal.message}"
        message = f"nothing was replayed for {run.task}: {why}. mode='replay' never asks the agent; use mode='auto'."
        outcome = Outcome("miss", reason=refusal.reason, message=refusal.message, not_learned=Reason.MODE)
        return RunResult(error=Missed(message, outcome))
    value, error, seconds = yield from _ask_agent(run, refusal, None)
    if error is not None:
        run.close()
        return RunResult(error=error)
    outcome = Outcome("miss", value=value, reason=refusal.reason, message=refusal.message)
    run.close()
    if shadowed:
        outcome.shadow = yield from _compare(run, shadowed)
    yield from _learn(run, outcome, value, seconds)
    return RunResult(outcome)


def _compare(run: Run, shadowed: Sequence[Candidate]) -> Generator[Effect, Any, Shadow | None]:
    """Return how the agent's calls differ from what a replay would have done."""
    from .record.redact import redact_recording
    from .replay.shadow import compare_shadow

    redact_recording(run.recorder, run.scope, run.context)  # As in the candidates, names stand for secrets.
    return (yield from compare_shadow(run, shadowed))


def _learn(
    run: Run, outcome: Outcome, value: Any, seconds: float, replay_refusal: Refusal | None = None
) -> Generator[Effect, Any, None]:
    """Learn from the run's calls; a process that only replays never loads how."""
    from .record.learn import learn

    yield from learn(run, outcome, value, seconds, replay_refusal)


def _diverge(run: Run, refusal: Refusal) -> Flow:
    """Let the agent finish after a replay stopped with calls executed (F1, F2).

    It continues from the hand-over, or starts again and gets the results of the calls it repeats.
    """
    from .record.merge import begin_with_replay
    from .replay.divergence import make_absorber, make_divergence, make_handover, why_not_asked, with_pause

    followed = run.progress.candidate
    assert followed is not None
    for result in run.progress.results if run.has_secrets else ():
        run.redactor.add_secrets_in(result)
    refusal = run.redact_refusal(with_pause(refusal, followed))
    divergence = make_divergence(run, refusal)
    handover = make_handover(run, followed, divergence)
    why = why_not_asked(run, handover)
    if why is not None:
        return _diverged(run, followed, refusal, error=Diverged(f"{divergence}; {why}", handover))
    run.recorder.absorber = make_absorber(run, followed, refusal)
    if run.recorder.absorber is None and not run.recorder.prefix:  # The model may have been asked for its answer.
        begin_with_replay(run, followed, refusal, handover)
    run.handover = handover
    value, error, seconds = yield from _ask_agent(run, refusal, handover)
    return (yield from _end_diverged(run, followed, refusal, handover, value, error, seconds))


def _end_diverged(
    run: Run,
    followed: Candidate,
    refusal: Refusal,
    handover: Handover,
    value: Any,
    error: BaseException | None,
    seconds: float,
) -> Flow:
    """Conclude a run whose agent went on after a replay: learn from what it did."""
    from .record.compare_flows import compared_flows
    from .replay.divergence import make_divergence

    if error is not None:
        run.close()
        if isinstance(error, Exception):
            _add_note(error, f"muscle_mem: the agent was asked after a divergence: {handover.divergence}")
        return _diverged(run, followed, refusal, error=error)
    refusal = run.redact_refusal(refusal)  # The agent may have revealed more secrets.
    outcome = Outcome(
        "diverged",
        value=value,
        reason=refusal.reason,
        message=refusal.message,
        steps=len(handover.executed) + run.rejoined,
        trajectory_id=followed.trajectory.id,
        divergence=make_divergence(run, refusal),
    )
    evidence = compared_flows(run, followed)  # Learning changes what the recordings prove.
    yield from _learn(run, outcome, value, seconds, replay_refusal=refusal)
    if outcome.not_learned is Reason.REFUSED:
        evidence = None
    return _diverged(run, followed, refusal, outcome, evidence=evidence)


def _diverged(
    run: Run,
    followed: Candidate,
    refusal: Refusal,
    outcome: Outcome | None = None,
    error: BaseException | None = None,
    evidence: Any = None,
) -> RunResult:
    """Return the result of a diverged run.

    A failure of an executed step counts against the trajectory.
    """
    failure: Problem | None = None
    if run.progress.was_made(refusal.step) or refusal.reason is Reason.UNSUCCESSFUL:
        failure = Problem(refusal.reason, run.redact(refusal.message), refusal.tool)
    unabsorbed = run.recorder.unabsorbed if outcome is not None else None
    return RunResult(outcome, error, followed, failure, refusal.step, quarantine=unabsorbed, evidence=evidence)


def _ask_agent(
    run: Run, refusal: Refusal, handover: Handover | None
) -> Generator[Effect, Any, tuple[Any, BaseException | None, float]]:
    """Return the agent's value, the exception it raised, and its seconds.

    The exception is returned, since a generator would change a raised StopIteration.
    """
    began = run.clock()
    try:
        value = yield RunAgent(handover if run.takes_handover else None, refusal.reason, refusal.message)
    except GeneratorExit:
        raise
    except BaseException as error:
        return None, error, run.clock() - began
    return value, None, run.clock() - began


def _add_note(error: Exception, note: str) -> None:
    """Add a note to an exception, if it can have one."""
    try:
        error.add_note(note)
    except Exception:  # The exception may be immutable, such as a frozen dataclass.
        pass


def learn_demonstration(run: Run, seconds: float) -> Generator[Effect, Any, Outcome]:
    """Learn from the calls that `engine.record` recorded without an agent."""
    outcome = Outcome("miss", reason=Reason.MODE, message="a demonstration was recorded", value_source="none")
    yield from _learn(run, outcome, None, seconds)
    return outcome


def off_outcome(value: Any) -> Outcome:
    """Return the outcome of a run that bypassed the engine."""
    return Outcome("miss", value=value, reason=Reason.MODE, message=OFF, not_learned=Reason.MODE)
