"""The command: `python -m benchmarks` measures, `python -m benchmarks compare A B` holds two results together."""

from __future__ import annotations

import argparse
import logging
import sys
import tempfile
import time
from pathlib import Path

from . import docs, pythons, results, scenarios  # noqa: F401 - scenarios register themselves
from .compare import changes, only_in_one
from .markdown import comparison, tables
from .prototype import Prototype, install
from .scenario import Bench, Measure, Row, chosen, measured


def main(words: list[str] | None = None) -> int:
    """Exit status: 0, or 2 for what cannot be done."""
    given = parser().parse_args(words)
    try:
        return int(given.run(given))
    except (ValueError, OSError) as error:
        sys.stderr.write(f"benchmarks: {error}\n")
        return 2


def parser() -> argparse.ArgumentParser:
    made = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    size = made.add_mutually_exclusive_group()
    size.add_argument("--quick", dest="size", action="store_const", const="quick", help="small counts, under a minute")
    size.add_argument("--full", dest="size", action="store_const", const="full", help="a million of what is scaled")
    made.add_argument("--only", action="append", default=[], metavar="WORD", help="scenarios whose name holds a word")
    made.add_argument("--no-prototype", action="store_true", help="leave the prototype out, and install nothing")
    made.add_argument("--out", type=Path, help="where the JSON goes (default: benchmarks/results)")
    made.add_argument("--no-docs", action="store_true", help="leave the pages of the docs as they are")
    made.add_argument("--list", action="store_true", help="name the scenarios and end")
    made.add_argument("--pythons", default="", help="further interpreters, apart by spaces; 'later': all found")
    made.set_defaults(run=measure, size="default")
    within = made.add_subparsers(title="also")
    two = within.add_parser("compare", help="hold two results against each other")
    two.add_argument("before", type=Path)
    two.add_argument("after", type=Path)
    two.set_defaults(run=compare)
    redo = within.add_parser("docs", help="write a result into the pages of the docs")
    redo.add_argument("result", type=Path)
    redo.set_defaults(run=redocument)
    return made


def measure(given: argparse.Namespace) -> int:
    wanted = chosen(given.only)
    if not wanted:
        raise ValueError(f"no scenario has {' or '.join(map(repr, given.only))} in its name; see --list")
    if given.list:
        print("\n".join(f"{group}.{name}" for group, name, _ in wanted))
        return 0
    logging.getLogger("muscle_mem").addHandler(logging.NullHandler())
    prototype = Prototype(missing="left out") if given.no_prototype else install()
    if prototype.missing:
        sys.stderr.write(f"the prototype is {prototype.missing}; going on without it\n")
    rows = run(wanted, given.size, prototype)
    about = results.about(given.size, Bench.seed, prototype.missing)
    result = results.as_json(about, rows)
    print(tables(result))
    if given.out or not given.only:
        path = given.out or results.usual_path(result)
        results.write(result, path)
        print(f"\nwritten to {path.name}")
    if not given.only and not given.no_docs and given.size != "quick" and not given.out:
        docs.write(result)
    return pythons.run(given.pythons.split(), given)


def run(wanted: list[tuple[str, str, Measure]], size: str, prototype: Prototype) -> list[Row]:
    """The rows of these scenarios, one after the other; told on standard error while they run."""
    rows: list[Row] = []
    try:
        with tempfile.TemporaryDirectory(prefix="muscle-mem-bench-") as folder:
            bench = Bench(size, Path(folder), prototype)
            for group, name, scenario in wanted:
                began = time.perf_counter()
                rows += measured(bench, group, scenario)
                sys.stderr.write(f"{group}.{name}: {time.perf_counter() - began:.1f} s\n")
    finally:
        prototype.close()
    return rows


def compare(given: argparse.Namespace) -> int:
    before, after = results.read(given.before), results.read(given.after)
    found = changes(before, after)
    print(comparison(found))
    gone, new = only_in_one(before, after)
    for ids, where in ((gone, "first"), (new, "second")):
        if ids:
            print(f"\nonly in the {where}: {', '.join(ids)}")
    told = [change for change in found if change.word]
    print(f"\n{len(told)} of {len(found)} figures changed by more than the spread")
    for name in ("python", "size"):
        if before[name] != after[name]:
            print(f"mind: {name} was {before[name]}, and is {after[name]}")
    return 0


def redocument(given: argparse.Namespace) -> int:
    docs.write(results.read(given.result))
    return 0


if __name__ == "__main__":
    sys.exit(main())
