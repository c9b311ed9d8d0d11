"""python -m tests.torture.table: the figures of docs/contributing/torture.jsonl in the page of promises.

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
SUMMARY_BEGIN, SUMMARY_END = "<!-- summary: begin -->", "<!-- summary: end -->"

# What may happen, what is promised then, and the proofs of it: each with a count that says how often it was tried.
SUMMARY: tuple[tuple[str, str, dict[str, str]], ...] = (
    (
        "A process is killed at any moment.",
        "No acknowledged recording is lost, and none is half written.",
        {"kills": "kills", "kill-points": "kills"},
    ),
    ("The machine loses power.", "No acknowledged recording is lost, and none is half written.", {"power": "cuts"}),
    (
        "A disk fails or is full.",
        "The agent does the task once. Only the recording is missing, and an event reports it.",
        {"io-errors": "points", "full-disk": "acts"},
    ),
    (
        "A file is damaged.",
        "What is read is what was sealed, or an error. Nothing that is stored is executed.",
        {"fuzz": "files", "decoder": "refused"},
    ),
    (
        "Many processes share a store.",
        "No recording is lost, no writer gets a locking error, and no writer is overtaken again and again.",
        {"writers": "writes"},
    ),
    (
        "Many workers miss the same new task.",
        "One agent runs, and the others wait for its recording. A killed worker costs one more run.",
        {"stampede": "tasks", "fleet-agents": "hits"},
    ),
    (
        "An upgrade of a store is interrupted.",
        "The store has the old or the new version, whole.",
        {"migrations": "kills"},
    ),
    (
        "A PostgreSQL server is away when a program starts.",
        "The program starts, and its agent runs.",
        {"postgres-starts": "runs"},
    ),
    (
        "A PostgreSQL connection is cut, or the server stops.",
        "No acknowledged recording is lost, and each is there once.",
        {"postgres-cut": "cuts", "postgres-stop": "acknowledged"},
    ),
    (
        "A PostgreSQL standby takes over.",
        "Every writer records again within 2 seconds.",
        {"postgres-recovers": "failovers"},
    ),
    (
        "Another process records or reports something.",
        "Every process sees it. A second after a bad report, no worker replays the trajectory.",
        {"fleet-watchers": "changes", "fleet-report": "workers"},
    ),
    (
        "More writers record on PostgreSQL.",
        "Writers of different tasks do not wait for each other.",
        {"fleet-growth": "sampled sessions"},
    ),
    (
        "A task is replayed.",
        "The replay leaves the world as the agent would have left it, with every driver and every store.",
        {"worlds": "", "middle": "", "drivers": "", "stores-agree": "", "codec": ""},
    ),
)


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
    """What is promised, how it is tried, with what result, and what the proof cannot see."""
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


def summary(lines: dict[tuple[str, str], dict[str, Any]]) -> str:
    """The table for users."""
    rows = ["| if this happens | this is promised | tried | wrong |", "| --- | --- | --- | --- |"]
    for happens, promise, proofs in SUMMARY:
        tried, wrong = [], []
        for name, counted in proofs.items():
            one = lines.get((name, ""))
            if one is None or one["skipped"]:
                tried.append(f"[{name}](#{name}): in the tests")
                continue
            tried.append(f"[{name}](#{name}): {one['counted'][counted]:,} {counted}")
            wrong += one["wrong"].values()
        rows.append(f"| {happens} | {promise} | {'; '.join(tried)} | {sum(wrong) if wrong else ''} |")
    return "\n".join(rows)


def between(page: str, begin: str, end: str, text: str) -> str:
    """The page with this text between two markers."""
    before, rest = page.split(begin)
    return f"{before}{begin}\n\n{text}\n{end}{rest.split(end)[1]}"


def render(page: str, lines: dict[tuple[str, str], dict[str, Any]]) -> str:
    """The page with its present figures."""
    sections = "\n".join(section(name, proof, lines) for name, proof in PROOFS.items())
    page = between(page, SUMMARY_BEGIN, SUMMARY_END, f"{summary(lines)}\n")
    return between(page, BEGIN, END, sections)


def main() -> None:
    PAGE.write_text(render(PAGE.read_text(encoding="utf-8"), last_lines(RESULTS)), encoding="utf-8")


if __name__ == "__main__":
    main()
