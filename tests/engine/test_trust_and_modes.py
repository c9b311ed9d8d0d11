"""Outcome verification, levels of trust, the breaker, and the modes frozen and shadow."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from muscle_mem import Check, Engine, InvalidValueError, Reason


class Shop:
    """An agent that looks something up and buys; the world says whether that solved the task."""

    def __init__(self, store: Any = None, **options: Any) -> None:
        self.engine = Engine(store, **options)
        self.log: list[Any] = []
        self.runs = 0
        self.broken = False
        self.plan = ["look", "buy"]
        self.state = 0
        engine = self.engine
        self.tools = {
            "look": engine.tool(name="look", effect="read")(lambda what: len(what)),
            "see": engine.tool(name="see", effect="read")(lambda what: "seen"),
            "buy": engine.tool(name="buy", pre_check=Check(lambda what: self.state))(self.buy),
        }
        engine.set_agent(self.agent)

    def buy(self, what: str) -> None:
        if self.broken:
            raise ConnectionError("down")
        self.log.append(what)

    def agent(self, task: str) -> str:
        self.runs += 1
        for name in self.plan:
            self.tools[name](task)
        return "bought"

    def state_of(self, task: str = "milk") -> tuple[str, str]:
        one = self.engine.explain(task).considered[0]
        standing = self.engine._runtime.library.store.get(one.trajectory_id).standing
        return standing.state, standing.reason


@pytest.fixture(params=["memory", "sqlite"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Any:
    return None if request.param == "memory" else tmp_path / "shop.db"


def test_a_run_that_the_success_callback_refuses_is_not_learned(store: Any) -> None:
    shop = Shop(store, success=lambda task, params, steps, value: len(steps) == 3)
    assert shop.engine("milk").not_learned is Reason.REFUSED
    assert not shop.engine("milk")
    shop.engine.close()


def test_a_replay_that_did_not_solve_the_task_is_a_divergence_and_counts_against_it() -> None:
    shop = Shop()
    shop.engine("milk")
    seen: list[Any] = []

    def success(task: str, steps: list[Any], value: Any) -> bool:
        seen.append(([step.tool for step in steps], value))
        return len(seen) > 1  # the replay is refused, what the agent makes of it accepted

    outcome = shop.engine("milk", success=success)
    assert (outcome.status, outcome.reason, outcome.value) == ("diverged", Reason.UNSUCCESSFUL, "bought")
    assert seen[0][0] == ["look", "buy"]
    assert shop.log == ["milk", "milk"]  # absorbed: the restarted agent bought nothing twice
    shop.engine("milk", success=lambda value: False)
    outcome = shop.engine("milk")
    assert outcome.reason is Reason.QUARANTINED  # two in a row, by a verdict: only a verdict lifts it
    assert not shop.engine("milk")
    assert not shop.engine("milk")


def test_a_success_callback_that_raises_is_no_yes() -> None:
    shop = Shop()
    outcome = shop.engine("milk", success=lambda value: 1 / 0)
    assert outcome.not_learned is Reason.REFUSED
    assert "ZeroDivisionError" in outcome.not_learned_message


def test_under_trust_verified_nothing_unverified_is_replayed(store: Any) -> None:
    shop = Shop(store, trust="verified")
    shop.engine("milk")
    outcome = shop.engine("milk")
    assert (outcome.status, outcome.reason) == ("miss", Reason.NOT_APPROVED)
    assert "positive verdict" in outcome.message
    assert shop.state_of() == ("trusted", "recorded twice in a row")
    assert not shop.engine("milk")  # recorded twice is no verdict
    shop.engine("milk", success=lambda value: value == "bought")
    assert shop.engine("milk")
    shop.engine.close()


def test_under_trust_manual_only_a_person_s_word_counts(store: Any) -> None:
    shop = Shop(store, trust="manual", success=lambda value: True)
    learned = shop.engine("milk")
    assert shop.engine("milk").reason is Reason.NOT_APPROVED
    shop.engine.report_good(learned.trajectory_id or "", "looked at it")
    assert shop.engine("milk")
    assert shop.state_of() == ("trusted", "reported good: looked at it")
    shop.engine("milk", mode="record")
    assert shop.state_of()[1].startswith("reported good")  # a verdict is no step back
    shop.engine.close()


def test_a_tool_may_ask_for_more_than_the_engine() -> None:
    engine = Engine()
    wire = engine.tool(name="wire", trust="manual", effect="irreversible", pre_check=Check(lambda: 1))(lambda: None)
    engine.set_agent(lambda task: wire())
    learned = engine("t")
    assert engine("t").reason is Reason.NOT_APPROVED
    learned.report_good()
    assert engine("t")
    learned.report_bad("wrong account")
    assert engine("t").reason is Reason.QUARANTINED


def test_a_hit_that_the_success_callback_accepted_is_a_positive_verdict() -> None:
    shop = Shop()
    shop.engine("milk")
    assert shop.state_of() == ("fresh", "")
    assert shop.engine("milk", success=lambda value: True)
    assert shop.state_of() == ("trusted", "success callback accepted it")


def test_explain_shows_state_and_evidence() -> None:
    shop = Shop(trust="verified")
    shop.engine("milk")
    text = str(shop.engine.explain("milk"))
    assert "not_approved" in text
    assert "none beyond the recording" in text
    shop.engine("milk")
    assert "trusted: recorded twice" in str(shop.engine.explain("milk"))


def test_a_printed_explanation_tells_the_steps_that_would_be_replayed() -> None:
    shop = Shop()
    shop.engine("milk")
    explanation = shop.engine.explain("milk")
    told = str(explanation).splitlines()
    assert "steps, 0 hits)" in told[1]
    steps = [line for line in told[2:] if "provenance: " not in line]
    assert steps == [f"  step {at}: {step}" for at, step in enumerate(explanation.plan)]
    assert told[-1] == "    provenance: what: task"
    assert len(explanation.plan) > 1
    shop.engine("milk")
    assert "steps, 1 hit)" in str(shop.engine.explain("milk"))


def test_the_breaker_pauses_a_tool_that_keeps_failing_until_a_good_agent_run() -> None:
    shop = Shop(on_divergence="raise")
    tasks = [f"task {n}" for n in range(12)]
    for task in tasks:
        shop.engine(task)
    shop.broken = True
    for task in tasks[:11]:
        with pytest.raises(RuntimeError):
            shop.engine(task)
    shop.broken = False
    outcome = shop.engine(tasks[11])
    assert (outcome.status, outcome.reason) == ("miss", Reason.QUARANTINED)
    assert "paused" in outcome.message
    assert "buy" in outcome.message
    assert shop.engine(tasks[11])  # the agent's good run has closed the breaker


def test_a_few_failures_among_many_good_calls_pause_nothing() -> None:
    shop = Shop(on_divergence="raise")
    for n in range(6):
        shop.engine(f"task {n}")
    shop.broken = True
    for n in range(5):
        with pytest.raises(RuntimeError):
            shop.engine(f"task {n}")
    shop.broken = False
    for _ in range(30):
        assert shop.engine("task 5")


def test_frozen_replays_or_asks_and_learns_and_counts_nothing(store: Any) -> None:
    shop = Shop(store)
    outcome = shop.engine("milk", mode="frozen")
    assert (outcome.status, outcome.not_learned) == ("miss", Reason.MODE)
    shop.engine("milk")
    before = shop.engine.cache_info()
    kept = shop.engine._runtime.library.store.scan()
    assert shop.engine("milk", mode="frozen")
    shop.broken = True
    with pytest.raises(ConnectionError):
        shop.engine("milk", mode="frozen")
    assert shop.engine.cache_info()[:5] == before[:5]
    shop.engine._runtime.library.flush()
    assert shop.engine._runtime.library.store.scan() == kept
    shop.engine.close()


def test_shadow_compares_and_counts_and_executes_nothing_twice(store: Any) -> None:
    shop = Shop(store)
    shop.engine("milk", mode="shadow")
    outcome = shop.engine("milk", mode="shadow")
    assert (outcome.status, outcome.reason) == ("miss", Reason.MODE)
    assert outcome.shadow is not None
    assert (outcome.shadow.agreed, outcome.shadow.accepted, outcome.shadow.refused) == (True, 1, 0)
    assert shop.log == ["milk", "milk"]
    shop.plan = ["look", "buy", "buy"]
    outcome = shop.engine("milk", mode="shadow")
    assert outcome.shadow is not None
    assert (outcome.shadow.agreed, outcome.shadow.step) == (False, 2)
    standing = shop.engine._runtime.library.store.get(outcome.shadow.trajectory_id).standing
    assert (standing.agreed, standing.disagreed) == (1, 1)
    shop.engine.close()


def test_in_shadow_reads_may_come_in_another_order() -> None:
    shop = Shop()
    shop.plan = ["look", "see", "buy"]
    shop.engine("milk")
    shop.plan = ["see", "look", "buy"]
    outcome = shop.engine("milk", mode="shadow")
    assert outcome.shadow is not None
    assert outcome.shadow.agreed
    shop.plan = ["look", "buy"]
    outcome = shop.engine("milk", mode="shadow")
    assert outcome.shadow is not None


def test_in_shadow_a_check_that_would_have_stopped_the_replay_is_told() -> None:
    shop = Shop()
    shop.engine("milk")
    shop.state = 1
    outcome = shop.engine("milk", mode="shadow")
    assert outcome.shadow is not None
    assert (outcome.shadow.agreed, outcome.shadow.refused) == (False, 1)
    assert "check" in outcome.shadow.message


def test_the_levels_of_trust_are_a_closed_list() -> None:
    with pytest.raises(InvalidValueError, match="first, verified, manual"):
        Engine(trust="blind")
