"""A chat loop that remembers: the model is asked once, after that its tool calls are replayed by this very loop.

Run it with `python examples/chat_loop.py`. Without OPENAI_BASE_URL in the environment it starts a small stand-in for a
model on this machine and works offline. With OPENAI_BASE_URL, OPENAI_API_KEY and MUSCLE_MEM_MODEL it asks that model,
and reports what happened: a model may need several attempts, and what it did not solve is not replayed.
"""

import json
import os
import threading
import urllib.request
from http.server import BaseHTTPRequestHandler, HTTPServer

from muscle_mem import Answered, AskAgent, Call, Check, Engine, Finished, MuscleMemError, Outcome

engine = Engine()
desk = {"drawer": "locked", "letter": "in the drawer", "stamp": "none"}  # the environment that the tools act in
MAX_TURNS = 12  # a model that never finishes costs at most this many requests


# Two tools. The check captures how the thing is before the call.
@engine.tool(pre_check=Check(lambda thing: desk[thing]), effect="read")
def look(thing: str) -> str:
    return desk[thing]


@engine.tool(pre_check=Check(lambda thing, state: desk[thing]), effect="write")
def change(thing: str, state: str) -> str:
    desk[thing] = state
    return f"the {thing} is {state} now"


TOOLS = {"look": look, "change": change}
A_THING = {"thing": {"type": "string", "enum": list(desk)}}
A_STATE = {"state": {"type": "string", "description": "the new state"}}
SCHEMAS = [
    {"type": "function", "function": {"name": name, "description": text, "parameters": {"type": "object", **rest}}}
    for name, text, rest in (
        ("look", "See how a thing is.", {"properties": A_THING, "required": ["thing"]}),
        ("change", "Change a thing.", {"properties": {**A_THING, **A_STATE}, "required": ["thing", "state"]}),
    )
]


class Model:
    """Any endpoint for OpenAI's chat completions. `asked` counts the requests."""

    def __init__(self, base_url: str) -> None:
        self.url = f"{base_url.rstrip('/')}/chat/completions"
        self.asked = 0

    def reply(self, messages: list) -> dict:
        self.asked += 1
        name = os.environ.get("MUSCLE_MEM_MODEL", "gpt-4o-mini")
        body = {"model": name, "messages": messages, "tools": SCHEMAS, "max_tokens": 500}
        headers = {
            "Content-Type": "application/json",
            "Authorization": f"Bearer {os.environ.get('OPENAI_API_KEY', '')}",
        }
        request = urllib.request.Request(self.url, json.dumps(body).encode(), headers)
        with urllib.request.urlopen(request, timeout=120) as response:
            return json.load(response)["choices"][0]["message"]


def execute(call: Call) -> str:
    """Make a tool call. Approvals, streaming and tracing would be here."""
    print(f"  {'replayed' if call.replayed else 'the model'}: {call.name}({call.arguments})")
    return TOOLS[call.name](**call.arguments)


def chat(model: Model, task: str, **options) -> Outcome:
    """Run the loop, as you may have written it before. New is only what `session.next()` can return."""
    messages = [{"role": "system", "content": "Use the tools, then answer."}, {"role": "user", "content": task}]
    with engine.session(task, **options) as session:
        while True:
            turn = session.next()
            if isinstance(turn, Call):  # Make this call, whether it is replayed or the model requested it.
                try:
                    result = execute(turn)
                except Exception as error:
                    session.done(turn, error=error)
                    result = f"error: {error}"
                else:
                    session.done(turn, result)
                if not turn.replayed:
                    messages.append({"role": "tool", "tool_call_id": turn.id, "content": str(result)})
            elif isinstance(turn, Answered):  # Only with on_divergence="absorb": the replay has made this call.
                messages.append({"role": "tool", "tool_call_id": turn.id, "content": str(turn.error or turn.result)})
            elif isinstance(turn, AskAgent):  # Ask the model.
                if turn.handover is not None:  # A replay stopped in the middle: add its steps to the history.
                    messages += turn.handover.as_messages()
                ask(model, session, messages)
            elif isinstance(turn, Finished):
                return turn.outcome


def ask(model: Model, session, messages: list) -> None:
    """Ask the model until the session accepts what it requests."""
    while True:
        if sum(message["role"] == "assistant" for message in messages) >= MAX_TURNS:
            raise RuntimeError(f"the model has not finished after {MAX_TURNS} turns")
        said = model.reply(messages)
        messages.append(said)
        calls = said.get("tool_calls") or []
        try:
            return session.said(calls, value=None if calls else said.get("content"))
        except MuscleMemError as error:  # For example arguments that are not JSON. None of the calls was accepted.
            messages += [{"role": "tool", "tool_call_id": call["id"], "content": f"error: {error}"} for call in calls]


class StandIn(BaseHTTPRequestHandler):
    """A stand-in for a model: it has a plan, and continues it after what was done."""

    PLAN = (("look", {"thing": "drawer"}), ("change", {"thing": "drawer", "state": "open"}))
    PLAN += (("look", {"thing": "letter"}), ("change", {"thing": "stamp", "state": "on the letter"}))

    def do_POST(self) -> None:
        messages = json.loads(self.rfile.read(int(self.headers["Content-Length"])))["messages"]
        done = sum(message["role"] == "tool" for message in messages)
        said = {"role": "assistant", "content": "The letter is ready."}
        if done < len(self.PLAN):
            name, arguments = self.PLAN[done]
            function = {"name": name, "arguments": json.dumps(arguments)}
            said = {"role": "assistant", "content": None}
            said["tool_calls"] = [{"id": f"call_{done}", "type": "function", "function": function}]
        answer = json.dumps({"choices": [{"message": said}]}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, *args) -> None:
        pass


def report(outcome: Outcome, asked: int) -> str:
    """Describe what happened, in one line."""
    if outcome.status == "hit":
        return f"hit: {outcome.steps} calls were replayed, the model was asked {asked} times"
    learned = "learned" if outcome.learned else f"not learned ({outcome.not_learned}: {outcome.not_learned_message})"
    counts = f"{outcome.steps} calls were replayed, the model was asked {asked} times"
    return f"{outcome.status} ({outcome.reason}): {counts}; {learned}"


def main(base_url: str) -> None:
    model = Model(base_url)
    fresh = dict(desk)
    for title, world in (
        ("A new task.", {}),
        ("The same task again.", {}),
        ("The letter has been moved under the drawer.", {"letter": "under the drawer"}),
        ("The letter is under the drawer again.", {"letter": "under the drawer"}),
    ):
        desk.update({**fresh, **world})
        model.asked = 0
        print(title)
        try:
            outcome = chat(model, "get the letter ready")
        except RuntimeError as error:
            print(f"  -> {error}")
        else:
            print(f"  -> {report(outcome, model.asked)}")


if __name__ == "__main__":
    if os.environ.get("OPENAI_BASE_URL"):
        main(os.environ["OPENAI_BASE_URL"])
    else:
        server = HTTPServer(("127.0.0.1", 0), StandIn)  # a free port of this machine, reachable from nowhere else
        threading.Thread(target=server.serve_forever, daemon=True).start()
        main(f"http://127.0.0.1:{server.server_port}")
        server.shutdown()
        server.server_close()
