"""C11: secrets are masked out of the key, given again at replay, and never stored; what that costs, and says."""

from __future__ import annotations

import asyncio
import copy
import pickle
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

import muscle_mem
from muscle_mem import Check, Diverged, Engine, NotStorableError, Outcome, Reason, Secret, current_run
from muscle_mem._core import codec
from muscle_mem._core.binding.params.search import Params
from muscle_mem._core.model.records import Ref, Sec
from muscle_mem._core.redaction.redactor import Redactor, redactor_for
from muscle_mem._core.redaction.spellings import mask_forms, spellings
from param_cases import World

ONE, TWO = "hunter2-Alpha", "hunter3-Beta"


@dataclass
class Login:
    user: str
    password: Any


@pytest.fixture
def world() -> World:
    return World()


def stored(world: World) -> list[Any]:
    """The arguments of every stored step."""
    import msgspec

    from muscle_mem._core.model.records import Body

    found = world.engine._runtime.library.store.scan().stored
    return [step.arguments for one in found for step in msgspec.msgpack.decode(one.sealed.body, type=Body).steps]


# the object


def test_a_secret_shows_nothing_and_equals_another_of_the_same_value() -> None:
    secret = Secret(ONE)
    assert secret.value == ONE
    assert {repr(secret), str(secret), f"{secret}", f"{secret:>40}"} == {"Secret('***')", "***"}
    assert secret == Secret(ONE)
    assert hash(secret) == hash(Secret(ONE))
    assert secret not in (Secret(TWO), ONE)
    assert Secret("1") != Secret(1)


def test_a_secret_is_not_copied_pickled_changed_derived_from_or_stored() -> None:
    secret = Secret(ONE)
    assert copy.deepcopy([secret])[0] is secret is copy.copy(secret)
    with pytest.raises(TypeError):
        pickle.dumps(secret)
    with pytest.raises(AttributeError):
        secret.value = TWO
    with pytest.raises(TypeError):
        type("Mine", (Secret,), {})
    for value in (secret, {"k": [secret]}, Login("bob", secret)):
        with pytest.raises(NotStorableError, match="is a secret, which is never stored"):
            codec.encode(value)
    with pytest.raises(TypeError):
        muscle_mem.register(Secret, encode=lambda s: s.value, decode=Secret)
    assert not hasattr(secret, "__dict__")


@pytest.mark.parametrize(("value", "error"), [(None, TypeError), (True, TypeError), ("", ValueError), ({}, ValueError)])
def test_what_is_nothing_is_no_secret(value: Any, error: type[Exception]) -> None:
    with pytest.raises(error):
        Secret(value)
    with pytest.raises(error, match=r"secrets\['password'\]"):
        Engine().explain("task", secrets={"password": value})


# given again at replay


@pytest.mark.parametrize("way", ["argument", "param", "secrets", "raw secrets", "dataclass", "dict"])
def test_c11_another_password_is_the_same_task_and_is_the_one_replayed(world: World, way: str) -> None:
    def agent(task: str, given: Any = None) -> None:
        run = current_run()
        assert run is not None
        secret = given if isinstance(given, Secret) else given.password if isinstance(given, Login) else None
        secret = secret or (given or {}).get("pw") or run.params.get("password") or Secret(here)
        world.send("bob", secret.value, secret)

    for here, hit in ((ONE, False), (TWO, True), (ONE, True)):
        ways: dict[str, dict[str, Any]] = {
            "argument": {"given": Secret(here)},
            "param": {"params": {"password": Secret(here)}},
            "secrets": {"secrets": {"password": Secret(here)}},
            "raw secrets": {"secrets": {"password": here}},
            "dataclass": {"given": Login("bob", Secret(here))},
            "dict": {"given": {"pw": Secret(here)}},
        }
        outcome = world.run(agent, "log in", **ways[way])
        assert bool(outcome) is hit, outcome.message
        assert world.made() == [("send", "bob", here, Secret(here))]
    assert [name for (_, (_, b), (_, c)) in stored(world) for name in (b, c)] == [
        Sec(stored(world)[0][1][1].name, False),
        Sec(stored(world)[0][1][1].name, True),
    ]


def test_c11_a_task_text_that_holds_the_password_is_the_same_task_with_another(world: World) -> None:
    def agent(task: str) -> None:
        world.send("bob", task.split()[-1])

    assert not world.run(agent, f"log in with {ONE}", secrets={"password": ONE})
    assert world.run(agent, f"log in with {TWO}", secrets={"password": TWO})
    assert world.made()[-1] == ("send", "bob", TWO)
    assert not world.run(agent, f"log out with {TWO}", secrets={"password": TWO})
    assert not world.run(agent, f"log in with {TWO}")


def test_c11_a_secret_that_is_missing_is_a_miss_that_says_what_to_do(world: World) -> None:
    def agent(task: str) -> None:
        world.send("bob", ONE)

    world.run(agent, "log in", secrets={"password": ONE})
    world.made()
    world.run(agent, "log in", secrets={"pin": TWO})
    missed = world.run(agent, "log in")
    assert missed.not_learned == Reason.SECRET_MISSING, "the agent's password would be learned in clear"
    assert missed.reason == Reason.SECRET_MISSING
    assert "secrets={'password': ...}" in missed.message
    assert not world.engine.explain("log in")
    assert "secret 'password'" in str(world.engine.explain("log in"))
    plain = world.run(agent, "log in", params={"password": TWO})
    assert plain.reason == Reason.SECRET_MISSING
    assert "Secret(...)" in plain.message
    with pytest.raises(muscle_mem.Missed, match="secret_missing"):
        world.run(agent, "log in", mode="replay")


def test_c11_an_unused_secret_is_no_guard(world: World) -> None:
    agent = lambda task: world.send("bob", "hi")
    world.run(agent, "t", params={"password": Secret(ONE)})
    assert world.run(agent, "t", params={"password": Secret(TWO)})
    assert world.run(agent, "t")


def test_c11_a_dry_run_tells_secrets_by_their_names(world: World) -> None:
    world.run(lambda task, pw, name: world.send(name, pw.value), "t", Secret(ONE), name="bob", params={"name": "bob"})
    plan = world.engine.dry_run("t", Secret(TWO), name="eve", params={"name": "eve"}).plan
    assert [str(step) for step in plan] == ["send(to='eve', text=<secret pw>)"]


def test_c11_declared_arguments_are_secret_whatever_they_hold(world: World) -> None:
    log_in = world.tool(
        "log_in", lambda user, password=None, *more, **named: "in", secret=["password", "more", "token"]
    )
    value: Any = ONE

    def agent(task: str) -> None:
        log_in("bob", value)
        log_in("bob", None, "x1y2z3", token={"k": 4711})

    world.run(agent, "t")
    assert [expr for _, expr in stored(world)[0][1:]] == [Sec("password")]
    assert [expr for _, expr in stored(world)[1][2:]] == [Sec("*0"), Sec("token")]
    assert world.run(agent, "t").reason == Reason.SECRET_MISSING
    world.made()
    assert world.run(agent, "t", secrets={"password": TWO, "*0": "a", "token": 5})
    assert world.made() == [("log_in", "bob", TWO), ("log_in", "bob", None, "a", ("token", 5))]


def test_c11_two_tools_with_a_password_each_get_names_of_their_own(world: World) -> None:
    one = world.tool("one", lambda password: None, secret=["password"])
    two = world.tool("two", lambda password: None, secret=["password"])
    world.run(lambda task: (one(ONE), two(TWO), one(ONE)), "t")
    assert [step[0][1] for step in stored(world)] == [Sec("password"), Sec("two.password"), Sec("password")]
    world.made()
    assert world.run(lambda task: None, "t", secrets={"password": "p1", "two.password": "p2"})
    assert world.made() == [("one", "p1"), ("two", "p2"), ("one", "p1")]


def test_c11_an_argument_declared_secret_later_is_not_replayed_from_its_stored_value() -> None:
    world = World()
    world.tool("log_in", lambda password: None)
    agent = lambda task: world.engine._runtime.tools._by_name["log_in"][0].wrapper(ONE)
    world.run(agent, "t")
    world.tool("log_in", lambda password: None, secret=["password"])
    missed = world.run(agent, "t")
    assert missed.reason == Reason.TOOL_CHANGED
    assert "'password'" in missed.message
    with pytest.raises(ValueError, match="secret="):
        world.tool("other", lambda x: None, secret=["password"])


def test_c11_secrets_with_equal_values_replay_only_while_they_are_equal_again(world: World) -> None:
    def agent(task: str, a: Any, b: Any) -> None:
        world.many(a.value, b.value)

    assert not world.run(agent, "t", Secret(ONE), Secret(ONE))
    assert world.run(agent, "t", Secret(TWO), Secret(TWO))
    refused = world.run(agent, "t", Secret(ONE), Secret(TWO))
    assert refused.reason == Reason.PARAM_AMBIGUOUS
    assert "a, b" in refused.message
    assert ONE not in refused.message


def test_c11_a_name_given_twice_with_different_values_is_refused(world: World) -> None:
    with pytest.raises(ValueError, match=r"secrets=: .*'p'"):
        world.run(lambda task: None, "t", params={"p": Secret(ONE)}, secrets={"p": TWO})
    world.run(lambda task, p: None, "t", p=Secret(ONE), secrets={"p": TWO})  # an argument is the agent's own


# what is not stored


@pytest.mark.parametrize(
    "value",
    [f"Bearer {ONE}", f"x{ONE}".encode(), [f"-{ONE}"], {f"{ONE}!": 1}, Login("bob", f"{ONE}."), f"{ONE}".upper() + "."],
)
def test_c11_an_argument_that_holds_a_secret_within_makes_the_run_unlearnable(world: World, value: Any) -> None:
    outcome = world.run(lambda task: world.send("bob", value), "t", secrets={"password": ONE})
    assert outcome.not_learned == Reason.OPAQUE_ARGUMENT
    assert "'text' of 'send'" in outcome.not_learned_message
    assert ONE not in outcome.not_learned_message


def test_c11_a_snapshot_that_holds_a_secret_fails_and_an_output_is_not_kept() -> None:
    world = World()
    screen = {"text": "empty"}
    tool = world.engine.tool(Check(lambda x: dict(screen)), effect="read", name="look")(lambda x: dict(screen))
    agent = lambda task, password: tool(1)
    assert world.run(agent, "t", Secret(ONE)).learned
    screen["text"] = f"you typed {ONE}"
    outcome = world.run(agent, "t", Secret(ONE))
    assert outcome.not_learned == Reason.CAPTURE_FAILED
    assert ONE not in outcome.not_learned_message
    give = world.tool("tell", lambda: dict(screen))
    assert world.run(lambda task, password: give(), "u", Secret(ONE)).learned


def test_c11_a_secret_that_a_tool_returns_is_a_reference_and_not_kept(world: World) -> None:
    world.answers["it"] = Secret(ONE)
    outcome = world.run(lambda task: world.send("bob", world.give("it")), "t")
    assert outcome.learned
    assert stored(world)[1][1][1] == Ref(0)
    world.answers["it"] = Secret(TWO)
    world.made()
    assert world.run(lambda task: None, "t")
    assert world.made()[-1] == ("send", "bob", Secret(TWO))


def test_c11_a_task_made_with_a_secret_that_was_not_known_yet_is_not_stored(world: World) -> None:
    log_in = world.tool("log_in", lambda password: None, secret=["password"])
    outcome = world.run(lambda task: log_in(ONE), f"log in with {ONE}")
    assert outcome.not_learned == Reason.NO_KEY
    assert world.run(lambda task: log_in(ONE), f"log in with {ONE}", secrets={"password": ONE}).learned


# the middle of a run


def test_c11_the_restarted_agent_is_absorbed_with_its_secrets(world: World) -> None:
    page = {"open": True}
    press = world.engine.tool(Check(lambda: dict(page)), effect="write", name="press")(lambda: "pressed")
    world.tool("log_in", lambda user, password: "in")

    def agent(task: str, password: Any) -> None:
        world.send("bob", password.value, {"pw": Secret(password.value), "n": [password]})
        press()

    world.run(agent, "t", Secret(ONE))
    page["open"] = False
    world.made()
    outcome = world.run(agent, "t", Secret(TWO))
    assert (outcome.status, outcome.learned) == ("diverged", True)
    assert [call[:3] for call in world.made()] == [("send", "bob", TWO)]


def test_c11_the_users_own_exception_passes_unchanged_and_our_texts_do_not_show_it(world: World) -> None:
    broken = {"is": False}

    def fail(x: Any) -> None:
        if broken["is"]:
            raise ValueError(f"wrong: {ONE}")

    tool = world.tool("check", fail)

    def agent(task: str, password: Any) -> None:
        world.send("bob")
        tool(1)

    world.run(agent, "t", Secret(ONE))
    broken["is"] = True
    with pytest.raises(ValueError, match=f"wrong: {ONE}") as raised:
        world.run(agent, "t", Secret(ONE))
    assert ONE not in "".join(raised.value.__notes__)
    with pytest.raises(Diverged) as stopped:
        world.run(agent, "t", Secret(ONE), mode="replay")
    told = stopped.value.handover
    assert isinstance(told.divergence.error, ValueError)
    assert ONE not in repr(stopped.value) + repr(told) + told.as_text() + repr(told.as_messages()) + repr(world.events)


def test_c11_dry_runs_approvals_undo_and_shadow_runs_know_secrets_by_their_names() -> None:
    world, asked, page = World(), [], {"open": True}
    undo = "log {user} out of {password} with {result}"
    tool = world.engine.tool(effect="irreversible", undo=undo, name="log_in")(lambda user, password: [password.value])
    press = world.engine.tool(Check(lambda: dict(page)), name="press")(lambda: None)
    agent = lambda task, password, handover=None: handover or (tool("bob", password), press(), None)[2]
    given: dict[str, Any] = {"approve": lambda step: asked.append(step) or True}
    assert world.run(agent, "t", Secret(ONE), **given).learned
    shadow = world.run(agent, "t", Secret(TWO), mode="shadow", **given).shadow
    assert shadow is not None
    assert shadow.agreed
    assert world.run(agent, "t", Secret(TWO), **given)
    assert asked[0].arguments["password"].value == TWO
    assert TWO not in repr(asked)
    page["open"] = False
    handover = world.run(agent, "t", Secret(TWO), **given).value
    assert handover.undo == ("log bob out of *** with ['***']",)


# stores, engines, async, texts


def test_c11_two_engines_on_one_file_share_the_task_not_the_secret(tmp_path: Path) -> None:
    got: list[Any] = []

    def open_engine() -> Engine:
        engine = Engine(tmp_path / "s.db", observers=[])

        @engine.tool(effect="read", name="log_in", version=1)
        def log_in(password: Any) -> None:
            got.append(password)

        return engine.set_agent(lambda task, password: log_in(password.value))

    with open_engine() as one, open_engine() as two:
        assert not one("t", Secret(ONE))
        assert two("t", Secret(TWO))
    assert got == [ONE, TWO]


def test_c11_async_runs_get_the_secret_of_their_own_call() -> None:
    engine = Engine(observers=[])
    got: list[Any] = []

    @engine.tool(effect="read")
    async def log_in(password: Any) -> None:
        await asyncio.sleep(0)
        got.append(password.value)

    async def agent(task: str, password: Any) -> None:
        await log_in(password)

    async def work() -> list[Outcome]:
        engine.set_agent(agent)
        await engine.acall("t", Secret(ONE))
        return await asyncio.gather(*(engine.acall("t", Secret(f"pass-{n}")) for n in range(5)))

    assert all(asyncio.run(work()))
    assert got[0] == ONE
    assert sorted(got[1:]) == [f"pass-{n}" for n in range(5)]


@pytest.mark.parametrize("secret", ["it's", 'say "x"', "back\\slash", "two\nlines", "ünïcode☃", "a'b\"c\\d\te"])
def test_texts_are_without_secrets_however_they_spell_them(secret: str) -> None:
    redactor = Redactor()
    redactor.add_value(secret)
    for text in (secret, f"{[secret]!r}", repr(f'"{secret}'), repr(f"'{secret}"), repr(ValueError([secret]))):
        for spelled in (text, repr(text), repr([repr(text)])):
            assert not [form for form in spellings(secret) if form in redactor.redact(f"before {spelled} after")]
    assert redactor.redact("nothing here") == "nothing here"


def test_what_is_left_of_a_secret_beside_a_cut_is_hidden_too() -> None:
    forms = tuple(spellings(ONE))
    assert mask_forms(f"saw 'x{ONE[:7]}…", forms, "***") == "saw 'x***…"
    assert mask_forms(f"'abc...{ONE[-4:]}' and", forms, "***") == "'abc...***' and"


def test_a_run_without_secrets_has_a_veil_that_does_nothing() -> None:
    redactor = redactor_for([("task", ["plain", {"k": 1}])], Params({"name": "John"}), None)
    assert not redactor
    assert redactor.redact("text") == "text"
    assert not redactor.contains_secret("text")
