"""An agent of the OpenAI Agents SDK that remembers: the model is asked once, after that its tool calls are replayed.

Run it with `python examples/openai_agents_agent.py` after `pip install 'muscle-mem[openai-agents]'`. It works offline:
a small model on this machine stands in for the real one. With OPENAI_API_KEY in the environment it asks that of OpenAI
(OPENAI_DEFAULT_MODEL says which).
"""

import json
import os

from agents import Agent, Model, ModelProvider, ModelResponse, RunConfig, Runner, Usage, function_tool
from openai.types.responses import ResponseFunctionToolCall, ResponseOutputMessage, ResponseOutputText

from muscle_mem import Check, Engine
from muscle_mem.integrations.openai_agents import MuscleMemoryProvider, memory_guardrail

engine = Engine()
orders = {"A-1001": {"customer": "Ada", "total": 250, "state": "paid"}}  # the world that the tools act in
guardrails = [memory_guardrail(engine)]


@function_tool(tool_input_guardrails=guardrails)
@engine.tool(effect="read")
def find_order(order: str) -> str:
    """Find an order by its number."""
    return json.dumps(orders[order])


# The check sees what a person would look at before a refund: is this order still paid? The person is asked by the SDK,
# and the guardrail asks the check again after the person's yes.
@function_tool(needs_approval=True, tool_input_guardrails=guardrails)
@engine.tool(effect="write", pre_check=Check(lambda order: orders[order]["state"]))
def refund(order: str) -> str:
    """Refund an order."""
    orders[order]["state"] = "refunded"
    return f"refunded {orders[order]['total']} to {orders[order]['customer']}"


desk = Agent(
    name="desk", instructions="Find the order, refund it if it is paid, then report.", tools=[find_order, refund]
)


class StandIn(Model):
    """A model that works offline: it finds the order, refunds it if it is paid, and reports."""

    def __init__(self) -> None:
        self.asked = 0

    async def get_response(self, system_instructions, input, *args, **kwargs) -> ModelResponse:
        self.asked += 1
        results = [item["output"] for item in input if item.get("type") == "function_call_output"]
        if not results:
            items = [self.call("find_order")]
        elif len(results) == 1 and json.loads(results[0])["state"] == "paid":
            items = [self.call("refund")]
        else:
            items = [self.message(results[-1] if len(results) == 2 else "It is not paid, so there is no refund.")]
        return ModelResponse(output=items, usage=Usage(requests=1, input_tokens=500), response_id=None)

    def call(self, name: str) -> ResponseFunctionToolCall:
        arguments = json.dumps({"order": "A-1001"})
        return ResponseFunctionToolCall(
            type="function_call", call_id=f"call_{self.asked}", name=name, arguments=arguments
        )

    def message(self, text: str) -> ResponseOutputMessage:
        content = [ResponseOutputText(type="output_text", text=text, annotations=[])]
        return ResponseOutputMessage(
            type="message", id=f"msg_{self.asked}", role="assistant", status="completed", content=content
        )

    def stream_response(self, *args, **kwargs):
        raise NotImplementedError("this stand-in does not stream")


class Only(ModelProvider):
    """A provider with one model."""

    def __init__(self, model: Model) -> None:
        self.model = model

    def get_model(self, model_name: str | None) -> Model:
        return self.model


stand_in = StandIn()
real = None if os.environ.get("OPENAI_API_KEY") else Only(stand_in)
config = RunConfig(model_provider=MuscleMemoryProvider(engine, real), tracing_disabled=True)


def do(task: str):
    """Run the agent, say yes to each refund, and report who asked for the calls."""
    with engine.task(task) as block:
        result = Runner.run_sync(desk, task, run_config=config)
        while result.interruptions:
            state = result.to_state()
            for question in result.interruptions:
                print(f"  a person approves {question.name}({question.arguments})")
                state.approve(question)
            result = Runner.run_sync(desk, state, run_config=config)
    print(f"{block.outcome.status}: {result.final_output} ({result.context_wrapper.usage.requests} model calls)")
    return block.outcome


if __name__ == "__main__":
    do("Refund order A-1001.")  # the model is asked, and the run is recorded
    orders["A-1001"]["state"] = "paid"  # as it was in the morning
    do("Refund order A-1001.")  # a hit: the same calls, no model
    do("Refund order A-1001.")  # it is refunded already: the check stops the replay, and the model answers
