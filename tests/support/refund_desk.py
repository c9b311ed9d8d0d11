"""A desk that refunds orders, for tests of what all adapters share."""

from __future__ import annotations

from typing import Any

from toy_framework import Toy


def desk(**options: Any) -> Toy:
    """A toy with three tools, and a model that refunds an order in three steps."""
    toy = Toy(**options)
    toy.tools = {
        "look": lambda order: f"{order} is paid",
        "refund": lambda order, why: "refunded",
        "tell": lambda text: "sent",
    }
    return toy


def refunding(order: str = "A-1001") -> list[Any]:
    return [
        [("look", {"order": order})],
        [("refund", {"order": order, "why": "broken"})],
        [("tell", {"text": f"{order} is refunded"})],
        f"I have refunded {order}.",
    ]


def refund(toy: Toy, order: str = "A-1001", script: Any = None) -> Any:
    """Let the toy refund an order in a block; return the block."""
    toy.script = refunding(order) if script is None else script
    with toy.engine.task("refund", params={"order": order}) as task:
        task.answer = toy.run(f"Refund {order}!")  # type: ignore[attr-defined]
    return task
