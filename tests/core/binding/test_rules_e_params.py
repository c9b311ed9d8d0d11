"""Rules E1 to E5: how params are bound in recorded calls, and when a recording is valid for its own values only."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest

import muscle_mem
from muscle_mem import Engine, Reason
from muscle_mem._core.binding.params.search import Params, literal_leaves, to_expression
from muscle_mem._core.binding.suspicions.params import ParamSearch, params_in_name
from muscle_mem._core.binding.texts.pieces import Piece
from muscle_mem._core.binding.texts.tokens import contains_token
from param_cases import Address, Client, Colour, Letter, Play


@pytest.fixture
def play() -> Play:
    return Play()


# E1: equality of canonical values with types


@pytest.mark.parametrize(
    ("first", "then"),
    [
        ("John", "Jane"),
        (1234, 5678),
        (2.5, 3.5),
        (["a", "b"], []),
        ({"k": "v"}, {"q": 1}),
        (Address("Elm"), Address("Oak")),
    ],
)
def test_e1_a_whole_value_is_replaced_by_the_new_one(play: Play, first: Any, then: Any) -> None:
    assert play.twice(lambda x: play.send(to=x), {"x": first}, {"x": then})


@pytest.mark.parametrize("value", [True, None, 7, -1, 99, "ab", "x"])
@pytest.mark.parametrize("other", ["something else", 12345])
def test_e1_a_small_value_is_bound_only_where_the_tool_parameter_bears_the_params_name(
    play: Play, value: Any, other: Any
) -> None:
    other = value if type(other) is not type(value) else other
    other = {bool: False, int: 5, str: "yz"}.get(type(value))
    assert play.twice(lambda n: play.send(n=n), {"n": value}, {"n": value})
    if other is not None:
        assert play.twice(lambda n: play.send(n=n), {"n": value}, {"n": other})
    again = Play()
    outcome = again.twice(lambda n: (again.send(n=n), again.send(to=n)), {"n": value}, {"n": other})
    assert bool(outcome) is (other is value), "the value is also where the name does not stand"


@pytest.mark.parametrize(
    ("param", "literal"), [(True, 1), (1, True), (1, 1.0), (500.0, 500), ("007", 7), (None, "None")]
)
def test_e1_types_count_so_a_literal_that_only_looks_equal_is_never_replaced(
    play: Play, param: Any, literal: Any
) -> None:
    play.twice(lambda n: (play.send(n=n), play.send(to=literal)), {"n": param}, {"n": param})
    record = play.engine._runtime.library.store.scan().stored  # what is stored is what would be replayed
    assert len(record) == 1
    other = {bool: False, int: 77, str: "77", float: 7.5}.get(type(param))
    if other is None:
        return
    play.run(lambda n: None, key="task", params={"n": other}, n=other)
    assert all(call == ("send", ("to", literal)) or "n" in call[1] for call in play.made())


def test_e1_empty_containers_say_as_little_as_small_values(play: Play) -> None:
    outcome = play.twice(lambda items: (play.send(text=items), play.send(n=[])), {"items": []}, {"items": ["a"]})
    assert not outcome
    named = Play()
    take = named.tool("take", lambda items: None)
    assert named.twice(lambda items: take(items=items), {"items": []}, {"items": ["a"]})


def test_e1_a_small_float_says_as_little_as_a_small_int(play: Play) -> None:
    outcome = play.twice(lambda x: (play.send(x), play.many(0.0)), {"x": 0.0}, {"x": 9.0})
    assert not outcome


@pytest.mark.parametrize("bound", [100, 100.0, 99.5, 0.5])
def test_e1_a_number_of_100_or_more_or_with_a_fraction_is_bound_wherever_it_stands(play: Play, bound: Any) -> None:
    assert play.twice(lambda x: play.many(x), {"x": bound}, {"x": bound + 1000})


@pytest.mark.parametrize("little", [99, 99.0, 0, -1])
def test_e1_a_number_below_100_is_bound_only_where_the_argument_bears_its_name(play: Play, little: Any) -> None:
    assert not play.twice(lambda x: play.many(x), {"x": little}, {"x": little + 1})
    named = Play()
    assert named.twice(lambda n: named.send(n=n), {"n": little}, {"n": little + 1})


# E2: equal values


def test_e2_params_with_equal_values_replay_only_while_they_are_equal_again(play: Play) -> None:
    def agent(a: str, b: str) -> None:
        play.send(to=a, text=b)

    assert play.twice(agent, {"a": "John", "b": "John"}, {"a": "Jane", "b": "Jane"})
    refused = play.run(agent, key="task", params={"a": "Jane", "b": "Jack"}, a="Jane", b="Jack")
    assert refused.reason == Reason.PARAM_AMBIGUOUS
    assert "a, b" in refused.message


def test_e2_a_number_and_its_text_are_ambiguous_inside_a_longer_text(play: Play) -> None:
    def agent(a: str, b: int) -> None:
        play.send(to=a, n=b, text=f"order {b}")

    assert play.twice(agent, {"a": "1234", "b": 1234}, {"a": "1234", "b": 1234})
    assert not play.twice(agent, {"a": "1234", "b": 1234}, {"a": "5678", "b": 9999})


def test_e2_equal_but_for_case_is_ambiguous_too(play: Play) -> None:
    def agent(a: str, b: str) -> None:
        play.send(to=a.upper(), text=[a, b])

    assert not play.twice(agent, {"a": "john", "b": "JOHN"}, {"a": "jane", "b": "MARY"})


def test_e2_one_opaque_object_as_two_params_is_ambiguous(play: Play) -> None:
    one, two, three = Client("1"), Client("2"), Client("3")

    def agent(a: Client, b: Client) -> None:
        play.many(a)

    assert play.twice(agent, {"a": one, "b": one}, {"a": two, "b": two})
    assert not play.twice(agent, {"a": one, "b": one}, {"a": two, "b": three})


def test_e2_values_that_are_equal_only_at_replay_are_no_obstacle(play: Play) -> None:
    assert play.twice(lambda a, b: play.send(a, b), {"a": "John", "b": "Jane"}, {"a": "Zoe", "b": "Zoe"})


# E3: templates, and literals that contain a value otherwise


def test_e3_dear_john_is_never_sent_to_jane(play: Play) -> None:
    outcome = play.twice(lambda name: play.send(text=f"Dear {name},"), {"name": "John"}, {"name": "Jane"})
    assert outcome, "a token in a text becomes a template"


@pytest.mark.parametrize(
    "build",
    [str.upper, str.lower, lambda x: f"pre{x}", lambda x: f"{x}s", lambda x: f"{x}_1", lambda x: [f"Q{x}"]],
    ids=["upper", "lower", "after a letter", "before a letter", "before an underscore", "nested"],
)
def test_e3_a_value_that_stands_in_another_way_makes_the_recording_valid_for_that_value_only(
    play: Play, build: Any
) -> None:
    def agent(name: str) -> None:
        play.send(to=name, text=build(name))

    assert play.twice(agent, {"name": "John"}, {"name": "John"})
    again = Play()

    def same(name: str) -> None:
        again.send(to=name, text=build(name))

    refused = again.twice(same, {"name": "John"}, {"name": "Jane"})
    assert refused.reason == Reason.PARAM_GUARD
    assert "'name'" in refused.message


@pytest.mark.parametrize("value", ["", "x", "ab"])
def test_e3_a_short_value_inside_a_text_is_valid_for_that_value_only(play: Play, value: str) -> None:
    agent = lambda name: (play.many(name=name), play.send(text=f"Dear {name}!"))
    assert not play.twice(agent, {"name": value}, {"name": "Jane"})


@pytest.mark.parametrize("value", [True, 5, 2.5, -3, 10**30])
def test_e3_what_is_no_text_counts_too_where_its_text_stands_in_a_literal(play: Play, value: Any) -> None:
    other = {bool: False, int: 8, float: 7.25}[type(value)]
    agent = lambda n: (play.send(n=n), play.send(text=f"of_{n}_items"))
    assert not play.twice(agent, {"n": value}, {"n": other})


def test_e3_the_decimal_text_of_an_int_param_becomes_a_template(play: Play) -> None:
    assert play.twice(lambda n: play.send(text=f"/orders/{n}/pay"), {"n": 1234}, {"n": 5})


def test_e3_the_longest_value_wins(play: Play) -> None:
    def agent(first: str, full: str) -> None:
        play.send(to=full, text=f"To {full}. Dear {first}!")

    outcome = play.twice(agent, {"first": "John", "full": "John Smith"}, {"first": "Jane", "full": "Jane Doe"})
    assert outcome


def test_e3_values_that_overlap_in_a_text_leave_it_a_literal(play: Play) -> None:
    def agent(a: str, b: str) -> None:
        play.send(to=a, text=[b, f"New {b}"])

    outcome = play.twice(agent, {"a": "New York", "b": "York City"}, {"a": "Paris", "b": "York City"})
    assert outcome.reason == Reason.PARAM_GUARD


@pytest.mark.parametrize("value", ["a.c", "(x)", "[ab]+", "\\d+", "x|y", "^abc$", "C++", "a\nb", "{name}", "%s%s"])
def test_e3_characters_that_mean_something_to_patterns_are_plain_text(play: Play, value: str) -> None:
    agent = lambda name: play.send(to=name, text=f"<{name}> qrs 12")
    assert play.twice(agent, {"name": value}, {"name": "\\g<0>"})
    assert not contains_token("abc", "a.c")


def test_e3_a_value_that_ends_with_what_is_drawn_onto_a_letter_is_a_token_and_one_that_begins_so_is_none(
    play: Play,
) -> None:
    agent = lambda name: play.send(to=name, text=f"Dear {name}, hello")
    assert play.twice(agent, {"name": "Jose\u0301"}, {"name": "हिन्दी"})
    assert not contains_token("Dear \u0301abc", "\u0301abc")


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("Jose", "Jose\u0301 writes"),
        ("हिन्द", "हिन्दी"),
        ("abc", "abc\u200dd"),
        ("Straße", "STRASSE 5"),
        ("\u00e9tude", "e\u0301tude No. 1"),
        ("Ångström", "ångström!"),
    ],
    ids=["a combining mark", "a vowel sign", "a joiner", "sharp s", "decomposed", "case"],
)
def test_e3_unicode_does_not_hide_a_value(play: Play, value: str, text: str) -> None:
    then = {"name": "Maria"}
    assert not contains_token(text, value)

    def agent(name: str) -> None:
        play.send(to=name, text=text if name == value else f"other {name}")

    assert not play.twice(agent, {"name": value}, then)


def test_e3_a_derived_unicode_form_of_the_value_is_found() -> None:
    params = Params({"name": "Straße"})
    assert params_in_name(params, ["STRASSE 5"]) == {"name"}
    assert params_in_name(params, ["Strasbourg"]) == set()


@pytest.mark.parametrize(
    "value",
    [b"John", bytearray(b"John"), Letter("John"), {"John": 1}, {"k": [("John",)]}, frozenset({"John"}), "\ud800John"],
)
def test_e3_a_value_is_found_wherever_it_is_hidden(play: Play, value: Any) -> None:
    search = ParamSearch(Params({"name": "john"}), ())
    expr = to_expression(value, Params({"name": "john"}), None)
    pieces = [Piece("x", (), leaf) for leaf in literal_leaves(expr)]
    assert {doubt.params for piece in pieces for doubt in search.suspicions(0, piece, ())} == {("name",)}


class Money:
    def __init__(self, amount: int, currency: str) -> None:
        self.amount, self.currency = amount, currency

    def __repr__(self) -> str:
        return f"Money({self.amount}, {self.currency})"


def test_e3_a_value_is_found_inside_a_registered_type(play: Play) -> None:
    muscle_mem.register(Money, encode=lambda m: [m.amount, m.currency], decode=lambda p: Money(*p), name="test:money")
    agent = lambda cur: play.send(to=cur, n=Money(5, cur))
    assert not play.twice(agent, {"cur": "EUR"}, {"cur": "USD"})


def test_e3_an_enum_and_a_date_are_found_by_their_texts(play: Play) -> None:
    agent = lambda c: play.send(to=c, text=f"paint it {c.value}")
    assert not play.twice(agent, {"c": Colour.RED}, {"c": Colour.BLUE})
    assert play.twice(agent, {"c": Colour.RED}, {"c": Colour.RED})
    again = Play()
    when = lambda t: again.send(to=t, text=t.isoformat())
    assert not again.twice(when, {"t": dt.datetime(2024, 1, 2, 3)}, {"t": dt.datetime(2025, 1, 2, 3)})


def test_e3_a_leaf_of_a_container_param_inside_a_longer_text_is_valid_for_that_value_only(play: Play) -> None:
    agent = lambda order: play.many(order, f"Dear {order['name']}")
    assert not play.twice(agent, {"order": {"name": "John"}}, {"order": {"name": "Jane"}})


def test_e3_a_leaf_of_an_opaque_container_param_fixes_it_too(play: Play) -> None:
    client = Client()
    agent = lambda pair: play.many(pair, pair[0])
    assert play.twice(agent, {"pair": ["John", client]}, {"pair": ["John", client]})
    assert not play.twice(agent, {"pair": ["John", client]}, {"pair": ["Jane", client]})


# E4: unused, missing, new, of another type


def test_e4_a_param_that_no_step_uses_is_a_guard(play: Play) -> None:
    agent = lambda name, mood: play.send(to=name)
    assert play.twice(agent, {"name": "John", "mood": "calm"}, {"name": "Jane", "mood": "calm"})
    refused = play.run(agent, key="task", params={"name": "Jane", "mood": "wild"}, name="Jane", mood="wild")
    assert refused.reason == Reason.PARAM_GUARD
    assert "'mood'" in refused.message


@pytest.mark.parametrize(("then", "reason"), [({}, "param_missing"), ({"name": "John", "more": "x"}, "param_guard")])
def test_e4_a_missing_or_a_new_param_is_a_miss_that_names_it(play: Play, then: dict[str, Any], reason: str) -> None:
    agent = lambda name="John", more=None: play.send(to=name)
    outcome = play.twice(agent, {"name": "John"}, then)
    assert outcome.reason == reason
    assert ("'name'" if not then else "'more'") in outcome.message


@pytest.mark.parametrize("then", ["1234", 1234.0, None, True, [1234], Client()])
def test_e4_a_param_of_another_type_than_recorded_is_a_miss(play: Play, then: Any) -> None:
    outcome = play.twice(lambda n: play.send(n=n), {"n": 1234}, {"n": then})
    assert outcome.reason == Reason.PARAM_GUARD
    assert "'n'" in outcome.message


def test_e4_a_param_that_the_run_itself_changed_is_valid_for_its_first_value_only(play: Play) -> None:
    grow = play.tool("grow", lambda items: items.append("more"))

    def agent(items: list[str]) -> None:
        grow(items)
        play.send(to=items)

    play.run(agent, key="task", params={"items": (given := ["first"])}, items=given)
    play.made()
    outcome = play.run(agent, key="task", params={"items": (given := ["other"])}, items=given)
    assert not outcome
    assert play.made() == [("grow", ["other"]), ("send", ("to", ["other", "more"]))]


# E5: containers


def test_e5_containers_are_walked_and_keep_their_types(play: Play) -> None:
    def agent(name: str, n: int) -> None:
        play.many([name, (name, {name: [f"x {name}"]})], {n}, frozenset({name}), Letter(name, [n]), Address(name))

    assert play.twice(agent, {"name": "John", "n": 1234}, {"name": "Jane", "n": 5678})


def test_e5_a_set_or_dict_shrinks_as_the_agents_own_would(play: Play) -> None:
    agent = lambda a, b: play.many({a, b})
    assert play.twice(agent, {"a": "John", "b": "Jane"}, {"a": "Zoe", "b": "Zoe"})


def test_huge_numbers_and_broken_texts_as_params_break_nothing(play: Play) -> None:
    agent = lambda n: play.send(n=n)
    assert play.run(agent, key="task", params={"n": 10**5000}, n=10**5000).learned
    assert play.run(agent, key="task", params={"n": 10**5001}, n=10**5001)
    assert play.made()[1] == ("send", ("n", 10**5001))
    again = Play()
    same = lambda n: again.send(n=n, text=f"a {n} b")
    again.twice(same, {"n": "\ud800bc"}, {"n": "Jane"})
    with_odd_name = Play()
    with_odd_name.run(lambda task: with_odd_name.send(task), "do abc", params={"\ud800": "abc"})
    assert with_odd_name.made() == [("send", "do abc")]


def test_e2_a_part_of_one_param_that_equals_another_is_valid_for_that_value_only() -> None:
    sent: list[Any] = []
    engine = Engine()
    engine.tool(name="send")(lambda to, name: sent.append((to, name)))
    send = next(iter(engine._runtime.tools)).wrapper
    user = {"name": "John"}
    engine.set_agent(lambda task: send(user, user["name"]))
    engine("greet", params={"user": {"name": "John"}, "name": "John"})
    user = {"name": "Zoe"}
    outcome = engine("greet", params={"user": {"name": "Zoe"}, "name": "Jane"})
    assert outcome.status == "miss"
    assert sent[-1] == ({"name": "Zoe"}, "Zoe")
