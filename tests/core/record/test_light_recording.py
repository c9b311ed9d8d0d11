"""A recorded call made at once and one that is asked for come out the same; what is remembered of them is little."""

from __future__ import annotations

import gc
import itertools
import re
import time
import tracemalloc
from collections.abc import Callable
from typing import Any

import pytest

from flow_by_hand import a_run, answer
from muscle_mem import Check, Engine, Secret
from muscle_mem._core.plan import ready_trajectory as plan
from muscle_mem._core.record.call import record_flow, record_sync
from muscle_mem._core.record.seal import make_recording
from muscle_mem._core.run.effects import Capture, Compare, Effect, Invoke
from muscle_mem._core.run.run import Run
from muscle_mem._core.tools.tool import Tool, ToolSpec


class Stopped(BaseException):
    """As KeyboardInterrupt."""


def performed(effect: Effect) -> Any:
    if isinstance(effect, Capture):
        return effect.check.capture(*effect.args, **effect.kwargs)
    if isinstance(effect, Compare):
        return effect.check.compare(effect.current, effect.candidate)
    assert isinstance(effect, Invoke)
    return effect.tool.fn(*effect.args, **effect.kwargs)


def asked_for(run: Run, tool: Tool, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    done = answer(record_flow(run, tool, args, kwargs), performed, [])
    if done.error is not None:
        raise done.error
    return done.result


def at_once(run: Run, tool: Tool, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    return record_sync(run, run.recorder, tool, args, kwargs, lambda flow: answer(flow, performed, []))


def raising(error: BaseException) -> Callable[..., Any]:
    def fails(*args: Any, **kwargs: Any) -> Any:
        raise error

    return fails


def same(current: Any, candidate: Any) -> bool:
    return bool(current == candidate)


def step(a: Any = None, b: Any = None) -> Any:
    return a


def changing(items: list[Any]) -> list[Any]:
    items.append("later")
    return items


FUNCTIONS: dict[str, Callable[..., Any]] = {
    "returns": step,
    "changes": changing,
    "raises": raising(ValueError("no")),
    "stops": raising(Stopped("now")),
    "ends": raising(StopIteration(3)),
    "goes on": lambda *args: (n for n in args),
    "opaque": lambda *args: object,
}
CAPTURES: dict[str, Callable[..., Any]] = {
    "text": lambda *args, **kwargs: "page",
    "long": lambda *args, **kwargs: "p" * 600,
    "none": lambda *args, **kwargs: None,
    "number": lambda *args, **kwargs: 2**70,
    "float": lambda *args, **kwargs: float("nan"),
    "dict": lambda *args, **kwargs: {"a": [1, 2]},
    "opaque": lambda *args, **kwargs: object(),
    "raises": raising(OSError("gone")),
    "stops": raising(Stopped("now")),
}
CALLS: list[tuple[tuple[Any, ...], dict[str, Any]]] = [
    ((1,), {}),
    (("text", None), {}),
    ((2**70, b"bytes"), {}),
    (([1, ["two"]],), {}),
    (("one",), {"b": 2.5}),
    ((object(),), {}),
    ((Secret("hunter22"),), {}),
    ((1, 2, 3), {}),
]


def all_of(call: Callable[..., Any], tool: Tool) -> list[Any]:
    """Everything that can be known of a run in which the tool was called in all ways, each twice."""
    run = a_run(is_sync=True)
    told: list[Any] = []
    for args, kwargs in CALLS:
        for _ in range(2):
            given = tuple(list(value) if isinstance(value, list) else value for value in args)
            try:
                result = call(run, tool, given, dict(kwargs))
                told.append(type(result))
            except BaseException as error:
                told.append(repr(error))
    recorder = run.recorder
    told += [recorder.problems, recorder.quarantine, recorder.has_open_calls(), len(recorder.events)]
    for made in recorder.steps:
        told.append((made.is_dropped, made.pre, made.post, made.note, made.seconds, made.wall_seconds))
    if not recorder.problems:
        run.key = b"k" * 32
        recording = make_recording(run, value=None, run_seconds=100.0)
        told += [recording.body, recording.row]
    return told


@pytest.mark.parametrize("post", [None, "dict", "stops"])
@pytest.mark.parametrize("pre", [None, *CAPTURES])
def test_a_call_made_at_once_is_recorded_as_one_that_is_asked_for(pre: str | None, post: str | None) -> None:
    for name, function in FUNCTIONS.items():
        found = []
        for call in (asked_for, at_once):
            checks = [Check(CAPTURES[one], same, version=1) if one else None for one in (pre, post)]
            tool = Tool(function, ToolSpec(name=name, fingerprint="f", pre=checks[0], post=checks[1], effect="write"))
            found.append(all_of(call, tool))
        asked, made = (re.sub(r"0x[0-9a-f]+", "0x", repr(told)) for told in found)
        assert asked == made, name


def test_what_is_declared_secret_later_is_frozen_from_then_on() -> None:
    tool = Tool(step, ToolSpec(name="step"))
    run = a_run(is_sync=True)
    at_once(run, tool, ("clear",), {})
    tool.secret = frozenset({"a"})
    at_once(run, tool, ("hidden away",), {})
    first, second = run.recorder.steps
    assert list(first.arguments) == [("a", "clear")]
    assert "hidden away" not in repr(second.arguments)
    assert run.redactor.redact("it was hidden away") == "it was ***"


def an_engine(**options: Any) -> tuple[Engine, dict[str, Any]]:
    seen: dict[str, Any] = {"page": "page"}
    engine = Engine(approve=lambda **asked: True)
    look = Check(lambda *args, **kwargs: seen["page"], same)
    press = engine.tool(look, **options)(step)
    engine.set_agent(lambda task: [press(f"{task} and {n}", n) for n in range(4)] and None)
    return engine, seen


@pytest.mark.parametrize(
    "options",
    [{}, {"effect": "irreversible"}, {"optional": True}, {"post_check": Check(lambda *args: "after", same)}],
)
def test_no_hit_decodes_what_was_recorded(options: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    engine, seen = an_engine(**options)
    for page in ("page", "other page"):  # two observations
        seen["page"] = page
        assert engine("plain", mode="record").learned
        assert engine("with a param", params={"who": "with a param"}, mode="record").learned
    assert engine("alone").learned
    decoded: list[Any] = []
    read = plan.decode_body
    monkeypatch.setattr(plan, "decode_body", lambda data: decoded.append(data) or read(data))
    for page in ("page", "other page"):
        seen["page"] = page
        assert engine("plain")
        assert engine("with a param", params={"who": "with a param"})
    assert engine("alone")
    assert decoded == []
    text = str(engine.explain("alone"))
    assert "alone and 3" in text
    assert decoded


def test_a_hand_over_tells_the_steps_that_were_not_run() -> None:
    seen = {"page": "page", "left": 9}
    engine = Engine()

    def look(*args: Any) -> str:
        seen["left"] -= 1
        return "page" if seen["left"] > 0 else "another"

    press = engine.tool(Check(look, same))(step)
    told: list[Any] = []

    def agent(task: str, handover: Any = None) -> None:
        told.append(handover)
        for n in range(4):
            press(f"text {n}", n)

    engine.set_agent(agent)
    assert engine("task").learned
    seen["left"] = 3
    assert engine("task").status == "diverged"
    assert [str(planned) for planned in told[-1].remaining] == ["step(a='text 2', b=2)", "step(a='text 3', b=3)"]


def test_a_remembered_step_weighs_less_than_two_thirds_of_a_kilobyte(monkeypatch: pytest.MonkeyPatch) -> None:
    ticks = itertools.count()  # The stored times of a busy machine are larger numbers, and weigh more.
    monkeypatch.setattr(time, "perf_counter", lambda: next(ticks) / 2**17)
    engine = Engine(history="off")  # The history of runs is another matter.
    press = engine.tool(Check(lambda n: "page", same), effect="read")(step)  # no figure of an output matters (E10)
    engine.set_agent(lambda task: [press(n) for n in range(100)] and None)
    assert engine("warm up").learned
    assert engine("warm up")
    gc.collect()
    tracemalloc.start()
    try:
        for number in range(5):
            assert engine(f"task {number}").learned
            assert engine(f"task {number}")
        gc.collect()
        assert tracemalloc.get_traced_memory()[0] / (5 * 100) < 1024 * 2 / 3
    finally:
        tracemalloc.stop()
    engine.close()
