"""An agent of Strands that remembers: the model is asked once, after that the agent's own loop repeats the calls.

Run it with `python examples/strands_agent.py`, after `pip install 'muscle-mem[strands]'`. It works offline: a stub
takes the place of the model.
"""

import json

from strands import Agent, tool
from strands.models.model import Model

from muscle_mem import Check, Engine
from muscle_mem.integrations.strands import MuscleMemoryPlugin

engine = Engine()
orders = {"A-1001": {"customer": "Ada", "state": "delivered"}}
asked = 0


@tool
def find_order(customer: str) -> str:
    """Find the last order of a customer."""
    return next(number for number, order in orders.items() if order["customer"] == customer)


engine.external_tool("find_order", effect="read")  # what the engine cannot know of a tool that is the SDK's alone


@tool
@engine.tool(pre_check=Check(lambda order: orders[order]["state"]), effect="write")
def refund(order: str) -> str:
    """Refund an order in full."""
    orders[order]["state"] = "refunded"
    return f"{order} is refunded"


class Stub(Model):
    """A model so simple that it needs no network: it knows what is to be done, and sees what was done."""

    def get_config(self):
        return {"model_id": "stub"}

    def update_config(self, **options): ...

    def structured_output(self, *args, **options): ...

    async def stream(self, messages, tool_specs=None, system_prompt=None, **options):
        global asked
        asked += 1
        results = [block for message in messages for block in message["content"] if "toolResult" in block]
        plan = [("find_order", {"customer": "Ada"}), ("refund", {"order": "A-1001"})]
        call = plan[len(results)] if len(results) < len(plan) else None
        start = {"toolUse": {"name": call[0], "toolUseId": f"{id(messages)}-{asked}"}} if call else {}
        delta = {"toolUse": {"input": json.dumps(call[1])}} if call else {"text": "Ada has her money back."}
        yield {"messageStart": {"role": "assistant"}}
        yield {"contentBlockStart": {"start": start}}
        yield {"contentBlockDelta": {"delta": delta}}
        yield {"contentBlockStop": {}}
        yield {"messageStop": {"stopReason": "tool_use" if call else "end_turn"}}


def clerk(prompt: str) -> None:
    agent = Agent(
        model=Stub(),
        name="clerk",
        system_prompt="You are a clerk. Use the tools, one call at a time, then answer in one sentence.",
        tools=[find_order, refund],
        callback_handler=None,
        plugins=[MuscleMemoryPlugin(engine)],  # the one line
    )
    print(f"  answer: {str(agent(prompt)).strip()}")


def main() -> None:
    global asked
    for title, state in (
        ("The first time nothing is known: the model is asked for every call.", "delivered"),
        ("The second time the agent makes the same calls, without the model.", "delivered"),
        ("The order is lost: the pre-check fails, and the model decides.", "lost"),
    ):
        asked, orders["A-1001"]["state"] = 0, state
        print(title)
        with engine.task("refund the last order of Ada") as task:
            clerk("Refund the last order of Ada.")
        print(f"  -> {task.outcome.status}, the model was asked {asked} times")


if __name__ == "__main__":
    main()
