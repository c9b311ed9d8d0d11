"""A replay that comes to a step earlier than the recording did says so, if its check waits less."""

from __future__ import annotations

import time
from typing import Any

import pytest

from muscle_mem import Check, Engine, Outcome

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
    assert "The recording paused 0." in outcome.message
    assert outcome.message.endswith("s before this step, and the check does not wait. If it is too early, raise wait=.")
    assert outcome.divergence is not None
    assert outcome.divergence.message == outcome.message


def test_it_says_how_long_the_check_waits() -> None:
    assert "and the check waits 0.05 s." in stopped(wait=0.05).message


def test_a_check_that_waited_as_long_was_not_too_early() -> None:
    assert "paused" not in stopped(wait=1.0).message
