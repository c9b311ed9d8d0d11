"""L2, L4: recordings with equal skeletons are intersected, and what no place explains varies."""

from __future__ import annotations

import dataclasses
import datetime
import fractions
import ipaddress
import random
import uuid
from decimal import Decimal
from typing import Any

import msgspec
import pytest

from inferred import digest_of, explained, last_leaf, parent, record
from muscle_mem._core import codec
from muscle_mem._core.binding.inference.infer import CONSTANT, NO_OUTPUT, READ, VARIES, Parent, infer, skeleton
from muscle_mem._core.binding.texts.pieces import literal_pieces
from muscle_mem._core.model.records import Ctx, Lit, Node, Par, Tpl

IDS = ["ORD-48213", "ORD-90517", "ORD-33871", "ORD-70226"]


def chosen(*pairs: tuple[Any, Any]) -> list[Parent]:
    return [parent(("look", {}, output), ("use", {"id": value}, None)) for output, value in pairs]


@dataclasses.dataclass
class Point:
    x: Any
    y: Any


SKELETONS = [
    pytest.param({"a": 1}, {"a": "x"}, True, id="values"),
    pytest.param({"a": 1}, {"b": 1}, False, id="argument names"),
    pytest.param({"a": [1]}, {"a": [2]}, True, id="lists"),
    pytest.param({"a": [1]}, {"a": [1, 2]}, False, id="lengths"),
    pytest.param({"a": [1]}, {"a": (1,)}, False, id="types of containers"),
    pytest.param({"a": {"k": 1}}, {"a": {"k": 2}}, True, id="dicts"),
    pytest.param({"a": {"k": 1}}, {"a": {"j": 1}}, False, id="keys"),
    pytest.param({"a": {1: 1}}, {"a": {"1": 1}}, False, id="types of keys"),
    pytest.param({"a": Point(1, [2])}, {"a": Point("x", [3])}, True, id="fields"),
    pytest.param({"a": Point(1, 2)}, {"a": {"x": 1, "y": 2}}, False, id="classes"),
    pytest.param({"a": Par("p")}, {"a": Par("p")}, True, id="params"),
    pytest.param({"a": Par("p")}, {"a": Par("q")}, False, id="names of params"),
    pytest.param({"a": Par("p")}, {"a": 1}, False, id="a param and a literal"),
    pytest.param({"a": Tpl(("x ", "p", ""))}, {"a": Tpl(("y ", "p", ""))}, True, id="templates"),
    pytest.param({"a": Tpl(("x ", "p", ""))}, {"a": Tpl(("x ", "p", "!"))}, False, id="parts of templates"),
    pytest.param({"a": Tpl(("x ", "p", ""))}, {"a": Tpl(("x ", "q", ""))}, False, id="params of templates"),
    pytest.param({"a": Ctx("Page")}, {"a": Ctx("Page")}, True, id="context"),
]


@pytest.mark.parametrize(("one", "two", "equal"), SKELETONS)
def test_l2_a_skeleton_has_everything_but_the_values_of_literals(one: Any, two: Any, equal: bool) -> None:
    first, second = record("t", **one), record("t", **two)
    assert (skeleton(first) == skeleton(second)) is equal
    assert hash(skeleton(first)) == hash(skeleton(record("t", **one)))
    if equal:
        places = [[(piece.argument, piece.path) for piece in literal_pieces(each)] for each in (first, second)]
        assert places[0] == places[1]


def test_l2_a_skeleton_keeps_the_keys_of_a_container_with_a_param() -> None:
    def made(key: str, value: str) -> Any:
        lit = lambda item: Lit(codec.encode(item))
        return skeleton(record("t", a=Node("dict", (lit(key), lit(value), lit("p"), Par("p")))))

    assert made("k", "x") == made("k", "y")
    assert made("k", "x") != made("j", "x")


@pytest.mark.parametrize(
    "changed",
    [
        {"tool": "u"},
        {"fingerprint": "g"},
        {"pre": "c"},
        {"post": "c"},
        {"method": True},
        {"group": 1},
        {"late": True},
        {"instance": "i"},
    ],
)
def test_l2_tools_checks_and_groups_belong_to_the_skeleton(changed: dict[str, Any]) -> None:
    assert skeleton(msgspec.structs.replace(record("t", a=1), **changed)) != skeleton(record("t", a=1))


def test_l4_a_leaf_that_is_equal_in_all_recordings_is_constant() -> None:
    parents = chosen(({"id": IDS[0], "n": 1}, IDS[0]), ({"id": IDS[0], "n": 2}, IDS[0]))
    leaf = last_leaf(parents)
    assert (leaf.state, leaf.sources, leaf.values) == (CONSTANT, (), (codec.canonical(IDS[0]),))


def test_l4_nothing_is_inferred_from_no_recordings() -> None:
    assert infer([], []) == []


def test_l4_a_leaf_that_no_place_explains_varies() -> None:
    leaf = last_leaf(chosen(({"id": "x"}, IDS[0]), ({"id": "y"}, IDS[1])))
    assert (leaf.state, leaf.sources) == (VARIES, ())
    assert leaf.values == tuple(map(codec.canonical, IDS[:2]))


STRUCK = [
    pytest.param({"a": IDS[0]}, {"b": IDS[1]}, [], id="moved to another key"),
    pytest.param([IDS[0], "x"], ["x", IDS[1]], [], id="moved in a list"),
    pytest.param(["x", IDS[0]], ["x", "y", IDS[1]], ["look()[-1]"], id="the last of longer lists"),
    pytest.param([IDS[0]], [], [], id="an empty list"),
    pytest.param({"a": IDS[0]}, {"a": None}, [], id="None"),
    pytest.param({"a": IDS[0]}, {}, [], id="no such key"),
    pytest.param({"a": IDS[0]}, None, [], id="no output"),
    pytest.param({"a": IDS[0]}, {"a": [IDS[1]]}, [], id="a list now"),
    pytest.param({"a": IDS[0]}, {"a": {"a": IDS[1]}}, [], id="a dict now"),
    pytest.param({"a": IDS[0], "b": IDS[0]}, {"a": IDS[1], "b": "x"}, ["look().a"], id="two places, one is chance"),
    pytest.param({"a": IDS[0]}, f'{{"a": "{IDS[1]}"}}', [], id="JSON now"),
    pytest.param(f'{{"a": "{IDS[0]}"}}', f'{{"a": "{IDS[1]}"', [], id="no JSON now"),
    pytest.param({"a": [{"i": IDS[0]}, {"i": "x"}]}, {"a": [{"i": IDS[1]}]}, ["look().a[0].i"], id="a shorter list"),
    pytest.param((1, IDS[0]), [1, IDS[1]], [], id="a tuple and a list"),
]


@pytest.mark.parametrize(("first", "second", "wanted"), STRUCK)
@pytest.mark.parametrize("turned", [False, True])
def test_l4_a_place_that_differs_in_a_recording_is_struck(
    first: Any, second: Any, wanted: list[str], turned: bool
) -> None:
    pairs = [(first, IDS[0]), (second, IDS[1])]
    assert explained(chosen(*(reversed(pairs) if turned else pairs))) == wanted


def test_l4_a_value_that_changes_its_type_is_explained_only_by_a_source_that_does_as_well() -> None:
    assert explained(chosen(({"a": 48213}, 48213), ({"a": "90517"}, 90517))) == []
    assert explained(chosen(({"a": 48213}, 48213), ({"a": "90517"}, "90517"))) == ["look().a"]


def test_l4_two_recordings_that_agree_by_chance_are_contradicted_by_the_third() -> None:
    two = [({"a": IDS[0], "b": IDS[0]}, IDS[0]), ({"a": IDS[1], "b": IDS[1]}, IDS[1])]
    assert explained(chosen(*two)) == ["look().a", "look().b"]
    assert explained(chosen(*two, ({"a": IDS[2], "b": "x"}, IDS[2]))) == ["look().a"]
    assert explained(chosen(*two, ({"a": "y", "b": "x"}, IDS[2]))) == []


@pytest.mark.parametrize("moved", range(3))
def test_l4_a_recording_without_the_place_neither_supports_nor_strikes_it(moved: int) -> None:
    outputs = [{"order": {"id": one}} for one in IDS[:3]]
    outputs[moved] = {"payload": {"id": IDS[moved]}}
    parents = chosen(*zip(outputs, IDS, strict=False))
    assert explained(parents) == ["look().order.id"]
    values = [codec.canonical(one) for at, one in enumerate(IDS[:3]) if at != moved]
    assert last_leaf(parents).values == tuple(values)


@pytest.mark.parametrize(
    "third",
    [{"order": {"id": "x"}}, {"order": {"id": None}}, "text", NO_OUTPUT, {"order": {"id": [IDS[2]]}}],
    ids=["another", "None", "text", "not stored", "a list"],
)
def test_l4_a_recording_with_another_value_there_or_without_the_output_strikes_it(third: Any) -> None:
    outputs = [{"order": {"id": one}} for one in IDS[:2]]
    known = chosen(*zip([*outputs, third], IDS, strict=False))
    assert explained(known) == (["look().order.id"] if third == "text" else [])


def test_l4_two_recordings_with_one_value_do_not_support_a_place() -> None:
    outputs = [{"id": IDS[0]}, {"id": IDS[0]}, {"ref": IDS[1]}]
    assert explained(chosen(*zip(outputs, [IDS[0], *IDS[:2]], strict=True))) == []


def test_l4_a_list_that_is_too_short_strikes_a_position() -> None:
    outputs = [[IDS[0], "x"], [IDS[1], "y"], []]
    assert explained(chosen(*zip(outputs, IDS, strict=False))) == []


def test_l4_the_same_value_in_two_recordings_is_one_value() -> None:
    leaf = last_leaf(chosen(({"a": IDS[0]}, IDS[0]), ({"a": IDS[0]}, IDS[0]), ({"a": IDS[1]}, IDS[1])))
    assert (leaf.state, len(leaf.values)) == (READ, 2)


def test_l4_a_part_of_a_template_has_no_source() -> None:
    parents = [
        parent(("look", {}, {"a": f"{one} "}), ("use", {"id": Tpl((f"{one} ", "p", ""))}, None)) for one in IDS[:2]
    ]
    assert last_leaf(parents).state == VARIES


def test_l4_leaves_of_nested_arguments_are_found_with_their_paths() -> None:
    parents = [
        parent(
            ("look", {}, {"a": one}), ("use", {"row": {"k": [1, one]}, "p": Node("list", (Par("q"), _lit(one)))}, None)
        )
        for one in IDS[:2]
    ]
    leaves = infer(parents, [None, None])
    assert [(leaf.argument, leaf.path, leaf.state) for leaf in leaves] == [
        ("row", (0,), CONSTANT),
        ("row", (1, 0), CONSTANT),
        ("row", (1, 1), READ),
        ("p", (1,), READ),
    ]


def _lit(value: Any) -> Lit:
    return Lit(codec.encode(value))


def random_value(rng: random.Random, pool: list[Any], depth: int = 0) -> Any:
    """A nested value with values of a pool in it."""
    kind = rng.randrange(6 if depth < 3 else 2)
    if kind < 2:
        return rng.choice(pool)
    if kind == 2:
        return [random_value(rng, pool, depth + 1) for _ in range(rng.randrange(4))]
    if kind == 3:
        return tuple(random_value(rng, pool, depth + 1) for _ in range(rng.randrange(1, 3)))
    if kind == 4:
        return f"State {rng.choice(pool)} is {rng.choice('abc')}."
    return {rng.choice("abcde"): random_value(rng, pool, depth + 1) for _ in range(rng.randrange(4))}


def random_recordings(seed: int) -> list[Parent]:
    """Two to four recordings of a program whose outputs are random, and mostly of one shape."""
    rng = random.Random(seed)
    shape = rng.randrange(2**30)
    parents = []
    for number in range(rng.randrange(2, 5)):
        own = [f"X{number}{k}-{k * 7}" for k in range(3)] + [1000 + number, 7, f"{2000 + number}", "Ann Lee"]
        other = rng if rng.random() < 0.3 else random.Random(shape + 1)
        first, second = random_value(random.Random(shape), own), random_value(other, own)
        pick = random.Random(shape + 2)
        arguments = {"id": pick.choice(own), "row": [pick.choice(own), pick.choice(own)], "n": rng.choice(own)}
        calls = [("a", {"q": pick.choice(own)}, first), ("b", {}, second), ("use", arguments), ("end", arguments, 1)]
        parents.append(parent(*calls))
    return parents


@pytest.mark.parametrize("seed", range(60))
def test_l4_every_surviving_source_has_the_recorded_value_in_every_recording(seed: int) -> None:
    last_leaf(random_recordings(seed))  # It compares what each source has in each recording.


def test_l4_random_recordings_have_leaves_of_every_state() -> None:
    found = [leaf for seed in range(20) for leaf in infer(random_recordings(seed), [None] * 4)]
    assert {leaf.state for leaf in found} == {CONSTANT, READ, VARIES}
    assert sum(len(leaf.sources) for leaf in found) > 40


@pytest.mark.parametrize("seed", range(60))
def test_l4_the_order_of_the_recordings_does_not_matter(seed: int) -> None:
    parents = random_recordings(seed)
    known = [leaf._replace(values=tuple(sorted(leaf.values))) for leaf in infer(parents, [None] * 4)]
    for _ in range(3):
        random.Random(seed).shuffle(parents)
        found = [leaf._replace(values=tuple(sorted(leaf.values))) for leaf in infer(parents, [None] * 4)]
        assert found == known


ODD: list[Any] = [
    Decimal("NaN"),
    Decimal("sNaN"),
    Decimal("48213.50"),
    float("nan"),
    float("inf"),
    -0.0,
    10**400,
    b"ORD-48213",
    bytearray(b"x"),
    "{",
    "[]",
    '{"id": "ORD-48213", "n": [48213, 1e400]}',
    "\ud800",
    "\0",
    "ORD-48213",
    48213,
    datetime.datetime(2026, 3, 10, 12),
    datetime.datetime(2026, 3, 10, 12, tzinfo=datetime.UTC),
    datetime.date(2026, 3, 10),
    datetime.timedelta(1),
    uuid.UUID(int=7),
    frozenset(["ORD-48213", 3]),
    range(3),
    ...,
    Point("ORD-48213", 48213),
    fractions.Fraction(1, 3),
    ipaddress.ip_address("10.0.0.1"),
    {1: "ORD-48213", "x": None, ("a", 1): 48213},
    [{"id": "ORD-48213", "at": Decimal("NaN")}, {"id": "y", "at": 1.5}],
    "Order ORD-48213 was made at 2026-03-10T12:00:00.",
]


@pytest.mark.parametrize("seed", range(40))
def test_l4_odd_values_are_never_an_error(seed: int) -> None:
    rng = random.Random(seed)
    parents = []
    for _ in range(2):
        outputs = [random_value(rng, ODD) for _ in range(3)]
        arguments = {"a": rng.choice(ODD), "b": [rng.choice(ODD)]}
        calls = [(tool, {"q": rng.choice(ODD)}, output) for tool, output in zip("xyz", outputs, strict=True)]
        parents.append(parent(*calls, ("use", {**arguments, "same": 7}, None)))
    shapes = {tuple(map(skeleton, one.records)) for one in parents}
    for group in (parents[:1], parents) if len(shapes) == 1 else (parents[:1], parents[1:]):
        assert last_leaf(group, digest_of=digest_of).state == CONSTANT
