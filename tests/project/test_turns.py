"""Of what takes turns by the day each has one within eight days; what is left out on a day is in the rest."""

from __future__ import annotations

import re

import pytest

import costs
from paths import TESTS

DAYS = range(20_785, 20_785 + costs.SHARE)
TABLE = "tests/a/test_a.py::test_table"
ALONE = "tests/a/test_a.py::test_alone"


@pytest.fixture(autouse=True)
def _listed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(costs, "slow", lambda: {"a/test_a.py::test_table": 0.1, "a/test_a.py::test_alone": costs.LONG})


def days(monkeypatch: pytest.MonkeyPatch, test: str, place: int = 0, cases: int = 1) -> list[int]:
    """The days on which `make test` has a test, the case at a place of so many."""
    found = []
    for day in DAYS:
        monkeypatch.setenv(costs.DAY, str(day))
        if not costs.in_rest(test, place, cases):
            found.append(day)
    return found


@pytest.mark.parametrize("cases", [4, 5, 8, 9, 16, 43])
def test_each_day_has_a_share_of_a_slow_table_and_eight_days_have_all(
    cases: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    had = [days(monkeypatch, f"{TABLE}[{place}]", place, cases) for place in range(cases)]
    assert all(had)
    for day in DAYS:
        assert cases // costs.SHARE <= sum(day in some for some in had) <= -(-cases // min(cases, costs.SHARE))
        assert any(day in some for some in had)


def test_few_slow_cases_are_run_each_day_and_a_long_test_on_one_of_eight(monkeypatch: pytest.MonkeyPatch) -> None:
    assert days(monkeypatch, f"{TABLE}[0]", 0, costs.TABLE) == list(DAYS)
    assert len(days(monkeypatch, ALONE)) == 1
    monkeypatch.setattr(costs, "ALWAYS", ["a/test_a.py::test_alone"])
    assert days(monkeypatch, ALONE) == list(DAYS)
    monkeypatch.setattr(costs, "REST", ["a/test_a.py"])
    assert days(monkeypatch, ALONE) == days(monkeypatch, f"{TABLE}[0]") == []


def test_quick_has_no_slow_test_and_a_share_of_a_table(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(costs.DAY, "3")
    assert not costs.in_quick(f"{TABLE}[3]", 3, 8)
    fast = "tests/a/test_b.py::test_table"
    assert [place for place in range(20) if costs.in_quick(f"{fast}[{place}]", place, 20)] == [3, 11, 19]
    assert all(costs.in_quick(f"{fast}[{place}]", place, costs.TABLE) for place in range(costs.TABLE))
    monkeypatch.setattr(costs, "REST", ["a/test_b.py"])
    assert not costs.in_quick(f"{fast}[3]", 3, 20)


def test_what_the_lists_name_exists() -> None:
    for name in (*costs.REST, *costs.ALWAYS, *costs.SPREAD, *costs.COSTLY):
        file, _, function = name.partition("::")
        assert (TESTS / file).exists(), name
        assert not function or re.search(rf"def {function}\b", (TESTS / file).read_text(encoding="utf-8")), name
