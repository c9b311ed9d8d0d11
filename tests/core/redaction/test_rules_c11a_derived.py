"""C11a: what was computed from a secret is neither stored nor sent again."""

from __future__ import annotations

import base64
import hashlib
import hmac
import html
import json
import random
import string
import threading
import urllib.parse
import uuid
from collections.abc import Callable
from typing import Any

import pytest

from muscle_mem import AskAgent, Call, Check, Engine, Finished, Outcome, Reason, Secret, current_run
from muscle_mem._core.redaction.derived import DerivedForms, looks_random

MONDAY, TUESDAY = "hunter2-Alpha!", "correct horse/7+x"
KEYS = Secret("sk-proj-0123456789abcdef")


class World:
    """An engine with two tools, and an agent that is a function of the secret."""

    def __init__(self, agent: Callable[[World, Any], Any], **options: Any) -> None:
        self.sent: list[Any] = []
        self.engine = Engine(**options)

        @self.engine.tool(effect="write")
        def call(header: Any, body: Any = None, extra: str = "f00dfeedf00dfeedf00d") -> str:
            self.sent.append((header, body))
            return "called"

        @self.engine.tool(effect="read")
        def login(password: Any) -> str:
            value = password.value if isinstance(password, Secret) else password
            self.sent.append("login")
            return hashlib.sha256(str(value).encode()).hexdigest()

        self.call, self.login = call, login
        self.engine.set_agent(lambda task, secret=None: agent(self, secret))

    def run(self, secret: Any = None, task: str = "the task", **options: Any) -> Outcome:
        self.sent = []
        return self.engine(task, secret, **options)

    def stored(self) -> bytes:
        """Everything that the store holds."""
        found = self.engine._runtime.library.store.scan().stored
        return b"".join(
            part
            for one in found
            for part in (
                one.sealed.body,
                *(piece for _, seen in one.observations for piece in (seen.body, *seen.blobs)),
            )
        )


def b64(text: str | bytes) -> str:
    return base64.b64encode(text.encode() if isinstance(text, str) else text).decode()


ENCODINGS: dict[str, Callable[[str], Any]] = {
    "base64": b64,
    "base64 without padding": lambda s: b64(s).rstrip("="),
    "base64 for URLs": lambda s: base64.urlsafe_b64encode(s.encode()).decode(),
    "basic": lambda s: "Basic " + b64(f"ann:{s}"),
    "bearer": lambda s: "Bearer " + b64(f'{{"token": "{s}"}}'),
    "jwt": lambda s: "e30." + b64(f'{{"p":"{s}"}}').rstrip("=") + ".x",
    "in a URL": lambda s: "https://x.org/?t=" + urllib.parse.quote(b64(s), safe=""),
    "MIME lines": lambda s: base64.encodebytes(("x" * 70 + s + "y" * 70).encode()).decode(),
    "base64 as bytes": lambda s: base64.b64encode(s.encode()),
    "base64 of UTF-16": lambda s: b64(s.encode("utf-16-le")),
    "base64 twice": lambda s: b64(b64(s)),
    "base64 of hex": lambda s: b64(s.encode().hex()),
    "hex": lambda s: s.encode().hex(),
    "HEX": lambda s: s.encode().hex().upper(),
    "hex with colons": lambda s: s.encode().hex(":"),
    "hex in C": lambda s: ", ".join(f"0x{byte:02x}" for byte in s.encode()),
    "hex in Python": lambda s: "".join(f"\\x{byte:02x}" for byte in s.encode()),
    "hex with spaces": lambda s: s.encode().hex(" "),
    "hex with 0x": lambda s: "0x" + s.encode().hex(),
    "hex in a text": lambda s: f"key {s.encode().hex()} end",
    "URL": lambda s: "".join(f"%{byte:02x}" for byte in s.encode()),
    "URL twice": lambda s: urllib.parse.quote(urllib.parse.quote("&" + s + "&")),
    "HTML": lambda s: "<" + "".join(f"&#{ord(char)};" for char in s) + ">",
}
DIGESTS: dict[str, Callable[[str], Any]] = {
    name: (lambda s, name=name: hashlib.new(name, s.encode()).hexdigest())  # type: ignore[misc] # binds the name
    for name in ("md5", "sha1", "sha224", "sha256", "sha384", "sha512", "sha3_256", "blake2b")
}
DIGESTS |= {
    "upper case": lambda s: hashlib.sha1(s.encode()).hexdigest().upper(),
    "in a text": lambda s: "sha256=" + hashlib.sha256(s.encode()).hexdigest() + ";",
    "base64 digest": lambda s: b64(hashlib.sha256(s.encode()).digest()),
    "base64 of the hex digest": lambda s: b64(hashlib.md5(s.encode()).hexdigest()),
    "digest for URLs": lambda s: base64.urlsafe_b64encode(hashlib.sha512(s.encode()).digest()).decode(),
    "raw digest": lambda s: hashlib.sha256(s.encode()).digest(),
    "fingerprint": lambda s: hashlib.sha256(s.encode()).digest().hex(":").upper(),
    "cut digest": lambda s: hashlib.sha256(s.encode()).hexdigest()[:12],
}
DERIVED = {**ENCODINGS, **DIGESTS}
SIGNED: dict[str, Callable[[str], Any]] = {
    "hmac": lambda s: hmac.new(s.encode(), b"body", "sha256").hexdigest(),
    "hmac in base64": lambda s: b64(hmac.new(s.encode(), b"body", "sha256").digest()),
    "hmac as bytes": lambda s: hmac.new(s.encode(), b"body", "sha256").digest(),
    "salted": lambda s: hashlib.sha256(b"salt" + s.encode()).hexdigest(),
    "pbkdf2": lambda s: hashlib.pbkdf2_hmac("sha256", s.encode(), b"salt", 10).hex(),
    "uuid5": lambda s: str(uuid.uuid5(uuid.NAMESPACE_DNS, s)),
}


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
