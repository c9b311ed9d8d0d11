"""The tables of a results file, and the pages that they are written into."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from ..markdown import between_markers
from ..prototype import ROOT
from .rows import MEMORIES, ROWS
from .statistics import Interval, over_seeds, share

PAGE = ROOT / "docs" / "contributing" / "benchmark-with-a-model.md"
README = ROOT / "README.md"
PAIRS = (("retry", "params-retry", "with up to three retries"), ("alone", "params", "without retries"))
HEADLINE = "params-retry"

Line = dict[str, Any]
Counts = dict[str, Any]

# A column: its name, and its value from the counts of a seed and the mean seconds of a call in all rows.
COLUMNS: tuple[tuple[str, Callable[[Counts, float], float]], ...] = (
    ("solved", lambda counts, _: counts["solved"]),
    ("model calls", lambda counts, _: counts["calls"]),
    ("tokens", lambda counts, _: counts["prompt_tokens"] + counts["completion_tokens"]),
    ("seconds", lambda counts, call: counts["seconds"] - counts["model_seconds"] + counts["calls"] * call),
    ("hits", lambda counts, _: counts["hits"]),
    ("handed over", lambda counts, _: counts["handed_over"]),
    ("wrong tickets sent", lambda counts, _: counts["wrong_sends"]),
)


class Results:
    """The lines of the seeds that have a result of every row in the file, by row.

    Raises ValueError if there are none.
    """

    def __init__(self, lines: Iterable[Line]) -> None:
        by_seed: dict[int, dict[str, Line]] = {}
        for line in lines:
            by_seed.setdefault(line["seed"], {})[line["row"]] = line
        seen = {row for rows in by_seed.values() for row in rows}
        self.rows = [row for row in ROWS if row in seen]
        self.seeds = sorted(seed for seed, rows in by_seed.items() if rows.keys() >= set(self.rows))
        if not self.seeds:
            raise ValueError("no seed has a result of every row yet")
        self.lines = [by_seed[seed][row] for seed in self.seeds for row in self.rows]

    def counts(self, row: str) -> list[Counts]:
        """The counts of a row, one a seed."""
        return [line["counts"] for line in self.lines if line["row"] == row]

    def seconds_of_a_call(self) -> float:
        """The mean over all rows, which each is charged: a row that ran while the machine was busy is not slower."""
        calls: int = sum(line["counts"]["calls"] for line in self.lines)
        seconds: float = sum(line["counts"]["model_seconds"] for line in self.lines)
        return seconds / max(1, calls)

    def total(self, row: str, name: str) -> int:
        return sum(counts[name] for counts in self.counts(row))


def page(lines: Iterable[Line]) -> str:
    """What `--report` prints."""
    return "\n\n".join(sections(lines).values())


def sections(lines: Iterable[Line]) -> dict[str, str]:
    """What is written between the markers of the page, by their names."""
    found = Results(lines)
    return {
        "agent-table": f"{table(found)}\n\n{wrong_table(found)}",
        "agent-pairs": pairs(found),
        "agent-causes": causes(found),
        "agent-origin": origin(found),
    }


def write(lines: list[Line], page: Path = PAGE, readme: Path = README) -> None:
    """Write the tables into the page, and the headline into the README. Raises ValueError without their markers."""
    contents = {page: sections(lines), readme: {"agent-headline": headline(Results(lines))}}
    texts = {path: between_markers(path.read_text(encoding="utf-8"), parts) for path, parts in contents.items()}
    for path, text in texts.items():
        path.write_text(text, encoding="utf-8")


def table(found: Results) -> str:
    """A line for each row: means over the seeds, with their intervals."""
    heads, call = " | ".join(name for name, _ in COLUMNS), found.seconds_of_a_call()
    lines = [f"| row | {heads} |", "| --- " * (len(COLUMNS) + 1) + "|"]
    for row in found.rows:
        cells = [_spread(over_seeds([value(counts, call) for counts in found.counts(row)])) for _, value in COLUMNS]
        lines.append(f"| {ROWS[row]} | {' | '.join(cells)} |")
    return "\n".join(lines)


def wrong_table(found: Results) -> str:
    """A line for each row that can hit: wrong hits of all hits, and the replays that the callback rejected."""
    heads = "| row | hits of all seeds | wrong hits | 95 % interval | replays that the callback rejected |"
    lines = [heads, "| --- " * 5 + "|"]
    for row in found.rows:
        hits, wrong = found.total(row, "hits"), found.total(row, "wrong_hits")
        if row in ("cache", *MEMORIES):
            rejected = sum(len(counts["rejected"]) for counts in found.counts(row))
            cells = (f"{hits:,}", str(wrong), _bounds(share(wrong, hits)), str(rejected))
            lines.append(f"| {ROWS[row]} | {' | '.join(cells)} |")
    return "\n".join(lines)


def pairs(found: Results) -> str:
    """For rows of the same policy, with and without a memory: the share of model calls that was saved."""
    lines = []
    for without, with_it, policy in PAIRS:
        if without in found.rows and with_it in found.rows:
            before, after = found.counts(without), found.counts(with_it)
            saved = over_seeds([1 - b["calls"] / a["calls"] for a, b in zip(before, after, strict=True)])
            lines.append(
                f"- {policy}: {_percent(saved)} fewer model calls; "
                f"{_mean(before, 'solved')} of {before[0]['tasks']} tasks are solved without the memory, "
                f"{_mean(after, 'solved')} with it"
            )
    return "\n".join(lines)


def headline(found: Results) -> str:
    """What the README says: model calls, and wrong hits beside them. Raises ValueError if a row of it is missing."""
    without, with_it, policy = PAIRS[0]
    if not {without, with_it} <= set(found.rows):
        raise ValueError(f"the headline needs the rows {without!r} and {with_it!r}")
    before, after = found.counts(without), found.counts(with_it)
    hits, wrong = found.total(with_it, "hits"), found.total(with_it, "wrong_hits")
    interval = share(wrong, hits)
    bound = f"95 % bound 3/N: {_share(interval.high)}" if wrong == 0 else f"95 % interval: {_bounds(interval)}"
    where = PAGE.relative_to(ROOT).as_posix()
    return (
        f"With a real small model that fails most tasks ({before[0]['tasks']} tasks, {policy}, "
        f"means of {len(found.seeds)} seeds):\n"
        f"**{_whole(after, 'calls')} model calls in place of {_whole(before, 'calls')}**.\n"
        f"**Wrong hits: {wrong} of {hits:,}** ({bound}). [Table, method, and what it does not show]({where})."
    )


def causes(found: Results) -> str:
    """What was wrong with wrong hits and with rejected replays, for each row that has any."""
    lines = []
    for row in found.rows:
        wrong = [each for counts in found.counts(row) for each in counts["wrong"]]
        kinds = Counter(_kind(fault) for each in wrong for fault in each["faults"])
        if wrong:
            listed = ", ".join(f"{kind} ({count})" for kind, count in kinds.most_common())
            lines.append(f"- {ROWS[row]}: wrong hits: {listed}; {_on_leftovers(wrong)}")
        rejected = [each for counts in found.counts(row) for each in counts["rejected"]]
        if rejected:
            lines.append(f"- {ROWS[row]}: replays that the callback rejected: {_on_leftovers(rejected)}")
    return "\n".join(lines) or "- there were none"


def _on_leftovers(found: list[dict[str, Any]]) -> str:
    left = sum(bool(each["leftover"]) for each in found)
    return f"in {left} of {len(found)} the form had a leftover value"


def origin(found: Results) -> str:
    """Where and how the results were taken, as a list."""
    first = found.lines[0]
    days = sorted({line["when"][:10] for line in found.lines})
    settings, machine = first["settings"], first["machine"]
    versions = ", ".join(f"{name} {text}" for name, text in first["versions"].items())
    loads = [line["machine"]["load"] for line in found.lines if line["machine"]["load"] is not None]
    checksum = f", SHA-256 `{settings['sha256']}`" if settings["sha256"] else ""
    lines = [
        f"- seeds {', '.join(map(str, found.seeds))}; {first['counts']['tasks']} tasks each",
        f"- model `{settings['model']}`{checksum}",
        f"- {settings['api']}, temperature {settings['temperature']}, at most {settings['max_tokens']} tokens a call",
        f"- draws: {settings['draws']}",
        f"- {versions}",
        f"- measured {', '.join(days)}",
        f"- {machine['cores']} cores of {machine['processor']}, {machine['system']}",
    ]
    times = [
        line["counts"]["model_seconds"] / line["counts"]["calls"] for line in found.lines if line["counts"]["calls"]
    ]
    if times:
        spread = f"from {min(times):.2f} to {max(times):.2f} s by row and seed"
        lines.append(f"- a model call took {found.seconds_of_a_call():.2f} s on average, and {spread}")
    if loads:
        lines.append(f"- load of the machine from {min(loads):.1f} to {max(loads):.1f}: it did other work as well")
    return "\n".join(lines)


def _kind(fault: str) -> str:
    """A fault without the value that was seen."""
    return f"wrong {fault.split()[0]}" if " is " in fault else fault


def _mean(counts: list[Counts], name: str) -> str:
    return _number(over_seeds([each[name] for each in counts]).mean)


def _whole(counts: list[Counts], name: str) -> str:
    return f"{over_seeds([each[name] for each in counts]).mean:,.0f}"


def _number(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.1f}"


def _spread(interval: Interval) -> str:
    if interval.low is None or interval.high is None:
        return _number(interval.mean)
    return f"{_number(interval.mean)} ({_number(max(0.0, interval.low))} to {_number(interval.high)})"


def _percent(interval: Interval) -> str:
    if interval.low is None or interval.high is None:
        return f"{interval.mean:.0%}".replace("%", " %")
    return f"{100 * interval.mean:.0f} % ({100 * interval.low:.0f} to {100 * interval.high:.0f} %)"


def _bounds(interval: Interval) -> str:
    if interval.high is None or interval.low is None:
        return "no hits"
    if interval.mean == 0:
        return f"below {_share(interval.high)} (3/N)"
    return f"{_share(interval.low)} to {_share(interval.high)}"


def _share(value: float | None) -> str:
    return f"{100 * (value or 0):.2g} %"
