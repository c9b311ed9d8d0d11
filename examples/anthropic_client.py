"""A tool loop around the client of Anthropic that remembers: the model is asked once, then its calls are replayed.

Run it with `python examples/anthropic_client.py`, after `pip install 'muscle-mem[anthropic]'`. It works offline: a stub
on this machine answers in place of the API. With ANTHROPIC_API_KEY in the environment it asks the API, and reports what
happened. MUSCLE_MEM_MODEL says which model.
"""

import json
import os
import threading
import time
from http.server import BaseHTTPRequestHandler, HTTPServer

from anthropic import Anthropic, DefaultHttpxClient

from muscle_mem import Check, Engine
from muscle_mem.integrations.anthropic import may_be_made, wrap_anthropic

engine = Engine()
orders = {"A-1001": {"customer": "Ada", "state": "delivered"}, "B-2002": {"customer": "Bob", "state": "delivered"}}
model = os.environ.get("MUSCLE_MEM_MODEL", "claude-sonnet-5")
sent = []  # the requests that left for the model


# Three tools of the loop. One of them changes something: its check looks at what a person would look at before
# acting, and the loop asks a person for approval.
def find_order(customer: str) -> str:
    """Find the last order of a customer."""
    number = next(number for number, order in orders.items() if order["customer"] == customer)
    return json.dumps({"order": number, "customer": customer})


def refund(order: str) -> str:
    """Refund an order in full."""
    orders[order]["state"] = "refunded"
    return "The money is on its way."


def send_note(customer: str, text: str) -> str:
    """Send a short note to a customer."""
    return "The note is on its way."


engine.external_tool("find_order", effect="read")
engine.external_tool("refund", effect="write", pre_check=Check(lambda order: orders[order]["state"]))

CHANGED = "The call was not made: the order has changed."
TOOLS = {tool.__name__: tool for tool in (find_order, refund, send_note)}


def definition(tool) -> dict:
    """Describe a function to the model; all of its arguments are texts."""
    names = [name for name in tool.__annotations__ if name != "return"]
    schema = {"type": "object", "properties": {name: {"type": "string"} for name in names}, "required": names}
    return {"name": tool.__name__, "description": tool.__doc__, "input_schema": schema}


def is_approved(client, call_id: str, while_you_think) -> bool:
    """Ask a person, who takes a moment; then ask whether the call still fits, for the order may have changed."""
    print("  approved: refund")
    time.sleep(0.1)
    while_you_think()
    return may_be_made(client, call_id)


def clerk(client, prompt: str, while_you_think=lambda: None) -> str:
    """Run the loop as you would without a memory: ask, make the calls, send the results, until there is an answer."""
    system = "You are a clerk. Make one call at a time, then answer in one sentence."
    messages = [{"role": "user", "content": prompt}]
    tools = [definition(tool) for tool in TOOLS.values()]
    while True:
        reply = client.messages.create(model=model, max_tokens=1000, system=system, messages=messages, tools=tools)
        messages.append({"role": "assistant", "content": reply.content})
        results = []
        for call in reply.content:
            if call.type == "tool_use":
                print(f"  {call.name}({json.dumps(call.input)})")
                if call.name == "refund" and not is_approved(client, call.id, while_you_think):
                    result = CHANGED
                else:
                    result = TOOLS[call.name](**call.input)
                results.append({"type": "tool_result", "tool_use_id": call.id, "content": result})
        if not results:
            return "".join(block.text for block in reply.content if block.type == "text")
        messages.append({"role": "user", "content": results})


class Stub(BaseHTTPRequestHandler):
    """A model so simple that it needs no network: it knows what is to be done, and sees what was done."""

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        reply = json.dumps(self.reply(body["messages"])).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(reply)))
        self.end_headers()
        self.wfile.write(reply)

    def reply(self, messages: list) -> dict:
        customer = next(name for name in ("Ada", "Bob") if name in messages[0]["content"])
        results = [message["content"][0]["content"] for message in messages[1:] if message["role"] == "user"]
        found = json.loads(results[0]) if results else {"order": ""}
        plan = [
            ("find_order", {"customer": customer}),
            ("refund", {"order": found["order"]}),
            ("send_note", {"customer": customer, "text": f"We paid for {found['order']}."}),
        ]
        if CHANGED in results:
            said = {"type": "text", "text": "The order has changed, so I did nothing."}
        elif len(results) == len(plan):
            said = {"type": "text", "text": f"{customer} has the money of {found['order']} back."}
        else:
            name, arguments = plan[len(results)]
            said = {"type": "tool_use", "id": f"toolu_{len(sent)}", "name": name, "input": arguments}
        return {
            "id": f"msg_{len(sent)}",
            "type": "message",
            "role": "assistant",
            "model": "stub",
            "content": [said],
            "stop_reason": "tool_use" if said["type"] == "tool_use" else "end_turn",
            "usage": {"input_tokens": 400, "output_tokens": 20},
        }

    def log_message(self, *args) -> None:
        """Say nothing."""


def main(base_url: str | None, key: str) -> None:
    with DefaultHttpxClient(event_hooks={"request": [sent.append]}) as http_client:
        plain = Anthropic(api_key=key, base_url=base_url, http_client=http_client)
        client = wrap_anthropic(plain, engine)  # the one line
        for title, customer, number, then in (
            ("The first time nothing is known: the model is asked for every call.", "Ada", "A-1001", "delivered"),
            (
                "Another customer: the same calls with other values, the approval, and no model.",
                "Bob",
                "B-2002",
                "delivered",
            ),
            (
                "The order changes while you think: the call is not made, and the model goes on.",
                "Ada",
                "A-1001",
                "lost",
            ),
        ):
            orders[number]["state"] = "delivered"
            before = len(sent)
            print(title)
            with engine.task("refund the last order", params={"customer": customer, "order": number}) as task:
                answer = clerk(
                    client,
                    f"Refund the last order of {customer}, and tell them.",
                    while_you_think=lambda number=number, then=then: orders[number].update(state=then),
                )
                print(f"  answer: {answer}")
            status = task.outcome.status if task.outcome is not None else "no run"
            print(f"  -> {status}, {len(sent) - before} requests to the model")


if __name__ == "__main__":
    if os.environ.get("ANTHROPIC_API_KEY"):
        main(None, os.environ["ANTHROPIC_API_KEY"])
    else:
        with HTTPServer(("127.0.0.1", 0), Stub) as server:
            threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
            main(f"http://127.0.0.1:{server.server_port}", "none")
            server.shutdown()
