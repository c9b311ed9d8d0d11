"""C11a: what was computed from a secret is neither stored nor sent again."""

from __future__ import annotations

import hashlib
import random
import threading
from typing import Any

import pytest

from derived_secrets import DERIVED, KEYS, MONDAY, SIGNED, TUESDAY, World
from muscle_mem import Check, Engine, Outcome, Reason, Secret


@pytest.mark.parametrize("form", DERIVED)
@pytest.mark.parametrize("inside", ["argument", "deep", "key of a dict"])
def test_c11a_a_derived_secret_is_not_learned(form: str, inside: str) -> None:
    def agent(world: World, secret: Secret[str]) -> None:
        text = DERIVED[form](secret.value)
        body = {"argument": text, "deep": [{"a": (1, text)}], "key of a dict": {text: 1}}[inside]
        world.call("fixed", body)

    world = World(agent)
    for value in (MONDAY, TUESDAY, TUESDAY):
        outcome = world.run(Secret(value))
        assert outcome.not_learned is Reason.DERIVED_SECRET, outcome.not_learned_message
        assert value not in outcome.not_learned_message
        assert ".call'" in outcome.not_learned_message
        assert len(world.sent) == 1
    assert not world.stored()


@pytest.mark.parametrize("form", ["basic", "hex", "sha256", "URL"])
@pytest.mark.parametrize("way", ["param", "secrets", "global", "context", "thread"])
def test_c11a_however_the_secret_came_to_the_agent(form: str, way: str) -> None:
    secret = Secret(MONDAY)

    class Account:
        def __init__(self) -> None:
            self.token = secret

    def agent(world: World, given: Any) -> None:
        texts = [DERIVED[form](secret.value)] if way != "thread" else []
        if way == "thread":
            thread = threading.Thread(target=lambda: texts.append(DERIVED[form](secret.value)))
            thread.start()
            thread.join()
        world.call(texts[0])

    world = World(agent)
    options: dict[str, Any] = {
        "param": {"params": {"p": secret}},
        "secrets": {"secrets": {"token": secret}},
        "context": {"context": Account()},
    }.get(way, {})
    assert world.run(**options).not_learned is Reason.DERIVED_SECRET
    assert not world.stored()


@pytest.mark.parametrize("form", ["base64", "basic", "hex", "sha256"])
def test_c11a_a_secret_that_a_step_uses_hides_no_other_that_was_derived(form: str) -> None:
    def agent(world: World, secret: Secret[str]) -> None:
        world.login(secret)
        world.call(DERIVED[form](secret.value))

    world = World(agent)
    expected = None if form == "sha256" else Reason.DERIVED_SECRET  # The tool returned this digest.
    assert world.run(Secret(MONDAY)).not_learned is expected
    if expected is None:
        assert world.run(Secret(MONDAY))
        outcome = world.run(Secret(TUESDAY))
        assert not outcome
        assert world.sent[-1] == (DERIVED[form](TUESDAY), None)


@pytest.mark.parametrize("form", SIGNED)
def test_c11a_what_looks_random_is_not_learned_after_a_read(form: str) -> None:
    def agent(world: World, secret: Any) -> None:
        world.call("fixed", SIGNED[form](KEYS.value))

    world = World(agent)
    outcome = world.run()
    assert outcome.not_learned is Reason.DERIVED_SECRET
    assert "looks random" in outcome.not_learned_message
    assert not world.run()


def random_text(random_source: random.Random) -> str:
    return random_source.randbytes(20).hex()


def in_task(world: World, text: str) -> Outcome:
    return world.run(task=f"send {text} now")


def in_param(world: World, text: str) -> Outcome:
    return world.run(params={"p": text})


@pytest.mark.parametrize("stands", ["task", "param", "output", "default", "tag"])
def test_c11a_a_random_text_that_stands_elsewhere_hinders_nothing(stands: str) -> None:
    text = "a1b2c3d4e5f6a7b8c9d0"

    def agent(world: World, secret: Any) -> None:
        KEYS.value.encode()
        if stands == "output":
            world.call("id", login(MONDAY))
        elif stands == "default":
            world.call("fixed", extra="f00dfeedf00dfeedf00d")
        else:
            world.call(text)

    def login(password: str) -> str:
        return login_tool(password)

    world = World(agent)
    login_tool: Any = world.login
    for hit in (False, True):
        if stands == "task":
            outcome = in_task(world, text)
        elif stands == "param":
            outcome = in_param(world, text)
        else:
            outcome = world.run(tags=[text] if stands == "tag" else None)
        if stands == "tag":
            assert outcome.not_learned is None  # E9 asks for a second recording.
            break
        assert bool(outcome) is hit, (outcome.message, outcome.not_learned_message)


@pytest.mark.parametrize(
    "literal",
    [
        "Save",
        42,
        ["a", {"b": 2.5}],
        "Dear Ann, the sum is 1,234.50 EUR.",
        "/home/ann/Documents/Report-2024_final.pdf",
        None,
    ],
    ids=str,
)
def test_c11a_an_agent_that_opens_its_models_client_with_a_secret_goes_on_learning(literal: Any) -> None:
    class Client:
        def __init__(self, key: str) -> None:
            self.headers = {"Authorization": f"Bearer {key}"}

    def agent(world: World, secret: Any) -> None:
        client = Client(KEYS.value)
        assert client.headers
        world.call("header", literal)

    world = World(agent)
    assert world.run().learned
    assert world.run()
    assert KEYS.value.encode() not in world.stored()


def test_c11a_a_page_digest_in_a_snapshot_hinders_nothing() -> None:
    engine = Engine()
    page = "<html>the page</html>"
    look = Check(lambda *args: hashlib.sha256(page.encode()).hexdigest())

    @engine.tool(pre_check=look, post_check=look)
    def click(where: str) -> None:
        assert KEYS.value

    def agent(task: str) -> None:
        assert KEYS.value
        click("Save")

    engine.set_agent(agent)
    assert engine("the task").learned
    assert engine("the task")
