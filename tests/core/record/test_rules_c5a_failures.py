"""C5a: a failure that comes as an answer counts as a tool that raised; one that did nothing is left out."""

from __future__ import annotations

import asyncio
import dataclasses
import json
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest

from muscle_mem import Engine, Outcome, Reason


@dataclasses.dataclass
class Message:
    """Has the form of a framework's message with the result of a tool."""

    content: Any
    status: str = "success"
    tool_call_id: str = "call 1"


@dataclasses.dataclass
class Result:
    """Has the form of a result of the Model Context Protocol."""

    content: Any
    isError: bool = False


class Slots:
    __slots__ = ("content", "is_error")

    def __init__(self, content: Any, is_error: bool) -> None:
        self.content, self.is_error = content, is_error


def text(what: str) -> list[dict[str, str]]:
    return [{"type": "text", "text": what}]


DECLARED = [
    {"content": text("The till is closed."), "isError": True},
    Result(text("The till is closed."), True),
    Result([SimpleNamespace(type="text", text="The till is closed.")], True),
    Slots(text("The till is closed."), True),
    SimpleNamespace(content=text("no"), structuredContent=None, isError=True),
    SimpleNamespace(tool_name="pay", content="no", is_error=True),
    {"type": "tool_result", "tool_use_id": "1", "content": "no", "is_error": True},
    {"toolUseId": "1", "status": "error", "content": [{"text": "no"}]},
    Message("The till is closed.", "error"),
    SimpleNamespace(content="no", status="error", tool_call_id="1"),
]

INVALID = [
    "Input validation error: 'amount' is a required property",
    "MCP error -32602: Input validation error: Invalid arguments for tool pay: [...]",
    "MCP error -32602: Invalid arguments for tool pay: [...]",
    "Error executing tool pay: 1 validation error for payArguments\namount\n  Field required",
    "2 validation errors for call[pay]\namount\n  Field required",
    "Invalid arguments for tool pay",
    "### Error\nError: Invalid arguments for tool pay",
    "Unknown tool: pey",
]


class Till:
    """A tool that answers what a test says, and an agent that calls it, perhaps again."""

    def __init__(self, effect: str | None = "write", **options: Any) -> None:
        self.answers: dict[Any, Any] = {}
        self.calls: list[Any] = []
        self.engine = engine = Engine()
        self.amounts: list[Any] = [150]

        @engine.tool(name="pay", effect=effect, **options)
        def pay(amount: Any) -> Any:
            self.calls.append(amount)
            answer = self.answers.get(amount, "A receipt with many words.")
            if callable(answer):
                answer = answer()
            if isinstance(answer, Exception):
                raise answer
            return answer

        @engine.tool(name="tell", effect="write")
        def tell() -> None:
            self.calls.append("tell")

        self.pay, self.tell = pay, tell
        engine.set_agent(self.agent)

    def agent(self, task: str) -> None:
        for amount in self.amounts:
            try:
                self.pay(amount)
            except (ValueError, ConnectionError):
                pass
        self.tell()

    def run(self, **options: Any) -> tuple[Outcome, list[Any]]:
        self.calls = []
        return self.engine("t", **options), self.calls


@pytest.mark.parametrize("answer", DECLARED)
@pytest.mark.parametrize("effect", ["write", None, "irreversible"])
def test_c5a_a_failed_answer_of_a_write_quarantines_what_is_recorded(answer: Any, effect: str | None) -> None:
    till = Till(effect)
    till.answers[150] = answer
    outcome, _ = till.run()
    assert outcome.not_learned == Reason.FAILED_WRITE
    assert "'pay' returned" in outcome.not_learned_message
    assert till.run()[0].reason == Reason.QUARANTINED


@pytest.mark.parametrize("answer", DECLARED)
def test_c5a_a_failed_answer_of_a_read_is_left_out(answer: Any) -> None:
    till = Till("read")
    till.answers[150] = answer
    assert till.run()[0].learned
    outcome, calls = till.run()
    assert outcome
    assert calls == ["tell"]


@pytest.mark.parametrize("answer", DECLARED)
def test_c5a_failed_false_says_that_no_answer_is_a_failure(answer: Any) -> None:
    till = Till(failed=False)
    till.answers[150] = answer
    assert till.run()[0].learned
    outcome, calls = till.run()
    assert outcome
    assert calls == [150, "tell"]


@pytest.mark.parametrize(
    "answer",
    [
        {"isError": True},
        {"is_error": 1, "content": "x"},
        {"status": "error"},
        {"error": "of the measurement: 5 %"},
        {"ok": False},
        "Error bars are shown.",
        SimpleNamespace(isError=True),
        [{"content": "x", "isError": True}],
    ],
)
def test_c5a_other_answers_are_no_failures_when_recorded(answer: Any) -> None:
    till = Till()
    till.answers[150] = answer
    assert till.run()[0].learned
    assert till.run()[0]


@pytest.mark.parametrize("wrong", INVALID)
@pytest.mark.parametrize("effect", ["write", "idempotent", "irreversible"])
def test_c5a_a_corrected_invalid_input_is_left_out(wrong: str, effect: str) -> None:
    till = Till(effect)
    till.amounts = ["150", 150]
    till.answers["150"] = Result(text(wrong), True)
    assert till.run()[0].learned
    outcome, calls = till.run(approve=lambda: True)
    assert outcome, outcome.message
    assert calls == [150, "tell"]


@pytest.mark.parametrize(
    "wrong",
    [
        "Output validation error: 'id' is a required property",
        "Error executing tool pay: 1 validation error for Order\nid\n  Field required",
        "The server said: invalid arguments for tool pay",
        "",
    ],
)
def test_c5a_an_error_that_may_have_done_something_is_not_left_out(wrong: str) -> None:
    till = Till()
    till.amounts = ["150", 150]
    till.answers["150"] = Result(text(wrong), True)
    assert till.run()[0].not_learned == Reason.FAILED_WRITE


def test_c5a_failed_says_nothing_done() -> None:
    till = Till(failed=lambda result: "nothing_done" if "refused" in str(result) else "error" in str(result))
    till.amounts = [1, 2]
    till.answers[1] = "refused"
    assert till.run()[0].learned
    outcome, calls = till.run()
    assert outcome
    assert calls == [2, "tell"]
    till.engine.cache_clear()
    till.answers[1] = "an error"
    assert till.run()[0].not_learned == Reason.FAILED_WRITE


def test_c5a_failed_sees_scalars_and_none() -> None:
    till = Till(failed=lambda result: result in (None, -1, ""))
    for answer in (None, -1, ""):
        till.engine.cache_clear()
        till.answers[150] = answer
        assert till.run()[0].not_learned == Reason.FAILED_WRITE
    till.engine.cache_clear()
    till.answers[150] = "paid in full"
    assert till.run()[0].learned
    till.answers[150] = -1
    outcome, calls = till.run()
    assert outcome.reason == Reason.RETURNED_ERROR
    assert calls[0] == 150


def test_c5a_refuses_names_exceptions_of_calls_that_did_nothing() -> None:
    for refuses in ((ValueError,), ValueError, (KeyError, ValueError)):
        till = Till(refuses=refuses)
        till.amounts = [1, 2]
        till.answers[1] = ValueError("not a multiple of two")
        assert till.run()[0].learned
        outcome, calls = till.run()
        assert outcome
        assert calls == [2, "tell"]
    till = Till(refuses=(ValueError,))
    till.answers[150] = ConnectionError("lost")
    assert till.run()[0].not_learned == Reason.FAILED_WRITE


@pytest.mark.parametrize("failure", [ConnectionError("lost"), Result(text("The till is closed."), True)])
def test_c5a_a_failed_call_of_an_idempotent_tool_that_was_made_again_is_left_out(failure: Any) -> None:
    till = Till("idempotent")
    tries = iter([failure, "A receipt with many words."])
    till.answers[150] = lambda: next(tries, "A receipt with many words.")
    till.amounts = [150, 150]
    assert till.run()[0].learned
    outcome, calls = till.run()
    assert outcome
    assert calls == [150, "tell"]
    for amounts in ([150], [150, 200]):  # Never made again, or another call instead.
        till = Till("idempotent")
        first = iter([failure])
        till.answers[150] = lambda first=first: next(first, "A receipt with many words.")
        till.amounts = amounts
        assert till.run()[0].not_learned == Reason.FAILED_WRITE


LOOKS_FAILED = [
    ({"id": 7}, {"error": "not logged in"}),
    ({"id": 7, "error": None}, {"id": 7, "error": {"code": 12}}),
    ({"errors": []}, {"errors": ["no such order"]}),
    ({"errors": 0, "is_error": False}, {"errors": 0, "is_error": True}),
    ({"isError": False}, {"isError": True}),
    ({"ok": True}, {"ok": False}),
    ({"success": True, "id": 7}, {"success": False, "id": 7}),
    ("A receipt with many words.", "Error: the till is closed"),
    ("A receipt with many words.", "failed to pay, try again"),
    ("A receipt with many words.", "Exception in the till"),
    ("A receipt with many words.", "Traceback (most recent call last):"),
    ("A receipt with many words.", "ValueError: no such account"),
    ("A receipt with many words.", " **Error** the till is closed"),
    ('{"id": 7}', '{"error": "not logged in"}'),
    ('{"ok": true}', '{"ok": false}'),
    ([1, 2], {"error": "not logged in"}),
    (Message("paid in full"), Message("Error: the till is closed")),
    (Result(text("paid in full")), Result(text("Error: the till is closed"))),
    (Result(text("paid in full")), Result(text("The till is closed."), True)),
    ("x " * 40_000, "Error: the till is closed"),
]


@pytest.mark.parametrize(("then", "today"), LOOKS_FAILED)
def test_c5a_a_replay_stops_at_a_result_that_is_an_error_where_none_was(then: Any, today: Any) -> None:
    till = Till()
    till.answers[150] = then
    assert till.run()[0].learned
    assert till.run()[0]
    till.answers[150] = today
    till.engine.set_agent(lambda task: None)
    outcome, calls = till.run()
    assert (outcome.status, outcome.reason) == ("diverged", Reason.RETURNED_ERROR)
    assert calls == [150]
    assert outcome.divergence is not None
    assert outcome.divergence.step == 0
    assert not outcome.learned
    till.run()
    assert till.run()[0].reason == Reason.QUARANTINED, "it counts like a tool that raised"


@pytest.mark.parametrize(
    ("then", "today"),
    [
        ({"errors": 0}, {"errors": 3}),
        ({"error": 0.1}, {"error": 0.2}),
        ({"error": "none"}, {"error": "None"}),
        ({"error": "a typo"}, {"error": "another typo"}),
        ("Error log of Monday, as it was.", "Error log of Tuesday, as it was."),
        ("A receipt with many words.", "Errors were not found."),
        ("A receipt with many words.", "Error-free since Monday, as it was."),
        ("A receipt with many words.", "There is no error in it."),
        ({"rows": [{"error": None, "n": 1}]}, {"rows": [{"error": None, "n": 2}]}),
    ],
)
def test_c5a_a_result_that_only_speaks_of_errors_is_none(then: Any, today: Any) -> None:
    till = Till(answers="any")
    till.answers[150] = then
    assert till.run()[0].learned
    till.answers[150] = today
    outcome, calls = till.run()
    assert outcome, outcome.message
    assert calls == [150, "tell"]


def test_c5a_failed_alone_decides_in_a_replay() -> None:
    for failed in (False, lambda result: False):
        till = Till(failed=failed, answers="any")
        till.answers[150] = {"ok": True}
        till.run()
        till.answers[150] = {"ok": False, "error": "in the ledger of last year"}
        assert till.run()[0]


def test_c5a_a_read_that_looks_failed_is_a_step_of_what_the_agent_does_then() -> None:
    till = Till("read")

    def agent(task: str) -> None:
        if "error" not in till.pay(150):
            till.tell()
        else:
            till.pay(200)

    till.engine.set_agent(agent)
    till.answers |= {150: {"id": 7}, 200: {"id": 8}}
    till.run()
    till.answers[150] = {"error": "The till is closed."}
    outcome, calls = till.run()
    assert outcome.reason == Reason.RETURNED_ERROR
    assert outcome.learned
    for answer, expected in (({"error": "The till is closed."}, [150, 200]), ({"id": 7}, [150, "tell"])):
        till.answers[150] = answer
        outcome, calls = till.run()
        assert outcome, outcome.message
        assert calls == expected


def test_c5a_a_restarted_agent_gets_the_failed_result_once() -> None:
    till = Till()
    till.run()
    till.answers[150] = {"error": "The till is closed."}
    seen: list[Any] = []

    def agent(task: str) -> None:
        seen.append(till.pay(150))
        till.answers.clear()
        seen.append(till.pay(150))

    till.engine.set_agent(agent)
    outcome, calls = till.run()
    assert outcome.reason == Reason.RETURNED_ERROR
    assert calls == [150, 150]
    assert seen == [{"error": "The till is closed."}, "A receipt with many words."]


def test_c5a_a_failed_function_that_raises_costs_the_recording_and_not_the_run() -> None:
    till = Till(failed=lambda result: result["status"] != "ok")
    outcome, calls = till.run()
    assert calls == [150, "tell"]
    assert outcome.not_learned == Reason.CHECK_FAILED
    assert "failed= of 'pay' raised" in outcome.not_learned_message
    till.answers[150] = {"status": "ok"}
    assert till.run()[0].learned
    till.answers[150] = "no dict"
    outcome, calls = till.run()
    assert outcome.reason == Reason.RETURNED_ERROR
    assert "failed= of 'pay' raised" in outcome.message


def test_c5a_async_tools_and_sessions_are_judged_as_well() -> None:
    engine = Engine()
    answers = iter([{"id": 7}, {"error": "not logged in"}])

    @engine.tool(effect="write")
    async def pay() -> Any:
        return next(answers)

    async def agent(task: str) -> None:
        if task != "over":
            await pay()

    engine.set_agent(agent)
    asyncio.run(engine.acall("t"))
    engine.set_agent(lambda task: None)
    assert asyncio.run(engine.acall("t")).reason == Reason.RETURNED_ERROR

    pay_now = engine.tool(name="pay_now", effect="write")(lambda: None)
    with engine.session("s") as session:
        session.next()
        session.said([(pay_now, {})])
        call: Any = session.next()
        session.done(call, {"content": text("no"), "isError": True})
        session.next()
        session.said([(pay_now, {})])
        call = session.next()
        session.done(call, "A receipt with many words.")
        session.next()
        session.said([], value="done")
        ended: Any = session.next()
    assert ended.outcome.not_learned == Reason.FAILED_WRITE


@pytest.mark.parametrize("value", [True, 1, "yes", {"error": 1}])
def test_c5a_failed_takes_a_function_or_false(value: Any) -> None:
    with pytest.raises(TypeError, match="failed="):
        Engine().tool(failed=value)(lambda: 1)


def test_c5a_failed_takes_no_async_function() -> None:
    async def judge(result: Any) -> bool:
        return False

    with pytest.raises(TypeError, match="failed="):
        Engine().tool(failed=judge)(lambda: 1)


@pytest.mark.parametrize("value", ["ValueError", ValueError("x"), (1,), int, None, [ValueError, "KeyError"]])
def test_c5a_refuses_takes_exception_classes(value: Any) -> None:
    with pytest.raises(TypeError, match="refuses="):
        Engine().tool(refuses=value)(lambda: 1)


def test_c5a_json_of_any_size_is_read() -> None:
    maker: Callable[[int], str] = lambda n: json.dumps({"rows": list(range(n)), "error": None})
    till = Till()
    till.answers[150] = maker(50_000)
    assert till.run()[0].learned
    assert till.run()[0]
    till.answers[150] = maker(50_000).replace("null", '"broken"')
    assert till.run()[0].reason == Reason.RETURNED_ERROR
