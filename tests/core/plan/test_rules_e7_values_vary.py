"""E7, D1b: recordings that contradict each other in a value that nothing explains are not sent again."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import pytest

from muscle_mem import Check, Engine, Handover, Outcome, Reason


class Desk:
    """An engine with checked and unchecked tools, and an agent that is a function of this desk."""

    def __init__(self, agent: Callable[..., Any], *, effect: Any = "write", **options: Any) -> None:
        self.calls: list[tuple[Any, ...]] = []
        self.screen = "start"
        self.outputs: dict[str, Any] = {}
        self.numbers = itertools.count(1)
        self.engine = Engine(**options)
        check = Check(lambda *_: self.screen, lambda now, then: now == then)

        @self.engine.tool(effect=effect, name="do")
        def do(what: str, value: Any = None) -> Any:
            self.calls.append(("do", what, value))
            return self.outputs.get(what)

        @self.engine.tool(effect="write", name="say", any=["tone"])
        def say(text: str, tone: str = "") -> None:
            self.calls.append(("say", text, tone))

        @self.engine.tool(check, effect="write", name="press")
        def press(button: str) -> None:
            self.calls.append(("press", button))

        @self.engine.tool(effect="read", name="look")
        def look(what: str = "") -> Any:
            self.calls.append(("look", what))
            return self.outputs.get("look")

        self.do, self.say, self.press, self.look = do, say, press, look
        self.engine.set_agent(lambda task, p=None: agent(self, p))

    def run(self, p: Any = None, **options: Any) -> tuple[Outcome, list[tuple[Any, ...]]]:
        self.calls = []
        params = None if p is None else {"p": p}
        return self.engine("task", p, params=params, **options), self.calls


def wordy(desk: Desk, _: Any) -> None:
    desk.do("open")
    desk.say(f"wording {chr(96 + next(desk.numbers))}")


def test_e7_a_wording_that_differs_is_not_sent_again() -> None:
    desk = Desk(wordy)
    desk.run()
    told = [desk.run(mode=mode) for mode in ("record", "auto", "auto")]
    outcome, calls = told[1]
    assert (outcome.status, outcome.reason) == ("miss", Reason.VALUE_VARIES)
    assert "'text' of say" in outcome.message
    assert "wording a" in outcome.message or "wording b" in outcome.message
    assert "any=['text']" in outcome.message
    assert calls == [("do", "open", None), ("say", "wording c", "")]
    assert told[2][1][1] == ("say", "wording d", "")


def test_e7_equal_snapshots_and_three_texts_stop_too() -> None:
    def agent(desk: Desk, _: Any) -> None:
        desk.press(f"button {chr(96 + next(desk.numbers))}")

    desk = Desk(agent)
    for _ in range(3):
        desk.run(mode="record")
    assert desk.run()[0].reason is Reason.VALUE_VARIES


def test_e7_another_screen_is_a_fork_and_each_replays_its_own_way() -> None:
    def agent(desk: Desk, _: Any) -> None:
        desk.press({"left": "x 10", "right": "x 99"}[desk.screen])

    desk = Desk(agent)
    for desk.screen in ("left", "right"):
        assert not desk.run()[0]
    for desk.screen, button in (("left", "x 10"), ("right", "x 99"), ("left", "x 10")):
        outcome, calls = desk.run()
        assert outcome
        assert calls == [("press", button)]


def test_e7_other_outputs_are_a_fork() -> None:
    def agent(desk: Desk, _: Any) -> None:
        found = desk.look()
        desk.do("answer", "polite" if found["name"] == "Ann" else "plain")

    desk = Desk(agent)
    for name in ("Ann", "Bob"):
        desk.outputs["look"] = {"name": name}
        desk.run(mode="record")
    assert desk.run()[0].reason is not Reason.VALUE_VARIES


def test_e7_two_that_agree_in_a_row_end_it_and_a_third_that_differs_begins_it_again() -> None:
    words = iter(["a", "b", "b", "c"])
    desk = Desk(lambda d, _: d.say(f"wording {next(words)}"))
    for _ in range(2):
        desk.run(mode="record")
    outcome, calls = desk.run()
    assert outcome.reason is Reason.VALUE_VARIES
    assert calls == [("say", "wording b", "")]
    outcome, calls = desk.run()
    assert outcome
    assert calls == [("say", "wording b", "")]
    desk.run(mode="record")
    words = iter("z")
    assert desk.run()[0].reason is Reason.VALUE_VARIES


def test_e7_a_good_report_ends_it_for_what_was_reported() -> None:
    desk = Desk(wordy)
    desk.run()
    second = desk.run(mode="record")[0]
    assert not desk.run()[0]
    second.report_good()
    outcome, calls = desk.run()
    assert outcome
    assert calls[1] == ("say", "wording b", "")


def test_e7_any_says_that_every_recorded_wording_will_do() -> None:
    desk = Desk(lambda d, _: d.say("hello", tone=f"tone {next(d.numbers)}"))
    for _ in range(2):
        desk.run(mode="record")
    assert desk.run()[0]
    with pytest.raises(ValueError, match=r"any=.*'voice'"):
        desk.engine.tool(any=["voice"])(lambda text: None)


def test_e7_a_quarantined_recording_contradicts_too() -> None:
    desk = Desk(wordy)
    desk.run()[0].report_bad()
    desk.run(mode="record")
    assert desk.run()[0].reason is Reason.VALUE_VARIES


def test_e7_where_params_differ_each_recording_is_valid_for_its_own_values() -> None:
    country = {"Rome": "Italy", "Oslo": "Norway", "Bern": "Switzerland"}

    def agent(desk: Desk, city: str) -> None:
        desk.do("city", city)
        desk.do("country", country[city])

    desk = Desk(agent)
    desk.run("Rome")
    desk.run("Oslo", mode="record")
    for city in ("Rome", "Oslo"):
        outcome, calls = desk.run(city)
        assert outcome
        assert calls[1] == ("do", "country", country[city])
    outcome, calls = desk.run("Bern")
    assert (outcome.status, outcome.reason) == ("miss", Reason.PARAM_GUARD)
    assert calls[1] == ("do", "country", "Switzerland")
    assert desk.run("Bern")[0]


def test_e7_the_same_leaf_from_another_param_is_a_contradiction() -> None:
    def agent(desk: Desk, _: Any) -> None:
        desk.do("fill", (desk_params["genre"], desk_params["director"])[turn])

    desk = Desk(agent)
    desk_params = {"genre": "drama", "director": "Varda"}
    turn = 0
    desk.engine("film", params=desk_params, mode="record")
    turn = 1
    desk.engine("film", params=desk_params, mode="record")
    turn = 0
    desk_params = {"genre": "comedy", "director": "Tati"}
    desk.calls = []
    outcome = desk.engine("film", params=desk_params)
    assert not outcome
    assert desk.calls == [("do", "fill", "comedy")]


def test_e7_a_task_in_this_state_keeps_eight_recordings() -> None:
    desk = Desk(wordy)
    for number in range(20):
        desk.run(mode="record" if number < 2 else "auto")
    entries = desk.engine._runtime.library.entries()
    assert sum(len(entry.trajectories) for entry in entries) == 8


def test_d1b_a_known_stop_begins_only_after_repeatable_steps_or_for_an_agent_that_goes_on() -> None:
    desk = Desk(wordy, effect="idempotent")
    desk.run()
    desk.run(mode="record")
    outcome, _ = desk.run()
    assert (outcome.status, outcome.reason) == ("diverged", Reason.VALUE_VARIES)
    for options in ({"mode": "replay"}, {"on_divergence": "raise"}):
        desk.calls = []
        if "mode" in options:
            with pytest.raises(LookupError, match="value_varies"):
                desk.run(**options)
            assert desk.calls == []
        else:
            assert desk.run(**options)[0].status == "miss"

    going_on: list[Any] = []

    def agent(desk: Desk, handover: Handover | None) -> None:
        if handover is None:
            desk.do("open")
        else:
            going_on.append(handover)
        desk.say(f"wording {next(desk.numbers)}")

    desk = Desk(agent)
    desk.engine.set_agent(lambda task, p=None, handover=None: agent(desk, handover))
    desk.run()
    desk.run(mode="record")
    outcome, calls = desk.run()
    assert (outcome.status, outcome.reason) == ("diverged", Reason.VALUE_VARIES)
    assert calls == [("do", "open", None), ("say", "wording 3", "")]
    assert len(going_on) == 1
    desk = Desk(agent, effect="irreversible", approve=lambda task: True)
    desk.engine.set_agent(lambda task, p=None, handover=None: agent(desk, handover))
    desk.run()
    desk.run(mode="record")
    assert desk.run()[0].status == "miss"


def test_e7_recordings_of_other_screens_in_between_hide_no_contradiction() -> None:
    wording = {"now": ""}
    desk = Desk(lambda d, _: d.press(f"{d.screen} {wording['now']}"))
    for desk.screen, wording["now"] in (("left", "a"), ("left", "b"), *((f"page {n}", "x") for n in range(5))):
        desk.run(mode="record")
    desk.screen, wording["now"] = "left", "c"
    outcome, calls = desk.run()
    assert not outcome
    assert calls == [("press", "left c")]
