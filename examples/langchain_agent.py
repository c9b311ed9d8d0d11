"""An agent of LangChain that remembers: the model is asked once, after that the agent's own loop repeats the calls.

Run it with `python examples/langchain_agent.py`, after `pip install 'muscle-mem[langchain]'`. It works offline, with a
stub in place of a model. With MUSCLE_MEM_MODEL in the environment, such as `openai:gpt-5-mini`, and the key of its
provider, it asks that one (`pip install langchain-openai`).
"""

import json
import os
import time

from langchain.agents import create_agent
from langchain.agents.middleware import HumanInTheLoopMiddleware
from langchain.chat_models import init_chat_model
from langchain_core.language_models.chat_models import BaseChatModel
from langchain_core.messages import AIMessage, ToolMessage
from langchain_core.outputs import ChatGeneration, ChatResult
from langchain_core.tools import tool
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.types import Command

from muscle_mem import Check, Engine
from muscle_mem.integrations.langchain import MuscleMemoryMiddleware

engine = Engine()
orders = {"A-1001": {"customer": "Ada", "state": "delivered"}, "B-2002": {"customer": "Bob", "state": "delivered"}}


# Three tools of the framework. One of them changes something: its check looks at what a person would look at before
# acting, and the framework asks a person for approval.
@tool
def find_order(customer: str) -> str:
    """Find the last order of a customer."""
    number = next(number for number, order in orders.items() if order["customer"] == customer)
    return json.dumps({"order": number, "customer": customer})


@tool
def refund(order: str) -> str:
    """Refund an order in full."""
    orders[order]["state"] = "refunded"
    return "The money is on its way."


@tool
def send_note(customer: str, text: str) -> str:
    """Send a short note to a customer."""
    return "The note is on its way."


engine.external_tool("refund", effect="write", pre_check=Check(lambda order: orders[order]["state"]))


class Stub(BaseChatModel):
    """A model so simple that it needs no network: it knows what is to be done, and sees what was done."""

    asked: int = 0

    @property
    def _llm_type(self) -> str:
        return "stub"

    def bind_tools(self, tools, **options):
        return self

    def _generate(self, messages, stop=None, run_manager=None, **options):
        self.asked += 1
        customer = next(name for name in ("Ada", "Bob") if name in messages[1].text)
        results = [message for message in messages if isinstance(message, ToolMessage)]
        order = json.loads(results[0].text)["order"] if results else ""
        plan = [
            ("find_order", {"customer": customer}),
            ("refund", {"order": order}),
            ("send_note", {"customer": customer, "text": f"We paid for {order}."}),
        ]
        if results and results[-1].status == "error":
            said = AIMessage("The order has changed, so I did nothing.")
        elif len(results) < len(plan):
            name, arguments = plan[len(results)]
            said = AIMessage("", tool_calls=[{"name": name, "args": arguments, "id": f"call_{self.asked}"}])
        else:
            said = AIMessage(f"{customer} has the money of {order} back.")
        said.usage_metadata = {"input_tokens": 400, "output_tokens": 20, "total_tokens": 420}
        return ChatResult(generations=[ChatGeneration(message=said)])


named = os.environ.get("MUSCLE_MEM_MODEL")
model = init_chat_model(named) if named else Stub()

agent = create_agent(
    model,
    [find_order, refund, send_note],
    system_prompt="You are a clerk. Use the tools, one call at a time, then answer in one sentence.",
    middleware=[
        MuscleMemoryMiddleware(engine),  # the one line
        HumanInTheLoopMiddleware({"refund": True}),
    ],
    checkpointer=InMemorySaver(),
)


def clerk(prompt: str, thread: str, while_you_think=lambda: None) -> None:
    """Run the agent as you would without a memory: with a person who approves."""
    config = {"configurable": {"thread_id": thread}}
    result = agent.invoke({"messages": [{"role": "user", "content": prompt}]}, config)
    while "__interrupt__" in result:
        for request in result["__interrupt__"][0].value["action_requests"]:
            print(f"  approved: {request['name']}")
        time.sleep(0.1)  # a person thinks
        while_you_think()
        result = agent.invoke(Command(resume={"decisions": [{"type": "approve"}]}), config)
    print(f"  answer: {result['messages'][-1].text}")


def main() -> None:
    for title, customer, number, then in (
        ("The first time nothing is known: the model is asked for every call.", "Ada", "A-1001", "delivered"),
        (
            "Another customer: the same calls with other values, the approval, and no model.",
            "Bob",
            "B-2002",
            "delivered",
        ),
        ("The order changes while you think about the approval: the call is not made.", "Ada", "A-1001", "lost"),
    ):
        orders[number]["state"] = "delivered"
        before = getattr(model, "asked", 0)
        print(title)
        with engine.task("refund the last order", params={"customer": customer, "order": number}) as task:
            clerk(
                f"Refund the last order of {customer}, and tell them.",
                thread=title,
                while_you_think=lambda number=number, then=then: orders[number].update(state=then),
            )
        status = task.outcome.status if task.outcome is not None else "no run"
        print(f"  -> {status}" + ("" if named else f", the model was asked {model.asked - before} times"))


if __name__ == "__main__":
    main()
