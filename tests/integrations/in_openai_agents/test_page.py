"""OpenAI Agents SDK: the page and the example run as they stand."""

from __future__ import annotations

from pathlib import Path

import pytest

pytest.importorskip("agents", reason="openai-agents is not installed")

from framework_pages import run_blocks, run_script
from paths import ROOT


def test_the_blocks_of_the_page_run(tmp_path: Path) -> None:
    run_blocks(ROOT / "docs" / "integrations" / "openai-agents.md", tmp_path)


def test_the_example_runs_offline(tmp_path: Path) -> None:
    said = run_script(ROOT / "examples" / "openai_agents_agent.py", tmp_path, OPENAI_API_KEY=None)
    lines = [line for line in said.splitlines() if not line.startswith("  ")]
    assert [line.split(":")[0] for line in lines] == ["miss", "hit", "diverged"]
    assert [line.rpartition("(")[2] for line in lines] == ["3 model calls)", "0 model calls)", "1 model calls)"]
    assert said.count("a person approves") == 2
