"""Recordings of one task that contradict each other (E7).

The agent made a value up, or chose by something unseen.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import msgspec

from ...errors import DecodeError, NotStorableError
from .. import codec
from ..binding.outputs.elements import ECHO_KINDS
from ..binding.references.resolve import expression_text
from ..binding.texts.pieces import Piece, expression_pieces
from ..model.lazy import lazy
from ..model.reason import Reason
from ..model.records import Body, Expr, Guard, Lit, Node, Row, StepRecord
from ..model.text import safe_repr
from .ready_trajectory import Candidate, ReadyTrajectory
from .recorded_answers import answers_of, output_data
from .step import Refusal
from .trust import IN_A_ROW, trust_level

MAX_COMPARED = 16
"""The newest recordings with the same tools; each one of a key is compared with them."""

Place = tuple[str, tuple[int, ...]]
"""Where a leaf stands: the argument, and the children that lead to it."""


Leaves = tuple[Expr | Piece | None, Expr | Piece | None]
"""A leaf of two recordings; None where a recording has none."""


class Difference(msgspec.Struct, frozen=True):
    """The first argument in which two recordings differ without a reason.

    `texts` show both values.
    """

    step: int
    tool: str
    argument: str
    texts: tuple[str, str]


class Verdicts(msgspec.Struct, frozen=True):
    """What the other recordings say of one trajectory.

    `stop` is why its value is not sent again, with the step; `own_params` are the params for whose recorded values
    alone it is valid, since another recording has another literal for another value.
    """

    stop: Refusal | None
    own_params: frozenset[str]


NO_VERDICTS = Verdicts(None, frozenset())


def contradictions(trajectories: Iterable[ReadyTrajectory]) -> dict[str, Verdicts]:
    """Return what the recordings of a key say of each other.

    The result is by the ids of the trajectories concerned.
    """
    groups: dict[tuple[Any, ...], list[_Compared]] = {}
    for trajectory in trajectories:
        if trajectory.candidates and trajectory.steps:
            tools = tuple((step.tool.name, step.tool.fingerprint) for step in trajectory.steps)
            groups.setdefault((tools, trajectory.head.params), []).append(_Compared(trajectory))
    found: dict[str, Verdicts] = {}
    for members in groups.values():
        members.sort(key=lambda member: -member.trajectory.seq)
        for one in members if len(members) > 1 else ():
            others = [other for other in members[:MAX_COMPARED] if other is not one]
            verdicts = _verdicts(one, others, one is members[0])
            if verdicts.stop is not None or verdicts.own_params:
                found[one.trajectory.id] = verdicts
    return found


class _Compared:
    """One trajectory with what the comparison needs.

    Its calls are decoded only if nothing else distinguishes it.
    """

    def __init__(self, trajectory: ReadyTrajectory) -> None:
        self.trajectory = trajectory
        self.rows = [candidate for candidate in trajectory.candidates if not candidate.refresh]

    @lazy
    def body(self) -> Body:
        return self.trajectory.body

    @lazy
    def leaves(self) -> list[tuple[tuple[Place, Expr | Piece], ...]]:
        return [tuple(_leaves(record)) for record in self.body.steps]

    def guards(self, step: int) -> tuple[Guard, ...]:
        """Return the guards of a step: what in the outputs its literals were taken from."""
        return tuple(guard for guard in self.body.steps[step].guards if guard.kind not in ECHO_KINDS)

    @property
    def is_vouched_for(self) -> bool:
        """Return whether a person approved it, or the latest two recordings are of it."""
        standing = self.trajectory.standing
        return trust_level(standing) == 2 or standing.reason.startswith(IN_A_ROW)


def _verdicts(one: _Compared, others: Sequence[_Compared], is_newest: bool) -> Verdicts:
    stop: tuple[int, str, Leaves] | None = None
    own: set[str] = set()
    may_stop = not (one.is_vouched_for and (is_newest or trust_level(one.trajectory.standing) == 2))
    for other in others:
        if all(_has_reason(ours, theirs, 0) for ours in one.rows for theirs in other.rows):
            continue
        for step, argument, leaves in _differences(one, other):
            if _is_seen_by_check(one, step, argument) or one.guards(step) != other.guards(step):
                continue
            params = _differing_params(one, other, step)
            if params is None:
                continue
            if params:
                own |= params
            elif may_stop and (stop is None or step < stop[0]):
                stop = step, argument, leaves
    if stop is None:
        return Verdicts(None, frozenset(own))
    step, argument, (ours, theirs) = stop
    found = Difference(step, one.body.steps[step].tool, argument, (_text(ours), _text(theirs)))
    return Verdicts(_refusal(found), frozenset(own))


def _refusal(found: Difference) -> Refusal:
    message = (
        f"argument {found.argument!r} of {found.tool} (step {found.step}) was {found.texts[0]} in one recording and "
        f"{found.texts[1]} in another: give it with inject=, as a param or from a tool's output, or declare "
        f"any=[{found.argument!r}]"
    )
    return Refusal(Reason.VALUE_VARIES, message, found.step, found.tool, seen=found.texts[1], expected=found.texts[0])


def _differences(one: _Compared, other: _Compared) -> Iterator[tuple[int, str, Leaves]]:
    """Yield the steps in which a leaf differs and no guard explains it."""
    for step, (ours, theirs) in enumerate(zip(one.leaves, other.leaves, strict=True)):
        if ours == theirs:
            continue
        tool = one.trajectory.steps[step].tool if step < len(one.trajectory.steps) else None
        mine, other_leaves = dict(ours), dict(theirs)
        for place in mine.keys() | other_leaves.keys():
            a, b = mine.get(place), other_leaves.get(place)
            if a == b or (tool is not None and place[0] in tool.any):
                continue
            yield step, place[0], (a, b)
            break


def _is_seen_by_check(one: _Compared, step: int, argument: str) -> bool:
    """Return whether the step's pre-check looks at an argument.

    It then sees the place that the agent chose.
    """
    steps = one.trajectory.steps
    if step >= len(steps) or steps[step].pre is None:
        return False
    used = steps[step].pre.used_parameters  # type: ignore[union-attr]  # There is a check.
    tool = steps[step].tool
    place = tool.parameter_order.get(argument)
    return used is not None and place is not None and place + tool.method in used


def _leaves(record: StepRecord) -> Iterator[tuple[Place, Expr | Piece]]:
    """Yield the leaves of a call with their places.

    They are literal pieces, and whatever else explains a leaf.
    """
    for name, expr in record.arguments:
        yield from _expression_leaves(name, expr, ())


def _expression_leaves(name: str, expr: Expr, path: tuple[int, ...]) -> Iterator[tuple[Place, Expr | Piece]]:
    if isinstance(expr, Node):
        for index, item in enumerate(expr.items):
            yield from _expression_leaves(name, item, (*path, index))
    elif isinstance(expr, Lit):
        for piece in expression_pieces(name, expr, path):
            yield (name, piece.path), _canonical(piece)
    else:
        yield (name, path), expr


def _canonical(piece: Piece) -> Expr | Piece:
    """Return a piece as a separate literal, so that equal leaves compare equal."""
    try:
        return Lit(codec.canonical(piece.value))
    except NotStorableError:
        return piece


def _text(leaf: Expr | Piece | None) -> str:
    if leaf is None:
        return "left out"
    return safe_repr(leaf.value) if isinstance(leaf, Piece) else expression_text(leaf)


def _differing_params(one: _Compared, other: _Compared, step: int) -> frozenset[str] | None:
    """Return the differing params of recordings that saw the same up to a step.

    Return None if something seen differs. Empty if two recordings with equal params saw the same.
    """
    found: frozenset[str] | None = None
    for ours in one.rows:
        for theirs in other.rows:
            if _has_reason(ours, theirs, step):
                continue
            params = _param_differences(ours.row, theirs.row, one.body)
            if params is not None and (found is None or len(params) < len(found)):
                found = params
            if found is not None and not found:
                return found
    return found


def _has_reason(ours: Candidate, theirs: Candidate, step: int) -> bool:
    """Return whether two recordings differ in what is stored before a step.

    That is what was recorded of the time before it.
    """
    a, b = ours.row, theirs.row
    if theirs.id in a.refused or ours.id in b.refused:
        return True
    if a.pre[: step + 1] != b.pre[: step + 1] or a.post[:step] != b.post[:step]:
        return True
    return any(not _is_same_output(a, b, at) for at in range(step))


def is_unexplained(ours: Sequence[Candidate], theirs: Sequence[Candidate], step: int) -> bool:
    """Return whether recordings with other ids may differ at a step by chance.

    They do not if they saw different answers or snapshots before it.
    """
    return any(not _has_seen_other(one, other, step) for one in ours for other in theirs)


def _has_seen_other(ours: Candidate, theirs: Candidate, step: int) -> bool:
    a, b = ours.row, theirs.row
    if theirs.id in a.refused or ours.id in b.refused:
        return True
    if a.pre[: step + 1] != b.pre[: step + 1] or a.post[:step] != b.post[:step]:
        return True
    return any(answers_of(output_data(a, at) or b"") != answers_of(output_data(b, at) or b"") for at in range(step))


def _is_same_output(a: Row, b: Row, step: int) -> bool:
    one = a.outputs[step] if step < len(a.outputs) else b""
    two = b.outputs[step] if step < len(b.outputs) else b""
    if one == two:
        return bool(one) or a.notes[step : step + 1] == b.notes[step : step + 1]
    if not one or not two:
        return False
    try:
        return answers_of(one) == answers_of(two) and _read(one) == _read(two)
    except (DecodeError, NotStorableError):
        return False


def _read(data: bytes) -> Any:
    """Return the texts and numbers in an output with their places."""
    from ..binding.outputs.index import leaves_of  # Few recordings of a task have different outputs.

    return leaves_of(codec.decode(data, lenient=True))


def _param_differences(a: Row, b: Row, body: Body) -> frozenset[str] | None:
    """Return the names of the params that differ between two recordings.

    Return None if that is not known.
    """
    if a.witness is None or b.witness is None:
        return None if body.params else frozenset()
    mine: Mapping[str, bytes] = {trace.name: trace.digest for trace in a.witness.params}
    theirs = {trace.name: trace.digest for trace in b.witness.params}
    return frozenset(name for name in mine.keys() | theirs.keys() if mine.get(name) != theirs.get(name))


def may_begin(steps: Sequence[Any], stop: int, *, takes_handover: bool) -> bool:
    """Return whether a replay that must stop before a step may begin at all (D1b).

    Its steps up to there must be repeatable without harm, or the agent must learn what was executed.
    """
    effects = [step.tool.effect for step in steps[:stop]]
    if not effects:
        return False
    if takes_handover:
        return "irreversible" not in effects
    return all(effect in ("read", "idempotent") for effect in effects)
