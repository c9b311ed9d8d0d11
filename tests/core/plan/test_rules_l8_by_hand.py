"""L8: what `const=` and `outputs=` exclude is not inferred, whatever the recordings agree on."""

from __future__ import annotations

import itertools
from typing import Any

import pytest

from muscle_mem import Engine, Reason

ALLOWED: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "nothing declared": ({}, {}),
    "its field": ({"outputs": ["order_id"]}, {}),
    "a field above it": ({"outputs": ["order"]}, {}),
    "another constant": ({}, {"const": ["currency"]}),
}
EXCLUDED: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "no field": ({"outputs": []}, {}),
    "another field": ({"outputs": ["item"]}, {}),
    "a field of this name elsewhere": ({"outputs": ["item.order_id"]}, {}),
    "a constant": ({}, {"const": ["order_id"]}),
}


def run(create: dict[str, Any], pay: dict[str, Any], nested: bool) -> tuple[list[Any], list[int], list[int]]:
    """Return the outcomes of six runs with other ids, the ids and what was paid."""
    engine, numbers = Engine(), itertools.count(41_230, 7)
    made: list[int] = []
    paid: list[int] = []

    @engine.tool(effect="write", **create)
    def create_order(item: str) -> dict[str, Any]:
        made.append(next(numbers))
        return {"order": {"order_id": made[-1]}, "item": item} if nested else {"order_id": made[-1], "item": item}

    @engine.tool(effect="write", **pay)
    def pay_order(order_id: int, currency: str) -> None:
        paid.append(order_id)

    def agent(task: str) -> None:
        create_order("tea")
        pay_order(made[-1], "EUR")

    engine.set_agent(agent)
    return [engine("order and pay") for _ in range(6)], made, paid


@pytest.mark.parametrize("case", ALLOWED)
def test_l8_an_allowed_source_is_inferred(case: str) -> None:
    create, pay = ALLOWED[case]
    outcomes, made, paid = run(create, pay, nested=case == "a field above it")
    assert outcomes[-1].status == "hit"
    assert paid == made


@pytest.mark.parametrize("case", EXCLUDED)
def test_l8_an_excluded_source_is_not_inferred_and_no_other_id_is_sent(case: str) -> None:
    outcomes, made, paid = run(*EXCLUDED[case], nested=False)
    assert not any(outcomes)
    assert {outcome.reason for outcome in outcomes[2:]} <= {Reason.STALE_OUTPUT, Reason.VALUE_VARIES}
    assert paid == made
