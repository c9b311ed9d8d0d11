"""Writes a result into the pages of the docs: a summary and plots for users, all tables for contributors."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from . import svg
from .markdown import between_markers, origin, tables
from .prototype import ROOT
from .summary import summary

DOCS = ROOT / "docs"
PAGE = Path("performance.md")  # for users
TABLES = Path("contributing") / "benchmarks.md"
PLOTS = Path("plots")
Points = list[tuple[float, float]]
Series = tuple[str, str, Points]  # kind, name, points


def write(result: dict[str, Any], folder: Path = DOCS) -> None:
    """Raises ValueError if a page has lost its markers."""
    drawn = drawings(result)
    shown = "\n\n".join(f"![{alt}]({PLOTS}/{name}.svg)" for name, (alt, _) in drawn.items())
    contents = {
        PAGE: {"origin": origin(result), "summary": summary(result), "plots": shown},
        TABLES: {"origin": origin(result), "tables": tables(result)},
    }
    pages = {
        folder / page: between_markers((folder / page).read_text(encoding="utf-8"), parts)
        for page, parts in contents.items()
    }
    (folder / PLOTS).mkdir(exist_ok=True)
    for name, (_, picture) in drawn.items():
        (folder / PLOTS / f"{name}.svg").write_text(picture, encoding="utf-8")
    for path, text in pages.items():
        path.write_text(text, encoding="utf-8")


def drawings(result: dict[str, Any]) -> dict[str, tuple[str, str]]:
    """File name -> (what it shows, SVG), of those that the result has figures for."""
    rows = {row["id"]: row for row in result["rows"]}
    drawn = {}
    bars = [
        (row["title"], row["ours"], _number(row["prototype"]), _limit(row["target"]))
        for id, row in rows.items()
        if re.fullmatch(r"(first|steady|acall)\.\d+|slow|real\..*", id) and row["ours"] is not None
    ]
    if bars:
        title = "A hit, as a multiple of the plain loop"
        drawn["replay"] = title, svg.bars(title, bars)
    safety = [
        (row["title"].partition(": ")[2], row["ours"], None, None)
        for id, row in rows.items()
        if id.startswith("safety.") and row["ours"] is not None
    ]
    if safety:
        title = "What safety costs: a hit of ten steps, as a multiple of the plain loop"
        drawn["safety"] = title, svg.bars(title, safety)
    length = _by_length(rows)
    if length:
        title = "Microseconds of a steady hit by its number of steps"
        drawn["length"] = title, svg.lines(title, "steps", length)
    return drawn


def _by_length(rows: dict[str, Any]) -> list[Series]:
    steady = [(int(id.rpartition(".")[2]), row) for id, row in rows.items() if re.fullmatch(r"steady\.\d+", id)]
    if len(steady) < 2:
        return []
    series: list[Series] = [("a", "ours", [(steps, row["details"]["ours_us"]) for steps, row in steady])]
    theirs: Points = [
        (steps, row["details"]["prototype_us"]) for steps, row in steady if "prototype_us" in row["details"]
    ]
    if theirs:
        series.append(("b", "prototype", theirs))
    return [*series, ("c", "loop", [(steps, row["loop"]) for steps, row in steady])]


def _number(value: float | str | None) -> float | None:
    return None if value is None or isinstance(value, str) else float(value)


def _limit(target: str | None) -> float | None:
    return None if target is None else float(target.rpartition(" ")[2])
