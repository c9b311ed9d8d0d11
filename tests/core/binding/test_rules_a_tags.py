"""Tags, keys of the users' own, scopes, and arguments that have no canonical form (A2, A3, A4)."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import pytest

from muscle_mem import Engine, InvalidTypeError, Missed, Reason
from muscle_mem._core.binding.params.search import Params
from muscle_mem._core.binding.tasks.key import task_key
from param_cases import Client, World


@pytest.fixture
def world() -> World:
    return World()


def test_a2_tags_are_part_of_the_key_without_order_or_repetition(world: World) -> None:
    agent = lambda task: world.send(task)
    world.run(agent, "t", tags=["a", "b"])
    assert world.run(agent, "t", tags=("b", "a", "a"))
    assert world.run(agent, "t", tags={"a", "b"})
    for tags in ([], ["a"], ["A", "b"], "ab", ["a b"], ["a,b"], ["ab"], ["a", "b", ""]):
        assert world.run(agent, "t", tags=tags).reason == Reason.NEW_TASK if tags != ["ab"] else True
    assert world.run(agent, "t", tags="ab"), "a string is one tag"
    assert world.run(agent, "t", tags=["ab"])


@pytest.mark.parametrize("tags", [5, [5], [None], b"ab", True])
def test_a2_tags_that_are_no_strings_are_refused(world: World, tags: Any) -> None:
    with pytest.raises(InvalidTypeError, match="tag"):
        world.run(lambda task: None, "t", tags=tags)


def test_a2_a_key_replaces_the_arguments_but_not_tags_and_scope(world: World) -> None:
    agent = lambda task: world.send("same")
    world.run(agent, "one", key="k")
    assert world.run(agent, Client(), key="k"), "not even a value without a form matters"
    assert world.run(agent, "one", key="k", tags="x").reason == Reason.NEW_TASK
    assert world.run(agent, "one", key="K").reason == Reason.NEW_TASK
    assert world.run(agent, "k").reason == Reason.NEW_TASK, "a text is not a key"
    assert world.run(agent, "one", key="").learned
    with pytest.raises(InvalidTypeError, match=r"Engine\(key="):
        world.run(agent, "one", key=lambda task: "k")


def test_a2_a_callable_key_gets_the_calls_arguments(world: World) -> None:
    got: list[Any] = []

    def by_text(messages: list[Any], *, user: str = "") -> str:
        got.append((messages, user))
        return str(messages[-1]["text"])

    keyed = World(key=by_text)
    agent = lambda messages, user="": keyed.send(user)
    keyed.run(agent, [{"text": "hi", "at": 1}], user="u")
    assert keyed.run(agent, [{"text": "hi", "at": 2}], user="u")
    assert got == [([{"text": "hi", "at": 1}], "u"), ([{"text": "hi", "at": 2}], "u")]
    assert not keyed.run(agent, [{"text": "hi", "at": 3}], key="own"), "the call's own key wins"
    assert len(got) == 2


@pytest.mark.parametrize("bad", [lambda task: 5, lambda task: None, lambda task: 1 / 0])
def test_a2_a_callable_key_without_a_string_costs_the_lookup_and_not_the_agent(bad: Any) -> None:
    keyed = World(key=bad)
    outcome = keyed.run(lambda task: keyed.send(task), "t")
    assert (outcome.reason, outcome.learned, len(keyed.made())) == (Reason.NO_KEY, False, 1)
    with pytest.raises(TypeError):
        World(key=bad, strict=True).run(lambda task: None, "t")


def test_a2_five_misses_under_five_new_keys_suggest_a_key_once(world: World) -> None:
    agent = lambda task: world.send(task)
    for number in range(4):
        world.run(agent, f"task {number}")
    assert world.told("suggest_key") == []
    world.run(agent, "task 4")
    (event,) = world.told("suggest_key")
    assert event.level == "info"
    assert "key=" in event.message
    for number in range(20):
        world.run(agent, f"another {number}")
    assert len(world.told("suggest_key")) == 1
    assert len(world.engine._runtime.reporter._new_keys) <= 5, "nothing grows with the number of tasks"


def test_a2_a_hit_in_between_or_one_key_again_and_again_suggests_nothing(world: World) -> None:
    agent = lambda task: world.send(task)
    for number in range(12):
        world.run(agent, f"task {number}")
        if number % 4 == 3:
            assert world.run(agent, f"task {number}")
    for _ in range(8):
        world.run(lambda task: None, "never learned")
    assert world.told("suggest_key") == []


def test_a3_nothing_matches_across_scopes(tmp_path: Path) -> None:
    worlds = [World(store=str(tmp_path / "s.db"), scope=scope) for scope in ("", "tenant-4", "tenant-42", "Tenant-42")]
    for one in worlds:
        agent = lambda task, one=one: one.send("x")
        assert one.run(agent, "t", tags="2").reason == Reason.NEW_TASK
        assert one.run(agent, "k", key="k").reason == Reason.NEW_TASK
    for one in worlds:
        assert one.run(lambda task: None, "t", tags="2")
        one.engine.close()


def test_a3_parts_of_a_key_cannot_be_taken_for_each_other() -> None:
    nothing = Params(None)
    keys = {
        task_key(((), {}), nothing, scope=scope, tags=tags, custom=custom)
        for scope in ("", "a", "ab")
        for tags in ((), ("a",), ("b",), ("a", "b"), ("ab",))
        for custom in (None, "", "a", "ab")
    }
    assert len(keys) == 3 * 5 * 4


def test_a4_an_opaque_argument_warns_once_by_its_name_and_nothing_is_stored(world: World) -> None:
    agent = lambda task, client: world.send(task)
    for _ in range(3):
        outcome = world.run(agent, "t", Client())
        assert (outcome.reason, outcome.not_learned) == (Reason.NO_KEY, Reason.NO_KEY)
    (event,) = world.told("no_key")
    assert event.level == "warning"
    for part in ("'client'", "Client", "param", "context", "key="):
        assert part in event.message
    assert len(world.made()) == 3
    assert world.engine._runtime.library.store.scan().stored == ()
    world.run(agent, task=Client(), client=1)
    assert len(world.told("no_key")) == 2, "another argument is told of, too"


def test_a4_strict_raises_before_the_agent_runs() -> None:
    strict = World(strict=True)
    agent = lambda task, client: strict.send(task)
    with pytest.raises(TypeError, match="client") as raised:
        strict.run(agent, "t", client=Client())
    assert isinstance(raised.value, InvalidTypeError)
    assert strict.made() == []
    assert strict.run(agent, "t", client=1).learned, "and the engine is usable"


def test_a4_replay_only_mode_says_that_there_is_no_key(world: World) -> None:
    with pytest.raises(Missed, match="no_key"):
        world.run(lambda client: None, Client(), mode="replay")


def test_a4_an_opaque_argument_is_fine_as_a_param_or_a_context_object(world: World) -> None:
    agent = lambda task, client: world.send(task)
    one, two = Client("1"), Client("2")
    world.run(agent, "as param", one, params={"client": one})
    assert world.run(agent, "as param", two, params={"client": two})
    world.run(agent, "as context", one, context=one)
    assert world.run(agent, "as context", two, context=two)
    world.run(agent, "inside", [{"c": one}], context=one)
    assert world.run(agent, "inside", [{"c": two}], context=two)
    world.engine.set_context(one)
    assert world.run(agent, "as context", one)
    assert world.told("no_key") == []


@pytest.mark.parametrize("name", ["text", "list", "deep"])
def test_a4_what_is_too_large_for_a_key_runs_unkeyed(world: World, name: str) -> None:
    deep: list[Any] = []
    for _ in range(100):
        deep = [deep]
    huge = {"text": "x" * (17 * 2**20), "list": list(range(300_000)), "deep": deep}[name]
    outcome = world.run(lambda task: world.send("done"), huge)
    assert (outcome.reason, world.made()) == (Reason.NO_KEY, [("send", "done")])


def test_a4_arguments_that_contain_themselves_cost_no_more_than_the_lookup(world: World) -> None:
    loop: list[Any] = [Client()]
    loop += [loop, loop]
    shared: list[Any] = [Client()]
    for _ in range(60):
        shared = [shared, shared]
    for bad in (loop, shared):
        assert world.run(lambda task, bad=bad: world.many(bad), bad).reason == Reason.NO_KEY
        outcome = world.run(lambda task, bad=bad: world.many(bad), "fine")
        assert (outcome.reason, outcome.not_learned) == (Reason.NEW_TASK, Reason.OPAQUE_ARGUMENT)


def test_lone_surrogates_are_told_apart_everywhere(world: World, tmp_path: Path) -> None:
    stored = World(store=str(tmp_path / "s.db"))
    for one in (world, stored):
        agent = lambda task="", **more: one.send("x")  # noqa: B023 - called in this round
        for args, keywords in (
            (("a\ud800",), {}),
            (("a\ud801",), {}),
            ((), {"\ud800": 1}),
            (("t",), {"tags": "\ud800"}),
            (("t",), {"tags": "\ud801"}),
            (("t",), {"key": "\ud800"}),
            (("\ud800 t",), {"params": {"p": "t"}}),
            (("t",), {"params": {"\ud800": "t"}}),
        ):
            assert one.run(agent, *args, **keywords).reason == Reason.NEW_TASK, (args, keywords)
        assert one.run(agent, "a\ud800")
        assert one.run(agent, "t", tags="\ud800")


def test_an_argument_is_keyed_as_it_is_when_the_call_is_made(world: World) -> None:
    todo = ["a", "b"]
    world.run(lambda _: world.send("x"), todo)
    todo.clear()
    assert world.run(lambda _: world.send("x"), ["a", "b"])
    assert world.run(lambda _: world.send("x"), []).reason == Reason.NEW_TASK


def test_the_default_observer_logs_the_missing_key_as_a_warning(caplog: pytest.LogCaptureFixture) -> None:
    engine = Engine().set_agent(lambda client: None)
    with caplog.at_level(logging.WARNING, logger="muscle_mem"):
        engine(Client())
    assert "argument 'client'" in caplog.text
