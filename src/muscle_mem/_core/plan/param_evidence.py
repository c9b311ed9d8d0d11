"""The evidence for literals that may follow a param (E1, E3, E3a).

Such a literal may be a param in another form, or made of a part of one.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ..binding.suspicions.kinds import CONVERTED, JOINED, PARAM, PART, SAME
from ..model.records import Row, Suspicion

_BINDABLE = (SAME, CONVERTED, JOINED)
_GROUPED = 1000
"""The number from which some write a separator between groups of digits."""


def told_apart(rows: Sequence[Row]) -> dict[tuple[int, int, str], bool]:
    """Return for each suspected (step, literal, param) whether a recording clears it.

    Such a recording has the same literal, although its value of the param has no such form. Two recordings in which a
    literal may be made of the param prove nothing, even if the values differ: "Dear Ann," may be made of "Ann Lee" as
    well as of "Ann Ray".
    """
    suspected = [
        {
            (step, suspicion.leaf, name)
            for step, suspicions in enumerate(row.suspicions)
            for suspicion in suspicions
            if suspicion.kind in (PARAM, PART)
            for name in suspicion.params
        }
        for row in rows
    ]
    return {
        place: any(
            place not in others and _has_trace(row, place[2]) for row, others in zip(rows, suspected, strict=True)
        )
        for places in suspected
        for place in places
    }


def _has_trace(row: Row, name: str) -> bool:
    return row.witness is not None and any(trace.name == name for trace in row.witness.params)


def has_grown(value: Any, ranks: Sequence[float]) -> bool:
    """Return whether an int needs separators in a text.

    Those of all recordings did not.
    """
    return type(value) is int and abs(value) >= _GROUPED and bool(ranks) and max(map(abs, ranks)) < _GROUPED


def has_shrunk(value: Any, ranks: Sequence[float]) -> bool:
    """Return whether an int has fewer digits than those of all recordings."""
    return type(value) is int and bool(ranks) and _digits(abs(value)) < min(_digits(abs(rank)) for rank in ranks)


def _digits(value: float) -> int:
    return len(str(int(value)))


def spelled_message(name: str) -> str:
    """Return the message for a number that may now be written otherwise."""
    return (
        f"param {name!r} is part of a text, and was below {_GROUPED} or had more digits in each recording, so the "
        "agent may write it with separators, or with zeros before it, now; one more recording confirms it"
    )


def suspected_message(what: str, suspicion: Suspicion, name: str, place: str) -> str:
    """Return the message for a literal that may be made of a param.

    `place` is the argument, after its tool.
    """
    if suspicion.kind == PART:
        return (
            f"{what}, which may be made of a part of param {name!r}: valid for that value only. A recording with "
            "another value and the same text confirms it, or pass the part as another param"
        )
    if suspicion.form in _BINDABLE:
        return (
            f"{what}, which may be param {name!r}: valid for that value only. Record another value, or pass "
            f"params={{{name!r}: Param(..., bind=[{place!r}])}}"
        )
    return (
        f"{what}, which may be param {name!r} in another form: valid for that value only. A recording with "
        "another value and the same text confirms it, or pass this form as a param"
    )
