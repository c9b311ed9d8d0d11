"""An engine on a store, whose agent makes one call."""

from __future__ import annotations

from muscle_mem import Engine


def an_engine(url: str) -> Engine:
    engine = Engine(url)

    @engine.tool(name="pay", effect="read")
    def pay(amount: int) -> int:
        return amount

    def agent(task: str) -> int:
        return pay(7)

    engine.set_agent(agent)
    return engine
