"""A desk that refunds orders, as tools of the OpenAI Agents SDK: functions of the engine and plain function tools."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import Any

from agents import Agent, FunctionTool, RunResult, function_tool

from muscle_mem import Check, Engine
from muscle_mem.integrations.openai_agents import MuscleMemoryProvider, memory_guardrail
from openai_agents_stub import Plan, Stub, StubProvider, Wish, config, run

PARAMS = {"customer": "Ada Lovelace", "order": "A-1001"}
OTHERS = {"customer": "Grace Hopper", "order": "B-2002"}
DONE = [
    ("find_order", "A-1001"),
    ("refund", "A-1001", "250"),
    ("send_mail", "Ada Lovelace", "Order A-1001 was refunded."),
]
ANSWER = "Refunded A-1001 for Ada Lovelace."


def plan_of(turns: Sequence[Sequence[Wish]], answer: str) -> Plan:
    """Return the plan of a model that makes these turns, one call or several each, and then answers."""

    def plan(results: list[str]) -> list[Wish] | str:
        made = 0
        for turn in turns:
            if made == len(results):
                return list(turn)
            made += len(turn)
        return answer

    return plan


def mail(params: dict[str, str]) -> Wish:
    return "send_mail", {"to": params["customer"], "text": f"Order {params['order']} was refunded."}


def refund_plan(params: dict[str, str] = PARAMS) -> Plan:
    """Return what a model does: look for the order, refund it, write to the customer, answer."""
    find, refund = ("find_order", {"order": params["order"]}), ("refund", {"order": params["order"], "amount": 250})
    answer = f"Refunded {params['order']} for {params['customer']}."
    return plan_of([[find], [refund], [mail(params)]], answer)


class Desk:
    """The world, and an agent over it.

    Attributes:
        did: The calls that reached a tool.
        events: The events of the engine.
        breaks: What a tool raises, by its name.
    """

    def __init__(
        self,
        plan: Plan | None = None,
        *,
        approval: bool | Callable[..., Any] = False,
        guarded: bool = True,
        rejoin: bool = False,
        answer: Any = None,
        failure: Any = ...,
        store: Any = None,
        name: str = "",
        observers: Sequence[Any] = (),
        **agent: Any,
    ) -> None:
        self.events: list[Any] = []
        self.engine = Engine(store, observers=[self.events.append, *observers], name=name)
        self.did: list[tuple[str, ...]] = []
        self.breaks: dict[str, Exception] = {}
        self.state = dict.fromkeys(("A-1001", "B-2002"), "paid")
        self.stub = Stub(plan or refund_plan())
        self.real = StubProvider(self.stub)
        self.provider = MuscleMemoryProvider(self.engine, self.real, rejoin=rejoin, answer=answer)
        options: dict[str, Any] = {} if failure is ... else {"failure_error_function": failure}
        if guarded:
            options["tool_input_guardrails"] = [memory_guardrail(self.engine)]
        paid = Check(lambda order, amount: self.state[order], lambda now, then: bool(now == then))
        find = self.engine.tool(name="find_order", version=1, effect="read")(self.find_order)
        refund = self.engine.tool(name="refund", version=1, pre_check=paid)(self.refund)
        send = self.engine.tool(name="send_mail", version=1, pre_check=Check(lambda to, text: "up"))(self.send_mail)
        self.tools: list[FunctionTool] = [
            function_tool(find, name_override="find_order", **options),
            function_tool(refund, name_override="refund", needs_approval=approval, **options),
            function_tool(send, name_override="send_mail", **options),
        ]
        self.agent = Agent(**{"name": "desk", "instructions": "Refund orders.", "tools": list(self.tools), **agent})

    def _do(self, *call: str) -> None:
        self.did.append(call)
        if call[0] in self.breaks:
            raise self.breaks[call[0]]

    def find_order(self, order: str) -> str:
        self._do("find_order", order)
        return json.dumps({"order": order, "total": 250})

    def refund(self, order: str, amount: int) -> str:
        self._do("refund", order, str(amount))
        self.state[order] = "refunded"
        return "accepted"

    def send_mail(self, to: str, text: str) -> str:
        self._do("send_mail", to, text)
        return "sent"

    def reset(self, plan: Plan | None = None) -> None:
        """Make the world as it was, and forget what was done, asked and emitted."""
        self.state = dict.fromkeys(self.state, "paid")
        self.did.clear()
        self.events.clear()
        self.stub.requests.clear()
        self.stub.plan = plan or self.stub.plan

    def notices(self, code: str) -> list[str]:
        """Return the messages of the events of a code."""
        return [event.message for event in self.events if getattr(event, "code", "") == code]

    def learned(self, **options: Any) -> Any:
        """Have the task recorded, and make the world as it was."""
        task, result = self.do(**options)
        assert task.outcome.learned, task.outcome
        self.reset()
        return result

    def do(
        self,
        way: str = "sync",
        params: dict[str, str] = PARAMS,
        input: Any = None,
        agent: Agent[Any] | None = None,
        **options: Any,
    ) -> tuple[Any, Any]:
        """Do the task in a block, and return the block and the result of the SDK."""
        prompt = input if input is not None else " of ".join(["Refund order", *sorted(params.values())])
        with self.engine.task("refund an order", params=params) as task:
            result = run(way, agent or self.agent, prompt, config(self.provider), **options)
        return task, result

    def go_on(self, result: RunResult, *, approve: bool, way: str = "sync", message: str | None = None) -> Any:
        """Answer the open question of a result, and run on."""
        state = result.to_state()
        (question,) = state.get_interruptions()
        if approve:
            state.approve(question)
        else:
            state.reject(question, **({} if message is None else {"rejection_message": message}))
        return run(way, self.agent, state, config(self.provider))
