"""L7: a source among several calls of one tool acts only if their arguments distinguish them."""

from __future__ import annotations

from typing import Any

import pytest

from inferred import last_leaf, level_of, parent
from muscle_mem._core.binding.inference.infer import READ, Parent
from muscle_mem._core.model.records import Par

A, B = "NODE-48213", "NODE-90517"
C, D = "NODE-33871", "NODE-70226"


def run(one: dict[str, Any], two: dict[str, Any], first: Any, second: Any, used: Any) -> Parent:
    return parent(("node", one, first), ("node", two, second), ("link", {"origin": used}, None))


def made(one: str, two: str) -> tuple[dict[str, str], dict[str, str]]:
    return {"id": one}, {"id": two}


def is_blocked(parents: list[Parent]) -> bool:
    leaf = last_leaf(parents)
    assert leaf.state == READ
    return leaf.facts.is_twin_blocked


@pytest.mark.parametrize(
    ("one", "two", "blocked"),
    [
        ({}, {}, True),
        ({"name": "x"}, {"name": "x"}, True),
        ({"name": "x"}, {"name": "y"}, False),
        ({"name": "x", "n": 1}, {"name": "x", "n": 2}, False),
        ({"name": Par("from")}, {"name": Par("to")}, False),
        ({"name": Par("from")}, {"name": Par("from")}, True),
        ({"name": "x"}, {"name": Par("to")}, False),
    ],
    ids=str,
)
def test_l7_twins_act_only_if_their_arguments_differ(one: Any, two: Any, blocked: bool) -> None:
    parents = [run(one, two, *made(A, B), A), run(one, two, *made(C, D), C)]
    assert is_blocked(parents) is blocked
    assert level_of(parents) == ("none" if blocked else "acts")


def test_l7_twins_whose_arguments_vary_without_an_explanation_do_not_act() -> None:
    parents = [
        run({"name": "Ann Lee"}, {"name": "Bob Ray"}, *made(A, B), A),
        run({"name": "Cy Fox"}, {"name": "Bob Ray"}, *made(C, D), C),
    ]
    assert is_blocked(parents)


def test_l7_twins_with_explained_arguments_that_differ_act() -> None:
    def whole(origin: str, target: str, one: str, two: str) -> Parent:
        return parent(
            ("trip", {}, {"from": origin, "to": target}),
            ("node", {"name": origin}, {"id": one}),
            ("node", {"name": target}, {"id": two}),
            ("link", {"origin": one}, None),
        )

    assert not is_blocked([whole("Old Town", "New Port", A, B), whole("Far Hill", "Big Lake", C, D)])


def test_l7_twins_with_arguments_from_the_same_place_do_not_act() -> None:
    def whole(place: str, one: str, two: str) -> Parent:
        return parent(
            ("trip", {}, {"place": place}),
            ("node", {"name": place}, {"id": one}),
            ("node", {"name": place}, {"id": two}),
            ("link", {"origin": one}, None),
        )

    assert is_blocked([whole("Old Town", A, B), whole("Far Hill", C, D)])


@pytest.mark.parametrize(
    "second",
    [None, {}, {"id": None}, {"id": 7}, {"error": "full"}, []],
    ids=str,
)
def test_l7_a_call_whose_output_has_no_such_value_is_no_twin(second: Any) -> None:
    assert not is_blocked([run({}, {}, {"id": A}, second, A), run({}, {}, {"id": C}, second, C)])


def test_l7_a_twin_that_is_a_source_as_well_is_no_danger() -> None:
    assert not is_blocked([run({}, {}, *made(A, A), A), run({}, {}, *made(C, C), C)])


def test_l7_a_call_that_had_not_ended_is_no_twin() -> None:
    def whole(one: str, two: str) -> Parent:
        calls = (("node", {}, {"id": one}), ("node", {}, {"id": two}), ("link", {"origin": one}, None))
        return parent(*calls, ended=[frozenset(), frozenset(), frozenset([0])])

    assert not is_blocked([whole(A, B), whole(C, D)])
