"""Masked snapshots with this run's params in place of their names (B12)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import msgspec

from .. import codec
from ..binding.references.masking import SnapshotParams, bind, masked_leaves, with_literals
from ..binding.suspicions.kinds import trace_digest
from ..model.text import long_repr
from ..plan.ready_trajectory import Candidate, ReadyTrajectory
from ..plan.snapshots import MaskedSnapshot, decode_snapshot, load_snapshot
from .run import Run


class Bound(msgspec.Struct, frozen=True):
    """A masked snapshot with values, and its canonical bytes.

    It is immutable or a `MutableSnapshot`. `problem` says why it has none, if so.
    """

    snapshot: Any
    data: bytes
    problem: str = ""


def bound_forms(run: Run, candidate: Candidate, position: int, post: bool, snapshot: MaskedSnapshot) -> Iterator[Bound]:
    """Yield the forms of a masked snapshot that this run may see, the likeliest first.

    The second has the leaves as recorded that may have had the param's value by chance.
    """
    settled = candidate.trajectory.settled.get((position, post, snapshot.data), frozenset())
    chances = [chance for chance in snapshot.chances if chance.leaf not in settled]
    is_final = candidate.trajectory.steps[position].tool.effect == "irreversible"
    fixed = {chance.leaf: chance.data for chance in chances if chance.early or is_final}
    if is_final:
        problem = _unconfirmed(run, candidate, snapshot, settled | fixed.keys())
        if problem:
            yield Bound(None, b"", problem)
            return
    yield _bound(run, snapshot, fixed)
    late = {chance.leaf: chance.data for chance in chances if chance.leaf not in fixed}
    if late:
        yield _bound(run, snapshot, {**fixed, **late})


def _unconfirmed(run: Run, candidate: Candidate, snapshot: MaskedSnapshot, known: frozenset[int]) -> str:
    """Return why an irreversible step's snapshot cannot be compared.

    That is so if its recorded values are not known.
    """
    witness = candidate.row.witness
    digests = {} if witness is None or candidate.refresh else {trace.name: trace.digest for trace in witness.params}
    for number, leaf in enumerate(masked_leaves(snapshot.expr)):
        name = leaf.expr.name
        if number in known or name not in run.params.canonical:
            continue
        if digests.get(name) != trace_digest(run.key or b"", run.params, name):
            return f"the step is irreversible, and param {name!r} in the snapshot had another value when recorded"
    return ""


def _bound(run: Run, snapshot: MaskedSnapshot, fixed: Mapping[int, bytes]) -> Bound:
    """Return a masked snapshot with this run's params, made once for each run."""
    if run.bound_snapshots is None:
        run.bound_snapshots = {}
    key = snapshot.data, frozenset(fixed.items())
    found: Bound | None = run.bound_snapshots.get(key)
    if found is None:
        try:
            data = codec.canonical(bind(with_literals(snapshot.expr, fixed), run.params.values))
            found = Bound(decode_snapshot(data), data)
        except Exception as error:  # A param may have any value, and a class may be missing.
            found = Bound(None, b"", f"the params of this run do not fit into the snapshot: {long_repr(error)}")
        run.bound_snapshots[key] = found
    return found


def masked_form(run: Run, trajectories: Sequence[ReadyTrajectory], position: int, post: bool, data: bytes) -> bytes:
    """Return a captured snapshot with the names of this run's params (D3).

    The index of snapshots has it in this form.
    """
    trajectory = next((known for known in trajectories if (position, post) in known.masked), None)
    if trajectory is None:
        return data
    step = trajectory.steps[position]
    check = step.post if post else step.pre
    places = SnapshotParams(run.params, trajectory.places)
    return places.mask(data, check.literal_parts if check is not None else frozenset())


def expected_snapshot(run: Run, candidate: Candidate, position: int, post: bool) -> Any:
    """Return the snapshot that a run compares with first.

    The value may be modified.
    """
    snapshot = candidate.snapshots(post)[position]
    if type(snapshot) is MaskedSnapshot and snapshot.options:
        snapshot = snapshot.options[0].snapshot
    if type(snapshot) is MaskedSnapshot:
        snapshot = next(bound_forms(run, candidate, position, post, snapshot)).snapshot
    return load_snapshot(snapshot)
