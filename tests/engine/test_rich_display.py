"""What an engine, an outcome and an explanation look like in a notebook or a debugger."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from typing import Any

import pytest

from muscle_mem import Check, Engine

MARKUP = "<script>alert('1')</script>\u202e<img src=x onerror=alert(2)>"


class Tags(HTMLParser):
    """The tags of a text, and the text without them."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.text = ""
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: Any) -> None:
        self.tags.add(tag)
        assert [name for name, _ in attrs] in ([], ["style"])

    def handle_data(self, data: str) -> None:
        self.text += data + " "


def test_an_engine_says_where_it_stores_and_what_it_has() -> None:
    engine = Engine(scope="tenant", mode="frozen", name="shop")
    assert repr(engine) == "<Engine shop store='memory:', mode='frozen', scope='tenant', tools=0, agent=None>"
    engine.tool(lambda: 1)

    def agent(task: str) -> None: ...

    engine.set_agent(agent)
    assert repr(engine).endswith("tools=1, agent=agent>")
    assert "scope=a function" in repr(Engine(scope=lambda args: str(args)))


@pytest.fixture
def shown() -> list[str]:
    engine = Engine(observers=[])
    screen = [MARKUP]

    @engine.tool(name=f"look {MARKUP}", pre_check=Check(lambda what: screen[0]))
    def look(what: str) -> str:
        return what

    engine.set_agent(lambda task: look(MARKUP))
    pages = [engine.explain(MARKUP)._repr_html_(), engine(MARKUP)._repr_html_()]
    pages += [engine.explain(MARKUP)._repr_html_(), engine(MARKUP)._repr_html_()]
    screen[0] = f"changed {MARKUP}"
    return [*pages, engine.explain(MARKUP)._repr_html_(), engine(MARKUP)._repr_html_()]


def test_outcomes_and_explanations_are_tables_without_markup_of_others(shown: list[str]) -> None:
    for page in shown:
        assert Tags(page).tags <= {"div", "b", "table", "tr", "th", "td"}
        assert "\u202e" not in page
    assert any("<script>" in Tags(page).text for page in shown)  # It is shown as text.
    assert re.search(r"Outcome: hit", shown[3])
    assert "first_check_refused" in Tags(shown[5]).text
    assert "Would replay" in shown[2]
    assert "would start" in shown[2]


def test_no_secret_is_displayed() -> None:
    engine = Engine(observers=[])
    shown = ["clear"]
    steps = [0]

    @engine.tool(name="enter", pre_check=Check(lambda code: shown[0] if steps[0] else "start"))
    def enter(code: Any) -> str:
        steps[0] += 1
        return "entered"

    engine.set_agent(lambda task: [enter("one"), enter("two")][-1])
    engine("log in", secrets={"code": "kanarie-7"})
    steps[0], shown[0] = 0, "it was kanarie-7"
    outcome = engine("log in", secrets={"code": "kanarie-7"})
    assert outcome.status == "diverged"
    assert "it was ***" in outcome._repr_html_()
    assert "kanarie" not in outcome._repr_html_()
