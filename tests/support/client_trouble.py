"""What goes wrong around a wrapped client, and what its adapter leaves alone."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from client_kit import ALL, TASK, Kit, learn, params, prompt
from client_loops import WIRES
from muscle_mem.events import NotLearnedEvent
from paths import ROOT
from stub_models import Slow, Wants, script

ANSWER = "Ada has the money of A-1001."


def no_run(kit: Kit) -> None:
    """A block around a client that is not wrapped."""
    plain = kit.make_client(base_url=kit.stub.url)
    with kit.asks(4), kit.engine.task(TASK, params=params()) as task:
        assert kit.loop(plain).run(prompt()) == ANSWER
    plain.close()
    assert task.outcome is None
    (event,) = kit.notices("no_run")
    assert event.level == "warning"
    assert "client" in event.message


def old_framework(folder: Path, package: str, old: str, lowest: str) -> None:
    """A version without the hook, as it would be on the disk."""
    (folder / package).mkdir()
    (folder / package / "__init__.py").write_text(f"__version__ = {old!r}")
    before = [str(folder), str(ROOT / "src")]
    code = f"import sys; sys.path[:0] = {before!r}\nimport muscle_mem.integrations.{package}"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    last = done.stderr.strip().splitlines()[-1]
    assert f"expected {package} {lowest} or later, got {old}" in last
    assert f"pip install 'muscle-mem[{package}]'" in last


async def cancelled(kit: Kit, *, stream: bool) -> None:
    client = kit.async_client()
    usual = kit.stub.mind
    kit.stub.mind = lambda seen: Slow(usual(seen), 0.3) if seen.turn == 1 else usual(seen)

    async def run() -> None:
        async with kit.engine.task(TASK, params=params()):
            await kit.loop(client, stream=stream).arun(prompt())

    running = asyncio.create_task(run())
    while kit.stub.asked < 2:
        await asyncio.sleep(0.001)
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert [event.reason for event in kit.events if isinstance(event, NotLearnedEvent)] == ["cancelled"]
    assert kit.engine.cache_info().learned == 0
    kit.stub.mind = usual
    kit.reset()
    for times in (4, 0):
        with kit.asks(times):
            async with kit.engine.task(TASK, params=params()) as task:
                assert await kit.loop(client, stream=stream).arun(prompt()) == ANSWER
        kit.reset()
    assert task.outcome.status == "hit"
    await client.close()


def left_alone(kit: Kit, options: dict[str, Any], why: str, *, stream: bool = False) -> None:
    """The application uses something that cannot be replayed: it works as without the engine, and is told why once."""
    client = kit.client()
    for _ in range(2):
        kit.reset()
        loop = kit.loop(client, options=dict(options), stream=stream)
        if "tools" in options:
            loop.options["tools"] = [*WIRES[loop.wire].request(loop)["tools"], *options["tools"]]
        with kit.asks(4), kit.engine.task(TASK, params=params()) as task:
            assert loop.run(prompt()) == ANSWER
        assert kit.shop.log == ALL
        assert task.outcome is None
        for name in options:
            assert all(name in seen.body for seen in kit.stub.seen)
    assert kit.engine.cache_info().learned == 0
    (event,) = kit.notices("left_alone")
    assert why in event.message
    assert not kit.notices("no_run")
    assert not kit.notices("adapter_failed")


def learned_then_left_alone(kit: Kit, options: dict[str, Any]) -> None:
    """A recording is not replayed for a request that asks for more."""
    learn(kit)
    loop = kit.loop(options=options)
    with kit.asks(4), kit.engine.task(TASK, params=params()) as task:
        assert loop.run(prompt()) == ANSWER
    assert task.outcome is None


def odd_results(kit: Kit) -> None:
    """Results that are no JSON, and others each time."""
    made = iter(range(10))

    def odd() -> str:
        """Return something odd."""
        return f"<object object at {next(made)}> {{not json: \u2028 \x00"

    kit.stub.mind = script(Wants("odd", {}), Wants("find_order", {"customer": "Ada"}), "done")
    for times in (3, 1):  # On a hit for the answer alone, since the results are others.
        kit.reset()
        loop = kit.loop(tools={"odd": odd, "find_order": kit.shop.find_order})
        with kit.asks(times), kit.engine.task("be odd", params={"customer": "Ada"}) as task:
            assert loop.run("Be odd.") == "done"
        assert [name for name, _ in loop.made] == ["odd", "find_order"]
        assert task.outcome.status == ("miss" if times == 3 else "hit")


def needed_odd_result(kit: Kit) -> None:
    """A result that is no JSON and that a later call needs: the replay stops there, and the model goes on."""
    made = iter("abcdefgh")

    def odd() -> str:
        """Return something odd."""
        return f"<token {next(made) * 12}>"

    kit.stub.mind = lambda seen: (
        Wants("odd", {}),
        Wants("mail", {"customer": "Ada", "text": seen.results[0][1][7:-1] if seen.results else ""}),
        "done",
    )[min(seen.turn, 2)]
    for letter in "abc":
        kit.reset()
        loop = kit.loop(tools={"odd": odd, "mail": kit.shop.mail})
        with kit.engine.task("be odd") as task:
            assert loop.run("Be odd.") == "done"
        assert task.outcome.learned or task.outcome.status == "hit"
        assert kit.shop.mails == [("Ada", letter * 12)]


BROKEN = ("completed", "request", "said", "payload")


def adapter_fails(kit: Kit, broken: str, formats: dict[str, Any], *, stream: bool) -> None:
    if broken == "payload":
        learn(kit, stream=stream)

    def fail(*args: Any, **options: Any) -> Any:
        raise ZeroDivisionError("of the adapter")

    with pytest.MonkeyPatch.context() as patched:
        for wire in formats.values():
            patched.setattr(type(wire), broken, fail)
        with kit.engine.task(TASK, params=params()):
            assert kit.loop(stream=stream).run(prompt()) == ANSWER
    assert kit.shop.log == ALL
    messages = [event.message for event in kit.notices("adapter_failed")]
    assert messages
    assert all("ZeroDivisionError" in message for message in messages)
    assert not any("of the adapter" in message for message in messages)
    kit.reset()
    with kit.engine.task(TASK, params=params()) as task:
        assert kit.loop(stream=stream).run(prompt()) == ANSWER
    assert kit.shop.log == ALL
    assert task.outcome.status == ("hit" if broken == "payload" else "miss")
