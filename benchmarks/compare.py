"""Holds two results against each other, by ratio, and tells what changed by more than the spread."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

EXACT = {"count"}
PLAY = 0.10  # of a figure that was taken once, and so has no spread
RISING = (  # more is better
    "many.threads",
    *(f"learning.{what}" for what in ("found", "acting", "precision", "hits", "use.hits", "use.avoided")),
)
PLAY_OF = {"instructions": 0.01, "bytecodes": 0.01, "blocks": 0.5}


@dataclass(frozen=True)
class Change:
    """One row of two results. `word` is empty where the difference is within the spread."""

    id: str
    title: str
    unit: str
    before: float
    after: float
    word: str

    @property
    def ratio(self) -> float:
        return self.after / self.before if self.before else float("inf") if self.after else 1.0


def changes(before: dict[str, Any], after: dict[str, Any]) -> list[Change]:
    """Every row that both results have a figure for. Lower is better, except for throughput."""
    known = {row["id"]: row for row in before["rows"] if row["ours"] is not None}
    found = []
    for row in after["rows"]:
        old = known.get(row["id"])
        if old is not None and row["ours"] is not None:
            found.append(Change(row["id"], row["title"], row["unit"], old["ours"], row["ours"], _word(old, row)))
    return found


def only_in_one(before: dict[str, Any], after: dict[str, Any]) -> tuple[list[str], list[str]]:
    """Ids that only the first, and only the second, has."""
    first, second = ([row["id"] for row in result["rows"]] for result in (before, after))
    return [id for id in first if id not in second], [id for id in second if id not in first]


def _word(old: dict[str, Any], new: dict[str, Any]) -> str:
    if old["unit"] in EXACT:
        apart = old["ours"] != new["ours"]
    elif old["ours_spread"] and new["ours_spread"]:
        apart = not _within(new["ours"], old["ours_spread"]) and not _within(old["ours"], new["ours_spread"])
    else:
        apart = abs(new["ours"] - old["ours"]) > PLAY_OF.get(old["unit"], PLAY) * abs(old["ours"])
    if not apart:
        return ""
    more = new["ours"] > old["ours"]
    return "better" if more == new["id"].startswith(RISING) else "worse"


def _within(value: float, ends: list[float]) -> bool:
    return ends[0] <= value <= ends[1]
