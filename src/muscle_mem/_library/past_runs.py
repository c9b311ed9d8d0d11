"""Records of runs for the history, without secrets."""

from __future__ import annotations

from typing import Any

import msgspec

from .._core.binding.references.resolve import expression_text, secrets_used
from .._core.binding.tasks.key import masked_text
from .._core.flow import RunResult
from .._core.model.outcome import Divergence, Outcome
from .._core.model.secret import MASK
from .._core.plan.parallel import covered_seconds
from .._core.plan.step import Refusal
from .._core.record.derived import forms_of
from .._core.record.redact import redact_recording
from .._core.record.seal import step_record
from .._core.record.shown_snapshot import redacted_snapshot
from .._core.run.recorder import RecordedStep
from .._core.run.run import Run
from ..errors import Diverged, Missed
from ..store.history import PastRun
from ..store.pictures import check_picture, picture_hash
from .history import History, task_text

MAX_TEXT = 2_000
MAX_DATA = 4_096
"""Bytes of an encoded value that is kept beside its text."""

MAX_CALLS = 50
MAX_CALL = 200


def add_past_run(history: History, run: Run, finished: RunResult, seconds: float, now: float) -> None:
    """Add a run other than a hit to the history, with what an image check saw."""
    is_full = history.keeps == "full"
    record = past_run(run, finished, seconds, now, is_full=is_full)
    pictures = check_pictures(run) if is_full and history.pictures != "off" else ()
    if pictures:
        seen, expected = map(picture_hash, pictures)
        record = msgspec.structs.replace(record, seen_picture=seen, expected_picture=expected)
    history.add_run(record, pictures)


def past_run(run: Run, finished: RunResult, seconds: float, now: float, *, is_full: bool) -> PastRun:
    """Return the record of a run other than a hit.

    Without `is_full`, it holds no more than what is counted.
    """
    error = finished.error
    outcome = finished.outcome
    if outcome is None and isinstance(error, Missed):
        outcome = error.outcome
    redact_recording(run.recorder, run.scope, run.context)  # The agent may have raised before it was done.
    hide = _Hider(run)
    status, reason, message = _ending(outcome, error)
    record = PastRun(
        id=run.id,
        at=now,
        status=status,
        reason=reason,
        key=run.key or b"",
        scope=hide.text(run.scope),
        task=hide.text(task_text(masked_text(run.label, run.recorder.params, run.redactor)) or run.task),
        seconds=seconds,
        agent_seconds=0.0 if isinstance(error, Missed | Diverged) else _agent_seconds(run, seconds),
    )
    if not is_full:
        return record
    stop = run.stop if run.stop is not None else _unstopped(outcome)
    followed = finished.followed.trajectory.id if finished.followed is not None else ""
    if not followed and run.progress.candidate is not None:
        followed = run.progress.candidate.trajectory.id
    fields = {name: getattr(record, name) for name in PastRun.__struct_fields__}
    fields |= {
        "message": hide.text(message),
        "step": -1 if stop is None else stop.step,
        "tool": "" if stop is None else stop.tool,
        "trajectory_id": followed or (outcome.trajectory_id if outcome is not None else None) or "",
        "calls": _calls(run, hide),
        "learned": outcome is not None and outcome.learned,
        "not_learned": "" if outcome is None or outcome.not_learned is None else outcome.not_learned.value,
    }
    if stop is not None:
        fields |= _seen_and_expected(run, stop, hide)
    return PastRun(**fields)


def check_pictures(run: Run) -> tuple[bytes, ...]:
    """Return what an image check saw and expected where it stopped a replay.

    It is empty for other checks, and for a step that was given a secret.
    """
    stop, candidate = run.stop, run.progress.candidate
    if stop is None or stop.values is None or candidate is None:
        return ()
    records = candidate.trajectory.body.steps
    if stop.step < len(records) and any(secrets_used(expr) for _, expr in records[stop.step].arguments):
        return ()
    found = tuple(map(check_picture, stop.values))
    return found if all(found) else ()


def _ending(outcome: Outcome | None, error: BaseException | None) -> tuple[str, str, str]:
    """Return status, reason and message of a run, not redacted."""
    if outcome is not None:
        return outcome.status, outcome.reason.value, outcome.message
    if isinstance(error, Diverged) and error.handover is not None:
        stopped: Divergence = error.handover.divergence
        return "diverged", stopped.reason.value, stopped.message
    return "raised", type(error).__name__, str(error)


def _unstopped(outcome: Outcome | None) -> Refusal | None:
    stopped = outcome.divergence if outcome is not None else None
    return None if stopped is None else Refusal(stopped.reason, stopped.message, stopped.step, stopped.tool)


def _agent_seconds(run: Run, seconds: float) -> float:
    """Return the seconds that the run took outside of the agent's tool calls."""
    inside = covered_seconds((step.began_at, step.began_at + step.wall_seconds) for step in run.recorder.steps)
    return max(0.0, seconds - inside)


def _seen_and_expected(run: Run, stop: Refusal, hide: _Hider) -> dict[str, Any]:
    """Return what was seen and expected, as texts and as encoded values."""
    found: dict[str, Any] = {"seen": hide.text(stop.seen), "expected": hide.text(stop.expected)}
    snapshots = stop.snapshots or (None, None)
    for name, data, text in (("seen", snapshots[0], stop.seen), ("expected", snapshots[1], stop.expected)):
        shown = redacted_snapshot(data, text, run.redactor)
        if isinstance(shown, bytes) and len(shown) <= MAX_DATA:
            found[f"{name}_data"] = shown
    return found


def _calls(run: Run, hide: _Hider) -> tuple[str, ...]:
    """Return the agent's calls as texts, with params and secrets by name."""
    calls = [step for step in run.recorder.steps if not step.is_absorbed and step.record is None]
    return tuple(_call_text(run, step, hide) for step in calls[:MAX_CALLS])


def _call_text(run: Run, step: RecordedStep, hide: _Hider) -> str:
    try:
        record = step_record(step, run.recorder.params)
        arguments = ", ".join(f"{name}={expression_text(expr)}" for name, expr in record.arguments)
    except Exception:  # An argument may have no stored form.
        return f"{step.tool.name}(…)"
    return hide.text(f"{step.tool.name}({arguments})", MAX_CALL)


class _Hider:
    """Removes the secrets of a run from texts, and texts derived from them."""

    def __init__(self, run: Run) -> None:
        self._redactor = run.redactor
        self._forms = forms_of(run.redactor) if run.redactor else None

    def text(self, text: str, most: int = MAX_TEXT) -> str:
        """Return a text without secrets, in at most so many characters."""
        if self._forms is not None:
            text = self._redactor.redact(text)
            if self._redactor.contains_secret(text) or any(map(self._forms.find, (text, *text.split()))):
                return MASK
        return text if len(text) <= most else text[: most - 1] + "…"
