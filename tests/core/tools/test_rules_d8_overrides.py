"""D8: a replay does not bypass a context object's override of a tool."""

from __future__ import annotations

import functools
import types
from collections.abc import Callable
from pathlib import Path
from typing import Any
from unittest import mock

import pytest

from muscle_mem import Engine, Outcome, Reason


class Site:
    """An engine, a page class with a tool, and objects derived from it."""

    def __init__(self, store: Path | None = None) -> None:
        self.clicks: list[str] = []
        self.log: list[str] = []
        self.events: list[Any] = []
        self.engine = engine = Engine(None if store is None else str(store), observers=[self.events.append])
        clicks, log = self.clicks, self.log

        class Page:
            @engine.method(name="Page.click", effect="write")
            def click(self, where: str) -> None:
                clicks.append(where)

        class Plain(Page):
            def scroll(self) -> None: ...

        class DryRun(Page):
            def click(self, where: str) -> None:
                log.append(where)

        class Deeper(DryRun):
            pass

        class Logging(Page):
            def click(self, where: str) -> None:
                log.append(where)
                super().click(where)

        class Other(Page):
            def click(self, where: str) -> None:
                log.append("other " + where)
                super().click(where)

        class Mixin:
            def click(self, where: str) -> None:
                log.append(where)

        class Mixed(Mixin, Page):
            pass

        class Slotted(Page):
            __slots__ = ("click",)

        class Attribute(Page):
            click = None  # type: ignore[assignment]

        self.Page, self.Plain, self.DryRun, self.Deeper = Page, Plain, DryRun, Deeper
        self.Logging, self.Other, self.Mixed, self.Attribute = Logging, Other, Mixed, Attribute

    def run(self, page: Any, agent: Callable[[Any], Any] | None = None, **options: Any) -> Outcome:
        self.engine.set_agent(lambda task: (agent or (lambda page: page.click("ok")))(page))
        return self.engine("task", context=page, **options)

    def warnings(self) -> list[str]:
        return [event.message for event in self.events if event.level == "warning" and event.code == "overridden"]


def patched(page: Any) -> Any:
    page.click = lambda where: None
    return page


def patched_bound(page: Any) -> Any:
    page.click = types.MethodType(lambda self, where: None, page)
    return page


def patched_mock(page: Any) -> Any:
    page.click = mock.MagicMock()
    return page


OVERRIDES: list[Callable[[Site], Any]] = [
    lambda site: site.DryRun(),
    lambda site: site.Deeper(),
    lambda site: site.Logging(),
    lambda site: site.Mixed(),
    lambda site: site.Attribute(),
    lambda site: patched(site.Page()),
    lambda site: patched_bound(site.Page()),
    lambda site: patched_mock(site.Page()),
]


@pytest.mark.parametrize("make", OVERRIDES)
def test_d8_an_override_that_was_not_there_when_recorded_is_not_bypassed(make: Callable[[Site], Any]) -> None:
    site = Site()
    assert site.run(site.Page()).learned
    site.clicks.clear()
    outcome = site.run(make(site), lambda page: None)
    assert (outcome.status, outcome.reason) == ("miss", Reason.TOOL_OVERRIDDEN)
    assert "'Page.click'" in outcome.message
    assert site.clicks == []
    explanation = site.engine.explain("task", context=make(site))
    assert explanation.reason is Reason.TOOL_OVERRIDDEN
    assert site.run(site.Page())


@pytest.mark.parametrize("kind", ["Page", "Plain"])
def test_d8_an_object_without_an_override_goes_on_hitting(kind: str) -> None:
    site = Site()
    for other in ("Page", "Plain", "Page"):
        outcome = site.run(getattr(site, kind)())
        outcome = site.run(getattr(site, other)())
        assert outcome
    assert site.warnings() == []


def test_d8_a_logging_subclass_that_was_there_when_recorded_goes_on_hitting_with_one_warning() -> None:
    site = Site()
    assert site.run(site.Logging()).learned
    site.log.clear()
    for _ in range(3):
        assert site.run(site.Logging())
    assert site.log == []
    assert site.clicks == ["ok"] * 4
    assert len(site.warnings()) == 1
    assert "'Page.click'" in site.warnings()[0]


def test_d8_the_override_must_be_the_recorded_one_but_may_be_gone() -> None:
    site = Site()
    assert site.run(site.Logging()).learned
    for make in (site.Other, site.DryRun):
        assert site.run(make(), lambda page: None).reason is Reason.TOOL_OVERRIDDEN
    assert site.run(site.Page())
    assert site.run(site.Other()).learned  # The same calls: another observation, through the other override.
    assert site.run(site.Other())
    assert site.run(site.Logging())
    assert site.run(site.DryRun(), lambda page: None).reason is Reason.TOOL_OVERRIDDEN


def test_d8_every_step_of_the_tool_must_have_been_recorded_through_the_override() -> None:
    site = Site()

    def agent(page: Any) -> None:
        page.click("one")
        site.Page.click(page, "two")

    logging = site.Logging()
    assert site.run(logging, agent).learned
    assert site.run(logging)  # Each call was made on an object with this override.


def test_d8_overrides_are_stored(tmp_path: Path) -> None:
    store = tmp_path / "memory.db"
    site = Site(store)
    assert site.run(site.Logging()).learned
    site.engine.close()
    again = Site(store)
    assert again.run(again.Logging())
    assert again.run(again.Other(), lambda page: None).reason is Reason.TOOL_OVERRIDDEN


def test_d8_an_override_is_kept_when_a_replay_is_continued() -> None:
    from muscle_mem import Check

    state = {"page": "one"}
    engine = Engine(observers=[])
    clicks: list[str] = []

    class Page:
        @engine.method(effect="write")
        def fill(self, text: str) -> None:
            clicks.append(text)

        @engine.method(pre_check=Check(lambda self, text: state["page"]), effect="write")
        def press(self, text: str) -> None:
            clicks.append(text)

    class Logging(Page):
        def fill(self, text: str) -> None:
            super().fill(text)

    page = Logging()
    engine.set_context(page)

    def agent(task: str, handover: Any = None) -> None:
        if handover is None:
            page.fill("name")
        page.press("save")

    engine.set_agent(agent)
    assert engine("task").learned
    state["page"] = "two"
    assert engine("task").learned
    assert engine("task")
    state["page"] = "one"
    assert engine("task")


# What leads to the tool is no override.


def with_wraps(fn: Any) -> Any:
    @functools.wraps(fn)
    def inner(*args: Any, **kwargs: Any) -> Any:
        return fn(*args, **kwargs)

    return inner


def without_wraps(fn: Any) -> Any:
    def inner(*args: Any, **kwargs: Any) -> Any:
        return fn(*args, **kwargs)

    return inner


@pytest.mark.parametrize("retry", [with_wraps, without_wraps])
def test_d8_a_decorator_above_the_tool_goes_on_hitting(retry: Any) -> None:
    engine = Engine(observers=[])
    clicks: list[str] = []

    class Page:
        @retry
        @engine.method(effect="write")
        def click(self, where: str) -> None:
            clicks.append(where)

    class DryRun(Page):
        def click(self, where: str) -> None: ...

    page = Page()
    engine.set_agent(lambda task: page.click("ok"))
    assert engine("task", context=page).learned
    assert engine("task", context=page)
    assert clicks == ["ok"] * 2
    assert engine("task", context=DryRun()).reason is Reason.TOOL_OVERRIDDEN


def test_d8_a_property_a_private_name_and_an_alias_go_on_hitting() -> None:
    engine = Engine(observers=[])

    class Page:
        @property
        @engine.method(effect="read")
        def title(self) -> str:
            return "title"

        @engine.method(effect="read")
        def __hidden(self) -> str:
            return "hidden"

        def look(self) -> str:
            return self.__hidden()

        @engine.method(effect="read")
        def _press(self) -> str:
            return "pressed"

        press = _press

        link = functools.partialmethod(_press)

    page = Page()
    engine.set_agent(lambda task: [page.title, page.look(), page.press(), page.link()])
    assert engine("task", context=page).learned
    assert engine("task", context=page)

    class Shown(Page):
        @property
        def title(self) -> str:
            return "another"

    assert engine("task", context=Shown()).reason is Reason.TOOL_OVERRIDDEN


def test_d8_a_mock_that_wraps_the_tool_goes_on_hitting() -> None:
    site = Site()
    page = site.Page()
    assert site.run(page).learned
    with mock.patch.object(page, "click", wraps=page.click):
        assert site.run(page)
    with mock.patch.object(page, "click"):
        assert site.run(page, lambda page: None).reason is Reason.TOOL_OVERRIDDEN
    with mock.patch.object(site.Page, "click"):
        assert site.run(page, lambda page: None).reason in (Reason.TOOL_OVERRIDDEN, Reason.NOT_REPLAYABLE)
    assert site.run(page)


def test_d8_a_partial_and_a_bound_method_on_the_object_lead_to_the_tool() -> None:
    site = Site()
    page = site.Page()
    assert site.run(page).learned
    page.click = functools.partial(page.click)
    assert site.run(page)
    del page.click
    page.click = page.click
    assert site.run(page)


def test_d8_a_tool_that_has_another_name_in_the_class_is_found_there() -> None:
    engine = Engine(observers=[])
    clicks: list[str] = []

    class Page:
        def _click(self, where: str) -> None:
            clicks.append(where)

        click = engine.method(effect="write")(_click)
        press = engine.method(effect="write", name="press")(lambda self, where: clicks.append(where))

    class DryClick(Page):
        def click(self, where: str) -> None: ...  # type: ignore[override]

    class DryPress(Page):
        def press(self, where: str) -> None: ...  # type: ignore[override]

    class Unused(Page):
        def _click(self, where: str) -> None: ...

    engine.set_agent(lambda task: (page.click("a"), page.press("b")))
    page = Page()
    assert engine("task", context=page).learned
    for kind in (Page, Unused):
        assert engine("task", context=kind())
    for kind in (DryClick, DryPress):
        assert engine("task", context=kind(), mode="frozen").reason is Reason.TOOL_OVERRIDDEN


def test_d8_a_tool_keeps_no_class_alive() -> None:
    import gc
    import weakref

    site = Site()
    assert site.run(site.Page()).learned

    class Short(site.Page):  # type: ignore[name-defined, misc]
        def click(self, where: str) -> None:
            super().click(where)

    assert site.run(Short(), lambda page: None).reason is Reason.TOOL_OVERRIDDEN
    site.engine.set_agent(lambda task: None)  # The agent before holds the object.
    gone = weakref.ref(Short)
    del Short
    gc.collect()
    assert gone() is None


def test_d8_an_object_whose_attributes_raise_goes_on_hitting() -> None:
    site = Site()

    class Strange(site.Page):  # type: ignore[name-defined, misc]
        def __getattribute__(self, name: str) -> Any:
            if name in ("__dict__", "click_"):
                raise RuntimeError(name)
            return super().__getattribute__(name)

    strange = Strange()
    assert site.run(strange).learned
    assert site.run(strange)


def test_d8_a_session_is_refused_too() -> None:
    site = Site()
    assert site.run(site.Page()).learned
    with site.engine.session("task", context=site.DryRun()) as session:
        turn = session.next()
        assert type(turn).__name__ == "AskAgent"
