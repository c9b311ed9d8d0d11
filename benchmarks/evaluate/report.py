"""Tables of the results, as Markdown: a row for each way, a row for each task, and what was left out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from ..markdown import between_markers
from ..prototype import ROOT
from .results import Line
from .selection import IN_DEMO, SEEDS, TASK_COUNT, Selection, choose
from .tasks import LEFT_OUT, PAGES, SOLVED
from .ways import AGENT, CHECKED, WAYS

PAGE = ROOT / "docs" / "explanation" / "evaluation.md"
README = ROOT / "README.md"
PROMISED = ("blind", *CHECKED)
FEWER = ("before", "places")
Lines = Mapping[tuple[str, str, str], Line]


def selected(lines: Lines, count: int = TASK_COUNT, seeds: Sequence[str] = SEEDS) -> Selection:
    """The tasks that the results choose."""
    return choose([*SOLVED, *LEFT_OUT], count, lambda name: failure(lines, name, seeds))


def failure(lines: Lines, name: str, seeds: Sequence[str]) -> str:
    """Why the script alone does not solve a task at all seeds, or ""."""
    for seed in seeds:
        run = lines.get((name, seed, AGENT))
        if run is None:
            return "not measured yet"
        if run.verdict != "solved":
            return f"the script failed at the seed {seed}" + (f": {run.reason}" if run.reason else "")
    return ""


def of_ways(lines: Lines, chosen: Iterable[str], seeds: Sequence[str], ways: Iterable[str]) -> dict[str, list[Line]]:
    """The runs of each way that are there."""
    names = list(chosen)
    keys = {way: [(name, seed, way) for name in names for seed in seeds] for way in ways}
    return {way: [lines[key] for key in wanted if key in lines] for way, wanted in keys.items()}


def wrong_hits(lines: Lines, chosen: Iterable[str], seeds: Sequence[str]) -> list[Line]:
    """Hits of the ways with checks at the end of which the page gave no reward."""
    return [
        line for runs in of_ways(lines, chosen, seeds, CHECKED).values() for line in runs if line.verdict == "wrong"
    ]


def summary(lines: Lines, chosen: Sequence[str], seeds: Sequence[str], ways: Iterable[str] = tuple(WAYS)) -> str:
    """A row for each way."""
    head = "| way | runs | solved by replay | handed over, then solved | handed over, not solved | wrong |"
    rows = [head, "| --- | ---: | ---: | ---: | ---: | ---: |"]
    for way, runs in of_ways(lines, chosen, seeds, ways).items():
        if not runs:
            continue
        counted = Counter(run.verdict for run in runs)
        cells = [counted[verdict] for verdict in ("solved", "handed over", "unsolved", "wrong")]
        rows.append(f"| {WAYS[way]} | {len(runs)} | {' | '.join(map(str, cells))} |")
    return "\n".join(rows)


def by_task(lines: Lines, chosen: Sequence[str], seeds: Sequence[str]) -> str:
    """A row for each task: of its runs, how many were solved by replay, and how many were wrong."""
    rows = [f"| task | {' | '.join(WAYS[way] for way in PROMISED)} |", f"| --- |{' --- |' * len(PROMISED)}"]
    for name in chosen:
        runs = of_ways(lines, [name], seeds, PROMISED)
        rows.append(f"| {name} | {' | '.join(_cell(runs[way]) for way in PROMISED)} |")
    return "\n".join(rows)


def _cell(runs: list[Line]) -> str:
    counted = Counter(run.verdict for run in runs)
    parts = [f"{counted[word]} {word}" for word in ("solved", "handed over", "unsolved", "wrong") if counted[word]]
    return ", ".join(parts)


def reasons(lines: Lines, chosen: Sequence[str], seeds: Sequence[str]) -> str:
    """Why the ways with checks were handed over, as a list."""
    rows = []
    for way, runs in of_ways(lines, chosen, seeds, CHECKED).items():
        counted = Counter(run.reason for run in runs if run.verdict in ("handed over", "unsolved"))
        told = ", ".join(f"`{reason}` {number}" for reason, number in counted.most_common())
        rows.append(f"- {WAYS[way]}: {told or 'none'}")
    return "\n".join(rows)


def wrong_by_task(lines: Lines, chosen: Sequence[str], seeds: Sequence[str]) -> str:
    """Where the ways with fewer checks were wrong, as a list."""
    rows = []
    for way, runs in of_ways(lines, chosen, seeds, FEWER).items():
        counted = Counter(run.task for run in runs if run.verdict == "wrong")
        tasks = ", ".join(f"`{task}` {number}" for task, number in counted.most_common())
        rows.append(f"- {WAYS[way]}: {tasks or 'none'}")
    return "\n".join(rows)


def origin(lines: Lines, selection: Selection, seeds: Sequence[str]) -> str:
    """What was measured, with what."""
    keys = {(name, seed, way) for name in selection.chosen for seed in seeds for way in (AGENT, *WAYS)}
    versions = sorted({line.versions for key, line in lines.items() if key in keys and line.versions})
    runs = of_ways(lines, selection.chosen, seeds, CHECKED).values()
    hits = [run for each in runs for run in each if run.status == "hit"]
    return "\n".join(
        (
            f"- {len(selection.chosen)} tasks, at the seeds {seeds[0]} to {seeds[-1]}",
            *(f"- {version}" for version in versions),
            f"- hits of b, c and d: {len(hits)}; wrong: {sum(run.verdict == 'wrong' for run in hits)}{_bound(hits)}",
            f"- of these, with a reward above 0 and below 1: {sum(0 < run.reward < 1 for run in hits)}",
        )
    )


def _bound(hits: list[Line]) -> str:
    """How many may be wrong if none was, by chance."""
    if not hits or any(run.verdict == "wrong" for run in hits):
        return ""
    return f" (with 95 % confidence fewer than {100 * (1 - 0.05 ** (1 / len(hits))):.1f} %, if they were independent)"


def left_out(selection: Selection, names: int = PAGES) -> str:
    """The tasks before the last chosen one that were left out, and how many come behind it."""
    rows = [f"- `{name}`: {reason}" for name, reason in selection.left_out.items()]
    later = names - len(IN_DEMO) - len(selection.chosen) - len(selection.left_out)
    return "\n".join(
        [*rows, f"- {len(IN_DEMO)} tasks of the demo", f"- {later} tasks later in the order, which were not tried"]
    )


def report(lines: Lines, selection: Selection, seeds: Sequence[str]) -> str:
    return "\n\n".join(
        (
            origin(lines, selection, seeds),
            summary(lines, selection.chosen, seeds),
            "Handed over, by reason:\n\n" + reasons(lines, selection.chosen, seeds),
            "Wrong with fewer checks:\n\n" + wrong_by_task(lines, selection.chosen, seeds),
            by_task(lines, selection.chosen, seeds),
            "Left out:\n\n" + left_out(selection),
        )
    )


def documented(lines: Lines) -> dict[str, str]:
    """What stands between the markers of the page. Raises ValueError if runs are missing."""
    selection = selected(lines)
    runs = of_ways(lines, selection.chosen, SEEDS, WAYS)
    expected = TASK_COUNT * len(SEEDS)
    short = [way for way, found in runs.items() if len(found) != expected]
    if short:
        raise ValueError(f"expected {expected} runs of each way, some are missing of: {', '.join(short)}")
    return {
        "evaluate": summary(lines, selection.chosen, SEEDS),
        "evaluate-origin": origin(lines, selection, SEEDS),
        "evaluate-reasons": reasons(lines, selection.chosen, SEEDS),
        "evaluate-wrong": wrong_by_task(lines, selection.chosen, SEEDS),
        "evaluate-tasks": by_task(lines, selection.chosen, SEEDS),
        "evaluate-left-out": left_out(selection),
    }


def in_readme(lines: Lines) -> dict[str, str]:
    """What stands between the markers of the README."""
    return {"evaluate-readme": summary(lines, selected(lines).chosen, SEEDS, PROMISED)}


def write(lines: Lines, page: Path = PAGE, readme: Path = README) -> None:
    """Write the tables into the page and the README. Raises ValueError if runs or markers are missing."""
    contents = {page: documented(lines), readme: in_readme(lines)}
    texts = {path: between_markers(path.read_text(encoding="utf-8"), parts) for path, parts in contents.items()}
    for path, text in texts.items():
        path.write_text(text, encoding="utf-8")
