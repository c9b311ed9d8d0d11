"""D8: which object a method tool acts on."""

from __future__ import annotations

import threading
from typing import Any

import pytest

from muscle_mem import Engine, InvalidValueError, Missed, NotReadyError, Reason

engine_of_pages = Engine(observers=[])


class Page:
    def __init__(self, name: str = "page") -> None:
        self.name = name
        self.clicks: list[str] = []

    def __bool__(self) -> bool:
        return False

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Page)

    __hash__ = None

    @engine_of_pages.method()
    def click(self, where: str) -> None:
        self.clicks.append(where)


class BigPage(Page):
    pass


class OwnClick(Page):
    def click(self, where: str) -> None:
        super().click(where + "!")


class Desk:
    def __init__(self) -> None:
        self.notes: list[str] = []

    @engine_of_pages.tool()
    def note(self, text: str) -> None:
        self.notes.append(text)


@pytest.fixture
def engine() -> Engine:
    """The engine of the classes above, empty, without default objects."""
    engine_of_pages.cache_clear()
    engine_of_pages.set_context()
    return engine_of_pages


def learn(engine: Engine, page: Page, **options: Any) -> None:
    engine.set_agent(lambda task: page.click("ok"))
    outcome = engine("task", mode="record", **options)
    assert outcome.learned, outcome.not_learned_message
    page.clicks.clear()


def test_d8_a_method_acts_on_the_default_object_even_a_falsy_one(engine: Engine) -> None:
    page = Page()
    engine.set_context(page)
    learn(engine, page)
    assert engine("task", mode="replay")
    assert page.clicks == ["ok"]


def test_d8_set_context_may_be_called_again_and_the_latest_wins(engine: Engine) -> None:
    old, new = Page(), Page()
    engine.set_context(old)
    learn(engine, old)
    engine.set_context(new)
    assert engine("task", mode="replay")
    assert (old.clicks, new.clicks) == ([], ["ok"])


def test_d8_an_object_given_at_the_call_wins_over_the_default(engine: Engine) -> None:
    default, given = Page(), Page()
    engine.set_context(default)
    learn(engine, default)
    assert engine("task", mode="replay", context=given)
    assert (default.clicks, given.clicks) == ([], ["ok"])


def test_d8_an_object_given_by_the_block_wins_inside_it_only(engine: Engine) -> None:
    default, inside, innermost = Page(), Page(), Page()
    engine.set_context(default)
    learn(engine, default)
    with engine.context(inside):
        engine("task", mode="replay")
        with engine.context(innermost):
            engine("task", mode="replay")
    engine("task", mode="replay")
    assert [page.clicks for page in (default, inside, innermost)] == [["ok"]] * 3


def test_d8_the_block_is_of_its_thread_only(engine: Engine) -> None:
    default, inside = Page(), Page()
    engine.set_context(default)
    learn(engine, default)
    with engine.context(inside):
        thread = threading.Thread(target=lambda: engine("task", mode="replay"))
        thread.start()
        thread.join()
    assert (default.clicks, inside.clicks) == (["ok"], [])


def test_d8_the_block_is_of_its_engine_only(engine: Engine) -> None:
    default, other = Page(), Page()
    engine.set_context(default)
    learn(engine, default)
    with Engine(observers=[]).context(other):
        assert engine("task", mode="replay")
    assert (default.clicks, other.clicks) == (["ok"], [])


def test_d8_an_object_of_a_subclass_is_fine(engine: Engine) -> None:
    page, big = Page(), BigPage()
    learn(engine, page, context=page)
    assert engine("task", mode="replay", context=big)
    assert big.clicks == ["ok"]


def test_d8_a_subclass_that_calls_the_tool_from_its_own_method_is_fine(engine: Engine) -> None:
    page = OwnClick()
    learn(engine, page, context=page)
    assert engine("task", mode="replay", context=page)
    assert page.clicks == ["ok!"]


def test_d8_several_objects_of_several_classes(engine: Engine) -> None:
    page, desk = Page(), Desk()
    engine.set_context(page, desk)
    engine.set_agent(lambda task: (page.click("ok"), desk.note("done")))
    assert engine("task", mode="record").learned
    assert engine("task", mode="replay")
    assert (page.clicks, desk.notes) == (["ok"] * 2, ["done"] * 2)


def test_d8_objects_at_the_call_may_be_a_tuple(engine: Engine) -> None:
    page, desk = Page(), Desk()
    engine.set_agent(lambda task: (page.click("ok"), desk.note("done")))
    assert engine("task", mode="record", context=(page, desk)).learned
    assert engine("task", mode="replay", context=(page, desk))


def test_d8_two_objects_of_a_class_are_an_error_wherever_they_are_given(engine: Engine) -> None:
    two = Page(), Page()
    with pytest.raises(InvalidValueError, match="Page"):
        engine.set_context(*two)
    with pytest.raises(InvalidValueError, match="Page"), engine.context(*two):
        pass
    with pytest.raises(InvalidValueError, match="Page"):
        engine("task", context=two)
    page = Page()
    engine.set_context(page, page)


def test_d8_two_objects_that_have_the_tool_are_a_miss_with_nothing_executed(engine: Engine) -> None:
    page, big = Page(), BigPage()
    learn(engine, page, context=page)
    with pytest.raises(Missed) as missed:
        engine("task", mode="replay", context=(page, big))
    assert missed.value.outcome.reason is Reason.NOT_REPLAYABLE
    assert "context=" in missed.value.outcome.message
    assert page.clicks == big.clicks == []


def test_d8_without_the_object_it_is_a_miss_that_says_how_to_give_it(engine: Engine) -> None:
    page = Page()
    learn(engine, page, context=page)
    with pytest.raises(Missed) as missed:
        engine("task", mode="replay")
    assert "set_context" in missed.value.outcome.message
    assert page.clicks == []


def test_d8_a_call_on_another_object_makes_the_run_not_replayable(engine: Engine) -> None:
    page, other = Page(), Page()
    engine.set_agent(lambda task: (page.click("ok"), other.click("ok")))
    outcome = engine("task", context=page)
    assert outcome.not_learned is Reason.OTHER_INSTANCE
    assert "click" in outcome.not_learned_message


def test_d8_a_run_fixes_its_objects_at_its_start(engine: Engine) -> None:
    page, late = Page(), Page()
    engine.set_context(page)

    def agent(task: str) -> None:
        engine.set_context(late)
        page.click("ok")

    engine.set_agent(agent)
    assert engine("task", mode="record").learned


def test_d8_finalize_misses_the_object_of_a_method_tool(engine: Engine) -> None:
    engine.set_agent(lambda task: None)
    with pytest.raises(NotReadyError, match="set_context"):
        engine.finalize()
    assert engine.set_context(Page(), Desk()).finalize() is engine


def test_d8_a_method_tool_is_the_plain_method_outside_a_run(engine: Engine) -> None:
    page = Page()
    page.click("plain")
    assert page.clicks == ["plain"]


def test_d8_two_engines_may_each_have_tools_in_one_class() -> None:
    one, two = Engine(observers=[]), Engine(observers=[])

    class Both:
        def __init__(self) -> None:
            self.done: list[str] = []

        @one.method()
        def a(self) -> None:
            self.done.append("a")

        @two.method()
        def b(self) -> None:
            self.done.append("b")

    first, second = Both(), Both()
    one.set_context(first).set_agent(lambda task: first.a())
    two.set_context(second).set_agent(lambda task: second.b())
    for engine in (one, two):
        assert engine("task").learned
        assert engine("task", mode="replay")
    assert (first.done, second.done) == (["a", "a"], ["b", "b"])


def test_d8_a_private_method_and_one_under_another_name_are_found_in_their_class() -> None:
    engine = Engine(observers=[])

    class Page:
        def __init__(self) -> None:
            self.done: list[str] = []

        @engine.method()
        def __scroll(self) -> None:
            self.done.append("scrolled")

        press = engine.method()(lambda self: self.done.append("pressed"))

        def use(self) -> None:
            self.__scroll()
            self.press()

    page = Page()
    engine.set_context(page).set_agent(lambda task: page.use())
    assert engine("task").learned
    assert engine("task", mode="replay")
    assert page.done == ["scrolled", "pressed"] * 2


def test_d8_a_success_callback_is_not_shown_the_object_among_the_arguments(engine: Engine) -> None:
    page = Page()
    learn(engine, page, context=page)
    shown: list[Any] = []
    assert engine("task", mode="replay", context=page, success=lambda steps: shown.append(steps) or True)
    assert [step.args for step in shown[0]] == [("ok",)]
