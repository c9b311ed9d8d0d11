"""Random agents whose calls overlap: strands of calls, at once and one after the other, some taking others' outputs."""

from __future__ import annotations

import asyncio
import random
import zlib
from collections import Counter
from typing import Any

import pytest

from muscle_mem import Check, Engine, Outcome
from muscle_mem._core import codec
from muscle_mem._core.plan.ready_trajectory import Candidate
from muscle_mem._core.plan.stored_trajectory import load_trajectory
from muscle_mem.store import MemoryStore

CASES = 150
CHUNKS = 6
Tree = tuple[str, Any]


def tree(rng: random.Random, names: list[str], depth: int = 0) -> Tree:
    """A call, or calls one after the other or at once."""
    if depth == 3 or rng.random() < 0.2 * depth:
        names.append(f"call{len(names)}")
        return "call", (names[-1], rng.random() < 0.3)
    kind = rng.choice(["seq", "par", "par"])
    return kind, [tree(rng, names, depth + 1) for _ in range(rng.randint(2, 3))]


class Case:
    """An agent, its tools, and a world that logs what is looked at and what is done."""

    def __init__(self, seed: int) -> None:
        rng = self.rng = random.Random(seed)
        self.names: list[str] = []
        self.tree = tree(rng, self.names)
        self.shared = rng.random() < 0.3  # a check that sees what all calls do
        self.log: list[tuple[str, str]] = []
        self.flags: Counter[str] = Counter()
        self.fuse = ""
        self.done = 0
        self.store = MemoryStore()
        self.engine = Engine(self.store, observers=[lambda event: None])
        self.tools = [self.tool(kind, number) for number, kind in enumerate(["", "pre", "post", "both"])]
        self.engine.set_agent(self.agent)

    def tool(self, checks: str, number: int) -> Any:
        def check(role: str) -> Check | None:
            def capture(name: str, got: Any = None) -> Any:
                self.log.append((role, name))
                return self.flags[f"{role} {name}"] + (100 * self.done if self.shared else 0)

            return Check(capture, version=role) if checks in (role, "both") else None

        async def fn(name: str, got: Any = None) -> dict[str, str]:
            self.log.append(("do", name))
            for _ in range(self.rng.randint(0, 3)):
                await asyncio.sleep(0)
            self.done += 1
            if name == self.fuse:
                self.fuse = ""
                raise ValueError(name)
            return {"of": name}

        options: Any = {"effect": "write", "pre_check": check("pre"), "post_check": check("post")}
        return self.engine.tool(name=f"tool {number}", version=1, **options)(fn)

    async def agent(self, task: str) -> None:
        self.log.append(("agent", ""))
        await self.work(self.tree, None)

    async def work(self, part: Tree, got: Any) -> Any:
        kind, inner = part
        if kind == "seq":
            for one in inner:
                got = await self.work(one, got) or got
            return got
        if kind == "par":
            order = self.shuffled(list(range(len(inner))))
            found = dict(zip(order, await asyncio.gather(*(self.work(inner[at], got) for at in order)), strict=True))
            return next((found[at] for at in sorted(found) if found[at] is not None), got)
        name, takes = inner
        try:
            tool = self.tools[zlib.crc32(name.encode()) % len(self.tools)]
            return await (tool(name, got) if takes and got is not None else tool(name))
        except ValueError:
            return None

    def shuffled(self, parts: list[int]) -> list[int]:
        return self.rng.sample(parts, len(parts)) if self.rng.random() < 0.3 else parts

    def run(self) -> Outcome:
        self.log.clear()
        self.done = 0
        return asyncio.run(self.engine.acall("task"))

    def followed(self, id: str | None) -> list[Candidate]:
        stored = self.store.get(str(id))
        assert stored is not None
        return load_trajectory(stored).join(self.engine._runtime.tools).candidates

    def judge_hit(self, outcome: Outcome) -> None:
        """The recorded calls, groups whole and in start order, pre-checks before them and post-checks after."""
        candidates = self.followed(outcome.trajectory_id)
        trajectory = candidates[0].trajectory
        steps = trajectory.steps
        records = trajectory.body.steps
        names = [codec.decode(record.arguments[0][1].data) for record in records]
        at = {entry: place for place, entry in enumerate(self.log)}
        assert sorted(names) == sorted(name for role, name in self.log if role == "do")
        made = [name for role, name in self.log if role == "do"]
        for place, step in enumerate(steps):
            start, stop = (records[place].group - 1, step.group_stop) if step.group_stop else (place, place + 1)
            assert sorted(made[start:stop]) == sorted(names[start:stop]), "a group is made in one go"
            if records[place].late:
                assert made[place] == names[place]
            if step.pre is not None:
                first = place if records[place].late or not step.group_stop else start
                assert at["pre", names[place]] < at["do", made[first]]
                assert first == 0 or at["pre", names[place]] > at["do", made[first - 1]]
            if step.post is not None:
                when = at["post", names[place]]
                assert when > at["do", names[place]]
                assert any(when > at["do", made[one.due_at(place) - 1]] for one in candidates)
        again = len(self.log) - len(at)  # What a detour went around is looked at first, and its group may be another.
        assert not again or any(one.row.refused for one in candidates), "nothing is looked at or done twice"


@pytest.mark.parametrize("chunk", range(CHUNKS))
def test_every_call_is_made_once_whatever_overlaps_and_whatever_goes_wrong(chunk: int) -> None:
    total: Counter[str] = Counter()
    for number in range(chunk, CASES, CHUNKS):
        case = Case(zlib.crc32(f"parallel {number}".encode()))
        for turn in range(5):
            mishap = case.rng.choice(["", "", "flag", "fuse"]) if turn else ""
            if mishap == "flag":
                case.flags[f"{case.rng.choice(['pre', 'post'])} {case.rng.choice(case.names)}"] += 1
            case.fuse = case.rng.choice(case.names) if mishap == "fuse" else ""
            outcome = case.run()
            total[outcome.status] += 1
            total["learned"] += outcome.learned
            done = Counter(name for role, name in case.log if role == "do")
            assert done == Counter(case.names), f"case {number}, turn {turn}: {outcome} {case.tree}"
            if outcome:
                case.judge_hit(outcome)
                total["groups"] += any(c.trajectory.body.steps[0].group for c in case.followed(outcome.trajectory_id))
    for what in ("hit", "miss", "diverged", "learned", "groups"):
        assert total[what] >= CASES // CHUNKS // 4, f"hardly any {what} in {total}"
