"""The results file: a line of JSON for each seed and row, to which an interrupted run is added."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from ..prototype import ROOT

FORM = 1
FILE = ROOT / "benchmarks" / "results" / "agent.jsonl"
NEEDED = {"form", "row", "seed", "settings", "counts", "versions", "machine"}


def read(path: Path) -> list[dict[str, Any]]:
    """The whole lines of a file, without a last one that was cut off. Raises ValueError for damage elsewhere."""
    found = list(_lines(path))
    for line in found:
        if line["settings"] != found[0]["settings"]:
            raise ValueError(f"{path} mixes results of different settings: {line['settings']}, {found[0]['settings']}")
    return found


def repair(path: Path) -> None:
    """Cut off a last line that was not written to its end, so that the next one does not continue it."""
    whole = "".join(f"{json.dumps(line)}\n" for line in _lines(path))
    if path.exists() and path.read_text(encoding="utf-8", errors="replace") != whole:
        beside = path.with_suffix(".new")
        beside.write_text(whole, encoding="utf-8")
        os.replace(beside, path)


def append(path: Path, line: dict[str, Any]) -> None:
    """Add a line, and have it on the disk before the next row begins."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a", encoding="utf-8") as file:
        file.write(f"{json.dumps(line)}\n")
        file.flush()
        os.fsync(file.fileno())


def remaining(
    done: Iterable[dict[str, Any]], seeds: Iterable[int], rows: Iterable[str]
) -> Iterator[tuple[int, list[str]]]:
    """The seeds and their rows that have no line yet, seed by seed: what is there is then whole for all rows."""
    have = {(line["seed"], line["row"]) for line in done}
    for seed in seeds:
        lacking = [row for row in rows if (seed, row) not in have]
        if lacking:
            yield seed, lacking


def _lines(path: Path) -> Iterator[dict[str, Any]]:
    if not path.exists():
        return
    texts = path.read_bytes().split(b"\n")
    for number, text in enumerate(texts, 1):
        if not text.strip():
            continue
        line = _parsed(text)
        if line is not None:
            yield line
        elif any(later.strip() for later in texts[number:]):
            raise ValueError(f"{path}, line {number}: expected a result of this benchmark. Remove the line.")


def _parsed(text: bytes) -> dict[str, Any] | None:
    try:
        line = json.loads(text)
    except ValueError:
        return None
    return line if isinstance(line, dict) and line.keys() >= NEEDED and line["form"] == FORM else None
