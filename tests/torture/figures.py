"""What a proof is, and what it counts: what was done, and what must not have happened."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass
class Figures:
    """The counts of one seed, or of many. `wrong` must be all zeros; `worst` holds maxima, for people to read."""

    counted: Counter[str] = field(default_factory=Counter)
    wrong: Counter[str] = field(default_factory=Counter)
    worst: dict[str, float] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    skipped: str = ""

    @property
    def failed(self) -> bool:
        return any(self.wrong.values())

    def add(self, other: Figures) -> None:
        """Take in the figures of another seed."""
        self.counted.update(other.counted)
        self.wrong.update(other.wrong)
        for name, value in other.worst.items():
            self.most(name, value)
        self.notes = (self.notes + other.notes)[:20]
        self.skipped = self.skipped or other.skipped

    def most(self, name: str, value: float) -> None:
        """Keep the largest value of this name."""
        self.worst[name] = max(value, self.worst.get(name, value))

    def fault(self, kind: str, what: str) -> None:
        """Count something that must not happen, and keep a few words about it."""
        self.wrong[kind] += 1
        if len(self.notes) < 20:
            self.notes.append(f"{kind}: {what}"[:400])

    def as_dict(self) -> dict[str, Any]:
        return {
            "counted": dict(sorted(self.counted.items())),
            "wrong": dict(sorted(self.wrong.items())),
            "worst": {name: round(value, 3) for name, value in sorted(self.worst.items())},
            "notes": self.notes,
            "skipped": self.skipped,
        }

    @classmethod
    def of(cls, data: Mapping[str, Any]) -> Figures:
        """The inverse of `as_dict`: how figures come out of a process."""
        counted, wrong = Counter(data["counted"]), Counter(data["wrong"])
        return cls(counted, wrong, dict(data["worst"]), list(data["notes"]), data["skipped"])


@dataclass(frozen=True)
class Size:
    """How far a proof goes: so many seeds, each so large (kills, cases, points: the proof's own unit)."""

    seeds: int
    size: int


@dataclass(frozen=True)
class Proof:
    """One promise and the way to try it.

    run: figures of (seed, size, control); a control is the name of a rule to switch off, "" for none.
    promise, blind: what users are promised, and what this proof cannot see, in their words.
    unit: what `size` counts. small: for `make test`; large: for `make torture`.
    controls: the rule that is switched off -> what must then be counted as wrong, and at which size.
    """

    run: Callable[[int, int, str], Figures]
    promise: str
    blind: str
    unit: str
    small: Size
    large: Size
    controls: Mapping[str, tuple[str, Size]] = field(default_factory=dict)
