"""What a test of a store needs to know of it: how it is made, opened again, and spoilt."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ..store.base import Store


class StoreUnderTest:
    """The hooks of `StoreContract`: give `make_store`, and of the others what your store can do.

    `tmp_path` is pytest's folder of the test; a hook may get a folder in it that is not there yet.
    """

    def make_store(self, tmp_path: Path) -> Store:
        """A new, empty store. Called once a folder."""
        raise NotImplementedError("Give make_store(self, tmp_path), which makes the store to be tested.")

    def reopen(self, tmp_path: Path) -> Store | None:  # noqa: ARG002 - a hook
        """Another object on what `make_store` made; None for a store that lives in its object."""
        return None

    def damage(self, tmp_path: Path, what: str, id: str) -> bool:  # noqa: ARG002 - a hook
        """Alter the stored "trajectory", "standing" or "observation" of this id; False if that cannot be.

        For "blob", `id` is that of an observation, and its first blob is what is altered.
        """
        return False

    def blobs_kept(self, tmp_path: Path) -> int | None:  # noqa: ARG002 - a hook
        """How many blobs are in the store that `make_store` made; None if that cannot be determined."""
        return None

    @contextmanager
    def opened(self, tmp_path: Path) -> Iterator[Store]:
        """The store to be tested, closed afterwards."""
        store = self.make_store(tmp_path)
        try:
            yield store
        finally:
            store.close()
