"""Whatever the store does, the agent's task goes on (S11, G4); and what of it is told."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from muscle_mem import (
    Check,
    DamagedStoreError,
    Engine,
    ForeignStoreError,
    InvalidValueError,
    NewerStoreError,
    NotReadyError,
    StoreError,
)
from muscle_mem.store import MemoryStore, SqliteStore

ERRORS = [
    StoreError("down"),
    DamagedStoreError("damaged"),
    OSError(28, "No space left on device"),
    sqlite3.OperationalError("disk I/O error"),
    TimeoutError(),
    ValueError("not ours"),
    KeyError("x"),
    RecursionError("deep"),
    MemoryError(),
    AssertionError(),
    StopIteration(),
    NotReadyError("odd"),
]
METHODS = ["find", "seal", "note", "version", "lead", "survey", "drop", "close", "confirm"]


class Failing(MemoryStore):
    """A store of which some methods raise."""

    def __init__(self, *methods: str, error: BaseException | None = None) -> None:
        super().__init__()
        self.methods = set(methods)
        self.error = error or StoreError("down")

    def confirm(self, key: bytes) -> None:
        """It never lags."""

    def __getattribute__(self, name: str) -> Any:
        if name in METHODS and name in self.methods:

            def fail(*args: Any, **kwargs: Any) -> Any:
                raise self.error

            return fail
        return super().__getattribute__(name)


class Shop:
    """An engine with everything on that may touch its store."""

    def __init__(self, store: Any, **options: Any) -> None:
        self.events: list[Any] = []
        self.engine = Engine(store, observers=self.events.append, miss_wait=0.01, max_items=1, ttl=1e9, **options)
        self.refuse = False
        look = Check(lambda: 1, lambda now, then: not self.refuse, refresh=True)
        after = Check(lambda: 2, lambda now, then: not self.refuse)
        self.buy = self.engine.tool(look, after, effect="irreversible", name="buy")(lambda: "bought")
        self.engine.set_agent(lambda task: self.buy())

    def trouble(self) -> list[str]:
        return [event.operation for event in self.events if type(event).__name__ == "StoreEvent" and event.error]


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("error", ERRORS, ids=lambda error: type(error).__name__)
def test_each_method_that_raises_costs_the_task_nothing(method: str, error: BaseException) -> None:
    store = Failing()
    shop = Shop(store)
    assert shop.engine("known").learned
    store.error, store.methods = error, {method}
    for task in ("known", "new", "new", "newer", "known"):
        for _ in range(2):
            assert shop.engine(task).value == "bought"
    shop.engine.close()
    assert not shop.engine._runtime.open_runs.frames
    info = shop.engine.cache_info()
    assert info.store_errors > 0
    assert not info.store_answers
    assert info.store_trouble


def test_a_store_of_which_everything_fails_is_bypassed() -> None:
    shop = Shop(Failing(*METHODS))
    for _ in range(3):
        outcome = shop.engine("task")
        assert (outcome.value, outcome.reason, outcome.not_learned) == (
            "bought",
            "store_unavailable",
            "store_unavailable",
        )
    shop.engine.close()


def test_a_trouble_is_told_when_it_begins_as_it_piles_up_and_when_it_ends() -> None:
    store = Failing("find")
    shop = Shop(store)
    for _ in range(120):
        shop.engine("task", mode="frozen")
    assert shop.trouble() == ["find", "find", "find"]  # the first, the tenth, the hundredth
    info = shop.engine.cache_info()
    assert (info.store_errors, info.store_answers, info.store_trouble) == (120, False, "find: down")
    store.methods = set()
    for _ in range(3):
        shop.engine("task", mode="frozen")
    info = shop.engine.cache_info()
    assert (info.store_errors, info.store_answers, info.store_trouble) == (120, True, "find: down")
    assert [(e.operation, e.level) for e in shop.events if type(e).__name__ == "StoreEvent"][3:] == [("find", "info")]


def test_a_store_that_reads_and_does_not_write_is_told_once() -> None:
    store = Failing("seal")
    shop = Shop(store)
    for number in range(5):
        shop.engine(f"task {number}")
    assert shop.trouble() == ["seal"]
    assert not shop.engine.cache_info().store_answers


def test_raise_raises_before_the_agent_runs() -> None:
    runs: list[str] = []
    for method in ("find", "version"):
        engine = Engine(Failing(method, error=OSError("gone")), on_store_error="raise", observers=[lambda event: None])
        engine.set_agent(runs.append)
        with pytest.raises(StoreError, match="gone") as caught:
            engine("task")
        assert isinstance(caught.value.__cause__, OSError)
        assert caught.value.outcome is None
    assert not runs


def test_raise_raises_after_the_agent_with_what_it_did() -> None:
    shop = Shop(Failing("seal"), on_store_error="raise")
    with pytest.raises(StoreError, match="down") as caught:
        shop.engine("task")
    assert caught.value.outcome.value == "bought"
    assert caught.value.outcome.not_learned == "store_unavailable"
    assert shop.engine.cache_info().misses == 1
    with pytest.raises(StoreError) as caught, shop.engine.record("task") as shown:
        shop.buy()
    assert caught.value.outcome is shown.outcome
    with shop.engine.session("task") as session:
        session.next()
        session.said([])  # nothing to record: no trouble
        assert session.next().outcome.not_learned == "no_calls"
        assert session.outcome is not None
    with shop.engine.session("task") as session:
        session.next()
        session.said([(shop.buy, {})])
        session.done(session.next(), "bought")
        session.next()
        session.said([], value="said")
        with pytest.raises(StoreError) as caught:
            session.next()
    assert caught.value.outcome.value == "said"


def test_an_agents_exception_comes_before_the_stores() -> None:
    engine = Engine(Failing("seal", "note", "close"), on_store_error="raise", observers=[lambda event: None])

    def agent(task: str) -> None:
        raise LookupError(task)

    engine.set_agent(agent)
    with pytest.raises(LookupError, match="task"):
        engine("task")


def test_the_word_is_out_of_a_closed_list() -> None:
    with pytest.raises(InvalidValueError, match="bypass, raise"):
        Engine(on_store_error="ignore")


def wrong(folder: Path) -> Iterator[tuple[Path, type[Exception]]]:
    (folder / "text.db").write_text("no database, but a text that is long enough to be one" * 100)
    yield folder / "text.db", ForeignStoreError
    foreign = sqlite3.connect(folder / "foreign.db")
    foreign.execute("CREATE TABLE mine(x)")
    foreign.commit()
    foreign.close()
    yield folder / "foreign.db", ForeignStoreError
    SqliteStore(folder / "newer.db").close()
    newer = sqlite3.connect(folder / "newer.db")
    newer.execute("PRAGMA user_version = 99")
    newer.execute("UPDATE meta SET value = 99 WHERE name = 'min_reader'")
    newer.commit()
    newer.close()
    yield folder / "newer.db", NewerStoreError
    yield folder / "absent" / "m.db", StoreError
    yield folder, StoreError


def test_a_store_that_cannot_be_one_is_misuse_and_raises_when_it_is_given(tmp_path: Path) -> None:
    for path, error in wrong(tmp_path):
        with pytest.raises(error):
            Engine(path)
