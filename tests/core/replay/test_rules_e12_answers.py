"""E12: an answer that no recording went on after stops a replay before it acts again, and before a hit ends."""

from __future__ import annotations

import asyncio
import dataclasses
import json
import random
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any, NamedTuple

import pytest

from muscle_mem import Engine, Outcome, Reason


class Shop:
    """Tools whose answers a test sets, and an agent that goes on after the first answer only if `goes_on` says so."""

    def __init__(self, store: str | None = None, effect: str = "read", **options: Any) -> None:
        self.answer: Any = None
        self.last: Any = "Thank you, the parcel is on its way."
        self.calls: list[str] = []
        self.engine = engine = Engine(store)
        self.goes_on: Callable[[Any], bool] = bool

        @engine.tool(name="check", effect=effect, **options)
        def check(item: str) -> Any:
            self.calls.append(f"check {item}")
            return self.answer

        @engine.tool(name="look", effect="read")
        def look() -> str:
            self.calls.append("look")
            return "A long text about this and that."

        @engine.tool(name="buy", effect="write")
        def buy(item: str) -> Any:
            self.calls.append(f"buy {item}")
            return self.last

        self.check, self.look, self.buy = check, look, buy
        engine.set_agent(self.agent)

    def agent(self, item: str) -> None:
        if self.goes_on(self.check(item)):
            self.buy(item)

    def run(self, answer: Any, item: str = "chair", **options: Any) -> tuple[Outcome, list[str]]:
        self.calls = []
        self.answer = answer
        return self.engine(item, **options), self.calls


@dataclasses.dataclass
class Stock:
    in_stock: bool
    status: str = "open"


class Row(NamedTuple):
    count: int
    note: str


ANSWERS = [
    (True, False),
    ({"in_stock": True}, {"in_stock": False}),
    ({"in_stock": False}, {"in_stock": True}),
    ({"stock": {"left": 3}}, {"stock": {"left": 0}}),
    ({"stock": 3}, {"stock": 0}),
    ({"balance": 0}, {"balance": 12}),
    ({"index": 4}, {"index": -1}),
    ({"status": "open"}, {"status": "closed"}),
    ({"status": "open"}, {"status": "Sold out."}),
    ({"status": "available"}, {"status": "not available"}),
    ({"status": 200}, {"status": 404}),
    ({"result": {"id": 7}}, {"result": None}),
    ({"result": None}, {"result": {"id": 7}}),
    ({"offer": "20 EUR a piece"}, {}),
    ({"items": ["a", "b"]}, {"items": []}),
    ({"items": []}, {"items": ["a", "b"]}),
    ({"a": 1}, {"a": 1, "sold_out": True}),
    ([{"free": True}, {"free": True}], [{"free": True}, {"free": False}]),
    (["chair"], []),
    ("open", "closed"),
    ("yes", "no"),
    ("有货", "无货"),
    ("✓", "✗"),
    ("3 chairs are left in the shop", ""),
    ("3 results", "0 results"),
    ("12", "0"),
    (None, "The account is overdrawn since Monday."),
    ("There are some chairs.", None),
    (3, 0),
    (2.5, 0.0),
    (1, -1),
    (0, 7),
    ('{"in_stock": true}', '{"in_stock": false}'),
    ("{'in_stock': True}", "{'in_stock': False}"),
    ("in_stock: true\nprice: 20", "in_stock: false\nprice: 20"),
    ((True, "so many words"), (False, "so many words")),
    (Stock(True), Stock(False)),
    (Stock(True), Stock(True, "closed")),
    (Row(3, "so many words"), Row(0, "so many words")),
    (SimpleNamespace(ok=1), None),
    (
        {"content": [{"type": "text", "text": '{"in_stock": true}'}], "isError": False},
        {"content": [{"type": "text", "text": '{"in_stock": false}'}], "isError": False},
    ),
    (
        {"content": [{"type": "text", "text": "open"}], "isError": False},
        {"content": [{"type": "text", "text": "closed"}], "isError": False},
    ),
    ({"rows": [{"name": "a chair", "left": 3}]}, {"rows": [{"name": "a chair", "left": 0}]}),
    ({"big": "x" * 70_000, "in_stock": True}, {"big": "y" * 70_000, "in_stock": False}),
    ([{"n": n, "free": True} for n in range(100, 2_100)], [{"n": n, "free": n > 101} for n in range(100, 2_100)]),
]


@pytest.mark.parametrize(("then", "today"), ANSWERS)
def test_e12_an_answer_nobody_went_on_after_stops_before_the_next_write(then: Any, today: Any) -> None:
    shop = Shop()
    shop.goes_on = lambda answer: answer == then
    shop.run(then)
    assert shop.run(then)[0], "the same answer is a hit"
    assert shop.calls == ["check chair", "buy chair"]
    outcome, calls = shop.run(today)
    assert (outcome.status, outcome.reason) == ("diverged", Reason.UNSEEN_ANSWER)
    assert calls == ["check chair"]
    assert outcome.divergence is not None
    assert outcome.divergence.step == 1
    assert "'check'" in outcome.message
    for answer, expected in ((then, 2), (today, 1), (then, 2), (today, 1)):
        outcome, calls = shop.run(answer)
        assert outcome, outcome.message
        assert len(calls) == expected, "each answer has its own recording"


@pytest.mark.parametrize(("then", "today"), ANSWERS)
def test_e12_a_second_recording_makes_both_answers_known(then: Any, today: Any) -> None:
    shop = Shop()
    shop.goes_on = lambda answer: True
    shop.run(then)
    assert shop.run(today)[0].reason == Reason.UNSEEN_ANSWER
    for answer in (then, today, then):
        outcome, calls = shop.run(answer)
        assert outcome, outcome.message
        assert calls == ["check chair", "buy chair"]


@pytest.mark.parametrize(
    ("then", "today"),
    [
        ({"id": 7, "name": "Ann"}, {"id": 8, "name": "Bob"}),
        ({"city": "Rome", "first_name": "Ann"}, {"city": "Oslo", "first_name": "Bob"}),
        ({"title": "Dune"}, {"title": "Alien"}),
        ({"names": ["Ann", "Bob"]}, {"names": ["Cid", "Dan"]}),
        (["Ann", "Bob"], ["Cid"]),
        ([{"state": "open"}, {"state": "closed"}], [{"state": "late"}]),
        ({"text": "The parcel left."}, {"text": "Delivered"}),
        ({"price": 12.5}, {"price": 13}),
        ("12 chairs", "17 chairs"),
        ("A long page.", "Another page with other words."),
        ({"at": "2026-03-01"}, {"at": "2026-03-02"}),
        ({"number": "A17"}, {"number": "B3"}),
        ([3, 4], [5]),
        (b"abc", b"def"),
        ({"a": {"b": {"c": 1}}}, {"a": {"b": {"c": 2}}}),
        ({"x": 0, "y": 3}, {"x": 3, "y": 0}),
        ({"a": "so many words"}, {"a": "so many words", "more": "than there were"}),
        ({1: "so many words"}, {2: "so many words", 1: "other words here"}),
        ({"status": 200}, {"status": 201}),
        ("OK", "ok."),
        (Stock(True, "open"), Stock(True, "open")),
    ],
)
def test_e12_data_that_differs_is_no_answer(then: Any, today: Any) -> None:
    shop = Shop()
    shop.goes_on = lambda answer: True
    shop.run(then)
    for _ in range(2):
        outcome, calls = shop.run(today)
        assert outcome, outcome.message
        assert len(calls) == 2


def test_e12_a_hit_does_not_end_after_an_answer_that_was_not_recorded() -> None:
    shop = Shop()
    shop.last = {"booked": True}
    shop.run("so many words")
    shop.last = {"booked": False}
    outcome, calls = shop.run("so many words")
    assert (outcome.status, outcome.reason) == ("diverged", Reason.UNSEEN_ANSWER)
    assert calls.count("buy chair") == 1
    assert "'booked'" in outcome.message
    assert "False" in outcome.message
    assert outcome.learned, "the agent saw it, and did nothing more"
    assert shop.run("so many words")[0]


def test_e12_reads_go_on_until_the_next_step_that_acts() -> None:
    shop = Shop()

    def agent(item: str) -> None:
        if shop.check(item):
            shop.look()
            shop.buy(item)

    shop.engine.set_agent(agent)
    shop.run(True)
    outcome, calls = shop.run(False)
    assert outcome.reason == Reason.UNSEEN_ANSWER
    assert outcome.divergence is not None
    assert outcome.divergence.step == 2
    assert calls[:2] == ["check chair", "look"]
    assert "buy chair" not in calls


def test_e12_words_are_data_once_five_were_followed_by_the_same() -> None:
    shop = Shop()
    shop.goes_on = lambda answer: True
    statuses = ["green", "red", "blue", "white", "black"]
    assert [shop.run({"paint": word})[0].status for word in statuses] == ["miss", *["diverged"] * 4]
    for word in ("brown", "pink", "grey"):
        assert shop.run({"paint": word})[0]


def test_e12_a_param_in_an_answer_is_exempt() -> None:
    engine = Engine()
    done: list[str] = []
    wrong = []

    @engine.tool(effect="write")
    def set_status(status: str, urgent: bool) -> dict[str, Any]:
        done.append(status)
        return {"status": wrong[0] if wrong else status, "urgent": urgent}

    @engine.tool(effect="write")
    def tell(text: str) -> None:
        done.append(text)

    engine.set_agent(lambda status, urgent: (set_status(status, urgent), tell("Done with it."))[1])
    for status, urgent in (("open", True), ("closed", False), ("late", True)):
        outcome = engine(status, urgent, params={"status": status, "urgent": urgent})
        assert outcome.status == "miss" if status == "open" else outcome.status == "hit", outcome.message
    wrong.append("locked")
    assert engine("open", True, params={"status": "open", "urgent": True}).reason == Reason.UNSEEN_ANSWER


def test_e12_answers_any_goes_on_after_every_answer() -> None:
    shop = Shop(answers="any")
    shop.run({"in_stock": True})
    outcome, calls = shop.run({"in_stock": False})
    assert outcome
    assert calls == ["check chair", "buy chair"]


@pytest.mark.parametrize("value", ["all", True, 7, ""])
def test_e12_answers_takes_any_alone(value: Any) -> None:
    with pytest.raises((TypeError, ValueError), match="answers="):
        Engine().tool(answers=value)(lambda: 1)


def test_e12_an_agent_with_a_handover_goes_on_from_the_answer() -> None:
    shop = Shop()

    def agent(item: str, handover: Any = None) -> None:
        answer = handover.executed[0].result if handover else shop.check(item)
        shop.buy(item if answer["in_stock"] else "bench")

    shop.engine.set_agent(agent)
    shop.run({"in_stock": True})
    outcome, calls = shop.run({"in_stock": False})
    assert outcome.reason == Reason.UNSEEN_ANSWER
    assert calls == ["check chair", "buy bench"]
    assert outcome.learned
    for answer, bought in ((True, "chair"), (False, "bench"), (True, "chair")):
        outcome, calls = shop.run({"in_stock": answer})
        assert outcome, outcome.message
        assert calls == ["check chair", f"buy {bought}"]


def test_e12_known_answers_are_in_the_store(tmp_path: Path) -> None:
    for answer, status in ((True, "miss"), (False, "diverged"), (False, "hit"), (True, "hit")):
        shop = Shop(str(tmp_path / "memory.db"))
        shop.goes_on = lambda answer: True
        outcome, _ = shop.run({"in_stock": answer})
        assert outcome.status == status
        shop.engine.close()


def test_e12_async_tools_are_looked_at_as_well() -> None:
    engine = Engine()
    answers = iter([True, True, False])
    bought: list[str] = []

    @engine.tool(effect="read")
    async def check() -> dict[str, bool]:
        return {"in_stock": next(answers)}

    @engine.tool(effect="write")
    async def buy() -> None:
        bought.append("chair")

    async def agent(task: str) -> None:
        if (await check())["in_stock"]:
            await buy()

    engine.set_agent(agent)
    asyncio.run(engine.acall("chair"))
    assert asyncio.run(engine.acall("chair"))
    assert asyncio.run(engine.acall("chair")).reason == Reason.UNSEEN_ANSWER
    assert len(bought) == 2


def test_e12_a_shadow_run_counts_what_would_have_stopped() -> None:
    shop = Shop()
    shop.goes_on = lambda answer: True
    shop.run({"in_stock": True})
    shadow = shop.run({"in_stock": True}, mode="shadow")[0].shadow
    assert shadow is not None
    assert shadow.agreed
    shadow = shop.run({"in_stock": False}, mode="shadow")[0].shadow
    assert shadow is not None
    assert not shadow.agreed


def test_e12_a_used_row_of_a_list_is_looked_at_by_its_place() -> None:
    shop = Shop()
    free = {"id": 1_001, "free": True}, {"id": 1_002, "free": False}

    def agent(item: str) -> None:
        row = next((row for row in shop.check(item) if row["free"]), None)
        if row is not None:
            shop.buy(f"{row['id']}")

    shop.engine.set_agent(agent)
    shop.run(list(free))
    assert shop.run(list(free))[0]
    outcome, calls = shop.run([{"id": 1_001, "free": False}, {"id": 1_002, "free": True}])
    assert outcome.reason == Reason.UNSEEN_ANSWER
    assert calls[-1] == "buy 1002"


VOCABULARY: list[Callable[[random.Random], Any]] = [
    lambda r: r.random() < 0.5,
    lambda r: r.choice([None, 7, "so many words"]),
    lambda r: r.choice([0, 3, 12]),
    lambda r: r.choice(["open", "closed", "pending"]),
    lambda r: r.choice([[], ["a"], ["a", "b"]]),
    lambda r: {"ok": r.random() < 0.5, "count": r.choice([0, 2])},
    lambda r: {"status": r.choice(["done", "failed", "late"]), "at": r.randrange(1000)},
    lambda r: {"order": {"paid": r.random() < 0.5, "items": r.choice([[], [1]])}},
    lambda r: json.dumps({"free": r.random() < 0.5}),
    lambda r: ("free" if r.random() < 0.5 else "taken", r.randrange(9)),
]


def _branch(answer: Any) -> int:
    """What an agent sees in an answer: a number that says which way it goes."""
    if isinstance(answer, bool) or answer is None:
        return int(bool(answer))
    if isinstance(answer, int | float):
        return int(answer != 0)
    if isinstance(answer, str):
        return len(answer) % 3 if " " not in answer and "{" not in answer else 1 + answer.count("true")
    if isinstance(answer, list):
        return int(bool(answer))
    if isinstance(answer, tuple):
        return _branch(answer[0])
    return sum(_branch(part) for name, part in answer.items() if name != "at") % 4


class RandomAgent:
    """An agent that asks, and goes one way or another by what it is told; and the world that it asks."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.makers = [self.random.choice(VOCABULARY) for _ in range(self.random.randrange(1, 4))]
        self.writes = [self.random.random() < 0.4 for _ in self.makers]
        self.today: list[Any] = []
        self.calls: list[tuple[Any, ...]] = []

    def morning(self) -> None:
        self.today = [make(self.random) for make in self.makers]

    def ask(self, number: int) -> Any:
        return self.today[number]

    def act(self, *what: Any) -> None:
        self.calls.append(what)

    def work(self, ask: Callable[[int], Any], act: Callable[..., Any]) -> None:
        for number, writes in enumerate(self.writes):
            way = _branch(ask(number))
            if way == 0:
                return
            if writes or way > 1:
                act("do", number, f"way {'abcdef'[way]}")
        act("end")


@pytest.mark.parametrize("part", range(4))
def test_e12_random_agents_that_branch_on_answers_are_never_replayed_otherwise(part: int) -> None:
    hits = 0
    for seed in range(part * 25, part * 25 + 25):
        world = RandomAgent(seed)
        engine = Engine()
        ask = engine.tool(name="ask", effect="read")(world.ask)
        act = engine.tool(name="act", effect="write")(world.act)
        engine.set_agent(lambda task, world=world, ask=ask, act=act: world.work(ask, act))
        for day in range(14):
            world.morning()
            world.calls = []
            world.work(world.ask, world.act)
            alone, world.calls = world.calls, []
            outcome = engine("task")
            if outcome:
                hits += 1
                assert world.calls == alone, (seed, day, world.today)
    assert hits > 100
