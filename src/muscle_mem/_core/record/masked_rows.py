"""Rows of snapshots with the params' names in place of their values (B12)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import msgspec

from .. import codec
from ..binding.params.search import Params, params_used_in
from ..binding.references.masking import (
    MaskedLeaf,
    Places,
    SnapshotParams,
    bind,
    has_names,
    is_masked,
    masked_leaves,
    places_of,
    unpack_mask,
)
from ..model.records import Chance, Row, StepRecord
from ..plan.parallel import group_spans
from ..plan.ready_trajectory import Candidate
from ..run.bound import expected_snapshot
from ..run.run import Run
from ..tools.check import Check
from ..tools.tool import Tool


class Snapshots(NamedTuple):
    """The snapshots of one step.

    `is_stored` says of each whether it comes from a recording, so that it stays as it is. `chances` are theirs.
    """

    tool: Tool
    pre: bytes | None
    post: bytes | None
    is_stored: tuple[bool, bool] = (False, False)
    chances: tuple[Chance, ...] = ()


class MaskedRow(NamedTuple):
    """The fields of a row that its snapshots make up."""

    pre: tuple[bytes | None, ...]
    post: tuple[bytes | None, ...]
    chances: tuple[tuple[Chance, ...], ...]


def mask_row(steps: Sequence[Snapshots], records: Sequence[StepRecord], params: Params) -> MaskedRow:
    """Return the snapshots of a run as they are stored.

    `records` are the calls, in the same order.
    """
    if not params.canonical or all(step.pre is None and step.post is None for step in steps):
        chances = tuple(step.chances for step in steps)
        return MaskedRow(
            tuple(step.pre for step in steps), tuple(step.post for step in steps), chances if any(chances) else ()
        )
    return _Masking(steps, records, params).row()


class _Masking:
    """The masking of one row: its params, and which of them may be chance."""

    def __init__(self, steps: Sequence[Snapshots], records: Sequence[StepRecord], params: Params) -> None:
        self._steps = steps
        self._records = records
        self._params = params
        self._places: Places = places_of(records, params.plain_names())
        self._masker = SnapshotParams(params, self._places)
        self._used_after = _used_after(records)
        self._filled_after = _filled_after(records)
        self._seen_before: set[Any] = set()
        self._known: dict[tuple[bytes, frozenset[int]], bytes] = {}

    def row(self) -> MaskedRow:
        pre: list[bytes | None] = []
        post: list[bytes | None] = []
        chances: list[tuple[Chance, ...]] = []
        for at, step in enumerate(self._steps):
            found: list[Chance] = []
            pre.append(self._snapshot(at, step, False, found))
            post.append(self._snapshot(at, step, True, found))
            chances.append(tuple(found))
        return MaskedRow(tuple(pre), tuple(post), tuple(chances) if any(chances) else ())

    def _snapshot(self, at: int, step: Snapshots, is_post: bool, found: list[Chance]) -> bytes | None:
        """Return a snapshot in its stored form, and note its chances."""
        data = step.post if is_post else step.pre
        check = step.tool.post if is_post else step.tool.pre
        if data is None:
            return None
        if not step.is_stored[is_post] and check is not None and check.params != "literal":
            data = self._mask(data, check.literal_parts)
        if is_masked(data):
            leaves = list(masked_leaves(unpack_mask(data)))
            mark = self._records[at].post if is_post else self._records[at].pre
            self._note(at, is_post, leaves, mark)
            if step.is_stored[is_post]:
                found += [chance for chance in step.chances if chance.post == is_post]
            else:
                found += self._chances(at, step, check, is_post, leaves, mark)
        return data

    def _mask(self, data: bytes, literal_parts: frozenset[int]) -> bytes:
        """Return a masked snapshot, or the snapshot itself.

        It is masked only if this run's values make the same snapshot again.
        """
        known = self._known.get((data, literal_parts))
        if known is None:
            known = self._masker.mask(data, literal_parts)
            if is_masked(known) and not self._is_same(known, data):
                known = data
            self._known[data, literal_parts] = known
        return known

    def _is_same(self, masked: bytes, data: bytes) -> bool:
        try:
            return codec.canonical(bind(unpack_mask(masked), self._params.values)) == data
        except Exception:  # A class may not be restored from its fields.
            return False

    def _note(self, at: int, is_post: bool, leaves: Sequence[MaskedLeaf], mark: str) -> None:
        """Note the leaves that stood in a snapshot before a step had used the param."""
        for leaf in leaves:
            if self._is_early(at, is_post, leaf):
                self._seen_before.add(_identity(leaf, mark))

    def _is_early(self, at: int, is_post: bool, leaf: MaskedLeaf) -> bool:
        """Return whether a snapshot was captured before the param of a leaf was used."""
        if is_post and self._is_used_by(at, leaf):
            return False
        return at + is_post < self._used_after.get(leaf.expr.name, len(self._records) + 1)

    def _is_used_by(self, at: int, leaf: MaskedLeaf) -> bool:
        return any(leaf.expr.name in params_used_in(expr) for _, expr in self._records[at].arguments)

    def _is_filled(self, at: int, is_post: bool, leaf: MaskedLeaf) -> bool:
        """Return whether a leaf stands under a name that its param had gone to by then."""
        after = self._filled_after.get((leaf.name, leaf.expr.name))
        return after is not None and after <= at + is_post

    def _chances(
        self, at: int, step: Snapshots, check: Check | None, is_post: bool, leaves: Sequence[MaskedLeaf], mark: str
    ) -> Iterable[Chance]:
        is_final = step.tool.effect == "irreversible"
        for number, leaf in enumerate(leaves):
            early = self._is_early(at, is_post, leaf) and not self._may_be_argument(at, step, check, leaf)
            is_late = _identity(leaf, mark) in self._seen_before and not self._is_filled(at, is_post, leaf)
            if early or is_final or is_late:
                value = bind(leaf.expr, self._params.values)
                data = codec.canonical(str(value) if leaf.around else value)
                yield Chance(number, data, is_post, early or is_final)

    def _may_be_argument(self, at: int, step: Snapshots, check: Check | None, leaf: MaskedLeaf) -> bool:
        """Return whether the capture may have taken a leaf from the arguments of the call."""
        used = check.used_parameters if check is not None else frozenset()
        if used is not None and not used - ({0} if step.tool.method else set()):
            return False
        return leaf.expr.name in self._places.get(leaf.name, ()) and self._is_used_by(at, leaf)


def _identity(leaf: MaskedLeaf, mark: str) -> Any:
    """Return what the same leaf of two snapshots has in common.

    `mark` is the fingerprint of the check. Places that are not named mean something within one check only.
    """
    return "" if has_names(leaf.place) else mark, leaf.place, leaf.expr, leaf.around


def _filled_after(records: Sequence[StepRecord]) -> Mapping[tuple[str, str], int]:
    """Return after how many calls each param had gone to each name."""
    found: dict[tuple[str, str], int] = {}
    for at, record in enumerate(records):
        for name, params in places_of([record], ()).items():
            for param in params:
                found.setdefault((name, param), at + 1)
                found.setdefault((param, param), at + 1)
    return found


def _used_after(records: Sequence[StepRecord]) -> Mapping[str, int]:
    """Return after how many calls each param was used.

    These are the calls up to the first one that has it, or up to the end of its parallel group.
    """
    ends = {at: stop for start, stop in group_spans(records) for at in range(start, stop)}
    found: dict[str, int] = {}
    for at, record in enumerate(records):
        for _, expr in record.arguments:
            for name in params_used_in(expr):
                found.setdefault(name, ends.get(at, at + 1))
    return found


# -- rows of a replay


def refreshed_snapshots(run: Run, candidate: Candidate) -> list[Snapshots]:
    """Return a candidate's snapshots, updated with those that this run accepted.

    Only checks with `refresh` keep these (B7).
    """
    row, seen = candidate.row, run.progress.refreshed_snapshots or {}
    found: list[Snapshots] = []
    for at, step in enumerate(candidate.trajectory.steps):
        pre, is_pre_stored = _refreshed(run, candidate, at, False, seen)
        post, is_post_stored = _refreshed(run, candidate, at, True, seen)
        chances = row.chances[at] if at < len(row.chances) else ()
        found.append(Snapshots(step.tool, pre, post, (is_pre_stored, is_post_stored), chances))
    return found


def _refreshed(
    run: Run, candidate: Candidate, at: int, post: bool, seen: Mapping[tuple[int, bool], bytes]
) -> tuple[bytes | None, bool]:
    """Return a snapshot, and whether it is the recorded one."""
    data = seen.get((at, post))
    step = candidate.trajectory.steps[at]
    check = step.post if post else step.pre
    if data is None or check is None:
        return candidate.stored_snapshot(at, post), True
    if check.parts:
        known = expected_snapshot(run, candidate, at, post)
        data = codec.canonical(check.refreshed(codec.decode(data, lenient=True), known))
    return data, False


def refreshed_row(run: Run, candidate: Candidate) -> Row:
    """Return the row that a hit leaves: the recorded one with accepted snapshots."""
    masked = mask_row(refreshed_snapshots(run, candidate), candidate.trajectory.body.steps, run.params)
    changes = {"pre": masked.pre, "post": masked.post, "chances": masked.chances}
    row: Row = msgspec.structs.replace(candidate.row, pictures=(), **changes)  # Pictures show the recorded run.
    return row
