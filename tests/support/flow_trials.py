"""Programs with known sources on an engine, and beside it the same programs alone."""

from __future__ import annotations

import copy
import json
import random
import zlib
from collections import Counter
from collections.abc import Iterator
from typing import Any, NamedTuple

import flow_families
import flow_forms
from flow_programs import Program, Taken, World
from learned_flows import LearnedFlow, learned_flows
from muscle_mem import Check, Engine, Handover, Outcome
from muscle_mem.store import Store

__all__ = ["Call", "Leaf", "Ran", "Trial", "flow_families", "flow_forms", "leaves"]

TASK = "the task"
Leaf = tuple[int, str, tuple[Any, ...]]  # the number of the call, the argument, the path in it


class Call(NamedTuple):
    """A call with its values, and the ways by which the agent got those that it took from somewhere."""

    tool: str
    arguments: dict[str, Any]
    sources: dict[tuple[str, tuple[Any, ...]], Taken]


class Agent:
    """What a program sees of one run."""

    def __init__(self, program: Program, world: World, call: Any) -> None:
        self.program, self.turn, self._call = program, world.turn, call
        self.given = program.params(world)
        self.calls: list[Call] = []

    def do(self, tool: str, **arguments: Any) -> Any:
        sources = {(name, path): taken for name, value in arguments.items() for path, taken in _taken(value)}
        self.calls.append(Call(tool, {name: _plain(value) for name, value in arguments.items()}, sources))
        return self._call(tool, copy.deepcopy(self.calls[-1].arguments))

    def chance(self, what: str) -> random.Random:
        """A reason that no output shows, the same in a run alone and on an engine."""
        return random.Random(zlib.crc32(f"hidden {self.program.seed} {self.turn} {what}".encode()))

    parse = staticmethod(json.loads)


def _taken(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[tuple[Any, ...], Taken]]:
    if isinstance(value, Taken):
        yield path, value
    elif isinstance(value, dict | list):
        for key, item in value.items() if isinstance(value, dict) else enumerate(value):
            yield from _taken(item, (*path, key))


def _plain(value: Any) -> Any:
    if isinstance(value, Taken):
        return value.value
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    return [_plain(item) for item in value] if isinstance(value, list) else value


def leaves(calls: list[Call]) -> dict[Leaf, Any]:
    """Every leaf of the arguments of calls."""

    def walk(value: Any, path: tuple[Any, ...]) -> Iterator[tuple[tuple[Any, ...], Any]]:
        if isinstance(value, dict | list):
            for key, item in value.items() if isinstance(value, dict) else enumerate(value):
                yield from walk(item, (*path, key))
        else:
            yield path, value

    return {
        (at, name, path): leaf
        for at, call in enumerate(calls)
        for name, value in call.arguments.items()
        for path, leaf in walk(value, ())
    }


def written(call: Call) -> tuple[str, str]:
    """A call as one can be held against another."""
    return call.tool, json.dumps(call.arguments, sort_keys=True, default=repr)


class Ran(NamedTuple):
    """One run: what the engine said, the calls that reached the tools, and what the agent alone would have done."""

    outcome: Outcome
    replayed: list[Call]
    asked: list[Call]  # of the agent, that reached a tool
    alone: list[Call]
    learned: list[LearnedFlow]

    def writes(self, program: Program, calls: list[Call]) -> Counter[tuple[str, str]]:
        """The calls that change something. Repeating an idempotent one changes nothing more."""
        effects = [program.tools[call.tool].effect for call in calls]
        made = Counter(written(call) for call, effect in zip(calls, effects, strict=True) if effect != "read")
        again = {written(call) for call, effect in zip(calls, effects, strict=True) if effect == "idempotent"}
        return Counter({call: 1 if call in again else count for call, count in made.items()})

    def unwanted(self, program: Program) -> Counter[tuple[str, str]]:
        """The writes that the agent alone would not have made, or not that often."""
        return self.writes(program, self.replayed + self.asked) - self.writes(program, self.alone)

    def lacking(self, program: Program) -> Counter[tuple[str, str]]:
        """The writes that the agent alone would have made, and that were not."""
        return self.writes(program, self.alone) - self.writes(program, self.replayed + self.asked)


class Trial:
    """One program on an engine."""

    def __init__(
        self, program: Program, *, declared: bool, handover: bool, store: Store | None = None, **options: Any
    ) -> None:
        self.program, self.declared, self.handover = program, declared, handover
        self.world = World(program, 0)
        self.engine = Engine(store, observers=[], clock=lambda: self.world.now.timestamp(), **options)
        self.tools = {name: self._register(name) for name in program.tools}
        self.replayed: list[Call] = []
        self.asked: list[Call] = []
        self.is_asked = False
        self.engine.set_agent(self._continued if handover else self._restarted)

    def _register(self, name: str) -> Any:
        tool = self.program.tools[name]
        names = ", ".join(f"{one.partition('=')[0]!r}: {one.partition('=')[0]}" for one in tool.parameters)
        space: dict[str, Any] = {"answer": self._answer}
        exec(f"def {name}({', '.join(tool.parameters)}):\n    return answer({name!r}, {{{names}}})", space)
        check = Check(lambda *a, **k: "ready", version=1) if tool.effect == "irreversible" else None
        effect: Any = tool.effect if self.declared else None
        return self.engine.tool(check, name=name, effect=effect, version=1)(space[name])

    def _answer(self, name: str, arguments: dict[str, Any]) -> Any:
        calls = self.asked if self.is_asked else self.replayed
        calls.append(Call(name, copy.deepcopy(arguments), {}))
        return self.program.tools[name].answer(self.world, arguments)

    def _restarted(self, task: str) -> Any:
        return self._work(lambda tool, arguments: self.tools[tool](**arguments))

    def _continued(self, task: str, handover: Handover | None = None) -> Any:
        """Go on behind what was done: its results answer the calls that this agent would have made."""
        done = [step for step in handover.executed if step.error is None] if handover else []

        def call(tool: str, arguments: dict[str, Any]) -> Any:
            for step in done:
                if step.tool == tool and step.arguments == arguments:
                    done.remove(step)
                    return step.result
            return self.tools[tool](**arguments)

        return self._work(call)

    def _work(self, call: Any) -> Any:
        results: list[Any] = []

        def kept(tool: str, arguments: dict[str, Any]) -> Any:
            results.append(call(tool, arguments))
            return results[-1]

        self.is_asked = True
        try:
            self.program.agent(Agent(self.program, self.world, kept))
        finally:
            self.is_asked = False
        return results[-1]

    def alone(self, turn: int) -> tuple[list[Call], dict[str, Any]]:
        """What the agent would do by itself in the world of this turn, and its params there."""
        world = World(self.program, turn)
        agent = Agent(self.program, world, lambda tool, arguments: self.program.tools[tool].answer(world, arguments))
        self.program.agent(agent)
        return agent.calls, agent.given

    def run(self, turn: int, *, mode: Any = None) -> Ran:
        """Do the task in the world of this turn."""
        alone, given = self.alone(turn)
        self.world, self.replayed, self.asked = World(self.program, turn), [], []
        learned = learned_flows(self.engine, TASK, params=given or None) if mode is None else []
        outcome = self.engine(TASK, params=given or None, mode=mode)
        return Ran(outcome, self.replayed, self.asked, alone, learned)

    def close(self) -> None:
        self.engine.close()
