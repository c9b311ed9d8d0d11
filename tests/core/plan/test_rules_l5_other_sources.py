"""L5, L3, L8: where something else may be the source of a value, several recordings or one ask the agent."""

from __future__ import annotations

from typing import Any

import pytest

from answering_desk import Desk
from muscle_mem import Engine, Outcome, Reason
from param_cases import Play


def test_l5_a_generalized_trajectory_does_not_take_over_behind_its_first_stop() -> None:
    """Two leaves vary without a source; the first is as in one recording, the second is not."""

    def agent(desk: Desk) -> None:
        row = desk.look()["row"]
        desk.look(row["code"][::-1])
        desk.say(row["name"].lower(), f"{row['name']}: {row['price']:,.2f}")

    desk = Desk(agent)
    desk.run({"row": {"code": "zebra", "name": "Hugo Nilsson", "price": 1000}})
    desk.run({"row": {"code": "otter", "name": "Lena Kim", "price": 1003}})
    assert not desk.run({"row": {"code": "otter", "name": "Lena Kim", "price": 1100}})


@pytest.mark.parametrize("highest", [max, min])
def test_l3_an_extreme_votes_where_two_records_tied(highest: Any) -> None:
    desk = Desk(lambda desk: desk.take(amount=highest(row["cost"] for row in desk.look())))

    def rows(*costs: int) -> list[dict[str, Any]]:
        return [{"name": f"offer number {at}", "cost": cost} for at, cost in enumerate(costs)]

    low, high = (200, 4741) if highest is max else (9000, 1741)
    best = 1000 if highest is max else 5000
    desk.run(rows(best, best, low))
    desk.run(rows(high, low, low))
    desk.run(rows(best, low, low))
    other = best * 2 if highest is max else best - 100
    assert not desk.run(rows(best, other, low))


class Ticket:
    """An output that no recording can read again."""

    def __init__(self, number: Any) -> None:
        self.number = number


@pytest.mark.parametrize("give", [lambda n: f"made {n}.", Ticket, lambda n: {"text": f"number {n} is made"}])
def test_l8_a_value_that_a_later_output_told_again_has_no_sure_source_in_one_recording(give: Any) -> None:
    engine = Engine()
    today = ["ab-1001", "ab-1001"]
    used: list[str] = []

    @engine.tool
    def make(at: int) -> Any:
        return today[0] if at == 0 else give(today[1])

    @engine.tool
    def use(number: str) -> None:
        used.append(number)

    def agent(task: str) -> None:
        for at in (0, 1):
            make(at)
            use(today[at])

    engine.set_agent(agent)
    engine("the task")
    today[1] = "cd-2002"
    used.clear()
    outcome = engine("the task")
    assert not outcome
    assert used[-1] == "cd-2002"


def runs(convert: Any, *values: float) -> list[Outcome]:
    engine = Engine()
    paid: list[Any] = []

    @engine.tool(effect="write")
    def pay(amount: Any) -> None:
        paid.append(amount)

    engine.set_agent(lambda task, amount: pay(convert(amount)))
    found = []
    for value in values:
        paid.clear()
        found.append(engine("pay", value, params={"amount": value}))
        assert repr(paid) == repr([convert(value)])
    return found


def test_l3_a_float_param_without_a_fraction_is_passed_as_an_int() -> None:
    assert [bool(outcome) for outcome in runs(int, 48211.0, 93377.0, 71123.0, 480.0)] == [False, False, True, True]


@pytest.mark.parametrize("convert", [int, round])
def test_l3_a_float_param_with_a_fraction_is_not_cut_for_the_agent(convert: Any) -> None:
    outcomes = runs(convert, 48211.0, 93377.0, 71123.7)
    assert outcomes[-1].reason == Reason.FLOW_UNCLEAR


@pytest.mark.parametrize(
    "spell", [lambda n: f"No. {n:04d}", lambda n: f"{n:03d} pieces", lambda n: f"row {n:,} of the list"]
)
def test_e3_a_number_in_a_sentence_that_has_fewer_digits_now_may_be_padded(spell: Any) -> None:
    play = Play()
    play.twice(lambda n: play.send(text=spell(n)), {"n": 1500}, {"n": 150})


@pytest.mark.parametrize("spell", [lambda n: f"{n}", lambda n: f"/orders/{n}/pay", lambda n: f"?page={n}"])
def test_e3_a_number_alone_or_in_a_path_is_not_padded(spell: Any) -> None:
    play = Play()
    assert play.twice(lambda n: play.send(text=spell(n)), {"n": 1500}, {"n": 150})


def test_e3_a_number_with_fewer_digits_in_a_sentence_hits_once_it_was_recorded() -> None:
    play = Play()
    agent = lambda n: play.send(text=f"{n} pieces")
    for n, hits in ((1500, False), (150, False), (180, True), (2600, True)):
        assert bool(play.run(agent, key="task", params={"n": n}, n=n)) == hits, n
