"""python -m tests.torture.table: the figures of docs/contributing/torture.jsonl as a table in the page of promises.

The file holds a line for each run, as `python -m tests.torture --append` writes it; of each proof the last counts.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "support"))

from .figures import Proof
from .proofs import PROOFS

DOCS = Path(__file__).resolve().parent.parent.parent / "docs"
RESULTS = DOCS / "contributing" / "torture.jsonl"
PAGE = DOCS / "explanation" / "what-we-promise-and-how-we-know.md"
BEGIN, END = "<!-- figures: begin -->", "<!-- figures: end -->"


def last_lines(results: Path) -> dict[tuple[str, str], dict[str, Any]]:
    """The last run of each proof and of each of its controls."""
    found = {}
    for line in results.read_text(encoding="utf-8").splitlines():
        one = json.loads(line)
        found[(one["proof"], one["control"])] = one
    return found


def counts(named: dict[str, Any]) -> str:
    return ", ".join(f"{value:,} {name}" for name, value in named.items())


def section(name: str, proof: Proof, lines: dict[tuple[str, str], dict[str, Any]]) -> str:
    """What is promised, how it is tried, what came of it, what it cannot see."""
    parts = [f"### {name}", "", f"**Promise.** {proof.promise}", ""]
    one = lines.get((name, ""))
    command = f"python -m tests.torture {name}"
    if one is None:
        parts.append(f"**Figures.** Not run yet; `{command} --large` does.")
    elif one["skipped"]:
        parts.append(f"**Figures.** Skipped on the machine of the figures: {one['skipped']}.")
    else:
        parts.append(
            f"**Figures.** {counts(one['counted'])}. Wrong: {counts(one['wrong']) or 'nothing'}"
            + (f"; most: {counts(one['worst'])}" if one["worst"] else "")
            + f". `{command} --seeds {one['seeds']} --size {one['size']}` ({one['unit']} a seed), {one['seconds']} s, "
            f"{one['date']}, {one['machine']}, Python {one['python']}, SQLite {one['sqlite']}."
        )
    for rule, (kind, _) in proof.controls.items():
        control = lines.get((name, rule))
        seen = f"{control['wrong'].get(kind, 0):,} {kind}" if control else "not run yet"
        parts += ["", f'**Without the rule** "{rule}" the same proof counts: {seen}.']
    return "\n".join([*parts, "", f"**It cannot see:** {proof.blind}", ""])


def render(page: str, lines: dict[tuple[str, str], dict[str, Any]]) -> str:
    """The page with its figures made anew."""
    before, rest = page.split(BEGIN)
    after = rest.split(END)[1]
    sections = "\n".join(section(name, proof, lines) for name, proof in PROOFS.items())
    return f"{before}{BEGIN}\n\n{sections}\n{END}{after}"


def main() -> None:
    PAGE.write_text(render(PAGE.read_text(encoding="utf-8"), last_lines(RESULTS)), encoding="utf-8")


if __name__ == "__main__":
    main()
