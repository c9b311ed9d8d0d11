"""The shop example in a real browser; without one it says how to get one."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from muscle_mem.demo.browser import find_browser
from paths import ROOT

EXAMPLE = ROOT / "examples" / "shop" / "buy.py"


def run(*words: str, **environment: str) -> subprocess.CompletedProcess[str]:
    clean = {name: value for name, value in os.environ.items() if not name.startswith("MUSCLE_MEM_M")}
    return subprocess.run(
        [sys.executable, "-W", "error", str(EXAMPLE), *words],
        env={**clean, **environment},
        capture_output=True,
        text=True,
        timeout=120,
    )


def test_the_shop_is_learned_replayed_and_handed_over(tmp_path: Path) -> None:
    pytest.importorskip("playwright")
    if find_browser() is None:
        pytest.skip("no browser")
    done = run("--pictures", str(tmp_path / "pictures"))
    assert done.returncode == 0, done.stderr
    lines = [line for line in done.stdout.splitlines() if "the agent was asked" in line and line[0] != " "]
    assert lines == [
        "learned: miss, 0 steps replayed, the agent was asked 1 times",
        "other data: hit, 8 steps replayed, the agent was asked 0 times",
        "a banner: hit, 8 steps replayed, the agent was asked 0 times",
        "a longer list: hit, 8 steps replayed, the agent was asked 0 times",
        "a renamed button: diverged, 6 steps replayed, the agent was asked 1 times",
        "the same again: hit, 8 steps replayed, the agent was asked 0 times",
        "another price: the agent was asked, and did not buy: a blue mug costs 18.00 EUR now",
    ]
    assert "expected button 'Pay' and '12.00 EUR', got no such element (there: 'Place order')" in done.stdout
    assert "expected button 'Pay' and '12.00 EUR', got button 'Pay' and '18.00 EUR'" in done.stdout
    assert sorted(path.name for path in (tmp_path / "pictures").iterdir()) == [f"run-{n}.jpg" for n in range(1, 7)]
    script = done.stdout.partition("as a script:")[2]
    assert 'page.fill(label="Name", value=name)' in script
    assert 'page.click(role="button", within=[{"role": "listitem", "has_text": "Blue mug"}])' in script
    compile(script, "script", "exec")


def test_without_a_browser_it_says_how_to_get_one(tmp_path: Path) -> None:
    done = run(MUSCLE_MEM_BROWSER=str(tmp_path / "none"))
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("skipped: ")
    assert "apt-get install chromium" in done.stdout
