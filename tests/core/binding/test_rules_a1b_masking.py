"""A1b: keys mask more than calls bind, and what an argument of a task counts as in its key."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import BaseModel, PrivateAttr, SecretBytes, SecretStr

from muscle_mem import Engine, Reason, Secret
from param_cases import call, key_of

WIDE: list[tuple[str, Any, Any]] = [
    ("VAT {}.75", "150", "200"),
    ("VAT {}.75", 150, 200),
    ("mail {}@acme.com", "john", "mary"),
    ("open {}.report.pdf", "old", "new"),
    ("see {}_1 now", "Ann", "Bob"),
    ("for Mary-{}", "Ann", "Sue"),
    ("buy {} of them", 2, 3),
    ("say {}!", "x", "y"),
    ("我想去{}旅游", "北京", "上海"),
    ("付{}元", 150, 7),
    ("约{}去", "John", "Mary"),
    ("ไป{}วันนี้", "กรุงเทพ", "เชียงใหม่"),
    ("{}へ行く", "東京", "大阪"),
    ("a:{}/b", "150", "2"),
    ("is it {}?", "-20", "30"),
]


@pytest.mark.parametrize(("task", "first", "then"), WIDE)
def test_a1b_a_joined_or_short_value_is_masked_in_the_key(task: str, first: Any, then: Any) -> None:
    agent = lambda task: None
    keys = {key_of(agent, call(task.format(value)), params={"p": value}) for value in (first, then)}
    assert len(keys) == 1


@pytest.mark.parametrize(
    ("task", "value"), [("Johnson", "John"), ("2150", "150"), ("xylo", "x"), ("Jose\u0301", "Jose")]
)
def test_a1b_a_value_inside_a_word_is_not_masked(task: str, value: str) -> None:
    agent = lambda task: None
    assert key_of(agent, call(task), params={"p": value}) == key_of(agent, call(task), params={"p": "other"})


def test_a1b_two_tasks_that_meet_in_one_key_are_kept_apart_by_the_suspicion() -> None:
    calls: list[str] = []
    engine = Engine()
    say = engine.tool(name="say", effect="read")(lambda who, text: calls.append(text))
    engine.set_agent(lambda task, who: say(who, task.split()[1]))
    engine("pay 150.75", "150", params={"n": "150"})
    assert engine("pay 200.75", "200", params={"n": "200"}).reason is Reason.PARAM_GUARD
    assert calls == ["150.75", "200.75"]
    assert engine("pay 200.75", "200", params={"n": "200"})


class Name(str):
    """A text with a method, as frameworks return them."""

    __slots__ = ()

    def __str__(self) -> str:
        return f"<{super().__str__()}>"


class Person(BaseModel):
    name: str
    _seen: int = PrivateAttr(default=0)
    _client: Any = PrivateAttr(default=None)


@pytest.mark.parametrize("wrap", [lambda x: x, lambda x: [x], lambda x: {"k": (x,)}, lambda x: {x: 1}])
def test_a1b_an_instance_of_a_subclass_of_str_counts_as_its_text(wrap: Any) -> None:
    agent = lambda task: None
    assert key_of(agent, call(wrap(Name("Ann")))) == key_of(agent, call(wrap("Ann")))
    assert key_of(agent, call(wrap(Name("Ann")))) != key_of(agent, call(wrap("Bob")))
    assert key_of(agent, call(wrap(Name("Ann"))), params={"p": "Ann"}) == key_of(
        agent, call(wrap("Bob")), params={"p": Name("Bob")}
    )


def test_a1b_a_param_of_a_subclass_of_str_is_bound_and_passed_on_as_it_is() -> None:
    calls: list[Any] = []
    engine = Engine()
    send = engine.tool(name="send")(lambda to, text: calls.append((to, text)))
    engine.set_agent(lambda task, who: send(who, f"Dear {str.__str__(who)},"))
    assert engine("greet", Name("Ann"), params={"p": Name("Ann")}).learned
    assert engine("greet", Name("Bob"), params={"p": Name("Bob")})
    assert type(calls[-1][0]) is Name
    assert calls[-1][0] == "Bob"


def test_a1b_private_attributes_of_a_model_are_no_part_of_the_key() -> None:
    agent = lambda task: None
    plain, used, other = Person(name="Ann"), Person(name="Ann"), Person(name="Bob")
    used._seen, used._client = 5, object()
    assert key_of(agent, call(used)) == key_of(agent, call(plain)) != key_of(agent, call(other))
    assert key_of(agent, call([{"p": used}])) == key_of(agent, call([{"p": plain}]))
    assert used._seen == 5, "the agent's own object is not touched"


@pytest.mark.parametrize("wrap", [lambda x: x, lambda x: {"password": x}, lambda x: [x]])
@pytest.mark.parametrize("make", [SecretStr, lambda text: SecretBytes(text.encode()), Secret])
def test_a1b_a_secret_of_pydantic_is_a_secret(make: Any, wrap: Any) -> None:
    calls: list[Any] = []
    engine = Engine()
    login = engine.tool(name="login")(lambda user, password: calls.append(password))
    engine.set_agent(lambda task, given: login("bob", given))
    assert engine("log in", wrap(make("correct-horse"))).learned
    assert engine("log in", wrap(make("battery-staple"))), "the value is no part of the key"
    assert calls[-1] == wrap(make("battery-staple"))
    stored = engine._runtime.library.store.scan().stored[0]
    assert b"correct-horse" not in stored.sealed.body


@pytest.mark.parametrize("make", [SecretStr, Secret])
def test_a1b_the_raw_value_of_a_secret_of_pydantic_is_masked_and_given_again(make: Any) -> None:
    calls: list[Any] = []
    engine = Engine()
    login = engine.tool(name="login")(lambda user, password: calls.append(password))
    raw = lambda secret: secret.value if isinstance(secret, Secret) else secret.get_secret_value()
    engine.set_agent(lambda task, given: login("bob", raw(given)))
    assert engine("log in", make("correct-horse"), params={"password": make("correct-horse")}).learned
    assert engine("log in", make("battery-staple"), params={"password": make("battery-staple")})
    assert calls == ["correct-horse", "battery-staple"]
    with_secrets = engine("log in", make("tr0ub4dor"), secrets={"password": make("tr0ub4dor")}, params={})
    assert calls[-1] == "tr0ub4dor", with_secrets
    assert "tr0ub4dor" not in repr(with_secrets)
