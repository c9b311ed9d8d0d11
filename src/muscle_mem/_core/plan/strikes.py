"""Guards that were chance, struck by another recording of the calls (L4).

The other recording is of the same calls and contradicts them. A literal that was found in an output may stand there by
chance. Another recording with the same literal, whose output holds something else at that place, says so. Where the
value only moved, to another element of the same list, it is still taken from there, and each recording keeps its own
guard.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import msgspec

from ...errors import DecodeError
from .. import codec
from ..binding.guards.check import stale_value
from ..binding.outputs.elements import COLUMN, ECHO_KINDS, JOINED, TIED
from ..binding.outputs.ties import KNOWN, joined_rows
from ..model.records import Guard
from .ready_trajectory import ReadyTrajectory

MAX_COMPARED = 8
"""The newest recordings that a guard is compared with."""

_PLACES = ("", "figure")
_REASONS = ("first", "last", "least", "most", "first least", "first most", "place")
_EXTREMES = ("least", "most")
_MAX_GUARDS = 64
_ENOUGH = 4  # other recordings that took the same record, though there were others beside it
_UNTRUSTED = ("quarantined", "retired")


def strike_guards(members: Sequence[ReadyTrajectory]) -> None:
    """Have the steps of trajectories with equal calls keep the valid guards.

    A guard is valid if no other trajectory of these contradicts it.
    """
    ready = [member for member in members if member.steps]
    witnesses = [_Recording(member) for member in ready if member.standing.state not in _UNTRUSTED][:MAX_COMPARED]
    for member in ready:
        others = [witness for witness in witnesses if witness.trajectory is not member]
        for position, step in enumerate(member.steps):
            recorded = step.recorded_guards
            if recorded:
                step.keep_guards(_kept(recorded, position, others) if others else recorded)


def _kept(recorded: tuple[Guard, ...], position: int, others: Sequence[_Recording]) -> tuple[Guard, ...]:
    """Return the guards of a step that no other recording strikes.

    Where all places of a value were struck, but the other recordings took it from the same output too, only the names
    have changed. Where another element had as little or as much, the chosen one may still be the first of them.
    """

    def is_kept(guard: Guard) -> bool:
        return not any(other.contradicts(guard, position, recorded) for other in others)

    recorded = tuple(_with_known_rows(recorded, position, others))
    kept = [guard for guard in recorded if is_kept(guard)]
    known = {(guard.step, guard.data) for guard in kept if guard.kind in _PLACES}
    struck = [g for g in recorded if g.kind in _PLACES and (g.step, g.data) not in known]
    renamed = {g for g in struck if all(other.takes_from(g, position) for other in others)}
    tied = [_first_of_ties(guard) for guard in recorded if _kind(guard) in _EXTREMES and guard not in kept]
    return (
        *(guard for guard in recorded if guard in renamed or guard in kept),
        *(guard for guard in tied if is_kept(guard)),
    )


def _with_known_rows(recorded: tuple[Guard, ...], position: int, others: Sequence[_Recording]) -> Iterator[Guard]:
    """Yield the guards, of which some know the rows of recordings that sent the same.

    These are left out if enough recordings differ.
    """
    for guard in recorded:
        if _kind(guard) != KNOWN:
            yield guard
            continue
        data, differing = codec.decode(guard.data), 0
        for other in others:
            rows = other.known_rows(guard, position, recorded)
            differing += any(joined_rows(data, own) != data for own in rows)
            for own in rows:
                data = joined_rows(data, own)
        if differing < _ENOUGH:
            yield msgspec.structs.replace(guard, data=codec.canonical(data))


def _first_of_ties(guard: Guard) -> Guard:
    prefix = next((prefix for prefix in (COLUMN, JOINED) if guard.kind.startswith(prefix)), "")
    return msgspec.structs.replace(guard, kind=f"{prefix}first {_kind(guard)}")


class _Recording:
    """A trajectory as a witness: its guards, and the outputs that were stored of it."""

    def __init__(self, trajectory: ReadyTrajectory) -> None:
        self.trajectory = trajectory
        self._outputs = trajectory.candidates[0].row.outputs if trajectory.candidates else ()
        self._decoded: dict[int, Any] = {}

    def contradicts(self, guard: Guard, position: int, beside: Sequence[Guard]) -> bool:
        """Return whether this recording made the same call but fails one of its guards.

        `beside` are all guards of that call.
        """
        guards = self.trajectory.steps[position].recorded_guards
        if guard in guards or guard.kind == "output" or _kind(guard) == KNOWN:
            return False
        if guard.kind in ECHO_KINDS:
            return len(guards) < _MAX_GUARDS and not self._has_echo(guard)
        alike = [own for own in guards if own.step == guard.step and shape_of(own) == shape_of(guard)]
        if guard.kind in _PLACES and any(own.kind in _PLACES for own in alike):
            return False
        if _kind(guard) == "record" and any(_kind(own) == "record" for own in alike):
            return False
        if any(own.kind == guard.kind and own.data == guard.data for own in alike):
            return False
        if _kind(guard) in _REASONS and not self._chose_same(guard, alike, beside):
            return False
        if _kind(guard).startswith(TIED) and not self._took_same(guard, position, beside):
            return False
        if _kind(guard) in _REASONS:
            return all(self._fails(moved, len(guards)) for moved in _moved(guard, guards))
        return self._fails(guard, len(guards))

    def _has_echo(self, guard: Guard) -> bool:
        """Return whether the param had its value at this place in this recording, too."""
        return any(
            own.kind == guard.kind and place_of(own) == place_of(guard)
            for step in self.trajectory.steps
            for own in step.recorded_guards
        )

    def _took_same(self, guard: Guard, position: int, beside: Sequence[Guard]) -> bool:
        """Return whether this recording sent the value that the guarded element has."""
        length = len(guard.path)
        values = [own for own in beside if own.step == guard.step and own.path[:length] == guard.path]
        return any(self.takes_from(own, position) for own in values if own.kind in _PLACES)

    def known_rows(self, guard: Guard, position: int, beside: Sequence[Guard]) -> list[Any]:
        """Return what this recording's guards say of the rows of the same list.

        Return an empty list if it sent another value.
        """
        if not self._took_same(guard, position, beside):
            return []
        guards = self.trajectory.steps[position].recorded_guards
        own = [one for one in guards if one.kind == guard.kind and one.step == guard.step]
        found = [codec.decode(one.data) for one in own if shape_of(one) == shape_of(guard)]
        field = codec.decode(guard.data)[0]
        return [data for data in found if data[0] == field]

    def takes_from(self, guard: Guard, position: int) -> bool:
        """Return whether this recording found the same value in the same output."""
        guards = self.trajectory.steps[position].recorded_guards
        return any(own.kind in _PLACES and (own.step, own.data) == (guard.step, guard.data) for own in guards)

    def _chose_same(self, reason: Guard, alike: Sequence[Guard], beside: Sequence[Guard]) -> bool:
        """Return whether this recording chose the same record.

        For another one, another reason may have held.
        """
        recorded = [
            own for own in beside if _kind(own) == "record" and (own.step, own.path) == (reason.step, reason.path)
        ]
        here = [text for own in alike if _kind(own) == "record" for text in codec.decode(own.data)]
        if here:
            return any(text in here for own in recorded for text in codec.decode(own.data))
        return not any(self._fails(own, 0) for own in recorded)

    def _fails(self, guard: Guard, guards: int) -> bool:
        """Return whether an output that was stored does not fulfill a guard."""
        data = self._outputs[guard.step] if guard.step < len(self._outputs) else b""
        if not data:
            return guard.kind in _PLACES and guards < _MAX_GUARDS
        if guard.step not in self._decoded:
            try:
                self._decoded[guard.step] = codec.decode(data, lenient=True)
            except DecodeError:
                return False
        return stale_value(guard, self._decoded) is not None


def _kind(guard: Guard) -> str:
    return guard.kind.removeprefix(COLUMN).removeprefix(JOINED)


def _moved(reason: Guard, guards: Sequence[Guard]) -> Iterator[Guard]:
    """Yield a reason at its own place, and at those of other elements of its list.

    These are the elements that other guards name.
    """
    yield reason
    level = len(reason.path) - 1
    for own in guards:
        if own.step == reason.step and len(own.path) > level and own.path[:level] == reason.path[:level]:
            path = (*reason.path[:level], own.path[level])
            keys = (*reason.keys[:level], *own.keys[level : level + 1])
            yield msgspec.structs.replace(reason, path=path, keys=keys)


def place_of(guard: Guard) -> tuple[Any, ...]:
    """Return a guard without the positions of named children.

    These move when others are added.
    """
    keys = guard.keys or (b"",) * len(guard.path)
    path = tuple([key or index for key, index in zip(keys, guard.path, strict=True)])
    return guard.step, path, guard.data, guard.around, guard.kind


def shape_of(guard: Guard) -> tuple[Any, ...]:
    """Return the place of a guard without positions in lists.

    A name counts, or its number where it has no digest.
    """
    return tuple(key or None for key in guard.keys)
