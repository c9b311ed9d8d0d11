"""Agents of Google ADK that remember: the model is asked once, after that the runner repeats the calls.

Run it with `python examples/google_adk_agent.py`, after `pip install 'muscle-mem[google-adk]'`. It works offline: a
stub takes the place of the model. With MUSCLE_MEM_MODEL in the environment, such as `gemini-2.5-flash`, and its key, it
asks that one.
"""

import asyncio
import os

from google.adk.agents import LlmAgent
from google.adk.apps import App
from google.adk.models.base_llm import BaseLlm
from google.adk.models.llm_response import LlmResponse
from google.adk.runners import InMemoryRunner
from google.genai import types

from muscle_mem import Check, Engine
from muscle_mem.integrations.google_adk import MuscleMemoryPlugin

engine = Engine()
orders = {"A-1001": {"customer": "Ada", "state": "delivered"}}
asked = 0


def find_order(customer: str) -> str:
    """Find the last order of a customer."""
    return next(number for number, order in orders.items() if order["customer"] == customer)


engine.external_tool("find_order", effect="read")  # what the engine cannot know of a tool that is ADK's alone


@engine.tool(pre_check=Check(lambda order: orders[order]["state"]), effect="write")
def refund(order: str) -> str:
    """Refund an order in full."""
    orders[order]["state"] = "refunded"
    return f"{order} is refunded"


class Stub(BaseLlm):
    """A model so simple that it needs no network: it knows what is to be done, and sees what was done."""

    async def generate_content_async(self, llm_request, stream=False):
        global asked
        asked += 1
        results = [part for content in llm_request.contents for part in content.parts if part.function_response]
        plan = [("find_order", {"customer": "Ada"}), ("refund", {"order": "A-1001"})]
        if len(results) < len(plan):
            name, arguments = plan[len(results)]
            part = types.Part(function_call=types.FunctionCall(name=name, args=arguments))
        else:
            part = types.Part(text="Ada has her money back.")
        yield LlmResponse(content=types.Content(role="model", parts=[part]))


agent = LlmAgent(
    name="clerk",
    model=os.environ.get("MUSCLE_MEM_MODEL") or Stub(model="stub"),
    instruction="You are a clerk. Use the tools, one call at a time, then answer in one sentence.",
    tools=[find_order, refund],
)
app = App(name="office", root_agent=agent, plugins=[MuscleMemoryPlugin(engine)])  # the one line


async def clerk(prompt: str) -> None:
    runner = InMemoryRunner(app=app)
    session = await runner.session_service.create_session(app_name="office", user_id="ada")
    message = types.Content(role="user", parts=[types.Part(text=prompt)])
    async for event in runner.run_async(user_id="ada", session_id=session.id, new_message=message):
        for part in event.content.parts if event.content else ():
            if part.function_call:
                print(f"  {part.function_call.name}({part.function_call.args})")
            elif part.text:
                print(f"  answer: {part.text}")


def main() -> None:
    global asked
    for title, state in (
        ("The first time nothing is known: the model is asked for every call.", "delivered"),
        ("The second time the runner makes the same calls, without the model.", "delivered"),
        ("The order is lost: the pre-check fails, and the model decides.", "lost"),
    ):
        asked, orders["A-1001"]["state"] = 0, state
        print(title)
        with engine.task("refund the last order of Ada") as task:
            asyncio.run(clerk("Refund the last order of Ada."))
        times = "" if os.environ.get("MUSCLE_MEM_MODEL") else f", the model was asked {asked} times"
        print(f"  -> {task.outcome.status}{times}")


if __name__ == "__main__":
    main()
