"""A seeded sample of mutants of this package: which of them does a test tell from the code, and which survive?

`make mutants` runs it. Survivors are for people to judge: one that does what the code does is equivalent; for another
a test is missing. Nothing of the tree is altered; the exit code says only whether this tool could do its work.

Why not a tool of others: mutmut draws no sample, and leaves what stands outside of functions alone, as limits do;
cosmic-ray and mutatest run the same tests for each mutant, which are minutes here, and alter the tree they work in.
"""

from __future__ import annotations

import argparse
import random
import sys
import threading
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from fnmatch import fnmatch
from itertools import islice
from pathlib import Path
from queue import SimpleQueue
from typing import NamedTuple

from .changing import Mutant, mutants_of, says_something_else, text_of
from .reaching import Reach, TestsFailError, reach_of
from .running import TOOL, Copy, files_of

KILLED, SURVIVED, TIMED_OUT = "killed", "survived", "timed out"
CACHE = ".mutants"  # in the tree, where what is known of the tests is kept
BATCHES = (3.0, 25.0)  # seconds of tests in the first runs for a mutant; most die there


class Verdict(NamedTuple):
    """What became of a mutant, and how that is known."""

    fate: str
    why: str


def main(arguments: Sequence[str] | None = None) -> int:
    """Judge a sample, or show one of its mutants; 0, or 1 if the tests fail without any mutant."""
    options = _parsed(arguments)
    tree = Copy(options.root)  # as it is now: who works on meanwhile changes nothing here
    try:
        sample = list(islice(_drawn(tree.path, options), options.show or options.n))
        if options.show:
            print(sample[-1].diff(text_of(tree.path, sample[-1].path)), end="")
            return 0
        reach = reach_of(tree.path, Path(options.source), options.tests, options.jobs, options.root / CACHE)
        counts = _judge_all(reach, sample, options.jobs, options.limit)
    except TestsFailError as error:
        print(error, "the tests fail without any mutant; mend them first", sep="\n")
        return 1
    finally:
        tree.close()
    told = ", ".join(f"{counts[fate]} {fate}" for fate in (KILLED, SURVIVED, TIMED_OUT))
    print(f"{len(sample)} mutants of seed {options.seed}: {told}; SHOW=number with the rest as it is shows one")
    return 0


def _parsed(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="mutants", description=__doc__)
    parser.add_argument("tests", nargs="*", default=[], help="the tests to use; all of them")
    parser.add_argument("--root", type=Path, default=TOOL, help="the tree; this one")
    parser.add_argument("--source", default="src/muscle_mem", help="the folder of the package in it")
    parser.add_argument("--only", nargs="*", default=["_core/*", "store/*"], help="globs of paths in the package")
    parser.add_argument("--seed", default="1", help="another seed draws another sample")
    parser.add_argument("-n", type=int, default=20, help="how many mutants")
    parser.add_argument("--jobs", type=int, default=2, help="how many at a time")
    parser.add_argument("--limit", type=float, default=120.0, help="seconds of tests that one mutant may cost")
    parser.add_argument(
        "--show", type=int, default=0, metavar="NUMBER", help="print one mutant of the sample as a diff"
    )
    return parser.parse_args(arguments)


def _drawn(root: Path, options: argparse.Namespace) -> Iterator[Mutant]:
    """The mutants of all files that are meant, in an order of chance."""
    source = Path(options.source)
    files = [file for file in files_of(root) if file.suffix == ".py" and file.is_relative_to(source)]
    meant = [file for file in files if any(fnmatch(file.relative_to(source).as_posix(), glob) for glob in options.only)]
    found = [mutant for file in meant for mutant in mutants_of(root, file)]
    random.Random(options.seed).shuffle(found)
    for mutant in found:
        if says_something_else(text_of(root, mutant.path), mutant):
            yield mutant


def _judge_all(reach: Reach, sample: Sequence[Mutant], jobs: int, limit: float) -> Counter[str]:
    """Judge each mutant in one of so many copies, and print a line for each when it is known."""
    copies = [Copy(reach.root) for _ in range(jobs)]
    free: SimpleQueue[Copy] = SimpleQueue()
    for copy in copies:
        free.put(copy)
    counts: Counter[str] = Counter()
    alone = threading.Lock()

    def judge(number: int, mutant: Mutant) -> None:
        copy = free.get()
        try:
            verdict = _judge(reach, mutant, copy, limit)
        finally:
            free.put(copy)
        with alone:
            counts[verdict.fate] += 1
            print(f"{number:3} {mutant.path}:{mutant.line}: {mutant.name}: {verdict.fate}, {verdict.why}", flush=True)

    try:
        with ThreadPoolExecutor(jobs) as pool:
            list(pool.map(judge, range(1, len(sample) + 1), sample))
    finally:
        for copy in copies:
            copy.close()
    return counts


def _judge(reach: Reach, mutant: Mutant, copy: Copy, limit: float) -> Verdict:
    reaching = reach.tests(mutant)
    tests = reaching or reach.near(mutant)  # it may be executed in a process that a test starts
    asked = 0
    copy.mutate(mutant)
    try:
        for batch, seconds in _batches(reach, tests, limit if reaching else min(limit, BATCHES[-1])):
            ran = copy.test(batch, 30 + 5 * seconds)
            if ran.code is None:
                return Verdict(TIMED_OUT, f"{len(batch)} tests that take {seconds:.0f} s without it")
            if ran.code not in (0, 5):  # 5: those of this batch are not there, being parametrized by what has changed
                return Verdict(KILLED, f"by {ran.why}")
            asked += len(batch)
    finally:
        copy.restore(mutant.path)
    if not reaching:
        return Verdict(SURVIVED, f"no test executes it in its own process; {asked} of its file say nothing")
    of = f"all {asked}" if asked == len(tests) else f"the quickest {asked} of {len(tests)}"
    return Verdict(SURVIVED, f"{of} tests that execute it say nothing")


def _batches(reach: Reach, tests: Sequence[str], limit: float) -> Iterator[tuple[list[str], float]]:
    """Tests in the order given, a few, then more, then all that the limit allows, and how long they take."""
    ends = [end for end in BATCHES if end < limit] + [limit]
    batch: list[str] = []
    spent = began = 0.0
    for test in tests:
        if batch and spent + reach.times[test] > ends[0]:
            yield batch, spent - began
            batch, began = [], spent
            while ends and spent + reach.times[test] > ends[0]:
                ends.pop(0)
        if not ends:
            return
        batch.append(test)
        spent += reach.times[test]
    if batch:
        yield batch, spent - began


if __name__ == "__main__":
    sys.exit(main())
