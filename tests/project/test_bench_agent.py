"""The benchmark of an agent with a model, without a model: what its rows count, and what its results file survives."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
from benchmarks.agent import oracle, rows, tasks
from benchmarks.agent.agent import parsed, prompt
from benchmarks.agent.form import BLANK, Desk, Form, FormError
from benchmarks.agent.model import Answer, Draws, Meter, Prompt, PromptCache
from benchmarks.agent.tasks import Task

from agent_model import Fails, Solver, blank_stream, right_actions


def counted(row: str, model: object, stream: list[Task], seed: int = 1) -> rows.Counts:
    return rows.run(row, stream, model, seed)  # type: ignore[arg-type]


def test_a_stream_is_six_rounds_of_twenty_kinds_of_which_ten_come_again_word_for_word() -> None:
    stream = tasks.stream(3)
    assert len(stream) == 120
    assert stream == tasks.stream(3) != tasks.stream(4)
    rounds = [stream[first : first + 20] for first in range(0, 120, 20)]
    standing = [{task.text for task in one if not task.params} for one in rounds]
    assert all(texts == standing[0] and len(texts) == 10 for texts in standing)
    for one in rounds:
        masked = {task.text.replace(task.params["name"], "?").partition(" with")[0] for task in one if task.params}
        assert len(masked) >= 6
        assert all(value in task.text for task in one for value in task.params.values())
    assert 0 < sum(bool(task.leftover) for task in stream) < 40


def test_the_oracle_reads_the_same_request_from_the_text_as_the_caller_has() -> None:
    for seed in range(1, 9):
        for task in tasks.stream(seed):
            assert not oracle.faults_of_ticket(task.text, task.request)


@pytest.mark.parametrize(
    ("spoil", "fault"),
    [
        (lambda form: form.press("send"), "name is ''"),
        (lambda form: form.sent.append(form.sent[0]), "2 tickets sent"),
        (lambda form: form.sent.clear(), "0 tickets sent"),
        (lambda form: form.drafts.append({}), "1 drafts saved"),
        (lambda form: form.sent[0].update(note="1000"), "note is '1000'"),
        (lambda form: form.sent[0].update(priority="low"), "priority is 'low'"),
        (lambda form: form.sent[0].update(topic="login"), "topic is 'login'"),
    ],
)
def test_the_oracle_finds_what_is_wrong_on_a_form(spoil: Callable[[Form], object], fault: str) -> None:
    text = "Send a high ticket about billing for Ada"
    form = Form()
    if fault != "name is ''":
        form.sent.append({**BLANK, "name": "Ada", "topic": "billing", "priority": "high"})
        assert not oracle.faults(text, form)
    spoil(form)
    assert fault in oracle.faults(text, form)


def test_the_oracle_refuses_a_text_that_it_does_not_know() -> None:
    with pytest.raises(ValueError, match="does not know"):
        oracle.faults_of_ticket("Buy milk", dict(BLANK))


def test_a_form_refuses_what_it_does_not_have_and_all_after_the_ticket_is_sent() -> None:
    form = Form({"priority": "high"})
    assert form.opened_as == "priority high"
    for action in (
        lambda: form.fill("topic", "login"),
        lambda: form.choose("topic", "weather"),
        lambda: form.press("ok"),
    ):
        with pytest.raises(FormError):
            action()
    form.press("clear")
    form.press("send")
    assert form.sent == [BLANK]
    with pytest.raises(FormError, match="has been sent"):
        form.fill("name", "Ada")


@pytest.mark.parametrize(
    ("line", "action"),
    [
        ("fill name Ada", ("fill", "name", "Ada")),
        ("fill note two words", ("fill", "note", "two words")),
        ("press send", ("press", "send")),
        ("press", None),
        ("fill name", None),
        ("click send", None),
        ("", None),
    ],
)
def test_a_line_is_an_action_or_none(line: str, action: tuple[str, ...] | None) -> None:
    assert parsed(line) == action


def test_a_prompt_is_a_text_or_messages_with_the_same_actions() -> None:
    asked = prompt("Send a ticket about login for Ada", "empty", ["fill name Ada"])
    assert asked.as_text().endswith("Task: Send a ticket about login for Ada\nForm: empty\n1. fill name Ada\n2.")
    messages = asked.as_messages()
    assert [m["content"] for m in messages[-3:]] == [asked.head, "fill name Ada", "ok"]
    assert [m["role"] for m in messages] == ["system"] + ["user", "assistant"] * (len(messages) // 2 - 1) + ["user"]


def test_the_agent_alone_asks_once_an_action_and_never_hits() -> None:
    stream = blank_stream(1)
    counts = counted("alone", Solver(), stream)
    assert (counts.solved, counts.accepted, counts.tasks) == (120, 120, 120)
    assert counts.calls == sum(len(right_actions(task.text, "empty")) for task in stream)
    assert (counts.prompt_tokens, counts.completion_tokens) == (100 * counts.calls, 5 * counts.calls)
    assert counts.model_seconds == pytest.approx(0.5 * counts.calls)
    assert counts.seconds >= counts.model_seconds
    assert counts.hits == counts.handed_over == counts.wrong_hits == counts.wrong_sends == 0


def test_a_retry_starts_on_a_fresh_form_and_counts_the_calls_and_the_wrong_tickets_of_all_attempts() -> None:
    stream = blank_stream(1)[:5]
    model = Fails({stream[0].text: 2, stream[1].text: 9}, line="press send")  # right in the third attempt; in none
    counts = counted("retry", model, stream)
    assert counts.solved == 4
    steps = [len(right_actions(task.text, "empty")) for task in stream]
    assert counts.calls == 2 + steps[0] + 4 + sum(steps[2:])
    assert counts.wrong_sends == 2 + 4
    assert counted("alone", Fails({stream[0].text: 2}, line="press send"), stream).solved == 4


def test_a_cache_of_answers_gives_a_wrong_one_again_and_the_oracle_counts_its_hits_as_wrong() -> None:
    stream = blank_stream(1)
    standing = next(task for task in stream if not task.params)
    counts = counted("cache", Fails({standing.text: 1}, line="press send"), stream)
    assert counts.hits >= 50  # ten standing tasks, five more rounds
    assert counts.wrong_hits == 5
    assert {each["task"] for each in counts.wrong} == {standing.text}
    assert counts.solved == 120 - 6


def test_a_cache_of_answers_asks_once_for_each_prompt() -> None:
    meter = Meter(Solver())
    cache = PromptCache(meter)
    asked = prompt("Send a ticket about login for Ada", "empty", [])
    assert cache.ask(asked, 1) == cache.ask(asked, 2)
    assert meter.calls == 1


def test_what_a_memory_saves_with_an_agent_that_always_succeeds() -> None:
    stream = blank_stream(1)
    exact = counted("success", Solver(), stream)
    assert (exact.hits, exact.solved, exact.wrong_hits) == (120 - len({task.text for task in stream}), 120, 0)
    named = counted("params", Solver(), stream)
    assert (named.hits, named.solved, named.wrong_hits) == (100, 120, 0)
    assert named.calls == sum(len(right_actions(task.text, "empty")) for task in stream[:20])
    learned = counted("learned", Solver(), stream)
    assert exact.hits < learned.hits <= 100
    assert learned.handed_over > 0
    assert (learned.solved, learned.wrong_hits) == (120, 0)
    assert sum(named.reasons.values()) == 120


def test_the_check_refuses_a_form_with_a_leftover_where_the_callback_alone_finds_a_wrong_ticket_too_late() -> None:
    first = next(task for task in blank_stream(1) if not task.params)
    stream = [first, first, replace(first, leftover={"note": "8080"}), first]
    blind = counted("success", Solver(), stream)
    assert (blind.hits, blind.handed_over, blind.wrong_sends) == (2, 1, 1)
    assert blind.rejected == [{"place": 2, "task": first.text, "leftover": {"note": "8080"}}]
    seeing = counted("params", Solver(), stream)
    assert (seeing.hits, seeing.wrong_sends, seeing.solved, seeing.rejected) == (2, 0, 4, [])
    assert seeing.reasons["first_check_refused"] == 1


def test_a_draft_that_the_callback_does_not_see_is_learned_and_the_oracle_counts_its_hits_as_wrong() -> None:
    first = next(task for task in blank_stream(1) if not task.params)
    counts = counted("success", Fails({first.text: 1}, line="press draft", goes_on=True), [first] * 4)
    assert (counts.accepted, counts.solved, counts.hits, counts.wrong_hits) == (4, 0, 3, 3)
    assert counts.wrong[0] == {
        "place": 1,
        "task": first.text,
        "leftover": {},
        "faults": ["1 drafts saved"],
        "learned_at": 0,
    }


def test_a_weak_callback_lets_a_wrong_ticket_be_learned_and_the_oracle_counts_its_hits_as_wrong() -> None:
    first = next(task for task in blank_stream(1) if not task.params)
    counts = counted("weak", Fails({first.text: 1}, line="press send"), [first] * 3)
    assert (counts.accepted, counts.solved, counts.hits, counts.wrong_hits) == (0, 0, 2, 2)
    assert counts.wrong[0]["learned_at"] == 0
    assert counted("params", Fails({first.text: 1}, line="press send"), [first] * 3).wrong_hits == 0


def test_a_memory_with_retries_is_asked_again_and_learns_the_attempt_that_was_right() -> None:
    first = next(task for task in blank_stream(1) if task.params)
    counts = counted("params-retry", Fails({first.text: 1}, line="press send"), [first] * 3)
    assert (counts.solved, counts.hits, counts.wrong_sends) == (3, 2, 1)
    assert counts.calls == 1 + len(right_actions(first.text, "empty"))


def test_draws_are_asked_once_and_counted_by_each_row_that_makes_them() -> None:
    below = Meter(Solver())
    draws, stream = Draws(below), blank_stream(2)
    first, second = (counted("alone", draws, stream).as_json() for _ in range(2))
    assert below.calls == first["calls"] == second["calls"]
    fresh = counted("alone", Solver(), stream).as_json()
    for counts in (first, second, fresh):
        counts.pop("seconds")
    assert first == second == fresh


def test_other_seeds_of_the_sampler_are_other_draws() -> None:
    below = Meter(Solver())
    draws = Draws(below)
    asked = prompt("Send a ticket about login for Ada", "empty", [])
    draws.ask(asked, 1)
    draws.ask(asked, 2)
    assert below.calls == 2


def test_each_row_of_the_table_runs() -> None:
    stream = tasks.stream(1)[:3]
    for row in rows.ROWS:
        assert counted(row, Solver(), stream).tasks == 3
    with pytest.raises(KeyError):
        counted("another", Solver(), stream)


class Seeds:
    """A model that notes the seeds that it gets."""

    def __init__(self) -> None:
        self.seen: list[int] = []

    def ask(self, prompt: Prompt, seed: int) -> Answer:
        self.seen.append(seed)
        return Answer("press send")


def test_rows_draw_with_the_same_seeds_and_a_retry_with_others() -> None:
    stream = tasks.stream(1)[:4]
    seen = {}
    for row in ("alone", "success", "retry"):
        model = Seeds()
        counted(row, model, stream)
        seen[row] = model.seen
    assert seen["alone"] == seen["success"] == seen["retry"][::4]
    assert len(set(seen["retry"])) == 16
    assert all(0 <= seed < 2**31 for seed in seen["retry"])


def test_the_tools_of_a_desk_act_on_the_form_of_the_current_task() -> None:
    desk = Desk()
    tools = rows.plain_tools(desk)
    tools["fill"]("name", "Ada")
    desk.form = Form()
    tools["choose"]("topic", "login")
    tools["press"]("send")
    assert desk.form.sent == [{**BLANK, "topic": "login"}]
