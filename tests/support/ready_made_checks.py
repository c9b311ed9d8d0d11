"""What the tests of ready-made checks share: engines that have learned one call, pages on paper, pictures."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from muscle_mem import Check, Engine


def learned(check: Check, fn: Callable[..., Any] | None = None, *args: Any, store: str | None = None) -> Engine:
    """An engine that has learned one call of a tool under the check."""
    engine = attached(check, fn, *args, store=store)
    outcome = engine("a task")
    assert outcome.learned, outcome.not_learned_message
    return engine


def attached(check: Check, fn: Callable[..., Any] | None = None, *args: Any, store: str | None = None) -> Engine:
    """An engine whose agent calls one tool with the check."""
    engine = Engine(store)
    tool = engine.tool(pre_check=check, name="the tool")(fn or (lambda: None))
    engine.set_agent(lambda task: tool(*args))
    return engine


def told(engine: Engine) -> tuple[bool, str, str]:
    """Whether a replay would start, and what was seen and expected."""
    explanation = engine.explain("a task")
    (one,) = explanation.considered
    assert len(one.seen) < 400
    assert "\n" not in one.seen
    return bool(explanation), one.seen, one.expected


def again(make: Callable[[], Check], path: Path, fn: Callable[..., Any] | None = None, *args: Any) -> list[str]:
    """The outcomes of three engines on one SQLite file: the first learns, the second finds it there."""
    found = []
    for _ in range(2):
        engine = attached(make(), fn, *args, store=str(path))
        found.append(engine("a task").status)
        engine.close()
    return found


def reason(make: Callable[[], Check], other: Callable[[], Check], path: Path, *call: Any) -> str:
    """Why what was learned under one check is not replayed under the other."""
    engine = attached(make(), *call, store=str(path))
    assert engine("a task").learned
    engine.close()
    engine = attached(other(), *call, store=str(path))
    found = engine("a task").reason
    engine.close()
    return str(found)


class PaperLocator:
    """What Playwright's locator answers, from a dict of elements."""

    def __init__(self, elements: list[dict[str, Any]]) -> None:
        self.elements = elements

    def nth(self, index: int) -> PaperLocator:
        return PaperLocator(self.elements[index : index + 1])

    def count(self) -> int:
        return len(self.elements)

    def aria_snapshot(self, timeout: float) -> str:
        return str(self.elements[0]["aria"])

    def bounding_box(self, timeout: float) -> dict[str, float] | None:
        box = self.elements[0]["box"]
        return None if box is None else dict(zip(("x", "y", "width", "height"), box, strict=True))

    def is_visible(self) -> bool:
        return bool(self.elements[0]["visible"])

    def is_enabled(self, timeout: float) -> bool:
        return bool(self.elements[0]["enabled"])


class AsyncLocator:
    """The same, to be awaited."""

    def __init__(self, plain: PaperLocator) -> None:
        self.plain = plain

    def nth(self, index: int) -> AsyncLocator:
        return AsyncLocator(self.plain.nth(index))

    def __getattr__(self, name: str) -> Any:
        async def answer(*args: Any, **kwargs: Any) -> Any:
            return getattr(self.plain, name)(*args, **kwargs)

        return answer


class PaperPage:
    """What Playwright's page answers; `elements` by selector."""

    def __init__(self, *, asynchronous: bool = False) -> None:
        self.url = "https://shop.test/cart?session=1#top"
        self.save = {"aria": '- button "Save"', "box": (10, 20, 80, 30), "visible": True, "enabled": True}
        self.elements: dict[str, list[dict[str, Any]]] = {"#save": [self.save]}
        self.asynchronous = asynchronous

    def locator(self, selector: str) -> Any:
        plain = PaperLocator(self.elements.get(selector, []))
        return AsyncLocator(plain) if self.asynchronous else plain
