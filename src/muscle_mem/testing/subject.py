"""Hooks of a test for a store: how it is created, reopened and damaged."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from ..store.base import Store


class StoreUnderTest:
    """Hooks of `StoreContract`.

    Implement `make_store`, and the other hooks that the store supports. `tmp_path` is pytest's folder of the test, or a
    folder in it that does not exist yet.
    """

    def make_store(self, tmp_path: Path) -> Store:
        """Return a new, empty store. It is called once for each folder."""
        raise NotImplementedError(
            "make_store() is not implemented. Define make_store(self, tmp_path), which returns the store to test."
        )

    def reopen(self, tmp_path: Path) -> Store | None:  # noqa: ARG002 - a hook
        """Return another object for the data of `make_store`; None if it does not persist."""
        return None

    def damage(self, tmp_path: Path, what: str, id: str) -> bool:  # noqa: ARG002 - a hook
        """Alter stored data, and return whether that is possible.

        Args:
            tmp_path: The folder that `make_store` got.
            what: One of "trajectory", "standing", "observation" and "blob".
            id: The id of what is altered; for "blob" that of the observation whose first blob is altered.

        Returns:
            False if the data of this store cannot be altered. The test then ends.
        """
        return False

    def blobs_kept(self, tmp_path: Path) -> int | None:  # noqa: ARG002 - a hook
        """Return the number of blobs in the store of `make_store`; None if it is unknown."""
        return None

    def saved(self, tmp_path: Path) -> Callable[[], object] | None:  # noqa: ARG002 - a hook
        """Save the data of `make_store`, as a backup does.

        Returns:
            A function that restores the data after the store has been closed; None if this is not possible.
        """
        return None

    def pause_commits(self, pause: Callable[[], None]) -> bool:  # noqa: ARG002 - a hook
        """Call `pause` in the thread of each later write, immediately before its commit.

        Returns:
            False if this is not possible, or if a paused write blocks others.
        """
        return False

    @contextmanager
    def opened(self, tmp_path: Path) -> Iterator[Store]:
        """Open the store to test, and close it afterwards."""
        store = self.make_store(tmp_path)
        try:
            yield store
        finally:
            store.close()
