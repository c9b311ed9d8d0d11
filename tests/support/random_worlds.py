"""Random worlds, tools, agents and mishaps for tests: everything follows from one seed, and every effect is logged."""

from __future__ import annotations

import asyncio
import copy
import random
from collections.abc import Callable, Generator
from pathlib import Path
from types import SimpleNamespace
from typing import Any, NamedTuple

from muscle_mem import Check, Engine
from muscle_mem.store import MemoryStore, Store, open_store

KEYS = ("a", "b", "c")
NAMES = ("John", "Jane", "Ann Lee")
AMOUNTS = (1500, 2500, 730)
LITERALS = (7, 2, True, None, "blue", "alpha beta", [1, 2], "")
EFFECTS = (None, None, "idempotent", "write", "write")
CHECKS = ("", "", "all", "exact", "key", "near", "score")
MAX_REQUESTS = 12
PLAIN, ASYNC, MIXED = "plain", "async", "mixed"  # mixed: plain tools and a plain agent under acall


class ToolError(Exception):
    """What a tool of these worlds raises."""


class TooLong(Exception):
    """What an agent raises that would go on for ever."""


class Spec(NamedTuple):
    """A tool: what it does to which key of the state, its declared effect and checks, and in which state it fails."""

    name: str
    op: str
    key: str
    effect: str | None
    pre: str
    post: str
    edit: int = 0
    breaks: tuple[str, int, bool] | None = None


class World:
    """A small state that tools change, and hidden mishaps: `fuses` blow, checks refuse or fail, the agent crashes."""

    def __init__(self, specs: dict[str, Spec], state: dict[str, Any], base: int) -> None:
        self.specs = specs
        self.state = state
        self.base = base  # each key of the state is a number below this
        self.calls: list[list[Any]] = []  # every tool that was entered: [name, argument, whether it returned]
        self.effects: list[tuple[str, Any]] = []
        self.requests: list[tuple[str, Any]] = []  # what the agent asked for, whoever answered
        self.fuses: dict[str, tuple[int, bool]] = {}
        self.refusing: set[tuple[str, str]] = set()
        self.failing: set[tuple[str, str]] = set()
        self.event: tuple[int, str, int] | None = None  # after so many effects, a key gets a value
        self.told: list[Any] = []  # what the reading tools returned
        self.struck = 0  # the number of calls there were when the event came
        self.crash: tuple[int, type[BaseException]] | None = None
        self.accept = True
        self.starts = 0
        self.raised: BaseException | None = None
        self.strange = 0
        self.patience = MAX_REQUESTS

    def twin(self) -> World:
        """A copy in which it may be tried what the agent would do, if nothing ailed the agent itself."""
        other = copy.deepcopy(self)
        other.begin()
        other.crash, other.patience = None, 200
        return other

    def begin(self) -> None:
        """Forget what was logged."""
        self.calls, self.effects, self.requests, self.starts, self.raised = [], [], [], 0, None
        self.struck, self.told = 0, []

    def calm(self) -> None:
        """Take all hidden mishaps away."""
        self.fuses, self.refusing, self.failing = {}, set(), set()
        self.event, self.crash, self.accept = None, None, True

    def do(self, name: str, x: Any, edit: int) -> Any:
        """One tool call."""
        spec = self.specs[name]
        entry = [name, copy.deepcopy(x), False]
        self.calls.append(entry)
        late = self._fails(spec)
        if late is False:
            raise ToolError(name)
        if spec.op != "read":
            self.effects.append((name, entry[1]))
        result = self._change(spec, x, edit)
        if self.event is not None and len(self.effects) >= self.event[0]:
            self.state[self.event[1]] = self.event[2]
            self.event, self.struck = None, len(self.calls)
        if late:
            raise ToolError(name)
        entry[2] = True
        if spec.op == "read":
            self.told.append(result)
        return result

    def _fails(self, spec: Spec) -> bool | None:
        """None if all is well, else whether the effect happens before the failure."""
        if spec.name in self.fuses:
            left, late = self.fuses[spec.name]
            if left:
                self.fuses[spec.name] = (left - 1, late)
            else:
                del self.fuses[spec.name]
                return late
        if spec.breaks is not None and self.state[spec.breaks[0]] == spec.breaks[1]:
            return spec.breaks[2]
        return None

    def _change(self, spec: Spec, x: Any, edit: int) -> Any:
        state, key = self.state, spec.key
        if spec.op == "add":
            state[key] = (state[key] + 1 + edit) % self.base
        elif spec.op == "set":
            state[key] = (len(str(x)) + edit) % self.base
        elif spec.op == "say":
            state["said"] = f"{x} {edit}"
            return ["said", x]
        elif spec.op == "push":
            if isinstance(x, list):
                x.append(state[key])  # a tool that changes its own argument
            state[key] = (state[key] + 1) % self.base
        return state["ticket"] if spec.op == "read" and key == "c" else state[key]

    def look(self, name: str, role: str, kind: str, key: str) -> Any:
        """What a capture sees."""
        if (name, role) in self.failing:
            raise OSError("no sight")
        if kind not in ("all", "exact"):
            return self.state[key]
        seen = dict(self.state)
        if (name, role) in self.refusing:
            self.strange += 1
            seen["strange"] = self.strange  # equal to nothing that was ever seen
        return seen

    def judge(self, name: str, role: str, kind: str, now: Any, then: Any) -> Any:
        """What a compare says."""
        if (name, role) in self.refusing:
            return False
        if kind in ("all", "key"):
            return now == then
        return abs(now - then) <= 1 if kind == "near" else 1 - abs(now - then) / self.base


def make_check(world: World, spec: Spec, role: str, kind: str, style: str) -> Check | None:
    """A check of one kind, its functions async in the async style."""
    if not kind:
        return None
    name, key = spec.name, spec.key

    def capture(x: Any = None) -> Any:
        return world.look(name, role, kind, key)

    def compare(now: Any, then: Any) -> Any:
        return world.judge(name, role, kind, now, then)

    async def acapture(x: Any = None) -> Any:
        await asyncio.sleep(0)
        return world.look(name, role, kind, key)

    async def acompare(now: Any, then: Any) -> Any:
        await asyncio.sleep(0)
        return world.judge(name, role, kind, now, then)

    see, tell = (acapture, acompare) if style == ASYNC else (capture, compare)
    threshold = 0.6 if kind == "score" else None
    return Check(see, None if kind == "exact" else tell, threshold=threshold, version=f"{name} {role} {kind}")


def make_function(world: World, spec: Spec, style: str) -> Callable[..., Any]:
    """A tool as a user would define it in a module or a notebook."""
    head, pause = ("async ", "await asyncio.sleep(0)\n    ") if style == ASYNC else ("", "")
    source = f"{head}def {spec.name}(x=None):\n    {pause}return world.do({spec.name!r}, x, {spec.edit})\n"
    space: dict[str, Any] = {"world": world, "asyncio": asyncio}
    exec(compile(source, "tools-of-a-world", "exec"), space)
    found: Callable[..., Any] = space[spec.name]
    return found


# -- agents: a plan is a list of statements, carried out by a generator that yields (tool, arguments)

Request = tuple[str, tuple[Any, ...]]
Asking = Generator[Request, Any, Any]


def think(plan: Any, world: World, params: dict[str, Any]) -> Asking:
    """What an agent asks for, and what it returns; a function of the plan, the params and what it sees."""
    heard: dict[str, Any] = {}
    results: list[Any] = []

    def value(expr: Any) -> Any:
        kind, what = expr
        if kind == "param":
            return params.get(what)
        if kind == "upper":
            return str(params.get(what)).upper()
        if kind == "text":
            return what.format(**{"name": "nobody", "amount": 0, "alias": "nobody", **params})
        return heard.get(what) if kind == "heard" else copy.deepcopy(what)

    def block(body: Any) -> Asking:
        for verb, *rest in body:
            if verb == "call":
                results.append((yield rest[0], (value(rest[1]),)))
            elif verb == "wrong":
                results.append((yield rest[0], (1, 2, 3)))
            elif verb == "read":
                heard[rest[1]] = yield rest[0], ()
                results.append(heard[rest[1]])
            elif verb == "if":
                where, key, wanted, then, other = rest
                yield from block(then if where_is(where, key) == wanted else other)
            elif verb == "repeat":
                for _ in range(rest[0]):
                    yield from block(rest[1])
            elif verb == "while":
                where, key, wanted, inner = rest
                for _ in range(1_000 if plan.tireless else 3):
                    if where_is(where, key) == wanted:
                        break
                    yield from block(inner)
            elif verb == "try":
                try:
                    yield from block(rest[0])
                except (ToolError, TypeError):
                    yield from block(rest[1])

    def where_is(where: str, key: str) -> Any:
        return {"heard": heard, "state": world.state, "params": params}[where].get(key)

    yield from block(plan.body)
    if plan.returns == "none" or not results:
        return None
    if plan.returns == "grown" and isinstance(results[-1], list):
        results[-1].append("more")  # the agent works on what a tool gave it
    return results[0] if plan.returns == "first" else results[-1]


class Plan(NamedTuple):
    body: list[Any]
    returns: str
    takes_handover: bool = False
    tireless: bool = False  # loops until the state says so, not three times at most


def told(world: World, request: Request) -> None:
    """Log what the agent asks for; this is where it crashes."""
    if world.crash is not None and len(world.requests) >= world.crash[0]:
        kind, world.crash = world.crash[1], None
        raise kind("the agent is lost")
    if len(world.requests) >= world.patience:
        raise TooLong
    world.requests.append((request[0], copy.deepcopy(request[1])))


class Answers:
    """What a hand-over already holds, for an agent that goes on from the middle."""

    def __init__(self, handover: Any) -> None:
        self.left = list(handover.executed) if handover is not None else []

    def of(self, request: Request) -> Any:
        name, args = request
        if self.left and self.left[0].tool == name and (*self.left[0].args, *self.left[0].kwargs.values()) == args:
            return self.left.pop(0)
        self.left = []
        return None


def act(case: Any, handover: Any) -> Any:
    """Carry out the case's plan with plain tools."""
    asking = think(case.plan, case.world, case.params)
    answers = Answers(handover)
    going: Any = ("send", None)
    while True:
        try:
            request = getattr(asking, going[0])(going[1])
        except StopIteration as stop:
            return stop.value
        done = answers.of(request)
        if done is None:
            told(case.world, request)
        try:
            if done is not None and done.error is not None:
                raise done.error
            going = ("send", done.result if done is not None else case.tools[request[0]](*request[1]))
        except Exception as error:
            going = ("throw", error)


async def aact(case: Any, handover: Any) -> Any:
    """The same with tools that are awaited."""
    asking = think(case.plan, case.world, case.params)
    answers = Answers(handover)
    going: Any = ("send", None)
    while True:
        try:
            request = getattr(asking, going[0])(going[1])
        except StopIteration as stop:
            return stop.value
        done = answers.of(request)
        if done is None:
            told(case.world, request)
        try:
            if done is not None and done.error is not None:
                raise done.error
            going = ("send", done.result if done is not None else await case.tools[request[0]](*request[1]))
        except Exception as error:
            going = ("throw", error)


def alone(case: Any, world: World) -> tuple[Any, BaseException | None]:
    """What the agent would do in a world without any engine: its value, or what it raises."""

    tools = {spec.name: make_function(world, spec, PLAIN) for spec in world.specs.values()}
    bare = SimpleNamespace(plan=case.plan, params=dict(case.params), tools=tools, world=world)
    try:
        return act(bare, None), None
    except Exception as error:
        return None, error


def make_agent(case: Any) -> Callable[..., Any]:
    """The agent as an engine gets it: plain or async, naming `handover` or not; what it raises is kept."""

    def begin() -> None:
        case.world.starts += 1
        case.world.requests = []

    def plain(task: str, handover: Any = None) -> Any:
        begin()
        try:
            return act(case, handover)
        except BaseException as error:
            case.world.raised = error
            raise

    async def asynchronous(task: str, handover: Any = None) -> Any:
        begin()
        try:
            return await aact(case, handover)
        except BaseException as error:
            case.world.raised = error
            raise

    full = asynchronous if case.style == ASYNC else plain
    if case.plan.takes_handover:
        return full

    def without(task: str) -> Any:
        return plain(task)

    async def awithout(task: str) -> Any:
        return await asynchronous(task)

    return awithout if case.style == ASYNC else without


def open_engine(case: Any, store: Store, leave_out: set[str], *, judged: bool, **options: Any) -> Engine:
    """An engine of the case's tools and agent; the tools left out are plain functions.

    The oracle judges each hit by one recording, so nothing is learned from several.
    """
    success = (lambda value: case.world.accept) if judged else None
    engine = Engine(store, observers=case.events.append, success=success, learn_flows=False, **options)
    for spec in case.world.specs.values():
        case.tools[spec.name] = make_function(case.world, spec, case.style)
        if spec.name not in leave_out:
            register(case, engine, spec)
    return engine.set_agent(make_agent(case))


def register(case: Any, engine: Engine, spec: Spec) -> None:
    """Register a tool, or the edited version of one."""
    checks = [
        make_check(case.world, spec, role, kind, case.style) for role, kind in (("pre", spec.pre), ("post", spec.post))
    ]
    function = make_function(case.world, spec, case.style)
    case.tools[spec.name] = engine.tool(checks[0], checks[1], effect=spec.effect)(function)


def fresh_store(path: Path | None) -> Store:
    return MemoryStore() if path is None else open_store(path)


def rng_of(seed: int) -> random.Random:
    return random.Random(seed)
