"""The one signal by which the rooms of the codec say that a value cannot be stored."""

from __future__ import annotations

from typing import Any

from ...errors import NotStorableError


class Refusal(Exception):  # noqa: N818 - never leaves the codec; its public face is NotStorableError
    """A value that cannot be stored; `trail` collects the containers around it, innermost first."""

    def __init__(self, reason: str, error: type[NotStorableError] = NotStorableError):
        super().__init__(reason)
        self.reason = reason
        self.error = error
        self.trail: list[Any] = []
