"""S22: irreversible steps are replayed from a store that keeps what it acknowledged, or with an approval."""

from __future__ import annotations

from typing import Any

import pytest

from muscle_mem import Check, Engine
from muscle_mem.errors import InvalidTypeError, InvalidValueError
from muscle_mem.store import MemoryStore, Promises, promises_of

ALWAYS = Check(lambda amount: True, lambda seen, now: True)


class CacheStore(MemoryStore):
    """A store in a server that may lose what it acknowledged."""

    url = "cache:"
    promises = Promises(acknowledged="cache")


def a_worker(store: Any, effect: Any = "irreversible", **options: Any) -> tuple[Engine, list[int]]:
    paid: list[int] = []
    engine = Engine(store, observers=[lambda event: None], **options)

    @engine.tool(effect=effect, pre_check=ALWAYS)
    def pay(amount: int) -> int:
        paid.append(amount)
        return amount

    def agent(task: str) -> int:
        return pay(7)

    engine.set_agent(agent)
    return engine, paid


def test_s22_irreversible_steps_are_not_replayed_from_a_cache() -> None:
    engine, _ = a_worker(CacheStore())
    assert engine("pay").learned
    again = engine("pay")
    assert (again.status, again.reason) == ("miss", "not_approved")
    assert "may lose what it acknowledged" in again.message
    assert "accept_cache_store=True" in again.message
    explained = engine.explain("pay")
    assert not explained
    assert explained.reason == "not_approved"
    assert "cache:" in explained.message


@pytest.mark.parametrize("mode", ["auto", "replay", "frozen"])
def test_s22_no_mode_replays_them(mode: Any) -> None:
    store = CacheStore()
    engine, _ = a_worker(store)
    engine("pay")
    other, paid = a_worker(store)
    if mode == "replay":
        with pytest.raises(Exception, match="may lose"):
            other("pay", mode=mode)
        assert paid == []
    else:
        assert other("pay", mode=mode).status == "miss"


def test_s22_an_approval_or_the_option_allows_them() -> None:
    store = CacheStore()
    a_worker(store)[0]("pay")
    assert a_worker(store, approve=lambda: True)[0]("pay").status == "hit"
    assert a_worker(store, approve=lambda: False)[0]("pay").reason == "not_approved"
    assert a_worker(store, accept_cache_store=True)[0]("pay").status == "hit"
    engine, _ = a_worker(store)
    assert engine("pay", approve=lambda: True).status == "hit"
    assert engine("pay").status == "miss"


def test_s22_other_effects_and_lasting_stores_are_as_before() -> None:
    for store, effect in ((CacheStore(), "write"), (MemoryStore(), "irreversible"), (None, "irreversible")):
        engine, _ = a_worker(store, effect)
        engine("pay")
        assert engine("pay").status == "hit"


def test_s22_a_recording_without_such_a_step_is_replayed_beside_one_that_has() -> None:
    store = CacheStore()
    engine = Engine(store, observers=[lambda event: None])
    steps: list[str] = []

    @engine.tool(effect="irreversible", pre_check=ALWAYS)
    def pay(amount: int) -> None:
        steps.append("pay")

    @engine.tool(effect="read")
    def look(amount: int) -> None:
        steps.append("look")

    for tool in (look, pay):
        engine.set_agent(lambda task, tool=tool: tool(1))
        engine("a task", mode="record")
    assert engine("a task").status == "hit"
    assert steps == ["look", "pay", "look"]


def test_s22_shadow_still_compares() -> None:
    engine, _ = a_worker(CacheStore())
    engine("pay")
    assert engine("pay", mode="shadow").reason == "mode"
    stored = engine._runtime.library.store.scan().stored[0]
    assert stored.standing.agreed == 1


def test_s22_what_is_declared_is_checked() -> None:
    class Wrong(MemoryStore):
        promises = "cache"  # type: ignore[assignment]

    with pytest.raises(InvalidTypeError, match=r"muscle_mem\.store\.Promises"):
        Engine(Wrong())
    with pytest.raises(InvalidValueError, match="cache, machine, quorum"):
        Promises(acknowledged="disk")  # type: ignore[arg-type]
    with pytest.raises(InvalidValueError, match="seconds"):
        Promises(watch=-1.0)
    with pytest.raises(InvalidTypeError, match="accept_cache_store"):
        Engine(accept_cache_store="yes")  # type: ignore[arg-type]


def test_s22_a_store_that_says_nothing_promises_what_the_methods_do() -> None:
    class Quiet:
        url = "quiet:"

    assert promises_of(Quiet()) == Promises()
