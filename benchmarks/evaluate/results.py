"""The file of results: a line of JSON for each task, seed and way. A further run adds the missing ones."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path

from ..prototype import ROOT

FILE = ROOT / "benchmarks" / "results" / "evaluate.jsonl"


@dataclass(frozen=True)
class Line:
    """A run: what was reported (`status`, `reason`, replayed `steps`), and what the page says (`reward`)."""

    task: str
    seed: str
    way: str
    verdict: str
    status: str
    reason: str
    steps: int
    actions: int
    reward: float
    versions: str = ""

    @property
    def key(self) -> tuple[str, str, str]:
        return self.task, self.seed, self.way


def read(path: Path) -> dict[tuple[str, str, str], Line]:
    """The lines of a file by their keys. A last line that was cut off is left out.

    Raises ValueError for any other line that cannot be read.
    """
    if not path.exists():
        return {}
    rows = path.read_text(encoding="utf-8").split("\n")
    found: dict[tuple[str, str, str], Line] = {}
    for number, row in enumerate(rows, 1):
        if not row:
            continue
        try:
            line = Line(**json.loads(row))
        except (ValueError, TypeError) as error:
            if number == len(rows):  # no line break behind it: the run was interrupted here
                continue
            raise ValueError(f"{path.name}, line {number}: expected a result, got {row[:80]!r}") from error
        found[line.key] = line
    return found


class Writer:
    """Adds lines to a file, each complete with its line break, behind the last whole one."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.exists():
            whole = path.read_bytes()
            path.write_bytes(whole[: whole.rfind(b"\n") + 1])
        self._path = path

    def add(self, line: Line) -> None:
        with self._path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(asdict(line), ensure_ascii=False) + "\n")
