"""C5: a call of an idempotent tool that failed and was made again is no failed write."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from typing import Any

import pytest

from muscle_mem import Engine, Outcome, Reason


class Flaky:
    """Tools of each effect that raise as often as the test says."""

    def __init__(self, effect: Any, **options: Any) -> None:
        self.engine, self.calls, self.failures = Engine(**options), [], 0

        @self.engine.tool(effect=effect)
        def put(name: str, value: Any = None, **more: Any) -> str:
            self.calls.append((name, value, *more.items()))
            if self.failures:
                self.failures -= 1
                raise ConnectionError("reset by peer")
            return f"put {name}"

        @self.engine.tool(effect="read")
        def look() -> str:
            return "seen"

        self.put, self.look = put, look

    def run(self, agent: Callable[..., Any], failures: int = 0, **options: Any) -> Outcome:
        self.calls, self.failures = [], failures
        self.engine.set_agent(agent)
        return self.engine("the task", **options)


def attempt(put: Callable[..., Any], *args: Any, **kwargs: Any) -> None:
    for _ in range(4):
        try:
            put(*args, **kwargs)
        except ConnectionError:
            continue
        return


@pytest.mark.parametrize("failures", [1, 2, 3])
@pytest.mark.parametrize(
    ("args", "kwargs"),
    [
        (("a", 1), {}),
        (("a",), {"value": {"deep": [1, 2]}}),
        (("a", OrderedDict(x=1)), {"extra": None}),
        (("a", float("nan")), {}),
    ],
)
def test_c5_an_idempotent_call_that_was_made_again_leaves_one_step(failures: int, args: Any, kwargs: Any) -> None:
    flaky = Flaky("idempotent")
    outcome = flaky.run(lambda task: attempt(flaky.put, *args, **kwargs), failures)
    assert len(flaky.calls) == failures + 1
    assert outcome.learned, outcome.not_learned_message
    assert flaky.run(lambda task: None)
    assert len(flaky.calls) == 1


@pytest.mark.parametrize("effect", ["write", "irreversible", None])
def test_c5_another_effect_stays_a_failed_write(effect: Any) -> None:
    flaky = Flaky(effect)
    outcome = flaky.run(lambda task: attempt(flaky.put, "a"), 1)
    assert outcome.not_learned is Reason.FAILED_WRITE
    assert not flaky.run(lambda task: flaky.look())


@pytest.mark.parametrize(
    "after",
    [
        lambda flaky: None,
        lambda flaky: flaky.look(),
        lambda flaky: flaky.put("b"),
        lambda flaky: flaky.put("a", 2),
        lambda flaky: flaky.put("a", 1.0),
        lambda flaky: flaky.put("a", True),
        lambda flaky: flaky.put("a", 1, more=1),
    ],
)
def test_c5_a_failed_call_that_was_not_made_again_is_a_failed_write(after: Callable[[Flaky], Any]) -> None:
    flaky = Flaky("idempotent")

    def agent(task: str) -> None:
        try:
            flaky.put("a", 1)
        except ConnectionError:
            after(flaky)
        flaky.look()

    assert flaky.run(agent, 1).not_learned is Reason.FAILED_WRITE


def test_c5_an_earlier_call_does_not_stand_for_the_failed_one() -> None:
    flaky = Flaky("idempotent")

    def agent(task: str) -> None:
        flaky.put("a")
        flaky.failures = 1
        with pytest.raises(ConnectionError):
            flaky.put("a")

    assert flaky.run(agent).not_learned is Reason.FAILED_WRITE


def test_c5_a_failed_call_with_a_param_and_with_an_output() -> None:
    flaky = Flaky("idempotent")

    def agent(task: str, who: str) -> None:
        seen = {"text": flaky.look()}
        attempt(flaky.put, who, [who, seen])

    flaky.calls, flaky.failures = [], 1
    flaky.engine.set_agent(agent)
    assert flaky.engine("greet", "Ann Lee", params={"who": "Ann Lee"}).learned
    flaky.calls = []
    assert flaky.engine("greet", "Bob Ray", params={"who": "Bob Ray"})
    assert flaky.calls == [("Bob Ray", ["Bob Ray", {"text": "seen"}])]


def test_c5_an_argument_that_cannot_be_compared_is_a_failed_write() -> None:
    flaky = Flaky("idempotent")
    thing = object()
    outcome = flaky.run(lambda task: (attempt(flaky.put, "a", thing), flaky.look()), 1)
    assert not outcome.learned
    assert not flaky.run(lambda task: flaky.look())
