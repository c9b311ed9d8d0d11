"""L6: values that say too little are not explained, but for two exceptions."""

from __future__ import annotations

import datetime
import enum
import uuid
from decimal import Decimal
from typing import Any

import pytest

from inferred import last_leaf, level_of, parent
from muscle_mem._core.binding.inference.infer import READ, VARIES
from muscle_mem._core.binding.inference.leaf_sizes import bits_of


class Color(enum.Enum):
    RED = "red-48213"
    BLUE = "blue-90517"


def state(values: list[Any], *, tool: str | None = "write", argument: str = "to", field: str = "at") -> str:
    parents = [parent(("make", {}, {field: value}), ("use", {argument: value}, None)) for value in values]
    return last_leaf(parents, [tool, None]).state


@pytest.mark.parametrize(
    ("values", "wanted"),
    [
        ([True, False], VARIES),
        ([None, "ORD-48213"], VARIES),
        (["", "ORD-48213"], VARIES),
        ([Color.RED, Color.BLUE], VARIES),
        (["open", "closed"], VARIES),
        (["in_progress", "on_hold"], VARIES),
        (["2026-03-10", "2026-04-11"], VARIES),
        (["10:30", "11:45"], VARIES),
        ([7, 8], VARIES),
        ([99, 1000], VARIES),
        (["17", "18"], VARIES),
        ([100, 101], READ),
        ([1000, 1001], READ),
        ([12.5, 13.5], VARIES),
        ([1234.5, 1235.5], READ),
        (["Ann Lee", "Bob Ray"], READ),
        (["ord_7", "ord_8"], READ),
        (["ann@x.io", "bo@y.io"], READ),
        ([datetime.date(2026, 3, 10), datetime.date(2026, 3, 11)], VARIES),
        ([uuid.UUID(int=1), uuid.UUID(int=2)], READ),
    ],
    ids=str,
)
def test_l6_a_value_needs_twelve_bits_or_is_a_number_from_100_of_a_tool_that_is_not_read(
    values: list[Any], wanted: str
) -> None:
    assert state(values) == wanted


def test_l6_a_number_from_100_needs_a_fixed_way_and_a_tool_that_is_not_read() -> None:
    assert state([100, 101], tool="read") == VARIES
    assert state([100, 101], tool=None) == READ
    rows = [parent(("make", {}, [{"at": value}, {}]), ("use", {"to": value}, None)) for value in (100, 101)]
    assert last_leaf(rows, ["write", None]).state == VARIES


def test_l6_a_smaller_value_is_explained_where_the_argument_bears_the_name_of_its_source() -> None:
    assert state([7, 8], argument="order_id", field="order_id", tool="read") == READ
    assert state([7, 8], argument="order_id", field="id", tool="read") == READ
    assert state([7, 8], argument="orderId", field="order_id", tool="read") == READ
    assert state([7, 8], argument="order", field="order_id", tool="read") == READ
    assert state([7, 8], argument="order_id", field="order", tool="read") == READ
    assert state([7, 8], argument="order", field="id", tool="read") == VARIES
    assert state([7, 8], argument="order_id", field="user_id", tool="read") == VARIES
    assert state([True, False], argument="ok", field="ok") == VARIES
    assert state(["open", "closed"], argument="state", field="state") == READ


def test_l6_an_earlier_argument_is_the_source_of_a_small_value_under_its_name() -> None:
    def state_of(first: str, second: str) -> str:
        parents = [parent(("put", {first: value}), ("use", {second: value})) for value in (7, 8)]
        return last_leaf(parents).state

    assert state_of("order_id", "order_id") == READ
    assert state_of("id", "order_id") == READ
    assert state_of("count", "order_id") == VARIES


def test_l6_a_value_that_is_too_small_keeps_what_is_known_of_it() -> None:
    parents = [parent(("make", {}, {"at": value}), ("use", {"to": value})) for value in (7, 8)]
    leaf = last_leaf(parents)
    assert (leaf.sources, leaf.facts.can_act, leaf.facts.is_small) == ((), True, True)


@pytest.mark.parametrize(
    ("argument", "text", "wanted"),
    [
        ("order_id", "Created order {}.", READ),
        ("order", "Order no. {} was created", READ),
        ("order_id", "The order number is {}", READ),
        ("order_id", "Created ticket {}.", VARIES),
        ("order_id", "{} orders were created", VARIES),
        ("order_id", "Created order {} at 7:28.", VARIES),
    ],
)
def test_l6_in_a_text_the_word_before_a_value_is_its_name(argument: str, text: str, wanted: str) -> None:
    parents = [parent(("make", {}, text.format(value)), ("use", {argument: value}, None)) for value in (7, 8)]
    assert last_leaf(parents).state == wanted


@pytest.mark.parametrize(("copies", "wanted"), [(47, READ), (48, VARIES)])
def test_l6_a_value_with_more_than_48_places_in_one_output_is_not_explained(copies: int, wanted: str) -> None:
    parents = [
        parent(("make", {}, {"id": one, "log": [one] * copies}), ("use", {"id": one}, None))
        for one in ("ORD-48213", "ORD-90517")
    ]
    assert last_leaf(parents).state == wanted


def test_l6_places_in_several_outputs_are_counted_apart() -> None:
    parents = [
        parent(("make", {}, {"id": one, "log": [one] * 30}), ("look", {}, [one] * 30), ("use", {"id": one}, None))
        for one in ("ORD-48213", "ORD-90517")
    ]
    assert last_leaf(parents).state == READ


def test_l6_small_values_need_three_different_ones() -> None:
    named = lambda *values: [parent(("make", {}, {"id": one}), ("use", {"id": one}, None)) for one in values]
    assert level_of(named(7, 8)) == "probation"
    assert level_of(named(7, 8, 9)) == "acts"
    assert level_of(named(100, 101)) == "acts"
    assert level_of(named(100, 101), ["read", "write"]) == "probation"


@pytest.mark.parametrize(
    ("value", "bits"),
    [
        (None, 0),
        (True, 0),
        (Color.RED, 0),
        ("", 0),
        (7, 3),
        (-7, 3),
        (100, 9),
        (1000, 13),
        ("1000", 13),
        (12.5, 9),
        (Decimal("12.55"), 13),
        ("abcdefghijk", 11),
        ("to-do_list", 11),
        ("ab", 9),
        ("2026-03-10", 9),
        (datetime.date(2026, 3, 10), 9),
        (uuid.UUID(int=7), 128),
        (b"ab", 16),
    ],
    ids=repr,
)
def test_l6_bits_are_counted_by_alphabet(value: Any, bits: int) -> None:
    assert bits_of(value) == bits
