"""Applications with a wrapped client whose loop asks a person before it makes a call."""

from __future__ import annotations

import asyncio
import copy
import json
import sys
import time
from collections.abc import Callable
from typing import Any

import pytest

from client_kit import ALL, TASK, Kit, learn, params, prompt
from client_loops import WIRES, Call, Loop, SuspendedError

ANSWER = "Ada has the money of A-1001."
NO = "The call was not made: not today."


class Person:
    """A person who is asked about refunds.

    Attributes:
        asked: The calls that the person was asked about.
        says: What the person says: None for yes, a text for no.
    """

    def __init__(self, kit: Kit, client: Any, says: str | None = None) -> None:
        self.adapter = sys.modules[kit.wrap.__module__]
        self.kit, self.client, self.says = kit, client, says
        self.asked: list[str] = []
        self.meanwhile: Callable[[], None] = lambda: None

    def __call__(self, call: Call) -> str | None:
        if call.name != "refund":
            return None
        self.asked.append(call.name)
        self.meanwhile()
        if self.says is not None:
            self.adapter.was_refused(self.client, call.id, self.says)
            return self.says
        return None if self.adapter.may_be_made(self.client, call.id) else "The call was not made: it is late."


def asked(kit: Kit, says: str | None = None) -> tuple[Loop, Person]:
    """Return a loop that asks a person, and the person."""
    client = kit.client()
    person = Person(kit, client, says)
    return kit.loop(client, approve=person), person


def approval(kit: Kit) -> None:
    learn(kit)
    for says, times in ((None, 0), (NO, 1), (None, 0)):
        loop, person = asked(kit, says)
        with kit.asks(times), kit.engine.task(TASK, params=params()) as task:
            loop.run(prompt())
        assert person.asked == ["refund"]
        assert kit.shop.log == (ALL if says is None else ["find_order"])
        assert task.outcome.status == ("hit" if says is None else "diverged")
        kit.reset()


def denied(kit: Kit) -> None:
    learn(kit)
    for _ in range(4):  # More often than a recording may fail.
        loop, _ = asked(kit, NO)
        with kit.asks(1), kit.engine.task(TASK, params=params()) as task:
            assert loop.run(prompt()) == "I leave it at that."
        assert (task.outcome.status, task.outcome.reason) == ("diverged", "refused_by_person")
        assert kit.stub.seen[-1].results[-1][1] == NO
        kit.reset()
    loop, _ = asked(kit)
    with kit.asks(0), kit.engine.task(TASK, params=params()) as task:
        assert loop.run(prompt()) == ANSWER
    assert task.outcome.status == "hit"


def denied_while_recording(kit: Kit) -> None:
    """A no is no step, and the run is not learned."""
    loop, _ = asked(kit, NO)
    with kit.engine.task(TASK, params=params()) as task:
        assert loop.run(prompt()) == "I leave it at that."
    assert not task.outcome.learned
    assert kit.shop.log == ["find_order"]


def state_changed(kit: Kit) -> None:
    learn(kit)
    loop, person = asked(kit)

    def meanwhile() -> None:
        time.sleep(0.06)  # Longer than a verdict is good for.
        kit.shop.status["A-1001"] = "refunded by phone"

    person.meanwhile = meanwhile
    with kit.asks(1), kit.engine.task(TASK, params=params()) as task:
        assert loop.run(prompt()) == "I leave it at that."
    assert kit.shop.log == ["find_order"]
    assert (task.outcome.status, task.outcome.reason) == ("diverged", "check_refused")
    assert kit.stub.seen[-1].results[-1][1] == "The call was not made: it is late."


async def asynchronous_people(kit: Kit, kind: str) -> None:
    """The same of an async client: a state that changed, and a no."""
    adapter = sys.modules[kit.wrap.__module__]
    learn(kit)
    client = kit.async_client()
    loop = kit.loop(client)
    loop.messages += WIRES[kit.wire].prompt(prompt(), None)
    async with kit.engine.task(TASK, params=params()) as task:
        (found,) = (await loop.aask()).calls
        loop.messages += WIRES[kit.wire].results([await loop.acall(found)])
        (call,) = (await loop.aask()).calls
        assert call.name == "refund"
        if kind == "no":
            await adapter.awas_refused(client, call.id, NO)
        else:
            assert await adapter.amay_be_made(client, call.id)
            await asyncio.sleep(0.06)
            kit.shop.status["A-1001"] = "refunded by phone"
            assert not await adapter.amay_be_made(client, call.id)
        loop.messages += WIRES[kit.wire].results([(call, NO, True)])
        assert (await loop.aask()).text == "I leave it at that."
    assert task.outcome.reason == ("refused_by_person" if kind == "no" else "check_refused")
    assert kit.shop.log == ["find_order"]
    await client.close()


# -- later, and elsewhere


def suspended(kit: Kit) -> tuple[Loop, Any, list[Call]]:
    """Run until a person is to decide; the person does not."""
    pending: list[Call] = []

    def later(call: Call) -> str | None:
        if call.name == "refund" and not pending:
            pending.append(call)
            raise SuspendedError
        return None

    loop = kit.loop(approve=later)
    with kit.engine.task(TASK, params=params()) as task, pytest.raises(SuspendedError):
        loop.run(prompt())
    assert (task.suspended, task.outcome) == (True, None)
    return loop, task, pending


def resume(kit: Kit, loop: Loop, pending: list[Call]) -> str:
    """Make the call that was approved, and go on."""
    loop.messages += WIRES[kit.wire].results([loop.call(pending[0])])
    return loop.go_on()


def approved_later(kit: Kit) -> None:
    for times in (4, 0):  # Recorded, and replayed.
        with kit.asks(times):
            loop, task, pending = suspended(kit)
            assert resume(kit, loop, pending) == ANSWER
        assert not task.suspended
        assert task.outcome.status == ("miss" if times else "hit")
        assert bool(task.outcome.learned) == bool(times)
        assert kit.shop.log == ALL
        kit.reset()


def restored(kit: Kit, loop: Loop, client: Any) -> Loop:
    """Return a loop that goes on with the messages of another, from a file."""
    return kit.loop(client, messages=json.loads(json.dumps(loop.messages)))


def approved_elsewhere(kit: Kit) -> None:
    learn(kit)
    with kit.asks(0):
        loop, _, pending = suspended(kit)
    engine = kit.new_engine()  # With an adapter of its own, as another process has them.
    other = restored(kit, loop, kit.client(engine))
    with kit.asks(2), engine.task(TASK, params=params()) as task:
        assert resume(kit, other, pending) == ANSWER
    assert kit.shop.log == ALL
    assert (task.outcome, task.outcomes, engine.cache_info().learned) == (None, [], 0)
    assert not kit.notices("no_run")


def checkpoint(kit: Kit) -> None:
    learn(kit)
    with kit.asks(0):
        loop, task, pending = suspended(kit)
        saved = copy.deepcopy(pending)
        other = restored(kit, loop, kit.client())
        assert resume(kit, other, saved) == ANSWER
    assert task.outcome.status == "hit"
    assert kit.shop.log == ALL
