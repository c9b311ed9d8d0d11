"""A chat loop that remembers: the model is asked once, after that its tool calls are replayed by this very loop.

Run it with `python examples/chat_loop.py`. It works offline: without OPENAI_BASE_URL in the environment it starts a
little stand-in for a model on this machine. With OPENAI_BASE_URL, OPENAI_API_KEY, MUSCLE_MEM_MODEL it asks that one.
"""

import json
import os
import threading
import urllib.request
from http.server import BaseHTTPRequestHandler, HTTPServer

from muscle_mem import Answered, AskAgent, Call, Check, Engine, Finished

engine = Engine()
desk = {"drawer": "locked", "letter": "in the drawer", "stamp": "none"}  # the world that the tools act in


# Three tools. The check looks at what a person would look at before acting: how this thing is now.
@engine.tool(pre_check=Check(lambda thing: desk[thing]), effect="read")
def look(thing: str) -> str:
    return desk[thing]


@engine.tool(pre_check=Check(lambda thing, state: desk[thing]), effect="write")
def change(thing: str, state: str) -> str:
    desk[thing] = state
    return f"the {thing} is {state} now"


TOOLS = {"look": look, "change": change}
A_THING = {"thing": {"type": "string", "enum": list(desk)}}
A_STATE = {"state": {"type": "string", "description": "what it shall be"}}
SCHEMAS = [
    {"type": "function", "function": {"name": name, "description": text, "parameters": {"type": "object", **rest}}}
    for name, text, rest in (
        ("look", "See how a thing is.", {"properties": A_THING, "required": ["thing"]}),
        ("change", "Change a thing.", {"properties": {**A_THING, **A_STATE}, "required": ["thing", "state"]}),
    )
]


class Model:
    """Any endpoint that speaks OpenAI's chat completions. `asked` counts how often it was paid for."""

    def __init__(self, base_url: str) -> None:
        self.url = f"{base_url.rstrip('/')}/chat/completions"
        self.asked = 0

    def reply(self, messages: list) -> dict:
        self.asked += 1
        body = {"model": os.environ.get("MUSCLE_MEM_MODEL", "gpt-4o-mini"), "messages": messages, "tools": SCHEMAS}
        headers = {
            "Content-Type": "application/json",
            "Authorization": f"Bearer {os.environ.get('OPENAI_API_KEY', '')}",
        }
        request = urllib.request.Request(self.url, json.dumps(body).encode(), headers)
        with urllib.request.urlopen(request, timeout=120) as response:
            return json.load(response)["choices"][0]["message"]


def execute(call: Call) -> str:
    """This loop's own way to make a tool call. Approvals, streaming and tracing would have their place here."""
    print(f"  {'replayed' if call.replayed else 'the model'}: {call.name}({call.arguments})")
    return TOOLS[call.name](**call.arguments)


def chat(model: Model, task: str, **options):
    """The loop, as you may have written it before. New are only the four things that `session.next()` can say."""
    messages = [{"role": "system", "content": "Use the tools, then answer."}, {"role": "user", "content": task}]
    with engine.session(task, **options) as session:
        while True:
            turn = session.next()
            if isinstance(turn, Call):  # make this call, whoever wants it, and tell what came of it
                try:
                    result = execute(turn)
                except Exception as error:
                    session.done(turn, error=error)
                    result = f"error: {error}"
                else:
                    session.done(turn, result)
                if not turn.replayed:
                    messages.append({"role": "tool", "tool_call_id": turn.id, "content": str(result)})
            elif isinstance(turn, Answered):  # only with on_divergence="absorb": a replay has done that already
                messages.append({"role": "tool", "tool_call_id": turn.id, "content": str(turn.error or turn.result)})
            elif isinstance(turn, AskAgent):  # let the model speak
                if turn.handover is not None:  # a replay stopped in the middle: as if the model had made these calls
                    messages += turn.handover.as_messages()
                said = model.reply(messages)
                messages.append(said)
                session.said(said.get("tool_calls") or [], value=None if said.get("tool_calls") else said["content"])
            elif isinstance(turn, Finished):
                return turn.outcome


class StandIn(BaseHTTPRequestHandler):
    """A model so simple that it needs no network: it knows what is to be done, and sees what was done."""

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


def main(base_url: str) -> None:
    model = Model(base_url)
    fresh = dict(desk)
    for title, world in (
        ("The first time nothing is known: the model is asked for every call.", {}),
        ("The second time the loop makes the same calls, and the model is not asked at all.", {}),
        ("Somebody has moved the letter: the model goes on from the middle.", {"letter": "under the drawer"}),
        ("And that is known now, too.", {"letter": "under the drawer"}),
    ):
        desk.update({**fresh, **world})
        model.asked = 0
        print(title)
        outcome = chat(model, "get the letter ready")
        print(f"  -> {outcome.status}, the model was asked {model.asked} times")


if __name__ == "__main__":
    if os.environ.get("OPENAI_BASE_URL"):
        main(os.environ["OPENAI_BASE_URL"])
    else:
        server = HTTPServer(("127.0.0.1", 0), StandIn)  # a free port of this machine, reachable from nowhere else
        threading.Thread(target=server.serve_forever, daemon=True).start()
        main(f"http://127.0.0.1:{server.server_port}")
        server.shutdown()
        server.server_close()
