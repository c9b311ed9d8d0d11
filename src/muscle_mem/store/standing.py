"""What a note does to a standing: the one rule that every store shares."""

from __future__ import annotations

import msgspec

from .base import Note, Standing, Tally


def apply_note(standing: Standing, note: Note) -> Standing:
    """The standing after a note: counters added, the rest set where the note says something.

    A note that no person made leaves the state, reason and hold of a held trajectory as they are.
    """
    changes: dict[str, object] = {
        "hits": standing.hits + note.hits,
        "failures": standing.failures + note.failures,
        "agreed": standing.agreed + note.agreed,
        "disagreed": standing.disagreed + note.disagreed,
    }
    if note.checks:
        changes["checks"] = add_tallies(standing.checks, note.checks)
    settable = ["last_hit", "strikes"]
    if note.by_person or not standing.held:
        settable += ["state", "reason", "held"]
    for name in settable:
        value = getattr(note, name)
        if value is not None:
            changes[name] = value
    return msgspec.structs.replace(standing, **changes)


def add_tallies(known: tuple[Tally, ...], more: tuple[Tally, ...]) -> tuple[Tally, ...]:
    """The sums of what checks said, one for each check, in the order in which the checks were met."""
    sums = {tally.check: tally for tally in known}
    for tally in more:
        before = sums.get(tally.check, Tally(tally.check))
        sums[tally.check] = Tally(tally.check, before.yes + tally.yes, before.no + tally.no)
    return tuple(sums.values())
