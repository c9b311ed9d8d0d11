"""The same measurements on further Pythons, each in a virtual environment of its own."""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

from .prototype import ROOT, bench_folder, clean_environment, make_environment

LATER = "later"  # stands for every later Python that is installed


def run(pythons: list[str], given: argparse.Namespace) -> int:
    """Measure with each that is installed and works; their results go beside the others, not into the docs."""
    named = [one for name in pythons for one in (later() if name == LATER else [name])]
    for name in named:
        python = working([shutil.which(name)])
        if python is None:
            sys.stderr.write(f"{name} is not installed; going on without it\n")
            continue
        try:
            made = make_environment(bench_folder() / f"ours-{name.rpartition('/')[2]}", python, ["-e", str(ROOT)])
        except RuntimeError as error:
            sys.stderr.write(f"{name} cannot be set up ({error}); going on without it\n")
            continue
        words = [*(f"--only={word}" for word in given.only), "--no-docs"]
        words += [f"--{given.size}"] if given.size != "default" else []
        words += ["--no-prototype"] if given.no_prototype else []
        sys.stdout.write(f"\n## {name.rpartition('/')[2]}\n\n")
        sys.stdout.flush()
        subprocess.run([made, "-m", "benchmarks", *words], cwd=ROOT, env=clean_environment(), check=True)
    return 0


def later() -> list[str]:
    """A Python of each later version that is on the PATH, or that pyenv keeps."""
    root = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv") / "versions"
    names = [f"python3.{minor}" for minor in range(sys.version_info.minor + 1, sys.version_info.minor + 20)]
    found = (working([shutil.which(name), *map(str, sorted(root.glob(f"*/bin/{name}")))]) for name in names)
    return [python for python in found if python is not None]


def working(pythons: Iterable[str | None]) -> str | None:
    """The first that runs: pyenv puts names on the PATH also for what is not switched on."""
    for python in pythons:
        if python is not None and subprocess.run([python, "-c", "pass"], capture_output=True).returncode == 0:
            return python
    return None
