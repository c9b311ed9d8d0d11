"""Elements as data, and the options of memory pages; without a browser."""

from __future__ import annotations

import re
from typing import Any

import pytest

from muscle_mem import Check, Engine, InvalidTypeError, InvalidValueError
from muscle_mem.integrations.playwright import memory_page
from muscle_mem.integrations.playwright.acting import arguments_of
from muscle_mem.integrations.playwright.actions import ACTIONS
from muscle_mem.integrations.playwright.targets import links_of, live_locator, shown, target_of


class PaperLocator:
    """A locator that remembers how it was made."""

    def __init__(self, made: str = "page") -> None:
        self.made = made

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)

        def method(*args: Any, **kwargs: Any) -> PaperLocator:
            told = [_text(value) for value in args] + [f"{key}={_text(value)}" for key, value in kwargs.items()]
            return PaperLocator(f"{self.made}.{name}({', '.join(told)})")

        return method


def _text(value: Any) -> str:
    return value.made if isinstance(value, PaperLocator) else repr(value)


class PaperPage(PaperLocator):
    """A page without a browser, which tells what is asked of it."""

    def goto(self, url: str) -> str:
        return f"went to {url}"

    def on(self, event: str, handler: Any) -> None:
        """Take a handler."""

    def is_closed(self) -> bool:
        return False


def page(**options: Any) -> Any:
    return memory_page(Engine(), PaperPage(), **options)


PRESSED = "page.get_by_role('button', pressed=True, name='Pay', exact=True)"
PATTERN = re.compile("^a.b$", re.IGNORECASE)
FOUND = [
    (lambda p: p.get_by_role("button", name="Pay"), "page.get_by_role('button', name='Pay')"),
    (lambda p: p.get_by_role("button", name="Pay", exact=True, pressed=True), PRESSED),
    (lambda p: p.get_by_label("Name", exact=True), "page.get_by_label('Name', exact=True)"),
    (
        lambda p: p.get_by_text(re.compile("^a.b$", re.IGNORECASE)),
        "page.get_by_text(re.compile('^a.b$', re.IGNORECASE))",
    ),
    (lambda p: p.locator("#a"), "page.locator('#a')"),
    (lambda p: p.locator("li", has_text="Ann").nth(2), "page.locator('li').filter(has_text='Ann').nth(2)"),
    (lambda p: p.locator("li").nth(2).filter(has_text="Ann"), "page.locator('li').nth(2).filter(has_text='Ann')"),
    (
        lambda p: p.locator("li").filter(has_text="a").filter(has_text="b"),
        "page.locator('li').filter(has_text='a').filter(has_text='b')",
    ),
    (lambda p: p.locator("li").first.last, "page.locator('li').nth(0).nth(-1)"),
    (
        lambda p: p.locator("li").filter(has=p.get_by_text("Ann"), has_not=p.locator("b")),
        "page.locator('li').filter(has=page.get_by_text('Ann'), has_not=page.locator('b'))",
    ),
    (lambda p: p.get_by_text("a").or_(p.get_by_text("b")), "page.get_by_text('a').or_(page.get_by_text('b'))"),
    (
        lambda p: p.frame_locator("iframe").nth(1).frame_locator("#in").get_by_test_id("x"),
        "page.frame_locator('iframe').nth(1).frame_locator('#in').get_by_test_id('x')",
    ),
    (lambda p: p.locator("ul").locator(p.locator("li")), "page.locator('ul').locator('li')"),
    (lambda p: p.locator("li").filter(visible=True), "page.locator('li').filter(visible=True)"),
]


@pytest.mark.parametrize(("find", "made"), FOUND)
def test_what_is_stored_of_an_element_finds_it_again(find: Any, made: str) -> None:
    locator = find(page())
    links = links_of(target_of(locator.links))
    assert links == locator.links
    assert live_locator(PaperPage(), links).made == made


def test_conditions_keep_their_order() -> None:
    """The third of those with a text is not the one with the text that is third."""
    locator = page().locator("li").nth(2).filter(has_text="Ann")
    assert target_of(locator.links) == {"has_text": "Ann", "within": [{"css": "li", "nth": 2}]}
    assert repr(locator) == "<MemoryLocator has_text='Ann', in css='li' nth=2>"
    assert shown(page().get_by_role("button", name="Pay").links) == "button 'Pay'"


@pytest.mark.parametrize(
    ("name", "args", "kwargs", "stored"),
    [
        ("fill", ("#a", "Ann"), {}, {"css": "#a", "value": "Ann"}),
        ("fill", (), {"label": "Name", "value": "Ann"}, {"label": "Name", "value": "Ann"}),
        ("select_option", ("#a", "M"), {}, {"css": "#a", "option": "M"}),
        ("select_option", ("#a",), {"label": "M"}, {"css": "#a", "option_label": "M"}),
        ("select_option", ("#a",), {"index": 1}, {"css": "#a", "option_index": 1}),
        ("select_option", ("#a", ("M", "L")), {}, {"css": "#a", "option": ["M", "L"]}),
        (
            "click",
            ("#a",),
            {"button": "right", "timeout": 5},
            {"css": "#a", "options": {"button": "right", "timeout": 5}},
        ),
        ("click", (), {"role": "button", "name": "Pay", "nth": None}, {"role": "button", "name": "Pay"}),
        ("get_attribute", ("#a", "href"), {}, {"css": "#a", "attribute": "href"}),
        ("get_attribute", ("#a",), {"name": "href"}, {"css": "#a", "attribute": "href"}),
        ("wait_for_url", (re.compile("x"),), {}, {"url": {"regex": "x"}}),
        ("goto", ("https://a.example",), {"timeout": 9}, {"url": "https://a.example", "options": {"timeout": 9}}),
    ],
)
def test_both_spellings_of_a_call_are_stored_alike(name: str, args: Any, kwargs: Any, stored: Any) -> None:
    assert arguments_of(ACTIONS[name], None, args, kwargs) == stored


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: page().fill("#a", "b", "c"), "too many arguments"),
        (lambda: page().click(7), "expected a text"),
        (lambda: page().locator("li").filter(colour="red"), "colour"),
        (lambda: page().frame_locator("iframe")._page.click(frame="iframe"), "no element is given"),
        (lambda: page().tab("tab9"), "no tab 'tab9'"),
        (lambda: memory_page(object(), PaperPage()), "expected an Engine"),
        (lambda: memory_page(Engine(), object()), "expected a page of Playwright"),
        (lambda: memory_page(Engine(), page()), "expected a page of Playwright"),
        (lambda: page(allow="evaluate"), "expected names in a list"),
        (lambda: page(wait=-1), "seconds from 0"),
        (lambda: page(wait="5"), "number of seconds"),
        (lambda: page(pre_check={"klick": Check(lambda page: 1)}), "got 'klick'"),
        (lambda: page(effects={"klick": "read"}), "got 'klick'"),
        (lambda: page(effects={"click": "final"}), "write, irreversible"),
        (lambda: page(pre_check={"click": lambda page: 1}), "expected a Check"),
    ],
)
def test_misuse_is_an_error_that_says_what_to_do(make: Any, message: str) -> None:
    with pytest.raises((InvalidTypeError, InvalidValueError, TypeError, LookupError), match=message):
        make()


def test_pages_with_the_same_options_share_their_tools() -> None:
    engine = Engine()
    one, other = memory_page(engine, PaperPage()), memory_page(engine, PaperPage())
    assert type(one) is type(other)
    assert type(memory_page(engine, PaperPage(), wait=1)) is not type(one)


def test_a_memory_page_is_a_context_object_beside_those_of_the_user() -> None:
    engine = Engine()
    mine: Any = object()
    made = memory_page(engine, PaperPage())
    engine.set_context(mine)
    assert engine._runtime.context_objects() == (mine, made)
    other = memory_page(engine, PaperPage())
    assert engine._runtime.context_objects() == (mine, other)
    assert engine._runtime.context_objects(made) == (made,)
    with engine.context(mine):
        assert engine._runtime.context_objects() == (mine, other)
