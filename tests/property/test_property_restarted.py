"""No run of a random restarted agent does more than the agent alone and one replay, nor teaches more than it did."""

from __future__ import annotations

import os
import random
import zlib
from collections import Counter
from typing import Any

import pytest

from muscle_mem import Check, Diverged, Engine
from muscle_mem.store import MemoryStore

CASES = int(os.environ.get("MUSCLE_MEM_CASES", "1000"))
CHUNKS = 4
RUNS = 7
EFFECTS = (None, None, "read", "idempotent", "write", "irreversible")


class Case:
    """A random program over random tools, and a world that changes from run to run; everything follows from the seed.

    A statement is [tool, argument]. An argument is fixed, a word that is another in each run, one of a few words, an
    earlier result, or made of one. Polls ask until the world is ready.
    """

    def __init__(self, seed: int) -> None:
        rng = self.rng = random.Random(seed)
        self.world = {"state": 0, "needed": 1, "polls": 0, "made": 0}
        self.entered: Counter[str] = Counter()
        self.calls: list[tuple[str, str]] = []
        self.words = 0
        self.requests = 0
        self.policy = rng.choice(("auto", "auto", "auto", "absorb", "continue"))
        self.store = MemoryStore()
        self.engine = Engine(
            self.store, observers=[], on_divergence=self.policy, generalize=rng.choice(("computed", "at_once"))
        )
        self.effects = {f"t{number}": rng.choice(EFFECTS) for number in range(rng.randint(2, 4))}
        self.tools = {name: self._tool(name, effect) for name, effect in self.effects.items()}
        self.polls = rng.random() < 0.3
        if self.polls:
            self.effects["poll"] = rng.choice(("read", None, "idempotent"))
            self.tools["poll"] = self._poll(self.effects["poll"])
        self.program = [self._statement(at) for at in range(rng.randint(2, 7))]
        self.engine.set_agent(self.agent)

    def _tool(self, name: str, effect: Any) -> Any:
        rng, world = self.rng, self.world
        kind = rng.choice(("", "", "state", "ready", "made"))
        if effect == "irreversible":
            kind = kind or "state"
        captures = {
            "state": lambda text: world["state"],
            "ready": lambda text: world["polls"] >= world["needed"],
            "made": lambda text: world["made"],
        }
        check = Check(captures[kind], version=f"{name} {kind}") if kind else None
        fails = rng.random() < 0.1

        def do(text: str) -> dict[str, str]:
            self.entered[name] += 1
            self.calls.append((name, text))
            if effect != "read":
                world["made"] += 1
            if fails and world["state"] == 2:
                raise OSError(f"{name} is down")
            fixed = name == "t0"  # others answer with another id each time
            return {"id": f"{name}-{'fixed' if fixed else 1000 + world['made']}"}

        return self.engine.tool(check, name=name, effect=effect)(do)

    def _poll(self, effect: Any) -> Any:
        def poll() -> str:
            self.entered["poll"] += 1
            self.calls.append(("poll", ""))
            self.world["polls"] += 1
            return "ready" if self.world["polls"] >= self.world["needed"] else "at work"

        return self.engine.tool(name="poll", effect=effect)(poll)

    def _statement(self, at: int) -> tuple[str, str, int]:
        rng = self.rng
        name = rng.choice(list(self.tools))
        kinds = ("fixed", "fixed", "word", "rare", *(("heard", "made of") if at else ()))
        return name, rng.choice(kinds), rng.randrange(max(at, 1))

    def agent(self, task: str) -> None:
        heard: list[str] = []
        self.requests = 0
        for at, (name, kind, source) in enumerate(self.program):
            if name == "poll":
                for _ in range(9):
                    self.requests += 1
                    if self.tools["poll"]() == "ready":
                        break
                heard.append("ready")
                continue
            self.words += 1
            text = {
                "fixed": f"text {at % 3}",
                "word": f"no. {self.words}",
                "rare": f"choice {zlib.crc32(str(self.words).encode()) % 2}",
                "heard": heard[source] if heard else "",
                "made of": f"for {heard[source] if heard else ''}!",
            }[kind]
            for _ in range(2):
                self.requests += 1
                try:
                    heard.append(self.tools[name](text)["id"])
                    break
                except OSError:
                    continue
            else:
                heard.append("")

    def alone(self) -> Counter[str]:
        """What the agent would enter without an engine, in a copy of this world."""
        kept = dict(self.world), self.words, Counter(self.entered), list(self.calls)
        self.entered.clear()
        self.agent("task")
        found = Counter(self.entered)
        world, self.words, self.entered, self.calls = kept
        self.world.update(world)
        return found


def tell(case: Case, counts: Counter[str]) -> None:
    rng = case.rng
    for number in range(RUNS):
        if number and rng.random() < 0.6:
            case.world["state"] = rng.choice((0, 0, 1, 2))
        case.world.update(polls=0, made=0, needed=rng.choice((1, 1, 3, 5)))
        alone = case.alone()
        before, position = Counter(case.entered), len(case.calls)
        try:
            outcome = case.engine("task")
        except Diverged:  # F3: something irreversible was done, and "continue" would not tell the agent
            counts["refused"] += 1
            continue
        counts[outcome.status] += 1
        counts["learned"] += outcome.learned and outcome.status == "diverged"
        counts[str(outcome.not_learned)] += 1
        made = Counter(case.entered) - before
        replayed = Counter(name for name, _ in case.calls[position : position + outcome.steps])
        for name, count in made.items():
            if case.effects[name] != "read":
                most = alone[name] + replayed[name] if outcome.status != "hit" else replayed[name]
                assert count <= most, f"run {number}: {name} was entered {count} times, alone it is {alone[name]}"
        if outcome.learned:
            stored = case.store.get(outcome.trajectory_id)
            assert stored is not None
            steps = stored.sealed.steps
            assert steps <= case.requests, f"run {number}: {steps} steps of {case.requests} calls"


@pytest.mark.parametrize("chunk", range(CHUNKS))
def test_f5_no_run_of_a_restarted_agent_multiplies_what_is_done(chunk: int) -> None:
    totals: Counter[str] = Counter()
    for number in range(chunk, CASES, CHUNKS):
        seed = zlib.crc32(f"restarted {number}".encode())
        case = Case(seed)
        try:
            tell(case, totals)
        except BaseException as error:
            error.add_note(f"seed {seed}: {case.policy} {case.effects} {case.program}")
            raise
    for what in ("hit", "miss", "diverged", "learned", "not_absorbed"):
        assert CASES < 1_000 or totals[what] >= 10, f"hardly any {what} in {totals}"
