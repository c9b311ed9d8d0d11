"""G6: a call of a named engine in the agent of another run is one step of that run, replayed by making the call."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from muscle_mem import Check, Engine, Reason, Secret
from muscle_mem._runtime import named_engines
from muscle_mem.errors import InvalidTypeError


class World:
    """An inner engine that searches, and an outer one that buys what was found."""

    def __init__(
        self, store: Any = None, *, name: str = "search", effect: Any = "read", inner: Any = None, **outer: Any
    ) -> None:
        self.calls: list[Any] = []
        self.ids = {"shirt": 4711, "shoes": 9001}
        self.inner = Engine(None if store is None else f"{store}/inner.db", name=name, **(inner or {}))
        self.outer = Engine(None if store is None else f"{store}/outer.db", **outer)
        self.place = "shop"

        @self.inner.tool(effect=effect)
        def find(what: str) -> dict[str, Any]:
            self.calls.append(("find", what))
            return {"id": self.ids.get(what, 1234), "text": what}

        @self.outer.tool
        def buy(id: int, note: str = "") -> str:
            self.calls.append(("buy", id, note))
            return f"bought {id}"

        @self.outer.tool(pre_check=Check(lambda: self.place))
        def leave() -> None:
            self.calls.append(("leave", self.place))

        self.find, self.buy, self.leave = find, buy, leave

        def search(task: str, what: str = "shirt") -> Any:
            self.calls.append("inner agent")
            return find(what)

        self.inner.set_agent(search)

    def run(self, agent: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        self.calls = []
        self.outer.set_agent(agent)
        return self.outer("t", *args, **kwargs)


def test_g6_the_outer_run_records_the_call_as_one_step_and_replays_it_by_making_it() -> None:
    world = World()

    def agent(task: str) -> str:
        found = world.inner("search")
        assert found.value["text"] == "shirt"
        return str(world.buy(found.value["id"]))

    outcome = world.run(agent)
    assert outcome.learned, outcome.not_learned_message
    assert world.calls == ["inner agent", ("find", "shirt"), ("buy", 4711, "")]
    outcome = world.run(agent)
    assert (outcome.status, outcome.steps, outcome.value) == ("hit", 2, "bought 4711")
    assert world.calls == [("find", "shirt"), ("buy", 4711, "")]
    assert [step.tool for step in world.outer.explain("t").plan] == ["engine:search", "World.__init__.<locals>.buy"]


def test_g6_an_id_from_the_inner_run_is_guarded() -> None:
    world = World()

    def agent(task: str) -> Any:
        return world.buy(world.inner("search").value["id"])

    world.run(agent)
    world.ids["shirt"] = 5000
    outcome = world.run(agent)
    assert (outcome.status, outcome.reason) == ("diverged", Reason.STALE_OUTPUT)
    assert world.calls[-1] == ("buy", 5000, "")


def test_g6_params_and_options_of_the_call_are_bound() -> None:
    world = World()

    def agent(task: str, what: str) -> Any:
        found = world.inner("search", what, params={"what": what}, tags=["a", "b"])
        return world.buy(4711, note=found.value["text"])

    for what in ("shirt", "shoes", "jumper"):
        outcome = world.run(agent, what, params={"what": what})
        assert ("find", what) in world.calls
        assert world.calls[-1] == ("buy", 4711, what)
    assert outcome


def test_g6_without_a_name_the_outer_run_is_not_learned() -> None:
    world = World(name="")
    outcome = world.run(lambda task: world.inner("search").value["text"])
    assert outcome.not_learned is Reason.NESTED_RUN
    assert "name=" in outcome.not_learned_message
    world = World()
    outcome = world.run(lambda task: (world.inner.session("search").close(), world.leave()))
    assert outcome.not_learned is Reason.NESTED_RUN


@pytest.mark.parametrize("effect", ["read", "idempotent", "write", "irreversible", None])
def test_g6_the_effect_is_the_strongest_within(effect: Any) -> None:
    world = World(effect=effect)

    @world.inner.tool(effect="read")
    def look() -> None: ...

    def search(task: str) -> None:
        look()
        world.find("shirt")

    world.inner.set_agent(search)

    seen: list[str] = []

    def accepts(steps: Any) -> bool:
        seen.append(steps[0].effect)
        return True

    assert world.run(lambda task: world.inner("search") and None, success=accepts).learned
    if effect == "irreversible":
        assert world.run(lambda task: None, mode="frozen").reason is Reason.NOT_APPROVED
    assert world.run(lambda task: None, success=accepts, approve=lambda step: True)
    assert seen == [effect or "write"] * 2


@pytest.mark.parametrize("asynchronous", [False, True])
def test_g6_a_call_that_has_a_stronger_effect_today_is_not_made_twice(asynchronous: bool) -> None:
    world = World(effect="write")

    @world.inner.tool(effect="read")
    def look() -> str:
        return "seen"

    def search(task: str) -> Any:
        return look() if world.place == "shop" else world.find("shirt")["text"]

    async def asearch(task: str) -> Any:
        return search(task)

    def agent(task: str) -> None:
        world.inner("search", mode="record")
        world.leave()

    async def aagent(task: str) -> None:
        await world.inner.acall("search", mode="record")
        world.leave()

    def run() -> Any:
        world.calls = []
        world.inner.set_agent(asearch if asynchronous else search)
        world.outer.set_agent(aagent if asynchronous else agent)
        return asyncio.run(world.outer.acall("t")) if asynchronous else world.outer("t")

    assert run().learned
    world.place = "street"
    assert run().status == "diverged"
    assert world.calls == [("find", "shirt"), ("leave", "street")]


def test_g6_a_strict_outer_engine_and_an_inner_one_with_checks() -> None:
    world = World(strict=True)
    assert world.run(lambda task: world.inner("search").value["text"]).learned
    assert world.run(lambda task: None)


def test_g6_another_process_makes_the_call_when_the_engine_exists(tmp_path: Path) -> None:
    world = World(tmp_path, name="elsewhere")
    assert world.run(lambda task: world.inner("search").value).learned
    world.inner.close()
    world.outer.close()
    named_engines._runtimes.pop("elsewhere")
    outer = Engine(f"{tmp_path}/outer.db")
    outer.set_agent(lambda task: None)
    outcome = outer.explain("t")
    assert outcome.reason is Reason.TOOL_MISSING
    assert "elsewhere" in outcome.message
    again = World(tmp_path, name="elsewhere")
    again.outer = outer
    outcome = again.run(lambda task: None)
    assert (outcome.status, outcome.value) == ("hit", {"id": 4711, "text": "shirt"})
    assert again.calls == [("find", "shirt")]


def test_g6_a_restarted_agent_gets_the_call_that_the_replay_has_made() -> None:
    world = World(effect="write")

    def agent(task: str) -> Any:
        found = world.inner("search")
        world.leave()
        return found.value["id"]

    assert world.run(agent).learned
    world.place = "street"
    outcome = world.run(agent)
    assert (outcome.status, outcome.value) == ("diverged", 4711)
    assert world.calls == [("find", "shirt"), ("leave", "street")]


def test_g6_an_exception_of_the_inner_agent_is_one_of_the_step() -> None:
    world = World()

    def broken(task: str) -> Any:
        world.find("shirt")
        raise ConnectionError("gone")

    world.inner.set_agent(broken)

    def agent(task: str) -> Any:
        with pytest.raises(ConnectionError):
            world.inner("search")
        return world.buy(4711)

    outcome = world.run(agent)
    assert outcome.learned  # The inner run only read.
    world.calls = []
    assert world.run(agent)
    assert world.calls == [("buy", 4711, "")]
    world = World(effect="write")
    world.inner.set_agent(broken)
    assert world.run(agent).not_learned is Reason.FAILED_WRITE


def test_g6_three_levels_and_an_engine_in_a_tool() -> None:
    world = World()
    middle = Engine(name="middle")
    middle.set_agent(lambda task: world.inner("search").value)

    @world.outer.tool
    def helper() -> Any:
        return world.inner("search").value["text"]

    def agent(task: str) -> Any:
        return (middle("between").value, helper())[1]

    assert world.run(agent).learned
    outcome = world.run(agent)
    assert (outcome.status, outcome.steps, outcome.value) == ("hit", 2, "shirt")
    assert world.calls == [("find", "shirt"), ("find", "shirt")]
    effects: list[str] = []
    assert world.run(agent, success=lambda steps: effects.extend(step.effect for step in steps) or True)
    assert effects == ["read", "write"]


def test_g6_async_calls() -> None:
    world = World()

    async def search(task: str, what: str = "shirt") -> Any:
        await asyncio.sleep(0)
        return world.find(what)

    async def agent(task: str) -> Any:
        first, second = await asyncio.gather(world.inner.acall("a"), world.inner.acall("b", "shoes"))
        return (first.value["id"], world.buy(second.value["id"]))[1]

    world.inner.set_agent(search)
    world.outer.set_agent(agent)
    assert asyncio.run(world.outer.acall("t")).learned
    world.calls = []
    outcome = asyncio.run(world.outer.acall("t"))
    assert (outcome.status, outcome.value) == ("hit", "bought 9001")
    assert sorted(map(str, world.calls)) == sorted(map(str, [("find", "shirt"), ("find", "shoes"), ("buy", 9001, "")]))
    world.outer.set_agent(lambda task: None)
    assert world.outer("t").reason is Reason.NEEDS_ACALL


def test_g6_secrets_of_the_call_are_not_stored(tmp_path: Path) -> None:
    world = World(tmp_path, name="safe")

    def agent(task: str) -> Any:
        return world.inner("search", secrets={"password": "hunter22"}).value["text"]

    world.run(agent)
    world.run(agent, secrets={"password": Secret("hunter22")})
    world.inner.close()
    world.outer.close()
    for path in tmp_path.iterdir():
        assert b"hunter22" not in path.read_bytes()


def test_g6_demonstrations_shadow_runs_and_an_engine_that_calls_itself() -> None:
    world = World()
    with world.outer.record("t"):
        world.inner("search")
    assert world.run(lambda task: None)
    assert world.calls == [("find", "shirt")]
    outcome = world.run(lambda task: world.inner("search").value["text"], mode="shadow")
    assert outcome.shadow is not None
    assert outcome.shadow.agreed

    engine, calls = Engine(name="self"), []

    @engine.tool
    def act(what: str) -> None:
        calls.append(what)

    engine.set_agent(lambda task: act("leaf") if task == "leaf" else (engine("leaf"), act("root")))
    assert engine("root").learned
    calls.clear()
    assert engine("root")
    assert calls == ["leaf", "root"]


def test_g6_a_stored_call_of_an_engine_can_be_shown_and_exported(tmp_path: Path) -> None:
    world = World(tmp_path, name="shown")
    id = world.run(lambda task: world.inner("search", params={"x": "y"}).value["text"]).trajectory_id
    world.outer.close()
    for command in (["show", id], ["export", id], ["export", id, "--format", "python"], ["ls"]):
        done = subprocess.run(
            [sys.executable, "-m", "muscle_mem", *command, "--store", f"{tmp_path}/outer.db"],
            capture_output=True,
            text=True,
            check=False,
        )
        assert "Traceback" not in done.stderr, done.stderr
        assert "shown" in done.stdout + done.stderr or command == ["ls"]


def test_g6_a_name_is_a_string() -> None:
    with pytest.raises(InvalidTypeError, match="name="):
        Engine(name=5)  # type: ignore[arg-type]
