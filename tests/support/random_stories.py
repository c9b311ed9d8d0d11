"""Random stories for tests: a world, an agent, an engine, and what happens to them from call to call."""

from __future__ import annotations

import copy
import os
from collections.abc import Generator
from pathlib import Path
from typing import Any

from muscle_mem import Engine, Outcome
from random_worlds import (
    AMOUNTS,
    CHECKS,
    EFFECTS,
    KEYS,
    LITERALS,
    NAMES,
    PLAIN,
    Plan,
    Spec,
    World,
    fresh_store,
    open_engine,
    register,
    rng_of,
)

CRASHES = (ValueError, KeyError, KeyboardInterrupt, SystemExit)
HIDDEN = ("fuse", "fuse", "refuse", "refuse", "refuse", "fail", "event", "event")
MISHAPS = (
    *HIDDEN,
    "state",
    "state",
    "state",
    "ticket",
    "crash",
    "accept",
    "edit",
    "again",
    "reopen",
    "report",
    "forget",
    "calm",
    "calm",
)
MODES = ("auto", "record", "replay", "frozen", "shadow", "off")
Ended = tuple[Outcome | None, BaseException | None]


def cases(count: int) -> int:
    return count * int(os.environ.get("MUSCLE_MEM_TIMES", "1"))


class Case:
    """One story. `exact`: every tool has a pre-check of the whole state, and the agent is one that this says all of.

    Agents of exact worlds are of three kinds. `policy`: decides by the present state alone, and is continued after a
    divergence. `blind`: sees by tools alone, and is absorbed. `seeing`: looks and remembers; nothing hidden happens.
    """

    def __init__(self, seed: int, folder: Path, style: str = PLAIN) -> None:
        self.rng = rng_of(seed)
        self.style = style
        self.exact = self.rng.random() < 0.5
        self.kind = self.rng.choice(("policy", "policy", "blind", "blind", "blind", "seeing"))
        self.path = folder / f"{seed}-{style}.db" if self.rng.random() < 0.08 else None
        self.base = self.rng.choice((2, 3, 4))
        self.crowded = self.rng.random() < 0.4  # begins with several recordings of one task
        self.on_divergence = self._choose_policy()
        self.branching_param = "alias" if self.exact else self.rng.choice(("alias", "name"))
        specs = self._make_specs()
        self.plan = self._make_plan(list(specs.values()))
        self.params: dict[str, Any] = {}
        self.world = World(specs, self._make_state(), self.base)
        self.events: list[Any] = []
        self.tools: dict[str, Any] = {}
        self.old_engines: list[Engine] = []  # an engine that goes closes its store
        self.strict_engine = not self.exact and self.rng.random() < 0.05
        self.judged = self.rng.random() < 0.3
        self.store = fresh_store(self.path)
        self.all_known = True  # so it has been all the time
        self.left_out: frozenset[str] = frozenset()  # tools that this engine does not know
        self.engine = self._open()
        self.leaving: dict[str, Any] | None = None  # the last call that was learned
        self.states: list[dict[str, Any]] = []  # where learned calls began
        self.task = 0

    # -- making

    def _choose_policy(self) -> str:
        if not self.exact:
            return self.rng.choice(("auto", "auto", "absorb", "absorb", "absorb", "continue", "raise"))
        return self.rng.choice(
            {"policy": ("continue", "continue", "raise")}.get(
                self.kind, ("auto", "absorb", "absorb", "absorb", "raise")
            )
        )

    def _make_specs(self) -> dict[str, Spec]:
        rng = self.rng
        found = {}
        for number in range(rng.randint(2, 4)):
            op = rng.choice(("add", "add", "set", "say", "push"))
            found[f"t{number}"] = self._make_spec(f"t{number}", op, rng.choice(EFFECTS))
        for number in range(rng.randint(1, 2)):
            found[f"r{number}"] = self._make_spec(f"r{number}", "read", "read")
        return found

    def _make_spec(self, name: str, op: str, effect: str | None) -> Spec:
        rng = self.rng
        pre = rng.choice(("all", "exact")) if self.exact else rng.choice(CHECKS)
        if not self.exact and op != "read" and rng.random() < 0.04:
            effect = "irreversible"
        post = rng.choice(CHECKS) if rng.random() < 0.3 else ""
        breaks = (
            (rng.choice(KEYS), rng.randrange(self.base), rng.random() < 0.5)
            if rng.random() < (0.2 if self.exact else 0.08)
            else None
        )
        return Spec(name, op, rng.choice((*KEYS, "c") if op == "read" else KEYS), effect, pre, post, 0, breaks)

    def _make_state(self) -> dict[str, Any]:
        rng = self.rng
        return {**{key: rng.randrange(self.base) for key in KEYS}, "said": "", "ticket": f"T-{rng.randrange(100, 110)}"}

    def _make_plan(self, specs: list[Spec]) -> Plan:
        rng = self.rng
        self._writes = [spec.name for spec in specs if spec.op != "read"]
        self._reads = [spec.name for spec in specs if spec.op == "read"]
        if self.kind == "policy":
            handover = not self.exact and rng.random() < 0.3
            return Plan([self._make_policy(specs)], rng.choice(("last", "none")), handover, tireless=True)
        body = [self._statement(2) for _ in range(rng.randint(0, 4))]
        for _ in range(rng.choices((0, 1, 2, 3), (1, 4, 8, 4))[0]):
            body.insert(rng.randint(0, len(body)), ("call", rng.choice(self._writes), self._expr()))
        if rng.random() < 0.25:  # what was read is written
            body[:0] = [("read", rng.choice(self._reads), "u"), ("call", rng.choice(self._writes), ("heard", "u"))]
        return Plan(body, rng.choice(("last", "none", "first", "grown")), not self.exact and rng.random() < 0.3)

    def _make_policy(self, specs: list[Spec]) -> Any:
        rng = self.rng

        able = [spec for spec in specs if spec.op in ("add", "push")]
        goal = rng.choice(able) if able else specs[0]

        def choose(depth: int) -> list[Any]:
            if depth == 0:
                name = goal.name if rng.random() < 0.6 else rng.choice(self._writes)
                return [("call", name, self._expr())]
            return [("if", "state", rng.choice(KEYS), rng.randrange(self.base), choose(depth - 1), choose(depth - 1))]

        return ("while", "state", goal.key, rng.randrange(self.base), choose(2))

    def _statement(self, depth: int) -> Any:
        rng = self.rng
        verb = rng.choices(
            ("call", "read", "if", "repeat", "while", "try", "wrong"), (9, 4, 3 * depth, depth, depth, 2 * depth, 0.3)
        )[0]
        if verb == "call":
            return ("call", rng.choice(self._writes), self._expr())
        if verb == "read":
            return ("read", rng.choice(self._reads), rng.choice(("u", "v")))
        if verb == "wrong":
            return ("wrong", rng.choice(self._writes))
        inner = [self._statement(depth - 1) for _ in range(rng.randint(1, 2))]
        if verb == "repeat":
            return ("repeat", rng.randint(2, 3), inner)
        other = [self._statement(depth - 1) for _ in range(rng.randint(0, 2))]
        if verb == "try":
            return ("try", inner, other)
        where, key = self._view()
        wanted = rng.choice(NAMES) if where == "params" else rng.randrange(self.base)
        if verb == "while" and where == "state":
            return ("while", where, key, wanted, inner)
        return ("if", where, key, wanted, inner, other)

    def _view(self) -> tuple[str, str]:
        rng = self.rng
        places = [("heard", rng.choice(("u", "v"))), ("params", self.branching_param)]
        if self.kind == "seeing" or not self.exact:
            places += [("state", rng.choice(KEYS))] * 2
        return rng.choice(places)

    def _expr(self) -> Any:
        rng = self.rng
        usable = [name for name in ("name", "amount", "alias") if not self.exact or name != self.branching_param]
        kind = rng.choice(("lit", "lit", "param", "text", "upper", "heard"))
        if kind == "lit":
            return (kind, rng.choice(LITERALS))
        if kind == "heard":
            return (kind, rng.choice(("u", "v"))) if self.kind != "policy" else ("lit", "green")
        if kind == "text":
            return (kind, rng.choice(("Dear {name},", "{amount} pieces", "x{amount}y", "to {name} from {name}")))
        return (kind, rng.choice(usable) if kind == "param" else "name")

    def _open(self, leave_out: frozenset[str] = frozenset()) -> Engine:
        options = {"strict": self.strict_engine, "on_divergence": self.on_divergence, "judged": self.judged}
        return open_engine(self, self.store, set(leave_out), **options)

    # -- telling

    def play(self, watch: Any) -> Generator[tuple[Any, Any], Ended, None]:
        """Yield the engine's calls as (args, kwargs); `watch` is told before and after each."""
        for _ in range(self.rng.randint(2, 5) if self.crowded else 0):
            yield from self._ask(watch, "record")
            self.world.state.update({key: self.rng.randrange(self.base) for key in KEYS})
        for _ in range(self.rng.randint(4, 9)):
            if self.rng.random() < 0.45:
                self._mishap(watch)
            yield from self._ask(watch)
        self.engine.close()

    def _ask(self, watch: Any, mode: str = "") -> Generator[tuple[Any, Any], Ended, None]:
        rng = self.rng
        again = rng.random() < 0.4 and not mode
        if self.leaving is not None and not mode and rng.random() < 0.7:  # the same call once more, from the same state
            self.world.calm()
            if not again:
                self._mishap(watch, HIDDEN, self.leaving["called"][1:])
            self.world.state = copy.deepcopy(self.leaving["state"])
            if not self.exact and rng.random() < 0.3:
                self.world.state["ticket"] = f"T-{rng.randrange(100, 110)}"
            self.params = dict(self.leaving["params"])
            task, options = self.leaving["task"], dict(self.leaving["options"])
        else:
            again = False
            task, options = self._next_task()
        mode = mode or ("auto" if again else rng.choices(MODES, (20, 2, 2, 2, 2, 1))[0])
        call = {"state": copy.deepcopy(self.world.state), "params": dict(self.params), "task": task, "options": options}
        self.world.begin()
        watch.before(self, call, mode, again)
        kwargs = {**options, "mode": mode, "params": dict(self.params) or None}
        outcome, error = yield (task,), kwargs
        watch.after(self, call, mode, again, outcome, error)
        if outcome is not None and outcome.learned:
            self.leaving = {**call, "called": [name for name, _, _ in self.world.calls]}
            self.states.append(call["state"])
        if rng.random() < 0.6:
            self.world.state = copy.deepcopy(rng.choice([call["state"], *self.states]))

    def _next_task(self) -> tuple[str, dict[str, Any]]:
        rng = self.rng
        rare = 0.1 if self.crowded else 1.0
        if rng.random() < 0.15 * rare:
            self.task = rng.randrange(2)
        if rng.random() < 0.4 * rare:
            self.params = self._make_params()
        text = "do {task}" if rng.random() > 0.33 * rare else "do {task} for {name}"
        tags = ("x",) if rng.random() < 0.2 * rare else ()
        return text.format(**{"name": "all", **self.params, "task": self.task}), {"tags": tags}

    def _make_params(self) -> dict[str, Any]:
        rng = self.rng
        found: dict[str, Any] = {}
        if rng.random() < 0.8:
            found["name"] = rng.choice(NAMES)
        if rng.random() < 0.4:
            found["amount"] = rng.choice(AMOUNTS)
        if rng.random() < 0.25:
            found["alias"] = rng.choice(NAMES)
        return found

    def _mishap(self, watch: Any, kinds: tuple[str, ...] = MISHAPS, where: list[str] | None = None) -> None:
        rng, world = self.rng, self.world
        quiet = self.exact and self.kind == "seeing"
        what = rng.choice(kinds)
        name = rng.choice(where or [*self._writes, *self._reads])
        if self.exact and what == "fuse" and name not in self._writes:
            name = self._writes[0]
        spec = world.specs[name]
        role = rng.choice([role for role in ("pre", "post") if getattr(spec, role)] or ["pre"])
        if what == "state":
            world.state[rng.choice(KEYS)] = rng.randrange(self.base)
        elif what == "ticket":
            world.state["ticket"] = f"T-{rng.randrange(100, 110)}"
        elif what == "fuse" and not quiet:
            world.fuses[name] = (rng.choice((0, 0, 1, 2)), rng.random() < 0.5)
        elif what in ("refuse", "fail") and not quiet:
            (world.refusing if what == "refuse" else world.failing).add((name, role))
        elif what == "event" and not quiet:
            world.event = (rng.randint(1, 3), rng.choice(KEYS), rng.randrange(self.base))
        elif what == "crash":
            world.crash = (rng.randrange(4), rng.choice(CRASHES))
        elif what == "accept":
            world.accept = not world.accept
        elif what in ("edit", "again"):
            world.specs[name] = spec._replace(edit=spec.edit + (what == "edit"))
            register(self, self.engine, world.specs[name])
            self.left_out -= {name}
        elif what == "reopen":
            self._reopen(frozenset({name}) if not self.exact and rng.random() < 0.3 else frozenset())
        elif what == "calm":
            world.calm()
        elif what in ("report", "forget"):
            self._judge(watch, what)

    def _reopen(self, leave_out: frozenset[str]) -> None:
        if self.path is None:
            self.old_engines.append(self.engine)
        else:
            self.engine.close()
            self.store = fresh_store(self.path)
        self.left_out = leave_out
        self.all_known = self.all_known and not leave_out
        self.engine = self._open(leave_out)

    def _judge(self, watch: Any, what: str) -> None:
        ids = [stored.sealed.id for stored in self.store.scan(limit=100).stored]
        if not ids:
            return
        id = self.rng.choice(ids)
        if what == "forget":
            self.engine.forget(id)
        elif self.rng.random() < 0.5:
            self.engine.report_bad(id, "no good")
        else:
            self.engine.report_good(id)
            watch.praised(id)


def tell(case: Case, watch: Any) -> None:
    """Play a case under the plain call."""
    story = case.play(watch)
    try:
        args, kwargs = next(story)
        while True:
            try:
                ended: Ended = case.engine(*args, **kwargs), None
            except BaseException as error:
                ended = None, error
            args, kwargs = story.send(ended)
    except StopIteration:
        return


async def atell(case: Case, watch: Any) -> None:
    """Play a case under acall."""
    story = case.play(watch)
    try:
        args, kwargs = next(story)
        while True:
            try:
                ended: Ended = await case.engine.acall(*args, **kwargs), None
            except BaseException as error:
                ended = None, error
            args, kwargs = story.send(ended)
    except StopIteration:
        return
