"""The page on LangChain and its example run as they stand."""

from __future__ import annotations

import re
import runpy

import pytest

pytest.importorskip("langchain.agents.middleware", reason="langchain is not installed: pip install langchain")

from paths import ROOT

PAGE = ROOT / "docs" / "integrations" / "langchain.md"


def test_the_python_blocks_of_the_page_run_one_after_the_other() -> None:
    blocks = re.findall(r"^```python\n(.*?)^```", PAGE.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)
    assert blocks
    exec(compile("\n".join(blocks), str(PAGE), "exec"), {"__name__": "page"})


@pytest.mark.scenario("hit_other_params", "state_changed")
def test_the_example_learns_replays_for_another_customer_and_does_not_make_a_call_whose_state_has_changed(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("MUSCLE_MEM_MODEL", raising=False)
    runpy.run_path(str(ROOT / "examples" / "langchain_agent.py"), run_name="__main__")
    said = capsys.readouterr().out
    assert re.findall(r"-> (.*)", said) == [
        "miss, the model was asked 4 times",
        "hit, the model was asked 0 times",
        "diverged, the model was asked 1 times",
    ]
    assert re.findall(r"answer: (.*)", said) == [
        "Ada has the money of A-1001 back.",
        "Bob has the money of B-2002 back.",
        "The order has changed, so I did nothing.",
    ]
    assert said.count("approved: refund") == 3
