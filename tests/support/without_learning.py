"""What an engine that infers nothing from several recordings does with programs: written down once.

`python tests/support/without_learning.py` writes the file again, which is right only after a change that is meant to
change these runs.
"""

from __future__ import annotations

import inspect
import json
from typing import Any

from flow_programs import FAMILIES, Program
from flow_trials import Trial
from muscle_mem import Engine
from paths import GOLDEN

PATH = GOLDEN / "without_learning.json"
RUNS = 5
SEEDS = (0, 1, 2)


def switched_off() -> dict[str, Any]:
    """The options of an engine that infers nothing; none as long as no engine infers anything."""
    return {"learn_flows": False} if "learn_flows" in inspect.signature(Engine).parameters else {}


def story(family: str, seed: int) -> list[str]:
    """Each run of a program: how it ended and why, the steps that were replayed, and whether it was learned."""
    program = Program(family, seed)
    trial = Trial(program, declared=seed % 2 == 0, handover=seed == 2, **switched_off())
    lines = []
    for turn in range(RUNS):
        ran = trial.run(turn)
        outcome = ran.outcome
        learned = "learned" if outcome.learned else f"not learned ({outcome.not_learned})"
        calls = f"{len(ran.replayed)} calls replayed, {len(ran.asked)} made"
        lines.append(f"{outcome.status}, {outcome.reason}: {calls}, {learned}")
    trial.close()
    return lines


def stories() -> dict[str, list[str]]:
    """The stories of all families."""
    return {f"{family} {seed}": story(family, seed) for family in sorted(FAMILIES) for seed in SEEDS}


if __name__ == "__main__":
    PATH.write_text(json.dumps(stories(), indent=1) + "\n", encoding="utf-8")
