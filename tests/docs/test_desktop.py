"""The desktop example: found by its pixels, replayed by its pixels; without a browser it says so."""

from __future__ import annotations

import os
import runpy
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

from muscle_mem.demo.browser import find_browser
from paths import ROOT

EXAMPLE = ROOT / "examples" / "desktop.py"


def run(*words: str, **environment: str) -> subprocess.CompletedProcess[str]:
    clean = {name: value for name, value in os.environ.items() if not name.startswith("MUSCLE_MEM_M")}
    return subprocess.run(
        [sys.executable, "-W", "error", str(EXAMPLE), *words],
        env={**clean, **environment},
        capture_output=True,
        text=True,
        timeout=120,
    )


def test_clicks_are_learned_replayed_handed_over_and_learned_anew(tmp_path: Path) -> None:
    pytest.importorskip("playwright")
    if find_browser() is None:
        pytest.skip("no browser")
    done = run("--pictures", str(tmp_path / "pictures"), "--composed", str(tmp_path / "all.png"))
    assert done.returncode == 0, done.stderr
    told = [line for line in done.stdout.splitlines() if line.startswith("run ")]
    assert told == [
        "run 1: miss, 0 clicks replayed, the agent looked 6 times",
        "run 2: hit, 6 clicks replayed, the agent looked 0 times",
        "run 3: diverged, 1 clicks replayed, the agent looked 5 times",
        "run 4: hit, 6 clicks replayed, the agent looked 0 times",
    ]
    assert "expected 80 x 80 pixels at x=128, y=38" in done.stdout
    assert sorted(path.name for path in (tmp_path / "pictures").iterdir()) == [f"run-{n}.png" for n in range(1, 5)]
    with Image.open(tmp_path / "all.png") as picture:
        assert picture.size == (996, 718)
    assert (tmp_path / "all.png").stat().st_size < 150_000


def test_without_a_browser_it_says_how_to_get_one(tmp_path: Path) -> None:
    done = run(MUSCLE_MEM_BROWSER=str(tmp_path / "none"))
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("skipped: ")
    assert "apt-get install chromium" in done.stdout


def test_the_agent_finds_each_button_by_its_picture_alone() -> None:
    names = runpy.run_path(str(EXAMPLE))
    desk = Image.new("RGB", names["SIZE"], "#dfe3e8")
    for letter, place in names["PLACES"].items():
        desk.paste(names["letter_picture"](letter), place)

    class Screen:
        def shot(self) -> bytes:
            import io

            kept = io.BytesIO()
            desk.save(kept, "PNG")
            return kept.getvalue()

    agent = names["Agent"](names["Hand"](Screen()))
    for letter, (x, y) in names["PLACES"].items():
        assert agent.find(letter) == (x + 28, y + 28)
    with pytest.raises(LookupError, match="no button G"):
        agent.find("G")
