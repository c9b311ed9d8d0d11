"""What the demo prints: failed checks in plain words, and what a model would be sent and cost."""

from __future__ import annotations

import io
import json
from typing import Any

import pytest
from rich.console import Console

from muscle_mem._events import NoticeEvent, NotLearnedEvent, StoreEvent
from muscle_mem.demo.costs import PRICES, Bill, Price, bills, total
from muscle_mem.demo.model import SYSTEM, ChatModel, ModelAgent, listing
from muscle_mem.demo.printing import seconds_text
from muscle_mem.demo.report import Lines
from muscle_mem.demo.sight import Thing, View
from muscle_mem.demo.stages import Run, Stage
from muscle_mem.demo.stops import Stop, difference
from muscle_mem.demo.summary import Totals, bill_with, bill_without, print_summary
from muscle_mem.demo.tasks import TASKS
from muscle_mem.demo.watch import PageAction, Watch

LOG_IN = 'Enter the username "ann" and the password "s3cret" into the text fields and press login.'
SIGHT: dict[str, Any] = {
    "sees": "button 2 of 5",
    "tag": "button",
    "place": [12, 176],
    "filled": False,
    "offers": 0,
    "page": {"button": 5, "textbox": 1},
    "given": [["Genre", ""], ["Year", "2011"]],
    "among": ["Back", "a flight for $5"],
}


@pytest.mark.parametrize(
    ("change", "expected", "seen"),
    [
        ({"sees": "button 5 of 5"}, "button 2 of 5", "button 5 of 5"),
        ({"page": {"button": 5, "textbox": 2, "link": 1}}, "0 links, 1 textbox on the page", "1 link, 2 textboxes on"),
        ({"given": []}, "the other fields in the order Genre, Year = 2011", "no other fields"),
        ({"place": [12, 207]}, "button 2 of 5 at pixel 12, 176", "button 2 of 5 at pixel 12, 207"),
        ({"filled": True}, "an empty field", "a field with a text"),
        ({"offers": 1}, "0 options", "1 options"),
        ({"among": ["Back", "a flight for $9"]}, "the choice a flight for $5", "the choice a flight for $9"),
    ],
)
def test_a_failed_check_is_said_in_plain_words(change: dict[str, Any], expected: str, seen: str) -> None:
    then, now = difference(SIGHT, {**SIGHT, **change})
    assert then.startswith(expected)
    assert now.startswith(seen)


def test_a_target_that_is_gone_or_twice_there_is_said_in_plain_words() -> None:
    for found, said in (("none", "none"), ("2", "2, so it is unclear which one to use")):
        seen = {"sees": f"expected one such thing, the page shows {found}"}
        assert difference(SIGHT, seen) == ("one such button", said)


def action(verb: str, target: str, text: str = "", by_agent: bool = True, page: int = 40) -> PageAction:
    return PageAction(verb, target, text, by_agent, page, 20)


def a_run(stage: Stage, status: str, actions: list[PageAction], **changes: Any) -> Run:
    replayed = sum(not one.by_agent for one in actions)
    own = len(actions) - replayed
    fields = {
        "stage": stage,
        "instruction": "do it",
        "status": status,
        "reason": "",
        "message": "",
        "steps": replayed,
        "actions": tuple(actions),
        "agent_calls": int(own > 0),
        "model_calls": own,
        "seconds": 0.25,
        "reward": 1.0,
        "wrong": (),
    }
    return Run(**{**fields, **changes})


def test_the_estimate_is_what_the_model_agent_sends() -> None:
    """Every character of the requests is counted, but for the names of the fields around the texts."""
    things = [Thing(1, "textbox", "input", "Username", 1, (0, 0), "", (), "")]
    views = [
        View(LOG_IN, False, 0.0, tuple(things)),
        View(LOG_IN, False, 0.0, (*things, Thing(2, "button", "button", "Login", 1, (0, 9), "", (), ""))),
        View(LOG_IN, True, 1.0, ()),
    ]
    steps = [("type_text", {"target": 'textbox "Username"', "text": "ann"}), ("click", {"target": 'button "Login"'})]
    asked: list[int] = []

    class Model(ChatModel):
        def reply(self, messages: list[dict[str, Any]]) -> dict[str, Any]:
            calls = [call["function"] for message in messages for call in message.get("tool_calls", ())]
            texts = sum(len(message["content"]) for message in messages)
            asked.append(texts + sum(len(call["name"]) + len(call["arguments"]) for call in calls))
            name, arguments = steps[len(asked) - 1]
            return {"tool_calls": [{"id": "1", "function": {"name": name, "arguments": json.dumps(arguments)}}]}

    class Pages:
        def view(self) -> View:
            return views[page[0]]

        def type_text(self, target: str, text: str) -> None:
            page[0] = 1

        def click(self, target: str) -> None:
            page[0] = 2

    page = [0]
    ModelAgent(Pages(), Model("http://127.0.0.1:9", "m", "k"))(LOG_IN)  # type: ignore[arg-type]
    watch = Watch()
    watch.audit(views[0], "type_text", things[0], "ann")
    watch.audit(views[1], "click", views[1].things[1], "")
    first, second = bills(LOG_IN, watch.actions)
    schemas = first.tokens_in * 4 - asked[0]
    assert schemas > len(SYSTEM)  # the schemas of the tools are sent beside the messages
    assert abs(second.tokens_in * 4 - asked[1] - schemas) <= 4
    assert second.tokens_in - first.tokens_in > len(listing(views[1])) / 4


def test_replayed_steps_cost_a_model_nothing_and_a_handover_only_the_rest() -> None:
    seen = [action("click", 'link "a"', by_agent=False), action("click", 'link "b"'), action("click", 'link "c"')]
    runs = [
        a_run(Stage.NEW, "miss", [action("click", 'link "a"'), *seen[1:]]),
        a_run(Stage.SAME, "hit", [action("click", 'link "a"', by_agent=False)] * 3),
        a_run(Stage.CHANGED, "diverged", seen),
    ]
    alone = bills("do it", seen)
    assert bill_without(runs) == total([*alone] * 3)
    assert bill_with(runs) == total([*alone, *bills("do it", seen[1:])])
    assert bill_with(runs[1:2]) == Bill()
    assert [bill.tokens_in for bill in alone] == sorted({bill.tokens_in for bill in alone})  # pages add up
    assert Bill(1, 1_000_000, 500_000).dollars(Price("m", 2.0, 8.0)) == pytest.approx(6.0)


def test_the_tables_add_up_what_the_runs_were() -> None:
    own, replayed = action("click", 'link "a"'), action("click", 'link "a"', by_agent=False)
    runs = {
        "one": [
            a_run(Stage.NEW, "miss", [own, own]),
            a_run(Stage.SAME, "hit", [replayed, replayed]),
            a_run(Stage.CHANGED, "diverged", [replayed, own], stop=Stop(2, "x", "y")),
        ],
        "two": [a_run(Stage.CHANGED, "hit", [replayed]), a_run(Stage.OLD, "miss", [own], wrong=("clicked b",))],
    }
    every = [run for group in runs.values() for run in group]
    assert Totals.of(every) == Totals(runs=5, asked=3, steps=8, replayed=4, wrong=1, changed=2, stopped=1)
    out = io.StringIO()
    print_summary(Console(file=out, width=100), runs, is_script=True)
    rows = [line.split() for line in out.getvalue().splitlines()]
    assert ["one", "3", "2", "6", "3", "0"] in [row[:6] for row in rows]
    assert ["two", "2", "1", "2", "1", "1"] in [row[:6] for row in rows]
    assert ["all", "5", "3", "8", "4", "1"] in [row[:6] for row in rows]
    assert ["calls", "of", "the", "model", "8", "4", "50%"] in rows
    for price in PRICES:
        assert f"{price.model} {price.tokens_in:.2f} and {price.tokens_out:.2f}" in " ".join(out.getvalue().split())


def test_measured_seconds_of_a_model_take_the_place_of_assumed_ones() -> None:
    runs = {"one": [a_run(Stage.NEW, "miss", [action("click", 'link "a"')] * 4)]}
    said = []
    for seconds in (None, 7.5):
        out = io.StringIO()
        print_summary(Console(file=out, width=100), runs, seconds is None, seconds)
        said.append(out.getvalue())
    assumed, measured = said
    assert "assumption" in assumed
    assert "assumption" not in measured
    assert "30 s" in measured
    assert ["not examined" in " ".join(text.split()) for text in said] == [False, True]


def test_long_lines_are_wrapped_below_their_column() -> None:
    out = io.StringIO()
    lines = Lines(Console(file=out, width=60), TASKS[0], is_script=True)
    lines.began(Stage.SAME, "do it", is_known=False)
    lines.ended(a_run(Stage.SAME, "miss", [], stop=Stop(1, "a long text " * 5, "another text " * 5)))
    said = out.getvalue().splitlines()
    assert max(map(len, said)) <= 60
    assert all(line.startswith(" " * 23) for line in said[2:])


def test_a_run_with_other_data_shows_them() -> None:
    out = io.StringIO()
    lines = Lines(Console(file=out, width=100), TASKS[0], is_script=True)
    for stage in (Stage.SAME, Stage.OTHER, Stage.OTHER_AGAIN):
        lines.ended(a_run(stage, "hit", [], instruction=f"{stage.value} for Ann"))
    assert [f"{stage.value} for Ann" in out.getvalue() for stage in (Stage.SAME, Stage.OTHER, Stage.OTHER_AGAIN)] == [
        False,
        True,
        False,
    ]


def test_a_task_that_is_known_is_not_called_new() -> None:
    said = []
    for is_known in (False, True):
        out = io.StringIO()
        lines = Lines(Console(file=out, width=100), TASKS[0], is_script=True)
        lines.began(Stage.NEW, "do it", is_known)
        lines.ended(a_run(Stage.NEW, "hit" if is_known else "miss", [action("click", "x", by_agent=not is_known)]))
        said.append(out.getvalue())
    assert ["new task" in text for text in said] == [True, False]


def test_only_warnings_are_shown_and_they_say_what_they_concern() -> None:
    shown: list[str] = []
    watch = Watch()
    watch.on_trouble = shown.append
    watch(NoticeEvent("uncertain_value", "a remark", level="info"))
    watch(NotLearnedEvent("do it", "mode", "as wanted", level="debug"))
    watch(StoreEvent("count", "it recovered", level="info"))
    assert shown == []
    watch(NoticeEvent("no_value", "a hit has no value"))
    watch(NotLearnedEvent("do it", "too_large", "17 MB", level="warning"))
    watch(StoreEvent("save", "disk full"))
    assert [next(word for word in ("value", "17 MB", "disk full") if word in text) for text in shown] == [
        "value",
        "17 MB",
        "disk full",
    ]


def test_durations_are_short() -> None:
    assert [seconds_text(s) for s in (0, 0.2404, 0.9999, 3.21, 6.0, 59.96, 354)] == [
        "0 s", "240 ms", "1 s", "3.2 s", "6 s", "1 min 0 s", "5 min 54 s",
    ]  # fmt: skip
