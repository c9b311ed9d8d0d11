"""An outcome can be sent to another process or copied; nothing secret goes along."""

from __future__ import annotations

import copy
import pickle
from typing import Any

import pytest

from muscle_mem import Check, Engine, NotReadyError, Secret


def outcomes(engine: Engine) -> list[Any]:
    """A miss, a hit and a divergence."""
    door = ["closed"]

    @engine.tool(secret=["password"])
    def login(password: str) -> dict[str, str]:
        return {"door": door[0]}

    @engine.tool(pre_check=Check(lambda: door[0]))
    def leave() -> None:
        pass

    def agent(task: str, password: Secret) -> Any:
        seen = login(password.value)
        leave()
        return seen

    engine.set_agent(agent)
    found = [engine("task", password=Secret("correct horse")) for _ in range(2)]
    door[0] = "open correct horse"
    return [*found, engine("task", password=Secret("correct horse"))]


def test_outcomes_come_back_from_a_pickle() -> None:
    for outcome in outcomes(Engine()):
        data = pickle.dumps(outcome)
        again = pickle.loads(data)
        assert (bool(again), repr(again), again.value) == (bool(outcome), repr(outcome), outcome.value)
        assert str(again.divergence) == str(outcome.divergence)


def test_no_secret_is_in_a_pickle_of_an_outcome_with_a_value_of_none() -> None:
    for outcome in outcomes(Engine()):
        outcome.value = None
        assert b"correct horse" not in pickle.dumps(outcome)


def test_a_pickled_outcome_says_how_to_judge_it() -> None:
    engine = Engine()
    hit = pickle.loads(pickle.dumps(outcomes(engine)[1]))
    with pytest.raises(NotReadyError, match=f"engine.report_bad\\('{hit.trajectory_id}'\\)"):
        hit.report_bad()
    engine.report_bad(hit.trajectory_id)


def test_a_copy_knows_its_engine() -> None:
    for copied in (copy.copy, copy.deepcopy):
        engine = Engine()
        tool = engine.tool(effect="read", name="tool")(lambda: [1])
        engine.set_agent(lambda task, tool=tool: tool())
        engine("task")
        copied(engine("task")).report_bad("no good")
        assert engine("task", mode="frozen").reason == "quarantined"
