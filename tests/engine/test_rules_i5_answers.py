"""I5: the answer of a hit, for plain agents whose user says that it rests on the results alone, and for sessions."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from muscle_mem import Engine, Outcome, Reason, Secret
from muscle_mem.errors import InvalidValueError
from muscle_mem.events import NoticeEvent


class Shop:
    """An agent that looks up an order, refunds it, and says so in its own words."""

    def __init__(self, store: Any = None, **options: Any) -> None:
        self.notices: list[NoticeEvent] = []
        self.orders = {"A-1001": {"total": 30}, "B-2002": {"total": 30}}
        self.asked = 0
        self.engine = Engine(store, observers=self.observe, **options)

        @self.engine.tool(effect="read", name="look_up")
        def look_up(order: str) -> dict[str, Any]:
            return dict(self.orders[order])

        @self.engine.tool(effect="idempotent", name="refund")
        def refund(order: str) -> None:
            return None

        def agent(task: str, order: str) -> Any:
            self.asked += 1
            found = look_up(order)
            refund(order)
            return self.say(order, found)

        self.say: Any = lambda order, found: f"Order {order} is refunded."
        self.engine.set_agent(agent)

    def observe(self, event: Any) -> None:
        if isinstance(event, NoticeEvent):
            self.notices.append(event)

    def run(self, order: str = "A-1001", **options: Any) -> Outcome:
        return self.engine("refund the order", order, params={"order": order}, **options)


def end(outcome: Outcome) -> tuple[Any, ...]:
    return outcome.status, outcome.value, outcome.value_source


@pytest.mark.parametrize("where", ["engine", "call"])
def test_i5_a_hit_gives_back_the_recorded_text_where_the_user_says_that_it_rests_on_the_results(where: str) -> None:
    shop = Shop(**({"answer": "recorded"} if where == "engine" else {}))
    options: dict[str, Any] = {"answer": "recorded"} if where == "call" else {}
    assert end(shop.run(**options)) == ("miss", "Order A-1001 is refunded.", "agent")
    assert end(shop.run(**options)) == ("hit", "Order A-1001 is refunded.", "recorded")
    assert end(shop.run("B-2002", **options)) == ("hit", "Order B-2002 is refunded.", "recorded")
    assert shop.asked == 1


def test_i5_another_result_than_recorded_leaves_no_answer() -> None:
    shop = Shop(answer="recorded")
    shop.run()
    shop.orders["A-1001"] = {"total": 31}
    assert end(shop.run()) == ("hit", None, "none")
    shop.orders["A-1001"] = {"total": 30}
    assert end(shop.run()) == ("hit", "Order A-1001 is refunded.", "recorded")


def test_i5_each_recording_has_the_answer_to_the_results_that_it_read() -> None:
    shop = Shop(answer="recorded")
    shop.say = lambda order, found: f"{found['total']} EUR are paid back."
    shop.run()
    shop.orders["A-1001"] = {"total": 31}
    assert shop.run(mode="record").value == "31 EUR are paid back."
    assert end(shop.run()) == ("hit", "31 EUR are paid back.", "recorded")
    shop.orders["A-1001"] = {"total": 30}
    assert end(shop.run()) == ("hit", "30 EUR are paid back.", "recorded")


def test_i5_without_the_users_word_the_old_text_never_comes_back() -> None:
    shop = Shop()
    shop.run()
    assert end(shop.run()) == ("hit", None, "none")
    assert end(shop.run(answer="recorded")) == ("hit", None, "none")  # It was not kept.


def looks_elsewhere(tmp_path: Path) -> dict[str, tuple[Any, Any]]:
    """Return agents that look at something outside their tools, each with a function that changes it."""
    clock, page, file = [12.0], ["open"], tmp_path / "note.txt"
    file.write_text("first", encoding="utf-8")
    return {
        "clock": (lambda order, found: f"It is {clock[0]} now.", lambda: clock.__setitem__(0, 13.0)),
        "file": (
            lambda order, found: file.read_text(encoding="utf-8"),
            lambda: file.write_text("second", encoding="utf-8"),
        ),
        "page": (lambda order, found: f"The shop is {page[0]}.", lambda: page.__setitem__(0, "closed")),
    }


@pytest.mark.parametrize("what", ["clock", "file", "page"])
@pytest.mark.parametrize("engine_answer", [None, "auto", "model"])
def test_i5_an_agent_that_looks_outside_its_tools_gets_no_old_text(
    tmp_path: Path, what: str, engine_answer: Any
) -> None:
    shop = Shop(answer=engine_answer)
    shop.say, change = looks_elsewhere(tmp_path)[what]
    shop.run()
    change()
    assert end(shop.run()) == ("hit", None, "none")


def test_i5_a_tool_that_returns_none_vouches_for_nothing() -> None:
    engine = Engine(answer="recorded")
    press = engine.tool(name="press", effect="idempotent")(lambda: None)

    def agent(task: str) -> str:
        press()
        return "pressed"

    engine.set_agent(agent)
    engine("press")
    assert end(engine("press")) == ("hit", None, "none")


def test_i5_the_notice_of_a_lost_value_names_the_setting() -> None:
    shop = Shop()
    shop.run()
    [notice] = [notice for notice in shop.notices if notice.code == "no_value"]
    assert "answer='recorded'" in notice.message
    kept = Shop(answer="recorded")
    kept.run()
    assert "no_value" not in [notice.code for notice in kept.notices]


def test_i5_a_value_that_a_step_returns_is_this_runs_value() -> None:
    shop = Shop(answer="recorded")
    shop.say = lambda order, found: found
    shop.run()
    shop.orders["A-1001"] = {"total": 31}
    assert end(shop.run()) == ("hit", {"total": 31}, "step")


def test_i5_a_function_gets_the_results_of_this_run() -> None:
    shop = Shop(answer=lambda results: results[0]["total"] * 2)
    shop.run()
    shop.orders["A-1001"] = {"total": 31}
    assert end(shop.run()) == ("hit", 62, "result")
    assert not [notice for notice in shop.notices if notice.code == "no_value"]
    assert end(shop.run(answer=lambda results: len(results))) == ("hit", 2, "result")


def test_i5_a_function_that_raises_leaves_no_value_and_says_so() -> None:
    shop = Shop(answer=lambda results: results[7])
    shop.run()
    assert end(shop.run()) == ("hit", None, "none")
    assert any("answer= raised IndexError" in notice.message for notice in shop.notices)


@pytest.mark.parametrize(
    ("say", "other_order", "is_given"),
    [
        ("Order {order} is refunded.", "B-2002", True),
        ("Thank you!", "B-2002", True),
        ("Number 1001 is refunded.", "B-2002", False),  # It may be a part of the order's number.
    ],
)
def test_i5_an_answer_that_may_be_made_of_a_param_is_for_its_value_only(
    say: str, other_order: str, is_given: bool
) -> None:
    shop = Shop(answer="recorded")
    shop.say = lambda order, found: say.format(order=order)
    shop.run()
    assert end(shop.run()) == ("hit", say.format(order="A-1001"), "recorded")
    expected = ("hit", say.format(order=other_order), "recorded") if is_given else ("hit", None, "none")
    assert end(shop.run(other_order)) == expected


def test_i5_a_number_that_may_be_computed_from_a_param_is_for_its_value_only() -> None:
    engine = Engine(answer="recorded")
    count = engine.tool(name="count", effect="read")(lambda amount: "ready")

    def agent(task: str, amount: int) -> str:
        count(amount)
        return f"With tax it is {amount * 2}."

    engine.set_agent(agent)
    engine("tax", 40, params={"amount": 40})
    assert end(engine("tax", 40, params={"amount": 40})) == ("hit", "With tax it is 80.", "recorded")
    assert end(engine("tax", 50, params={"amount": 50})) == ("hit", None, "none")


def test_i5_a_date_of_today_is_for_today_only() -> None:
    now = [1_770_000_000.0]
    shop = Shop(answer="recorded", clock=lambda: now[0])
    shop.say = lambda order, found: "Refunded on 2026-02-02."
    shop.run()
    assert end(shop.run()) == ("hit", "Refunded on 2026-02-02.", "recorded")
    now[0] += 86_400 * 2
    assert end(shop.run()) == ("hit", None, "none")


def test_i5_an_answer_with_a_secret_is_never_stored(tmp_path: Path) -> None:
    path = tmp_path / "memory.db"
    shop = Shop(path, answer="recorded")
    shop.say = lambda order, found: "The password is hunter2-hunter2."
    secrets = {"password": "hunter2-hunter2"}
    assert shop.run(secrets=secrets).learned
    assert end(shop.run(secrets=secrets)) == ("hit", None, "none")
    shop.engine.close()
    assert not [file for file in tmp_path.iterdir() if b"hunter2-hunter2" in file.read_bytes()]
    assert any("answer is not stored" in notice.message for notice in shop.notices)


def test_i5_an_answer_that_the_agent_made_of_a_secret_is_not_stored(tmp_path: Path) -> None:
    key = Secret("sk-live-51H8abcdefgh")
    shop = Shop(tmp_path / "memory.db", answer="recorded")
    made: list[str] = []

    def sign(order: str, found: Any) -> str:
        made.append("".join(f"{ord(char) * 7 % 251:02x}" for char in key.value))
        return f"Signed: {made[-1]}"

    shop.say = sign
    shop.run()
    assert end(shop.run()) == ("hit", None, "none")
    shop.engine.close()
    assert len(made) == 1
    assert not [file for file in tmp_path.iterdir() if made[0].encode() in file.read_bytes()]


@pytest.mark.parametrize("answer", ["last", "Recorded", "", 3])
def test_i5_a_setting_that_does_not_exist_is_refused(answer: Any) -> None:
    with pytest.raises(InvalidValueError, match="answer"):
        Engine(answer=answer)
    with pytest.raises(InvalidValueError, match="answer"):
        Shop().run(answer=answer)


@pytest.mark.parametrize("answer", ["auto", "model"])
def test_i5_a_plain_call_cannot_ask_a_model_for_its_answer_alone(answer: Any) -> None:
    with pytest.raises(InvalidValueError, match="'recorded' or a function"):
        Shop().run(answer=answer)


def test_i5_an_agent_with_a_parameter_of_that_name_is_refused() -> None:
    with pytest.raises(InvalidValueError, match="answer"):
        Engine().set_agent(lambda task, answer: None)


def test_i5_recorded_answers_come_back_from_every_kind_of_store(tmp_path: Path) -> None:
    for store in (str(tmp_path / "memory.db"), f"folder:///{tmp_path / 'folder'}"):
        first = Shop(store, answer="recorded")
        first.say = lambda order, found: {"order": order, "paid": True, "lines": (1, 2)}
        first.run()
        first.engine.close()
        second = Shop(store, answer="recorded")
        assert end(second.run()) == ("hit", {"order": "A-1001", "paid": True, "lines": (1, 2)}, "recorded")
        second.engine.close()


def test_i5_a_success_callback_sees_the_answer() -> None:
    seen: list[Any] = []
    shop = Shop(answer="recorded", success=lambda value: seen.append(value) or value is not None)
    assert shop.run().learned
    assert shop.run()
    assert seen == ["Order A-1001 is refunded."] * 2


# -- sessions


class Loop:
    """A loop around a session, with a model that is a list of answers."""

    def __init__(self, **options: Any) -> None:
        self.engine = Engine(observers=lambda event: None, **options)
        self.total = 30
        self.questions: list[Any] = []
        self.script: list[list[Any]] = [[("look_up", {"order": "A-1001"})], []]
        self.said = "It costs 30."
        self.engine.tool(effect="read", name="look_up")(lambda order: {"total": self.total})

    def run(self, **options: Any) -> Outcome:
        script = list(self.script)
        with self.engine.session("price", **options) as session:
            while True:
                turn = session.next()
                if hasattr(turn, "outcome"):
                    return turn.outcome  # type: ignore[no-any-return]
                if hasattr(turn, "handover"):
                    self.questions.append(turn)
                    calls = script.pop(0)
                    session.said(calls, None if calls else self.said)
                else:
                    session.done(turn, turn.fn(*turn.args, **turn.kwargs))


def test_i5_a_sessions_answer_comes_back_without_the_model() -> None:
    loop = Loop()
    assert loop.run(answer="auto").learned
    assert end(loop.run(answer="auto")) == ("hit", "It costs 30.", "recorded")
    assert len(loop.questions) == 2


def test_i5_where_the_results_differ_a_session_asks_the_model_for_the_answer_alone() -> None:
    loop = Loop(answer="auto")
    loop.run()
    loop.total, loop.said, loop.script = 31, "It costs 31.", [[]]
    outcome = loop.run()
    assert end(outcome) == ("hit", "It costs 31.", "model")
    assert outcome.steps == 1
    question = loop.questions[-1]
    assert question.reason is Reason.HIT
    [call, result] = question.handover.as_messages()
    assert (call["role"], result["content"]) == ("assistant", '{"total":31}')


def test_i5_a_session_can_always_ask_for_the_answer() -> None:
    loop = Loop()
    loop.run(answer="model")
    loop.script, loop.said = [[]], "Thirty."
    assert end(loop.run(answer="model")) == ("hit", "Thirty.", "model")


def test_i5_a_model_that_makes_calls_in_place_of_an_answer_goes_on_and_is_learned() -> None:
    loop = Loop(answer="model")
    loop.run()
    loop.engine.tool(effect="read", name="more")(lambda: "cheap")
    loop.script = [[("more", {})], []]
    outcome = loop.run()
    assert (outcome.status, outcome.reason, outcome.learned) == ("diverged", Reason.NO_CANDIDATE, True)
    loop.script = [[]]
    again = loop.run()
    assert (again.status, again.steps) == ("hit", 2)


def test_i5_a_replay_that_never_asks_has_no_answer_then() -> None:
    loop = Loop(answer="auto")
    loop.run()
    loop.total = 31
    assert end(loop.run(mode="replay")) == ("hit", None, "none")


def test_i5_an_asked_answer_that_the_success_callback_refuses_asks_the_model_again() -> None:
    loop = Loop(answer="model", success=lambda value: value == "good")
    loop.said = "good"
    assert loop.run().learned
    loop.script, loop.said = [[], [("look_up", {"order": "A-1001"})], []], "bad"
    outcome = loop.run()
    assert (outcome.status, outcome.reason) == ("diverged", Reason.UNSUCCESSFUL)


def test_i5_an_answer_that_is_accepted_after_it_was_asked_for_again_keeps_the_steps_once() -> None:
    loop = Loop(answer="model", success=lambda value: value == "good")
    loop.said = "good"
    loop.run()
    answers = iter(["bad", "good", "good"])
    loop.script = [[], [("look_up", {"order": "B-2002"})], []]

    class Saying:
        def __get__(self, instance: Any, owner: Any) -> str:
            return next(answers)

    del loop.said
    loop.__class__ = type("SayingLoop", (Loop,), {"said": Saying()})
    outcome = loop.run()
    assert (outcome.status, outcome.reason, outcome.learned) == ("diverged", Reason.UNSUCCESSFUL, True)
    loop.script = [[]]
    assert loop.run().steps == 2
