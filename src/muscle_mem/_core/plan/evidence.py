"""Evidence that the recordings of a key give together for their literals (E11).

It is computed from stored data when a key is loaded, so that two processes cannot disagree. One recording is evidence
for one set of values. A literal that another run could have made differently is replayed only for the same values, on
the same day. Two recordings that agree in the literal, but differ in what is suspected, confirm it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import chain
from typing import Any

import msgspec

from ..binding.params.search import Params
from ..binding.suspicions.kinds import (
    COMPUTED,
    DAY,
    DERIVED,
    IRREVERSIBLE,
    MADE_UP,
    MONTH,
    PARAM,
    PART,
    YEAR,
    trace_digest,
)
from ..binding.texts.figures import is_number, rank
from ..binding.texts.pieces import literal_pieces
from ..model.reason import Reason
from ..model.records import ParamTrace, Row, Suspicion
from ..model.text import safe_repr
from .contradiction import NO_VERDICTS, Verdicts, contradictions
from .derived import sources_by_step
from .param_evidence import has_grown, has_shrunk, spelled_message, suspected_message, told_apart
from .ready_trajectory import Candidate, ReadyTrajectory
from .snapshots import settled_leaves
from .step import Refusal
from .strikes import strike_guards
from .trust import is_pending

OUTSIDE_SPAN = 5
"""The number of witnesses with distinct values that confirm a narrow literal for all values."""

_CALENDAR = {DAY: 10, MONTH: 7, YEAR: 4}
"""The number of characters of an ISO date that must be equal."""


class Open(msgspec.Struct, frozen=True):
    """A suspicion that no second recording has removed, at a step."""

    step: int
    suspicion: Suspicion


class Circumstances(msgspec.Struct, frozen=True):
    """The values of a run that a suspicion may depend on.

    `day` is its local ISO date.
    """

    key: bytes
    params: Params
    day: str
    process: str


class Conditions:
    """The conditions under which trajectories with equal calls may be replayed.

    `derived` holds for some steps the figures of earlier outputs that they may be replayed with.
    """

    __slots__ = ("_open", "_ordered", "_unsuspected", "_values", "_witnesses", "derived")

    def __init__(self, rows: Sequence[Row], recorded_at: Sequence[float] = ()) -> None:
        self._witnesses = [row.witness for row in rows if row.witness is not None]
        traces = [{trace.name: trace for trace in witness.params} for witness in self._witnesses]
        self._values = traces
        self._unsuspected = told_apart(rows)
        found = dict.fromkeys(
            Open(step, suspicion)
            for row in rows
            for step, suspicions in enumerate(row.suspicions)
            for suspicion in suspicions
        )
        self._open = [doubt for doubt in found if doubt.suspicion.kind != DERIVED and not self._is_constant(doubt)]
        self._ordered = _ordered_pairs(traces)
        self.derived = sources_by_step(rows, recorded_at)

    def __bool__(self) -> bool:
        return bool(self._open or self._ordered or self.derived or any(self._values))

    @property
    def restricts_start(self) -> bool:
        """Return whether something must be known of a run before it may start."""
        return bool(self._open or self._ordered)

    def _is_constant(self, doubt: Open) -> bool:
        """Return whether recordings under other circumstances agree in a literal."""
        suspicion = doubt.suspicion
        if suspicion.kind in (PARAM, PART):
            return all(self._is_told_apart(doubt, name) for name in suspicion.params)
        if suspicion.kind == MADE_UP:
            count = _CALENDAR.get(suspicion.form)
            if count is not None:
                return len({witness.day[:count] for witness in self._witnesses}) > 1
            return len({(witness.day, witness.process) for witness in self._witnesses}) > 1
        return all(self._is_confirmed(name, suspicion) for name in suspicion.params)

    def _is_told_apart(self, doubt: Open, name: str) -> bool:
        """Return whether a recording has the same literal without such a form.

        Its value of the param has no form that matches the literal.
        """
        return bool(self._unsuspected.get((doubt.step, doubt.suspicion.leaf, name)))

    def _ranks(self, name: str) -> list[float]:
        return [trace.rank for traces in self._values if (trace := traces.get(name)) and trace.rank is not None]

    def _is_confirmed(self, name: str, suspicion: Suspicion, params: Params | None = None) -> bool:
        """Return whether two recordings that differ in a param agree in the literal.

        A narrow literal that may have been computed needs more: a number between those recorded, or five recordings.
        """
        digests = {traces[name].digest for traces in self._values if name in traces}
        if len(digests) < 2:
            return False
        is_computed = suspicion.kind == COMPUTED and suspicion.form != IRREVERSIBLE
        if not suspicion.is_narrow or not is_computed or len(digests) >= OUTSIDE_SPAN:
            return True
        return params is not None and self._is_between(name, params)

    def _is_between(self, name: str, params: Params) -> bool:
        """Return whether a run's number is between recorded ones.

        Weekdays, months and lengths go up and down between two dates or lists.
        """
        value, ranks = _rank_of(params, name), self._ranks(name)
        if value is None or not ranks or not is_number(params.values[name]):
            return False
        return min(ranks) <= value <= max(ranks)

    def refusal(self, run: Circumstances, *, ignored: Sequence[str] = ()) -> tuple[Open | None, str]:
        """Return the suspicion that prevents a replay, if any, and its subject.

        `ignored` are kinds of suspicions that the engine ignores.
        """
        digests: dict[str, bytes] = {}
        for name in run.params.plain_names():
            digests[name] = trace_digest(run.key, run.params, name)
        for doubt in self._open:
            suspicion = doubt.suspicion
            if suspicion.kind in ignored:
                continue
            if suspicion.kind == MADE_UP:
                if not self._is_same_time(suspicion.form, run):
                    return doubt, ""
                continue
            name = self._unconfirmed_param(suspicion, run.params, digests)
            if name:
                return doubt, name
        return None, self._other_order(run.params)

    def _is_same_time(self, form: str, run: Circumstances) -> bool:
        count = _CALENDAR.get(form)
        return count is not None and any(witness.day[:count] == run.day[:count] for witness in self._witnesses)

    def _unconfirmed_param(self, suspicion: Suspicion, params: Params, digests: Mapping[str, bytes]) -> str:
        """Return the first param whose value may need another literal; empty if none may."""
        first = ""
        for traces in self._values or [{}]:
            missing = ""
            for name in suspicion.params:
                trace = traces.get(name)
                if trace is not None and trace.digest == digests.get(name):
                    continue
                if suspicion.kind in (PARAM, PART) or not self._is_confirmed(name, suspicion, params):
                    missing = name
                    break
            if not missing:
                return ""
            first = first or missing
        return first

    def _other_order(self, params: Params) -> str:
        """Return two params that no recording had in this order, as a text, or ''."""
        for (one, two), orders in self._ordered.items():
            ranks = _rank_of(params, one), _rank_of(params, two)
            if ranks[0] is not None and ranks[1] is not None and _sign(ranks[0], ranks[1]) not in orders:
                return f"{one}, {two}"
        return ""

    def unseen_value(self, names: Iterable[str], run: Circumstances) -> str:
        """Return the first of some params whose value no recording of these calls had.

        Return an empty text if there is none.
        """
        for name in sorted(names):
            digests = {traces[name].digest for traces in self._values if name in traces}
            if trace_digest(run.key, run.params, name) not in digests:
                return name
        return ""

    def respelled_number(self, names: Iterable[str], words: Iterable[str], params: Params) -> str:
        """Return a number in a text that may now be written otherwise.

        It may need separators, or zeros before it.

        `words` are the params that stand in sentences.
        """
        grown = (name for name in names if has_grown(params.values.get(name), self._ranks(name)))
        shrunk = (name for name in words if has_shrunk(params.values.get(name), self._ranks(name)))
        return next(chain(grown, shrunk), "")

    def unseen_params(self, run: Circumstances) -> str:
        """Return a param with a new value that the recordings do not vouch for, or ''.

        Two recordings with other values do. The value of a number, date or time must be between theirs, since the
        agent may do something else beyond a bound.
        """
        for name in run.params.plain_names():
            digests = {traces[name].digest for traces in self._values if name in traces}
            if not digests or trace_digest(run.key, run.params, name) in digests:
                continue
            if len(digests) == 1:
                return name
            value, ranks = _rank_of(run.params, name), self._ranks(name)
            if ranks and (value is None or not min(ranks) <= value <= max(ranks)):
                return name
        return ""


def _rank_of(params: Params, name: str) -> float | None:
    return rank(params.values[name]) if name in params.values else None


def _sign(one: float, two: float) -> int:
    return (one > two) - (one < two)


def _ordered_pairs(traces: Sequence[Mapping[str, ParamTrace]]) -> dict[tuple[str, str], frozenset[int]]:
    """Return the pairs of params that all recordings had in one order (E2)."""
    found: dict[tuple[str, str], set[int]] = {}
    for given in traces:
        ranked = [(name, trace.rank) for name, trace in sorted(given.items()) if trace.rank is not None]
        for index, (one, rank_one) in enumerate(ranked):
            for two, rank_two in ranked[index + 1 :]:
                found.setdefault((one, two), set()).add(_sign(rank_one, rank_two))
    return {pair: frozenset(orders) for pair, orders in found.items() if len(orders - {0}) < 2}


def weigh(trajectories: Iterable[ReadyTrajectory]) -> None:
    """Derive the conditions of the trajectories of one key from all their recordings.

    Trajectories with the same calls share their evidence: they differ only in where their literals were seen. What came
    from elsewhere counts after its approval only.
    """
    given, trajectories = trajectories, []
    for trajectory in given:
        if not is_pending(trajectory.standing):
            trajectories.append(trajectory)
            continue
        _set_verdicts(trajectory, NO_VERDICTS)
        trajectory.set_siblings((trajectory,), (trajectory,))
    verdicts = contradictions(trajectories) if len(trajectories) > 1 else {}
    groups: dict[Any, list[ReadyTrajectory]] = {}
    for trajectory in trajectories:
        _set_verdicts(trajectory, verdicts.get(trajectory.id, NO_VERDICTS))
        if len(trajectories) > 1 or any(map(_is_evidence, trajectory.candidates)):
            groups.setdefault(trajectory.comparison_ids, []).append(trajectory)
    if len(trajectories) > 1:
        _group_same_calls(trajectories)
    elif trajectories:
        trajectories[0].set_siblings(trajectories, trajectories)
    for members in groups.values():
        rows = [candidate.row for member in members for candidate in member.candidates if not candidate.refresh]
        strike_guards(members)
        if not any(_is_evidence(candidate) for member in members for candidate in member.candidates):
            continue
        times = [member.recorded_at for member in members for candidate in member.candidates if not candidate.refresh]
        conditions = Conditions(rows, times)
        settled = settled_leaves(rows) if any(row.chances for row in rows) else {}
        for member in members:
            member.conditions, member.settled = conditions or None, settled
            for step in member.steps:
                step.depend_on(conditions.derived.get(step.position, ()))


def _set_verdicts(trajectory: ReadyTrajectory, found: Verdicts) -> None:
    """Set what other recordings say about a trajectory, and remove its conditions."""
    trajectory.set_stop(found.stop)
    trajectory.own_params = found.own_params
    trajectory.conditions = None
    trajectory.settled = {}
    for step in trajectory.steps:
        step.depend_on(())


def _group_same_calls(trajectories: Sequence[ReadyTrajectory]) -> None:
    same: dict[Any, list[ReadyTrajectory]] = {}
    for trajectory in trajectories:
        same.setdefault(trajectory.comparison_ids, []).append(trajectory)
    for members in same.values():
        for member in members:
            member.set_siblings(members, trajectories)


def _is_evidence(candidate: Candidate) -> bool:
    """Return whether an observation says anything about what a run must bring."""
    row = candidate.row
    return bool(row.suspicions or (row.witness is not None and row.witness.params))


def conditions_refusal(trajectory: ReadyTrajectory, run: Circumstances, generalize: str) -> Refusal | None:
    """Return why a run's values need another recording first, if so (E8, E9, E11).

    `generalize` is the engine's option: "computed", "confirmed" or "at_once".
    """
    conditions = trajectory.conditions
    if conditions is None:
        return None
    ignored = (COMPUTED, MADE_UP) if generalize == "at_once" else ()
    doubt, about = conditions.refusal(run, ignored=ignored)
    if doubt is not None:
        return _refusal(trajectory, doubt, about)
    if about and generalize != "at_once":
        message = (
            f"params {about} are in another order than when this was recorded, and the agent may have compared them; "
            "one more recording confirms it"
        )
        return Refusal(Reason.UNCONFIRMED, message)
    other = conditions.unseen_value(trajectory.own_params, run)
    if other:
        message = (
            f"param {other!r} has a value that was not recorded, and recordings with other values of it differ in "
            "arguments that do not hold it. Record this value."
        )
        return Refusal(Reason.PARAM_GUARD, message)
    respelled = ""
    if generalize != "at_once":
        respelled = conditions.respelled_number(trajectory.params_in_texts, trajectory.params_as_words, run.params)
    if respelled:
        return Refusal(Reason.UNCONFIRMED, spelled_message(respelled))
    name = conditions.unseen_params(run) if generalize == "confirmed" else ""
    if name:
        message = (
            f"param {name!r} has a value that no recording had, and only one value was recorded so far; "
            "generalize='confirmed' needs two"
        )
        return Refusal(Reason.UNCONFIRMED, message)
    return None


def _refusal(trajectory: ReadyTrajectory, doubt: Open, about: str) -> Refusal:
    step, record = trajectory.doubted(doubt.step)
    piece = literal_pieces(record)[doubt.suspicion.leaf]
    what = f"argument {piece.argument!r} of {record.tool} (step {step}) is {safe_repr(piece.value)}"
    kind = doubt.suspicion.kind
    if kind == MADE_UP:
        when = {DAY: "for its day", MONTH: "for its month", YEAR: "for its year"}.get(
            doubt.suspicion.form, "for one run"
        )
        message = f"{what}, which may have been made {when}; another recording with the same value confirms it"
        return Refusal(Reason.UNCONFIRMED, message, step, record.tool)
    if kind == COMPUTED:
        message = (
            f"{what}, which may have been computed from param {about!r}; a second recording confirms it, or let a tool "
            "return it"
        )
        return Refusal(Reason.UNCONFIRMED, message, step, record.tool)
    message = suspected_message(what, doubt.suspicion, about, f"{record.tool}.{piece.argument}")
    return Refusal(Reason.PARAM_GUARD, message, step, record.tool)
