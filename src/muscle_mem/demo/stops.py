"""Failed checks in plain words: what was expected on the page, and what was seen."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from .._core import codec
from .._core.model.handover import Handover
from .._engine.engine import Engine
from ..errors import MuscleMemError
from ..store import PastRun, Store
from ..store.history import keeps_history

MOST = 60
Snapshot = Mapping[str, Any]


@dataclass(frozen=True)
class Stop:
    """Step whose check failed, counted from 1, with what the check expected and saw."""

    step: int
    expected: str
    seen: str


def stop_of_handover(handover: Handover) -> Stop:
    """Return where the replay stopped that is handed over."""
    stopped = handover.divergence
    return _stop(stopped.step, stopped.expected_snapshot, stopped.seen_snapshot, stopped.expected, stopped.seen)


def stop_of_run(engine: Engine, memory: Store, run_id: str) -> Stop | None:
    """Return where the run stopped that has just ended, from the history of the store.

    The history also has the checks that failed before the first step. The result is None if no check failed.
    """
    if not keeps_history(memory):
        return None
    engine._runtime.library.history.flush()
    runs: tuple[PastRun, ...] = memory.history_runs(limit=1)
    if not runs or runs[0].id != run_id or runs[0].step < 0:
        return None
    run = runs[0]
    return _stop(run.step, run.expected_data, run.seen_data, run.expected, run.seen)


def _stop(step: int, expected: bytes | str | None, seen: bytes | str | None, *texts: str) -> Stop:
    then, now = _decoded(expected), _decoded(seen)
    if isinstance(then, Mapping) and isinstance(now, Mapping):
        return Stop(step + 1, *difference(then, now))
    return Stop(step + 1, *(_clipped(text) for text in texts))


def _decoded(data: bytes | str | None) -> Any:
    try:
        return codec.decode(data, lenient=True) if isinstance(data, bytes) and data else None
    except MuscleMemError:
        return None


def difference(expected: Snapshot, seen: Snapshot) -> tuple[str, str]:
    """Return the first difference between two snapshots of `Page.sight` as two texts."""
    if "tag" not in seen:  # The target was not found.
        role = str(expected.get("sees")).partition(" ")[0]
        number = str(seen.get("sees")).rpartition(" ")[2]
        found = "none" if number == "none" else f"{number}, so it is unclear which one to use"
        return f"one such {role}", found
    for name, words in _WORDS.items():
        if name in expected and name in seen and expected[name] != seen[name]:
            return words(expected, seen, name), words(seen, expected, name)
    return str(expected.get("sees")), str(seen.get("sees"))


def _text(one: Snapshot, _other: Snapshot, name: str) -> str:
    return str(one[name])


def _counts(one: Snapshot, other: Snapshot, name: str) -> str:
    mine, others = one[name], other[name]
    differing = [kind for kind in sorted({*mine, *others}) if mine.get(kind, 0) != others.get(kind, 0)]
    return ", ".join(_count(mine.get(kind, 0), kind) for kind in differing) + " on the page"


def _count(number: object, kind: str) -> str:
    return f"{number} {kind}" if str(number) == "1" else f"{number} {kind}{'es' if kind.endswith('x') else 's'}"


def _fields(one: Snapshot, _other: Snapshot, name: str) -> str:
    held = ", ".join(f"{field} = {state}" if state else str(field) for field, state in one[name])
    return f"the other fields in the order {held}" if held else "no other fields"


def _cards(one: Snapshot, other: Snapshot, name: str) -> str:
    mine, others = one[name], other[name]
    differing = [card for at, card in enumerate(mine) if at >= len(others) or card != others[at]]
    return _clipped(f"the choice {differing[0]}") if differing else f"{len(mine)} choices"


def _place(one: Snapshot, _other: Snapshot, name: str) -> str:
    x, y = one[name]
    return f"{one['sees']} at pixel {x}, {y}"


def _filled(one: Snapshot, _other: Snapshot, name: str) -> str:
    return "a field with a text" if one[name] else "an empty field"


def _offers(one: Snapshot, _other: Snapshot, name: str) -> str:
    return f"{one[name]} options with this text"


def _clipped(text: str) -> str:
    return text if len(text) <= MOST else text[: MOST - 3] + "..."


_WORDS = {
    "sees": _text,
    "page": _counts,
    "given": _fields,
    "among": _cards,
    "place": _place,
    "filled": _filled,
    "offers": _offers,
    "tag": _text,
}
