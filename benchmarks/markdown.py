"""Tables of results as Markdown, and the page between whose markers they go."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from .compare import Change

GROUPS = {
    "replay": "A replayed step",
    "growth": "Many hits, many recordings",
    "keys": "Finding a task",
    "recording": "Recording",
    "sqlite": "SQLite",
    "postgres": "PostgreSQL",
    "many": "Concurrency",
    "memory": "Memory",
    "import": "Import",
    "safety": "What safety costs",
    "learning": "Learning from several recordings",
    "instructions": "Instructions",
    "bytecodes": "Bytecodes",
    "frameworks": "Inside a framework",
    "gateway": "In front of an MCP server",
}
HEAD = "| scenario | unit | ours | prototype | loop | target | met |\n| --- | --- | --- | --- | --- | --- | --- |"


def figure(value: float | None) -> str:
    """A number with three figures that matter, or whole from a hundred on."""
    if value is None:
        return ""
    if value == 0 or abs(value) >= 100 or float(value).is_integer():
        return f"{value:,.0f}"
    return f"{value:.3g}"


def cell(value: float | str | None, spread: Any = None) -> str:
    """A figure with its spread from the tenth to the ninetieth percentile, or the text in place of one."""
    if isinstance(value, str):
        return value.replace("|", "\\|")
    if value is None or spread is None:
        return figure(value)
    return f"{figure(value)} ({figure(spread[0])} to {figure(spread[1])})"


def line(row: dict[str, Any], notes: list[str]) -> str:
    """One row of a table; a note is added to `notes` and gets its number."""
    title = row["title"].replace("|", "\\|")
    if row["note"]:
        if row["note"] not in notes:
            notes.append(row["note"])
        title += f" [{notes.index(row['note']) + 1}]"
    loop = f"{figure(row['loop'])} {row['loop_unit']}".strip() if row["loop"] is not None else ""
    met = {True: "yes", False: "**no**", None: ""}[row["met"]]
    ours, theirs = cell(row["ours"], row["ours_spread"]), cell(row["prototype"], row["prototype_spread"])
    return f"| {title} | {row['unit']} | {ours} | {theirs} | {loop} | {row['target'] or ''} | {met} |"


def tables(result: dict[str, Any]) -> str:
    """A heading and a table for each group of scenarios."""
    parts = []
    for group, heading in GROUPS.items():
        rows = [row for row in result["rows"] if row["group"] == group]
        if rows:
            notes: list[str] = []
            lines = [line(row, notes) for row in rows]
            noted = [f"{number}. {note}" for number, note in enumerate(notes, 1)]
            parts.append("\n".join([f"### {heading}", "", HEAD, *lines, *([""] if noted else []), *noted]))
    return "\n\n".join(parts)


def origin(result: dict[str, Any]) -> str:
    """Where and how a result was taken, as a list."""
    machine, versions, python = result["machine"], result["versions"], result["python"]
    load = "" if machine["load"] is None else f", load {machine['load']} when it ended"
    return "\n".join(
        (
            f"- measured {result['when'][:10]} at commit {result['commit']}",
            f"- size {result['size']}, seed {result['seed']}",
            f"- {result['implementation']} {python}, msgspec {versions['msgspec']}, SQLite {versions['sqlite']}",
            f"- {machine['cores']} cores of {machine['processor']}, {machine['system']}{load}",
            f"- prototype: {result['prototype']}",
            f"- garbage collector: {result['gc']}",
            f"- warm-up: {result['warm_up']}",
        )
    )


def comparison(found: list[Change]) -> str:
    """A table of changes."""
    head = "| scenario | unit | before | after | ratio | changed |\n| --- | --- | --- | --- | --- | --- |"
    lines = [
        f"| {change.title} | {change.unit} | {figure(change.before)} | {figure(change.after)} "
        f"| {change.ratio:.2f} | {change.word} |"
        for change in found
    ]
    return "\n".join([head, *lines])


def between_markers(page: str, contents: Mapping[str, str]) -> str:
    """The page with what stands between `<!-- bench:NAME -->` and `<!-- bench:end -->` replaced.

    Raises ValueError if a marker is missing.
    """
    for name, text in contents.items():
        pattern = re.compile(rf"(<!-- bench:{re.escape(name)} -->\n).*?(<!-- bench:end -->)", re.DOTALL)
        found = pattern.search(page)
        if found is None:
            raise ValueError(f"the page has no markers <!-- bench:{name} --> ... <!-- bench:end -->")
        page = f"{page[: found.end(1)]}\n{text}\n\n{page[found.start(2) :]}"
    return page
