"""Rules A1 to A5: which task a call is, and that its key is the same wherever it is made."""

from __future__ import annotations

import operator
import os
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import pytest

from muscle_mem import Engine, InvalidTypeError, Missed, Reason, Secret
from muscle_mem._core.binding.tasks.key import normalize_arguments
from muscle_mem._core.tools.tool import signature_of
from muscle_mem._runtime.options import CallOptions
from param_cases import Call, Client, Letter, World, call, golden_keys, key_of
from paths import SUPPORT


@pytest.fixture
def world() -> World:
    return World()


def test_a1_the_same_task_hits_and_a_different_text_is_a_different_task(world: World) -> None:
    agent = lambda task: world.send(task)
    assert not world.run(agent, "pay the bill")
    assert world.run(agent, "pay the bill")
    for other in ("pay the bill ", "Pay the bill", "pay the bill.", "pay\u00a0the bill", "", "pay the bi\u0301ll"):
        assert world.run(agent, other).reason == Reason.NEW_TASK


def test_a1_texts_that_differ_where_no_param_stands_are_different_tasks(world: World) -> None:
    agent = lambda task: world.send(task)
    world.run(agent, "write to John today", params={"name": "John"})
    assert world.run(agent, "write to Jane today", params={"name": "Jane"})
    for text in ("write to Jane tomorrow", "Write to Jane today", "write to Janet today", "write to JANE today"):
        assert world.run(agent, text, params={"name": "Jane"}).reason == Reason.NEW_TASK


def test_a1_a_text_with_the_value_is_another_task_where_no_param_is_given(world: World) -> None:
    agent = lambda task: world.send(task)
    world.run(agent, "write to John", params={"name": "John"})
    assert world.run(agent, "write to John").reason == Reason.NEW_TASK
    assert world.run(agent, "write to John", params={"nom": "John"}).reason == Reason.NEW_TASK


@pytest.mark.parametrize(("first", "then"), [("John", "Jane"), ("a", "b"), (7, 12), (1234, 5), ("x.y", "\\1"), (-3, 4)])
def test_a1_values_are_masked_whole_and_as_tokens_also_small_ones_and_the_text_of_ints(first: Any, then: Any) -> None:
    agent = lambda task, more=None: None
    keys = [
        key_of(agent, call(f"do {x} now", [x, {"k": x}, Letter(x), (f"<{x}>", 3)]), params={"p": x})
        for x in (first, then)
    ]
    assert keys[0] == keys[1]
    assert keys[0] != key_of(agent, call(f"do {first} now", [then]), params={"p": first})


def test_a1_masked_values_that_order_a_dict_or_a_set_do_not_change_the_key() -> None:
    agent = lambda given: None
    for make in (
        lambda x: {x: 1, "M": 2},
        lambda x: {x, "M"},
        lambda x: frozenset({x, "M"}),
        lambda x: [{x: {x, "M"}}],
    ):
        assert key_of(agent, call(make("Anna")), params={"p": "Anna"}) == key_of(
            agent, call(make("Zoe")), params={"p": "Zoe"}
        )


def test_a1_a_container_that_is_a_param_is_masked_whole() -> None:
    agent = lambda order: None
    first, then = {"id": 1, "items": ["a"]}, {"id": 2, "items": []}
    assert key_of(agent, call(first), params={"order": first}) == key_of(agent, call(then), params={"order": then})
    assert key_of(agent, call(first), params={"order": then}) != key_of(agent, call(then), params={"order": then})


def test_a1_what_a_value_is_and_its_place_count() -> None:
    agent = lambda a, b=None: None
    calls = [call(1), call(True), call(1.0), call("1"), call(None), call([1]), call((1,)), call({1}), call(b"1")]
    calls += [call(1, 2), call(2, 1), call([1, 2]), call({"a": 1}), call(Letter(1)), call("[1]"), call(-0.0), call(0.0)]
    assert len({key_of(agent, one) for one in calls}) == len(calls)


def test_a1_a_text_cannot_pass_for_a_masked_one() -> None:
    agent = lambda task: None
    masked = {key_of(agent, call(text), params={"name": "John"}) for text in ("to John", "to {name}", "to name", "to ")}
    assert len(masked) == 4


def test_a1_the_order_in_which_a_dict_was_filled_is_no_part_of_a_task() -> None:
    agent = lambda given: None
    assert key_of(agent, call({"a": 1, "b": [{"c": 2, "d": 3}]})) == key_of(
        agent, call({"b": [{"d": 3, "c": 2}], "a": 1})
    )
    assert key_of(agent, call(["a", "b"])) != key_of(agent, call(["b", "a"]))


def test_a1_dict_order_is_no_part_either_beside_a_context_object(world: World) -> None:
    page = Client()
    agent = lambda given: world.send(given["n"])
    world.run(agent, {"page": page, "n": {"x": 1, "y": 2}, "to": "a"}, context=page, params={"who": "a"})
    assert world.run(
        agent, {"to": "b", "n": {"y": 2, "x": 1}, "page": page}, context=page, params={"who": "b"}
    ).reason != (Reason.NEW_TASK)


SPELLINGS: list[tuple[Callable[..., Any], list[Call]]] = [
    (lambda task, n=1: None, [call("t"), call("t", 1), call(task="t"), call("t", n=1), call(n=1, task="t")]),
    (lambda a=1, b=2, c=3: None, [call(1, 5), call(b=5), call(1, 5, 3), call(b=5, c=3), call(a=1, b=5)]),
    (lambda a=1, *rest, k=0: None, [call(1, 2), call(1, 2, k=0)]),
    (lambda a=1, b=2, /, c=3: None, [call(1, 5), call(1, 5, 3), call(1, 5, c=3)]),
    (lambda a, /, **kw: None, [call(1, a=2, b=3), call(1, b=3, a=2)]),
    (lambda *, a, b=None: None, [call(a=1), call(a=1, b=None), call(b=None, a=1)]),
    (lambda given=(): None, [call(), call(()), call(given=())]),
]


@pytest.mark.parametrize(("agent", "calls"), SPELLINGS)
def test_a1_one_call_has_one_key_however_it_is_spelled(agent: Callable[..., Any], calls: list[Call]) -> None:
    assert len({key_of(agent, one) for one in calls}) == 1


DISTINCT: list[tuple[Callable[..., Any], list[Call]]] = [
    (lambda task, n=1: None, [call("t"), call("t", 2), call("t", True), call("t", 1.0), call("t", "1")]),
    (lambda a=1, *rest: None, [call(), call(2), call(1, 2), call(2, 1), call(1, 1), call(1, 1, 1)]),
    (lambda a=1, b=2, /: None, [call(), call(5), call(1, 5), call(5, 5)]),
    (lambda a, /, **kw: None, [call(1), call(1, a=2), call(2, a=1)]),
    (lambda *args, **kwargs: None, [call(), call(1), call(1, 2), call((1, 2)), call(a=1), call(b=1), call(1, b=1)]),
    (lambda given=[]: None, [call(), call(()), call([1])]),
    (lambda a=None, b=None: None, [call(1), call(b=1), call(1, 1), call()]),
]


@pytest.mark.parametrize(("agent", "calls"), DISTINCT)
def test_a1_different_calls_have_different_keys(agent: Callable[..., Any], calls: list[Call]) -> None:
    assert len({key_of(agent, one) for one in calls}) == len(calls)


@pytest.mark.parametrize(
    "agent",
    [
        lambda a, b=2, *, c=3: None,
        lambda a, b, /: None,
        lambda a, /, b=1, *rest: None,
        lambda *rest, a=1: None,
        lambda a, *, b: None,
        lambda a=1, b=2: None,
        lambda **more: None,
    ],
)
def test_a1_arguments_that_fit_as_they_are_are_bound_as_any(agent: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    signature = signature_of(agent)
    given = [(), (1,), (1, 2), (2, 1), (1, 2, 3), (1, 2, 3, 4)]
    quickly = [normalize_arguments(signature, args, {}) for args in given]
    monkeypatch.setattr("muscle_mem._core.binding.tasks.key._is_normal_form", lambda *_: False)
    assert [normalize_arguments(signature, args, {}) for args in given] == quickly


def test_a1_a_task_that_is_remembered_has_the_key_that_it_had(world: World) -> None:
    agent = lambda task, n=0: world.send(f"{task}{n}")
    values: list[Any] = ["1", 1, True, 1.0, b"1", None, Secret("1"), {"a": 1}]
    given = [(("1", value), {}) for value in values]
    given += [(("1",), {"params": {name: value}}) for value in values for name in ("p", "q")]
    given += [(("1",), {"n": 1, "params": {}}), (("1",), {"n": 1}), (("1", "n"), {"params": {"1": 1}})]

    def missed(args: Any, named: Any) -> tuple[Any, Any]:
        with pytest.raises(Missed) as caught:
            engine(*args, mode="replay", **named)
        own = {name: value for name, value in named.items() if name != "params"}
        options = CallOptions(params=named.get("params"))
        return caught.value.outcome.reason, engine._runtime.open_run(args, own, options, "replay", True)[0].key

    engine = Engine().set_agent(agent)
    once = [missed(*one) for one in given]
    assert [missed(*one) for one in given] == once
    fresh = []
    for one in given:
        engine = Engine().set_agent(agent)
        fresh.append(missed(*one))
    assert fresh == once


def test_a1_params_that_are_no_mapping_are_refused_though_the_task_is_remembered(world: World) -> None:
    engine = Engine().set_agent(lambda task: None)
    for _ in range(2):
        engine("task")
        engine("task", params={})
        for wrong in ([], "", 0):
            with pytest.raises(InvalidTypeError, match="params="):
                engine("task", params=wrong)


def test_a1_bound_methods_and_builtins_are_agents_too(world: World) -> None:
    class Worker:
        def do(self, task: str, times: int = 1) -> None:
            world.send(task, n=times)

    assert not world.run(Worker().do, "sweep")
    assert world.run(Worker().do, task="sweep", times=1), "self is no part of the task, nor is the instance"
    assert signature_of(operator.itemgetter(0).__call__) is not None or True
    assert world.run(max, 3, 5).value == 5
    assert world.run(max, 3, 5).not_learned == Reason.NO_CALLS
    assert signature_of(max) is None
    assert len({key_of(max, one) for one in (call(3, 5), call(5, 3), call([3, 5]), call([3], default=0))}) == 4


def test_a1_arguments_that_do_not_fit_the_agent_raise_what_python_raises(world: World) -> None:
    with pytest.raises(TypeError, match="unexpected keyword"):
        world.run(lambda task: None, "x", other=1)
    assert world.run(lambda task: world.send(task), "x").learned


# A5: the same digest everywhere

GOLDEN = {
    "text": "c43d4fef92a6314da224503164585b34100c105e79e7c811d7ad2f6334291405",
    "params": "2cc2750d1313c40ac39516248f6460a5d478f59ec52b86ba3f9ae9f058d96e1c",
    "containers": "39a56e40996b5f3ca4178605731f5f65e811940a9bfbe664aa503c0b4e6b3db0",
    "classes": "d53dca8037ce7519fe69789e3a7c35b7a37e6691b9a2d9d3df604cefd914d994",
    "parts": "b903fac5782741ae47d068d7ec74f2909473106f57cc562002d48bfddc0550ec",
    "custom": "7bc668195e935b364cf3c3e002b7dbc8e42a42b53a2fb6546d27b2ef6e0fbfcc",
    "odd": "1f5c215a67e97edab40946fc65b5d345fe8f85d85594cf097681a1dfb73118d7",
}


def test_a5_keys_are_what_they_have_always_been() -> None:
    assert golden_keys() == GOLDEN


@pytest.mark.parametrize("seed", ["0", "4242"])
def test_a5_keys_are_the_same_in_another_process_with_another_hash_seed(seed: str) -> None:
    code = "import param_cases; print(*param_cases.golden_keys().values())"
    answer = subprocess.run(
        [sys.executable, "-c", code],
        cwd=SUPPORT,
        env={**os.environ, "PYTHONHASHSEED": seed},
        capture_output=True,
        text=True,
        check=True,
    )
    assert answer.stdout.split() == list(GOLDEN.values())
