"""An engine with tools that log, as the tests of rules C share it."""

from __future__ import annotations

from typing import Any

from muscle_mem import Engine, Outcome

Log = list[Any]


class Bench:
    """An engine with tools that log, and an agent that does what `plan` says."""

    def __init__(self, **options: Any) -> None:
        self.engine = Engine(**options)
        self.log: Log = []
        self.fails: list[str] = []
        self.plan: Any = lambda: None
        self.read = self.tool("read", effect="read")
        self.write = self.tool("write", effect="write")
        self.plain = self.tool("plain")
        self.engine.set_agent(lambda task: self.plan())

    def tool(self, name: str, **options: Any) -> Any:
        def fn(what: str = "") -> str:
            self.log.append(f"{name} {what}".strip())
            if what in self.fails:
                raise ValueError(f"{what} failed")
            return f"{name}: {what}"

        return self.engine.tool(name=name, version=1, **options)(fn)

    def again(self, task: str = "a task") -> Outcome:
        self.log.clear()
        return self.engine(task)
