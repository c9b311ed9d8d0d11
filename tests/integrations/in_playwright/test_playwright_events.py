"""Tabs, dialogs and downloads are steps, or the run is not learned; what passes through unseen is not learned."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from muscle_mem import Reason
from playwright_desk import Desk

SITE = """<script>log = []</script>
<button onclick="const w = window.open('about:blank'); w.document.write(
 `<title>Terms</title><button onclick='opener.log.push(7)'>Agree</button><input aria-label=Name>`)">Terms</button>
<a download="report.csv" href="data:text/csv,a;b">Report</a>
<button onclick="log.push(confirm('Delete  order A-1?'))">Delete</button>
<button onclick="log.push(prompt('Your name?'))">Ask</button>
<button onclick="log.push('plain')">Plain</button>"""
OPENING = SITE.replace("log.push('plain')", "window.open('about:blank')")


def press(desk: Desk, name: str) -> None:
    desk.page.get_by_role("button", name=name).click()


def test_a_new_tab_is_a_step_and_its_actions_are_replayed_in_it(desk: Desk) -> None:
    def agent() -> Any:
        with desk.page.expect_popup() as opened:
            press(desk, "Terms")
        tab = opened.value
        tab.get_by_label("Name").fill("Ann")
        tab.get_by_role("button", name="Agree").click()
        assert tab.title() == "Terms"
        tab.close()
        press(desk, "Plain")

    desk.learn(agent, SITE)
    assert desk.log() == [7, "plain"]
    hit = desk.run(html=SITE)
    assert (hit.status, hit.steps, desk.log()) == ("hit", 7, [7, "plain"]), hit.message
    assert len(desk.real.context.pages) == 1
    assert desk.run(html=SITE).status == "hit"
    absent = desk.run(lambda: None, SITE.replace("window.open('about:blank')", "window"))
    assert absent.status == "diverged"


def test_a_tab_that_no_step_expects(desk: Desk) -> None:
    unseen = desk.run(lambda: (press(desk, "Plain"), desk.page.wait_for_timeout(50)), OPENING)
    assert unseen.not_learned is Reason.UNLEARNABLE
    assert "expect_popup" in unseen.not_learned_message
    desk.learn(lambda: (press(desk, "Plain"), desk.page.wait_for_timeout(50)), SITE)
    stopped = desk.run(lambda: None, OPENING)
    assert stopped.reason is Reason.TOOL_RAISED
    assert "a new tab opened" in stopped.message


def test_a_dialog_is_answered_by_a_step_of_its_own(desk: Desk) -> None:
    def agent(order: str, name: str) -> None:
        desk.page.answer_dialog(f"Delete order {order}?")
        press(desk, "Delete")
        desk.page.answer_dialog("Your name?", prompt_text=name)
        press(desk, "Ask")
        desk.page.answer_dialog("Your name?", accept=False)
        press(desk, "Ask")

    ann, bob = {"order": "A-1", "name": "Ann"}, {"order": "B-2", "name": "Bob"}
    desk.learn(agent, SITE, **ann, params=ann)
    assert desk.log() == [True, "Ann", None]
    hit = desk.run(html=SITE.replace("A-1", "B-2"), **bob, params=bob)
    assert (hit.status, desk.log()) == ("hit", [True, "Bob", None]), hit.message


def test_the_latest_memory_page_of_a_page_answers_its_dialogs(make_desk: Any) -> None:
    from muscle_mem.integrations.playwright import memory_page

    desk = make_desk()
    first, desk.page = desk.page, memory_page(desk.engine, desk.real, wait=0.3)

    def agent() -> None:
        desk.page.answer_dialog("Delete order A-1?")
        press(desk, "Delete")

    desk.learn(agent, SITE)
    assert desk.log() == [True]
    assert first.title() == ""


def test_another_dialog_is_dismissed_and_stops_the_replay(desk: Desk) -> None:
    def agent() -> None:
        desk.page.answer_dialog("Delete order A-1?")
        press(desk, "Delete")

    desk.learn(agent, SITE)
    stopped = desk.run(lambda: None, SITE.replace("order A-1", "all orders"))
    assert stopped.reason is Reason.TOOL_RAISED
    assert "Delete all orders?" in stopped.message
    assert desk.log() == [False]


def test_a_dialog_without_an_answer_is_not_learned(desk: Desk) -> None:
    outcome = desk.run(lambda: press(desk, "Delete"), SITE)
    assert outcome.not_learned is Reason.UNLEARNABLE
    assert "answer_dialog" in outcome.not_learned_message
    assert desk.log() == [False]


def test_a_handler_of_the_program_answers_and_the_run_is_not_learned(desk: Desk) -> None:
    def agent() -> None:
        desk.page.once("dialog", lambda dialog: dialog.accept())
        press(desk, "Delete")

    outcome = desk.run(agent, SITE)
    assert (outcome.not_learned, desk.log()) == (Reason.UNLEARNABLE, [True])


def test_a_download_is_a_step(desk: Desk, tmp_path: Path) -> None:
    files = []

    def agent() -> Any:
        with desk.page.expect_download() as coming:
            desk.page.get_by_role("link", name="Report").click()
        files.append(coming.value.suggested_filename)
        coming.value.save_as(tmp_path / "report.csv")

    desk.learn(agent, SITE)
    assert files == ["report.csv"]
    assert (tmp_path / "report.csv").read_text() == "a;b"
    hit = desk.run(html=SITE)
    assert (hit.status, hit.steps) == ("hit", 3), hit.message
    unexpected = desk.run(lambda: (desk.page.click("a"), desk.page.wait_for_timeout(300)), SITE, tags="plain")
    assert unexpected.not_learned is Reason.UNLEARNABLE
    assert "expect_download" in unexpected.not_learned_message


@pytest.mark.parametrize(
    ("act", "allowed"),
    [
        (lambda page: page.evaluate("log.push(1)"), "evaluate"),
        (lambda page: page.keyboard.press("Tab"), "keyboard"),
        (lambda page: page.mouse.move(1, 1), "mouse"),
        (lambda page: page.query_selector("button"), "query_selector"),
        (lambda page: page.context, "context"),
        (lambda page: page.main_frame, "main_frame"),
        (lambda page: page.locator("a").evaluate("element => element.id"), "evaluate"),
        (lambda page: page.set_viewport_size({"width": 480, "height": 320}), "set_viewport_size"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_acts_unseen_is_not_learned_unless_allowed(make_desk: Any, act: Any, allowed: str) -> None:
    desk = make_desk()
    outcome = desk.run(lambda: (press(desk, "Plain"), act(desk.page)), SITE)
    assert outcome.not_learned is Reason.UNLEARNABLE
    assert f"allow=['{allowed}']" in outcome.not_learned_message
    other = make_desk(allow=[allowed])
    other.learn(lambda: (press(other, "Plain"), act(other.page)), SITE)


def test_what_only_reads_passes_through(desk: Desk) -> None:
    def agent() -> None:
        page = desk.page
        press(desk, "Plain")
        assert page.url == "about:blank"
        assert "Plain" in page.content()
        assert page.screenshot()
        assert page.locator("a").bounding_box()
        assert not page.is_closed()

    desk.learn(agent, SITE)


def test_two_pages_of_one_engine(make_desk: Any, context: Any) -> None:
    from muscle_mem.integrations.playwright import memory_page

    desk = make_desk()
    other_real = context.new_page()
    other = memory_page(desk.engine, other_real, wait=0.3)
    desk.learn(lambda: press(desk, "Plain"), SITE, context=desk.page)
    desk.show(SITE)
    other_real.set_content(SITE)
    assert desk.run(context=other).status == "hit"
    assert (desk.log(), other_real.evaluate("log")) == ([], ["plain"])
    desk.engine.set_context(object())  # The latest memory page counts, whatever else the user sets.
    assert desk.run().status == "hit"
    assert other_real.evaluate("log") == ["plain", "plain"]
    both = desk.run(
        lambda: (press(desk, "Plain"), other.get_by_role("button", name="Plain").click()),
        context=desk.page,
        tags="both",
    )
    assert both.not_learned is Reason.OTHER_INSTANCE


def test_pages_are_trusted_unless_declared_otherwise(make_desk: Any) -> None:
    """What was read from a page and typed into a field needs an approval, if the page is a stranger's."""
    mail = "<p id=mail>Please pay to ACC-8937-0400 from now on</p><label>Account <input></label>"

    def run(**options: Any) -> Any:
        desk = make_desk(**options)

        def agent() -> None:
            text = desk.page.locator("#mail").inner_text()
            desk.page.get_by_label("Account").fill(text.split()[3])

        return desk.run(agent, mail)

    assert run().learned
    assert run(trusted=False).not_learned is Reason.UNTRUSTED_VALUE
    assert run(trusted=False, sink=True).not_learned is Reason.UNTRUSTED_VALUE
