"""Learning: seal the steps of a run if they would replay from its start."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

import msgspec

from ...errors import NotStorableError, TooLargeError
from ..binding.guards.provenance import approval_message, findings, warning_message
from ..model.outcome import Outcome
from ..model.reason import Reason
from ..model.text import long_repr
from ..plan.parallel import row_from_stored_order
from ..plan.step import Refusal
from ..run.effects import Effect, Save
from ..run.recorder import Problem, Recording
from ..run.run import Run
from .merge import merge_problem
from .origins import exposed
from .redact import check_for_leaks, redact_recording
from .retries import settle_failed_calls
from .seal import flow_problem, make_recording
from .verdict import success_verdict

NO_VALUE = (
    "a hit has no value, since the agent returned something that no tool returned. Return a tool's output, or pass "
    "Engine(result=...). If the value depends only on the task, its params and the tools' results, pass "
    "answer='recorded'"
)
NOT_KEPT = (
    "a hit has no value, since the answer is not stored: it is too large, it may contain a secret, no tool returned a "
    "result, or a tool's result cannot be stored"
)
UNCERTAIN_VALUE = (
    "a hit has no value until two recordings returned the output of the same step, since the agent returned one of "
    "several outputs of a tool. Pass Engine(result=...) to get a value immediately"
)


def learn(
    run: Run, outcome: Outcome, value: Any, seconds: float, replay_refusal: Refusal | None = None
) -> Generator[Effect, Any, None]:
    """Seal the steps of a run, or note in the outcome why they were not learned."""
    recorder = run.recorder
    recorder.closed = True
    accepted = None
    redact_recording(recorder, run.scope, run.context)
    settle_failed_calls(recorder)
    problem = _learning_problem(run)
    if problem is None and run.success is not None:
        accepted, why = yield from success_verdict(run, value)
        if not accepted:
            problem = Problem(Reason.REFUSED, f"the success callback {why}")
    if replay_refusal is not None:
        merged = merge_problem(run, replay_refusal, accepted is True)
        problem = problem or merged
        _warn_unabsorbed(run, problem)
    recording: Recording | None = None
    problem = problem or _flow_problem(run)
    if problem is None:
        assert run.key is not None
        try:
            made = check_for_leaks(make_recording(run, value=value, run_seconds=seconds), recorder, run.key_inputs())
            recording, problem = (None, made) if isinstance(made, Problem) else (made, None)
            # A secret that was known earlier is reported when the key is derived.
            if problem is not None and problem.reason is Reason.NO_KEY:
                run.notify("warning", "secret_in_task", f"task is not learned: {problem.message}", "")
        except NotStorableError as error:
            problem = Problem(Reason.TOO_LARGE if isinstance(error, TooLargeError) else Reason.UNLEARNABLE, str(error))
        except Exception as error:  # An internal error must not affect the run.
            problem = Problem(Reason.NOT_REPLAYABLE, f"recording failed: {long_repr(error)}")
    if recording is not None:
        _note_untrusted(run, recording)
        problem = yield Save((recording, recorder.quarantine, accepted is True))
    outcome.message = run.redact(outcome.message)
    if problem is not None:
        outcome.not_learned = problem.reason
        outcome.not_learned_message = run.redact(problem.message)
        if recording is not None and problem in recorder.quarantine:  # The recording is stored and needs a review.
            outcome.trajectory_id = recording.id
        return
    assert recording is not None
    _announce_value(run, recording, value)
    outcome.learned = True
    outcome.trajectory_id = recording.id


def _note_untrusted(run: Run, recording: Recording) -> None:
    """Quarantine a recording whose values others may have written, or warn (P3)."""
    recorder = run.recorder
    steps = recorder.planned_steps()
    records = recording.body.steps
    words = row_from_stored_order(recording.row, recording.body.order).origins
    if not words:
        return
    tools = [step.tool for step in steps]
    found = list(findings(records, words, tools, exposed(recorder, steps, records)))
    for finding in found:
        tool = records[finding.step].tool
        if finding.needs_approval:
            recorder.add_quarantine(Reason.UNTRUSTED_VALUE, approval_message(records, finding), tool)
            return
    for finding in found:
        code = Reason.UNTRUSTED_VALUE.value
        run.notify("warning", code, warning_message(records, finding), records[finding.step].tool)


def _warn_unabsorbed(run: Run, problem: Problem | None) -> None:
    """Warn that a restarted agent did not repeat what the replay did.

    There is no warning if that is the reason why nothing is learned.
    """
    unabsorbed = run.recorder.unabsorbed
    if unabsorbed is None:
        return
    run.recorder.problems.append(unabsorbed)
    if (problem is None or problem.reason is not unabsorbed.reason) and run.mode != "frozen":
        run.notify("warning", unabsorbed.reason.value, unabsorbed.message, unabsorbed.tool)


def _announce_value(run: Run, recording: Recording, value: Any) -> None:
    """Say when it is learned that a hit will have no value (G7b)."""
    if value is None or run.policy.result is not None or callable(run.answer) or run.answer == "model":
        return
    if recording.row.final is not None:
        return
    at, steps = recording.row.result, recording.body.steps
    if at < 0:
        run.notify("warning", "no_value", NOT_KEPT if run.keeps_answer else NO_VALUE)
    elif at == len(steps) - 1 and run.recorder.planned_steps()[-1].tool.effect != "read":
        return
    elif sum((step.tool, step.fingerprint) == (steps[at].tool, steps[at].fingerprint) for step in steps) > 1:
        run.notify("info", "uncertain_value", UNCERTAIN_VALUE, steps[at].tool)


def _learning_problem(run: Run) -> Problem | None:
    """Return why the steps of a run cannot be learned, or None."""
    recorder = run.recorder
    if run.mode == "frozen":
        return Problem(Reason.MODE, "mode='frozen' does not learn")
    if run.key is None:
        return Problem(Reason.NO_KEY, "the task has no key")
    unseen = run.find_unseen() if run.find_unseen is not None else None
    if unseen is not None:
        return unseen
    if recorder.has_open_calls():
        names = ", ".join(sorted({step.tool.name for step in recorder.open_calls}))
        return Problem(
            Reason.STILL_RUNNING,
            f"the agent returned before its calls had ended: {names}. Wait for them in the agent.",
            names,
        )
    if recorder.problems:
        return recorder.problems[0]
    lacking = run.missing_secrets - run.redactor.named.keys()
    if lacking:
        message = (
            f"secret {min(lacking)!r} of an earlier recording was not passed, so this run could store its value in "
            "clear. Pass it in secrets=."
        )
        return Problem(Reason.SECRET_MISSING, message)
    if not recorder.planned_steps() and not run.progress.entered_calls:
        return Problem(Reason.NO_CALLS, "the agent called no tool that succeeded")
    return _changed_argument(run)


def _flow_problem(run: Run) -> Problem | None:
    """Return why a run does not fit the declared flows of its tools, or None."""
    try:
        problem = flow_problem(run.recorder)
    except Exception as error:  # An internal error must not affect the run.
        return Problem(Reason.NOT_REPLAYABLE, f"comparison with flows= failed: {long_repr(error)}")
    if problem is not None:
        problem = msgspec.structs.replace(problem, message=run.redact(problem.message))
        run.recorder.problems.append(problem)
    return problem


def _changed_argument(run: Run) -> Problem | None:
    """Return why a run whose arguments were changed is not learned (G7a)."""
    name = run.changed_argument()
    if name is None:
        return None
    message = (
        f"the agent's {name} was changed during the run, and a replay does not change it; return the new value, or "
        "change a copy"
    )
    return Problem(Reason.CHANGED_ARGUMENT, message)
