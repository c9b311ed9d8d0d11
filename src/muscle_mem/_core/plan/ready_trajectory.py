"""A trajectory joined with the live tools, and its observations.

Replays choose from the observations.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

import msgspec

from ..binding.references.masking import Places, places_of
from ..binding.references.resolve import params_as_words, params_in_texts, parts_in, references_in, secrets_used
from ..model.records import Body, Expr, Lit, Part, Row, StepRecord
from ..tools.tool import Tool
from .answers import prepare_looks
from .compatibility import requirements
from .parallel import call_id, comparison_ids, decode_body, reorder_body
from .snapshots import Settled, masked_positions, row_snapshots
from .step import PlanStep, Refusal
from .trust import IN_A_ROW, TRUSTS, TWICE

if TYPE_CHECKING:
    from .evidence import Conditions
    from .learning import Learning


class ReadyTrajectory:
    """A trajectory joined with the tools that existed when it was loaded.

    `StoredTrajectory.join` makes it. `refusal` says why it cannot be replayed; it has no steps then. `head` is its body
    without the steps, of which there are `length`. `plan` holds the joined steps and None behind the last.
    `recorded_at` is in seconds since the epoch. `conditions`, `own_params` and `stop` are what the recordings of a key
    prove together; see `evidence` and `contradiction`. `learning` derives the generalized trajectory that it is a
    parent of. `masked` are the (step, post?) with params in a snapshot, for which `places` has the names that the
    params may stand under, and `settled` what the recordings prove about them.
    `unapproved` says why a person has to approve it first, which one may have done since.
    """

    __slots__ = (
        "_call_ids",
        "_comparison_ids",
        "candidates",
        "company",
        "conditions",
        "has_groups",
        "has_looks",
        "head",
        "id",
        "is_expired",
        "is_unconditional",
        "learning",
        "length",
        "masked",
        "needed_outputs",
        "overrides",
        "own_params",
        "params_as_numbers",
        "params_as_words",
        "params_in_texts",
        "places",
        "plan",
        "recorded_at",
        "refusal",
        "requirements",
        "sealed",
        "secrets",
        "seq",
        "settled",
        "siblings",
        "standing",
        "steps",
        "stop",
        "trust",
        "unapproved",
        "unchecked_tools",
    )

    parent_ids: tuple[str, ...] = ()
    """The trajectories that a generalized one was derived from."""

    loop_steps: Container[int] = ()
    """The steps of loops over lists, and those that return these lists (L11)."""

    parents_trust = 0
    """The level of evidence that a generalized trajectory has from its parents (D6)."""

    def __init__(self, sealed: Any, seq: int, standing: Any, body: Body, recorded_at: float) -> None:
        self.sealed = sealed
        self.id: str = sealed.id
        self.seq = seq
        self.standing = standing
        self.recorded_at = recorded_at
        self.is_expired = False
        self.head = msgspec.structs.replace(body, steps=())
        self.length = len(body.steps)
        self.has_groups = any(record.group for record in body.steps)
        exprs = [(at, expr) for at, record in enumerate(body.steps) for _, expr in record.arguments]
        exprs = [(at, expr) for at, expr in exprs if type(expr) is not Lit]
        self.needed_outputs = _needed_outputs(body, exprs)
        self.params_in_texts = _params_in(exprs, params_in_texts)
        self.params_as_words = _params_in(exprs, params_as_words)
        self.params_as_numbers = _params_as_numbers(exprs)
        self.secrets = tuple([(at, body.steps[at].tool, name) for at, expr in exprs for name in secrets_used(expr)])
        self.candidates: list[Candidate] = []
        self.conditions: Conditions | None = None
        self.own_params: frozenset[str] = frozenset()
        self.stop: Refusal | None = None
        self.learning: Learning | None = None
        self.masked: frozenset[tuple[int, bool]] = frozenset()
        self.places: Places = {}
        self.settled: Settled = {}
        self.refusal: Refusal | None = None
        self.is_unconditional = False
        self.has_looks = False
        self.siblings: tuple[ReadyTrajectory, ...] = (self,)
        self.company: Sequence[ReadyTrajectory] = ()
        self.steps: list[PlanStep] = []
        self.plan: list[PlanStep | None] = []
        self.trust = 0
        self.overrides: dict[Tool, set[str]] = {}
        self.requirements: tuple[tuple[int, PlanStep], ...] = ()
        self.unchecked_tools: tuple[str, ...] = ()
        self.unapproved: Refusal | None = None
        self._call_ids: tuple[bytes, ...] = ()
        self._comparison_ids: tuple[bytes, ...] = ()

    def set_steps(self, steps: list[PlanStep]) -> None:
        """Add the joined steps, and derive from them what a run must provide."""
        self.steps = steps
        self.plan = [*steps, None]
        tools = dict.fromkeys([(step.tool, step.pre is None) for step in steps])
        self.trust = max([tool.trust for tool, _ in tools], default=0)
        self.requirements = requirements(steps)
        self.overrides = _overrides_of(steps, [candidate.row for candidate in self.candidates])
        self.unchecked_tools = tuple(
            dict.fromkeys(
                [tool.name for tool, is_bare in tools if is_bare and not tool.is_read_only and not tool.checks_itself]
            )
        )
        self.masked = masked_positions(candidate.row for candidate in self.candidates)
        for at, _ in self.masked:
            steps[at].stay_off_quick_path()
        is_conditional = self.requirements or self.unchecked_tools or self.trust or self.secrets or self.head.params
        self.is_unconditional = not is_conditional

    def note_places(self, body: Body) -> None:
        """Note under which names params may stand in snapshots, if there are any in them."""
        if self.masked:
            self.places = places_of(body.steps, body.params)

    def require_approval(self, why: Refusal) -> None:
        """Require that a person approves the trajectory before it is replayed."""
        self.unapproved = why
        self.trust = len(TRUSTS) - 1
        self.is_unconditional = False

    def set_siblings(self, siblings: Sequence[ReadyTrajectory], company: Sequence[ReadyTrajectory]) -> None:
        """Set the trajectories of the key with the same calls.

        This one is among them. Their answers count together. `company` are all trajectories of the key.
        """
        is_other = len(self.company) != len(company)
        self.company = company
        if is_other or self.siblings != tuple(siblings):
            self.siblings = tuple(siblings)
            self.has_looks = False
            for candidate in self.candidates:
                candidate._replay_plan = None

    def same_calls(self) -> Iterator[Candidate]:
        """Yield all recordings of the same calls."""
        for trajectory in self.siblings:
            for candidate in trajectory.candidates:
                if not candidate.refresh:
                    yield candidate

    def doubted(self, step: int) -> tuple[int, StepRecord]:
        """Return where a call is that a condition names, and its record."""
        return step, self.body.steps[step]

    @property
    def known_loops(self) -> int:
        """The number of loops whose list was read in this run."""
        return 0

    def iteration_of(self, position: int) -> tuple[int, int, int] | None:  # noqa: ARG002 - a loop has steps
        """Return the loop of a step, its iteration, and their number; else None (L11)."""
        return None

    @property
    def known_stop(self) -> Refusal | None:
        """The reason why replays stop before one of the steps, whatever a run brings."""
        return self.stop

    def set_stop(self, stop: Refusal | None) -> None:
        """Set or lift the reason why replays stop before one of the steps.

        They stop whatever a run brings. That step leaves the quick path, which asks nothing.
        """
        if self.stop is not None and self.stop.step < len(self.steps):
            self.steps[self.stop.step].leave_quick_path(False)
        self.stop = stop
        if stop is not None and stop.step < len(self.steps):
            self.steps[stop.step].leave_quick_path(True)

    @property
    def body(self) -> Body:
        """The recorded calls, decoded again on each access.

        No hit reads them, and they would take more memory than the plan made of them.
        """
        return reorder_body(decode_body(self.sealed.body), self.head.order)

    @property
    def call_ids(self) -> tuple[bytes, ...]:
        """The `parallel.call_id` of each step, computed on first access."""
        if not self._call_ids:
            self.prepare_call_ids(self.body)
        return self._call_ids

    def prepare_call_ids(self, body: Body) -> None:
        """Compute `call_ids` from a body that is decoded already."""
        self._call_ids = tuple(map(call_id, body.steps))

    @property
    def comparison_ids(self) -> tuple[bytes, ...]:
        """The `parallel.comparison_ids` of the steps, computed on first access."""
        if not self._comparison_ids:
            self.prepare_comparison_ids()
        return self._comparison_ids

    def prepare_comparison_ids(self, body: Body | None = None) -> None:
        """Compute `comparison_ids` now, since hits that compare candidates decode no body."""
        if self.has_groups:
            self._comparison_ids = comparison_ids((body or self.body).steps)
            return
        if body is not None and not self._call_ids:
            self.prepare_call_ids(body)
        self._comparison_ids = self.call_ids


def _needed_outputs(body: Body, exprs: Iterable[tuple[int, Expr]]) -> frozenset[int]:
    """Return the steps whose outputs later steps use or are guarded by."""
    needed = {guard.step for record in body.steps if record.guards for guard in record.guards}
    return frozenset(needed.union(*[references_in(expr) for _, expr in exprs]))


def _overrides_of(steps: list[PlanStep], rows: list[Row]) -> dict[Tool, set[str]]:
    """Return the overrides through which all steps of a tool were called."""
    found: dict[Tool, set[str]] = {}
    if not any(row.overrides for row in rows):
        return found
    for index, step in enumerate(steps):
        if step.method:
            seen = {row.overrides[index] for row in rows if index < len(row.overrides)}
            found[step.tool] = found.get(step.tool, seen) & seen
    return found


def _params_in(exprs: Iterable[tuple[int, Expr]], names_in: Callable[[Expr], Sequence[str]]) -> tuple[str, ...]:
    return tuple(dict.fromkeys([name for _, expr in exprs for name in names_in(expr)]))


def _params_as_numbers(exprs: Iterable[tuple[int, Expr]]) -> tuple[Part, ...]:
    """Return the params and parts of params that are texts and are passed as numbers."""
    return tuple(dict.fromkeys([part for _, expr in exprs for part in parts_in(expr) if part.form == "number"]))


class Candidate:
    """One observation of a trajectory.

    `value_step` is the step whose output is the value of a hit, or -1; `replay_plan` sets it. `estimated_bytes` is its
    size in memory with its large parts, once it was estimated.
    """

    __slots__ = (
        "_post_snapshots",
        "_pre_snapshots",
        "_replay_plan",
        "estimated_bytes",
        "id",
        "refresh",
        "row",
        "seq",
        "trajectory",
        "value_step",
    )

    def __init__(self, trajectory: ReadyTrajectory, seq: int, id: str, row: Row, refresh: bool = False) -> None:
        self.trajectory = trajectory
        self.seq = seq
        self.id = id
        self.row = row
        self.refresh = refresh
        self._pre_snapshots: list[Any] | None = None
        self._post_snapshots: list[Any] | None = None
        self._replay_plan: tuple[list[Any], list[Any], list[Any]] | None = None
        self.value_step = -1
        self.estimated_bytes: tuple[int, tuple[bytes, ...]] | None = None

    def replay_plan(self) -> tuple[list[Any], list[Any], list[Any]]:
        """Return the trajectory's plan, and the snapshots before and after its steps."""
        if self._replay_plan is None:
            if not self.trajectory.has_looks:
                prepare_looks(self.trajectory)
            self.value_step = self._certain_value_step()
            self._replay_plan = self.trajectory.plan, self.snapshots(False), self.snapshots(True)
        return self._replay_plan

    def _certain_value_step(self) -> int:
        """Return the step whose output is the value of a hit; -1 if none is (D5).

        Where one of several outputs of a tool was returned, the agent may have chosen it: two recordings must agree.
        The result of the last act is not a choice.
        """
        trajectory, at = self.trajectory, self.row.result
        if not 0 <= at < len(trajectory.steps):
            return -1
        tool = trajectory.steps[at].tool
        is_end = at == len(trajectory.steps) - 1 and not tool.is_read_only
        if is_end or sum(step.tool is tool for step in trajectory.steps) < 2:
            return at
        others = [candidate.row.result for candidate in trajectory.same_calls()]
        again = any(sibling.standing.reason.startswith((TWICE, IN_A_ROW)) for sibling in trajectory.siblings)
        return at if set(others) == {at} and (len(others) > 1 or again) else -1

    def with_trajectory(self, trajectory: ReadyTrajectory) -> Candidate:
        """Return the same observation for its trajectory loaded again."""
        copied = Candidate(trajectory, self.seq, self.id, self.row, self.refresh)
        copied._pre_snapshots, copied._post_snapshots, copied.estimated_bytes = (
            self._pre_snapshots,
            self._post_snapshots,
            self.estimated_bytes,
        )
        return copied

    def snapshots(self, post: bool) -> list[Any]:
        """Return the snapshots of all steps.

        They are immutable values, `MutableSnapshot` or `MaskedSnapshot`.
        """
        if post:
            if self._post_snapshots is None:
                self._post_snapshots = row_snapshots(self.row, True)
            return self._post_snapshots
        if self._pre_snapshots is None:
            self._pre_snapshots = row_snapshots(self.row, False)
        return self._pre_snapshots

    def due_at(self, position: int) -> int:
        """Return how many steps are done when a step's post-check runs (C10)."""
        if self.row.judged:
            return self.row.judged[position]
        return self.trajectory.steps[position].group_stop or position + 1

    def stored_snapshot(self, position: int, post: bool) -> bytes | None:
        """Return the stored bytes of one snapshot."""
        return (self.row.post if post else self.row.pre)[position]

    def has_same_snapshot(self, other: Candidate, position: int, post: bool) -> bool:
        """Return whether both observations' snapshot is compared with the same values."""
        if self.stored_snapshot(position, post) != other.stored_snapshot(position, post):
            return False
        return (position, post) not in self.trajectory.masked or (
            self.row.chances[position : position + 1] == other.row.chances[position : position + 1]
            and self.trajectory.settled == other.trajectory.settled
        )
