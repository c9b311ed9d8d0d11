"""The events of one adapter."""

from __future__ import annotations

import traceback
from pathlib import Path
from typing import Any

from ..._session import hosted
from ...errors import MuscleMemError


class AdapterEvents:
    """What one adapter reports.

    Args:
        engine: The engine.
        framework: The name of the framework.
    """

    def __init__(self, engine: Any, framework: str) -> None:
        self._engine = engine
        self._framework = framework
        self._reported: set[tuple[str, str]] = set()

    def left_alone(self, why: str) -> None:
        """Report, once for each reason, that a request is passed to the model."""
        message = f"the adapter for {self._framework} leaves a run alone: {why}. The run is not learned or replayed."
        self._warn_once("left_alone", why, message)

    def unconfirmed(self, tool: str) -> None:
        """Report, once for each tool, that nothing confirms its calls."""
        message = (
            f"{tool!r} needs an approval and has a pre-check, and nothing runs the check again when the call is "
            f"approved. The adapter for {self._framework} does not replay it. Add the guardrail of the adapter to it."
        )
        self._warn_once("unconfirmed_tool", tool, message)

    def failed(self, error: BaseException, doing: str) -> None:
        """Report that the adapter failed, and that the framework goes on without it.

        Args:
            error: What was raised.
            doing: What the adapter was about.
        """
        message = (
            f"the adapter for {self._framework} failed in {doing}: {_shown(error)}. The run continues without the "
            "engine and is not learned."
        )
        hosted.notice(self._engine, "warning", "adapter_failed", message)

    def _warn_once(self, code: str, subject: str, message: str) -> None:
        if (code, subject) not in self._reported:
            self._reported.add((code, subject))
            hosted.notice(self._engine, "warning", code, message)


def _shown(error: BaseException) -> str:
    """Return an error for an event: where it arose, and its text if it is ours.

    The text of others may hold secrets.
    """
    frames = traceback.extract_tb(error.__traceback__)
    place = f" at {Path(frames[-1].filename).name}:{frames[-1].lineno}" if frames else ""
    text = f": {error}" if isinstance(error, MuscleMemError) else ""
    return f"{type(error).__name__}{place}{text}"
