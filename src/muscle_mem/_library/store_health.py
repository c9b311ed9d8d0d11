"""What receives reports on the store."""

from __future__ import annotations

from typing import Protocol


class StoreHealth(Protocol):
    """A receiver of reports on the store. `failures` is empty while the store works."""

    failures: dict[str, int]

    def failed(self, operation: str, error: BaseException) -> None: ...
    def succeeded(self, operation: str) -> None: ...
    def corrupted(self, message: str) -> None: ...
