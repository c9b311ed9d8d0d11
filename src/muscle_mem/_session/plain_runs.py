"""What an adapter needs whose tools are the engine's: runs and context objects."""

from __future__ import annotations

from typing import Any

from .._core.model.reason import Reason
from .._core.model.secret import Secret
from .._core.run.run import Run
from .._runtime.context import get_frame
from .hosted import HasRuntime


class Recording:
    """The run that records the calls of the agent in this context."""

    __slots__ = ("_run",)

    def __init__(self, run: Run) -> None:
        self._run = run

    @property
    def is_absorbing(self) -> bool:
        """Whether a restarted agent, which the page is ahead of, gets recorded results."""
        return self._run.recorder.absorber is not None

    def unlearnable(self, why: str) -> None:
        """Prevent the run from being learned, unless it has ended."""
        if not self._run.recorder.closed:
            self._run.recorder.add_problem(Reason.UNLEARNABLE, why)

    def is_secret(self, value: Any) -> bool:
        """Return whether a value is a secret of the run."""
        if isinstance(value, Secret):
            return True
        return isinstance(value, str) and bool(value) and self._run.redact(value) != value

    def is_same(self, other: Recording | None) -> bool:
        """Return whether both are the same run."""
        return other is not None and other._run is self._run


def recording_of(engine: HasRuntime) -> Recording | None:
    """Return the run of the engine that records in this context, or None."""
    frame = get_frame()
    if frame is None or frame.is_left or not frame.is_recording or frame.runtime is not engine._runtime:
        return None
    run = frame.run
    return None if run is None or run.recorder.closed else Recording(run)


def active_recording(engine: HasRuntime) -> Recording | None:
    """Return the run whose agent was asked, also inside its calls; None in a replay."""
    frame = get_frame()
    run = None if frame is None else frame.run
    if run is None or not any(other.run is run for other in list(engine._runtime.open_runs.frames)):
        return None
    return Recording(run)


def add_context_object(engine: HasRuntime, value: Any) -> None:
    """Give an engine an object for method tools, beside those that the user sets."""
    engine._runtime.add_adapter_object(value)


def run_in_context(engine: HasRuntime) -> object | None:
    """Return an object that stands for the run of the engine in this context, or None."""
    frame = get_frame()
    if frame is None or frame.is_left or frame.runtime is not engine._runtime:
        return None
    return frame.run


def takes_pictures(engine: HasRuntime) -> bool:
    """Return whether the engine keeps pictures of steps."""
    return engine._runtime.policy.shrink_picture is not None
