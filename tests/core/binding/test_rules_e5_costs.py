"""E5: learning costs time in proportion to the sizes of params, outputs and arguments, never to their product."""

from __future__ import annotations

import gc
import sys
from collections.abc import Callable
from typing import Any

import pytest

from muscle_mem import Engine
from muscle_mem._core.binding.params.search import Params


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
    return calls_of(engine, {"rows": given})


def calls_of(engine: Engine, params: dict[str, Any] | None = None) -> int:
    """How many Python calls the next run of an engine takes, which is learned."""
    calls = 0

    def note(frame: Any, event: str, argument: Any) -> None:
        nonlocal calls
        calls += event in ("call", "c_call")

    gc.collect()
    gc.disable()  # What it frees may call back.
    sys.setprofile(note)
    try:
        outcome = engine("save", params=params)
    finally:
        sys.setprofile(None)
        gc.enable()
    assert outcome.learned
    return calls


@pytest.mark.parametrize("use", USES)
def test_e5_four_times_the_rows_cost_about_four_times_as_much(use: str) -> None:
    small, large = calls_to_learn(USES[use], 60), calls_to_learn(USES[use], 240)
    assert large < 5 * small


def calls_to_search(use: Use, count: int) -> int:
    """How many Python calls a run takes that is learned after an output of this many records."""
    engine = Engine()
    given = rows(count)
    look = engine.tool(name="look", effect="read")(lambda: given)
    save = engine.tool(name="save")(lambda text: None)
    engine.set_agent(lambda task: save(use(look())))
    return calls_of(engine)


def test_e5_a_record_of_an_output_costs_less_than_a_call_where_nothing_was_taken_from_it() -> None:
    calls_to_search(lambda given: "the button", 1_100)  # The first imports modules, and compiles patterns.
    few, many = calls_to_search(lambda given: "the button", 100), calls_to_search(lambda given: "the button", 1_100)
    assert many - few < 1_000


def test_e5_a_row_of_a_param_that_is_passed_on_costs_less_than_two_calls() -> None:
    few, many = calls_to_learn(lambda given: given, 100), calls_to_learn(lambda given: given, 1_100)
    assert many - few < 2_000


def test_e5_four_times_the_literals_beside_four_times_the_records_cost_less_than_eight_times_as_much() -> None:
    def texts(given: list[dict[str, Any]]) -> list[Any]:
        return [f"line {at}: some text here {at * 3}" if at % 2 else 20_000 + at for at in range(len(given))]

    few, many = calls_to_search(texts, 80), calls_to_search(texts, 320)
    assert many < 8 * few


def test_e5_uses_of_four_times_the_records_cost_about_four_times_as_much() -> None:
    def ids(given: list[dict[str, Any]]) -> list[Any]:
        return [row["id"] for row in given]

    few, many = calls_to_search(ids, 60), calls_to_search(ids, 240)
    assert many < 6 * few


@pytest.mark.parametrize(("use", "most"), [("as a whole", 0), ("not at all", 1)])
def test_leaves_of_params_are_gathered_once_if_they_are_needed(
    use: str, most: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    gathered: list[Params] = []
    gather = Params.leaves
    monkeypatch.setattr(Params, "leaves", lambda params: gathered.append(params) or gather(params))  # type: ignore[func-returns-value]
    calls_to_learn(USES[use], 10)
    assert len(gathered) == most
