"""A3: a scope may be a function of the call's context objects and arguments; nothing matches across scopes."""

from __future__ import annotations

import asyncio
import logging
from pathlib import Path
from typing import Any

import pytest

from muscle_mem import Engine, Outcome, Reason
from muscle_mem.errors import InvalidTypeError, InvalidValueError
from muscle_mem.store.paging import each


class Account:
    def __init__(self, tenant: Any) -> None:
        self.tenant = tenant


class Shop:
    def __init__(self, scope: Any, store: Any = None, **options: Any) -> None:
        self.engine, self.calls = Engine(store, scope=scope, **options), []

        @self.engine.tool
        def act(what: str) -> str:
            self.calls.append(what)
            return what

        self.act = act
        self.engine.set_agent(lambda task, user=None, *, region="": act("x"))

    def run(self, *args: Any, **kwargs: Any) -> Outcome:
        return self.engine("t", *args, **kwargs)


def by_context(context: Any) -> str:
    return str(context[0].tenant)


def by_lone_name(objects: Any) -> str:
    return str(objects[0].tenant)


def by_user(args: Any) -> str:
    return f"user {args[1]}"


def by_region(kwargs: Any) -> str:
    return f"region {kwargs.get('region')}"


@pytest.mark.parametrize(
    ("scope", "one", "two"),
    [
        (by_context, {"context": Account("a")}, {"context": Account("b")}),
        (by_lone_name, {"context": Account("a")}, {"context": Account("b")}),
        (lambda context: context[0].tenant, {"context": (Account("a"),)}, {"context": (Account("b"),)}),
        (lambda context, kwargs: context[0].tenant, {"context": Account("a")}, {"context": Account("b")}),
        (by_region, {"region": "eu"}, {"region": "us"}),
        (lambda args, kwargs: by_region(kwargs), {"region": "eu"}, {"region": "us"}),
    ],
)
@pytest.mark.parametrize("extra", [{}, {"key": "k"}, {"tags": ["a"]}, {"params": {"p": 1}}, {"mode": "auto"}])
def test_a3_recordings_of_two_scopes_never_match(scope: Any, one: Any, two: Any, extra: Any) -> None:
    shop = Shop(scope)
    if "params" in extra:
        shop.engine.set_agent(lambda task, user=None, *, region="": shop.act("x"))
    for given in (one, two):
        assert not shop.run(**given, **extra)
        assert shop.run(**given, **extra)


def test_a3_the_same_task_text_is_remembered_for_its_own_scope_alone() -> None:
    tenant = ["a"]
    shop = Shop(lambda context: tenant[0])
    for name in ("a", "b", "a", "b"):
        tenant[0] = name
        shop.run()
    assert len(shop.calls) == 4
    assert [info.learned for info in [shop.engine.cache_info()]] == [2]
    tenant[0] = "c"
    assert not shop.run()


def test_a3_the_context_of_a_block_and_of_the_engine_counts() -> None:
    shop = Shop(by_context)
    shop.engine.set_context(Account("a"))
    assert not shop.run()
    with shop.engine.context(Account("b")):
        assert not shop.run()
        assert shop.run()
    assert shop.run()
    assert shop.run(context=Account("b"))


@pytest.mark.parametrize(
    "scope",
    [
        lambda context: None,
        lambda context: 42,
        lambda context: context[0].tenant,
        lambda context: 1 / 0,
        lambda: type("Text", (str,), {})("a"),
    ],
)
def test_a3_without_a_scope_nothing_is_looked_up_or_stored(scope: Any, caplog: pytest.LogCaptureFixture) -> None:
    shop = Shop(scope)
    with caplog.at_level(logging.WARNING, "muscle_mem"):
        for _ in range(2):
            outcome = shop.run()
            assert (outcome.reason, outcome.not_learned) == (Reason.NO_KEY, Reason.NO_KEY)
    assert "scope" in caplog.text
    with pytest.raises(InvalidTypeError, match="scope"):
        Shop(scope, strict=True).run()
    assert "scope" in outcome.message


def test_a3_a_scope_is_a_string_or_a_plain_function() -> None:
    async def later(context: Any) -> str:
        return "a"

    for wrong in (None, 5, later, ["a"]):
        with pytest.raises(InvalidTypeError, match="scope"):
            Engine(scope=wrong)  # type: ignore[arg-type]


def test_a3_sessions_demonstrations_async_calls_and_explanations_have_the_scope(tmp_path: Path) -> None:
    tenant = ["a"]
    shop = Shop(lambda: tenant[0], tmp_path / "s.db")
    with shop.engine.record("t"):
        shop.act("x")
    assert shop.run()
    assert asyncio.run(shop.engine.acall("t"))
    session = shop.engine.session("t")
    assert session.next().replayed  # type: ignore[union-attr]
    session.close()
    assert shop.engine.explain("t").reason is Reason.HIT
    tenant[0] = "b"
    assert shop.engine.explain("t").reason is Reason.NEW_TASK
    assert shop.engine.session("t").run.mode == "auto"
    assert not asyncio.run(shop.engine.acall("t"))
    fixed = Shop("b", tmp_path / "s.db")
    assert fixed.run()
    assert {stored.sealed.scope for stored in each(shop.engine._runtime.library.store)} == {"a", "b"}


def test_a3_only_one_scope_is_cleared() -> None:
    tenant = ["a"]
    shop = Shop(lambda: tenant[0])
    for tenant[0] in ("a", "b"):
        shop.run()
    with pytest.raises(InvalidValueError, match="scope"):
        shop.engine.cache_clear()
    with pytest.raises(InvalidTypeError, match="scope"):
        shop.engine.cache_clear(5)  # type: ignore[arg-type]
    shop.engine.cache_clear("a")
    assert shop.run()
    tenant[0] = "a"
    assert not shop.run()


def test_a3_events_name_the_scope_of_the_call() -> None:
    seen: list[str] = []

    def observe(event: Any) -> None:
        if hasattr(event, "scope"):
            seen.append(event.scope)

    shop = Shop(by_user, observers=[observe])
    shop.run("ann")
    shop.run("bob")
    assert seen == ["user ann", "user bob"]
