"""Calls of idempotent tools that raised and were made again."""

from __future__ import annotations

from ..binding.tasks.freeze import find_unencodable
from ..model.records import Expr
from ..run.recorder import RecordedStep, Recorder
from .seal import step_record


def settle_failed_calls(recorder: Recorder) -> None:
    """Quarantine the run for failed idempotent calls that were not made again.

    A call that was made again with the same arguments and returned leaves the same effect as one call.
    """
    failed, recorder.failed_calls = recorder.failed_calls, []
    for step, problem in failed:
        if not any(_repeats(recorder, later, step) for later in recorder.steps):
            recorder.quarantine.append(problem)


def _repeats(recorder: Recorder, later: RecordedStep, failed: RecordedStep) -> bool:
    """Return whether a call repeats a failed one after it had ended, and returned."""
    if later.is_dropped or later in recorder.open_calls or later.tool.identity != failed.tool.identity:
        return False
    if later.began_at < failed.began_at + failed.wall_seconds:
        return False
    arguments = _arguments(recorder, failed)
    return arguments is not None and arguments == _arguments(recorder, later)


def _arguments(recorder: Recorder, step: RecordedStep) -> tuple[tuple[str, Expr], ...] | None:
    """Return a call's arguments as they would be stored.

    The result is None if they cannot be compared.
    """
    if step.problems or any(find_unencodable(frozen) for _, frozen in step.arguments):
        return None
    return step_record(step, recorder.params).arguments
