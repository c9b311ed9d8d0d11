"""Templates of task texts as trajectories, derived from recordings (L14 to L16)."""

from __future__ import annotations

import functools
import itertools
from collections.abc import Callable, Mapping, Sequence
from types import SimpleNamespace
from typing import Any, NamedTuple

from .._core import codec
from .._core.binding.tasks.templates import NUMBERS, Reading, Template, fill, line_up
from .._core.binding.texts.figures import rank
from .._core.model.blobs import pack_row
from .._core.model.reason import Reason
from .._core.model.records import Row, body_bytes
from .._core.plan.candidate_set import CandidateSet
from .._core.plan.evidence import weigh
from .._core.plan.identity import observation_id
from .._core.plan.ready_trajectory import ReadyTrajectory
from .._core.plan.step import Refusal, Registry
from .._core.plan.stored_trajectory import StoredObservation, StoredTrajectory
from .._core.plan.template_calls import Parent, TemplateCalls, constant_fill, line_up_calls
from ..store.base import QUARANTINED, RETIRED, Observation, Sealed, Standing
from .library import Library

NUMBERS_NEEDED = 5
"""The different numbers that must have agreed where a constant may depend on a number (L16)."""

MAX_KEPT = 256


class Recorded(NamedTuple):
    """A recorded text and its newest trajectory."""

    text: str
    reading: Reading
    trajectory: ReadyTrajectory

    @property
    def row(self) -> Row:
        """Its newest observation that no hit made."""
        candidates = self.trajectory.candidates
        return next((one.row for one in candidates if not one.refresh), candidates[0].row)


class Met(NamedTuple):
    """The template that a text fits.

    `candidates` are what may be replayed; `refusal` says why that is nothing yet. `agreed` are the fills with which an
    agent's calls have agreed since.
    """

    template: Template
    key: bytes
    fills: Mapping[str, str]
    places: Mapping[str, tuple[str, ...]]
    candidates: CandidateSet
    refusal: Refusal | None
    texts: tuple[str, ...]
    state: str


Traces = Mapping[str, tuple[bytes, float | None]]
"""A digest of each fill, and the number that it spells."""

KeyOf = Callable[[str, bool], bytes]
"""Returns the key of a text; with True, that of a template."""


def recorded_texts(library: Library, texts: Sequence[tuple[str, Reading]], key_of: KeyOf) -> list[Recorded]:
    """Return the texts whose recordings may be parents of a template.

    Raises what the store raises.
    """
    found: list[Recorded] = []
    for text, reading in texts:
        entry = library.find(key_of(text, False))
        if library.growth.limits.ttl is not None:
            library.expire_old(entry, mark=False)
        bad = any(one.standing.state == QUARANTINED or one.unapproved is not None for one in entry.trajectories)
        candidates = entry.candidate_set.candidates
        if bad or not candidates:
            continue
        trajectory = candidates[0].trajectory
        if trajectory.refusal is None and not trajectory.is_expired and trajectory.standing.state != RETIRED:
            found.append(Recorded(text, reading, trajectory))
    return found


class Templates:
    """The templates of an engine, derived when a text is met."""

    def __init__(self, library: Library, registry: Registry) -> None:
        self._library = library
        self._registry = registry
        self._sets: dict[bytes, tuple[Any, CandidateSet]] = {}
        self._derived: dict[bytes, tuple[Any, TemplateCalls | str, ReadyTrajectory | None]] = {}
        self._lined_up = functools.lru_cache(MAX_KEPT)(_lined_up)

    def meet(self, reading: Reading, texts: Sequence[tuple[str, Reading]], key_of: KeyOf) -> Met | str:
        """Return the template that a text fits, or why there is none.

        Raises what the store raises.
        """
        recorded = recorded_texts(self._library, texts, key_of)
        if len(recorded) < 2:
            return f"{len(recorded) or 'no'} recorded text{'s'[: len(recorded) != 1]} with its words can be lined up"
        fitting: dict[bytes, tuple[Template, Mapping[str, str]]] = {}
        why = ""
        for pair in itertools.combinations(recorded, 2):
            template = self._lined_up(tuple(one.reading for one in pair))
            fills = template if isinstance(template, str) else fill(template, reading)
            if isinstance(template, str) or isinstance(fills, str):
                why = why or str(fills)
                continue
            fitting.setdefault(key_of(str(template), True), (template, fills))
        if len(fitting) != 1:
            return "two templates fit the text: " + _names(fitting) if fitting else why
        ((key, (template, fills)),) = fitting.items()
        parents = [one for one in recorded if not isinstance(fill(template, one.reading), str)]
        calls, derived = self._calls(template, key, parents)
        if isinstance(calls, str) or derived is None:
            return f"the recordings of {str(template)!r} have no calls in common: {calls}"
        return self._joined(template, key, fills, parents, calls, derived)

    def _calls(
        self, template: Template, key: bytes, parents: Sequence[Recorded]
    ) -> tuple[TemplateCalls | str, ReadyTrajectory | None]:
        """Return the calls of a template and their trajectory.

        They are kept until a recording or a tool changes.
        """
        seen = tuple((one.text, one.trajectory.id, one.trajectory.seq) for one in parents)
        mark = template, seen, self._registry.version
        known = self._derived.get(key)
        if known is not None and known[0] == mark:
            return known[1:]
        calls = line_up_calls(template, [_parent(template, one) for one in parents], key, self._constants(parents))
        derived = None if isinstance(calls, str) else self._derive(key, parents, calls)
        for oldest in list(self._derived)[: max(0, len(self._derived) - MAX_KEPT + 1)]:
            self._derived.pop(oldest, None)
        self._derived[key] = mark, calls, derived
        return calls, derived

    def _constants(self, parents: Sequence[Recorded]) -> dict[str, Sequence[str]]:
        return {step.tool.name: tuple(step.tool.const) for step in parents[0].trajectory.steps}

    def _joined(
        self,
        template: Template,
        key: bytes,
        fills: Mapping[str, str],
        parents: Sequence[Recorded],
        calls: TemplateCalls,
        derived: ReadyTrajectory,
    ) -> Met | str:
        clash = constant_fill(calls.body.steps, fills)
        if clash is not None:
            return f"{clash!r} of the text also occurs in a call, and no hole explains it"
        if derived.refusal is not None:
            return derived.refusal.message
        known = self._known(key)
        bad = next((one for one in known if one.standing.state == QUARANTINED), None)
        if bad is not None:
            return f"trajectory {bad.id} of {str(template)!r} is quarantined: {bad.standing.reason}"
        if any(one.call_ids != derived.call_ids for one in known):
            return f"a later recording of {str(template)!r} made other calls"
        agreed = _agreed(calls.rows, known)
        missing = _missing(template, calls, agreed, fills)
        texts = tuple(one.text for one in parents)
        places = calls.places
        if missing and calls.is_narrow:
            message = f"{str(template)!r} is on probation: {missing}"
            return Met(
                template, key, fills, places, CandidateSet(()), Refusal(Reason.PROBATION, message), texts, missing
            )
        trajectories = [derived] if missing else list(known)
        for trajectory in trajectories:
            self._stop(trajectory, template, missing)
        return Met(template, key, fills, places, self._set_of(key, trajectories), None, texts, missing)

    def _known(self, key: bytes) -> Sequence[ReadyTrajectory]:
        """Return the recordings of runs that met the template. Expired ones do not count."""
        entry = self._library.find(key)
        if self._library.growth.limits.ttl is not None:
            self._library.expire_old(entry, mark=False)
        return [one for one in entry.trajectories if not one.is_expired and one.standing.state != RETIRED]

    def _set_of(self, key: bytes, trajectories: list[ReadyTrajectory]) -> CandidateSet:
        mark = [(trajectory.id, id(trajectory)) for trajectory in trajectories]
        known = self._sets.get(key)
        if known is not None and known[0] == mark:
            return known[1]
        for oldest in list(self._sets)[: max(0, len(self._sets) - MAX_KEPT + 1)]:
            self._sets.pop(oldest, None)
        made = CandidateSet(trajectories)
        self._sets[key] = mark, made
        return made

    def _derive(self, key: bytes, parents: Sequence[Recorded], calls: TemplateCalls) -> ReadyTrajectory:
        """Return the trajectory of a template, with an observation of each parent."""
        data = body_bytes(calls.body)
        id = codec.digest(key + data)[:16].hex()
        newest = parents[0].trajectory
        sealed = Sealed(
            id=id,
            key=key,
            body=data,
            steps=newest.length,
            task=newest.sealed.task,
            scope=newest.sealed.scope,
            tags=newest.sealed.tags,
            created=newest.sealed.created,
        )
        stored = StoredTrajectory(
            SimpleNamespace(sealed=sealed, seq=newest.seq, standing=Standing()),
            calls.body,
            min(one.trajectory.recorded_at for one in parents),
        )
        stored.observations = [
            StoredObservation(one.trajectory.seq, observation_id(id, row), row, False)
            for one, row in zip(parents, calls.rows, strict=True)
        ]
        ready = stored.join(self._registry, is_compared=True)
        weigh([ready])
        body, blobs = pack_row(calls.rows[0])
        seen = Observation(id=stored.observations[0].id, body=body, created=sealed.created, blobs=blobs)
        self._library.general_records.remember(sealed, seen)
        return ready

    def _stop(self, trajectory: ReadyTrajectory, template: Template, missing: str) -> None:
        """Stop before an irreversible step, and on probation before one with an effect."""
        for at, step in enumerate(trajectory.steps):
            effect = step.tool.effect
            if effect != "irreversible" and (not missing or effect in ("read", "idempotent")):
                continue
            if trajectory.stop is None or trajectory.stop.step > at:
                why = missing or "an irreversible step is never replayed from a learned template"
                message = f"{str(template)!r} is on probation before {step.tool.name} (step {at}): {why}"
                trajectory.set_stop(Refusal(Reason.PROBATION, message, at, step.tool.name))
            return


def _lined_up(readings: tuple[Reading, ...]) -> Template | str:
    return line_up(readings)


def _parent(template: Template, one: Recorded) -> Parent:
    fills = fill(template, one.reading)
    assert not isinstance(fills, str)
    return Parent(one.trajectory.body, one.row, fills)


def _names(fitting: Mapping[bytes, tuple[Template, Any]]) -> str:
    return ", ".join(repr(str(template)) for template, _ in fitting.values())


def _agreed(rows: Sequence[Row], known: Sequence[ReadyTrajectory]) -> list[Traces]:
    """Return the fills with which later recordings agreed, and those of the parents."""
    own = [_traces(row) for row in rows]
    later: list[Traces] = []
    for trajectory in known:
        for candidate in trajectory.candidates:
            traces = _traces(candidate.row)
            if not candidate.refresh and traces and traces not in own and traces not in later:
                later.append(traces)
    return [*later, *own] if later else []


def _traces(row: Row) -> Traces:
    return {} if row.witness is None else {trace.name: (trace.digest, trace.rank) for trace in row.witness.params}


def _missing(template: Template, calls: TemplateCalls, agreed: Sequence[Traces], fills: Mapping[str, str]) -> str:
    """Return what a template lacks before it may act on a text, if anything (L16)."""
    if not calls.is_narrow:
        return "" if agreed else "the agent's calls must have agreed with it once more"
    for name in [hole.name for hole in template.holes if hole.shape in NUMBERS]:
        seen = {traces[name] for traces in agreed if name in traces}
        if len(seen) < NUMBERS_NEEDED:
            so_far = f"{len(seen)} of them did" if seen else "the agent's calls were not compared yet"
            return (
                f"a constant of its calls may depend on {name}: {NUMBERS_NEEDED} numbers must have agreed, and {so_far}"
            )
        ranks, own = [place for _, place in seen if place is not None], rank(fills[name])
        if own is None or not ranks or not min(ranks) <= own <= max(ranks):
            return f"a constant of its calls may depend on {name}, and {fills[name]} is not between numbers that agreed"
    return ""
