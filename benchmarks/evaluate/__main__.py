"""The command: `python -m benchmarks.evaluate` runs what the file of results lacks, and prints the tables."""

from __future__ import annotations

import argparse
import logging
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path

from muscle_mem.demo.browser import find_browser, find_pages, open_browser, what_is_missing

from . import report, results
from .page import prepare
from .results import Line
from .selection import SEEDS, TASK_COUNT, Selection, choose, names_in
from .tasks import SOLVED
from .ways import AGENT, WAYS, Lab, Task


def main(words: list[str] | None = None) -> int:
    """Exit status: 0, 1 if a replay with checks was wrong, or 2 for what cannot be done."""
    given = parser().parse_args(words)
    seeds = SEEDS[: given.seeds]
    try:
        if given.report:
            lines = results.read(given.results)
            selection = report.selected(lines, given.tasks, seeds)
        else:
            lines, selection = measure(given.results, given.tasks, seeds, given.ways)
        print(report.report(lines, selection, seeds))
        if given.write:
            report.write(lines)
    except (ValueError, OSError) as error:
        sys.stderr.write(f"evaluate: {error}\n")
        return 2
    wrong = report.wrong_hits(lines, selection.chosen, seeds)
    for line in wrong:
        sys.stderr.write(f"wrong: {line}\n")
    return 1 if wrong else 0


def parser() -> argparse.ArgumentParser:
    made = argparse.ArgumentParser(prog="python -m benchmarks.evaluate", description=__doc__)
    made.add_argument(
        "--tasks", type=int, default=TASK_COUNT, metavar="N", help="the first N tasks (default: %(default)s)"
    )
    made.add_argument(
        "--seeds", type=int, default=len(SEEDS), metavar="N", help="the first N seeds (default: %(default)s)"
    )
    made.add_argument("--ways", nargs="+", choices=WAYS, default=list(WAYS), help="only these ways")
    made.add_argument("--results", type=Path, default=results.FILE, help="the file of results (default: %(default)s)")
    made.add_argument("--report", action="store_true", help="print the tables of the results; run nothing")
    made.add_argument("--write", action="store_true", help="write the tables into the README and docs")
    return made


def measure(
    path: Path, count: int, seeds: Sequence[str], ways: Sequence[str]
) -> tuple[dict[tuple[str, str, str], Line], Selection]:
    """Run what the file lacks. Raises ValueError without a browser or pages."""
    lines = results.read(path)
    with runner(path, lines) as run:

        def failure(name: str) -> str:
            for seed in seeds:
                run(name, seed, AGENT)
            return report.failure(lines, name, seeds)

        pages = find_pages()
        assert pages is not None
        selection = choose(names_in(pages), count, failure)
        for number, name in enumerate(selection.chosen, 1):
            sys.stderr.write(f"{number} of {len(selection.chosen)}: {name}\n")
            for way in ways:
                for seed in seeds:
                    run(name, seed, way)
    return lines, selection


class Runner:
    """Runs what is not known yet, and keeps it."""

    def __init__(self, lab: Lab, path: Path, lines: dict[tuple[str, str, str], Line], versions: str) -> None:
        self._lab = lab
        self._writer = results.Writer(path)
        self._lines = lines
        self._versions = versions

    def __call__(self, name: str, seed: str, way: str) -> None:
        if (name, seed, way) not in self._lines:
            line = replace(self._lab.run(Task(name, SOLVED[name]), seed, way), versions=self._versions)
            self._writer.add(line)
            self._lines[line.key] = line


@contextmanager
def runner(path: Path, lines: dict[tuple[str, str, str], Line]) -> Iterator[Runner]:
    """A runner with one browser. Raises ValueError without one."""
    browser, pages = find_browser(), find_pages()
    missing = what_is_missing(browser)
    if missing or browser is None or pages is None:
        raise ValueError(missing)
    with open_browser(browser) as browser_page:
        prepare(browser_page)
        running = browser_page.context.browser
        named = [f"{name} {version(name)}" for name in ("muscle-mem", "miniwob", "playwright")]
        versions = ", ".join([*named, f"Chromium {running.version if running else 'of unknown version'}"])
        yield Runner(Lab(browser_page, pages), path, lines, versions)


if __name__ == "__main__":
    logging.getLogger("muscle_mem").setLevel(logging.ERROR)  # Blind replays have no checks.
    sys.exit(main())
