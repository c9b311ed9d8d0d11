"""Random trajectories that are disturbed in the middle: the steps, what goes wrong, and what the agent does then."""

from __future__ import annotations

import random
from collections.abc import Generator
from typing import Any, NamedTuple

EFFECTS = ("read", "idempotent", "write", "irreversible", None)
MODES = ("auto", "record", "replay", "frozen", "shadow", "off")
OTHER = "other"


class ToolError(Exception):
    """What a tool raises."""


class AgentError(Exception):
    """What the agent raises."""


class Step(NamedTuple):
    """One step of the task. `feeds`: the argument is what that earlier step returned, if it is not negative."""

    tool: str
    arg: str
    effect: str | None
    pre: bool
    post: bool
    optional: bool = False
    feeds: int = -1
    trust: str | None = None


class Fault(NamedTuple):
    """What goes wrong in a replay: at which step, in what (`role`), and how."""

    role: str  # none, pre, post, tool, approve, stale, success
    how: str = ""  # no, raise, compare, nan, before, after, interrupt
    step: int = -1


class Agent(NamedTuple):
    """What the agent does when it is asked in the tested call: where it begins, where it strays, how it ends."""

    kind: str = "plain"  # plain, differs, fails, nothing
    start: int = 0
    at: int = -1
    error: str = "error"  # error, interrupt
    mood: str = "again"  # on a tool that raised: again, ignore, pass


class Case:
    """One case; everything follows from the seed."""

    def __init__(self, seed: int) -> None:
        rng = random.Random(seed)
        self.seed = seed
        self.style = rng.choice(("plain", "plain", "async", "mixed"))
        self.steps = draw_steps(rng)
        self.approve = rng.choice(("", "engine", "call", "call"))
        self.judge = rng.choice(("", "", "", "engine", "call"))
        self.agent_ok = rng.random() < 0.8  # what the success callback says of the agent's own run
        self.verdict = rng.choice((*["none"] * 9, "success", "good", "good", "bad", "refused"))
        self.rows = rng.choice((1, 1, 1, 2, 3))  # how often it is recorded; 3: the second time in another world
        self.trust = rng.choice((*["first"] * 8, "verified", "manual"))
        weights = (14, 1, 3, 3, 2, 1)
        self.engine_mode = rng.choice(MODES)
        self.call_mode = rng.choices((None, *MODES), (8, *weights))[0]
        self.env_mode = rng.choices((None, *MODES), (20, 3, 1, 1, 1, 1, 1))[0]
        if self.call_mode is None and self.env_mode is None:
            self.engine_mode = rng.choices(MODES, weights)[0]
        self.policy = rng.choice(("auto", "auto", "continue", "absorb", "raise"))
        self.policy_at_call = rng.random() < 0.5
        self.handover = rng.random() < 0.5
        self.interrupt = "cancel" if self.style != "plain" and rng.random() < 0.5 else "keyboard"
        self.fault = draw_fault(rng, self)
        optional = [i for i, step in enumerate(self.steps) if step.optional]
        self.gone = rng.choice(optional) if optional and rng.random() < 0.7 else -1  # a pop-up that does not show
        if self.fault.step == self.gone:
            self.gone = -1
        count = len(self.steps)
        self.agent = Agent(
            rng.choice(("plain", "plain", "plain", "differs", "differs", "fails", "nothing")),
            rng.choice((0, 0, 0, rng.randrange(count))),
            rng.randrange(count + 1),
            rng.choice(("error", "error", "interrupt")),
            rng.choice(("again", "again", "ignore", "pass")),
        )
        # the tested call happens in the world of the last recording, or in that of the first
        self.epoch = "new" if self.rows == 3 and (optional or rng.random() < 0.5) else "old"

    @property
    def mode(self) -> str:
        if self.env_mode == "off":
            return "off"
        return self.call_mode or self.env_mode or self.engine_mode

    @property
    def needed(self) -> set[int]:
        return {step.feeds for step in self.steps}

    def __repr__(self) -> str:
        return "\n".join([f"seed {self.seed}", *(f"  {name}: {value}" for name, value in vars(self).items())])


def draw_steps(rng: random.Random) -> list[Step]:
    steps: list[Step] = []
    for index in range(rng.randint(1, 6)):
        plain = [step for step in steps if not step.optional and step.feeds < 0]
        if plain and rng.random() < 0.1:
            steps.append(rng.choice(plain))
            continue
        effect = rng.choice(EFFECTS)
        pre = rng.random() < (0.9 if effect == "irreversible" else 0.75)
        feeds = rng.randrange(index) if index and rng.random() < 0.25 else -1
        if feeds >= 0 and steps.count(steps[feeds]) > 1:
            feeds = -1
        trust = rng.choice(("verified", "manual")) if rng.random() < 0.03 else None
        optional = pre and feeds < 0 and rng.random() < 0.25
        arg = f"ticket of t{feeds}" if feeds >= 0 else f"a{index}"
        steps.append(Step(f"t{index}", arg, effect, pre, rng.random() < 0.4, optional, feeds, trust))
    for index, step in enumerate(steps):  # what is called twice feeds nobody: its name tells one result only
        if step.feeds >= 0 and steps.count(steps[step.feeds]) > 1:
            steps[index] = step._replace(feeds=-1, arg=f"a{index}")
    return steps


def draw_fault(rng: random.Random, case: Case) -> Fault:
    """Of what can go wrong with these steps, one thing."""
    found = [Fault("none")] * 3
    for index, step in enumerate(case.steps):
        found += [Fault("tool", how, index) for how in ("before", "after", "interrupt")]
        for role, there in (("pre", step.pre), ("post", step.post)):
            if there:
                found += [Fault(role, how, index) for how in ("no", "no", "raise", "compare", "nan", "interrupt")]
        if step.effect == "irreversible" and case.approve:
            found += [Fault("approve", how, index) for how in ("no", "raise", "interrupt")]
        if step.feeds >= 0:
            found += [Fault("stale", "", index)] * 5
    if case.judge:
        found += [Fault("success", how) for how in ("no", "raise", "interrupt")] * 3
    return rng.choice(found)


def program(case: Case, agent: Agent, handover: Any) -> Generator[tuple[str, str], Any, Any]:
    """The agent as requests and answers, the same for the engine and for the oracle."""
    known: dict[str, Any] = {}
    start = agent.start
    if handover is not None:
        start = handover.step
        known = {step.tool: step.result for step in handover.executed}
    if agent.kind == "nothing":
        return "nothing"
    result = None
    for index in range(start, len(case.steps) + 1):
        if index == max(agent.at, start):
            if agent.kind == "fails":
                raise (AgentError if agent.error == "error" else Stop)
            if agent.kind == "differs":
                yield OTHER, "odd"
        if index == len(case.steps):
            break
        step = case.steps[index]
        arg = str(known.get(case.steps[step.feeds].tool)) if step.feeds >= 0 else step.arg
        try:
            result = yield step.tool, arg
        except ToolError:
            if agent.mood == "pass":
                raise
            result = (yield step.tool, arg) if agent.mood == "again" else None
        known[step.tool] = result
    return result


class Stop(Exception):
    """The agent is interrupted here."""
