"""What an engine learns from several recordings of programs whose data flow is known.

`python -m benchmarks.learning` prints, for one to four recordings, how many flows there are, how many were found, how
many acted, and what of that was wrong. `--kinds` adds a table by the way an agent got a value, `--runs 6` one of runs
as a user makes them, and `--wrong` prints each wrong value. What is wrong *by chance* is of an agent that judges, and
had picked the first element in every recording, or the last one: no recording can show that this was a judgement.
`--lists 330` counts programs that go through lists: whole ones, early exits, filters, pages and others.
`--texts 20` counts families of task texts, fair and hostile ones, with `learn_params=True`, after two and three
recordings. A hostile text is answered rightly if it swaps two values and the replay swaps them, too.
"""

from __future__ import annotations

import argparse
import importlib
import sys
import time
from collections.abc import Sequence
from typing import Any

from .prototype import ROOT

SUPPORT = ROOT / "tests" / "support"
MOST = 4
RUNS = 6
LISTS = 3
USED = ("handed over", "misses", "wrong writes", "writes lacking", "of them by chance")
COLUMNS = (
    ("recordings", "{number}"),
    ("programs", "{programs}"),
    ("flows", "{flows}"),
    ("may act", "{may_act:.1f} %"),
    ("found", "{found:.1f} %"),
    ("act", "{acting:.1f} %"),
    ("acted", "{acted}"),
    ("wrong", "{wrong}"),
    ("precision", "{precision}"),
    ("wrong writes", "{wrong_writes}"),
    ("by chance", "{by_chance}"),
    ("again", "{again}"),
    ("lacking", "{lacking}"),
    ("hits", "{hits}"),
    ("handed over", "{handed_over}"),
    ("misses", "{misses}"),
)


def findings(count: int, seed: int, most: int = MOST, **options: Any) -> dict[int, Any]:
    """What comes of `count` programs after one to `most` recordings each, by the number of recordings."""
    by_number: dict[int, Any] = _support("flow_findings").findings(_programs(count, seed), most, **options)
    return by_number


def uses(count: int, seed: int, runs: int = RUNS, **options: Any) -> dict[int, Any]:
    """What comes of the first, the second, ... run of `count` programs, by the number of the run."""
    by_run: dict[int, Any] = _support("flow_findings").uses(_programs(count, seed), runs, **options)
    return by_run


def lists(count: int, seed: int, most: int = LISTS) -> dict[int, Any]:
    """What comes of `count` programs that go through lists, after one to `most` recordings."""
    by_number: dict[int, Any] = _support("loop_findings").findings(
        _support("loop_programs").programs(count, seed), most
    )
    return by_number


def table_of_lists(by_number: dict[int, Any]) -> str:
    """A line for each family of programs that go through lists, and one for all: acted, wrong, handed over."""
    heads = " | ".join(f"{number}: runs, acted, wrong, by chance, handed over" for number in by_number)
    lines = [f"| program | {heads} |", "| --- " * (len(by_number) + 1) + "|"]
    families = sorted({family for found in by_number.values() for family in found.families})
    for family in [*families, ""]:
        cells = []
        for found in by_number.values():
            counts = found.families.get(family, {}) if family else found.counts
            over = counts.get("diverged", 0) + counts.get("miss", 0)
            shown = [counts.get(name, 0) for name in ("runs", "acted", "wrong", "by chance")]
            cells.append(", ".join(map(str, [*shown, over])))
        lines.append(f"| {family or 'all'} | {' | '.join(cells)} |")
    return "\n".join(lines)


def texts(count: int, seed: int, numbers: Sequence[int] = (2, 3)) -> dict[int, Any]:
    """What comes of `count` trials of each family of task texts, by the number of recordings."""
    families = _support("text_families")
    return {number: families.findings(count, seed, number) for number in numbers}


def table_of_texts(by_number: dict[int, Any]) -> str:
    """A line for each family of task texts, and one for all of a kind: texts, answered, wrong, handed over."""
    heads = " | ".join(f"{number}: texts, answered, wrong, handed over" for number in by_number)
    lines = [f"| texts | {heads} |", "| --- " * (len(by_number) + 1) + "|"]
    for kind in ("fair", "doubtful", "hostile"):
        families = next(iter(by_number.values()))[kind]
        for family in [*families, ""]:
            cells = []
            for found in by_number.values():
                own = [counts for name, counts in found[kind].items() if family in ("", name)]
                total = [sum(c[name] for c in own) for name in ("answered", "wrong", "handed over")]
                cells.append(", ".join(map(str, [sum(total), *total])))
            lines.append(f"| {kind}: {family or 'all'} | {' | '.join(cells)} |")
    return "\n".join(lines)


def _programs(count: int, seed: int) -> Any:
    return _support("flow_programs").programs(count, seed)


def _support(name: str) -> Any:
    """A module of those that tests share."""
    if str(SUPPORT) not in sys.path:
        sys.path.insert(0, str(SUPPORT))
    return importlib.import_module(name)


def percent(value: float | None) -> str:
    return "-" if value is None else f"{value:.2f} %"


def table(by_number: dict[int, Any]) -> str:
    """A line for each number of recordings."""
    lines = ["| " + " | ".join(name for name, _ in COLUMNS) + " |", "| --- " * len(COLUMNS) + "|"]
    for number, found in by_number.items():
        counts = found.counts
        values = {
            "number": number,
            "may_act": found.share("may act"),
            "found": found.share("found"),
            "acting": found.share("acting"),
            "precision": percent(found.precision),
            "by_chance": counts["of them by chance"],
            "again": counts["writes again"],
            "lacking": counts["writes lacking"],
        }
        for name in ("programs", "flows", "acted", "wrong", "wrong writes", "hits", "handed over", "misses"):
            values[name.replace(" ", "_")] = counts[name]
        lines.append("| " + " | ".join(form.format(**values) for _, form in COLUMNS) + " |")
    return "\n".join(lines)


def table_of_uses(by_run: dict[int, Any]) -> str:
    """A line for each number of a run."""
    heads = ("run", "hits", "calls avoided", "handed over", "misses", "wrong writes", "lacking", "by chance")
    lines = [f"| {' | '.join(heads)} |", "| --- " * len(heads) + "|"]
    for number, found in by_run.items():
        shares = [found.share("hits", "runs"), found.share("avoided", "calls")]
        counts = [found.counts[name] for name in USED]
        cells = [str(number), *(f"{share:.1f} %" for share in shares), *map(str, counts)]
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def by_kind(by_number: dict[int, Any]) -> str:
    """A line for each way by which agents got values: found, acted and wrong, for each number of recordings."""
    kinds = sorted({kind for found in by_number.values() for kind, counts in found.kinds.items() if counts.total()})
    lines = ["| way | " + " | ".join(f"{number}: flows, found, acted, wrong" for number in by_number) + " |"]
    lines.append("| --- " * (len(by_number) + 1) + "|")
    for kind in kinds:
        cells = []
        for found in by_number.values():
            counts = found.kinds.get(kind, {})
            found_of = counts.get("found", 0) + counts.get("found without a flow", 0)
            cells.append(f"{counts.get('flows', 0)}, {found_of}, {counts.get('acted', 0)}, {counts.get('wrong', 0)}")
        lines.append(f"| {kind} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def main(words: Sequence[str] | None = None) -> int:
    made = argparse.ArgumentParser(prog="python -m benchmarks.learning", description=__doc__)
    made.add_argument(
        "--programs", type=int, default=396, help="how many programs (132 have each family in proportion)"
    )
    made.add_argument("--recordings", type=int, default=MOST, help="up to how many recordings")
    made.add_argument("--seed", type=int, default=0, help="another seed makes other programs")
    made.add_argument("--kinds", action="store_true", help="also by the way the agents got their values")
    made.add_argument("--reasons", action="store_true", help="also why runs were no hits")
    made.add_argument("--runs", type=int, default=0, help="also so many runs of each, one after the other")
    made.add_argument("--lists", type=int, default=0, help="instead, so many programs that go through lists")
    made.add_argument("--texts", type=int, default=0, help="instead, so many trials of each family of task texts")
    made.add_argument("--wrong", action="store_true", help="also each wrong value and each wrong write")
    given = made.parse_args(words)
    began = time.perf_counter()
    if given.texts:
        print(table_of_texts(texts(given.texts, given.seed)))
        sys.stderr.write(f"{time.perf_counter() - began:.0f} s\n")
        return 0
    if given.lists:
        by_list = lists(given.lists, given.seed)
        print(table_of_lists(by_list))
        for number, found in by_list.items() if given.wrong else ():
            sys.stdout.writelines(f"{number}: {line}\n" for line in found.wrong)
        sys.stderr.write(f"{time.perf_counter() - began:.0f} s\n")
        return 0
    by_number = findings(given.programs, given.seed, given.recordings)
    print(table(by_number))
    if given.kinds:
        print(f"\n{by_kind(by_number)}")
    for number, found in by_number.items():
        if given.reasons:
            print(f"\n{number}: " + ", ".join(f"{reason} {count}" for reason, count in found.reasons.most_common()))
        if given.wrong:
            sys.stdout.writelines(f"{number}: {line}\n" for line in found.wrong)
    if given.runs:
        by_run = uses(given.programs, given.seed, given.runs)
        print(f"\n{table_of_uses(by_run)}")
        for number, found in by_run.items() if given.wrong else ():
            sys.stdout.writelines(f"run {number}: {line}\n" for line in found.wrong)
    sys.stderr.write(f"{time.perf_counter() - began:.0f} s\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
