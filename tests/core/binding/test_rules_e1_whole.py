"""E1, E2: params as whole values: small ones, numbers and their texts, parts of params, and what the caller vouches."""

from __future__ import annotations

import random
from collections import OrderedDict, defaultdict, namedtuple
from collections.abc import Callable
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any, NamedTuple

import pytest

from muscle_mem import Engine, InvalidTypeError, InvalidValueError, Param, Reason, Secret
from param_cases import Play


@dataclass
class Person:
    name: str
    age: int = 30
    tags: list[str] = field(default_factory=list)


class Spot(NamedTuple):
    street: str
    number: int


Pair = namedtuple("Pair", "left right")  # noqa: PYI024


# -- numbers and their decimal texts


@pytest.mark.parametrize(("first", "then"), [(250, 300), (1500, 2600), (100, 999), (123456, 7), (150, -20)])
def test_e1_a_number_binds_to_its_decimal_text(first: int, then: int) -> None:
    play = Play()
    assert play.twice(lambda n: (play.send(to="#qty", text=str(n)), play.send(n=n)), {"n": first}, {"n": then})


@pytest.mark.parametrize(("first", "then"), [("250", "300"), ("1500", "99"), ("100", "-7"), ("5000", "0")])
def test_e1_a_decimal_text_binds_to_its_number(first: str, then: str) -> None:
    play = Play()
    assert play.twice(lambda n: (play.send(n=int(n)), play.send(to=n)), {"n": first}, {"n": then})


@pytest.mark.parametrize("then", ["1,500", "15.5", "many", "", "0300", "+20", " 5", "\u0665\u0660\u0660"])
def test_e1_a_text_that_is_no_plain_number_now_misses(then: str) -> None:
    play = Play()
    agent = lambda n: (play.send(n=int(n) if n.isascii() and n.isdigit() and n[0] != "0" else n), play.send(to=n))
    assert play.twice(agent, {"n": "1500"}, {"n": then}).reason is Reason.PARAM_GUARD


@pytest.mark.parametrize(
    ("param", "leaf"), [("0150", 150), ("+150", 150), ("150.0", 150), (150, "0150"), (150, "150.0"), (250.5, "250.5")]
)
def test_e1_another_spelling_of_a_number_is_no_binding(param: Any, leaf: Any) -> None:
    play = Play()
    other = type(param)("777") if isinstance(param, str) else param + 100
    play.twice(lambda n: (play.send(to=n), play.send(n=leaf if n == param else "other")), {"n": param}, {"n": other})


@pytest.mark.parametrize(
    ("first", "then", "other"), [(2, 3, 4), (99, 98, 97), ("2", "3", "4"), (True, False, None), ("ab", "xy", "zz")]
)
def test_e1_small_values_outside_of_their_name_are_suspected_to_be_the_param(first: Any, then: Any, other: Any) -> None:
    play = Play()
    agent = lambda p: (play.send(n=1000), play.many(p=p), play.send(to=p))
    outcome = play.twice(agent, {"p": first}, {"p": then})
    assert outcome.reason is Reason.PARAM_GUARD
    constant = Play()
    fixed = lambda p: (constant.many(p=p), constant.send(to=first))
    assert constant.twice(fixed, {"p": first}, {"p": then}).reason is Reason.PARAM_GUARD
    if other is not None:
        assert constant.run(fixed, key="task", params={"p": other}, p=other)
        assert constant.made()[-1] == ("send", ("to", first))


def test_e1_a_text_of_a_small_number_is_recorded_again_for_each_value() -> None:
    play = Play()
    agent = lambda qty: (play.send(to="#qty", text=str(qty)), play.many(qty=qty))
    for value in (2, 3, 2, 3):
        outcome = play.run(agent, key="task", params={"qty": value}, qty=value)
        assert play.made()[0] == ("send", ("text", str(value)), ("to", "#qty"))
    assert outcome


def test_e1_a_number_in_a_text_that_may_get_separators_now_needs_another_recording() -> None:
    play = Play()
    agent = lambda n: play.send(to=n, text=f"{n:,} EUR")
    assert play.twice(agent, {"n": 150}, {"n": 999})
    assert play.twice(agent, {"n": 150}, {"n": 1500}).reason is Reason.UNCONFIRMED
    plain = Play()
    agent = lambda n: plain.send(to=n, text=f"{n} EUR")
    assert not plain.twice(agent, {"n": 150}, {"n": 1500})
    assert plain.run(agent, key="task", params={"n": 20_000}, n=20_000)


# -- parts of params


@pytest.mark.parametrize(
    ("first", "then", "parts"),
    [
        ({"name": "Ann", "qty": 150}, {"name": "Bob", "qty": 2}, lambda p: (p["name"], p["qty"])),
        ({"qty": 150, "name": "Ann"}, {"name": "Bob", "qty": 200}, lambda p: (p["name"], p["qty"])),
        (["Ann", "Bob", 1500], ["Eve", "Tom", 1], lambda p: tuple(p)),
        (("Ann", ("Lee", 1000)), ("Bob", ("Ray", 5)), lambda p: (p[0], p[1][0], p[1][1])),
        (Person("Ann", 150), Person("Bob", 12), lambda p: (p.name, p.age)),
        (Spot("Elm Street", 120), Spot("Oak Road", 3), lambda p: (p.street, p.number)),
        ({"who": Person("Ann", 140)}, {"who": Person("Bob", 7)}, lambda p: (p["who"].name, p["who"].age)),
        ([{"id": 1001}, {"id": 1002}], [{"id": 7}, {"id": 8}], lambda p: (p[0]["id"], [p[1]["id"]])),
        ({5: "five", 6: "six"}, {5: "cinq", 6: "sei"}, lambda p: (p[5], {"k": p[6]})),
        ({"n": 1500}, {"n": 2500}, lambda p: (str(p["n"]), p["n"])),
        ({"n": "1500"}, {"n": "2500"}, lambda p: (int(p["n"]), p["n"])),
        (OrderedDict(name="Ann", n=150), OrderedDict(name="Bob", n=3), lambda p: (p["name"], p["n"])),
        (defaultdict(list, name="Ann"), defaultdict(list, name="Bob"), lambda p: (p["name"],)),
        (SimpleNamespace(name="Ann", n=150), SimpleNamespace(name="Bob", n=3), lambda p: (p.name, p.n)),
        ({"on": 2.5, "x": None}, {"on": 7.25, "x": None}, lambda p: (p["on"],)),
    ],
)
def test_e1_a_nested_param_binds_leaf_by_leaf(first: Any, then: Any, parts: Callable[[Any], tuple[Any, ...]]) -> None:
    play = Play()
    assert play.twice(lambda p: [play.send(to=leaf) for leaf in parts(p)], {"p": first}, {"p": then})


@pytest.mark.parametrize(
    ("first", "then"),
    [
        ({"name": "Ann", "vip": True}, {"name": "Bob", "vip": False}),
        ({"name": "Ann", "note": "x"}, {"name": "Bob", "note": "y"}),
        ({"name": "Ann"}, {"name": "Bob", "more": 1}),
        ({"name": "Ann", "more": 1}, {"name": "Bob"}),
        ({"name": "Ann"}, {"name": None}),
        ({"name": "Ann"}, {"name": 5}),
        ({"name": "Ann", "list": [1]}, {"name": "Bob", "list": [1, 2]}),
        ({"name": "Ann", "list": [1]}, {"name": "Bob", "list": (1,)}),
        ({"name": "Ann", (1, 2): "x"}, {"name": "Bob", (1, 3): "x"}),
        ({"name": "Ann", "set": {1}}, {"name": "Bob", "set": {2}}),
    ],
)
def test_e4_what_no_step_uses_of_a_nested_param_and_its_form_are_guards(first: Any, then: Any) -> None:
    play = Play()
    outcome = play.twice(lambda p: play.send(to=p["name"]), {"p": first}, {"p": then})
    assert outcome.reason is Reason.PARAM_GUARD
    assert "'p'" in outcome.message


@pytest.mark.parametrize(
    ("choose", "first", "then", "hits"),
    [
        (max, [100, 300, 200], [500, 400, 450], False),
        (max, [100, 300, 200], [100, 400, 250], True),
        (min, [300, 100, 200], [500, 600, 450], False),
        (min, ["Bob", "Ann"], ["Tom", "Zoe"], False),
        (lambda p: p[0], [200, 300, 100], [900, 300, 700], True),
        (lambda p: min(p, key=lambda one: one["price"])["id"], [{"id": 500, "price": 20}, {"id": 600, "price": 30}],
         [{"id": 700, "price": 90}, {"id": 800, "price": 30}], False),
    ],
)  # fmt: skip
def test_e1_an_item_of_a_list_that_may_be_chosen_by_its_order_must_be_so_again(
    choose: Any, first: list[Any], then: list[Any], hits: bool
) -> None:
    play = Play()
    agent = lambda p: (play.send(to=choose(p)), play.send(text=p))
    assert bool(play.twice(agent, {"p": first}, {"p": then})) is hits


def test_e1_a_leaf_that_occurs_twice_cannot_be_told_from_its_equal() -> None:
    play = Play()
    agent = lambda p: play.send(to=p["from"])
    assert not play.twice(agent, {"p": {"from": "Rome", "to": "Rome"}}, {"p": {"from": "Oslo", "to": "Bern"}})


def test_e1_a_whole_leaf_is_no_template_of_a_shorter_param() -> None:
    play = Play()
    agent = lambda who, p: (play.send(to=who), play.send(text=p["name"]))
    first, then = {"who": "Ann", "p": {"name": "Ann Lee"}}, {"who": "Bob", "p": {"name": "Bob Ray"}}
    assert play.twice(agent, first, then)


def test_e1_a_small_leaf_binds_to_the_argument_of_its_key_only() -> None:
    play = Play()
    assert play.twice(lambda p: play.send(n=p["n"]), {"p": {"n": 2}}, {"p": {"n": 3}})
    assert not Play().twice(lambda p: None, {"p": {"n": 2}}, {"p": {"n": 3}})
    other = Play()
    assert not other.twice(lambda p: other.send(to=p["n"]), {"p": {"n": 2}}, {"p": {"n": 3}})


def test_e1_the_keys_of_a_param_are_no_parts_of_it_but_must_be_as_recorded_where_a_literal_holds_one() -> None:
    play = Play()
    agent = lambda p: (play.send(to="#name", text=p["name"]), play.send(to="#city", text=p["city"]))
    first, then = {"name": "Ann", "city": "Rome"}, {"name": "Bob", "city": "Oslo"}
    assert play.twice(agent, {"p": first}, {"p": then})
    whole = Play()
    agent = lambda p: (whole.send(to=p), whole.send(text=f"first: {next(iter(p))}"))
    assert not whole.twice(agent, {"p": {"Anna": 1}}, {"p": {"Berta": 1}})
    same = Play()
    agent = lambda p: (same.send(to=p), same.send(text=f"first: {next(iter(p))}"))
    assert same.twice(agent, {"p": {"Anna": 1}}, {"p": {"Anna": 7}})


def test_e1_a_param_used_as_a_whole_and_in_parts_needs_the_same_form() -> None:
    play = Play()
    agent = lambda p: (play.send(to=p), play.send(text=p["name"]))
    assert play.twice(agent, {"p": {"name": "Ann", "n": 1}}, {"p": {"name": "Bob", "n": 2}})
    assert not play.twice(agent, {"p": {"name": "Ann"}}, {"p": {"name": "Bob", "more": 2}})


# -- E2: a param that is a part of another one


@pytest.mark.parametrize(
    ("first", "then", "hits"),
    [
        ({"a": "John", "b": "John Smith"}, {"a": "Jane", "b": "Jane Doe"}, True),
        ({"a": "John", "b": "John Smith"}, {"a": "Jane", "b": "Mary Doe"}, False),
        ({"a": "Smith", "b": "John Smith"}, {"a": "Doe", "b": "Jane Doe"}, True),
        ({"a": "Smith", "b": "John Smith"}, {"a": "Doe", "b": "Jane Mary Doe"}, False),
        ({"a": "john", "b": "john@acme.com"}, {"a": "mary", "b": "mary@x.org"}, True),
        ({"a": "john", "b": "john@acme.com"}, {"a": "mary", "b": "jane@x.org"}, False),
        ({"a": 150, "b": "order 150"}, {"a": 200, "b": "order 200"}, True),
        ({"a": 150, "b": "order 150"}, {"a": 200, "b": "order 150"}, False),
        ({"a": "Ann", "b": {"name": "Ann"}}, {"a": "Bob", "b": {"name": "Bob"}}, True),
        ({"a": "Ann", "b": {"name": "Ann"}}, {"a": "Bob", "b": {"name": "Eve"}}, False),
        ({"a": "Ann", "b": {"name": "Ann Lee"}}, {"a": "Bob", "b": {"name": "Bob Ray"}}, True),
        ({"a": "Ann", "b": {"name": "Ann Lee"}}, {"a": "Bob", "b": {"name": "Eve Ray"}}, False),
        ({"a": "Ann", "b": ["Ann", "Ann"]}, {"a": "Bob", "b": ["Bob", "Bob"]}, False),
    ],
)
def test_e2_a_param_that_is_a_part_of_another_is_ambiguous_with_it(first: Any, then: Any, hits: bool) -> None:
    play = Play()
    outcome = play.twice(lambda a, b: (play.send(to=a), play.send(text=b)), first, then)
    assert bool(outcome) is hits
    if not hits:
        assert outcome.reason in (Reason.PARAM_AMBIGUOUS, Reason.PARAM_GUARD)


def test_e2_a_recording_that_told_the_two_apart_hits_for_all_values() -> None:
    play = Play()
    agent = lambda a, b: (play.send(to=a), play.send(text=b))
    assert not play.twice(agent, {"a": "John", "b": "John Smith"}, {"a": "Jane", "b": "Mary Doe"})
    assert play.run(agent, key="task", params={"a": "Tom", "b": "Eve Ray"}, a="Tom", b="Eve Ray")


# -- Param(value, bind=[...])


@pytest.mark.parametrize(
    ("first", "then", "make"),
    [
        (2, 3, lambda n: n),
        (2, 3, str),
        ("2", "7", int),
        (2, 40, lambda n: f"#{n}"),
        ("ab", "xyz", lambda n: f"go to {n}!"),
        (True, False, lambda n: n),
        ("Ann", "Bob", lambda n: f"{n}.pdf"),
        (7, 8, lambda n: [n, {"k": n}]),
    ],
)
def test_e1_the_caller_binds_a_param_to_an_argument(first: Any, then: Any, make: Callable[[Any], Any]) -> None:
    play = Play()
    agent = lambda n: (play.many(n=n), play.send(text=make(n)))
    calls = []
    for value in (first, then):
        vouched = Param(value, bind=["send.text"])
        outcome = play.run(agent, key="task", params={"n": vouched}, n=value)
        calls.append(play.made())
    assert outcome
    assert calls[1][-1] == ("send", ("text", make(then)))
    assert play.run(agent, key="task", params={"n": first}, n=first), "what was vouched for is stored"


def test_e1_a_binding_holds_in_its_argument_only() -> None:
    play = Play()
    agent = lambda n: (play.send(text=n), play.send(to=n))
    play.run(agent, key="task", params={"n": Param(2, bind=["send.text"])}, n=2)
    outcome = play.run(agent, key="task", params={"n": Param(3, bind=["send.text"])}, n=3)
    assert outcome.reason is Reason.PARAM_GUARD
    assert "'to' of send" in outcome.message


def test_e1_a_param_with_bind_in_a_task_is_masked_as_its_value() -> None:
    calls: list[Any] = []
    engine = Engine()
    fill = engine.tool(name="fill")(lambda field, text: calls.append((field, text)))
    engine.set_agent(lambda task: fill("#qty", task.split()[1]))
    assert engine("order 2 chairs", params={"qty": Param(2, bind=["fill.text"])}).learned
    assert engine("order 3 chairs", params={"qty": Param(3, bind=["fill.text"])})
    assert engine("order 4 chairs", params={"qty": 4})
    assert calls == [("#qty", "2"), ("#qty", "3"), ("#qty", "4")]


def test_a_param_with_bind_may_hold_a_secret_and_reports_misuse() -> None:
    calls: list[Any] = []
    engine = Engine()
    login = engine.tool(name="login")(lambda password: calls.append(password))
    given = Secret("hunter2-secret")
    engine.set_agent(lambda task: login(given.value))
    assert engine("log in", params={"password": Param(given, bind=["login.password"])}).learned
    assert engine("log in", params={"password": given})
    for bad in ("fill.text", 5, [5], None):
        with pytest.raises(InvalidTypeError, match="bind="):
            Param(2, bind=bad)  # type: ignore[arg-type]
    for empty in ("fill", ".text", "fill.", ""):
        with pytest.raises(InvalidValueError, match="bind="):
            Param(2, bind=[empty])
    with pytest.raises(InvalidTypeError, match="Param"):
        Param(Param(2))
    assert repr(Param(2, bind=["fill.text"])) == "Param(2, bind=['fill.text'])"
    assert Param(2, bind=["a.b"]) == Param(2, bind=["a.b"]) != Param(3, bind=["a.b"])
    assert len({Param(2), Param(3)}) == 2


# -- random agents that pass on params and parts of them


VALUES: list[Any] = [
    {"name": "Ann", "qty": 150},
    {"name": "Bob", "qty": 2},
    {"name": "Ann", "qty": 7},
    ["Ann", 1500, True],
    ["Bob", 12, True],
    "Ann",
    "Bob Ray",
    150,
    2,
    Person("Ann", 150, ["x"]),
    Person("Eve", 18, ["x"]),
]


def _leaves(value: Any) -> list[Any]:
    if isinstance(value, Person):
        return [value.name, value.age, *value.tags]
    if isinstance(value, dict):
        return list(value.values())
    return list(value) if isinstance(value, list) else [value]


@pytest.mark.parametrize("seed", range(10))
def test_e1_what_an_agent_makes_of_nested_params_is_what_a_replay_does(seed: int) -> None:
    random_ = random.Random(seed)
    for _ in range(25):
        play = Play()
        forms = [random_.choice([str, lambda x: x, lambda x: [x], lambda x: {"n": x}]) for _ in range(3)]
        names = [random_.choice(["to", "text", "n"]) for _ in forms]
        values = random_.choices(VALUES, k=4)

        def agent(p: Any, names: list[str] = names, forms: list[Any] = forms, play: Play = play) -> None:
            for name, form, leaf in zip(names, forms, _leaves(p), strict=False):
                play.send(**{name: form(leaf)})

        for value in values:
            play.made()
            outcome = play.run(agent, key="task", params={"p": value}, p=value)
            made = play.made()
            play.run(agent, mode="off", p=value)
            assert made == play.made(), (values, value, outcome)
