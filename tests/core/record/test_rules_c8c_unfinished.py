"""C8c: work that is not done when a call returns is no result."""

from __future__ import annotations

import asyncio
import concurrent.futures
import contextlib
import itertools
import multiprocessing.pool
import sqlite3
import tempfile
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import pytest

from muscle_mem import Engine, Outcome, Reason

pool = concurrent.futures.ThreadPoolExecutor(1)


@contextlib.contextmanager
def window() -> Iterator[int]:
    yield 1


@contextlib.asynccontextmanager
async def awindow() -> AsyncIterator[int]:
    yield 1


def generator() -> Iterator[int]:
    yield 1


class Transaction:
    def __enter__(self) -> None: ...

    def __exit__(self, *exc: object) -> None: ...


class AsyncTransaction:
    async def __aenter__(self) -> None: ...

    async def __aexit__(self, *exc: object) -> None: ...


class Derived(Transaction):
    pass


class FakeConnection(Transaction):
    pass


class HttpClient(Transaction):
    pass


class FileLike(Transaction):
    def read(self) -> str:
        return ""

    def close(self) -> None: ...


def run(result: Any, **options: Any) -> tuple[Outcome, list[str]]:
    """Run an agent whose only tool returns what `result` makes; return the last outcome and the warnings."""
    events: list[Any] = []
    engine = Engine(observers=[events.append], **options)

    made: list[Any] = []

    @engine.tool(effect="read")
    def work() -> Any:
        made.append(result())
        return made[-1]

    def agent(task: str) -> None:
        work()

    engine.set_agent(agent)
    outcome = engine("task")
    for _ in range(2):
        again = engine("task")
        outcome = again or outcome
    for value in made:
        if hasattr(value, "fileno") or isinstance(value, sqlite3.Connection):
            value.close()
    return outcome, [event.message for event in events if event.level == "warning" and "work" in event.tool]


UNFINISHED: list[Callable[[], Any]] = [
    window,
    awindow,
    generator,
    lambda: map(str, [1]),
    lambda: filter(None, [1]),
    lambda: zip([1], [2], strict=True),
    lambda: enumerate([1]),
    lambda: itertools.chain([1], [2]),
    lambda: itertools.islice([1], 1),
    lambda: itertools.starmap(print, []),
    lambda: itertools.count(),
    lambda: itertools.groupby([1]),
    lambda: itertools.tee([1])[0],
    lambda: pool.submit(str, 1),
    lambda: pool.map(str, [1]),
    lambda: concurrent.futures.Future(),
    lambda: [map(str, [1])],
    lambda: (1, generator()),
    lambda: {"rows": zip([1], [2], strict=True)},
    lambda: [[window()]],
    lambda: [object(), pool.submit(str, 1)],
]


@pytest.mark.parametrize("result", UNFINISHED)
def test_c8c_unfinished_work_is_not_learned_and_says_why(result: Any) -> None:
    outcome, _ = run(result)
    assert outcome.not_learned is Reason.STILL_RUNNING
    assert "'work'" in outcome.not_learned_message or "work" in outcome.not_learned_message
    assert "unfinished work" in outcome.not_learned_message


def test_c8c_a_pool_of_processes_returns_unfinished_work() -> None:
    with multiprocessing.pool.ThreadPool(1) as threads:
        for result in (lambda: threads.apply_async(str, (1,)), lambda: threads.map_async(str, [1])):
            assert run(result)[0].not_learned is Reason.STILL_RUNNING
        assert run(lambda: threads.imap(str, [1]))[0].not_learned is Reason.STILL_RUNNING


def test_c8c_the_decorator_of_contextlib_under_the_tool_is_such_a_step() -> None:
    engine = Engine(observers=[])
    done: list[str] = []

    @engine.tool
    @contextlib.contextmanager
    def page() -> Iterator[None]:
        done.append("open")
        yield
        done.append("close")

    def agent(task: str) -> None:
        with page():
            done.append("work")

    engine.set_agent(agent)
    for _ in range(2):
        outcome = engine("task")
        assert outcome.not_learned is Reason.STILL_RUNNING
        assert "two tools" in outcome.not_learned_message
    assert done == ["open", "work", "close"] * 2


def test_c8c_async_tools_are_looked_at_too() -> None:
    async def main() -> None:
        engine = Engine(observers=[])

        @engine.tool
        async def later() -> Any:
            return asyncio.ensure_future(asyncio.sleep(0))

        @engine.tool
        async def block() -> Any:
            return awindow()

        for tool in (later, block):

            async def agent(task: str, tool: Any = tool) -> None:
                await tool()

            engine.set_agent(agent)
            assert (await engine.acall(tool.__name__)).not_learned is Reason.STILL_RUNNING

    asyncio.run(main())


@pytest.mark.parametrize("kind", [Transaction, AsyncTransaction, Derived, lambda: [Transaction()]])
def test_c8c_an_object_whose_work_is_in_its_end_gives_one_warning_and_a_strict_engine_refuses_it(kind: Any) -> None:
    outcome, warnings = run(kind)
    assert outcome
    assert len(warnings) == 1
    assert "returned a" in warnings[0]
    assert "Make its end a tool" in warnings[0]
    outcome, _ = run(kind, strict=True)
    assert outcome.not_learned is Reason.STILL_RUNNING


connections: list[sqlite3.Connection] = []


def connected() -> sqlite3.Connection:
    """A connection, which is closed after the test."""
    connections.append(sqlite3.connect(":memory:"))
    return connections[-1]


@pytest.fixture(autouse=True)
def close_connections() -> Iterator[None]:
    yield
    while connections:
        connections.pop().close()


FINISHED: list[Callable[[], Any]] = [
    lambda: open(__file__),  # noqa: SIM115
    lambda: tempfile.TemporaryFile(),  # noqa: SIM115
    lambda: tempfile.NamedTemporaryFile(),  # noqa: SIM115
    threading.Lock,
    threading.RLock,
    threading.Condition,
    asyncio.Lock,
    lambda: connected(),
    lambda: connected().cursor(),
    lambda: memoryview(b"abc"),
    FakeConnection,
    HttpClient,
    FileLike,
    object,
    lambda: iter([1]),
    lambda: [1, object()],
    lambda: {"a": (1, object())},
    lambda: "text",
    lambda: [1, 2],
    lambda: {"rows": [1]},
    lambda: pool.submit(str, 1).result(),
    lambda: list(map(str, [1])),
]


@pytest.mark.parametrize("result", FINISHED)
@pytest.mark.parametrize("strict", [False, True])
def test_c8c_files_locks_connections_and_values_are_finished(result: Any, strict: bool) -> None:
    outcome, warnings = run(result, strict=strict)
    assert outcome
    assert warnings == []


def test_c8c_a_picture_is_finished() -> None:
    pillow = pytest.importorskip("PIL.Image")
    outcome, warnings = run(lambda: pillow.new("RGB", (2, 2)), strict=True)
    assert outcome
    assert warnings == []


def test_c8c_a_context_object_or_param_that_a_tool_returns_is_no_open_block() -> None:
    events: list[Any] = []
    engine = Engine(observers=[events.append], strict=True)
    page, other = Transaction(), Derived()

    @engine.tool(effect="read")
    def get() -> Any:
        return page

    @engine.tool(effect="read")
    def use(what: Any) -> Any:
        return what

    def agent(task: str) -> None:
        get()
        use(other)

    engine.set_agent(agent)
    for expected in (False, True):
        assert bool(engine("task", context=page, params={"other": other})) is expected
    assert [event for event in events if event.level == "warning"] == []


def test_c8c_a_class_that_raises_on_any_access_ends_no_call() -> None:
    class Kind(type):
        def __getattribute__(cls, name: str) -> Any:
            if name in ("__enter__", "__await__"):
                raise RuntimeError(name)
            return super().__getattribute__(name)

    class Strange(metaclass=Kind):
        pass

    outcome, _ = run(Strange)
    assert outcome


def test_c8c_a_registered_type_is_a_value() -> None:
    import muscle_mem

    class Ticket(Transaction):
        def __init__(self, number: int) -> None:
            self.number = number

    muscle_mem.register(Ticket, encode=lambda ticket: ticket.number, decode=Ticket, name="c8c-ticket")
    outcome, warnings = run(lambda: Ticket(1), strict=True)
    assert outcome
    assert warnings == []
