"""E5: looking for params costs time in proportion to the sizes of params and arguments, never to their product."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

import pytest

from muscle_mem import Engine


def rows(count: int) -> list[dict[str, Any]]:
    return [{"id": 1_000 + at, "name": f"person {at} of town", "price": at * 1.5} for at in range(count)]


Use = Callable[[list[dict[str, Any]]], Any]
USES: dict[str, Use] = {
    "as a whole": lambda given: given,
    "not at all": lambda given: "x",
    "changed": lambda given: [{**row, "more": "hello there"} for row in given],
    "one leaf": lambda given: given[3]["name"],
    "a column": lambda given: [row["name"] for row in given],
    "in other case": lambda given: [row["name"].upper() for row in given],
    "in texts": lambda given: [f"Dear {row['name']}, hello" for row in given],
    "as one text": lambda given: ", ".join(row["name"] for row in given),
}


def calls_to_learn(use: Use, count: int) -> int:
    """How many Python calls a run takes that is learned, with params of this many rows."""
    engine = Engine()
    save = engine.tool(name="save")(lambda text: None)
    given = rows(count)
    engine.set_agent(lambda task: save(use(given)))
    calls = 0

    def note(frame: Any, event: str, argument: Any) -> None:
        nonlocal calls
        calls += event in ("call", "c_call")

    sys.setprofile(note)
    try:
        outcome = engine("save", params={"rows": given})
    finally:
        sys.setprofile(None)
    assert outcome.learned
    return calls


@pytest.mark.parametrize("use", USES)
def test_e5_four_times_the_rows_cost_about_four_times_as_much(use: str) -> None:
    small, large = calls_to_learn(USES[use], 60), calls_to_learn(USES[use], 240)
    assert large < 5 * small
