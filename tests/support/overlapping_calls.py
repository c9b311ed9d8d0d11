"""An agent whose tool calls overlap, for tests of parallel groups."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from muscle_mem import Check, Engine, Outcome
from muscle_mem.store import Store


class Bench:
    """An engine with async tools that overlap when gathered, each checked before and after on a state of its own."""

    def __init__(self, store: Store | None = None, **options: Any) -> None:
        self.engine = Engine(store, observers=[lambda event: None], **options)
        self.log: list[str] = []
        self.state: dict[str, Any] = {}
        self.fails: set[str] = set()
        self.plan: Any = None
        self.act = self.tool("act", effect="write")
        self.look = self.tool("look", effect="read")
        self.bare = self.tool("bare", checked=False)
        self.engine.set_agent(self.agent)

    def tool(self, name: str, *, checked: bool = True, **options: Any) -> Any:
        async def fn(what: str) -> dict[str, str]:
            self.log.append(what)
            await asyncio.sleep(0)  # where the others begin
            if what in self.fails:
                raise ValueError(what)
            return {"of": what}

        def check(role: str) -> Check | None:
            def capture(what: str) -> Any:
                self.log.append(f"{role} {what}")
                return self.state.get(f"{role} {what}", 0)

            return Check(capture, version=role) if checked else None

        return self.engine.tool(name=name, version=1, pre_check=check("pre"), post_check=check("post"), **options)(fn)

    async def agent(self, task: str) -> Any:
        self.log.append("agent")
        return await self.plan()

    def __call__(self, task: str = "a task", **options: Any) -> Outcome:
        self.log.clear()
        return asyncio.run(self.engine.acall(task, **options))

    def gathers(self, *names: str, then: str = "") -> Callable[[], Any]:
        async def plan() -> Any:
            found = await asyncio.gather(*(self.act(name) for name in names))
            return await self.act(then) if then else found[-1]

        self.plan = plan
        return plan
