"""Attributes that are computed once, without a lock."""

from __future__ import annotations

import threading

from muscle_mem._core.model.lazy import lazy


class Page:
    """A page whose title is computed."""

    def __init__(self) -> None:
        self.computed = 0
        self.begun, self.go_on = threading.Event(), threading.Event()

    @lazy
    def title(self) -> str:
        """The title."""
        self.computed += 1
        return f"page {self.computed}"

    @lazy
    def slow(self) -> str:
        """A text that another thread computes for as long as a test wants."""
        self.begun.set()
        assert self.go_on.wait(10)
        return "done"


def test_an_attribute_is_computed_once_for_each_instance() -> None:
    one, two = Page(), Page()
    assert [one.title, one.title, two.title] == ["page 1", "page 1", "page 1"]
    assert one.computed == 1


def test_a_thread_that_computes_holds_no_other_up() -> None:
    one, two = Page(), Page()
    two.go_on.set()
    thread = threading.Thread(target=lambda: one.slow)
    thread.start()
    assert one.begun.wait(10)
    assert two.slow == "done"  # Under a lock of the class, this would wait.
    one.go_on.set()
    thread.join(10)
    assert one.slow == "done"
