"""Rules C: what is learned? Values that come back as what they were, and values that nobody can store."""

from __future__ import annotations

import copy
import datetime as dt
import decimal
import logging
import math
import pathlib
import uuid
import zoneinfo
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import muscle_mem
from codec_cases import (
    EXAMPLES,
    CodecBox,
    CodecColour,
    CodecFrozen,
    CodecModel,
    CodecNumber,
    CodecPoint,
    CodecRow,
    CodecWord,
    same,
)
from muscle_mem import Engine, Outcome, Reason
from muscle_mem._core.codec import registry

VALUES: dict[str, Any] = {
    **{f"example: {name}": value for name, value in EXAMPLES.items()},
    "huge int": 7**500,
    "negative huge int": -(2**200),
    "nested empties": [{}, [], (), "", None, 0, False, set(), b""],
    "true and one": [True, 1, 1.0, "1"],
    "path": pathlib.Path("/tmp/a b") / "ü",
    "relative path": pathlib.Path("a/../b"),
    "aware datetime": dt.datetime(2024, 3, 31, 2, 30, tzinfo=zoneinfo.ZoneInfo("Europe/Berlin")),
    "decimals": [decimal.Decimal("1.10"), decimal.Decimal("1.1"), decimal.Decimal("-0")],
    "uuid as key": {uuid.UUID(int=5): [uuid.UUID(int=6)]},
    "dict in its own order": {"z": 1, "a": {"y": 2, "b": 3}},
    "set of tuples": {(1, "a"), (2, None)},
    "dataclass in a list": [CodecPoint([CodecFrozen({"k": CodecRow((1,))})], CodecColour.GREEN)],
    "generic dataclass": CodecBox[list[int]]([5]),
    "model of models": CodecModel(x=CodecModel(x=[CodecNumber.ONE]), y={"w": CodecWord.YES}),
    "float16 array": np.array([[1.5, float("nan")]], dtype="float16"),
    "fortran array": np.asfortranarray(np.arange(6).reshape(2, 3)),
    "infinities": (math.inf, -math.inf, -0.0),
}
DEFAULT: Any = object()


def replayed(path: Path, value: Any, spelling: str = "position") -> Any:
    """What the tool receives in a replay by an engine that knows the recording from its file alone."""
    received: list[Any] = []

    def opened() -> Engine:
        engine = Engine(path)

        @engine.tool(name="take", version=1, effect="read")
        def take(given: Any = DEFAULT, *rest: Any, only: Any = DEFAULT, **more: Any) -> None:
            received.append({"position": given, "name": given, "keyword": only, "rest": rest, "more": more}[spelling])

        def agent(task: str) -> None:
            match spelling:
                case "position":
                    take(value)
                case "name":
                    take(given=value)
                case "keyword":
                    take(only=value)
                case "rest":
                    take(0, value, value)
                case "more":
                    take(other=value)

        return engine.set_agent(agent)

    with opened() as engine:
        assert engine("a task").learned
    received.clear()
    with opened() as engine:
        outcome = engine("a task")
        assert outcome, outcome.message
    return received[0]


# --- C8: what comes back


@pytest.mark.parametrize("name", VALUES)
def test_c8_an_argument_comes_back_as_what_it_was(name: str, tmp_path: Path) -> None:
    got = replayed(tmp_path / "memory.db", VALUES[name])

    assert same(got, VALUES[name])
    assert type(got) is type(VALUES[name])


@pytest.mark.parametrize("value", [None, 0, False, "", b"", math.nan, []], ids=repr)
@pytest.mark.parametrize("spelling", ["name", "keyword", "rest", "more"])
def test_c8_what_looks_like_nothing_comes_back_however_it_was_passed(spelling: str, value: Any, tmp_path: Path) -> None:
    wanted = {"rest": (value, value), "more": {"other": value}}.get(spelling, value)
    assert same(replayed(tmp_path / "memory.db", value, spelling), wanted)


def recording(*, name: str = "take", **options: Any) -> tuple[Engine, list[Any], list[Any]]:
    """An engine with one tool that keeps what it is given, and whose agent passes `given` to it."""
    engine = Engine()
    given: list[Any] = []
    received: list[Any] = []

    @engine.tool(name=name, **{"effect": "read", **options})
    def take(items: Any) -> None:
        received.append(copy.deepcopy(items))
        if isinstance(items, list):
            items.append("changed by the tool")
        elif isinstance(items, dict):
            items.clear()

    return engine.set_agent(lambda task: [take(value) for value in given] and None), given, received


@pytest.mark.parametrize("value", [[1, [2]], {"a": [1]}, CodecPoint([1]), [CodecModel(x=[1])]], ids=repr)
def test_c8_every_replay_gets_a_fresh_mutable_argument(value: Any) -> None:
    engine, given, received = recording()
    given[:] = [copy.deepcopy(value)]
    assert engine("a task").learned
    for _ in range(3):
        assert engine("a task")

    assert len(received) == 4
    assert all(same(got, value) for got in received)


def test_c2_an_argument_is_encoded_at_the_moment_of_the_call() -> None:
    engine = Engine()
    received: list[Any] = []

    @engine.tool(effect="read")
    def take(items: list[int]) -> None:
        received.append(list(items))

    def agent(task: str) -> None:
        items: list[int] = []
        for n in range(3):
            items.append(n)
            take(items)
        items.clear()

    engine.set_agent(agent)
    engine("a task")
    received.clear()
    assert engine("a task")
    assert received == [[0], [0, 1], [0, 1, 2]]


@pytest.mark.parametrize("bits", [0x7FF8_0000_0000_0000, 0xFFF8_0000_0000_0000, 0x7FF8_0000_0000_0001])
def test_c2_an_array_is_replayed_with_every_bit_of_it_also_of_what_is_no_number(bits: int) -> None:
    engine = Engine()
    made: list[bytes] = []
    draw = engine.tool(name="draw", version=1)(lambda points: made.append(points.tobytes()))
    engine.set_agent(lambda task: draw(np.array([bits, 0], dtype="u8").view("f8")))
    assert engine("draw").learned
    assert engine("draw")
    assert made[0] == made[1] == np.array([bits, 0], dtype="u8").tobytes()


def test_c2_an_output_that_is_large_is_not_kept_and_does_not_matter() -> None:
    engine = Engine()

    @engine.tool(effect="read")
    def load() -> list[int]:
        return list(range(50_000))

    engine.set_agent(lambda task: len(load()))
    outcome = engine("a task")
    assert outcome.learned
    stored = engine._runtime.library.store.get(str(outcome.trajectory_id))
    assert stored is not None
    assert sum(len(observation.body) for _, observation in stored.observations) < 2_000
    assert engine("a task")


class Money:
    def __init__(self, cents: int) -> None:
        self.cents = cents


@pytest.fixture
def register() -> Iterator[Any]:
    saved = registry.snapshot()
    yield muscle_mem.register
    registry.restore(saved)


def test_c8_a_registered_type_comes_back(register: Any, tmp_path: Path) -> None:
    register(Money, encode=lambda money: money.cents, decode=Money, name="money")
    got = replayed(tmp_path / "memory.db", [Money(150)])
    assert type(got[0]) is Money
    assert got[0].cents == 150


def test_c8_without_its_registration_it_is_a_miss_that_says_so(register: Any, tmp_path: Path) -> None:
    with_it = registry.snapshot()
    register(Money, encode=lambda money: money.cents, decode=Money, name="money")
    replayed(tmp_path / "memory.db", Money(150))
    registry.restore(with_it)
    ran: list[Any] = []
    with Engine(tmp_path / "memory.db") as engine:

        @engine.tool(name="take", version=1, effect="read")
        def take(given: Any = None, *rest: Any, only: Any = None, **more: Any) -> None:
            ran.append(given)

        engine.set_agent(lambda task: None)
        outcome = engine("a task")
    assert outcome.reason is Reason.NOT_REPLAYABLE
    assert "money" in outcome.message
    assert ran == []


# --- C7: what nobody can store


class Client:
    """Has no canonical form."""


def warned(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [r.getMessage() for r in caplog.records if r.levelno == logging.WARNING]


def test_c7_an_opaque_argument_makes_the_run_not_replayable_and_says_which_and_why(
    caplog: pytest.LogCaptureFixture,
) -> None:
    engine = Engine()

    @engine.tool(effect="read")
    def ask(question: str, client: Any) -> None: ...

    engine.set_agent(lambda task: ask("how many?", {"http": [Client()]}))
    for _ in range(2):
        outcome = engine("a task")
        assert outcome.not_learned is Reason.OPAQUE_ARGUMENT
    for word in ("ask", "client['http'][0]", "Client", "ignore=['client']"):
        assert word in outcome.not_learned_message
    assert len(warned(caplog)) == 1


def test_c7_an_opaque_output_never_prevents_a_replay() -> None:
    engine = Engine()

    @engine.tool(effect="read")
    def connect() -> Client:
        return Client()

    engine.set_agent(lambda task: connect())
    assert engine("a task").learned
    outcome = engine("a task")
    assert outcome
    assert type(outcome.value) is Client


@pytest.mark.parametrize("wrap", [lambda x: x, lambda x: [x], lambda x: {"a": (1, x)}, lambda x: CodecPoint(x)])
def test_c7_an_opaque_argument_may_be_an_earlier_output_also_inside_a_container(wrap: Any) -> None:
    engine = Engine()
    made: list[Client] = []
    used: list[Any] = []

    @engine.tool(effect="read")
    def connect() -> Client:
        made.append(Client())
        return made[-1]

    @engine.tool(effect="read")
    def use(client: Any) -> None:
        used.append(client)

    engine.set_agent(lambda task: use(wrap(connect())))
    assert engine("a task").learned
    assert engine("a task")

    assert [inner(value) is client for value, client in zip(used, made, strict=True)] == [True, True]


def inner(value: Any) -> Any:
    """The client in a container."""
    while not isinstance(value, Client):
        value = value.x if isinstance(value, CodecPoint) else value["a"] if isinstance(value, dict) else value[-1]
    return value


def using(client: Any = None, **options: Any) -> tuple[Engine, list[Any], list[Client]]:
    """A tool that takes a client, and an agent that passes `clients[0]`."""
    engine = Engine()
    used: list[Any] = []
    clients = [Client()]

    @engine.tool(effect="read", **options)
    def use(what: str, client: Any = client) -> None:
        used.append(client)

    return engine.set_agent(lambda task, **_: use("x", clients[0])), used, clients


def test_c7_an_opaque_argument_may_be_a_context_object() -> None:
    engine, used, clients = using()
    assert engine("a task", context=clients[0]).learned
    clients[0] = Client()
    assert engine("a task", context=clients[0])
    assert used[1] is clients[0]


def test_c7_an_opaque_argument_may_be_a_params_value() -> None:
    engine, used, clients = using()
    assert engine("a task", params={"client": clients[0]}).learned
    clients[0] = Client()
    assert engine("a task", params={"client": clients[0]})
    assert used[1] is clients[0]


def test_c7_an_ignored_argument_is_never_stored_and_is_injected() -> None:
    fresh = Client()
    engine, used, clients = using(ignore=["client"], inject={"client": lambda: fresh})
    outcome = engine("a task")
    assert outcome.learned
    clients[0] = Client()
    assert engine("a task", mode="record").trajectory_id == outcome.trajectory_id
    assert engine("a task")
    assert used[-1] is fresh


def test_c7_an_injected_value_may_be_given_as_it_is() -> None:
    fresh = Client()
    engine, used, _ = using(inject={"client": fresh})
    assert engine("a task").learned
    assert engine("a task")
    assert used[1] is fresh


def test_c7_an_ignored_argument_that_nothing_injects_is_left_to_its_default() -> None:
    engine, used, clients = using(client="the default", ignore=["client"])
    engine("a task")
    assert engine("a task")
    assert used == [clients[0], "the default"]


def test_c7_arguments_behind_an_ignored_one_stay_where_they_were() -> None:
    engine = Engine()
    got: list[Any] = []

    @engine.tool(effect="read", ignore=["ctx"])
    def act(ctx: Any = None, *rest: int, last: int = 0) -> None:
        got.append((ctx, rest, last))

    engine.set_agent(lambda task: act("c", 1, 2, last=3))
    engine("a task")
    assert engine("a task")
    assert got == [("c", (1, 2), 3), (None, (1, 2), 3)]


def test_c7_an_ignored_argument_that_nobody_can_give_is_a_miss_with_a_reason() -> None:
    engine = Engine()

    @engine.tool(effect="read", ignore=["ctx"])
    def act(ctx: Any) -> None: ...

    engine.set_agent(lambda task: act(Client()))
    assert engine("a task").learned
    outcome: Outcome = engine("a task")
    assert outcome.reason is Reason.NOT_REPLAYABLE
    assert "inject" in outcome.message


@pytest.mark.parametrize("name", ["nothing", "rest", "more"])
def test_c7_only_a_parameter_of_its_own_can_be_ignored(name: str) -> None:
    functions: dict[str, Any] = {"nothing": lambda x: x, "rest": lambda *rest: rest, "more": lambda **more: more}
    with pytest.raises(ValueError, match=name):
        Engine().tool(ignore=[name])(functions[name])
