"""A stored trajectory made ready: its steps joined with the live tools, its arguments as far as they are constant."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import msgspec

from ...errors import DecodeError
from .. import codec
from ..binding.params import Params
from ..binding.resolve import params_in_texts, references_in, secrets_used
from ..model.blobs import message, read_row
from ..model.reason import Reason
from ..model.records import Body, Lit, Row, share_names, share_values
from ..model.text import short
from .compatibility import asking, misfit
from .parallel import (
    agreed_order,
    arranged,
    arranged_row,
    call_id,
    checked,
    checked_row,
    ids_of,
    inverse,
    row_in_memory,
    spans,
)
from .step import OpenStep, PlanStep, Refusal, Registry, planned


class Fresh:
    """A snapshot that is mutable: decoded anew by `open` for each compare, which might change it."""

    __slots__ = ("open",)

    def __init__(self, open: Callable[[], Any]) -> None:
        self.open = open


class Trajectory:
    """One stored trajectory in memory: decoded and joined with the tools once.

    `head` is its body without the steps, of which there are `length`; `in_texts` are the params that stand in texts,
    `grouped` says that it has parallel groups. `plan` are the joined steps, with None behind the last.
    """

    __slots__ = (
        "_body",
        "_call_ids",
        "_ids",
        "_joined",
        "asking",
        "candidates",
        "expired",
        "grouped",
        "head",
        "id",
        "in_texts",
        "key",
        "length",
        "needed",
        "plain",
        "plan",
        "recorded",
        "refusal",
        "sealed",
        "secrets",
        "seq",
        "standing",
        "steps",
        "task",
        "trust",
        "unchecked",
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
        self.grouped = any(record.group for record in body.steps)
        self.steps: list[PlanStep] = []
        self._body: Body | None = body
        self._call_ids: tuple[bytes, ...] = ()
        self._ids: tuple[bytes, ...] = ()
        self.plan: list[Any] = []
        self.secrets: tuple[tuple[int, str, str], ...] = tuple(
            (index, record.tool, name)
            for index, record in enumerate(body.steps)
            for _, expr in record.arguments
            if type(expr) is not Lit
            for name in secrets_used(expr)
        )
        self.in_texts = tuple(
            dict.fromkeys(
                name for record in body.steps for _, expr in record.arguments for name in params_in_texts(expr)
            )
        )
        self.refusal: Refusal | None = None
        self.candidates: list[Candidate] = []
        self.asking: tuple[tuple[int, PlanStep], ...] = ()
        self.unchecked: tuple[str, ...] = ()
        self.trust = 0
        self.plain = False
        self.needed = needed_outputs(body)
        self.recorded = 0.0  # by the clock, in seconds since the epoch
        self.expired = False
        self._joined = False

    @property
    def body(self) -> Body:
        """The recorded calls. Once they are joined they are decoded again whenever somebody asks, which no hit does:
        they would take more room than the plan that was made of them.
        """
        if self._body is not None:
            return self._body
        body = _body_of(self.sealed)
        order = self.head.order
        return body if order == body.order else _in_order(body, _places(body, order), order)

    @property
    def call_ids(self) -> tuple[bytes, ...]:
        """As `groups.call_id`, of each step; made when it is first asked for."""
        if not self._call_ids:
            self._call_ids = tuple(map(call_id, self.body.steps))
        return self._call_ids

    @property
    def ids(self) -> tuple[bytes, ...]:
        """As `groups.ids_of`; made when it is first asked for."""
        if not self._ids:
            self.make_ids()
        return self._ids

    def make_ids(self) -> None:
        """Have `ids` ready: whoever has company is compared by them on the way of a hit, where nothing is decoded."""
        self._ids = ids_of(self.body.steps) if self.grouped else self.call_ids

    def rearrange(self, order: tuple[int, ...]) -> None:
        """Bring the members of groups into another order, before anything is joined."""
        body = self.body
        places = _places(body, order)
        self._body = _in_order(body, places, order)
        self.head = msgspec.structs.replace(self.head, order=order)
        self._call_ids = self._ids = ()
        self.needed = needed_outputs(self._body)
        for candidate in self.candidates:
            candidate.row = arranged_row(candidate.row, places)

    def join(self, registry: Registry) -> Refusal | None:
        """Find the live tools, once; the refusal says what is missing or has changed.

        Tools that come later are for a trajectory loaded later: a run may be replaying this one.
        """
        if not self._joined:
            self.refusal = self._join(registry)
            asks = self.asking or self.unchecked or self.trust or self.secrets or self.head.params
            self.plain = self.refusal is None and not asks
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
            refusal = misfit(record, tool, index)
            if refusal is not None:
                return refusal
            try:
                given = keywords[index] if index < len(keywords) else ()
                steps.append(planned(self, index, record, tool, given))
            except DecodeError as error:
                message = f"step {index} ({record.tool}): {error}"
                return Refusal(Reason.NOT_REPLAYABLE, message, index, record.tool)
        for start, stop in spans(records):
            opening = tuple(at for at in range(start + 1, stop) if not records[at].late)
            for at in range(start, stop):
                member = steps[at]
                assert isinstance(member, OpenStep)
                member.opens = () if at > start else opening
                member.stop = stop
                member.joined = at in opening
        if not all(step.simple and not step.tool.optional and not (step.pre and step.pre.wait) for step in steps):
            self._call_ids = tuple(map(call_id, records))  # asked for on the way of a hit, where nothing is decoded
        self.steps = steps
        self.plan = [*steps, None]
        self.trust = max((step.tool.trust for step in steps), default=0)
        self.asking = asking(steps)
        self.unchecked = tuple(
            dict.fromkeys(step.tool.name for step in steps if step.pre is None and not step.tool.reads_only)
        )
        return None

    def refused_by_params(self, params: Params) -> Refusal | None:
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
            if params.kind(name) != kind:
                then = kind.rpartition(":")[2] or "without a canonical form"
                message = f"param {name!r} was {then} when this was recorded, and is {short(values[name])} now"
                return Refusal(Reason.PARAM_GUARD, message)
        for name, digest in body.fixed:
            if params.fingerprint(name) != digest:
                return Refusal(
                    Reason.PARAM_GUARD,
                    f"the recording is valid only for the value that param {name!r} had: a step holds it in a way that "
                    "cannot be replaced, or no step uses it",
                )
        for group in body.equal:
            if len({params.likeness(name) for name in group}) > 1:
                return Refusal(
                    Reason.PARAM_AMBIGUOUS,
                    f"params {', '.join(group)} had equal values when this was recorded, so which one a step meant "
                    "cannot be told now that they differ",
                )
        for name in self.in_texts:
            if type(values[name]) not in (str, int):
                return Refusal(Reason.PARAM_GUARD, f"param {name!r} stands in a text, but is {short(values[name])} now")
        return None


def _body_of(sealed: Any) -> Body:
    return checked(message(sealed.body, Body))


def _places(body: Body, order: Sequence[int]) -> list[int]:
    """Where the steps of a body come when their order becomes another."""
    back = inverse(order)
    return [back[rank] for rank in body.order or range(len(body.steps))]


def _in_order(body: Body, places: Sequence[int], order: tuple[int, ...]) -> Body:
    return msgspec.structs.replace(body, steps=arranged(body.steps, places), order=order)


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

    __slots__ = ("_made", "_posts", "_pres", "id", "refresh", "row", "seq", "trajectory", "weight")

    def __init__(self, trajectory: Trajectory, seq: int, id: str, row: Row, refresh: bool = False) -> None:
        self.trajectory = trajectory
        self.seq = seq
        self.id = id
        self.row = row
        self.refresh = refresh
        self._pres: list[Any] | None = None
        self._posts: list[Any] | None = None
        self._made: tuple[list[Any], list[Any], list[Any]] | None = None
        self.weight: tuple[int, tuple[bytes, ...]] | None = None  # in memory, once it was asked for

    def plan(self) -> tuple[list[Any], list[Any], list[Any]]:
        """The steps, joined before, with None behind the last; and the snapshots before and after them."""
        if self._made is None:
            self._made = self.trajectory.plan, self.snapshots(False), self.snapshots(True)
        return self._made

    def again(self, trajectory: Trajectory) -> Candidate:
        """The same observation of the same trajectory, which was loaded anew."""
        again = Candidate(trajectory, self.seq, self.id, self.row, self.refresh)
        again._pres, again._posts, again.weight = self._pres, self._posts, self.weight
        return again

    def snapshots(self, post: bool) -> list[Any]:
        """The snapshots of all steps, each as a value to share or as `Fresh` bytes."""
        if post:
            if self._posts is None:
                self._posts = _ready_all(self.row.post)
            return self._posts
        if self._pres is None:
            self._pres = _ready_all(self.row.pre)
        return self._pres

    def renewed(self, seen: Mapping[tuple[int, bool], bytes], post: bool) -> tuple[bytes | None, ...]:
        """The snapshots of this observation, with those that sliding checks have `seen` in a run put in (B7)."""
        row = list(self.row.post if post else self.row.pre)
        for (place, is_post), data in seen.items():
            if is_post != post or place >= len(row):
                continue
            step = self.trajectory.steps[place]
            check = step.post if post else step.pre
            if check is None:
                continue
            row[place] = data
            if check.parts:
                known = open_snapshot(self.snapshots(post)[place])
                row[place] = codec.canonical(check.renewed(codec.decode(data, lenient=True), known))
        return tuple(row)

    def due(self, place: int) -> int:
        """How many steps have been made when the post-check of a step is asked (C10)."""
        if self.row.judged:
            return self.row.judged[place]
        return self.trajectory.steps[place].stop or place + 1

    def data(self, place: int, post: bool) -> bytes | None:
        """The stored bytes of one snapshot."""
        return (self.row.post if post else self.row.pre)[place]


def _ready_all(row: Sequence[bytes | None]) -> list[Any]:
    """Equal snapshots are decoded once, as none of them can be changed through what a compare is given."""
    known: dict[bytes | None, Any] = {None: None}
    for data in row:
        if data is not None and data not in known:
            known[data] = _ready(data)
    return [known[data] for data in row]


def _ready(data: bytes) -> Any:
    value = codec.decode(data, lenient=True)
    return value if codec.immutable(value) else Fresh(codec.copier(data, value, lenient=True))


def open_snapshot(snapshot: Any) -> Any:
    """The snapshot as a value that a compare may do with as it likes."""
    return snapshot.open() if type(snapshot) is Fresh else snapshot


def load(stored: Any, known: Trajectory | None = None) -> Trajectory:
    """Decode what a store holds. Raises DecodeError for anything we did not write.

    `known` is the same trajectory as it was loaded before: its observations that are still there are not read again.
    An observation with the same id and sequence number is the same.
    """
    body = _body_of(stored.sealed)
    for record in body.steps:
        share_names(record)
    trajectory = Trajectory(stored, body)
    shared: dict[bytes, bytes] = {}
    equal: dict[Any, Any] = {}
    before: dict[tuple[int, str, bool], Candidate] = {}
    if known is not None and known.candidates:
        before = {(one.seq, one.id, one.refresh): one for one in known.candidates}
        share_values(known.candidates[0].row, equal)
    for seq, observation in stored.observations:
        same = before.get((seq, observation.id, observation.refresh))
        if same is not None:
            trajectory.candidates.append(same.again(trajectory))
            continue
        row = read_row(observation.body, observation.blobs, shared)
        if len(row.pre) != len(body.steps) or len(row.post) != len(body.steps):
            raise DecodeError(f"observation {observation.id} has another number of steps than its trajectory")
        row = checked_row(body, row_in_memory(row, body.order))
        share_values(row, equal)
        trajectory.candidates.append(Candidate(trajectory, seq, observation.id, row, observation.refresh))
    return trajectory


def align(trajectories: Sequence[Trajectory]) -> None:
    """Have the trajectories of a key ready to be compared, place by place, before they are joined.

    Groups that several of them begin with come in one order: that in which the first of them, the newest, had recorded
    them.
    """
    agreed: dict[bytes, Sequence[int]] = {}
    for trajectory in trajectories:
        if trajectory.grouped:
            order = agreed_order(trajectory.body, agreed)
            if order != (trajectory.head.order or tuple(range(len(order)))):
                trajectory.rearrange(order)
    if sum(len(trajectory.candidates) for trajectory in trajectories) > 1:
        for trajectory in trajectories:
            trajectory.make_ids()
