"""The X desktop example: a real form under Xvfb; without the system's packages it says how to get them."""

from __future__ import annotations

import os
import runpy
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

from paths import ROOT

EXAMPLE = ROOT / "examples" / "desktop_x.py"


def run(*words: str, **environment: str) -> subprocess.CompletedProcess[str]:
    clean = {name: value for name, value in os.environ.items() if not name.startswith("MUSCLE_MEM_M")}
    return subprocess.run(
        [sys.executable, "-W", "error", str(EXAMPLE), *words],
        env={**clean, **environment},
        capture_output=True,
        text=True,
        timeout=120,
    )


def test_a_form_is_learned_replayed_with_other_data_and_handed_over(tmp_path: Path) -> None:
    what = runpy.run_path(str(EXAMPLE))["missing"]()
    if what:
        pytest.skip(what)
    done = run("--pictures", str(tmp_path / "pictures"), "--composed", str(tmp_path / "all.png"))
    assert done.returncode == 0, done.stderr
    assert [line for line in done.stdout.splitlines() if line.startswith("run ")] == [
        "run 1: miss, 0 steps replayed, the agent looked 3 times",
        "run 2: hit, 3 steps replayed, the agent looked 0 times",
        "run 3: diverged, 1 steps replayed, the agent looked 2 times",
        "run 4: hit, 3 steps replayed, the agent looked 0 times",
    ]
    assert "expected 280 x 44 pixels" in done.stdout
    assert sorted(path.name for path in (tmp_path / "pictures").iterdir()) == [f"run-{n}.png" for n in range(1, 5)]
    with Image.open(tmp_path / "all.png") as picture:
        assert picture.size == (916, 678)


def test_without_xvfb_it_says_how_to_get_it(tmp_path: Path) -> None:
    done = run(PATH=str(tmp_path))
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("skipped: ")
    assert "apt-get install xvfb python3-tk" in done.stdout
