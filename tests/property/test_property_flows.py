"""Whatever is inferred from several recordings, a run writes what the agent alone would write, and nothing twice.

Agents of many kinds act in worlds with other ids, orders and lengths in each run. Their effects are declared or not,
they go on after a hand-over or start again, and between runs engines are replaced, recordings forgotten and modes
changed.
"""

from __future__ import annotations

import random
from collections import Counter

import pytest

import flow_trials
from flow_findings import by_chance
from flow_programs import Program, programs
from flow_trials import Call, Ran, Trial, written
from muscle_mem._core.replay import prepare
from muscle_mem.store import MemoryStore
from random_stories import cases

CASES = cases(240)
CHUNKS = 8
RUNS = 6
MODES = (None,) * 12 + ("record", "shadow", "frozen")


def unlike(ran: Ran, recorded: list[list[Call]]) -> list[Call]:
    """The replayed calls that neither the agent would have made there nor a recording holds there."""

    def known(at: int) -> list[tuple[str, str]]:
        return [written(calls[at]) for calls in (*recorded, ran.alone) if at < len(calls)]

    return [call for at, call in enumerate(ran.replayed) if written(call) not in known(at)]


def tell(program: Program, counts: Counter[str]) -> None:
    rng = random.Random(program.seed)
    options = {"declared": rng.random() < 0.6, "handover": rng.random() < 0.5}
    store = MemoryStore()
    trial = Trial(program, store=store, **options)
    kept: dict[str | None, list[Call]] = {}
    recorded: list[list[Call]] = []
    for turn in range(RUNS):
        ran = trial.run(turn, mode=rng.choice(MODES))
        outcome = ran.outcome
        counts[outcome.status] += 1
        counts["replayed"] += len(ran.replayed)
        wrong = {
            "wrong, or made twice": ran.unwanted(program),
            "not made": ran.lacking(program),
            "neither recorded nor the agent's": unlike(ran, recorded),
        }
        if any(wrong.values()) and by_chance(list(kept.values())):
            counts["by chance"] += 1
            break
        assert not any(wrong.values()), f"run {turn} of {program!r}, {options}: {outcome.message}: {wrong}"
        if not outcome:
            kept[outcome.trajectory_id] = ran.alone
            recorded.append(ran.alone)
        if rng.random() < 0.1 and outcome.trajectory_id is not None:
            trial.engine.forget(outcome.trajectory_id)
            kept.pop(outcome.trajectory_id, None)
        if rng.random() < 0.1:
            trial.close()
            trial = Trial(program, store=store, **options)
    trial.close()


@pytest.mark.parametrize("chunk", range(CHUNKS))
def test_l1_a_run_writes_what_the_agent_alone_would_write(chunk: int) -> None:
    counts: Counter[str] = Counter()
    for program in list(programs(CASES, seed=17))[chunk::CHUNKS]:
        tell(program, counts)
    print(dict(counts))
    assert counts["replayed"] > 10
    assert counts["by chance"] <= CASES // 100


def test_the_proof_sees_when_outputs_are_not_compared(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(prepare, "stale_value", lambda *given: None)
    seen = [program.family for program in programs(20, seed=17) if is_wrong(program)]
    assert len(seen) > 5


def is_wrong(program: Program) -> bool:
    try:
        tell(program, Counter())
    except AssertionError:
        return True
    return False


def test_the_families_make_the_same_programs_and_worlds_again() -> None:
    assert set(flow_trials.flow_families.__dict__) & {"create_then_use", "twins"}
    for one, two in zip(programs(60, seed=5), programs(60, seed=5), strict=True):
        assert repr(one) == repr(two)
        first, second = (Trial(program, declared=True, handover=False) for program in (one, two))
        assert first.alone(1) == second.alone(1)
        assert first.alone(1) != first.alone(2), f"{one!r} does the same in each run"
