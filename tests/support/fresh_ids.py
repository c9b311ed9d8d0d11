"""A desk whose orders have a new id in each run, for tests of learned references."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from typing import Any

from muscle_mem import Engine, Outcome
from muscle_mem._core.model.learned import is_flows_body
from muscle_mem.store import MemoryStore
from muscle_mem.store.paging import each

TASK = "order a chair and pay"


def numbers() -> Iterator[int]:
    """Return ids that two recordings prove: whole numbers from 1,000."""
    return itertools.count(1000, 7)


class Desk:
    """Orders that are created and paid, by an agent that starts again after a divergence.

    `created` and `paid` are what was done in the world, `agreed` says whether each order was paid once, in turn.
    """

    def __init__(self, ids: Iterator[Any] | None = None, store: Any = None, **options: Any) -> None:
        self.ids = numbers() if ids is None else ids
        self.created: list[Any] = []
        self.paid: list[Any] = []
        self.shape: Callable[[Any], Any] = lambda id: {"order_id": id}
        self.engine = Engine(MemoryStore() if store is None else store, **options)

        @self.engine.tool(name="create_order")
        def create_order() -> Any:
            self.created.append(next(self.ids))
            return self.shape(self.created[-1])

        @self.engine.tool(name="pay")
        def pay(order_id: Any) -> str:
            self.paid.append(order_id)
            return "paid"

        self.create_order, self.pay = create_order, pay

        def agent(task: str) -> None:
            create_order()
            pay(self.created[-1])

        self.engine.set_agent(agent)

    def run(self, **options: Any) -> Outcome:
        return self.engine(TASK, **options)

    def runs(self, count: int, **options: Any) -> str:
        """Return the first letters of the statuses of some runs."""
        return "".join(self.run(**options).status[0] for _ in range(count))

    @property
    def agreed(self) -> bool:
        return self.created == self.paid and len(set(self.paid)) == len(self.paid)

    def stored(self, *, learned: bool = False) -> list[Any]:
        """Return the stored recordings, or the records of what they prove."""
        return [one for one in each(self.engine._runtime.library.store) if is_flows_body(one.sealed.body) == learned]
