"""The page and the example on strands run as they are written."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("strands.plugins", reason="strands is not installed")

import muscle_mem
from paths import ROOT

PAGE = ROOT / "docs" / "integrations" / "strands.md"
EXAMPLE = ROOT / "examples" / "strands_agent.py"
SOURCE = str(Path(muscle_mem.__file__).parent.parent)


def run(script: Path, folder: Path) -> str:
    done = subprocess.run(
        [sys.executable, str(script)],
        cwd=folder,
        env={"PYTHONPATH": SOURCE, "PATH": os.defpath},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_blocks_of_the_page_run(tmp_path: Path) -> None:
    code = re.findall(r"^```python\n(.*?)^```", PAGE.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)
    assert len(code) >= 2
    script = tmp_path / "page.py"
    script.write_text("\n".join(code), encoding="utf-8")
    run(script, tmp_path)


def test_the_example_learns_replays_and_hands_over(tmp_path: Path) -> None:
    said = run(EXAMPLE, tmp_path)
    assert re.findall(r"-> (\w+), the model was asked (\d) times", said) == [
        ("miss", "3"),
        ("hit", "0"),
        ("diverged", "2"),
    ]
