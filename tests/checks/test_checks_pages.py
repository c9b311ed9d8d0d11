"""The checks that look at web pages: elements, addresses, what is visible; on paper, and in a browser."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from muscle_mem import Engine, checks
from muscle_mem.checks import pages
from muscle_mem.demo.browser import find_browser, open_browser, what_is_missing
from ready_made_checks import PaperPage, again, attached, reason, told

BROWSER = find_browser()


class Tab:
    """An object with a page, as a browser tool is given."""

    def __init__(self) -> None:
        self.page = PaperPage()


def press_on(tab: Tab, check: Any) -> Engine:
    """An engine that has learned one press in the tab, which the tool gets."""
    engine = Engine()
    tool = engine.tool(pre_check=check, name="press it", ignore=["tab"], inject={"tab": lambda: tab})(
        lambda tab, selector: None
    )
    engine.set_agent(lambda task: tool(tab, "#save"))
    outcome = engine("a task")
    assert outcome.learned, outcome.not_learned_message
    return engine


def locate(tab: Any, selector: str) -> Any:
    return tab.page.locator(selector)


# --- element


def test_an_element_is_known_by_role_name_place_and_state() -> None:
    tab = Tab()
    engine = press_on(tab, checks.element(locate))
    assert told(engine) == (True, "button 'Save'", "button 'Save'")
    assert engine("a task")
    tab.page.save["box"] = (13, 20, 80, 30)
    assert engine("a task")


@pytest.mark.parametrize(
    ("change", "seen", "expected"),
    [
        ({"aria": '- button "Delete"'}, "button 'Delete'", "button 'Save'"),
        ({"aria": '- link "Save":\n  - /url: "#"'}, "link 'Save'", "button 'Save'"),
        (
            {"box": (10, 60, 80, 30)},
            "button 'Save' at x=10, y=60 of 80 x 30",
            "button 'Save' at x=10, y=20 of 80 x 30",
        ),
        ({"box": None, "visible": False}, "button 'Save', hidden", "button 'Save' at x=10, y=20 of 80 x 30, visible"),
        ({"enabled": False}, "button 'Save', disabled", "button 'Save', enabled"),
    ],
)
def test_what_has_changed_of_an_element_is_told(change: dict[str, Any], seen: str, expected: str) -> None:
    tab = Tab()
    engine = press_on(tab, checks.element(locate))
    tab.page.save.update(change)
    assert told(engine) == (False, seen, expected)


def test_none_and_several_are_no_element() -> None:
    tab = Tab()
    engine = press_on(tab, checks.element(locate))
    tab.page.elements["#save"] = []
    assert told(engine)[1] == "no such element"
    tab.page.elements["#save"] = [tab.page.save] * 2
    assert told(engine)[1] == "2 such elements"
    outcome = engine("a task")
    assert outcome.reason == "first_check_refused"


def test_only_the_features_asked_for_count() -> None:
    tab = Tab()
    engine = press_on(tab, checks.element(locate, features=("name", "enabled")))
    tab.page.save.update({"aria": '- link "Save"', "box": None, "visible": False})
    assert told(engine) == (True, "'Save'", "'Save'")
    tab.page.save["enabled"] = False
    assert told(engine) == (False, "'Save', disabled", "'Save', enabled")


def test_a_page_that_fails_in_a_replay_is_a_refusal() -> None:
    tab = Tab()
    engine = press_on(tab, checks.element(locate))
    del tab.page.save["aria"]
    assert "errored" in engine("a task").message


@pytest.mark.parametrize(
    ("line", "found"),
    [
        ('- button "Save"', ("button", "Save")),
        ('- \'button "Save \\"it\\": now"\'', ("button", 'Save "it": now')),
        ("- 'button \"Bob''s: x\"'", ("button", "Bob's: x")),
        ('- textbox "Name": bob', ("textbox", "Name")),
        ("- text: plain x", ("text", "plain x")),
        ("- button [disabled]", ("button", "")),
        ("- list:\n  - listitem: one", ("list", "")),
        ("", ("", "")),
    ],
)
def test_role_and_name_are_read_from_what_a_screen_reader_says(line: str, found: tuple[str, str]) -> None:
    assert pages.role_and_name(line) == found


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"locate": "#save"}, "callable"),
        ({"tolerance": -1}, "0 or more pixels"),
        ({"tolerance": "wide"}, "number of pixels"),
        ({"features": ("colour",)}, "'role', 'name'"),
        ({"features": "role"}, "'role', 'name'"),
        ({"features": ()}, "'role', 'name'"),
    ],
    ids=repr,
)
def test_wrong_options_of_element_are_refused_at_once(options: dict[str, Any], words: str) -> None:
    with pytest.raises((TypeError, ValueError), match=words):
        checks.element(**{"locate": locate, **options})


# --- url


def test_an_address_is_compared_as_a_whole_without_its_query_or_by_a_pattern() -> None:
    whole, bare, like = Tab(), Tab(), Tab()
    engines = (
        press_on(whole, checks.url()),
        press_on(bare, checks.url(query=False)),
        press_on(like, checks.url(lambda tab: tab.page.url, pattern=r"https://shop\.test/cart.*")),
    )
    for tab in (whole, bare, like):
        tab.page.url = "https://shop.test/cart?session=2#top"
    assert [bool(engine.explain("a task")) for engine in engines] == [False, True, True]
    assert told(engines[0])[1:] == (
        "'https://shop.test/cart?session=2#top'",
        "'https://shop.test/cart?session=1#top'",
    )
    for tab in (bare, like):
        tab.page.url = "https://shop.test/login"
    assert told(engines[1]) == (False, "'https://shop.test/login'", "'https://shop.test/cart#top'")
    assert told(engines[2])[2] == r"an address like https://shop\.test/cart.*"


def test_url_refuses_what_has_no_address() -> None:
    with pytest.raises(ValueError, match="pattern="):
        checks.url(pattern="(")
    with pytest.raises(TypeError, match="callable"):
        checks.url("https://shop.test")
    outcome = attached(checks.url(), lambda path: None, 3)("a task")
    assert "Pass page=" in outcome.not_learned_message


# --- visible


def test_visible_sees_what_has_come_and_what_has_gone() -> None:
    tab = Tab()
    button, banner = press_on(tab, checks.visible("#save")), press_on(tab, checks.visible("#banner"))
    assert button("a task")
    assert banner("a task")
    tab.page.elements["#banner"] = [{"visible": False}, {"visible": True}]
    tab.page.save["visible"] = False
    assert told(button) == (False, "'#save' not visible", "'#save' visible")
    assert told(banner) == (False, "'#banner' visible", "'#banner' not visible")
    with pytest.raises(TypeError, match="selector as text"):
        checks.visible("")


# --- all of them


MAKERS = {
    "element": lambda **options: checks.element(lambda: PaperPage().locator("#save"), **options),
    "url": lambda **options: checks.url(lambda: PaperPage(), **options),
    "visible": lambda **options: checks.visible(options.pop("selector", "#save"), page=lambda: PaperPage(), **options),
}
OTHER: dict[str, list[dict[str, Any]]] = {
    "element": [{"tolerance": 5.0}, {"features": ("role",)}],
    "url": [{"query": False}, {"pattern": ".*"}],
    "visible": [{"selector": "#other"}],
}


@pytest.mark.parametrize("name", MAKERS)
def test_each_is_stored_and_found_again_and_other_options_are_another_check(name: str, tmp_path: Path) -> None:
    assert again(MAKERS[name], tmp_path / "m.db") == ["miss", "hit"]
    for number, options in enumerate(OTHER[name]):
        path = tmp_path / f"{number}.db"
        assert reason(MAKERS[name], lambda options=options: MAKERS[name](**options), path) == "check_changed"


def test_an_async_page_is_awaited() -> None:
    page = PaperPage(asynchronous=True)

    async def main() -> list[Any]:
        engine = Engine()
        look = checks.all_of(
            checks.element(lambda selector: page.locator(selector)), checks.visible("#save", page=lambda: page)
        )

        @engine.tool(pre_check=look)
        async def press(selector: str) -> None: ...

        engine.set_agent(lambda task: press("#save"))
        found = [(await engine.acall("a task")).status for _ in range(2)]
        page.save["aria"] = '- button "Delete"'
        refused = await engine.acall("a task")
        return [*found, refused.reason]

    assert asyncio.run(main()) == ["miss", "hit", "first_check_refused"]


@pytest.mark.skipif(bool(what_is_missing(BROWSER)), reason="no browser, or no pages")
def test_a_real_page_is_looked_at() -> None:
    assert BROWSER is not None
    with open_browser(BROWSER) as page:
        page.set_content("<h1>Shop</h1><button id=save>Save</button><p id=note hidden>Saved</p>")
        engine = Engine()
        look = checks.all_of(
            checks.element(lambda selector: page.locator(selector)),
            checks.visible("#note", page=lambda: page),
            checks.url(lambda: page),
        )

        @engine.tool(pre_check=look)
        def press(selector: str) -> None:
            page.click(selector)

        engine.set_agent(lambda task: press("#save"))
        assert engine("a task").learned
        assert engine("a task")
        for change in ("save.textContent = 'Delete'", "save.disabled = true", "note.hidden = false", "save.remove()"):
            page.set_content("<h1>Shop</h1><button id=save>Save</button><p id=note hidden>Saved</p>")
            assert engine.explain("a task")
            page.evaluate(change)
            assert not engine.explain("a task"), change
