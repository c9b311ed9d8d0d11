"""The internal exception of the codec for a value that cannot be stored."""

from __future__ import annotations

from typing import Any

from ...errors import NotStorableError


class Refusal(Exception):  # noqa: N818 - internal; the codec raises NotStorableError
    """The refusal of a value that cannot be stored.

    `trail` collects the containers around it, innermost first.
    """

    def __init__(self, reason: str, error: type[NotStorableError] = NotStorableError):
        super().__init__(reason)
        self.reason = reason
        self.error = error
        self.trail: list[Any] = []
