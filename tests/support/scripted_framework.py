"""A framework in a few lines: it steps a session, makes the calls itself, and asks a scripted model."""

from __future__ import annotations

import inspect
from collections.abc import Iterable
from typing import Any

from muscle_mem import Answered, AskAgent, AsyncSession, Call, Check, Engine, Finished, Handover, Outcome, Session


class Bench:
    """An engine with one tool, `press(name)`, whose pre-check looks at `state` and whose post-check at `after`.

    `log` has what was pressed, `asked` the hand-over of each time the model was asked, `turns` what a session said.
    """

    def __init__(self, *, effect: Any = "write", asynchronous: bool = False, **options: Any) -> None:
        self.state: dict[str, Any] = {}
        self.after: dict[str, Any] = {}
        self.fail: dict[str, BaseException] = {}
        self.log: list[str] = []
        self.asked: list[Handover | None] = []
        self.turns: list[Any] = []
        self.events: list[Any] = []
        self.engine = Engine(observers=self.events.append, **options)

        def seen(name: str) -> Any:
            return self.state.get(name)

        def seen_after(name: str) -> Any:
            return self.after.get(name)

        async def aseen(name: str) -> Any:
            return self.state.get(name)

        def press(name: str) -> str:
            if name in self.fail:
                raise self.fail[name]
            self.log.append(name)
            return f"pressed {name}"

        async def apress(name: str) -> str:
            return press(name)

        tool = self.engine.tool(
            Check(aseen if asynchronous else seen), Check(seen_after), effect=effect, name="Panel.press"
        )
        self.press = tool(apress if asynchronous else press)

    def session(self, **options: Any) -> Session:
        return self.engine.session("task", **options)

    def run(self, plan: Iterable[str] = (), *, value: Any = "said", **options: Any) -> Outcome:
        """One run; the model says one call of the plan a turn."""
        self._begin()
        with self.session(**options) as session:
            return self.drive(session, list(plan), value)

    def drive(self, session: Session, plan: list[str], value: Any = "said") -> Outcome:
        """Step a session to its end."""
        while True:
            turn = session.next()
            if isinstance(turn, Finished):
                return turn.outcome
            self.turns.append(turn)
            if isinstance(turn, Call):
                try:
                    result = turn.fn(*turn.args, **turn.kwargs)
                except Exception as error:
                    session.done(turn, error=error)
                else:
                    session.done(turn, result)
            elif isinstance(turn, AskAgent):
                self.asked.append(turn.handover)
                if plan:
                    session.said([("press", {"name": plan.pop(0)})])
                else:
                    session.said([], value=value)

    async def arun(self, plan: Iterable[str] = (), *, value: Any = "said", **options: Any) -> Outcome:
        """The same with an async session."""
        self._begin()
        async with self.engine.asession("task", **options) as session:
            return await self.adrive(session, list(plan), value)

    async def adrive(self, session: AsyncSession, plan: list[str], value: Any = "said") -> Outcome:
        """Step an async session to its end."""
        while True:
            turn = await session.next()
            if isinstance(turn, Finished):
                return turn.outcome
            self.turns.append(turn)
            if isinstance(turn, Call):
                result = turn.fn(*turn.args, **turn.kwargs)
                await session.done(turn, await result if inspect.isawaitable(result) else result)
            elif isinstance(turn, AskAgent):
                self.asked.append(turn.handover)
                await session.said([("press", {"name": plan.pop(0)})] if plan else [])

    def learn(self, plan: Iterable[str], **options: Any) -> Outcome:
        """Have the model do a plan; a recording more."""
        outcome = self.run(plan, mode="record", **options)
        assert outcome.learned, outcome.not_learned_message
        self._begin()
        return outcome

    def _begin(self) -> None:
        self.log.clear()
        self.asked.clear()
        self.turns.clear()

    @property
    def replayed(self) -> list[str]:
        """What was handed out from a recording."""
        return [turn.arguments["name"] for turn in self.turns if isinstance(turn, Call) and turn.replayed]

    @property
    def wanted(self) -> list[str]:
        """What was handed out for the model."""
        return [turn.arguments["name"] for turn in self.turns if isinstance(turn, Call) and not turn.replayed]

    @property
    def answered(self) -> list[Answered]:
        return [turn for turn in self.turns if isinstance(turn, Answered)]


def asked(session: Session) -> Session:
    """A session whose model is being asked."""
    assert isinstance(session.next(), AskAgent)
    return session


def handed(session: Session) -> Call:
    """The call that a session hands out next."""
    call = session.next()
    assert isinstance(call, Call)
    return call


def ended(session: Session) -> Outcome:
    """How a session's run has ended."""
    assert session.outcome is not None
    return session.outcome


def is_free(bench: Bench) -> None:
    """The engine has no open run left, and learns and replays as ever."""
    assert not bench.engine._runtime.open_runs.frames
    assert not bench.engine._runtime.open_runs.delegated
    for _ in range(2):  # two in a row, since other calls may have been recorded before
        assert bench.run("xy", mode="record").learned
    assert bench.run()
