"""Trajectories with the elements of loops unfolded (L11, L13)."""

from __future__ import annotations

from collections.abc import Container, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from .. import codec
from ..binding.references.for_each import Item
from ..binding.references.replace_leaves import bound_leaves, values_at_bound, with_literals
from ..binding.references.resolve import Env, argument_reader
from ..binding.references.sources import agreed, read
from ..model.records import Body, Row, StepRecord
from .general_trajectory import GeneralTrajectory
from .ready_trajectory import Candidate, ReadyTrajectory
from .snapshots import MaskedSnapshot
from .step import Refusal

if TYPE_CHECKING:
    from .for_each import Fold


class Span(NamedTuple):
    """A loop in an unfolded trajectory: `length` iterations of `size` calls.

    The list is in the output of the call at `source`.
    """

    start: int
    size: int
    length: int
    source: int

    @property
    def stop(self) -> int:
        """The position behind the last call."""
        return self.start + self.size * self.length


class LoopCandidate(Candidate):
    """An observation of a parent, with snapshots of all recorded iterations."""

    __slots__ = ("_options",)

    def __init__(
        self,
        trajectory: ReadyTrajectory,
        origin: Candidate,
        row: Row,
        options: Mapping[tuple[int, bool], MaskedSnapshot],
    ) -> None:
        super().__init__(trajectory, origin.seq, origin.id, row)
        self._options = options

    def snapshots(self, post: bool) -> list[Any]:
        """Return the snapshots of all steps."""
        known = self._post_snapshots if post else self._pre_snapshots
        if known is None:
            known = super().snapshots(post)
            for (at, is_post), snapshot in self._options.items():
                if is_post == post:
                    known[at] = snapshot
        return known


class LoopTrajectory(GeneralTrajectory):
    """A generalized trajectory whose loops have so many iterations as `counts` say.

    The first `known` of the lists are those of this run. Before the next loop, `stop` has the list read, and another
    trajectory goes on. `final_stop` is where the replay stops in any case.
    """

    __slots__ = ("counts", "final_stop", "fold", "known", "layout", "loop_steps", "spans")

    def __init__(self, fold: Fold, body: Body, counts: Sequence[int], known: int, spans: Sequence[Span]) -> None:
        super().__init__(fold.id, fold.standing, body, fold.parents, ())
        self.fold = fold
        self.counts = tuple(counts)
        self.known = known
        self.spans = tuple(spans)
        self.final_stop: Refusal | None = None
        self.layout: Sequence[tuple[Any, int]] = ()
        self.loop_steps: Container[int] = frozenset(
            [at for span in spans for at in (span.source, *range(span.start, span.stop))]
        )

    def doubted(self, step: int) -> tuple[int, StepRecord]:
        """Return where a call is that a condition names, and its record.

        Conditions count the calls of a loop's iterations once.
        """
        slot = self.fold.slots[step]
        position = next((at for at, (own, _) in enumerate(self.layout) if own == slot), 0)
        return position, self.fold.derived.recorded[step]

    @property
    def skeleton(self) -> bytes:
        """The digest of the calls without their values that the id is made of."""
        return self.fold.name

    @property
    def known_stop(self) -> Refusal | None:
        """The reason why replays stop before one of the steps, whatever the lists are."""
        return self.final_stop

    @property
    def known_loops(self) -> int:
        """The number of loops whose list was read in this run."""
        return self.known

    def iteration_of(self, position: int) -> tuple[int, int, int] | None:
        """Return the loop of a step, its iteration, and their number; else None."""
        for number, span in enumerate(self.spans):
            if span.start <= position < span.stop:
                return number, (position - span.start) // span.size, span.length
        return None

    def literal_records(self, env: Env, count: int) -> tuple[StepRecord, ...]:
        """Return the first calls with this run's values in place of what they read.

        Raises LookupError, NotStorableError or Unclear if an output or an argument was changed after it was used.
        """
        records = self.body.steps[:count]
        return tuple([with_literals(record, iter(_sent(record, at, env))) for at, record in enumerate(records)])


def _sent(record: StepRecord, at: int, env: Env) -> list[bytes]:
    reader = argument_reader(env)
    values: list[bytes] = []
    for get in [get for _, expr in record.arguments for get in bound_leaves(expr)]:
        if isinstance(get, Item):
            found = read(get.sources[0], env.results, reader, env.params)
        else:
            found = agreed(get, env.results, reader, env.params)
        values.append(codec.canonical(found))
    step, args, kwargs = env.calls[at]
    given = dict(step.tool.name_arguments(args[step.method :], kwargs))
    sent = [
        codec.canonical(value)
        for name, expr in record.arguments
        if name in given
        for value in values_at_bound(expr, given[name])
    ]
    if given and sent != values:
        raise LookupError("the list has other elements than when the loop began")
    return values
