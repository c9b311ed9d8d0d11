"""L17: a step that some recordings lack is skipped if its check refuses, and never inserted."""

from __future__ import annotations

import itertools
import json
import random
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from click.testing import CliRunner

from muscle_mem import Check, Diverged, Engine, Reason
from muscle_mem.cli import main

TASK = "press the button"


class Page:
    """A page whose two pop-ups an agent closes, one before it scrolls and one before it presses a button."""

    def __init__(self, *, effect: Any = "idempotent", unchecked: str = "", **options: Any) -> None:
        self.engine = Engine(**options)
        self.log: list[str] = []
        self.shown: set[str] = set()
        self.broken = ""
        self.title, self.moves = "shop", ""
        self.fails = self.has_ids = self.uses = self.tells = self.returns = False
        self.how: dict[str, str] = {}
        self._ids = itertools.count(70_001)
        self._unchecked = unchecked.split()
        self.find = self.engine.tool(name="find", effect="read")(self._find)
        self.cookies = self._closing("cookies", effect)
        self.scroll = self._tool("scroll", lambda: ("cookies" in self.shown, self.title), "write", self._scroll)
        self.news = self._closing("news", effect)
        self.press = self._tool("press", lambda *_, **__: ("news" in self.shown, self.title), "write", self._press)
        self.tap = self.engine.tool(name="tap", effect="write")(lambda button: self.log.append("tap"))
        self.engine.set_agent(self.agent)

    def _tool(self, name: str, capture: Any, effect: Any, function: Any) -> Any:
        check = None if name in self._unchecked else Check(capture)
        return self.engine.tool(check, name=name, effect=effect, refuses=(ConnectionError,))(function)

    def _closing(self, name: str, effect: Any) -> Any:
        def look() -> bool:
            if name == self.broken:
                raise OSError("no screen")
            return name in self.shown

        def close() -> dict[str, str]:
            self.log.append(name)
            self.shown.discard(name)
            return {"token": f"T-{next(self._ids)}"}

        return self._tool(name, look, effect, close)

    def _find(self) -> dict[str, Any]:
        found: dict[str, Any] = {"button": next(self._ids) if self.has_ids else 4711}
        return {**found, "has_news": "news" in self.shown} if self.tells else found

    def _scroll(self) -> None:
        self.log.append("scroll")
        self.title = self.moves or self.title

    def _press(self, button: int, token: str = "", how: str = "") -> str:
        self.log.append("press")
        if self.fails:
            raise ConnectionError("down")
        return "pressed"

    def agent(self, task: str) -> Any:
        button = self.find()["button"]
        given: dict[str, Any] = {}
        if "cookies" in self.shown:
            self.cookies()
        self.scroll()
        if "news" in self.shown:
            closed = self.news()
            if self.uses:
                given["token"] = closed["token"]
            if "news" in self.how:
                given["how"] = self.how["news"]
        return self.press(button, **given)

    def run(self, shown: str = "", title: str = "shop", **options: Any) -> Any:
        self.shown, self.title = set(shown.split()), title
        self.log.clear()
        return self.engine(TASK, **options)

    def teach(self, *runs: str) -> Page:
        for shown in runs:
            assert self.run(shown, mode="record").learned
        return self

    def steps(self) -> dict[str, str]:
        return {one.tool: one.missing for one in self.engine.explain(TASK).optional}


BOTH = "cookies news"


def test_l17_two_recordings_with_and_two_without_make_steps_optional() -> None:
    page = Page().teach("", "", BOTH, BOTH)
    outcome = page.run("cookies")
    assert (outcome.status, outcome.steps) == ("hit", 4)
    assert page.log == ["cookies", "scroll", "press"]
    assert page.run(BOTH)
    assert page.log == ["cookies", "scroll", "news", "press"]
    assert page.run("")
    assert page.log == ["scroll", "press"]


@pytest.mark.parametrize("runs", [("", BOTH, BOTH), ("", "", BOTH), ("", BOTH)], ids=["without", "with", "each"])
def test_l17_one_recording_on_a_side_is_not_enough(runs: tuple[str, ...]) -> None:
    page = Page().teach(*runs)
    assert all(why.startswith("one more recording with") for why in page.steps().values())
    outcome = page.run("cookies")
    assert (outcome.status, outcome.reason) == ("diverged", Reason.CHECK_REFUSED)


@pytest.mark.parametrize("effect", [None, "write", "irreversible"])
def test_l17_a_write_is_never_optional(effect: Any) -> None:
    page = Page(effect=effect, approve=lambda *_: True).teach("", "", BOTH, BOTH)
    assert page.run("cookies").status == "diverged"
    assert page.log[:2] == ["cookies", "scroll"]


def test_l17_a_write_that_some_recordings_lack_is_named() -> None:
    page = Page(effect="write").teach("", "", "news", "news")
    assert page.steps() == {"news": "it is not declared read or idempotent"}


def test_l17_a_step_whose_output_is_needed_later_is_not_optional() -> None:
    page = Page()
    page.uses = True
    page.teach("", "", BOTH, BOTH)
    assert page.steps()["news"] == "a later step needs its output"
    assert page.run("cookies").status == "diverged"


def test_l17_a_step_whose_output_is_the_result_is_not_optional() -> None:
    page = Page()
    page.engine.set_agent(lambda task: (page.news() if "news" in page.shown else 0, page.press(1))[0])
    page.teach("", "", "news", "news")
    assert page.steps()["news"] == "its output is the result"


@pytest.mark.parametrize(
    ("unchecked", "missing"),
    [("news", "a pre-check of it"), ("press", "a pre-check of the next step")],
    ids=["it", "the next"],
)
def test_l17_it_and_the_next_step_need_a_pre_check(unchecked: str, missing: str) -> None:
    page = Page(unchecked=unchecked).teach("", "", "news", "news")
    assert page.steps() == {"news": missing}


def test_l17_a_step_at_the_end_is_not_optional() -> None:
    page = Page()

    def agent(task: str) -> None:
        page.scroll()
        if "news" in page.shown:
            page.news()

    page.engine.set_agent(agent)
    page.teach("", "", "news", "news")
    assert page.steps() == {"news": "a pre-check of the next step"}


def test_l17_steps_in_a_row_that_are_lacking_together_are_a_branch() -> None:
    page = Page()

    def agent(task: str) -> None:
        page.scroll()
        for name in ("cookies", "news"):
            if name in page.shown:
                getattr(page, name)()
        page.press(1)

    page.engine.set_agent(agent)
    page.teach("", "", BOTH, BOTH)
    assert page.steps() == {}
    page.teach("cookies", "cookies", "news", "news")
    assert page.steps() == {"cookies": "", "news": ""}  # each was lacking alone, too
    for shown in ("", "cookies", "news", BOTH):
        assert page.run(shown)
        assert page.log == ["scroll", *shown.split(), "press"]


def test_l17_other_values_without_the_step_are_a_branch() -> None:
    page = Page()
    page.how = {"news": "softly"}
    page.teach("", "", BOTH, BOTH)
    assert set(page.steps().values()) == {"other calls have other values where it is lacking"}
    assert page.run("cookies").status == "diverged"


def test_l17_a_step_that_an_earlier_answer_decides_is_a_branch() -> None:
    page = Page()
    page.tells = True
    page.teach("", "", "news", "news")
    assert page.steps() == {"news": "an earlier answer decides whether it is made"}


def test_l17_a_check_that_cannot_tell_skips_nothing() -> None:
    page = Page().teach("", "", BOTH, BOTH)
    page.broken = "news"
    outcome = page.run("cookies")
    assert (outcome.status, outcome.reason) == ("diverged", Reason.CHECK_ERROR)


def test_l17_nothing_is_skipped_where_the_next_check_refuses_too() -> None:
    page = Page().teach("", "", BOTH, BOTH)
    page.moves = "elsewhere"  # scrolling leads to another page
    outcome = page.run("cookies")
    assert (outcome.status, outcome.reason, outcome.steps) == ("diverged", Reason.CHECK_REFUSED, 3)


def test_l17_a_step_is_never_inserted() -> None:
    page = Page().teach(BOTH, BOTH, "", "")
    outcome = page.run("news")  # the recordings without pop-ups fit until then
    assert outcome.status == "diverged"
    assert page.log[0] == "scroll"
    assert "cookies" not in page.log


def test_l17_a_step_with_an_output_that_nothing_uses_is_skipped_where_ids_differ() -> None:
    page = Page()
    page.has_ids = True
    page.teach("", "", BOTH, BOTH)
    assert page.steps() == {"cookies": "", "news": ""}
    outcome = page.run("cookies")
    assert (outcome.status, outcome.steps) == ("hit", 4)
    assert page.log == ["cookies", "scroll", "press"]


def test_l17_a_hand_over_behind_a_skipped_step_names_what_was_done() -> None:
    page = Page(on_divergence="raise").teach("", "", BOTH, BOTH)
    page.fails = True
    with pytest.raises(Diverged) as raised:
        page.run("cookies")
    handover = raised.value.handover
    assert (handover.step, handover.reason) == (4, Reason.TOOL_RAISED)
    assert [step.tool for step in handover.executed] == ["find", "cookies", "scroll", "press"]
    assert handover.remaining == ()


def test_l17_a_restarted_agent_is_absorbed_behind_a_skipped_step() -> None:
    page = Page().teach("", "", BOTH, BOTH)

    def agent(task: str) -> Any:
        button = page.find()["button"]
        page.cookies()
        page.scroll()
        return page.tap(button)

    page.engine.set_agent(agent)
    page.fails = True
    outcome = page.run("cookies")
    assert (outcome.status, outcome.reason, outcome.steps) == ("diverged", Reason.TOOL_RAISED, 4)
    assert page.log == ["cookies", "scroll", "press", "cookies", "tap"]  # only the idempotent one is made again
    assert outcome.learned


def test_l17_a_second_process_knows_the_same_from_the_store(tmp_path: Path) -> None:
    url = str(tmp_path / "memory.db")
    Page(store=url).teach("", "", BOTH, BOTH).engine.close()
    page = Page(store=url)
    assert page.run("cookies")
    assert page.log == ["cookies", "scroll", "press"]
    page.engine.close()


def test_l17_forgotten_recordings_take_what_they_prove_with_them() -> None:
    page = Page().teach("", "", BOTH, BOTH)
    short = next(one for one in page.engine.explain(TASK).considered if one.steps == 3)
    page.engine.forget(short.trajectory_id)
    assert page.steps() == {}
    assert page.run("cookies").status == "diverged"


def test_l17_recordings_in_quarantine_prove_nothing() -> None:
    page = Page().teach("", "", BOTH, BOTH)
    short = next(one for one in page.engine.explain(TASK).considered if one.steps == 3)
    page.engine.report_bad(short.trajectory_id)
    assert page.steps() == {}
    assert page.run("cookies").status == "diverged"


def test_l17_nothing_is_optional_where_nothing_is_learned_from_several_recordings() -> None:
    page = Page(learn_flows=False).teach("", "", BOTH, BOTH)
    assert page.engine.explain(TASK).optional == ()
    assert page.run("cookies").status == "diverged"


def test_l17_explain_says_that_a_step_is_optional_and_why() -> None:
    page = Page().teach("", "", "news", "news")
    text = str(page.engine.explain(TASK))
    assert "step 2 (news) is optional (2 recordings with it, 2 without): skipped if its pre-check fails" in text
    page = Page().teach("", "news", "news")
    text = str(page.engine.explain(TASK))
    assert "step 2 (news) is not optional (2 recordings with it, 1 without): missing: one more recording" in text


def test_l17_show_and_export_say_that_a_step_is_optional(tmp_path: Path) -> None:
    url = str(tmp_path / "memory.db")
    page = Page(store=url).teach("", "", "news", "news")
    id = page.engine.explain(TASK).considered[0].trajectory_id
    page.engine.close()
    shown = CliRunner().invoke(main, ["show", id, "--store", url], catch_exceptions=False).output
    assert "step 2 (news) is optional (2 recordings with it, 2 without)" in shown
    as_json = CliRunner().invoke(main, ["show", id, "--store", url, "--json"], catch_exceptions=False).output
    assert json.loads(as_json)["optional"] == [
        {"step": 2, "tool": "news", "has": 2, "lacks": 2, "missing": None, "is_optional": True}
    ]
    arguments = ["export", id, "--store", url, "--format", "python"]
    source = CliRunner().invoke(main, arguments, catch_exceptions=False).output
    assert "    # Optional: 2 recordings made this call, 2 did not.\n" in source
    names: dict[str, Any] = {}
    exec(source, names)
    for is_shown in (True, False):
        done: list[str] = []
        tools = SimpleNamespace(
            find=lambda: {"button": 4711},
            scroll=lambda: None,
            news=lambda done=done: done.append("news"),
            press=lambda button, done=done: done.append("press"),
        )
        names["press_the_button"](
            tools,
            before_news=lambda expected, now=is_shown: expected is now,
            before_scroll=None,
            before_press=None,
        )
        assert done == (["news", "press"] if is_shown else ["press"])


def test_l17_another_value_of_the_same_argument_is_a_branch_too() -> None:
    page = Page()

    def agent(task: str) -> None:
        closed = "news" in page.shown
        if closed:
            page.news()
        page.press(1, how="softly" if closed else "firmly")

    page.engine.set_agent(agent)
    page.teach("", "", "news", "news")
    assert page.steps() == {"news": "other calls have other values where it is lacking"}


def test_l17_another_order_is_a_branch() -> None:
    page = Page()

    def agent(task: str) -> None:
        if "news" in page.shown:
            page.scroll()
            page.find()
            page.news()
        else:
            page.find()
            page.scroll()
        page.press(1)

    page.engine.set_agent(agent)
    page.teach("", "", "news", "news")
    assert page.steps() == {}


KINDS = ("optional", "optional", "write", "told", "valued")


class Form:
    """A form of three pages that an agent sends, each with a pop-up of a random kind before it."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.engine = Engine()
        self.kinds = self.random.choices(KINDS, k=3)
        self.shown: set[int] = set()
        self.log: list[Any] = []
        self.look = self.engine.tool(name="look", effect="read")(self._look)
        self.close = [self._close(at, kind) for at, kind in enumerate(self.kinds)]
        self.send = [
            self.engine.tool(Check(lambda *_, at=at: at in self.shown), name=f"send{at}", effect="write")(
                lambda how, at=at: self.log.append((at, how))
            )
            for at in range(3)
        ]
        self.engine.set_agent(self.agent)

    def _look(self) -> dict[str, bool]:
        return {f"shown{at}": at in self.shown for at, kind in enumerate(self.kinds) if kind == "told"}

    def _close(self, at: int, kind: str) -> Any:
        def close() -> None:
            self.log.append(f"close{at}")
            self.shown.discard(at)

        effect: Any = "write" if kind == "write" else "idempotent"
        return self.engine.tool(Check(lambda: at in self.shown), name=f"close{at}", effect=effect)(close)

    def agent(self, task: str) -> None:
        self.look()
        for at, kind in enumerate(self.kinds):
            is_shown = at in self.shown
            if is_shown:
                self.close[at]()
            self.send[at]("slowly" if is_shown and kind == "valued" else "at once")

    def due(self, shown: set[int]) -> list[Any]:
        found: list[Any] = []
        for at, kind in enumerate(self.kinds):
            found += [f"close{at}"] if at in shown else []
            found.append((at, "slowly" if at in shown and kind == "valued" else "at once"))
        return found

    def run(self, **options: Any) -> tuple[Any, bool]:
        shown = {at for at in range(3) if self.random.random() < 0.5}
        self.shown = set(shown)
        self.log.clear()
        outcome = self.engine("send the form", **options)
        return outcome, self.log == self.due(shown)


def test_l17_no_hit_of_random_forms_does_what_the_agent_would_not_do() -> None:
    hits, skips = 0, 0
    for seed in range(40):
        form = Form(seed)
        for _ in range(6):
            form.run(mode="record")
        lengths = {entry.trajectory_id: entry.steps for entry in form.engine.explain("send the form").considered}
        for _ in range(6):
            outcome, is_right = form.run(mode="frozen")
            assert is_right or not outcome, (seed, form.kinds, form.log)
            hits += bool(outcome)
            skips += bool(outcome) and outcome.steps < lengths.get(outcome.trajectory_id, 0)
        form.engine.close()
    assert hits > 100
    assert skips > 4  # what no recording had as a whole
