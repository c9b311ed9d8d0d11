"""What the ready-made check of an action sees, what it does not look at, and how long it waits."""

from __future__ import annotations

import re
from typing import Any

import pytest

from muscle_mem import Check, Reason
from playwright_desk import Desk

PAY = "<script>log = []</script>{before}<button {more} onclick=\"log.push('paid')\">{name}</button>{after}"


def html(name: str = "Pay", more: str = "", before: str = "", after: str = "") -> str:
    return PAY.format(name=name, more=more, before=before, after=after)


@pytest.fixture
def paying(desk: Desk) -> Desk:
    """A desk that has learned to press the button."""
    desk.learn(lambda: desk.page.locator("button").click(), html())
    return desk


@pytest.mark.parametrize(
    "changed",
    [
        html(before="<p style='height: 900px'>A banner that moves everything</p>"),
        html(more="style='margin-left: 200px; font-size: 40px; color: red'"),
        html(after="<p>more</p>" * 30),
    ],
    ids=["banner", "place and looks", "more text"],
)
def test_where_it_only_moved_the_replay_goes_on(paying: Desk, changed: str) -> None:
    outcome = paying.run(html=changed)
    assert (outcome.status, paying.log()) == ("hit", ["paid"]), outcome.message


@pytest.mark.parametrize(
    ("changed", "seen"),
    [
        (html("Delete"), "expected button 'Pay', got button 'Delete'"),
        (html(more="disabled"), "expected button 'Pay', enabled, got button 'Pay', disabled"),
        (html(more="aria-disabled=true"), "got button 'Pay', disabled"),
        (html(more="style='visibility: hidden'"), "got element, hidden"),
        (html(more="role=link"), "got link 'Pay'"),
        (html(more="aria-label=Cancel"), "got button 'Cancel'"),
        (html(more="aria-pressed=true"), "got button 'Pay', pressed"),
        (html(more="aria-label=Pay", name="Order for 99 EUR"), "with the text 'Order for 99 EUR'"),
        ("<p>Nothing</p>", "got no such element"),
        (html(after="<button>Other</button>"), "got 2 such elements"),
    ],
)
def test_what_differs_is_named(paying: Desk, changed: str, seen: str) -> None:
    outcome = paying.run(lambda: None, changed)
    assert outcome.reason is Reason.FIRST_CHECK_REFUSED
    assert seen in outcome.message
    assert not paying.log()


def test_a_renamed_button_is_named_with_what_is_there(desk: Desk) -> None:
    desk.learn(lambda: desk.page.get_by_role("button", name="Pay").click(), html())
    outcome = desk.run(lambda: None, html("Place order", after="<button>Cancel</button>"))
    assert "expected button 'Pay', got no such element (there: 'Place order', 'Cancel')" in outcome.message


def test_it_waits_for_what_comes_late(make_desk: Any) -> None:
    desk = make_desk(wait=5.0)
    late = "<script>log = []; setTimeout(() => { document.body.innerHTML += `%s` }, 400)</script>"
    late %= "<button onclick=log.push(1)>Pay</button>"
    desk.learn(lambda: desk.page.get_by_role("button", name="Pay").click(), html())
    outcome = desk.run(html=late)
    assert (outcome.status, desk.log()) == ("hit", [1]), outcome.message


def test_what_is_recorded_of_a_late_element_is_what_was_clicked(make_desk: Any) -> None:
    """Playwright waits until a button is there and enabled; so does the capture of the recording."""
    desk = make_desk(wait=5.0)
    slow = html(more="disabled") + "<script>setTimeout(() => document.querySelector('button').disabled = false, 300)"
    desk.learn(lambda: desk.page.get_by_role("button", name="Pay").click(), slow + "</script>")
    assert desk.run(html=html()).status == "hit"


def test_an_agents_own_waits_are_steps(desk: Desk) -> None:
    page: Any = desk.page

    def agent() -> None:
        page.wait_for_timeout(30)
        page.wait_for_load_state("load")
        page.get_by_role("button").wait_for()
        page.get_by_role("button").click()

    desk.learn(agent, html())
    outcome = desk.run(html=html())
    assert (outcome.steps, desk.log()) == (4, ["paid"])


def test_a_list_that_grew_is_no_obstacle_but_another_item_in_a_place_is(desk: Desk) -> None:
    items = "<script>log = []</script><ul>{}</ul>"
    item = '<li onclick="log.push(innerText)">{}</li>'
    page: Any = desk.page
    desk.learn(lambda: page.get_by_role("listitem").filter(has_text="Bob").click(), items.format(item.format("Bob")))
    longer = items.format("".join(map(item.format, ("Ann", "Bob", "Carol"))))
    assert desk.run(html=longer).status == "hit"
    assert desk.log() == ["Bob"]
    desk.engine.cache_clear()
    desk.learn(lambda: page.get_by_role("listitem").nth(1).click(), longer)
    other = items.format("".join(map(item.format, ("Ann", "Anton", "Bob"))))
    assert "'Anton'" in desk.run(lambda: None, other).message
    assert desk.log() == []


def test_an_option_that_is_not_offered_any_more(desk: Desk) -> None:
    form = "<label>Size <select><option>S<option>{}</select></label>"
    desk.learn(lambda: desk.page.get_by_label("Size").select_option("M"), form.format("M<option>XL"))
    assert desk.run(html=form.format("M")).status == "hit"
    assert "not offering the option" in desk.run(lambda: None, form.format("XL")).message


def test_a_users_check_is_asked_as_well(make_desk: Any) -> None:
    def price(page: Any, name: str | None) -> str | None:
        return page.locator("#price").inner_text() if name == "Pay" else None

    desk = make_desk(pre_check={"click": Check(price)})
    shown = html(before="<p id=price>{}</p>")
    desk.learn(lambda: desk.page.get_by_role("button", name="Pay").click(), shown.format("12 EUR"))
    assert desk.run(html=shown.format("12 EUR")).status == "hit"
    refused = desk.run(lambda: None, shown.format("99 EUR"))
    assert "'99 EUR'" in refused.message
    assert not desk.log()


def test_a_click_that_cannot_be_undone_is_approved_first(make_desk: Any) -> None:
    desk = make_desk(effects={"click": "irreversible"})
    desk.learn(lambda: desk.page.get_by_role("button", name="Pay").click(), html())
    asked: list[Any] = []

    def approve(step: Any) -> bool:
        asked.append(step.arguments)
        return len(asked) > 1

    refused = desk.run(lambda: None, html(), approve=approve)
    assert (refused.reason, desk.log()) == (Reason.NOT_APPROVED, [])
    assert desk.run(approve=approve).status == "hit"
    assert "'Pay'" in str(asked[0])
    assert desk.log() == ["paid"]


def test_another_check_of_the_user_is_another_check(make_desk: Any) -> None:
    from muscle_mem.integrations.playwright import memory_page

    desk = make_desk(pre_check={"click": Check(lambda page: 1)})
    desk.learn(lambda: desk.page.get_by_role("button").click(), html())
    again = memory_page(desk.engine, desk.real, wait=0.3, pre_check={"click": Check(lambda page: 2)})
    refused = desk.run(lambda: again.get_by_role("button").click(), html())
    assert refused.reason is Reason.CHECK_CHANGED


def test_the_message_names_the_recorded_pause_before_a_step_that_came_too_early(desk: Desk) -> None:
    """The result takes a second in the recording, where the agent thinks; the replay comes before it."""
    first = "<button onclick=\"setTimeout(() => document.body.innerHTML += '<a href=#>Result</a>', {})\">Go</button>"
    page: Any = desk.page

    def agent() -> None:
        page.get_by_role("button").click()
        desk.real.wait_for_timeout(700)  # as a model thinks
        page.get_by_role("link").click()

    desk.learn(agent, first.format(0))
    outcome = desk.run(lambda: None, first.format(3000))
    assert outcome.status == "diverged"
    assert re.search(r"The recording paused \d+\.\d s before this step", outcome.message)
    assert "the check waits 0.3 s" in outcome.message


def test_a_page_that_is_closed_is_a_refusal(desk: Desk) -> None:
    desk.learn(lambda: desk.page.goto("about:blank"))
    desk.real.close()
    refused = desk.run(lambda: None)
    assert (refused.reason, "no such tab" in refused.message) == (Reason.FIRST_CHECK_REFUSED, True)
