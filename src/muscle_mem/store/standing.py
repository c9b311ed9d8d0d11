"""The effect of notes on standings, shared by all stores."""

from __future__ import annotations

import msgspec

from .base import Note, Standing, Tally


def apply_note(standing: Standing, note: Note) -> Standing:
    """Return a standing with a note applied.

    Counters are added. Other fields are set if the note gives them. A note that does not come from a person leaves the
    state, reason and hold of a held trajectory unchanged.

    Args:
        standing: The standing before the note.
        note: The note to apply.
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
    """Return the sums of two sets of counts by check, in order of first appearance.

    Args:
        known: The counts so far.
        more: The counts to add.
    """
    sums = {tally.check: tally for tally in known}
    for tally in more:
        before = sums.get(tally.check, Tally(tally.check))
        sums[tally.check] = Tally(tally.check, before.yes + tally.yes, before.no + tally.no)
    return tuple(sums.values())
