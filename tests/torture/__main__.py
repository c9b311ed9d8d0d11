"""python -m tests.torture [NAMES] --seeds 0:100 --size 50: a line of JSON for each proof."""

from __future__ import annotations

import argparse
import json
import os
import platform
import sqlite3
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any

# The proofs stand on cases that the tests share.
sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "support"))

from .figures import Figures, Proof, Size
from .proofs import PROOFS


def each(name: str, seeds: range, size: int, control: str, jobs: int) -> Iterator[tuple[int, Figures]]:
    """The figures of each seed, as they come. A seed that could not be run is wrong."""
    if jobs == 1 or len(seeds) == 1:
        yield from ((seed, of_seed(name, seed, size, control)) for seed in seeds)
        return
    with ProcessPoolExecutor(jobs, mp_context=get_context("fork")) as pool:
        waiting = {seed: pool.submit(of_seed, name, seed, size, control) for seed in seeds}
        yield from ((seed, future.result()) for seed, future in waiting.items())


def of_seed(name: str, seed: int, size: int, control: str) -> Figures:
    """One seed of one proof."""
    try:
        return PROOFS[name].run(seed, size, control)
    except Exception as error:
        figures = Figures()
        figures.fault("broken", f"seed {seed}: {type(error).__name__}: {error}")
        return figures


def prove(name: str, seeds: range, size: int, control: str, jobs: int) -> dict[str, Any]:
    """All seeds of a proof: the line that is printed."""
    began = time.monotonic()
    total, failed = Figures(), []
    for seed, figures in each(name, seeds, size, control, jobs):
        total.add(figures)
        if figures.failed:
            failed.append(seed)
    return {
        "proof": name,
        "control": control,
        "ok": not failed and not total.skipped,
        "seeds": f"{seeds.start}:{seeds.stop}",
        "size": size,
        "unit": PROOFS[name].unit,
        "failed_seeds": failed,
        **total.as_dict(),
        "seconds": round(time.monotonic() - began, 1),
        "date": time.strftime("%Y-%m-%d"),
        "python": platform.python_version(),
        "sqlite": sqlite3.sqlite_version,
        "machine": f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores",
    }


def how_far(proof: Proof, asked: argparse.Namespace) -> tuple[range, int]:
    """The seeds and the size of a run, from the options or else from the proof."""
    usual: Size = proof.large if asked.large else proof.small
    if asked.control:
        usual = proof.controls[asked.control][1]
    if asked.scale != 1:
        usual = Size(max(1, round(usual.seeds * asked.scale)), usual.size)
    start, _, end = (asked.seeds or f"0:{usual.seeds}").partition(":")
    return range(int(start), int(end or int(start) + 1)), asked.size or usual.size


def main() -> int:
    parser = argparse.ArgumentParser("tests.torture", description="The proofs of what the stores promise.")
    parser.add_argument("names", nargs="*", help=f"which: {', '.join(PROOFS)}; all if none is named")
    parser.add_argument("--seeds", default="", help="as in 0:100, or one; a run can be gone on with where it ended")
    parser.add_argument("--size", type=int, default=0, help="how large each seed is, in the proof's own unit")
    parser.add_argument("--large", action="store_true", help="as far as the figures of the docs go")
    parser.add_argument("--scale", type=float, default=1.0, help="so many times the seeds")
    parser.add_argument("--control", default="", help="switch this rule off: the proof must find fault")
    parser.add_argument("--jobs", type=int, default=1, help="seeds at a time")
    parser.add_argument("--append", default="", metavar="FILE", help="add the lines to a file as well")
    asked = parser.parse_args()
    unknown = [name for name in asked.names if name not in PROOFS]
    if unknown:
        parser.error(f"no proof {', '.join(unknown)}; there are {', '.join(PROOFS)}")
    good = True
    for name in asked.names or PROOFS:
        seeds, size = how_far(PROOFS[name], asked)
        result = prove(name, seeds, size, asked.control, asked.jobs)
        line = json.dumps(result)
        print(line, flush=True)
        if asked.append:
            with open(asked.append, "a", encoding="utf-8") as file:
                file.write(json.dumps({**result, "notes": []}) + "\n")
        good = good and (result["ok"] or bool(result["skipped"]))
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
