"""Rules A1 and E1 to E6 as properties: whatever the agent makes of what it gets, a replay does what it would do."""

from __future__ import annotations

from typing import Any

from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from param_cases import Address, Colour, Letter, Order, Play, World, call, key_of

WORDS = ["John", "john", "JOHN", "Johnson", "son", "", "ab", "a", "1", "500", "True", "a.c", "(x)", "Straße", "STRASSE"]
VALUES: list[Any] = [
    *WORDS,
    "e\u0301a",
    "\u00e9a",
    "हिन्द",
    "\ud800x",
    1,
    5,
    500,
    5000,
    -500,
    True,
    False,
    None,
    0.0,
    2.5,
    500.0,
]
VALUES += [
    [],
    ["John"],
    ["John", 500],
    {"k": "John"},
    Address("John"),
    Letter("ab", 5),
    ("a", "b"),
    Colour.RED,
    b"John",
]
FORMS: list[Any] = [
    lambda x: x,
    lambda x: f"«{x}»",
    lambda x: f"Q{x}Q",
    lambda x: f"<{x}> {x}",
    upper := lambda x: str(x).upper(),
    lower := lambda x: str(x).lower(),
    title := lambda x: f"<{str(x).title()}>",
    lambda x: [x, {"key": x, "n": [x]}],
    lambda x: {f"<{x}>": (x,)},
    lambda x: Letter(x, f"«{x}»"),
    lambda x: Address([x]),
    lambda x: "§",
    lambda x: [],
    lambda x: 0,
]
programs = st.lists(
    st.tuples(st.sampled_from(FORMS), st.sampled_from("abc"), st.sampled_from(["x", "a", "b"])), min_size=1, max_size=5
)
givens = st.fixed_dictionaries(dict.fromkeys("abc", st.sampled_from(VALUES)))


@settings(max_examples=400, deadline=None, suppress_health_check=list(HealthCheck))
@given(programs, givens, givens, st.integers(0, 7))
def test_a_replay_makes_exactly_the_calls_that_the_agent_would_make(
    program: Any, first: dict[str, Any], then: dict[str, Any], kept: int
) -> None:
    for index, name in enumerate("abc"):
        if kept >> index & 1:
            then = {**then, name: first[name]}
    for form, name, _ in program:  # of "john" alone nobody can tell that the agent means its small letters
        assume(form not in (upper, lower, title) or form(first[name]).strip("<>") != first[name])
    play = Play()
    take = play.tool("take", lambda x=None, a=None, b=None: None)

    def agent(a: Any, b: Any, c: Any) -> None:
        given = {"a": a, "b": b, "c": c}
        for form, name, argument in program:
            take(**{argument: form(given[name])})

    play.twice(agent, first, then)
    assert play.run(agent, key="task", params=then, **then), "what was just done or learned hits"


IDS = st.sampled_from([1001, 2002, "ab-1001", "x_2002", "zz", 7])
MAKE = [lambda x: x, lambda x: [x], lambda x: {"id": x}, lambda x: f"made {x}.", lambda x: Order(x), lambda x: f"{x}_z"]
USE = [lambda x: x, lambda x: str(x), lambda x: f"/{x}/", lambda x: [x, {"k": x}], lambda x: f"a{x}b", lambda x: (x,)]


@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.lists(st.tuples(st.sampled_from(MAKE), st.sampled_from(USE), IDS, IDS), min_size=1, max_size=3))
def test_e6_no_id_of_yesterday_is_ever_used(program: Any) -> None:
    world = World()
    now = [0]
    current = [0]
    make = world.tool("make", lambda at: program[at][0](program[at][2 + now[0]]))

    def agent(task: str) -> None:
        for at, (_, use, *ids) in enumerate(program):
            make(at)
            world.many(use(ids[now[0]]))

    world.run(agent, "task")
    world.made()
    now[0] = 1
    outcome = world.run(agent, "task")
    done = world.made()
    world.run(agent, "task", mode="off")
    wanted = world.made()
    little = [ids for *_, one, two in program if (ids := (one, two)) and one != two and ({one, two} & {"zz", 7})]
    if not little:
        assert done == wanted or outcome.status == "diverged"
        assert all(call in wanted for call in done)
    assert current == [0]


texts = st.text("ab 1.é_", max_size=8)


@settings(deadline=None)
@given(texts, texts, st.fixed_dictionaries({"p": texts, "q": texts | st.integers(0, 2000)}))
def test_a1_under_the_same_params_different_texts_never_share_a_key(one: str, two: str, params: dict[str, Any]) -> None:
    agent = lambda task: None
    same = key_of(agent, call(one), params=params) == key_of(agent, call(two), params=params)
    assert same is (one == two)
