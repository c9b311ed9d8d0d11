"""A shop whose agent ships each order of a list, for tests of loops."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from muscle_mem import Check, Engine, Outcome

TASK = "ship all orders"


class ListShop:
    """An engine, a list of orders, and an agent that ships each of them.

    `beside` stands beside the list in the output of `list_orders`. `answer` is what `ship` returns for an order, and
    `agent` may be replaced. `shipped` are the calls of `ship`, `asked` counts the runs of the agent.
    """

    def __init__(
        self,
        *,
        effect: Any = "write",
        check: Check | None = None,
        post_check: Check | None = None,
        flows: Any = None,
        mutable: bool = False,
        **options: Any,
    ) -> None:
        self.engine = Engine(**options)
        self.ids: Iterator[int] = itertools.count(7001)
        self.orders: list[Any] = []
        self.beside: dict[str, Any] = {}
        self.answer: Callable[[Any], Any] = lambda order_id: {"ok": True}
        self.shipped: list[Any] = []
        self.reports: list[str] = []
        self.asked = 0
        self.agent: Callable[[str], Any] = self.ship_all
        self.mutable = mutable
        engine = self.engine

        @engine.tool(effect="read", name="list_orders")
        def list_orders(limit: int = 0, page: int = 0) -> Any:
            found = self.orders if self.mutable else [dict(one) if type(one) is dict else one for one in self.orders]
            return {"orders": found[:limit] if limit else found, **self.beside}

        @engine.tool(effect=effect, name="ship", pre_check=check, post_check=post_check, flows=flows or {}, version="1")
        def ship(order_id: Any) -> Any:
            self.shipped.append(order_id)
            return self.answer(order_id)

        @engine.tool(effect="write", name="report")
        def report(text: str) -> None:
            self.reports.append(text)

        self.list_orders, self.ship, self.report = list_orders, ship, report
        engine.set_agent(self._run_agent)

    def _run_agent(self, task: str) -> Any:
        self.asked += 1
        return self.agent(task)

    def ship_all(self, task: str) -> None:
        for order in self.list_orders()["orders"]:
            self.ship(order["id"])

    def stock(self, count: int, **fields: Any) -> list[str]:
        """Put so many new orders into the list, and return their ids."""
        self.orders = [{"id": f"ORD-{next(self.ids)}", **fields} for _ in range(count)]
        return [order["id"] for order in self.orders]

    def run(self, count: int | None = None, *, fields: Any = None, **call: Any) -> Outcome:
        """Run the task, with so many new orders if a count is given."""
        if count is not None:
            self.stock(count, **(fields or {}))
        self.shipped.clear()
        self.reports.clear()
        return self.engine(TASK, **call)

    def teach(self, *counts: int, fields: Any = None) -> ListShop:
        """Record lists of these lengths."""
        for count in counts:
            self.run(count, fields=fields, mode="record")
        return self

    def wanted(self) -> list[Any]:
        """Return the ids of the orders in the list."""
        return [order["id"] if type(order) is dict else order for order in self.orders]


def statuses(outcomes: Sequence[Outcome]) -> list[str]:
    """Return the statuses of outcomes."""
    return [outcome.status for outcome in outcomes]
