"""An agent of pydantic-ai that remembers: the model is asked once, after that the agent's own loop repeats the calls.

Run it with `python examples/pydantic_ai_agent.py`, after `pip install 'muscle-mem[pydantic-ai]'`. It works offline: a
stub takes the place of the model. With MUSCLE_MEM_MODEL in the environment, such as `openai:gpt-5-mini`, and the key of
its provider, it asks that one (`pip install 'pydantic-ai-slim[openai]'`).
"""

import os

from pydantic_ai import Agent, DeferredToolRequests, DeferredToolResults, Tool
from pydantic_ai.messages import ModelResponse, TextPart, ToolCallPart
from pydantic_ai.models.function import FunctionModel

from muscle_mem import Check, Engine
from muscle_mem.integrations.pydantic_ai import MuscleMemory

engine = Engine()
orders = {"A-1001": {"customer": "Ada", "paid": 30, "state": "delivered"}}
asked = 0


# Three tools. The first two are the framework's alone. The third changes something: its check looks at what a person
# would look at before acting, and the framework asks a person for approval.
def find_order(customer: str) -> str:
    """Find the last order of a customer."""
    return next(number for number, order in orders.items() if order["customer"] == customer)


def send_note(customer: str, text: str) -> str:
    """Send a short note to a customer."""
    return f"sent to {customer}"


# What the engine cannot know of tools that are the framework's alone.
engine.external_tool("find_order", effect="read")
engine.external_tool("send_note", effect="write")


@engine.tool(pre_check=Check(lambda order: orders[order]["state"]), effect="write")
def refund(order: str) -> str:
    """Refund an order in full."""
    orders[order]["state"] = "refunded"
    return f"{order} is refunded"


def stub(messages, info) -> ModelResponse:
    """A model so simple that it needs no network: it knows what is to be done, and sees what was done."""
    global asked
    asked += 1
    results = [part for message in messages for part in message.parts if part.part_kind == "tool-return"]
    plan = [
        ("find_order", {"customer": "Ada"}),
        ("refund", {"order": "A-1001"}),
        ("send_note", {"customer": "Ada", "text": "Your money is on its way."}),
    ]
    if any("was not made" in str(part.content) for part in results):
        return ModelResponse(parts=[TextPart("The state of the order has changed, so I did nothing.")])
    if len(results) < len(plan):
        return ModelResponse(parts=[ToolCallPart(*plan[len(results)])])
    return ModelResponse(parts=[TextPart("Ada has her money back.")])


agent = Agent(
    os.environ.get("MUSCLE_MEM_MODEL") or FunctionModel(stub),
    name="clerk",
    instructions="You are a clerk. Use the tools, one call at a time, then answer in one sentence.",
    tools=[find_order, Tool(refund, requires_approval=True), send_note],
    output_type=[str, DeferredToolRequests],
    capabilities=[MuscleMemory(engine)],  # the one line
)


def clerk(prompt: str, while_you_think=lambda: None) -> None:
    """Run the agent as you would without a memory: with a person who approves."""
    result = agent.run_sync(prompt)
    while isinstance(result.output, DeferredToolRequests):
        for call in result.output.approvals:
            print(f"  approved: {call.tool_name}({call.args_as_dict()})")
        while_you_think()
        approvals = {call.tool_call_id: True for call in result.output.approvals}
        result = agent.run_sync(
            message_history=result.all_messages(), deferred_tool_results=DeferredToolResults(approvals=approvals)
        )
    print(f"  answer: {result.output}")


def main() -> None:
    global asked
    order = orders["A-1001"]
    for title, then in (
        ("The first time nothing is known: the model is asked for every call.", "delivered"),
        ("The second time the agent makes the same calls, with the approval, and without the model.", "delivered"),
        ("The order changes while you think about the approval: the call is not made, and the model goes on.", "lost"),
    ):
        asked, order["state"] = 0, "delivered"
        print(title)
        with engine.task("refund the last order of Ada") as task:
            clerk("Refund the last order of Ada.", while_you_think=lambda then=then: order.update(state=then))
        times = "" if os.environ.get("MUSCLE_MEM_MODEL") else f", the model was asked {asked} times"
        print(f"  -> {task.outcome.status}{times}")


if __name__ == "__main__":
    main()
