"""A stored trajectory made ready: its steps joined with the live tools, its arguments as far as they are constant."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import msgspec

from ...errors import DecodeError
from .. import codec
from ..binding.params import Params
from ..binding.resolve import params_in_texts, references_in, secrets_used
from ..model.blobs import decode_message, unpack_row
from ..model.reason import Reason
from ..model.records import Body, Lit, Row, intern_names, intern_values
from ..model.text import safe_repr
from .compatibility import incompatibility, requirements
from .parallel import (
    agreed_order,
    call_id,
    comparison_ids,
    group_spans,
    invert,
    reorder_row,
    reorder_steps,
    row_from_stored_order,
    validated_body,
    validated_row,
)
from .step import BoundStep, PlanStep, Refusal, Registry, make_step


class MutableSnapshot:
    """A snapshot that is mutable: decoded again by `load` for each compare, which might change it."""

    __slots__ = ("load",)

    def __init__(self, load: Callable[[], Any]) -> None:
        self.load = load


class Trajectory:
    """One stored trajectory in memory: decoded and joined with the tools once.

    `head` is its body without the steps, of which there are `length`; `params_in_texts` are the params that stand in
    texts, `has_groups` says that it has parallel groups. `plan` are the joined steps, with None behind the last.
    """

    __slots__ = (
        "_body",
        "_call_ids",
        "_comparison_ids",
        "_joined",
        "candidates",
        "has_groups",
        "head",
        "id",
        "is_expired",
        "is_unconditional",
        "key",
        "length",
        "needed_outputs",
        "params_in_texts",
        "plan",
        "recorded_at",
        "refusal",
        "requirements",
        "sealed",
        "secrets",
        "seq",
        "standing",
        "steps",
        "task",
        "trust",
        "unchecked_tools",
    )

    def __init__(self, stored: Any, body: Body) -> None:
        self.sealed: Any = stored.sealed
        self.id: str = stored.sealed.id
        self.key: bytes = stored.sealed.key
        self.task: str = stored.sealed.task
        self.seq: int = stored.seq
        self.standing = stored.standing
        self.head = msgspec.structs.replace(body, steps=())
        self.length = len(body.steps)
        self.has_groups = any(record.group for record in body.steps)
        self.steps: list[PlanStep] = []
        self._body: Body | None = body
        self._call_ids: tuple[bytes, ...] = ()
        self._comparison_ids: tuple[bytes, ...] = ()
        self.plan: list[Any] = []
        self.secrets: tuple[tuple[int, str, str], ...] = tuple(
            (index, record.tool, name)
            for index, record in enumerate(body.steps)
            for _, expr in record.arguments
            if type(expr) is not Lit
            for name in secrets_used(expr)
        )
        self.params_in_texts = tuple(
            dict.fromkeys(
                name for record in body.steps for _, expr in record.arguments for name in params_in_texts(expr)
            )
        )
        self.refusal: Refusal | None = None
        self.candidates: list[Candidate] = []
        self.requirements: tuple[tuple[int, PlanStep], ...] = ()
        self.unchecked_tools: tuple[str, ...] = ()
        self.trust = 0
        self.is_unconditional = False
        self.needed_outputs = needed_outputs(body)
        self.recorded_at = 0.0  # by the clock, in seconds since the epoch
        self.is_expired = False
        self._joined = False

    @property
    def body(self) -> Body:
        """The recorded calls. Once they are joined they are decoded again on demand, which no hit does:
        they would take more room than the plan that was made of them.
        """
        if self._body is not None:
            return self._body
        body = _decode_body(self.sealed)
        order = self.head.order
        return body if order == body.order else _reordered_body(body, _new_positions(body, order), order)

    @property
    def call_ids(self) -> tuple[bytes, ...]:
        """As `groups.call_id`, of each step; made when it is first asked for."""
        if not self._call_ids:
            self._call_ids = tuple(map(call_id, self.body.steps))
        return self._call_ids

    @property
    def comparison_ids(self) -> tuple[bytes, ...]:
        """As `groups.comparison_ids`; made when it is first asked for."""
        if not self._comparison_ids:
            self.prepare_comparison_ids()
        return self._comparison_ids

    def prepare_comparison_ids(self) -> None:
        """Have `comparison_ids` ready: several are compared by them on the way of a hit, where nothing is decoded."""
        self._comparison_ids = comparison_ids(self.body.steps) if self.has_groups else self.call_ids

    def reorder(self, order: tuple[int, ...]) -> None:
        """Bring the members of groups into another order, before anything is joined."""
        body = self.body
        positions = _new_positions(body, order)
        self._body = _reordered_body(body, positions, order)
        self.head = msgspec.structs.replace(self.head, order=order)
        self._call_ids = self._comparison_ids = ()
        self.needed_outputs = needed_outputs(self._body)
        for candidate in self.candidates:
            candidate.row = reorder_row(candidate.row, positions)

    def join(self, registry: Registry) -> Refusal | None:
        """Find the live tools, once; the refusal says what is missing or has changed.

        Tools that come later are for a trajectory loaded later: a run may be replaying this one.
        """
        if not self._joined:
            self.refusal = self._join(registry)
            is_conditional = self.requirements or self.unchecked_tools or self.trust or self.secrets or self.head.params
            self.is_unconditional = self.refusal is None and not is_conditional
            self._joined = True
            self._body = None
        return self.refusal

    def _join(self, registry: Registry) -> Refusal | None:
        if not self.candidates:
            return Refusal(Reason.DAMAGED, f"every observation of trajectory {self.id} is damaged and not used")
        keywords = self.candidates[0].row.keywords
        records = self.body.steps
        steps: list[PlanStep] = []
        for index, record in enumerate(records):
            tool = registry.resolve(record)
            if isinstance(tool, Refusal):
                return msgspec.structs.replace(tool, step=index, tool=record.tool)
            refusal = incompatibility(record, tool, index)
            if refusal is not None:
                return refusal
            try:
                given = keywords[index] if index < len(keywords) else ()
                steps.append(make_step(self, index, record, tool, given))
            except DecodeError as error:
                message = f"step {index} ({record.tool}): {error}"
                return Refusal(Reason.NOT_REPLAYABLE, message, index, record.tool)
        for start, stop in group_spans(records):
            opening = tuple(at for at in range(start + 1, stop) if not records[at].late)
            for at in range(start, stop):
                member = steps[at]
                assert isinstance(member, BoundStep)
                member.opening_members = () if at > start else opening
                member.group_stop = stop
                member.is_opening_member = at in opening
        if not all(step.is_inline and not step.tool.optional and not (step.pre and step.pre.wait) for step in steps):
            self._call_ids = tuple(map(call_id, records))  # asked for on the way of a hit, where nothing is decoded
        self.steps = steps
        self.plan = [*steps, None]
        self.trust = max((step.tool.trust for step in steps), default=0)
        self.requirements = requirements(steps)
        self.unchecked_tools = tuple(
            dict.fromkeys(step.tool.name for step in steps if step.pre is None and not step.tool.is_read_only)
        )
        return None

    def params_refusal(self, params: Params) -> Refusal | None:
        """Why this run's params do not fit: missing, new, guarded, or ambiguous."""
        body = self.head
        values = params.values
        for name in body.params:
            if name not in values:
                return Refusal(Reason.PARAM_MISSING, f"param {name!r} was given when this was recorded; give it again")
        for name in values:
            if name not in body.params and name not in params.secret:
                return Refusal(Reason.PARAM_GUARD, f"param {name!r} was not given when this was recorded")
        for name, kind in zip(body.params, body.kinds, strict=False):
            if params.type_name(name) != kind:
                then = kind.rpartition(":")[2] or "without a canonical form"
                message = f"param {name!r} was {then} when this was recorded, and is {safe_repr(values[name])} now"
                return Refusal(Reason.PARAM_GUARD, message)
        for name, digest in body.fixed:
            if params.digest_of(name) != digest:
                return Refusal(
                    Reason.PARAM_GUARD,
                    f"the recording is valid only for the value that param {name!r} had: a step holds it in a way that "
                    "cannot be replaced, or no step uses it",
                )
        for group in body.equal:
            if len({params.equality_key(name) for name in group}) > 1:
                return Refusal(
                    Reason.PARAM_AMBIGUOUS,
                    f"params {', '.join(group)} had equal values when this was recorded, so which one a step meant "
                    "cannot be determined now that they differ",
                )
        for name in self.params_in_texts:
            if type(values[name]) not in (str, int):
                return Refusal(
                    Reason.PARAM_GUARD, f"param {name!r} stands in a text, but is {safe_repr(values[name])} now"
                )
        return None


def _decode_body(sealed: Any) -> Body:
    return validated_body(decode_message(sealed.body, Body))


def _new_positions(body: Body, order: Sequence[int]) -> list[int]:
    """Where the steps of a body come when their order becomes another."""
    back = invert(order)
    return [back[rank] for rank in body.order or range(len(body.steps))]


def _reordered_body(body: Body, positions: Sequence[int], order: tuple[int, ...]) -> Body:
    return msgspec.structs.replace(body, steps=reorder_steps(body.steps, positions), order=order)


def needed_outputs(body: Body) -> frozenset[int]:
    """The steps whose outputs later steps refer to, or are guarded by."""
    needed = {guard.step for record in body.steps for guard in record.guards}
    for record in body.steps:
        for _, expr in record.arguments:
            if type(expr) is not Lit:
                needed |= references_in(expr)
    return frozenset(needed)


class Candidate:
    """One observation of one trajectory."""

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
    )

    def __init__(self, trajectory: Trajectory, seq: int, id: str, row: Row, refresh: bool = False) -> None:
        self.trajectory = trajectory
        self.seq = seq
        self.id = id
        self.row = row
        self.refresh = refresh
        self._pre_snapshots: list[Any] | None = None
        self._post_snapshots: list[Any] | None = None
        self._replay_plan: tuple[list[Any], list[Any], list[Any]] | None = None
        self.estimated_bytes: tuple[int, tuple[bytes, ...]] | None = None  # in memory, once it was asked for

    def replay_plan(self) -> tuple[list[Any], list[Any], list[Any]]:
        """The steps, joined before, with None behind the last; and the snapshots before and after them."""
        if self._replay_plan is None:
            self._replay_plan = self.trajectory.plan, self.snapshots(False), self.snapshots(True)
        return self._replay_plan

    def with_trajectory(self, trajectory: Trajectory) -> Candidate:
        """The same observation of the same trajectory, which was loaded again."""
        copied = Candidate(trajectory, self.seq, self.id, self.row, self.refresh)
        copied._pre_snapshots, copied._post_snapshots, copied.estimated_bytes = (
            self._pre_snapshots,
            self._post_snapshots,
            self.estimated_bytes,
        )
        return copied

    def snapshots(self, post: bool) -> list[Any]:
        """The snapshots of all steps, each as a value to share or as `MutableSnapshot` bytes."""
        if post:
            if self._post_snapshots is None:
                self._post_snapshots = _decode_snapshots(self.row.post)
            return self._post_snapshots
        if self._pre_snapshots is None:
            self._pre_snapshots = _decode_snapshots(self.row.pre)
        return self._pre_snapshots

    def refreshed(self, seen: Mapping[tuple[int, bool], bytes], post: bool) -> tuple[bytes | None, ...]:
        """The snapshots of this observation, with those that sliding checks have `seen` in a run put in (B7)."""
        row = list(self.row.post if post else self.row.pre)
        for (position, is_post), data in seen.items():
            if is_post != post or position >= len(row):
                continue
            step = self.trajectory.steps[position]
            check = step.post if post else step.pre
            if check is None:
                continue
            row[position] = data
            if check.parts:
                known = load_snapshot(self.snapshots(post)[position])
                row[position] = codec.canonical(check.refreshed(codec.decode(data, lenient=True), known))
        return tuple(row)

    def due_at(self, position: int) -> int:
        """How many steps have been made when the post-check of a step is asked (C10)."""
        if self.row.judged:
            return self.row.judged[position]
        return self.trajectory.steps[position].group_stop or position + 1

    def stored_snapshot(self, position: int, post: bool) -> bytes | None:
        """The stored bytes of one snapshot."""
        return (self.row.post if post else self.row.pre)[position]


def _decode_snapshots(row: Sequence[bytes | None]) -> list[Any]:
    """Equal snapshots are decoded once, as none of them can be changed through what a compare is given."""
    known: dict[bytes | None, Any] = {None: None}
    for data in row:
        if data is not None and data not in known:
            known[data] = _decode_snapshot(data)
    return [known[data] for data in row]


def _decode_snapshot(data: bytes) -> Any:
    value = codec.decode(data, lenient=True)
    return value if codec.is_immutable(value) else MutableSnapshot(codec.copier(data, value, lenient=True))


def load_snapshot(snapshot: Any) -> Any:
    """The snapshot as a value that a compare may do with as it likes."""
    return snapshot.load() if type(snapshot) is MutableSnapshot else snapshot


def load_trajectory(stored: Any, known: Trajectory | None = None) -> Trajectory:
    """Decode what a store holds. Raises DecodeError for anything we did not write.

    `known` is the same trajectory as it was loaded before: its observations that are still there are not read again.
    An observation with the same id and sequence number is the same.
    """
    body = _decode_body(stored.sealed)
    for record in body.steps:
        intern_names(record)
    trajectory = Trajectory(stored, body)
    shared: dict[bytes, bytes] = {}
    equal: dict[Any, Any] = {}
    known_candidates: dict[tuple[int, str, bool], Candidate] = {}
    if known is not None and known.candidates:
        known_candidates = {
            (candidate.seq, candidate.id, candidate.refresh): candidate for candidate in known.candidates
        }
        intern_values(known.candidates[0].row, equal)
    for seq, observation in stored.observations:
        same = known_candidates.get((seq, observation.id, observation.refresh))
        if same is not None:
            trajectory.candidates.append(same.with_trajectory(trajectory))
            continue
        row = unpack_row(observation.body, observation.blobs, shared)
        if len(row.pre) != len(body.steps) or len(row.post) != len(body.steps):
            raise DecodeError(f"observation {observation.id} has another number of steps than its trajectory")
        row = validated_row(body, row_from_stored_order(row, body.order))
        intern_values(row, equal)
        trajectory.candidates.append(Candidate(trajectory, seq, observation.id, row, observation.refresh))
    return trajectory


def align_groups(trajectories: Sequence[Trajectory]) -> None:
    """Have the trajectories of a key ready to be compared, position by position, before they are joined.

    Groups that several of them begin with come in one order: that in which the first of them, the newest, had recorded
    them.
    """
    agreed: dict[bytes, Sequence[int]] = {}
    for trajectory in trajectories:
        if trajectory.has_groups:
            order = agreed_order(trajectory.body, agreed)
            if order != (trajectory.head.order or tuple(range(len(order)))):
                trajectory.reorder(order)
    if sum(len(trajectory.candidates) for trajectory in trajectories) > 1:
        for trajectory in trajectories:
            trajectory.prepare_comparison_ids()
