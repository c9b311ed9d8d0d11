"""The same measurements on further Pythons, each in a virtual environment of its own."""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys

from .prototype import ROOT, bench_folder, clean_environment, make_environment


def run(pythons: list[str], given: argparse.Namespace) -> int:
    """Measure with each that is installed and works; their results go beside the others, not into the docs."""
    for name in pythons:
        python = shutil.which(name)
        if python is None or subprocess.run([python, "-c", "pass"], capture_output=True).returncode:
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
