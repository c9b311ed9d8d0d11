"""The page on the client of Anthropic and its example run as they stand."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

pytest.importorskip("anthropic", reason="the client of Anthropic is not installed")

from framework_pages import run_blocks, run_script
from paths import ROOT


def test_the_blocks_of_the_page_run(tmp_path: Path) -> None:
    run_blocks(ROOT / "docs" / "integrations" / "anthropic.md", tmp_path)


@pytest.mark.scenario("hit_other_params", "state_changed")
def test_the_example_learns_replays_for_another_customer_and_does_not_make_a_call_whose_order_has_changed(
    tmp_path: Path,
) -> None:
    environment = {"ANTHROPIC_API_KEY": None, "ANTHROPIC_BASE_URL": None, "MUSCLE_MEM_MODEL": None}
    said = run_script(ROOT / "examples" / "anthropic_client.py", tmp_path, **environment)
    assert re.findall(r"-> (.*)", said) == [
        "miss, 4 requests to the model",
        "hit, 0 requests to the model",
        "diverged, 1 requests to the model",
    ]
    assert re.findall(r"answer: (.*)", said) == [
        "Ada has the money of A-1001 back.",
        "Bob has the money of B-2002 back.",
        "The order has changed, so I did nothing.",
    ]
    assert re.findall(r"^  (\w+)\(", said, re.MULTILINE) == [
        *["find_order", "refund", "send_note"] * 2,
        *["find_order", "refund"],
    ]
    assert said.count("approved: refund") == 3
