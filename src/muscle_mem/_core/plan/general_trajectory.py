"""Generalized trajectories: what a replay knows of them (L2).

A generalized trajectory stands beside its parents. Its calls are theirs, but an argument whose value differs from run
to run is read from where all parents took it. `generalized` derives it from the stored parents.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec

from .. import codec
from ..binding.references.replace_leaves import bound_leaves, values_at_bound, with_literals
from ..binding.references.resolve import Env, argument_reader
from ..model.records import Body, StepRecord
from .candidate_set import CandidateSet
from .ready_trajectory import Candidate, ReadyTrajectory
from .trust import trust_level

if TYPE_CHECKING:
    from ..binding.inference.infer import Leaf
    from .flows import Flow


class Settings(NamedTuple):
    """What the engine asks of learned flows.

    `probation` is the number of values that are asked for beside those of the rules, `approves` says that a person
    approves irreversible steps.
    """

    key: bytes
    probation: int = 0
    approves: bool = False


class GeneralTrajectory(ReadyTrajectory):
    """A generalized trajectory, ready to be replayed.

    `parents` are the recordings it was derived from, `flows` what was found out about arguments that differ, `leaves`
    the same with all facts. Its candidates are the observations of its parents.
    """

    __slots__ = ("_body", "_candidate_set", "flows", "leaves", "parent_ids", "parents")

    def __init__(
        self, id: str, standing: Any, body: Body, parents: Sequence[ReadyTrajectory], leaves: Sequence[Leaf]
    ) -> None:
        newest = parents[0]
        super().__init__(newest.sealed, newest.seq, standing, body, newest.recorded_at)
        self.id = id
        self._body = body
        self._candidate_set: CandidateSet | None = None
        self.parents = tuple(parents)
        self.parent_ids = tuple([parent.id for parent in parents])
        self.leaves = tuple(leaves)
        self.flows: tuple[Flow, ...] = ()
        self.learning = newest.learning

    @property
    def parents_trust(self) -> int:  # type: ignore[override]
        """1 if each of the parents had a positive verdict; a review gives more."""
        return min(1, *(trust_level(parent.standing) for parent in self.parents))

    @property
    def candidate_set(self) -> CandidateSet:
        """The observations of the parents, in order of preference."""
        if self._candidate_set is None:
            self._candidate_set = CandidateSet((self,))
        return self._candidate_set

    @property
    def body(self) -> Body:
        """The calls, with what they read in place of values that differ."""
        return self._body

    @property
    def skeleton(self) -> bytes:
        """The digest of the calls without values; empty if they are the parents'."""
        return b""

    def with_records(self, records: tuple[StepRecord, ...]) -> GeneralTrajectory:
        """Return a copy with other calls, which a run of the agent is compared with."""
        made = copy.copy(self)
        made._body = msgspec.structs.replace(self._body, steps=records)
        made._call_ids = ()
        return made

    def origin(self, candidate: Candidate) -> Candidate:
        """Return the observation of a parent that a candidate was made of."""
        return next(own for parent in self.parents for own in parent.candidates if own.id == candidate.id)

    @property
    def comparison_ids(self) -> tuple[bytes, ...]:
        """Those of the newest parent, so that forks of other recordings are found."""
        return self.parents[0].comparison_ids

    def literal_records(self, env: Env, count: int) -> tuple[StepRecord, ...]:
        """Return the first calls with this run's values in place of what they read.

        Raises LookupError, NotStorableError or Unclear if an output or an argument was changed after it was used.
        """
        records = self._body.steps[:count]
        return tuple([with_literals(record, iter(_sent(record, at, env))) for at, record in enumerate(records)])


def _sent(record: StepRecord, at: int, env: Env) -> list[bytes]:
    """Return the values that a call had where it reads them.

    Its sources must still have them, since guards are looked for there.
    """
    from ..binding.references.sources import agreed

    reads = [get for _, expr in record.arguments for get in bound_leaves(expr)]
    values = [codec.canonical(agreed(get, env.results, argument_reader(env), env.params)) for get in reads]
    step, args, kwargs = env.calls[at]
    given = dict(step.tool.name_arguments(args[step.method :], kwargs))
    sent = [
        codec.canonical(value)
        for name, expr in record.arguments
        if name in given  # An optional step that was skipped was given nothing.
        for value in values_at_bound(expr, given[name])
    ]
    if given and sent != values:
        raise LookupError("an output has other values than the call that read them")
    return values
