"""A desk that refunds orders, with an agent of LangChain: what the tests of its middleware look at."""

from __future__ import annotations

import inspect
import json
from collections.abc import Sequence
from typing import Any

from langchain.agents import create_agent
from langchain_core.messages import AIMessage, BaseMessage, ToolMessage
from langchain_core.tools import tool

from langchain_model import ScriptedModel, result_of
from muscle_mem import Check, Engine
from muscle_mem.integrations.langchain import MuscleMemoryMiddleware

TASK = "refund the last order"
PROMPT = "Refund the last order of {customer}, and write to them."
ANSWER = "Refunded {order} for {customer}."


class Desk:
    """Orders, what was done with them, and an engine whose tool `refund` looks at the order first.

    `log` has the calls that were made. `plan` is what the model does: look the order up, refund it, write, answer.
    """

    def __init__(self, *, engine: Engine | None = None, checked: bool = True, **options: Any) -> None:
        self.orders = {"Ada": "A-1001", "Bob": "B-2002"}
        self.status = {"A-1001": "paid", "B-2002": "paid"}
        self.log: list[tuple[str, Any]] = []
        self.events: list[Any] = []
        self.engine = engine or Engine(observers=[self.events.append], **options)
        if checked:
            self.engine.external_tool("refund", effect="write", pre_check=Check(lambda order_id: self.status[order_id]))
        self.find_order = self._find_order()
        self.refund = self._refund()
        self.write = self._write()

    def _find_order(self) -> Any:
        @tool
        def find_order(customer: str) -> str:
            """Find the last order of a customer."""
            self.log.append(("find_order", customer))
            return json.dumps({"order_id": self.orders[customer], "customer": customer})

        return find_order

    def _refund(self) -> Any:
        @tool
        def refund(order_id: str) -> str:
            """Refund an order."""
            self.log.append(("refund", order_id))
            self.status[order_id] = "refunded"
            return "The money is on its way."

        return refund

    def _write(self) -> Any:
        @tool
        def write(customer: str, text: str) -> str:
            """Write to a customer."""
            self.log.append(("write", customer))
            return "The letter is on its way."

        return write

    @property
    def tools(self) -> list[Any]:
        return [self.find_order, self.refund, self.write]

    def plan(self, customer: str = "Ada", answer: Any = None) -> list[Any]:
        """What the model does for a customer."""
        found = result_of("find_order")

        def order(messages: Sequence[BaseMessage]) -> str:
            return str(json.loads(found(messages))["order_id"])

        return [
            [("find_order", {"customer": customer})],
            lambda messages: [("refund", {"order_id": order(messages)})],
            lambda messages: [("write", {"customer": customer, "text": f"Order {order(messages)} is refunded."})],
            answer or (lambda messages: ANSWER.format(order=order(messages), customer=customer)),
        ]

    def model(self, customer: str = "Ada", answer: Any = None, **options: Any) -> ScriptedModel:
        return ScriptedModel(plan=self.plan(customer, answer), **options)

    def agent(self, model: Any, *, first: Sequence[Any] = (), then: Sequence[Any] = (), **options: Any) -> Any:
        """An agent with the memory between the middleware `first` and `then`."""
        settings = {name: options.pop(name) for name in ("answer", "rejoin") if name in options}
        tools = options.pop("tools", self.tools)
        memory = MuscleMemoryMiddleware(self.engine, tools=options.pop("tool_names", None), **settings)
        return create_agent(model, tools, middleware=[*first, memory, *then], **options)

    def reset(self) -> None:
        """Put the orders back, so that the same task can be done again."""
        self.status.update(dict.fromkeys(self.status, "paid"))
        self.log.clear()
        self.events.clear()

    def made(self) -> list[str]:
        """The names of the tools that were called."""
        return [name for name, _ in self.log]


def names_agents() -> bool:
    """Whether this version of LangChain passes on the name of an agent."""
    return "lc_agent_name" in inspect.getsource(inspect.getmodule(create_agent) or create_agent)


def asked_for(customer: str = "Ada") -> dict[str, Any]:
    """What an agent is invoked with."""
    return {"messages": [{"role": "user", "content": PROMPT.format(customer=customer)}]}


def params(customer: str = "Ada", order: str = "A-1001") -> dict[str, str]:
    return {"customer": customer, "order": order}


def last(result: dict[str, Any]) -> str:
    """The text of the last message."""
    return str(result["messages"][-1].content)


def calls_in(messages: Sequence[BaseMessage]) -> list[tuple[str, dict[str, Any]]]:
    """The tool calls that a conversation shows."""
    return [(c["name"], c["args"]) for m in messages if isinstance(m, AIMessage) for c in m.tool_calls]


def results_in(messages: Sequence[BaseMessage]) -> list[str]:
    return [str(m.content) for m in messages if isinstance(m, ToolMessage)]
