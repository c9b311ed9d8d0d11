"""Task blocks: what they carry, what their end closes, and runs that wait for results after it."""

from __future__ import annotations

import asyncio
import contextvars
import threading
import time
from typing import Any

import pytest

from muscle_mem import Check, Engine, NotReadyError, Reason
from muscle_mem.events import NoticeEvent, NotLearnedEvent, RunEvent
from muscle_mem.integrations._shared import Message, ModelCall
from toy_framework import ModelFailedError, Toy

PROMPT = [Message("user", "Refund A-1001!")]


class Desk(Toy):
    """A toy whose tool `refund` waits for a person, with a clock that the test moves."""

    def __init__(self, **options: Any) -> None:
        self.now = 1_000_000.0
        self.events: list[Any] = []
        engine = Engine(observers=self.note, clock=lambda: self.now, **options)
        super().__init__(engine, hooks=True)
        self.tools = {"look": lambda order: f"{order} is paid", "refund": lambda order: "refunded"}

    def note(self, event: Any) -> None:
        self.events.append(event)
        if isinstance(event, NoticeEvent):
            self.notices.append(event)

    def learn(self) -> None:
        self.script = [[("look", {"order": "A-1001"})], [("refund", {"order": "A-1001"})], "It is refunded."]
        with self.engine.task("refund", params={"order": "A-1001"}) as task:
            self.run(list(PROMPT))
        assert task.outcome is not None
        assert task.outcome.learned

    def until_refund(self, history: list[Message]) -> ModelCall:
        """Run the agent until it proposes the refund, and return that call."""
        while True:
            turn = self.memory.turn(self.request(history))
            assert turn.kind == "replay"
            history.append(Message("assistant", calls=turn.calls))
            if turn.calls[0].name == "refund":
                return turn.calls[0]
            history.append(self.make(turn.calls[0]))

    def end(self, history: list[Message]) -> Any:
        turn = self.memory.turn(self.request(history))
        assert turn.kind == "answer"
        return turn.answer


def suspended(desk: Desk) -> tuple[Any, list[Message], ModelCall]:
    desk.learn()
    history = list(PROMPT)
    with desk.engine.task("refund", params={"order": "A-1001"}) as task:
        call = desk.until_refund(history)
    return task, history, call


def test_i13_a_run_that_waits_for_an_approval_goes_on_after_the_block() -> None:
    desk = Desk()
    task, history, call = suspended(desk)
    assert (task.suspended, task.outcome, task.outcomes) == (True, None, [])
    history.append(desk.make(call))
    assert desk.end(history) == "It is refunded."
    assert (task.suspended, len(task.outcomes)) == (False, 1)
    assert task.outcome
    assert task.outcome.steps == 2
    assert [event.status for event in desk.events if isinstance(event, RunEvent)] == ["miss", "hit"]
    assert len(desk.asked) == 3


def test_it_goes_on_with_its_params_inside_of_another_block() -> None:
    desk = Desk()
    task, history, call = suspended(desk)
    with desk.engine.task("something else", params={"order": "B-2002"}) as other:
        history.append(desk.make(call))
        assert desk.end(history) == "It is refunded."
    assert task.outcome
    assert other.outcomes == []


def test_i2_a_persons_no_after_the_block_lets_the_model_go_on_and_counts_against_nothing() -> None:
    desk = Desk()
    task, history, call = suspended(desk)
    desk.memory.refused(call.id, "not this one")
    history.append(Message("tool", "The person said no.", call_id=call.id))
    turn = desk.memory.turn(desk.request(history))
    assert turn.kind == "ask"
    turn.said((), "Then not.")
    assert task.outcome is not None
    assert (task.outcome.status, task.outcome.reason) == ("diverged", Reason.REFUSED_BY_PERSON)
    history = list(PROMPT)
    with desk.engine.task("refund", params={"order": "A-1001"}):
        desk.until_refund(history)  # The recording is still replayed.


def test_i1_what_changed_while_a_person_thought_stops_the_call() -> None:
    state = {"open": True}
    desk = Desk()
    desk.engine.external_tool("refund", Check(lambda order: state["open"]), effect="write")
    task, history, call = suspended(desk)
    state["open"] = False
    time.sleep(0.06)  # A verdict younger than 50 ms is not asked again.
    made = len(desk.made)
    history.append(desk.make(call))
    assert len(desk.made) == made
    assert "has changed since" in history[-1].text
    turn = desk.memory.turn(desk.request(history))
    assert turn.kind == "ask"
    turn.said((), "It is closed.")
    assert task.outcome is not None
    assert task.outcome.reason is Reason.CHECK_REFUSED


@pytest.mark.parametrize(("seconds", "kind"), [(3_599, "answer"), (3_601, "pass")])
def test_it_waits_for_an_hour_and_ends_unlearned(seconds: float, kind: str) -> None:
    desk = Desk()
    task, history, call = suspended(desk)
    desk.now += seconds
    assert task.suspended is (kind == "answer")
    desk.memory.turn(desk.request([Message("user", "Something else!")]))  # Any request closes what has expired.
    history.append(Message("tool", "refunded", call_id=call.id))
    assert desk.memory.turn(desk.request(history)).kind == kind
    ended = [event.status for event in desk.events if isinstance(event, RunEvent)]
    assert ended == ["miss", "hit" if kind == "answer" else "raised"]
    assert task.outcomes == ([task.outcome] if kind == "answer" else [])


def test_how_long_it_waits_is_the_users_choice() -> None:
    desk = Desk()
    desk.learn()
    history = list(PROMPT)
    with desk.engine.task("refund", params={"order": "A-1001"}, suspend_for=5) as task:
        desk.until_refund(history)
        desk.now += 100  # The block is open.
        assert not task.suspended
    assert task.suspended
    desk.now += 6
    assert not task.suspended


@pytest.mark.parametrize("way", ["async to sync", "async to sync on a loop", "sync to async"])
def test_a_run_may_go_on_in_code_of_the_other_kind(way: str) -> None:
    desk = Desk()
    desk.learn()
    history = list(PROMPT)

    async def begin() -> ModelCall:
        turn = await desk.memory.aturn(desk.request(history))
        history.extend([Message("assistant", calls=turn.calls), await desk.amake(turn.calls[0])])
        turn = await desk.memory.aturn(desk.request(history))
        history.append(Message("assistant", calls=turn.calls))
        return turn.calls[0]

    async def end() -> Any:
        return (await desk.memory.aturn(desk.request(history))).answer

    async def end_plainly() -> Any:
        return desk.end(history)

    with desk.engine.task("refund", params={"order": "A-1001"}) as task:
        call = desk.until_refund(history) if way == "sync to async" else asyncio.run(begin())
    assert task.suspended
    history.append(desk.make(call))
    if way == "async to sync":
        answer = desk.end(history)
    else:
        answer = asyncio.run(end() if way == "sync to async" else end_plainly())
    assert answer == "It is refunded."
    assert task.outcome


def test_i13_in_another_process_its_results_are_foreign() -> None:
    desk = Desk()
    _, history, call = suspended(desk)
    other = Desk()
    history.append(Message("tool", "refunded", call_id=call.id))
    assert other.memory.turn(other.request(history)).kind == "pass"
    assert not [event for event in other.events if isinstance(event, RunEvent | NotLearnedEvent)]


def test_a_run_that_was_begun_without_a_block_is_suspended_too() -> None:
    desk = Desk()
    for _ in range(2):
        desk.script = [[("look", {"order": "A-1001"})], [("refund", {"order": "A-1001"})], "It is refunded."]
        desk.run(list(PROMPT))
    assert len(desk.asked) == 3
    history = list(PROMPT)
    call = desk.until_refund(history)
    desk.now += 3_601
    history.append(Message("tool", "refunded", call_id=call.id))
    desk.memory.turn(desk.request([Message("user", "Something else!")]))
    assert desk.memory.turn(desk.request(history)).kind == "pass"


def test_an_open_block_keeps_its_runs_however_long_they_take() -> None:
    desk = Desk()
    desk.learn()
    history = list(PROMPT)
    with desk.engine.task("refund", params={"order": "A-1001"}) as task:
        call = desk.until_refund(history)
        desk.now += 10_000
        desk.memory.turn(desk.request([Message("user", "Something else!")]))
        history.append(desk.make(call))
        assert desk.end(history) == "It is refunded."
    assert task.outcomes[0]


def test_the_end_of_a_block_closes_what_waits_for_the_model() -> None:
    desk = Desk()
    with desk.engine.task("refund") as task:
        assert desk.memory.turn(desk.request(PROMPT)).kind == "ask"
    assert (task.outcome, task.suspended) == (None, False)
    [ended] = [event for event in desk.events if isinstance(event, RunEvent)]
    assert ended.status == "raised"


def test_an_exception_in_the_block_passes_and_closes_its_runs() -> None:
    desk = Desk()
    desk.learn()
    history = list(PROMPT)
    error = KeyError("theirs")
    task = desk.engine.task("refund", params={"order": "A-1001"})

    def leave_with_an_error() -> None:
        with task:
            desk.until_refund(history)
            raise error

    with pytest.raises(KeyError) as caught:
        leave_with_an_error()
    assert caught.value is error
    assert not task.suspended
    assert len(desk.memory._table) == 0


def test_all_runs_of_a_block_have_their_outcomes_in_it() -> None:
    desk = Desk()
    with desk.engine.task() as task:
        for prompt in ("one", "two"):
            desk.script = [[("look", {"order": "A-1001"})], f"{prompt} is done."]
            desk.run(prompt)
    assert [outcome.status for outcome in task.outcomes] == ["miss", "miss"]
    assert task.outcome is task.outcomes[-1]


def test_blocks_are_of_their_own_context_and_engine() -> None:
    desk, other = Desk(), Desk()

    async def one(name: str) -> Any:
        async with desk.engine.task(name) as task:
            await asyncio.sleep(0)
            desk.script.append("Hello.")
            await desk.arun("Hello!")
        return task.outcomes

    async def both() -> Any:
        return await asyncio.gather(one("a"), one("b"))

    assert [len(outcomes) for outcomes in asyncio.run(both())] == [1, 1]
    with other.engine.task("theirs") as theirs, desk.engine.task("ours"):
        desk.script = ["Hello."]
        desk.run("Hello!")
    assert theirs.outcomes == []


def test_a_thread_that_is_bound_belongs_to_the_block() -> None:
    desk = Desk()
    for bind in (desk.engine.bind, lambda fn: fn):
        desk.script = ["Hello."]
        with desk.engine.task("greet") as task:
            thread = threading.Thread(target=bind(lambda: desk.run("Hello!")))
            thread.start()
            thread.join()
        assert len(task.outcomes) == (1 if bind == desk.engine.bind else 0)
    assert "engine.bind" in desk.told("no_run")[0]


def test_a_block_may_be_left_in_another_context() -> None:
    desk = Desk()
    task = desk.engine.task("refund")
    contextvars.copy_context().run(task.__enter__)
    task.__exit__(None, None, None)
    desk.script = ["Hello."]
    desk.run("Hello!")
    assert task.outcomes == []


def test_a_block_is_used_once() -> None:
    task = Desk().engine.task("refund")
    with task, pytest.raises(NotReadyError, match=r"engine\.task"):
        task.__enter__()


# -- a block that no adapter saw


def test_i17_a_block_that_no_adapter_saw_says_so_once() -> None:
    desk = Desk()
    with desk.engine.task("refund the order"):
        pass
    [message] = desk.told("no_run")
    for cause in ("model object", "client is not wrapped", "middleware", "'refund the order'"):
        assert cause in message


@pytest.mark.parametrize("what", ["an error", "off", "a model turn", "a tool call", "a request left alone"])
def test_i17_other_blocks_say_nothing(what: str) -> None:
    desk = Desk()
    task, history, call = suspended(desk)
    if what == "an error":
        with pytest.raises(ZeroDivisionError), desk.engine.task("refund"):
            _ = 1 / 0
        return
    with desk.engine.task("refund", mode="off" if what == "off" else None):
        if what == "a model turn":
            desk.script = ["Hello."]
            desk.run([Message("assistant", "Hello?")])
        elif what == "a tool call":
            history.append(desk.make(call))
        elif what == "a request left alone":
            desk.memory.leave_alone("the server keeps the history")
    assert not desk.told("no_run")
    assert task.suspended is (what != "a tool call")


# -- an agent inside of a tool


@pytest.mark.parametrize("key", [None, "refund"])
def test_an_agent_inside_of_a_tool_is_one_step_and_a_run_of_its_own(key: str | None) -> None:
    outer, inner = Desk(), Desk()
    inner.engine = outer.engine
    inner.memory.engine = outer.engine
    inner.memory._offers.engine = outer.engine
    del inner.tools["refund"]

    def ask_the_helper(question: str) -> Any:
        return inner.run(question)

    outer.tools["ask_the_helper"] = ask_the_helper
    for round_ in range(2):
        outer.script = [[("ask_the_helper", {"question": "Is A-1001 paid?"})], "It is."] if not round_ else []
        inner.script = [[("look", {"order": "A-1001"})], "Yes, A-1001 is paid."] if not round_ else []
        with outer.engine.task("ask", key=key) as task:
            assert outer.run("Ask the helper!") == "It is."
        assert [outcome.status for outcome in task.outcomes] == (["hit"] if round_ else ["miss"]) * 2
        assert [outcome.steps for outcome in task.outcomes] == ([1, 1] if round_ else [0, 0])
    tasks = [event.task for event in outer.events if isinstance(event, RunEvent)]
    assert tasks == ["Is A-1001 paid?", key or "ask"] * 2
    assert (len(outer.asked), len(inner.asked)) == (2, 2)
    assert (len(outer.made), len(inner.made)) == (2, 2)


# -- misuse


@pytest.mark.parametrize(
    "options",
    [
        {"mode": "fast"},
        {"params": 3},
        {"answer": "always"},
        {"on_divergence": "stop"},
        {"secrets": 3},
        {"key": 3},
        {"tags": [3]},
        {"suspend_for": "1 h"},
        {"suspend_for": -1},
        {"suspend_for": float("nan")},
        {"success": 3},
    ],
)
def test_bad_options_are_refused_where_the_block_is_made(options: dict[str, Any]) -> None:
    with pytest.raises((TypeError, ValueError)):
        Desk().engine.task("refund", **options)


def test_a_model_error_in_a_block_passes_unchanged() -> None:
    desk = Desk()
    error = ModelFailedError("overloaded")
    desk.script = [error]
    with pytest.raises(ModelFailedError) as caught, desk.engine.task("refund"):
        desk.run(list(PROMPT))
    assert caught.value is error
    assert len(desk.memory._table) == 0
