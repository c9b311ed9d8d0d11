"""Decoded snapshots of observations, which a compare can use without changing them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from .. import codec


class MutableSnapshot:
    """A snapshot that is mutable: `load` decodes it again for each compare."""

    __slots__ = ("load",)

    def __init__(self, load: Callable[[], Any]) -> None:
        self.load = load


def decode_snapshots(row: Sequence[bytes | None]) -> list[Any]:
    """Return the snapshots of an observation, with equal ones decoded once."""
    known: dict[bytes | None, Any] = {None: None}
    for data in row:
        if data is not None and data not in known:
            known[data] = _decode_snapshot(data)
    return [known[data] for data in row]


def _decode_snapshot(data: bytes) -> Any:
    value = codec.decode(data, lenient=True)
    return value if codec.is_immutable(value) else MutableSnapshot(codec.copier(data, value, lenient=True))


def load_snapshot(snapshot: Any) -> Any:
    """Return a snapshot as a value that a compare may modify."""
    return snapshot.load() if type(snapshot) is MutableSnapshot else snapshot
