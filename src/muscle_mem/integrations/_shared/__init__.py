"""Pure steps that every adapter of a framework shares.

The contract. An adapter makes one `Memory(engine, framework="...")`, translates the framework's request to a
`ModelRequest`, and asks what to do about it:

    turn = memory.turn(request)                 # or: await memory.aturn(request)
    if turn.kind == "pass":                     # not ours: call the model, and report nothing
        return call_model()
    if turn.kind == "replay":                   # give turn.calls as the model's tool calls, usage 0, marked turn.mark
        return response_with_calls(turn.calls, turn.mark)
    if turn.kind == "answer":                   # give turn.answer as the model's final answer, usage 0
        return response_with_answer(turn.answer, turn.mark)
    try:                                        # "ask": call the model with the request as it is
        response = call_model()
    except BaseException as error:
        turn.failed(error)
        raise
    turn.said(calls, answer, usage)             # or: await turn.asaid(...), before a tool of it is called
    return response

- `turn.said(calls, answer=None, usage=None)`: the calls of the response as `ModelCall`s in its order, without those
  that only carry a typed answer; without calls, the final answer: a text, or any JSON value that the adapter can make
  a response of again. The history of the framework has the replayed calls, so the request needs nothing else.
- Where the framework has a hook around a tool call, by the id of the call (unknown ids are ignored):
  `memory.confirm(id)` right before it; if False, make no call and give `memory.why_not(id)` as the result, without
  `done`. `with memory.inside(id):` around the call. `memory.done(id, result)` or `memory.done(id, error=exception)`
  after it. `memory.refused(id, why)` if a person refused the call. Each but `inside` and `why_not` has an async twin:
  `aconfirm`, `adone`, `arefused`. Give `Memory(confirms=False)` where there is no such hook.
- `memory.done(id, error=CallNotMadeError(text))` where the framework did not make the call, such as after an argument
  that its own validation refused. A call of a tool that was not offered counts as such by itself.
- `memory.finish(id, answer)` if a run ends with the results of its calls and without a model turn. `memory.unlearnable(
  id, why)` if its calls cannot be followed. `turn.failed(error)` closes the run of a turn.
- Without hooks, results are read from the tool's messages at the end of the next request, with their `is_error`.
- A request that the adapter cannot follow, such as one whose history the server keeps: `memory.leave_alone(why, ids)`
  with the ids of the calls whose results it holds, and call the model as if there was no adapter.
- While the model answers: `with answering(memory.engine):` (of `nesting`), so that an adapter below passes it through.
- An exception of the adapter itself: `memory.steps_aside(error)`, and call the model as if there was no adapter.
  `turn`, `said` and the hooks raise nothing but Missed, Diverged and StoreError, which are meant for the user.
"""

from ..._core.model.failed_calls import CallFailedError, CallNotMadeError
from .memory import Memory
from .messages import (
    Message,
    ModelCall,
    ModelRequest,
    Part,
    ToolOffer,
    Usage,
)
from .turns import ModelTurn

__all__ = [
    "CallFailedError",
    "CallNotMadeError",
    "Memory",
    "Message",
    "ModelCall",
    "ModelRequest",
    "ModelTurn",
    "Part",
    "ToolOffer",
    "Usage",
]
