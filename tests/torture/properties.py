"""The property tests of the whole project with many more cases, through the same command."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from functools import partial
from pathlib import Path

from .figures import Figures, Proof, Size

TESTS = Path(__file__).resolve().parent.parent


def run(file: str, variable: str, usual: int, seed: int, size: int, control: str) -> Figures:
    """One file of tests with `size` cases; `variable` is how it is told, in units of `usual`."""
    figures = Figures()
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-n", "2", "--tb=short", str(TESTS / file)],
        env={**os.environ, variable: str(max(1, size // usual)), "PYTHONHASHSEED": str(seed)},
        cwd=TESTS.parent,
        stdout=subprocess.PIPE,
        text=True,
    )
    figures.counted["cases"] += size
    figures.wrong["failed tests"] = 0
    if done.returncode:
        print(done.stdout, file=sys.stderr)
        seeds = sorted(set(re.findall(r"\bseed (\d+)", done.stdout)), key=int)
        figures.fault("failed tests", f"seeds {', '.join(seeds[:20])}")
    return figures


def _proof(file: str, variable: str, usual: int, large: int, promise: str, blind: str) -> Proof:
    return Proof(partial(run, file, variable, usual), promise, blind, "cases", small=Size(1, 100), large=Size(1, large))


PROOFS = {
    "middle": _proof(
        "property/test_property_middle.py",
        "MUSCLE_MEM_CASES",
        1,
        50_000,
        "Whatever happens in the middle of a replay, tools and agent are called as the rules define.",
        "Sequences that the model of the rules cannot express.",
    ),
    "worlds": _proof(
        "property/test_property_worlds.py",
        "MUSCLE_MEM_TIMES",
        2_000,
        50_000,
        "In random environments, a replay leaves the environment as the agent would have left it.",
        "Environments that are not like the random ones.",
    ),
    "drivers": _proof(
        "property/test_drivers_agree.py",
        "MUSCLE_MEM_TIMES",
        2_000,
        50_000,
        "The plain call, the async call and the session take the same decisions.",
        "Timing between threads.",
    ),
    "stores-agree": _proof(
        "store/contract/test_stores_agree.py",
        "MUSCLE_MEM_TORTURE",
        100,
        5_000,
        "All stores give the same answers, whatever is done to them.",
        "More than a few trajectories together.",
    ),
    "codec": _proof(
        "property/test_codec_properties.py",
        "MUSCLE_MEM_FUZZ",
        1,
        200_000,
        "What is recorded comes back unchanged, with its exact type.",
        "Classes that the tests do not have.",
    ),
}
