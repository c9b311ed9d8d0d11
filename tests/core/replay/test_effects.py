"""Effects: approvals before irreversible steps, dry runs, idempotency keys, undo, optional steps."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from muscle_mem import Check, Diverged, Engine, InvalidTypeError, InvalidValueError, Reason, current_run


class Bank:
    """Looks at an account, then pays: the second step cannot be taken back."""

    def __init__(self, **options: Any) -> None:
        self.engine = Engine(**options)
        self.log: list[Any] = []
        self.order: list[str] = []
        self.balance = 10
        engine = self.engine

        @engine.tool(name="look", effect="write", pre_check=Check(self.see_account), undo="close the look at {account}")
        def look(account: str) -> None:
            self.log.append(("look", account))

        @engine.tool(name="pay", effect="irreversible", pre_check=Check(self.see_balance))
        def pay(to: str, amount: int) -> str:
            self.log.append(("pay", to, amount))
            return f"paid {amount}"

        self.look, self.pay = look, pay
        engine.set_agent(self.agent)

    def see_account(self, account: str) -> str:
        self.order.append("check look")
        return account

    def see_balance(self, to: str, amount: int) -> int:
        self.order.append("check pay")
        return self.balance

    def agent(self, task: str) -> str:
        self.look("main")
        return self.pay("Bob", 250)


def test_f4_an_irreversible_step_is_approved_before_its_check_and_replayed() -> None:
    asked: list[Any] = []

    def approve(step: Any, task: str, params: Any) -> bool:
        bank.order.append("approve")
        asked.append((step.tool, step.arguments, task))
        return True

    bank = Bank(approve=approve)
    bank.engine("pay Bob")
    bank.order.clear()
    assert bank.engine("pay Bob")
    assert asked == [("pay", {"to": "Bob", "amount": 250}, "pay Bob")]
    assert bank.order == ["check look", "approve", "check pay"]


@pytest.mark.parametrize("answer", [False, None, 0])
def test_f4_a_refused_approval_stops_the_replay_before_the_step(answer: Any) -> None:
    bank = Bank()
    bank.engine("pay Bob")
    outcome = bank.engine("pay Bob", approve=lambda step: answer)
    assert (outcome.status, outcome.reason) == ("diverged", Reason.NOT_APPROVED)
    assert bank.log.count(("pay", "Bob", 250)) == 2  # recorded once, and once by the agent that was asked
    assert bank.log.count(("look", "main")) == 2  # absorbed: not a third time


def test_f4_an_approval_that_raises_is_no_approval_and_its_error_is_told() -> None:
    bank = Bank()
    bank.engine("pay Bob")

    def broken(step: Any) -> bool:
        raise RuntimeError("nobody is there")

    with pytest.raises(Diverged, match="nobody is there") as diverged:
        bank.engine("pay Bob", approve=broken, on_divergence="raise")
    assert diverged.value.handover.reason is Reason.NOT_APPROVED
    assert isinstance(diverged.value.handover.divergence.error, RuntimeError)


def test_f4_at_the_first_step_a_refused_approval_is_a_miss() -> None:
    engine = Engine(approve=lambda step: False)
    done: list[int] = []
    send = engine.tool(name="send", effect="irreversible")(lambda: done.append(1))
    engine.set_agent(lambda task: send())
    engine("t")
    outcome = engine("t")
    assert (outcome.status, outcome.reason) == ("miss", Reason.NOT_APPROVED)


def test_f4_without_a_check_and_without_an_approval_nothing_irreversible_is_replayed() -> None:
    engine = Engine()
    send = engine.tool(name="send", effect="irreversible")(lambda: None)
    engine.set_agent(lambda task: send())
    engine("t")
    assert engine("t").reason is Reason.NOT_APPROVED
    assert engine("t", approve=lambda step: True)


def test_f4_an_approval_may_be_async_under_acall() -> None:
    async def approve(step: Any) -> bool:
        await asyncio.sleep(0)
        return True

    bank = Bank(approve=approve)
    asyncio.run(bank.engine.acall("pay Bob"))
    assert asyncio.run(bank.engine.acall("pay Bob"))
    assert bank.engine("pay Bob").reason is Reason.NOT_APPROVED  # nothing can be awaited here


@pytest.mark.parametrize("answer", [True, False])
def test_f4_a_person_is_asked_once_for_one_step(answer: bool) -> None:
    asked: list[Any] = []
    looks: list[int] = []

    def look() -> int:
        looks.append(1)
        return min(len(looks), 3)  # settles with the third look

    engine = Engine(approve=lambda step: asked.append(step) or answer)
    check = Check(look, lambda now, then: now == 3, wait=5, every=0.001)
    pay = engine.tool(name="pay", effect="irreversible", pre_check=check)(lambda: None)
    engine.set_agent(lambda task: pay())
    engine("pay Bob")
    looks.clear()
    assert engine("pay Bob", mode="frozen").reason is (Reason.HIT if answer else Reason.NOT_APPROVED)
    assert len(asked) == 1


def test_f4_a_person_is_asked_for_each_step_of_each_run() -> None:
    asked: list[Any] = []
    engine = Engine(approve=lambda step: asked.append(step.arguments) or True)
    pay = engine.tool(name="pay", effect="irreversible")(lambda to: None)
    engine.set_agent(lambda task: [pay("Bob"), pay("Bob"), pay("Eve")])
    engine("pay them")
    for _ in range(2):
        asked.clear()
        assert engine("pay them")
        assert asked == [{"to": "Bob"}, {"to": "Bob"}, {"to": "Eve"}]


def test_an_approval_that_cannot_be_called_is_refused_at_once() -> None:
    with pytest.raises(InvalidTypeError, match="approve"):
        Engine(approve=True)
    with pytest.raises(InvalidTypeError, match="approve"):
        Bank().engine("pay Bob", approve=True)


def test_a_dry_run_tells_the_bound_plan_and_executes_only_first_captures() -> None:
    engine = Engine()
    done: list[Any] = []
    make = engine.tool(name="make", pre_check=Check(lambda name: 1))(lambda name: done.append(name) or {"made": name})
    use = engine.tool(name="use")(lambda thing, text: done.append((thing, text)))
    engine.set_agent(lambda task: use(make(task.split()[-1]), f"for {task.split()[-1]}!"))
    engine("make John", params={"name": "John"})
    count = len(done)
    dry = engine.dry_run("make Jane", params={"name": "Jane"})
    assert dry
    assert [str(step) for step in dry.plan] == ["make(name='Jane')", "use(thing=output[0], text='for Jane!')"]
    assert len(done) == count
    assert engine.dry_run("something else").plan == ()


def test_an_idempotency_key_is_one_call_s_alone_and_stays_the_same_within_it() -> None:
    engine = Engine()
    keys: list[str] = []

    @engine.tool(name="book")
    def book(n: int) -> None:
        run = current_run()
        assert run is not None
        assert run.idempotency_key == run.idempotency_key
        keys.append(run.idempotency_key)

    engine.set_agent(lambda task: [book(n) for n in range(3)])
    engine("t")
    assert engine("t")
    assert engine("t")
    assert len(keys) == len(set(keys)) == 9


def test_after_a_divergence_keys_go_on_and_never_repeat() -> None:
    keys: list[str] = []
    world = {"n": 0, "by": 1}
    engine = Engine()

    @engine.tool(name="step", pre_check=Check(lambda: world["n"]))
    def step() -> None:
        run = current_run()
        assert run is not None
        keys.append(run.idempotency_key)
        world["n"] += world["by"]

    engine.set_agent(lambda task: [step() for _ in range(3)])
    engine("t")
    world.update(n=0, by=5)
    assert engine("t").status == "diverged"
    assert len(keys) == len(set(keys))


def test_known_ways_to_take_back_are_listed_last_first_and_never_run() -> None:
    bank = Bank()
    bank.engine("pay Bob")
    with pytest.raises(Diverged) as diverged:
        bank.engine("pay Bob", approve=lambda step: False, on_divergence="raise")
    handover = diverged.value.handover
    assert handover.undo == ("close the look at main",)
    assert "close the look at main" in handover.as_text()


class Popup:
    """A page that may show a pop-up before its button."""

    def __init__(self) -> None:
        self.engine = Engine()
        self.shown = True
        self.where = "page"
        self.log: list[str] = []
        self.dismiss = self.engine.tool(
            name="dismiss", optional=True, pre_check=Check(lambda: "pop-up" if self.shown else "page")
        )(self._dismiss)
        self.press = self.engine.tool(
            name="press", pre_check=Check(lambda: self.where if not self.shown else "covered")
        )(lambda: self.log.append("press"))
        self.engine.set_agent(self.agent)

    def _dismiss(self) -> None:
        self.shown = False
        self.log.append("dismiss")

    def agent(self, task: str) -> None:
        if self.shown:
            self.dismiss()
        self.press()


def test_an_optional_step_is_skipped_when_it_does_not_fit_and_the_next_one_does() -> None:
    page = Popup()
    page.engine("press it")
    page.log.clear()
    page.shown = False
    outcome = page.engine("press it")
    assert outcome
    assert outcome.steps == 1
    assert page.log == ["press"]
    page.shown = True
    page.log.clear()
    assert page.engine("press it").steps == 2
    assert page.log == ["dismiss", "press"]


def test_an_optional_step_is_not_skipped_when_the_next_one_does_not_fit_either() -> None:
    page = Popup()
    page.engine("press it")
    page.shown = False
    page.where = "elsewhere"
    page.log.clear()
    outcome = page.engine("press it")
    assert (outcome.status, outcome.reason) == ("miss", Reason.FIRST_CHECK_REFUSED)
    assert page.log == ["press"]  # the agent's own


def test_an_optional_step_whose_output_is_needed_later_is_not_skipped() -> None:
    engine = Engine()
    world = {"shown": True}
    find = engine.tool(name="find", optional=True, pre_check=Check(lambda: world["shown"]))(lambda: {"id": "abc-1"})
    use = engine.tool(name="use", pre_check=Check(lambda thing: 1))(lambda thing: None)
    engine.set_agent(lambda task: use(find()))
    engine("t")
    world["shown"] = False
    assert engine("t").reason is Reason.FIRST_CHECK_REFUSED


def test_a_trajectory_with_a_skipped_step_hands_over_and_is_learned_whole() -> None:
    page = Popup()
    page.engine("press it")
    extra = page.engine.tool(name="extra", pre_check=Check(lambda: len(page.log)))(lambda: page.log.append("extra"))
    page.engine.set_agent(lambda task: (page.agent(task), extra()))
    page.shown, page.log[:] = True, []
    assert not page.engine("press and more")
    page.shown = False
    outcome = page.engine("press and more")  # the log is longer: the last check refuses
    assert outcome.status == "diverged"
    assert outcome.steps == 1
    assert page.log[-2:] == ["press", "extra"]


def test_a_tool_s_trust_and_effect_are_checked_when_it_is_registered() -> None:
    with pytest.raises(InvalidValueError, match="first, verified, manual"):
        Engine().tool(trust="some")(lambda: None)
