"""The outputs whose figures a step depends on (E10).

The recordings of its calls prove them together.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple

from ...errors import DecodeError
from .. import codec
from ..binding.outputs.figure_digest import by_output, common_figures, figures_apart_from_order, figures_digest
from ..binding.suspicions.kinds import DERIVED
from ..model.records import Row

Pair = tuple[int, bytes]
"""An earlier step and the digest of the figures in its output, or `~step` and the digests of the output's traits."""

ENOUGH_FORMS = 3
"""Recordings with outputs of different lengths that confirm a literal."""

ENOUGH = 5
"""Recordings with different figures that confirm a number below 100, of which few differ by chance."""


class Sources(NamedTuple):
    """The figures that a step may be replayed with.

    They are those of the first `length` pairs, which steps of a row share.
    """

    pairs: tuple[Pair, ...]
    length: int


def sources_by_step(rows: Sequence[Row], recorded_at: Sequence[float] = ()) -> dict[int, tuple[Sources, ...]]:
    """Return for each step the figures that it may be replayed with.

    Steps that any figures suit are left out. `recorded_at` are the times of the rows, in seconds since the epoch.
    """
    found: dict[int, list[Sources]] = {}
    narrow: set[int] = set()
    lacking: dict[int, set[int]] = {}
    for number, row in enumerate(rows):
        for step, sources, is_narrow in _sources_of(row):
            found.setdefault(step, []).append(sources)
            lacking.setdefault(step, set(range(len(rows)))).discard(number)
            narrow.update([step] if is_narrow else ())
    for step, numbers in lacking.items():
        for number in sorted(numbers) if recorded_at else ():
            guarded = _sources_by_outputs(rows[number], found[step][0], recorded_at[number])
            if guarded is not None:
                found[step].append(guarded)
    return {step: kept for step, seen in found.items() if (kept := _accepted(seen, step in narrow))}


def _sources_of(row: Row) -> list[tuple[int, Sources, bool]]:
    """Return the steps of a row that depend on figures, with all of these.

    Return with them whether their literals are narrow.
    """
    pairs: dict[int, bytes] = {}
    stops: list[tuple[int, int, bool]] = []
    for step, suspicions in enumerate(row.suspicions):
        for suspicion in suspicions:
            if suspicion.kind == DERIVED:
                pairs.update(suspicion.sources)
                stops.append((step, len(pairs), suspicion.is_narrow))
    shared = tuple(pairs.items())
    return [(step, Sources(shared, count), is_narrow) for step, count, is_narrow in stops]


def _common(seen: Sequence[Sources], every: Sequence[Sources]) -> tuple[Pair, ...]:
    """Return what recordings have in common.

    It is the figures of those of one form, and the traits of those of every form.
    """
    left = {step: digest for step, digest in seen[0].pairs[: seen[0].length] if step >= 0} if seen else {}
    for sources in seen[1:]:
        there = dict(sources.pairs[: sources.length])
        left = {step: common_figures(digest, there.get(step, b"")) for step, digest in left.items()}
    found = (*left.items(), *_common_traits(every))
    return tuple(sorted(((step, digest) for step, digest in found if digest), key=by_output))


def _common_traits(every: Sequence[Sources]) -> Iterable[Pair]:
    """Return the traits that the outputs of all recordings have."""
    from ..binding.outputs.traits import common_traits  # Loaded with the first step that several recordings prove.

    left = {step: digest for step, digest in every[0].pairs[: every[0].length] if step < 0}
    for sources in every[1:]:
        there = dict(sources.pairs[: sources.length])
        left = {step: common_traits(digest, there.get(step, b"")) for step, digest in left.items()}
    return left.items()


def _sources_by_outputs(row: Row, like: Sources, recorded_at: float) -> Sources | None:
    """Return the same figures of a row whose literal was in an output by chance.

    Return None if they are not stored.
    """
    pairs: list[Pair] = []
    for step, _ in like.pairs[: like.length]:
        at = step if step >= 0 else ~step
        data = row.outputs[at] if at < len(row.outputs) else b""
        if not data:
            return None
        try:
            output = codec.decode(data, lenient=True)
        except DecodeError:
            return None
        digest = figures_digest(output, recorded_at) if step >= 0 else _traits_of(output, recorded_at)
        pairs.append((step, digest or b""))
    return Sources(tuple(pairs), len(pairs))


def _accepted(seen: Sequence[Sources], is_narrow: bool) -> tuple[Sources, ...]:
    """Return which figures suit a step; none if any do.

    What differed between two recordings that agreed in the call does not count, but what their outputs share does: the
    least of a column, for example. A narrow literal may agree by chance:
    it is replayed with figures that were recorded, until enough recordings agreed.
    """
    if len(seen) == 1:
        return (seen[0],) if seen[0].length else ()
    different = {frozenset(_figures_of(sources)): sources for sources in seen}
    told_apart = {_apart_from_order(sources): sources for sources in seen}
    if len(told_apart) == 1 or (is_narrow and len(told_apart) < ENOUGH):
        return tuple(different.values()) if all(different) else ()
    by_form: dict[tuple[tuple[int, int], ...], list[Sources]] = {}
    for sources in told_apart.values():
        form = tuple(sorted((step, len(digest)) for step, digest in _figures_of(sources)))
        by_form.setdefault(form, []).append(sources)
    if 1 < len(by_form) < ENOUGH_FORMS and all(len(alike) == 1 for alike in by_form.values()):
        return tuple(different.values())  # outputs of other lengths have no figures that can be compared
    alike = max(by_form.values(), key=len) if len(by_form) < ENOUGH_FORMS else ()
    common = _common(alike, tuple(told_apart.values()))
    return (Sources(common, len(common)),) if common else ()


def _traits_of(output: Any, now: float) -> bytes:
    from ..binding.outputs.traits import traits_digest

    return traits_digest(output, now)


def _figures_of(sources: Sources) -> Iterator[Pair]:
    return (pair for pair in sources.pairs[: sources.length] if pair[0] >= 0)


def _apart_from_order(sources: Sources) -> frozenset[Pair]:
    """Return the figures without their order, which proves nothing."""
    return frozenset((step, figures_apart_from_order(digest)) for step, digest in _figures_of(sources))
