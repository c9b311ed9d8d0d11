"""Every rule that the source or a test names is on the page of the rules, and every rule has a test or is explained."""

from __future__ import annotations

import re

from paths import ROOT, TESTS

PAGE = ROOT / "docs" / "contributing" / "rules.md"
RULES = set(re.findall(r"(?m)^### ([A-Z]\d+)\. ", PAGE.read_text(encoding="utf-8")))
CITED = re.compile(r"\(([A-HS]\d{1,2})(?:, ([A-HS]\d{1,2}))*\)")
NAMED = re.compile(r"def test_((?:[a-h]\d{1,2}_)+)")


def named_by_tests() -> set[str]:
    texts = [path.read_text(encoding="utf-8") for path in TESTS.rglob("test_*.py")]
    return {code.upper() for text in texts for codes in NAMED.findall(text) for code in codes.strip("_").split("_")}


def test_every_rule_that_the_source_cites_is_on_the_page() -> None:
    cited = {
        code
        for path in (ROOT / "src").rglob("*.py")
        for found in CITED.finditer(path.read_text(encoding="utf-8"))
        for code in re.findall(r"[A-HS]\d{1,2}", found.group())
    }
    assert len(cited) > 20
    assert cited <= RULES


def test_every_rule_that_a_test_names_is_on_the_page() -> None:
    named = named_by_tests()
    assert len(named) > 50
    assert named <= RULES


def test_every_rule_of_the_engine_has_a_test_of_its_name() -> None:
    """Those of the stores are proven by tests/torture and the contract of stores."""
    assert {rule for rule in RULES if not rule.startswith("S")} <= named_by_tests()
