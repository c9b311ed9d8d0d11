"""Actions on a memory page are recorded and replayed: each method, each way to find an element."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from muscle_mem import Reason
from playwright_desk import Desk

FORM = """<script>log = []; function note(what) { log.push(what) }</script>
<label>Name <input id=name oninput="note('name ' + value)" onkeydown="event.key === 'Enter' && note('enter')"
 placeholder="Your name" title="Name field"></label>
<label>Size <select onchange="note('size ' + value)"><option>S<option>M<option value=x>XL</select></label>
<label><input type=checkbox onchange="note('terms ' + checked)"> Terms</label>
<label>File <input type=file onchange="note('file ' + files[0].name)"></label>
<button data-testid=pay onclick="note('pay')" ondblclick="note('twice')">Pay</button>
<img alt="Logo" width=9 height=9 onclick="note('logo')"
 src="data:image/gif;base64,R0lGODlhAQABAAAAACH5BAEKAAEALAAAAAABAAEAAAICTAEAOw==">
<p id=total>12.00 EUR</p><ul><li>Ann <button onclick="note('Ann')">Edit</button>
<li>Bob <button onclick="note('Bob')">Edit</button></ul>
<iframe srcdoc="<button onclick=&quot;parent.note('inside')&quot;>Inside</button>"></iframe>"""


def test_a_page_is_used_like_the_one_that_it_wraps(desk: Desk, tmp_path: Path) -> None:
    (tmp_path / "cv.txt").write_text("hello")
    page: Any = desk.page

    def agent() -> Any:
        page.get_by_label("Name").fill("Ann Lee")
        page.get_by_placeholder("Your name").press("Enter")
        page.get_by_label("Size").select_option("XL")
        page.get_by_label("Size").select_option(label="M")
        page.get_by_label("Terms").check()
        page.get_by_label("File").set_input_files(tmp_path / "cv.txt")
        page.get_by_role("button", name="Pay").wait_for(state="visible")
        page.get_by_role("button", name="Pay").click()
        page.get_by_test_id("pay").dblclick()
        page.get_by_alt_text("Logo").click()
        page.get_by_title("Name field").clear()
        page.get_by_title("Name field").press_sequentially("Bo")
        page.locator("css=#name").type("b")
        return page.get_by_text("EUR").inner_text()

    desk.learn(agent, FORM)
    first = desk.log()
    assert first[:4] == ["name Ann Lee", "enter", "size x", "size M"]
    assert first[4:9] == ["terms true", "file cv.txt", "pay", "pay", "pay"]
    assert first[9:] == ["twice", "logo", "name ", "name B", "name Bo", "name Bob"]
    outcome = desk.run(html=FORM)
    assert (outcome.status, outcome.steps, outcome.value, desk.asked) == ("hit", 14, "12.00 EUR", 1), outcome.message
    assert desk.log() == first


def test_chains_filters_places_and_frames(desk: Desk) -> None:
    page: Any = desk.page

    def agent() -> None:
        page.get_by_role("listitem").filter(has_text="Bob").get_by_role("button", name="Edit").click()
        page.get_by_role("button", name="Edit").nth(0).click()
        page.get_by_role("button", name="Edit").last.click()
        page.locator("li", has_text="Ann").locator("button").first.click()
        page.locator("li").filter(has=page.get_by_text("Bob")).get_by_role("button").click()
        page.get_by_role("listitem").filter(has_not_text="Bob").get_by_text(re.compile("^edit$", re.IGNORECASE)).click()
        page.get_by_role("button").and_(page.get_by_text("Pay")).click()
        page.get_by_text("Nothing").or_(page.get_by_text("Pay")).click()
        page.get_by_role("button", name=re.compile("PA", re.IGNORECASE)).click()
        page.frame_locator("iframe").get_by_role("button", name="Inside").click()
        page.locator("iframe").content_frame.get_by_text("Inside").click()

    clicks = ["Bob", "Ann", "Bob", "Ann", "Bob", "Ann", "pay", "pay", "pay", "inside", "inside"]
    desk.learn(agent, FORM)
    assert desk.log() == clicks
    outcome = desk.run(html=FORM)
    assert (outcome.status, outcome.steps, desk.log()) == ("hit", 11, clicks), outcome.message


def test_the_other_actions(desk: Desk) -> None:
    page: Any = desk.page
    html = """<script>log = []; function note(what) { log.push(what) }</script>
    <button id=a onmouseenter="note('over')" onfocus="note('focus')" onblur="note('blur')">A</button>
    <label><input type=checkbox checked onchange="note(checked)"> Terms</label>
    <p id=b onpointerdown="note('touch')" style="user-select: none">B</p><p id=c onpointerup="note('drop')">C</p>
    <script>b.addEventListener('toy', event => note(event.type))</script>"""

    def agent() -> None:
        button, box = page.get_by_role("button"), page.get_by_label("Terms")
        button.hover()
        button.focus()
        button.blur()
        box.uncheck()
        box.set_checked(True)
        page.locator("#b").dispatch_event("toy")
        page.get_by_text("Terms").select_text()
        page.locator("#c").scroll_into_view_if_needed()
        page.locator("#b").drag_to(page.locator("#c"))
        page.drag_and_drop("#b", "#c")

    done = ["over", "focus", "blur", False, True, "toy", "touch", "drop", "touch", "drop"]
    desk.learn(agent, html)
    assert [what for what in desk.log() if what != "over"] == done[1:]
    hit = desk.run(html=html)
    assert (hit.status, hit.steps) == ("hit", 10), hit.message
    assert [what for what in desk.log() if what != "over"] == done[1:]


def test_the_page_is_moved(desk: Desk, tmp_path: Path) -> None:
    page: Any = desk.page
    for name in "ab":
        (tmp_path / f"{name}.html").write_text(f"<title>{name}</title><h1>{name}</h1><a href=b.html>next</a>")

    def agent() -> list[str]:
        titles = []
        assert page.goto((tmp_path / "a.html").as_uri()).ok
        page.get_by_role("link").click()
        page.wait_for_url(re.compile(r"B\.html$", re.IGNORECASE))
        titles.append(page.get_by_role("heading").inner_text())
        page.go_back()
        titles.append(page.get_by_role("heading").inner_text())
        page.go_forward()
        page.reload()
        return titles

    assert desk.learn(agent).value == ["b", "a"]
    desk.real.goto("about:blank")
    hit = desk.run()
    assert (hit.status, hit.steps, desk.real.title()) == ("hit", 8, "b"), hit.message


def test_methods_of_the_page_take_a_selector_or_the_stored_arguments(desk: Desk) -> None:
    page: Any = desk.page

    def agent() -> None:
        page.fill("#name", "Ann")
        page.click(role="button", name="Pay")
        page.select_option("select", label="M")
        page.get_attribute("img", "alt")
        assert page.inner_text("#total") == "12.00 EUR"
        page.wait_for_selector("#total")

    desk.learn(agent, FORM)
    assert desk.run(html=FORM).steps == 6
    assert desk.log() == ["name Ann", "pay", "size M"]


def test_values_that_are_typed_are_bound_as_params(desk: Desk) -> None:
    page: Any = desk.page

    def agent(name: str, who: str) -> None:
        page.get_by_label("Name").fill(f"Dear {name}")
        page.get_by_role("listitem").filter(has_text=who).get_by_role("button").click()

    desk.learn(agent, FORM, name="Carol", who="Ann", params={"name": "Carol", "who": "Ann"})
    outcome = desk.run(html=FORM, name="Dan O'Neil", who="Bob", params={"name": "Dan O'Neil", "who": "Bob"})
    assert (outcome.status, desk.log()) == ("hit", ["name Dear Dan O'Neil", "Bob"]), outcome.message


def test_a_value_cannot_become_a_part_of_a_selector(desk: Desk) -> None:
    """The element is stored as data, so a param with quotes or `>>` in it is only ever a text to look for."""
    page: Any = desk.page

    def agent(who: str) -> None:
        page.get_by_role("listitem").filter(has_text=who).get_by_role("button").click()

    desk.learn(agent, FORM, who="Ann", params={"who": "Ann"})
    for who in ('" >> button:has-text("Pay") >> nth=0', "'] li", 'Ann") >> css=li'):
        refused = desk.run(lambda who: None, FORM, who=who, params={"who": who})
        assert (refused.status, desk.log()) == ("miss", []), refused.message


def test_several_elements_are_refused_never_the_first(desk: Desk) -> None:
    from playwright.sync_api import Error

    page: Any = desk.page

    def careless() -> None:
        with pytest.raises(Error, match="strict mode violation"):
            page.click("li button")
        with pytest.raises(Error, match="strict mode violation"):
            page.get_by_role("button", name="Edit").click()

    desk.run(careless, FORM)
    assert desk.log() == []
    one = FORM.replace("<li>Bob <button onclick=\"note('Bob')\">Edit</button>", "")
    desk.learn(lambda: page.get_by_role("button", name="Edit").click(), one)
    refused = desk.run(lambda: None, FORM)
    assert refused.reason is Reason.FIRST_CHECK_REFUSED
    assert "got 2 such elements" in refused.message
    assert desk.log() == []


def test_reads_are_steps_whose_answers_count(desk: Desk) -> None:
    page: Any = desk.page

    def agent() -> list[Any]:
        edit = page.get_by_role("button", name="Edit")
        read = [edit.count(), len(edit.all()), page.get_by_text("Sold out").is_visible(), edit.all_inner_texts()]
        page.get_by_text("Pay").click()
        return read

    assert desk.learn(agent, FORM).value == [2, 2, False, ["Edit", "Edit"]]
    assert desk.run(html=FORM).status == "hit"
    changed = desk.run(lambda: None, FORM + "<p>Sold out</p>")
    assert (changed.status, changed.reason) == ("diverged", Reason.CHECK_REFUSED), changed.message
    assert desk.log() == []


def test_an_upload_of_other_bytes_is_refused_and_a_path_in_a_param_is_free(
    desk: Desk, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("x")
    one, other = folder / "one.txt", folder / "other.txt"
    one.write_text("one")
    other.write_text("other")
    page: Any = desk.page

    def agent(path: Path | str = one) -> None:
        page.get_by_label("File").set_input_files(str(path))

    desk.learn(agent, FORM)
    assert desk.run(html=FORM).status == "hit"
    one.write_text("something else")
    refused = desk.run(html=FORM)
    assert refused.reason is Reason.FIRST_CHECK_REFUSED
    assert "sha256" in refused.message
    desk.learn(agent, FORM, path=str(one), params={"path": str(one)})
    hit = desk.run(html=FORM, path=str(other), params={"path": str(other)})
    assert (hit.status, desk.log()) == ("hit", ["file other.txt"]), hit.message
    missing = str(folder / "none.txt")
    assert "no such file" in desk.run(lambda path: None, FORM, path=missing, params={"path": missing}).message


def test_bytes_to_upload_are_not_learned(desk: Desk) -> None:
    payload = {"name": "a.txt", "mimeType": "text/plain", "buffer": b"a"}
    outcome = desk.run(lambda: desk.page.get_by_label("File").set_input_files(payload), FORM)
    assert (outcome.not_learned, desk.log()) == (Reason.UNLEARNABLE, ["file a.txt"])


def test_outside_of_a_run_it_is_the_page_itself(desk: Desk) -> None:
    desk.show(FORM)
    desk.page.get_by_label("Name").fill("Ann")
    assert desk.page.get_by_label("Name").input_value() == "Ann"
    assert desk.page.title() == ""
    assert desk.page.evaluate("1 + 1") == 2
    assert desk.log() == ["name Ann"]


def test_a_restarted_agent_does_nothing_twice(desk: Desk) -> None:
    """After a divergence, an agent without `handover` starts again; its clicks are answered, not made."""
    page: Any = desk.page

    def agent() -> None:
        page.get_by_role("button", name="Pay").click()
        page.get_by_role("listitem").filter(has_text="Ann").get_by_role("button").click()

    desk.learn(agent, FORM)

    def other() -> None:
        page.get_by_role("button", name="Pay").click()
        page.get_by_role("listitem").filter(has_text="Bob").get_by_role("button").click()

    outcome = desk.run(other, FORM.replace("Ann ", "Anna ").replace("<li>Anna", "<li>Eve"))
    assert (outcome.status, desk.log()) == ("diverged", ["pay", "Bob"]), outcome.message
