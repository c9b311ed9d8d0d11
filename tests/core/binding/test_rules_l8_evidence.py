"""L8: how many different values an inferred argument needs before it acts."""

from __future__ import annotations

from typing import Any

import pytest

from inferred import last_leaf, level_of, parent
from muscle_mem._core.binding.inference.infer import CONSTANT, READ, Parent
from muscle_mem._core.binding.inference.levels import Facts, level, missing
from muscle_mem._core.model.records import Suspicion

UUIDS = [f"{number:08x}-7c5e-4f0e-9a35-0f3a6f1b2c3d" for number in (190_001, 2_345_678, 3_456_789)]


def paying(*ids: Any, field: str = "order_id", argument: str = "order_id") -> list[Parent]:
    return [
        parent(("create_order", {"item": "tea"}, {field: one, "ok": True}), ("pay", {argument: one}, {"paid": True}))
        for one in ids
    ]


@pytest.mark.parametrize(
    ("ids", "levels"),
    [
        ([1000, 1001, 1002], ["none", "acts", "acts"]),
        ([7, 8, 9], ["none", "probation", "acts"]),
        (UUIDS, ["probation", "acts", "acts"]),
        ([48213, 48214, 48215], ["probation", "acts", "acts"]),
        (["ORD-48213", "ORD-48214", "ORD-48215"], ["probation", "acts", "acts"]),
        ([10_000, 20_000, 30_000], ["none", "acts", "acts"]),
        (["Ann Lee", "Bob Ray", "Cy Fox"], ["none", "acts", "acts"]),
    ],
    ids=str,
)
@pytest.mark.parametrize("effects", [[None, None], ["write", "write"], ["write", "idempotent"]], ids=str)
def test_l8_an_id_that_a_tool_made_acts_after_so_many_values(ids: Any, levels: list[str], effects: Any) -> None:
    for count, wanted in enumerate(levels, start=1):
        parents = paying(*ids[:count])
        assert level_of(parents, effects) == wanted
        assert last_leaf(parents, effects).state == (CONSTANT if wanted == "none" else READ)


def test_l8_equal_values_are_one() -> None:
    parents = paying("ORD-48213", "ORD-48213", "ORD-48213")
    assert last_leaf(parents).state == CONSTANT
    assert level_of(paying(7, 7, 8)) == "probation"


@pytest.mark.parametrize(
    ("ids", "levels"),
    [
        ([1000, 1001, 1002], ["probation", "acts"]),
        ([7, 8, 9], ["none", "none"]),
        (["Ann Lee", "Bob Ray", "Cy Fox"], ["probation", "acts"]),
        (["ORD-48213", "ORD-48214", "ORD-48215"], ["acts", "acts"]),
    ],
    ids=str,
)
def test_l8_an_argument_of_another_name_needs_one_more(ids: Any, levels: list[str]) -> None:
    assert [level_of(paying(*ids[:count], field="ref", argument="to")) for count in (2, 3)] == levels


def test_l8_a_way_through_a_list_counts_as_the_name_does_not() -> None:
    def listed(*ids: Any) -> list[Parent]:
        return [parent(("look", {}, [{"id": one}, {"id": "x"}]), ("pay", {"id": one}, None)) for one in ids]

    assert [level_of(listed(*ids)) for ids in ([1000, 1001], [1000, 1001, 1002])] == ["probation", "acts"]
    assert level_of(listed("ORD-48213", "ORD-48214")) == "acts"
    assert level_of(listed("ORD-48213")) == "none"


ONE_RECORDING = [
    pytest.param("ORD-48213", {}, READ, id="id"),
    pytest.param("ORD-48213", {"effects": ["read", "write"]}, CONSTANT, id="of a read, for a write"),
    pytest.param("ORD-48213", {"effects": ["read", "read"]}, READ, id="of a read, for a read"),
    pytest.param("ORD-48213", {"effects": ["read", "idempotent"]}, READ, id="of a read, for an idempotent step"),
    pytest.param("ORD-48213", {"task_words": {"pay", "ord-48213"}}, CONSTANT, id="in the task"),
    pytest.param("ORD-48213", {"task_words": {"pay", "ord", "48213"}}, CONSTANT, id="in the words of the task"),
    pytest.param("ORD-48213", {"task_words": {"pay", "ord"}}, READ, id="other words"),
    pytest.param("2026-03-10", {}, CONSTANT, id="date"),
    pytest.param("10:30:45", {}, CONSTANT, id="time"),
    pytest.param("ORD 48213", {}, CONSTANT, id="with a space"),
    pytest.param("ORD-48", {}, CONSTANT, id="two digits"),
    pytest.param("A-123", {}, CONSTANT, id="five characters"),
    pytest.param(9_999, {}, CONSTANT, id="a small number"),
    pytest.param(50_000, {}, CONSTANT, id="a round number"),
    pytest.param(50_001, {}, READ, id="a large number"),
]


@pytest.mark.parametrize(("value", "given", "state"), ONE_RECORDING)
def test_l8_one_recording_explains_only_what_looks_like_an_id_of_a_step(value: Any, given: Any, state: str) -> None:
    given = dict(given)
    assert last_leaf(paying(value), given.pop("effects", [None, None]), **given).state == state


def test_l8_one_recording_explains_no_param_no_key_and_no_argument_of_the_agent() -> None:
    made = ("create", {}, {"id": "ORD-48213"})
    suspicion = Suspicion(0, "param", ("who",), "inside")
    assert (
        last_leaf([parent(made, ("pay", {"id": "ORD-48213"}, None), suspicions=[(), (suspicion,)])]).state == CONSTANT
    )
    leaf = last_leaf([parent(made, ("pay", {"row": {"ORD-48213": "x"}}, None))])
    assert leaf.state == CONSTANT
    echoed = ("create", {"id": "ORD-48213"}, {"id": "ORD-48213"})
    assert last_leaf([parent(echoed, ("pay", {"id": "ORD-48213"}, None))]).state == CONSTANT
    then = [made, ("look", {"id": "ORD-48213"}, None), ("pay", {"id": "ORD-48213"}, None)]
    assert last_leaf([parent(*then)]).state == READ


def test_l8_one_recording_needs_a_fixed_way() -> None:
    assert last_leaf([parent(("a", {}, ["ORD-48213"]), ("pay", {"id": "ORD-48213"}, None))]).state == CONSTANT
    assert last_leaf([parent(("a", {}, "Made ORD-48213."), ("pay", {"id": "ORD-48213"}, None))]).state == CONSTANT
    assert last_leaf([parent(("a", {}, ("x", "ORD-48213")), ("pay", {"id": "ORD-48213"}, None))]).state == READ
    content = [{"type": "text", "text": '{"id": "ORD-48213"}'}]
    assert last_leaf([parent(("a", {}, content), ("pay", {"id": "ORD-48213"}, None))]).state == READ


def states(*lists: str) -> list[Parent]:
    """Recordings of lists of tickets with these states, of which the first one is used."""
    return [
        parent(
            ("look", {}, [{"id": f"T-{number}{at}001", "state": state} for at, state in enumerate(own.split())]),
            ("use", {"id": f"T-{number}0001"}, None),
        )
        for number, own in enumerate(lists, start=1)
    ]


@pytest.mark.parametrize(
    ("lists", "wanted"),
    [
        (["open closed open", "open paid"], "probation"),
        (["open closed", "open paid", "open paid", "open closed"], "probation"),
        (["open closed", "open paid", "open paid", "open closed", "open paid"], "acts"),
        (["open closed", "paid closed"], "acts"),
        (["open open", "open open open"], "acts"),
        (["open-1 closed", "open-1 paid"], "acts"),
    ],
)
def test_l8_a_first_element_that_may_have_been_chosen_for_a_word_needs_five_values(
    lists: list[str], wanted: str
) -> None:
    assert level_of(states(*lists)) == wanted


GOOD = Facts(can_act=True, is_id_like=True, is_small=False, by_fixed_way=True, made_by_non_read=True)
SMALL = GOOD._replace(is_small=True, is_id_like=False, has_source_name=True)


@pytest.mark.parametrize(
    ("facts", "values", "named", "wanted"),
    [
        (GOOD, 0, {}, "none"),
        (GOOD, 0, {"declared": True}, "acts"),
        (Facts(), 9, {}, "none"),
        (Facts(), 0, {"declared": True, "irreversible": True}, "acts"),
        (GOOD, 1, {}, "probation"),
        (GOOD._replace(is_param=True), 1, {}, "none"),
        (GOOD._replace(made_by_non_read=False), 1, {}, "none"),
        (GOOD._replace(made_by_non_read=False, used_by_harmless=True), 1, {}, "probation"),
        (GOOD, 2, {}, "acts"),
        (GOOD, 2, {"extra": 1}, "probation"),
        (GOOD, 3, {"extra": 1}, "acts"),
        (GOOD, 1, {"extra": 5}, "probation"),
        (GOOD, 5, {"irreversible": True}, "probation"),
        (GOOD, 2, {"irreversible": True, "is_checked": True}, "probation"),
        (GOOD, 3, {"irreversible": True, "is_checked": True}, "acts"),
        (GOOD, 3, {"irreversible": True, "is_checked": True, "extra": 1}, "probation"),
        (GOOD._replace(is_twin_blocked=True), 9, {}, "none"),
        (GOOD._replace(can_act=False), 9, {}, "none"),
        (GOOD._replace(may_be_filtered=True), 4, {}, "probation"),
        (GOOD._replace(may_be_filtered=True), 5, {}, "acts"),
        (GOOD._replace(may_be_filtered=True), 5, {"extra": 1}, "probation"),
        (SMALL, 1, {}, "none"),
        (SMALL, 2, {}, "probation"),
        (SMALL, 3, {}, "acts"),
        (SMALL._replace(is_number_from_100=True), 2, {}, "acts"),
        (SMALL._replace(is_number_from_100=True, has_source_name=False), 2, {}, "none"),
        (SMALL._replace(is_number_from_100=True, has_source_name=False), 3, {}, "acts"),
        (SMALL._replace(has_source_name=False), 9, {}, "none"),
    ],
)
def test_l8_the_level_follows_from_the_facts_and_the_values(
    facts: Facts, values: int, named: dict[str, Any], wanted: str
) -> None:
    assert level(facts, values, **named) == wanted
    assert (missing(facts, values, **named) == "") is (wanted == "acts")


@pytest.mark.parametrize(
    ("facts", "values", "named", "wanted"),
    [
        (GOOD, 1, {}, "one more value"),
        (SMALL, 1, {}, "one more value"),
        (GOOD, 1, {"extra": 2}, "3 more values"),
        (GOOD._replace(may_be_filtered=True), 2, {}, "3 more values"),
        (GOOD, 4, {"irreversible": True}, "a pre-check or an approval"),
        (GOOD, 1, {"irreversible": True}, "2 more values, and a pre-check or an approval"),
        (GOOD, 1, {"irreversible": True, "is_checked": True}, "2 more values"),
        (GOOD, 9, {"declared": True}, ""),
        (
            Facts(),
            1,
            {},
            "a source that may act: a key, a field, the first or last element, or an element found by a field",
        ),
        (
            GOOD._replace(is_twin_blocked=True),
            1,
            {},
            "arguments that distinguish the calls of the tool that could be the source",
        ),
        (
            SMALL._replace(has_source_name=False),
            1,
            {},
            "an argument that has the name of its source, or a declared flow",
        ),
    ],
)
def test_l8_what_is_missing_for_the_next_level_is_named(
    facts: Facts, values: int, named: dict[str, Any], wanted: str
) -> None:
    assert missing(facts, values, **named) == wanted
