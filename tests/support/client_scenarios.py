"""What happens to an application with a wrapped client, step by step, for every wire format."""

from __future__ import annotations

import asyncio
import threading

import pytest

from client_kit import ALL, ORDERS, TASK, Kit, learn, params, prompt
from client_loops import TurnLimitError
from muscle_mem import Check
from stub_models import CACHED, INPUT, OUTPUT, CutOff, Fails, Wants, script

ANSWER = "Ada has the money of A-1001."


def hit(kit: Kit, **options) -> None:
    learn(kit, **options)
    loop = kit.loop(**options)
    with kit.asks(0), kit.engine.task(TASK, params=params()) as task:
        assert loop.run(prompt()) == ANSWER
    assert task.outcome, task.outcome
    assert [name for name, _ in loop.made] == ALL
    assert kit.shop.status["A-1001"] == "refunded"
    assert kit.shop.mails == [("Ada", "The money is on its way.")]


def hit_other_params(kit: Kit) -> None:
    learn(kit)
    loop = kit.loop()
    with kit.asks(0), kit.engine.task(TASK, params=params("Bob")) as task:
        assert loop.run(prompt("Bob")) == "Bob has the money of B-2002."
    assert task.outcome, task.outcome
    assert kit.shop.status == {"A-1001": "open", "B-2002": "refunded", "E-5005": "open"}
    assert kit.shop.mails == [("Bob", "The money is on its way.")]


async def asynchronous(kit: Kit, **options) -> None:
    client = kit.async_client()
    for times in (4, 0):
        loop = kit.loop(client, **options)
        kit.reset()
        with kit.asks(times):
            async with kit.engine.task(TASK, params=params()) as task:
                assert await loop.arun(prompt()) == ANSWER
        assert bool(task.outcome) == (times == 0)
        assert kit.shop.log == ALL
    await client.close()


def without_a_block(kit: Kit) -> None:
    """The last prompt is the task."""
    for times in (4, 0):
        kit.reset()
        with kit.asks(times):
            assert kit.loop().run(prompt()) == ANSWER
        assert kit.shop.log == ALL


def usage(kit: Kit, usage_fields: tuple[str, str]) -> None:
    learn(kit)
    client = kit.client()
    loop = kit.loop(client)
    with kit.engine.task(TASK, params=params()) as task:
        loop.run(prompt())
    for reply in loop.replies:
        assert [getattr(reply.usage, name) for name in usage_fields] == [0, 0]
        assert reply.model == loop.model
    assert task.outcome.saved_tokens == 4 * (INPUT + OUTPUT)
    assert CACHED < INPUT


def parallel_calls(kit: Kit) -> None:
    calls = [Wants("find_order", {"customer": "Ada"}), Wants("find_order", {"customer": "Bob"})]
    kit.stub.mind = script(calls, Wants("mail", {"customer": "Ada", "text": "both"}), "both are known")
    for times in (3, 0):
        loop = kit.loop()
        with kit.asks(times), kit.engine.task("look both up") as task:
            assert loop.run("Look both orders up.") == "both are known"
        assert [len(reply.calls) for reply in loop.replies] == [2, 1, 0]
        assert [arguments for _, arguments in loop.made][:2] == [{"customer": "Ada"}, {"customer": "Bob"}]
    assert bool(task.outcome)


def typed_answer(kit: Kit) -> None:
    schema = {
        "type": "object",
        "properties": {"customer": {"type": "string"}, "order": {"type": "string"}},
        "required": ["customer", "order"],
        "additionalProperties": False,
    }
    find = Wants("find_order", {"customer": "Ada"})
    kit.stub.mind = script(find, '{"customer": "Ada", "order": "A-1001"}')
    for times, wanted in ((2, schema), (0, schema), (2, {**schema, "required": ["order"]})):
        with kit.asks(times), kit.engine.task("look it up", params={"customer": "Ada"}):
            loop = kit.loop(schema=wanted)
            assert loop.run("Which order has Ada?") == '{"customer": "Ada", "order": "A-1001"}'


def check_refuses(kit: Kit) -> None:
    learn(kit)
    kit.shop.status["A-1001"] = "refunded already"
    kit.stub.mind = lambda seen: "It was refunded already." if seen.turn == 1 else "what?"
    loop = kit.loop()
    with kit.asks(1), kit.engine.task(TASK, params=params()) as task:
        assert loop.run(prompt()) == "It was refunded already."
    assert kit.shop.log == ["find_order"]
    assert not task.outcome
    assert task.outcome.reason == "check_refused"
    assert [text for _, text, _ in kit.stub.seen[-1].results] == ['{"order": "A-1001", "total": 41205}']


def rejoin(kit: Kit) -> None:
    learn(kit)
    # The mail is checked, so that the replay can take over there.
    engine = kit.engine
    engine.external_tool("mail", effect="write", pre_check=Check(lambda customer, text: len(kit.shop.mails)))
    learn(kit)
    kit.shop.status["A-1001"] = "open since yesterday"
    loop = kit.loop(kit.client(rejoin=True))
    # The model refunds, and says what came of it.
    with kit.asks(2), kit.engine.task(TASK, params=params()) as task:
        assert loop.run(prompt()) == ANSWER
    assert kit.shop.log == ALL
    assert not task.outcome
    assert [reply.model != loop.model for reply in loop.replies] == [False, True, False, True]


def tool_raises(kit: Kit) -> None:
    learn(kit)
    tools = {**kit.shop.tools(), "refund": _broken}
    loop = kit.loop(tools=tools)
    with pytest.raises(OSError, match="the shop is closed"), kit.asks(0), kit.engine.task(TASK, params=params()):
        loop.run(prompt())
    assert [name for name, _ in loop.made] == ["find_order", "refund"]

    kit.stub.mind = script("?", "?", "I could not refund it.")
    loop = kit.loop(tools=tools, catches=True)
    kit.shop.status["A-1001"] = "open"
    with kit.asks(1), kit.engine.task(TASK, params=params()) as task:
        assert loop.run(prompt()) == "I could not refund it."
    assert not task.outcome


def _refused(order: str, amount: int) -> str:
    """Refund an order."""
    return "error: no such order"


def _broken(order: str, amount: int) -> str:
    """Refund an order."""
    raise OSError("the shop is closed")


def error_as_text(kit: Kit) -> None:
    learn(kit)
    kit.stub.mind = script("?", "?", "I could not refund it.")
    loop = kit.loop(tools={**kit.shop.tools(), "refund": _refused})
    with kit.asks(1), kit.engine.task(TASK, params=params()) as task:
        assert loop.run(prompt()) == "I could not refund it."
    assert task.outcome.reason == "returned_error"
    assert "mail" not in kit.shop.log


def model_error(kit: Kit, error: type[Exception]) -> None:
    client = kit.client()
    for status in (400, 500):
        kit.stub.mind = lambda seen, status=status: Fails(status) if seen.turn == 1 else Wants("mail", {})
        kit.stub.mind = script(Wants("find_order", {"customer": "Ada"}), Fails(status))
        with pytest.raises(error) as caught, kit.engine.task(TASK) as task:
            kit.loop(client.with_options(max_retries=0)).run(prompt())
        assert caught.value.status_code == status
        assert task.outcome is None or not task.outcome.learned
    assert not kit.notices("learned")


def retried(kit: Kit) -> None:
    """A request that the client sends again is one turn."""
    fails = iter([Fails(500, {"retry-after-ms": "1"}), Fails(429, {"retry-after-ms": "1"})])
    usual = kit.stub.mind
    kit.stub.mind = lambda seen: next(fails, None) or usual(seen)
    with kit.asks(6), kit.engine.task(TASK, params=params()) as task:
        assert kit.loop().run(prompt()) == ANSWER
    assert task.outcome.learned
    assert len(task.outcomes) == 1


def cut_off(kit: Kit) -> None:
    """An answer that was cut off is nothing to learn from."""
    kit.stub.mind = script(Wants("find_order", {"customer": "Ada"}), CutOff())
    for _ in range(2):
        with kit.asks(2), kit.engine.task("look it up"):
            kit.loop().run("Which order has Ada?")


def unknown_tool(kit: Kit) -> None:
    learn(kit)
    kit.stub.mind = script("I cannot refund.")
    loop = kit.loop(hidden=("refund",))
    with kit.asks(1), kit.engine.task(TASK, params=params()) as task:
        assert loop.run(prompt()) == "I cannot refund."
    assert kit.shop.log == []
    assert task.outcome.reason == "tool_missing"


def tool_changed(kit: Kit) -> None:
    learn(kit)

    def refund(order: str, amount: int, currency: str = "USD") -> str:
        """Refund an order."""
        return "refunded"

    kit.stub.mind = script("I do it later.")
    loop = kit.loop(tools={**kit.shop.tools(), "refund": refund})
    with kit.asks(1), kit.engine.task(TASK, params=params()) as task:
        loop.run(prompt())
    assert kit.shop.log == []
    assert task.outcome.reason == "tool_changed"


def abandoned(kit: Kit) -> None:
    loop = kit.loop(limit=2)
    with pytest.raises(TurnLimitError), kit.engine.task(TASK, params=params()) as task:
        loop.run(prompt())
    assert task.outcome is None or not task.outcome.learned
    kit.reset()
    learn(kit)


def two_tasks(kit: Kit) -> None:
    for times in (8, 0):
        loop = kit.loop()
        kit.reset()
        with kit.asks(times):
            with kit.engine.task(TASK, params=params("Ada")) as first:
                loop.run(prompt("Ada"))
            with kit.engine.task(TASK, params=params("Bob")) as second:
                loop.run(prompt("Bob"))
        assert kit.shop.log == ALL * 2
        assert bool(first.outcome) == bool(second.outcome) == (times == 0)
    assert kit.shop.status["B-2002"] == "refunded"


def twelve_at_once(kit: Kit) -> None:
    learn(kit)
    client = kit.client()
    made: dict[int, tuple] = {}

    def work(number: int) -> None:
        customer = list(ORDERS)[number % 3]
        loop = kit.loop(client)
        with kit.engine.task(TASK, params=params(customer)) as task:
            text = loop.run(prompt(customer))
        made[number] = text, bool(task.outcome), [arguments for _, arguments in loop.made]

    kit.shop.never_closes = True
    threads = [threading.Thread(target=work, args=(number,)) for number in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(made) == 12
    for number, (text, was_hit, arguments) in made.items():
        customer = list(ORDERS)[number % 3]
        order, total = ORDERS[customer]
        assert text == f"{customer} has the money of {order}."
        assert was_hit
        assert arguments[:2] == [{"customer": customer}, {"order": order, "amount": total}]


async def twelve_tasks(kit: Kit) -> None:
    client = kit.async_client()
    kit.shop.never_closes = True

    async def work(number: int) -> tuple[str, bool]:
        customer = list(ORDERS)[number % 3]
        async with kit.engine.task(TASK, params=params(customer)) as task:
            text = await kit.loop(client).arun(prompt(customer))
        return text, bool(task.outcome)

    first = await work(0)
    assert first == (ANSWER, False)
    kit.reset()
    for number, (text, was_hit) in enumerate(await asyncio.gather(*(work(number) for number in range(12)))):
        customer = list(ORDERS)[number % 3]
        assert text == f"{customer} has the money of {ORDERS[customer][0]}."
        assert was_hit
    await client.close()
