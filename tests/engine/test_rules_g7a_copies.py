"""G7a: what callbacks get are copies, and an argument that the run has changed is not learned."""

from __future__ import annotations

import collections
import dataclasses
import io
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any, NamedTuple

import msgspec
import pytest

from muscle_mem import Check, Engine, Handover, Reason
from muscle_mem._core.codec.copies import copy_containers, copy_for_onlooker, trace
from muscle_mem._core.model.handover import Executed
from muscle_mem.events import StepBeganEvent, StepEndedEvent


@dataclasses.dataclass
class Order:
    lines: list[int]


class Named(NamedTuple):
    lines: list[int]


class Packed(msgspec.Struct):
    lines: list[int]


class Plain:
    def __init__(self, lines: list[int]) -> None:
        self.lines = lines


class Slotted:
    __slots__ = ("lines",)

    def __init__(self, lines: list[int]) -> None:
        self.lines = lines


VALUES: list[Callable[[], Any]] = [
    lambda: [[1, 2, 3]],
    lambda: {"lines": [1, 2, 3]},
    lambda: ([1, 2, 3],),
    lambda: Order([1, 2, 3]),
    lambda: Named([1, 2, 3]),
    lambda: Packed([1, 2, 3]),
    lambda: Plain([1, 2, 3]),
    lambda: Slotted([1, 2, 3]),
    lambda: SimpleNamespace(lines=[1, 2, 3]),
    lambda: collections.OrderedDict(lines=[1, 2, 3]),
    lambda: collections.defaultdict(list, lines=[1, 2, 3]),
    lambda: collections.deque([[1, 2, 3]]),
    lambda: {"a": [Order([1, 2, 3])]},
]


def lines_of(value: Any) -> Any:
    """Return the list somewhere within a value."""
    while type(value) is not list or (value and not isinstance(value[0], int)):
        if isinstance(value, dict):
            value = next(iter(value.values()))
        elif isinstance(value, list | tuple | collections.deque):
            value = value[0]
        else:
            value = value.lines
    return value


@pytest.mark.parametrize("make", VALUES)
def test_g7a_a_copy_for_an_onlooker_has_the_type_and_shares_no_list(make: Callable[[], Any]) -> None:
    value = make()
    copied = copy_for_onlooker(value)
    assert type(copied) is type(value)
    assert lines_of(copied) == [1, 2, 3]
    lines_of(copied).clear()
    assert lines_of(value) == [1, 2, 3]


def test_g7a_cycles_shared_parts_and_handles_stay_what_they_are(tmp_path: Any) -> None:
    inner = [1]
    value: list[Any] = [inner, inner]
    value.append(value)
    copied = copy_for_onlooker(value)
    assert copied[0] is copied[1]
    assert copied[0] is not inner
    assert copied[2] is copied
    with open(tmp_path / "file", "w") as file:
        assert copy_for_onlooker({"file": file})["file"] is file
    page = Plain([1])
    assert copy_for_onlooker([page], live=[page])[0] is page
    assert copy_containers([page])[0] is page

    class Broken:
        @property
        def __class__(self) -> Any:
            raise RuntimeError("a proxy")

        @__class__.setter
        def __class__(self, kind: Any) -> None: ...

    broken = Broken()
    assert copy_for_onlooker([broken])[0] is broken
    trace([broken])


@pytest.mark.parametrize("make", VALUES[:6])
def test_g7a_what_a_person_shortens_is_paid_in_full(make: Callable[[], Any]) -> None:
    paid: list[Any] = []
    shown: list[Any] = []

    def shorten(value: Any) -> None:
        shown.append(len(lines_of(value)))
        del lines_of(value)[1:]

    def approve(step: Executed) -> bool:
        for value in (step.args[0], step.arguments["order"]):
            shorten(value)
        return True

    class Watch:
        wants_steps = True

        def __call__(self, event: Any) -> None:
            if isinstance(event, StepBeganEvent):
                shorten(event.arguments["order"])
            elif isinstance(event, StepEndedEvent):
                shorten(event.result)

    def success(steps: list[Executed], value: Any, params: dict[str, Any]) -> bool:
        if shown:
            shorten(steps[0].arguments["order"])
            shorten(steps[0].result)
            shorten(params["order"])
        shorten(value)
        return True

    engine = Engine(approve=approve, observers=[Watch()], success=success)

    @engine.tool(pre_check=Check(lambda order: "open"), effect="irreversible")
    def pay(order: Any) -> Any:
        paid.append(list(lines_of(order)))
        return order

    engine.set_agent(lambda task, order: pay(order))
    for _ in range(3):
        order = make()
        outcome = engine("pay", order, params={"order": order})
        assert lines_of(order) == [1, 2, 3]
        assert lines_of(outcome.value) == [1, 2, 3]
    assert outcome
    assert paid == [[1, 2, 3]] * 3
    assert set(shown) >= {3}


def test_g7a_the_agent_that_goes_on_gets_copies_and_its_data_flow_is_learned() -> None:
    calls: list[Any] = []
    state = {"page": "one", "ids": [7001, 7002]}
    engine = Engine()

    @engine.tool(effect="read")
    def find() -> list[int]:
        return list(state["ids"])

    @engine.tool(pre_check=Check(lambda ids: state["page"]), effect="write")
    def archive(ids: list[int]) -> None:
        calls.append(ids)

    def agent(task: str, handover: Handover | None = None) -> Any:
        if handover is None:
            found = find()
        else:
            found = handover.executed[0].result
            assert handover.results[0] is found
        archive(found)
        return found

    engine.set_agent(agent)
    engine("tidy up")
    state["page"] = "two"
    outcome = engine("tidy up")
    assert outcome.status == "diverged"
    assert outcome.learned
    state["ids"] = [8001, 8002, 8003]
    outcome = engine("tidy up")
    assert outcome, outcome
    assert calls[-1] == outcome.value == [8001, 8002, 8003]


def test_g7a_an_absorbed_agent_gets_what_the_step_returned_whatever_happens_to_the_hand_over() -> None:
    from muscle_mem import current_run

    state = {"page": "one"}
    engine = Engine()
    seen: list[Any] = []

    @engine.tool(effect="write")
    def order() -> list[int]:
        return [7001, 7002]

    @engine.tool(pre_check=Check(lambda ids: state["page"]), effect="write")
    def pay(ids: list[int]) -> None:
        seen.append(list(ids))

    def agent(task: str) -> None:
        run = current_run()
        assert run is not None
        if run.handover is not None:
            run.handover.executed[0].result.clear()
        pay(order())

    engine.set_agent(agent)
    engine("buy")
    state["page"] = "two"
    assert engine("buy").status == "diverged"
    assert seen == [[7001, 7002]] * 2


def test_g7a_a_callback_that_reads_the_params_of_the_run_cannot_change_the_call() -> None:
    from muscle_mem import current_run

    paid: list[Any] = []
    state = {"guard": "open"}

    def shorten() -> None:
        run = current_run()
        assert run is not None
        run.params["lines"].clear()
        run.params["order"]["lines"].clear()

    def approve(step: Executed) -> bool:
        shorten()
        return True

    engine = Engine(approve=approve)

    @engine.tool(pre_check=Check(lambda lines, order: state["guard"]), effect="irreversible")
    def pay(lines: list[int], order: dict[str, Any]) -> None:
        paid.append((list(lines), list(order["lines"])))

    def agent(task: str) -> None:
        run = current_run()
        assert run is not None
        pay(run.params["lines"], run.params["order"])

    engine.set_agent(agent)
    for _ in range(2):
        outcome = engine("pay", params={"lines": [1, 2, 3], "order": {"lines": [4, 5]}})
    assert outcome
    assert paid == [([1, 2, 3], [4, 5])] * 2


class Rows(list):  # type: ignore[type-arg]
    """A list that the codec does not know."""


def fill(out: Any) -> None:
    out.append("found")


def tag(out: Any) -> None:
    out["seen"] = True


def nested(out: Any) -> None:
    out["rows"].append(1)


@pytest.mark.parametrize(
    ("make", "change"),
    [
        (list, fill),
        (dict, tag),
        (lambda: {"rows": []}, nested),
        (lambda: {"rows": [0]}, lambda out: out["rows"].clear()),
        (lambda: Order([1]), lambda out: out.lines.append(2)),
        (lambda: bytearray(b"a"), lambda out: out.extend(b"b")),
        (lambda: {1, 2}, lambda out: out.add(3)),
        (lambda: [object], lambda out: out.pop()),
        (lambda: {object}, lambda out: out.clear()),
        (lambda: Rows([1]), fill),
        (lambda: Rows([object]), fill),
        (lambda: collections.deque([object]), fill),
        (lambda: collections.defaultdict(list, a=object), tag),
        (lambda: [{"rows": [object]}], lambda out: out[0]["rows"].append(1)),
        (io.StringIO, lambda out: out.write("text")),
        (io.BytesIO, lambda out: out.write(b"text")),
    ],
)
@pytest.mark.parametrize("by_name", [False, True])
def test_g7a_an_argument_that_the_agent_has_filled_is_not_learned(make: Any, change: Any, by_name: bool) -> None:
    engine = Engine(key=lambda *_, **__: "one key")

    @engine.tool
    def look() -> str:
        return "seen"

    def agent(task: str, out: Any) -> str:
        change(out)
        return look()

    engine.set_agent(agent)
    for _ in range(2):
        outcome = engine("look", out=make()) if by_name else engine("look", make())
        assert not outcome
        assert outcome.not_learned is Reason.CHANGED_ARGUMENT
        assert "'out'" in outcome.not_learned_message


def test_g7a_an_argument_that_a_tool_has_filled_is_not_learned_and_a_demonstration_neither() -> None:
    engine = Engine()

    @engine.tool
    def fetch(into: list[str]) -> None:
        into.append("row")

    engine.set_agent(lambda task, out: fetch(out))
    assert engine("fetch", []).not_learned is Reason.CHANGED_ARGUMENT
    out: list[str] = []
    with engine.record("fetch", out) as demonstration:
        fetch(out)
    assert demonstration.outcome is not None
    assert demonstration.outcome.not_learned is Reason.CHANGED_ARGUMENT


def test_g7a_handles_and_context_objects_among_the_arguments_may_change() -> None:
    page = Order([1])
    engine = Engine()
    engine.set_context(page)

    @engine.tool
    def look() -> str:
        return "seen"

    def agent(task: str, where: Any, client: Any) -> str:
        where.lines.append(2)
        client.lines.append(2)
        return look()

    engine.set_agent(agent)
    client = Plain([1])
    for expected in (False, True):
        assert bool(engine("look", page, client, params={"client": client}, key="look")) is expected
