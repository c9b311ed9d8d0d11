"""A replay that comes to a step earlier than the recording did says so, if its check waits less."""

from __future__ import annotations

import re
import time
from types import SimpleNamespace
from typing import Any

import pytest

from muscle_mem import Check, Engine, Outcome, Reason
from muscle_mem._core.plan.step import Refusal
from muscle_mem._core.replay.divergence import with_pause

PAUSE = 0.25  # seconds that the agent takes between its two calls


def stopped(wait: float = 0.0, *, raises: bool = False) -> Outcome:
    engine = Engine()
    shown = ["ready"]

    def look() -> str:
        if raises and shown[0] != "ready":
            raise LookupError("nothing is shown")
        return shown[0]

    first = engine.tool(name="first")(lambda: None)
    second = engine.tool(name="second", pre_check=Check(look, wait=wait, every=0.01))(lambda: None)

    def agent(task: str, handover: Any = None) -> None:
        if handover is None:
            first()
            time.sleep(PAUSE)
            second()

    engine.set_agent(agent)
    assert engine("task").learned
    shown[0] = "loading"
    outcome = engine("task")
    assert outcome.status == "diverged"
    return outcome


@pytest.mark.parametrize("raises", [False, True])
def test_the_message_names_the_pause_before_a_step_that_came_too_early(raises: bool) -> None:
    outcome = stopped(raises=raises)
    told = r"The recording paused \d+\.\d s before this step, and the check does not wait. If it .* raise wait=.$"
    assert re.search(told, outcome.message)
    assert outcome.divergence is not None
    assert outcome.divergence.message == outcome.message


def test_it_says_how_long_the_check_waits() -> None:
    assert "and the check waits 0.05 s." in stopped(wait=0.05).message


@pytest.mark.parametrize(
    ("pause", "wait", "is_named"), [(0.5, 0.0, True), (0.5, 0.4, True), (0.5, 0.5, False), (0.1, 0.0, False)]
)
def test_a_check_that_waits_as_long_was_not_too_early(pause: float, wait: float, is_named: bool) -> None:
    refusal = Refusal(Reason.CHECK_REFUSED, "no", 1, "second")
    steps = [SimpleNamespace(pre=None), SimpleNamespace(pre=SimpleNamespace(wait=wait))]
    followed: Any = SimpleNamespace(row=SimpleNamespace(pauses=(0.0, pause)), trajectory=SimpleNamespace(steps=steps))
    assert ("paused" in with_pause(refusal, followed).message) is is_named
