"""C11a: the forms of a derived secret: where they are found, and what only looks like one."""

from __future__ import annotations

import hashlib
import html
import json
import random
import string
from collections.abc import Callable
from typing import Any

import pytest

from derived_secrets import DERIVED, ENCODINGS, KEYS, MONDAY, SIGNED, World, b64
from muscle_mem import AskAgent, Call, Check, Engine, Finished, Outcome, Reason, Secret, current_run
from muscle_mem._core.redaction.derived import DerivedForms, looks_random


@pytest.mark.parametrize("form", ["basic", "hex", "sha1", "URL"])
def test_c11a_a_snapshot_or_task_with_a_derived_secret_is_not_learned(form: str) -> None:
    engine = Engine()
    secret = Secret(MONDAY)

    @engine.tool(pre_check=Check(lambda: {"form": ["x", DERIVED[form](secret.value)]}))
    def press() -> None: ...

    engine.set_agent(lambda task, token=None: press())
    assert engine("the task").not_learned is Reason.DERIVED_SECRET
    world = World(lambda world, given: world.call("fixed"))
    outcome = world.run(Secret(MONDAY), task=f"log in with {DERIVED[form](MONDAY)}")
    assert outcome.not_learned is Reason.DERIVED_SECRET
    assert not world.stored()


@pytest.mark.parametrize("form", ENCODINGS)
def test_c11a_an_output_with_a_derived_secret_is_not_stored(form: str) -> None:
    engine = Engine()
    secret = Secret(MONDAY)
    text = ENCODINGS[form](MONDAY)

    @engine.tool(effect="read")
    def echo(password: str) -> Any:
        return {"headers": [text]}

    @engine.tool
    def done() -> None: ...

    def agent(task: str, given: Any) -> None:
        echo(secret.value)
        done()

    engine.set_agent(agent)
    assert engine("the task", secret).learned
    store = engine._runtime.library.store
    needle = text if isinstance(text, bytes) else text.encode()
    for stored in store.scan().stored:
        for _, seen in stored.observations:
            assert needle not in seen.body
            assert not any(needle in blob for blob in seen.blobs)
    assert engine("the task", secret)


def test_c11a_the_raw_value_of_a_secret_that_was_only_read_is_not_stored() -> None:
    world = World(lambda world, given: world.call(f"Bearer {KEYS.value}"))
    outcome = world.run()
    assert outcome.not_learned is Reason.OPAQUE_ARGUMENT
    assert KEYS.value not in outcome.not_learned_message
    assert not world.stored()
    world = World(lambda world, given: world.call("x", {"key": KEYS.value}))
    assert world.run().not_learned is Reason.OPAQUE_ARGUMENT
    assert not world.stored()
    short = Secret("te")
    world = World(lambda world, given: world.call("test", f"{bool(short.value)}"))
    assert world.run().learned


def test_c11a_a_read_in_another_run_or_before_the_run_counts_for_neither() -> None:
    KEYS.value.encode()
    world = World(lambda world, given: world.call("fixed", "a1b2c3d4e5f6a7b8c9d0"))
    assert world.run().learned
    assert world.run().not_learned is None
    other = World(lambda world, given: KEYS.value and world.call("fixed", "a1b2c3d4e5f6a7b8c9d0"))
    assert other.run().not_learned is Reason.DERIVED_SECRET


def test_c11a_a_read_inside_a_tool_hinders_nothing() -> None:
    engine = Engine()

    @engine.tool
    def send(text: str) -> None:
        assert KEYS.value

    engine.set_agent(lambda task: send("a1b2c3d4e5f6a7b8c9d0"))
    assert engine("the task").learned


async def _acalled() -> Outcome:
    engine = Engine()

    @engine.tool
    async def send(text: str) -> None: ...

    async def agent(task: str) -> None:
        await send(DERIVED["basic"](KEYS.value))

    engine.set_agent(agent)
    return await engine.acall("the task")


def test_c11a_holds_under_acall_and_for_demonstrations() -> None:
    import asyncio

    assert asyncio.run(_acalled()).not_learned is Reason.DERIVED_SECRET
    world = World(lambda world, given: None)
    with world.engine.record("shown") as shown:
        world.call(DERIVED["hex"](KEYS.value))
    assert shown.outcome is not None
    assert shown.outcome.not_learned is Reason.DERIVED_SECRET


def test_c11a_a_refreshed_snapshot_with_a_derived_secret_is_not_stored() -> None:
    engine = Engine()
    secret = Secret(MONDAY)
    seen: list[Any] = ["plain"]

    @engine.tool(pre_check=Check(lambda *args: seen[0], lambda now, then: True, refresh=True))
    def send(password: str) -> None: ...

    engine.set_agent(lambda task, given: send(given.value))
    assert engine("the task", secret).learned
    for form in ("basic", "sha256", "hex"):
        seen[0] = DERIVED[form](MONDAY)
        assert engine("the task", secret)
        for stored in engine._runtime.library.store.scan().stored:
            assert not any(seen[0].encode() in one.body for _, one in stored.observations)


def test_c11a_random_secrets_are_found_in_every_form_and_nowhere_else() -> None:
    source = random.Random(11)
    alphabet = string.ascii_letters + string.digits + "-_.!/+ äß€"
    for _ in range(150):
        secret = "".join(source.choices(alphabet, k=source.randint(6, 40))).strip() or "secret"
        other = "".join(source.choices(alphabet, k=len(secret)))
        if len(secret.encode()) < 6 or secret == other:
            continue
        forms = DerivedForms([secret.encode()])
        for name, derive in DERIVED.items():
            before, after = ("x" * source.randint(0, 3), "y" * source.randint(0, 3)) if name == "basic" else ("", "")
            text = derive(secret) if name != "basic" else "Basic " + b64(before + secret + after)
            assert forms.find(text), (secret, name)
            assert not forms.find(derive(other)), (secret, other, name)
        for plain in ("Save the document", other, "2026-11-29", "ann@example.org", 'He said "x & y"', other.encode()):
            assert not forms.find(plain)


def test_c11a_escaped_forms_are_found_and_what_was_encoded_from_them() -> None:
    secret = 'pässwörd "<&>" €'
    forms = DerivedForms([secret.encode()])
    for escaped in (json.dumps({"k": secret}), html.escape(secret), html.escape(secret, quote=False), repr([secret])):
        if secret not in escaped:
            assert forms.find(escaped), escaped
        for derive in (b64, ENCODINGS["hex"], ENCODINGS["URL"]):
            assert forms.find(derive(escaped)), escaped
    assert not forms.find(json.dumps({"k": "another text"}))


def test_c11a_short_secrets_are_found_in_whole_tokens() -> None:
    for secret in ("pw", "1234", "äb", "x-9"):
        forms = DerivedForms([secret.encode()])
        for text in (b64(secret), "Basic " + b64(f"ann:{secret}"), secret.encode().hex()):
            if len(text) >= 4:
                assert forms.find(text), (secret, text)
        assert forms.find(hashlib.sha256(secret.encode()).hexdigest())
        for plain in ("Save the document", "password1234567", "a data table", html.escape("<b>"), "12341234"):
            assert not forms.find(plain), (secret, plain)


def test_c11a_what_looks_random_by_its_form() -> None:
    assert looks_random(bytes(range(200, 232)), ())
    assert not looks_random(b"a plain text that is not random", ())
    assert not looks_random(b"\x89PNG" + bytes(5_000), ())
    assert looks_random(b64(bytes(range(200, 220))), ())
    assert not looks_random(b64("a plain text in base64"), ())
    assert not looks_random("x = 12345678901234 and y == 2", ())
    assert current_run() is None


@pytest.mark.parametrize(
    "derive",
    [lambda s: s[:4], lambda s: s[::-1], lambda s: str(hash(s) % 10**6), lambda s: " ".join(s)],
    ids=["a part", "reversed", "a code", "spaced"],
)
def test_c11a_other_forms_are_not_seen_as_the_docs_say(derive: Callable[[str], str]) -> None:
    def agent(world: World, given: Any) -> None:
        world.call(derive(Secret("correct horse battery").value))

    assert World(agent).run().learned


@pytest.mark.parametrize("form", ["plain", "basic", "hmac"])
def test_c11a_holds_in_a_session(form: str) -> None:
    engine = Engine()
    derive = {**DERIVED, **SIGNED, "plain": lambda _: "hello"}[form]

    @engine.tool(name="send", version=1)
    def send(text: str) -> str:
        return "sent"

    with engine.session("the task") as session:
        assert isinstance(session.next(), AskAgent)
        session.said([("send", {"text": derive(KEYS.value)}, "call_1")])
        turn = session.next()
        assert isinstance(turn, Call)
        session.done(turn.id, turn.fn(*turn.args, **turn.kwargs))
        assert isinstance(session.next(), AskAgent)
        session.said([], value="done")
        end = session.next()
    assert isinstance(end, Finished)
    expected = None if form == "plain" else Reason.DERIVED_SECRET
    assert end.outcome.not_learned is expected, end.outcome.not_learned_message


@pytest.mark.parametrize("form", ["plain", "basic", "sha256"])
def test_c11a_a_snapshot_with_a_param_in_it_is_searched_as_well(form: str) -> None:
    engine = Engine()
    seen: dict[str, str] = {}

    @engine.tool(pre_check=Check(lambda *args: dict(seen)))
    def fill(name: str) -> None: ...

    def agent(task: str) -> None:
        seen["name"] = "Ann Lee"
        seen["other"] = "hello" if form == "plain" else DERIVED[form](KEYS.value)
        fill("Ann Lee")

    engine.set_agent(agent)
    outcome = engine("fill it", params={"name": "Ann Lee"})
    assert outcome.not_learned is (None if form == "plain" else Reason.DERIVED_SECRET), outcome.not_learned_message
