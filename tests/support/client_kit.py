"""A shop with orders, a model that refunds them, an engine, and clients around both: what tests of clients share."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from client_loops import Loop
from muscle_mem import Check, Engine
from stub_models import Reply, Seen, StubModels, Wants

ORDERS = {"Ada": ("A-1001", 41_205), "Bob": ("B-2002", 73_350), "Eve": ("E-5005", 99_515)}
TASK = "refund the last order"


class Shop:
    """The world: orders that are open or refunded, and mails that were sent."""

    def __init__(self) -> None:
        self.status = {order: "open" for order, _ in ORDERS.values()}
        self.mails: list[tuple[str, str]] = []
        self.log: list[str] = []
        self.never_closes = False

    def find_order(self, customer: str) -> dict:
        """Find the last order of a customer."""
        self.log.append("find_order")
        order, total = ORDERS[customer]
        return {"order": order, "total": total}

    def refund(self, order: str, amount: int) -> str:
        """Refund an order."""
        self.log.append("refund")
        if not self.never_closes:
            self.status[order] = "refunded"
        return f"refunded {amount}"

    def mail(self, customer: str, text: str) -> str:
        """Send a mail to a customer."""
        self.log.append("mail")
        self.mails.append((customer, text))
        return "sent"

    def tools(self) -> dict[str, Callable[..., Any]]:
        return {"find_order": self.find_order, "refund": self.refund, "mail": self.mail}

    def is_open(self, order: str, amount: int) -> str:
        return self.status[order]


def customer_of(text: str) -> str:
    """Return the customer that a prompt names."""
    found = re.search(r"of (\w+)", text)
    return found.group(1) if found else "Ada"


def clerk(seen: Seen) -> Reply:
    """Refund the order of the customer, as a model would that reads what the tools return."""
    customer = customer_of(seen.prompt)
    order, total = ORDERS.get(customer, ORDERS["Ada"])
    if any("was not made" in text for _, text, _ in seen.results):
        return "I leave it at that."
    return (
        Wants("find_order", {"customer": customer}),
        Wants("refund", {"order": order, "amount": total}),
        Wants("mail", {"customer": customer, "text": "The money is on its way."}),
        f"{customer} has the money of {order}.",
    )[min(seen.turn, 3)]


def prompt(customer: str = "Ada") -> str:
    return f"Refund the last order of {customer}."


def params(customer: str = "Ada") -> dict[str, Any]:
    order, total = ORDERS[customer]
    return {"customer": customer, "order": order, "amount": total}


@dataclass
class Kit:
    """What a test needs.

    Attributes:
        wire: The wire format.
        stub: The model.
        shop: The world.
        make_client, make_async_client: Make a client of the provider, unwrapped.
        wrap: The adapter.
        events: What the engine reported.
    """

    wire: str
    stub: StubModels
    shop: Shop
    make_client: Callable[..., Any]
    make_async_client: Callable[..., Any]
    wrap: Callable[..., Any]
    events: list[Any] = field(default_factory=list)
    closes: list[Any] = field(default_factory=list)
    engine: Engine = None  # type: ignore[assignment]
    plain: Any = None

    def __post_init__(self) -> None:
        self.stub.mind = clerk
        self.engine = self.new_engine()

    def new_engine(self, *given: Any, checked: bool = True, **options: Any) -> Engine:
        """Return an engine that knows the shop's tools; the refund is checked."""
        engine = Engine(*given, observers=[self.events.append], **options)
        self.closes.append(engine)
        if checked:
            engine.external_tool("find_order", effect="read")
            engine.external_tool("refund", effect="write", pre_check=Check(self.shop.is_open))
            engine.external_tool("mail", effect="write")
        return engine

    def client(self, engine: Engine | None = None, **options: Any) -> Any:
        if self.plain is None:  # Making one takes long, and wrapping does not change it.
            self.plain = self.make_client(base_url=self.stub.url)
            self.closes.append(self.plain)
        return self.wrap(self.plain, engine or self.engine, **options)

    def async_client(self, engine: Engine | None = None, **options: Any) -> Any:
        return self.wrap(self.make_async_client(base_url=self.stub.url), engine or self.engine, **options)

    def loop(self, client: Any = None, **options: Any) -> Loop:
        """Return an agent with the shop's tools."""
        return Loop(client or self.client(), self.wire, options.pop("tools", self.shop.tools()), **options)

    # -- asserting

    @contextmanager
    def asks(self, times: int) -> Iterator[None]:
        """Assert how often the model is asked in a block."""
        before = self.stub.asked
        yield
        assert self.stub.asked - before == times

    def notices(self, code: str) -> list[Any]:
        return [event for event in self.events if getattr(event, "code", None) == code]

    def reset(self, *customers: str) -> None:
        """Open the orders again."""
        for order, _ in [ORDERS[customer] for customer in customers or ORDERS]:
            self.shop.status[order] = "open"
        self.shop.log.clear()
        self.shop.mails.clear()

    def close(self) -> None:
        for thing in self.closes:
            thing.close()


ALL = ["find_order", "refund", "mail"]


def learn(kit: Kit, customer: str = "Ada", **options: Any) -> Any:
    """Let the model do the task once, and assert that it was learned."""
    loop = kit.loop(**options)
    with kit.engine.task(TASK, params=params(customer)) as task, kit.asks(4):
        text = loop.run(prompt(customer))
    assert text == f"{customer} has the money of {ORDERS[customer][0]}."
    assert not bool(task.outcome)
    assert task.outcome.learned, task.outcome
    assert [name for name, _ in loop.made] == ALL
    kit.reset()
    return task.outcome


def dumped(store: Any) -> str:
    """Return all that a store holds, as text."""
    return json.dumps([str(record) for record in store], default=repr)
