"""Decoded snapshots of observations.

A compare can use them without changing them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from .. import codec
from ..binding.references.masking import is_masked, unpack_mask
from ..model.records import Chance, Expr, Row

Place = tuple[int, bool, bytes]
"""A step, whether it is about its post-check, and the stored bytes of the snapshot."""

Settled = Mapping[Place, frozenset[int]]
"""The leaves of masked snapshots that recordings with other values have explained, by their numbers."""


MAX_SNAPSHOT_BYTES = 16 * 1024  # size of the largest snapshot that a divergence carries


class MutableSnapshot:
    """A snapshot that is mutable: `load` decodes it again for each compare."""

    __slots__ = ("load",)

    def __init__(self, load: Callable[[], Any]) -> None:
        self.load = load


class MaskedSnapshot:
    """A snapshot with params in it, which each run binds to its own values.

    `chances` are the leaves that may have had the param's value by chance. `options` are not empty for a call of a
    loop: the snapshots that recorded iterations had there. The one that is checked is `iteration`: the number of its
    loop, and its own.
    """

    __slots__ = ("chances", "data", "expr", "iteration", "options")

    def __init__(
        self,
        data: bytes,
        expr: Expr,
        chances: tuple[Chance, ...],
        options: tuple[Option, ...] = (),
        iteration: tuple[int, int] = (0, 0),
    ) -> None:
        self.data = data
        self.expr = expr
        self.chances = chances
        self.options = options
        self.iteration = iteration


class Option(NamedTuple):
    """A snapshot of some recorded iterations, which `rows` name."""

    data: bytes
    snapshot: Any
    rows: frozenset[int]


def row_snapshots(row: Row, post: bool) -> list[Any]:
    """Return the snapshots of an observation before or after its steps.

    Equal ones are decoded once.
    """
    stored = row.post if post else row.pre
    known: dict[bytes | None, Any] = {None: None}
    for data in stored:
        if data is not None and data not in known and not is_masked(data):
            known[data] = decode_snapshot(data)
    return [
        known[data] if data is None or data in known else _masked(data, row.chances[at : at + 1], post)
        for at, data in enumerate(stored)
    ]


def _masked(data: bytes, chances: Sequence[tuple[Chance, ...]], post: bool) -> MaskedSnapshot:
    return MaskedSnapshot(data, unpack_mask(data), tuple(c for of in chances for c in of if c.post == post))


def decode_snapshot(data: bytes) -> Any:
    """Return a snapshot as an immutable value, or as a `MutableSnapshot`."""
    value = codec.decode(data, lenient=True)
    return value if codec.is_immutable(value) else MutableSnapshot(codec.copier(data, value, lenient=True))


def load_snapshot(snapshot: Any) -> Any:
    """Return a snapshot as a value that a compare may modify."""
    return snapshot.load() if type(snapshot) is MutableSnapshot else snapshot


def masked_positions(rows: Iterable[Row]) -> frozenset[tuple[int, bool]]:
    """Return (step, post?) of each masked snapshot."""
    return frozenset(
        (at, post)
        for row in rows
        for post, stored in ((False, row.pre), (True, row.post))
        for at, data in enumerate(stored)
        if is_masked(data)
    )


def settled_leaves(rows: Sequence[Row]) -> dict[Place, frozenset[int]]:
    """Return the leaves that may not have had the param's value by chance (E11).

    Two recordings had different values there, and are equal with the params' names in place of them; or one of them
    had the value there only after a step had used it.
    """
    values: dict[Place, dict[int, set[bytes]]] = {}
    early: set[tuple[Place, int]] = set()
    for row in rows:
        for place, chances in _chances_by_place(row):
            for chance in chances:
                values.setdefault(place, {}).setdefault(chance.leaf, set()).add(chance.data)
                if chance.early:
                    early.add((place, chance.leaf))
    if not values:
        return {}
    settled = {place: {leaf for leaf, data in of.items() if len(data) > 1} for place, of in values.items()}
    for row in rows:
        for place, chances in _chances_by_place(row):
            leaves = values.get(place, {}).keys() - {chance.leaf for chance in chances}
            settled.setdefault(place, set()).update(leaf for leaf in leaves if (place, leaf) not in early)
    return {place: frozenset(leaves) for place, leaves in settled.items() if leaves}


def _chances_by_place(row: Row) -> Iterable[tuple[Place, tuple[Chance, ...]]]:
    """Yield the masked snapshots of a row with their chances."""
    for post, stored in ((False, row.pre), (True, row.post)):
        for at, data in enumerate(stored):
            if data is not None and is_masked(data):
                found = row.chances[at] if at < len(row.chances) else ()
                yield (at, post, data), tuple(chance for chance in found if chance.post == post)


def bounded_snapshot(value: Any) -> bytes | None:
    """Return the codec's bytes of a value, or None.

    None stands for too many bytes, or for a value without an encoding.
    """
    try:
        return codec.encode(value, max_bytes=MAX_SNAPSHOT_BYTES)
    except Exception:  # Methods of the value may raise.
        return None
