"""A small world for tests of replays: named places with a state that checks look at, and a log of every callback."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from muscle_mem import Check, Engine, Outcome
from muscle_mem._events import Event, NoticeEvent

Log = list[tuple[str, str]]


class Desk:
    """An engine with one tool, `step(name)`, whose checks look at `state[name]`, and an agent that follows `plan`.

    `log` holds ("look", name), ("compare", name), ("do", name), ("after", name) as they happen, in the agent's hands
    or in a replay. `fail` holds exceptions to raise in a step, `effects` what a step does to the state.
    """

    def __init__(
        self,
        store: str | Path | None = None,
        *,
        compare: Callable[[Any, Any], Any] | None = None,
        pre: bool = True,
        post: bool = False,
        effect: Any = None,
        handover: bool = False,
        wait: float = 0.0,
        **options: Any,
    ) -> None:
        self.state: dict[str, Any] = {}
        self.after: dict[str, Any] = {}
        self.effects: dict[str, dict[str, Any]] = {}
        self.returns: dict[str, Any] = {}
        self.fail: dict[str, BaseException] = {}
        self.log: Log = []
        self.plan: list[str] = []
        self.handovers: list[Any] = []
        self.events: list[Event] = []
        self.engine = Engine(store, observers=self.events.append, **options)
        judge = compare or (lambda current, candidate: current == candidate)

        def look(name: str) -> Any:
            self.log.append(("look", name))
            seen = self.state.get(name)
            if isinstance(seen, Exception):
                raise seen
            return [name, seen]

        def look_after(name: str) -> Any:
            self.log.append(("after", name))
            seen = self.after.get(name)
            if isinstance(seen, Exception):
                raise seen
            return [name, seen]

        def fits(current: Any, candidate: Any) -> Any:
            self.log.append(("compare", current[0]))
            return current[0] == candidate[0] and judge(current[1], candidate[1])

        before = Check(look, fits, wait=wait, every=0.001) if pre else None
        behind = Check(look_after, fits) if post else None

        @self.engine.tool(before, behind, effect=effect, name="step")
        def step(name: str) -> Any:
            self.log.append(("do", name))
            if name in self.fail:
                raise self.fail[name]
            self.state.update(self.effects.get(name, {}))
            return self.returns.get(name, f"did {name}")

        self.step = step

        def follow(task: str) -> Any:
            value = None
            for name in list(self.plan):
                value = step(name)
            return value

        def go_on(task: str, handover: Any = None) -> Any:
            self.handovers.append(handover)
            return follow(task)

        self.engine.set_agent(go_on if handover else follow)

    def learn(self, plan: Iterable[str], state: dict[str, Any] | None = None) -> Outcome:
        """Have the agent do a plan in a world; a recording more."""
        self.plan = list(plan)
        if state is not None:
            self.state = dict(state)
        outcome = self.engine("task", mode="record")
        assert outcome.learned, outcome.not_learned_message
        self.log.clear()
        return outcome

    def run(self, state: dict[str, Any] | None = None, **options: Any) -> Outcome:
        """Call the engine in a world."""
        if state is not None:
            self.state = dict(state)
        self.log.clear()
        return self.engine("task", **options)

    @property
    def done(self) -> list[str]:
        """The steps that were really executed since the last call began."""
        return [name for what, name in self.log if what == "do"]

    def count(self, what: str, name: str) -> int:
        """How often something happened since the last call began."""
        return self.log.count((what, name))

    def notices(self, code: str) -> list[str]:
        """What was told under a code."""
        return [event.message for event in self.events if isinstance(event, NoticeEvent) and event.code == code]
