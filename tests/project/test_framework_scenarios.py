"""Each adapter proves each scenario, or says why it cannot; the docs' table says the same."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from scripts import frameworks

import framework_scenarios as scenarios
from paths import ROOT


@pytest.mark.parametrize("adapter", scenarios.FOLDERS)
def test_marks_and_reasons_name_scenarios(adapter: str) -> None:
    named = {**scenarios.proven(adapter), **scenarios.reasons(adapter)}
    assert not [name for name in named if name not in scenarios.SCENARIOS]


@pytest.mark.parametrize("adapter", scenarios.FOLDERS)
def test_a_scenario_has_a_test_or_a_reason_and_never_both(adapter: str) -> None:
    proven, reasons = scenarios.proven(adapter), scenarios.reasons(adapter)
    assert not proven.keys() & reasons.keys()
    assert not [name for name, reason in reasons.items() if len(reason.split()) < 4]
    if adapter in scenarios.FIRST_VERSIONS:
        assert {"record", "hit", "hit_other_params", "check_refuses", "tool_raises", "adapter_fails"} <= proven.keys()
    elif proven:  # an adapter that is there is whole
        assert not scenarios.open_scenarios(adapter)


def test_the_table_in_the_docs_is_that_of_the_tests() -> None:
    page = scenarios.PAGE.read_text(encoding="utf-8")
    assert page == scenarios.page_with_table(page), "python tests/support/framework_scenarios.py --write"


def test_a_scenario_without_a_test_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scenarios, "SCENARIOS", {**scenarios.SCENARIOS, "new_one": "what has no test yet"})
    assert "new_one" in scenarios.open_scenarios("pydantic-ai")
    assert "what has no test yet | not yet" in scenarios.table()


def test_all_frameworks_are_tested_everywhere() -> None:
    """The scenarios, `make frameworks`, the locked environment and the extras name the same frameworks."""
    made = re.search(r"^FRAMEWORKS := (.*)$", (ROOT / "Makefile").read_text(), re.MULTILINE)
    assert made
    assert list(frameworks.EXTRAS) == list(scenarios.FOLDERS)
    assert made[1].split() == [each for each in scenarios.FOLDERS if each not in scenarios.FIRST_VERSIONS]
    assert {f"tests/integrations/{each}" for each in scenarios.FOLDERS.values()} == set(
        map(frameworks.folder, frameworks.EXTRAS)
    )
    assert set(frameworks.EXTRAS) <= set(frameworks.PROJECT["optional-dependencies"])


def test_the_lowest_versions_are_those_that_the_extras_allow() -> None:
    for extra in frameworks.EXTRAS:
        bounds = frameworks.PROJECT["optional-dependencies"][extra]
        assert all(re.fullmatch(r"[\w-]+(\[[\w,-]+\])?>=[\d.]+", bound) for bound in bounds), "lower bounds only"
        lowest = frameworks.requirements(extra, "lowest")
        assert [bound.replace(">=", "==") for bound in bounds] == [each for each in lowest if "==" in each]


def test_a_change_of_a_test_or_of_a_bound_is_another_state_of_the_code(monkeypatch: pytest.MonkeyPatch) -> None:
    before = frameworks.digest("openai")
    assert before == frameworks.digest("openai") != frameworks.digest("anthropic")
    bounds = {**frameworks.PROJECT["optional-dependencies"], "openai": ["openai>=99"]}
    monkeypatch.setitem(frameworks.PROJECT, "optional-dependencies", bounds)
    assert frameworks.digest("openai") != before


def test_the_counts_of_pytest_are_read() -> None:
    said = "....\n===== 2 failed, 41 passed, 1 skipped, 1 error in 3.21s =====\n"
    assert frameworks.counts(said) == {"failed": 2, "passed": 41, "skipped": 1, "error": 1}
    assert frameworks.counts("no tests ran in 0.01s") == {}


def test_make_frameworks_goes_on_where_it_was_stopped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(frameworks, "digest", lambda extra: "a state of the code")
    measured: list[tuple[str, str]] = []
    broken = {("langchain", "newest")}

    def measure(extra: str, which: str, work: Path) -> dict[str, Any]:
        if (extra, which) == ("openai", "newest") and len(measured) < 7:
            raise KeyboardInterrupt
        measured.append((extra, which))
        made = {"extra": extra, "which": which, "digest": frameworks.digest(extra), "versions": {extra: "1.0"}}
        ok = (extra, which) not in broken
        rest = {"python": "3.11.7", "date": "2026-01-01", "passed": 3, "setup_seconds": 1, "test_seconds": 1}
        return {**made, **rest, "ok": ok, "failed": 0 if ok else 1}

    page = tmp_path / "page.md"
    page.write_text(f"before\n{frameworks.BEGIN}\nold\n{frameworks.END}\nafter\n")
    monkeypatch.setattr(frameworks, "PAGE", page)
    monkeypatch.setattr(frameworks, "measure", measure)
    monkeypatch.setattr(frameworks.sys, "argv", ["frameworks.py", "--work", str(tmp_path / "work")])
    with pytest.raises(KeyboardInterrupt):
        frameworks.main()
    assert len(measured) == 6
    broken.clear()
    measured.append(("", ""))
    assert frameworks.main() == 0
    later = measured[7:]
    assert later[0] == ("langchain", "newest")  # what failed is tried again, what passed is not
    assert {extra for extra, _ in later[1:]} == {"openai", *frameworks.EXTRAS[4:]}
    assert frameworks.main() == 0
    assert measured[7:] == later
    text = page.read_text()
    assert text.startswith("before\n")
    assert text.endswith("after\n")
    assert "| `langchain` | langchain 1.0: 3 passed | langchain 1.0: 3 passed | 3.11.7, 2026-01-01 |" in text
    monkeypatch.setattr(frameworks, "digest", lambda extra: "another state of the code")
    assert frameworks.main() == 0
    assert len(measured[7:]) == len(later) + 2 * len(frameworks.EXTRAS)
    (tmp_path / "work" / "results.jsonl").unlink()
    monkeypatch.setattr(frameworks.sys, "argv", ["frameworks.py", "--work", str(tmp_path / "work"), "--only", "openai"])
    assert frameworks.main() == 0
    assert page.read_text() == text  # the rows of the others stay
