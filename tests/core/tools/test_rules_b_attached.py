"""Rules B: is it safe here? References that move or stay, methods, async checks, and checks that have changed."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from check_cases import Log, engine_with
from muscle_mem import Check, Engine, Outcome, Reason

# --- B7: the reference


def test_b7_small_drifts_never_add_up() -> None:
    now = [0]
    engine = engine_with(Check(lambda: now[0], lambda current, candidate: abs(current - candidate) <= 1))
    engine("a task")
    now[0] = 1
    assert engine("a task")
    now[0] = 2
    assert not engine("a task", mode="auto")


def test_b7_with_refresh_every_hit_moves_the_reference_and_expiry_slides() -> None:
    now = [0]
    log: Log = []
    near = Check(lambda: now[0], lambda current, candidate: abs(current - candidate) <= 1, refresh=True)
    engine = engine_with(near, log=log)
    engine("a task")
    for now[0] in range(1, 8):
        assert engine("a task"), now
    now[0] = 9
    assert not engine("a task")


def test_b7_a_refreshed_post_check_slides_too() -> None:
    now = [0]
    engine = Engine()
    near = Check(lambda: now[0], lambda current, candidate: abs(current - candidate) <= 1, refresh=True)

    @engine.tool(post_check=near, effect="read")
    def act() -> None: ...

    engine.set_agent(lambda task: act())
    engine("a task")
    for now[0] in range(1, 6):
        assert engine("a task"), now


def test_b7_checks_before_and_after_several_steps_slide_together() -> None:
    now = [0]
    engine = Engine()
    near = Check(lambda name: now[0], lambda current, candidate: abs(current - candidate) <= 1, refresh=True)

    @engine.tool(pre_check=near, post_check=near, effect="read")
    def act(name: str) -> None: ...

    engine.set_agent(lambda task: [act("a"), act("b")])
    engine("a task")
    for now[0] in range(1, 6):
        assert engine("a task"), now


def test_b7_only_refreshing_checks_move_in_a_row() -> None:
    now = {"page": 0, "age": 0}

    def near(key: str, **options: Any) -> Check:
        return Check(lambda: now[key], lambda current, candidate: abs(current - candidate) <= 1, **options)

    engine = Engine()

    @engine.tool(pre_check=near("page"), post_check=near("age", refresh=True), effect="read")
    def act() -> None: ...

    engine.set_agent(lambda task: act())
    engine("a task")
    now.update(page=1, age=1)
    assert engine("a task")
    now.update(age=2)
    assert engine("a task")
    now.update(page=2)
    assert not engine("a task")


def test_b7_a_trajectory_has_at_most_one_refreshed_row_and_default_hits_write_nothing() -> None:
    now = [0]
    near = {"compare": lambda current, candidate: abs(current - candidate) <= 100}
    for refresh, rows in ((True, 2), (False, 1)):
        now[0] = 0
        engine = engine_with(Check(lambda: now[0], near["compare"], refresh=refresh))
        id = engine("a task").trajectory_id
        assert id is not None
        for now[0] in range(1, 10):
            assert engine("a task")
        stored = engine._runtime.library.store.get(id)
        assert stored is not None
        assert len(stored.observations) == rows


# --- B8: async captures and compares


def test_b8_captures_and_compares_may_be_async_under_acall() -> None:
    page = {"title": "Inbox"}
    log: Log = []

    async def title() -> str:
        await asyncio.sleep(0)
        return page["title"]

    async def same(current: str, candidate: str) -> bool:
        await asyncio.sleep(0)
        return current == candidate

    engine = Engine()

    @engine.tool(pre_check=Check(title, same), post_check=Check(lambda: title(), lambda *pair: same(*pair)))
    async def act() -> None:
        log.append("act")

    async def agent(task: str) -> None:
        await act()

    engine.set_agent(agent)

    async def twice() -> tuple[bool, bool, bool]:
        first, second = await engine.acall("a task"), await engine.acall("a task")
        page["title"] = "Trash"
        return bool(first), bool(second), bool(await engine.acall("a task"))

    assert asyncio.run(twice()) == (False, True, False)
    assert log == ["act"] * 3


def test_b8_an_async_compare_of_a_plain_tool_works_under_acall_and_is_a_miss_under_the_plain_call() -> None:
    async def same(current: int, candidate: int) -> bool:
        return current == candidate

    engine = engine_with(Check(lambda: 1, same))
    assert engine("a task").learned
    assert asyncio.run(engine.acall("a task"))
    assert engine("a task").reason is Reason.NEEDS_ACALL


def test_b8_a_trajectory_with_async_tools_under_the_plain_call_is_a_miss_and_nothing_runs() -> None:
    log: Log = []
    engine = Engine()

    @engine.tool(effect="read")
    def first() -> None:
        log.append("first")

    @engine.tool(effect="read")
    async def second() -> None:
        log.append("second")

    async def both() -> None:
        first()
        await second()

    engine.set_agent(lambda task: asyncio.run(both()))
    assert engine("a task").learned
    log.clear()

    outcome = engine("a task")
    assert outcome.reason is Reason.NEEDS_ACALL
    assert "acall" in outcome.message
    assert log == ["first", "second"]
    log.clear()
    assert asyncio.run(engine.acall("a task"))
    assert log == ["first", "second"]


def test_b8_an_async_capture_on_a_plain_tool_is_refused_at_once() -> None:
    async def capture() -> int:
        return 1

    with pytest.raises(TypeError, match="async"):
        engine_with(Check(capture))


@pytest.mark.parametrize("moment", ["capture", "compare"])
def test_b8_what_raises_while_awaited_is_a_refusal(moment: str) -> None:
    broken: list[str] = []

    async def capture() -> int:
        if "capture" in broken:
            raise OSError("gone")
        return 1

    async def compare(current: int, candidate: int) -> bool:
        if "compare" in broken:
            raise OSError("gone")
        return True

    engine = Engine()

    @engine.tool(pre_check=Check(capture, compare))
    async def act() -> None: ...

    async def agent(task: str) -> None:
        await act()

    engine.set_agent(agent)
    assert asyncio.run(engine.acall("a task")).learned
    broken.append(moment)
    outcome = asyncio.run(engine.acall("a task"))
    assert outcome.reason is Reason.FIRST_CHECK_REFUSED
    assert "gone" in outcome.message


# --- B9: what a capture is given


@pytest.mark.parametrize("where", ["a context of the engine", "a context of the call"])
def test_b9_for_a_method_the_capture_gets_self_first(where: str) -> None:
    given: list[Any] = []
    engine = Engine()

    class Page:
        @engine.tool(pre_check=Check(lambda self, x, y=0: given.append((self, x, y)) or 1))
        def click(self, x: int, y: int = 0) -> None: ...

    page = Page()
    engine.set_agent(lambda task: page.click(1, y=2))
    options: dict[str, Any] = {"context": page} if "call" in where else {}
    if not options:
        engine.set_context(page)
    assert engine("a task", **options).learned
    assert engine("a task", **options)
    assert given == [(page, 1, 2)] * 2


@pytest.mark.parametrize("outside", [True, False])
def test_b9_for_a_staticmethod_the_capture_gets_the_arguments_alone(outside: bool) -> None:
    given: list[Any] = []
    engine = Engine()
    tool = engine.tool(pre_check=Check(lambda *args: given.append(args) or 1))

    def click(x: int) -> int:
        return x

    def decorated() -> Any:
        return tool(staticmethod(click)) if outside else staticmethod(tool(click))

    page_class = type("Page", (), {"click": decorated()})
    engine.set_agent(lambda task: (page_class.click(1), page_class().click(2)))
    assert engine("a task").learned
    assert engine("a task")
    assert given == [(1,), (2,)] * 2


def test_b9_a_staticmethod_in_a_class_body_needs_no_context() -> None:
    given: list[Any] = []
    engine = Engine()

    class Page:
        @staticmethod
        @engine.tool(pre_check=Check(lambda x: given.append(x) or 1))
        def inner(x: object) -> None: ...

        @engine.tool(pre_check=Check(lambda x: given.append(x) or 1))
        @staticmethod
        def outer(x: object) -> None: ...

    def agent(task: str) -> None:
        Page.inner("a")
        Page().outer("b")

    engine.set_agent(agent)
    assert engine("a task").learned
    assert engine("a task")
    assert given == ["a", "b"] * 2


def test_b9_a_capture_gets_the_arguments_as_the_tool_does() -> None:
    seen: list[Any] = []
    engine = Engine()

    @engine.tool(pre_check=Check(lambda *args, **kwargs: seen.append((args, kwargs)) or 1))
    def act(a: int, /, b: int, *rest: int, c: int = 3, **more: int) -> None:
        seen.append(((a, b, *rest), {"c": c, **more}))

    engine.set_agent(lambda task: act(1, 2, 30, 31, c=4, d=5))
    engine("a task")
    assert engine("a task")
    assert seen == [((1, 2, 30, 31), {"c": 4, "d": 5})] * 4


# --- B10: the checks a step was recorded with


def visit(path: Path, task: str = "a task", **checks: Check) -> Outcome:
    """What a new engine over the same file makes of a task, its one tool under these checks."""
    with Engine(path) as engine:

        @engine.tool(name="act", version=1, **checks)
        def act() -> None: ...

        return engine.set_agent(lambda task: act())(task)


CHANGES: dict[str, tuple[Callable[[], dict[str, Check]], Callable[[], dict[str, Check]]]] = {
    "a pre-check was added": (dict, lambda: {"pre_check": Check(lambda: 1)}),
    "a post-check was added": (dict, lambda: {"post_check": Check(lambda: 1)}),
    "a pre-check was removed": (lambda: {"pre_check": Check(lambda: 1)}, dict),
    "a post-check was removed": (lambda: {"post_check": Check(lambda: 1)}, dict),
    "it went to the other side": (lambda: {"pre_check": Check(lambda: 1)}, lambda: {"post_check": Check(lambda: 1)}),
    "its capture changed": (lambda: {"pre_check": Check(lambda: 1)}, lambda: {"pre_check": Check(lambda: len("a"))}),
    "its compare changed": (
        lambda: {"pre_check": Check(lambda: 1, lambda a, b: a == b)},
        lambda: {"pre_check": Check(lambda: 1, lambda a, b: a <= b)},
    ),
    "it lost its compare": (
        lambda: {"pre_check": Check(lambda: 1, lambda a, b: a == b)},
        lambda: {"pre_check": Check(lambda: 1)},
    ),
    "its version changed": (
        lambda: {"pre_check": Check(lambda: 1, version=1)},
        lambda: {"pre_check": Check(lambda: 1, version=2)},
    ),
    "it got a version": (lambda: {"pre_check": Check(lambda: 1)}, lambda: {"pre_check": Check(lambda: 1, version=1)}),
}


@pytest.mark.parametrize("change", CHANGES)
def test_b10_a_step_is_not_replayed_under_other_checks(change: str, tmp_path: Path) -> None:
    before, after = CHANGES[change]
    path = tmp_path / "memory.db"
    assert visit(path, **before()).learned
    assert visit(path, **before())

    outcome = visit(path, **after())
    assert outcome.reason is Reason.CHECK_CHANGED
    assert "act" in outcome.message
    assert visit(path, **after()), "what was recorded under the new checks replays under them"


def test_b10_the_same_version_stands_for_the_same_check(tmp_path: Path) -> None:
    path = tmp_path / "memory.db"
    assert visit(path, pre_check=Check(lambda: 1, version="page 3")).learned
    assert visit(path, pre_check=Check(lambda: 2 - 1, lambda a, b: a >= b, version="page 3"))


def test_b10_another_threshold_is_the_same_check_and_counts_at_once(tmp_path: Path) -> None:
    def score(threshold: float) -> Check:
        return Check(lambda: 1, lambda current, candidate: 0.8, threshold=threshold)

    path = tmp_path / "memory.db"
    assert visit(path, pre_check=score(0.5)).learned
    assert visit(path, pre_check=score(0.5))
    assert visit(path, pre_check=score(0.9)).reason is Reason.FIRST_CHECK_REFUSED


def act_in_module() -> None: ...


def test_b10_a_check_added_in_the_same_process_is_not_passed_vacuously() -> None:
    engine = Engine()
    tool = engine.tool(effect="read")(act_in_module)
    engine.set_agent(lambda task: tool())
    engine("a task")
    assert engine("a task")
    engine.tool(pre_check=Check(lambda: 1), effect="read")(act_in_module)

    assert engine("a task").reason is Reason.CHECK_CHANGED
