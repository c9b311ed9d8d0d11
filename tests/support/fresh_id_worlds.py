"""Random tasks with fresh ids, and what goes wrong between their runs: everything follows from one seed."""

from __future__ import annotations

import asyncio
import json
import random
import uuid
from collections import Counter
from collections.abc import Awaitable, Callable
from typing import Any

from muscle_mem import Check, Diverged, Engine, Handover, Missed, Outcome
from muscle_mem.store import MemoryStore

IDS = ("number", "small", "uuid", "code")
SHAPES = ("dict", "twice", "nested", "list", "picked", "json", "text")
MODES = ("auto", "auto", "auto", "auto", "record", "shadow", "frozen", "replay")
MISHAPS = ("", "", "", "", "forget", "bad", "prune", "restart", "forget learned")
Call = Callable[..., Awaitable[Any]]


class Closed(Exception):
    """What a tool of these worlds raises."""


class Story:
    """A task: how ids look, where they stand, and what the agent does with them."""

    def __init__(self, seed: int) -> None:
        draw = random.Random(f"story {seed}")
        self.seed = seed
        self.ids = draw.choice(IDS)
        self.shape = draw.choice(SHAPES)
        self.names_handover = draw.random() < 0.4
        self.declares = draw.random() < 0.4
        self.overlaps = draw.random() < 0.25
        self.confirms = draw.random() < 0.4
        self.twins = draw.random() < 0.15
        self.computes = draw.random() < 0.25
        self.makes_up = draw.random() < 0.15
        self.is_checked = draw.random() < 0.4
        self.branches = draw.random() < 0.4 and self.shape != "text" and not self.is_checked
        self.closes = draw.random() < 0.2
        self.has_param = draw.random() < 0.3


class World:
    """What the tools of one run find, and what they did: equal for the agent alone and for an engine."""

    def __init__(self, story: Story, run: int) -> None:
        draw = random.Random(f"world {story.seed} {run}")
        self.story = story
        self.draw = draw
        self.done: list[tuple[Any, ...]] = []
        self.count = 0
        self.run = run
        self.status = "held" if draw.random() < 0.25 else "new"
        self.page = "busy" if story.is_checked and draw.random() < 0.25 else "open"
        self.pop_up = draw.random() < 0.6
        self.drifts = draw.random() < 0.15
        self.is_closed = draw.random() < 0.08
        self.prices = (1010 + 100 * draw.randrange(2), 2020)
        self.token = str(uuid.UUID(int=draw.getrandbits(128), version=4))
        self.qty = draw.choice((2, 3, 5, 11, 17))
        self.others = [self._new_id(90 + number) for number in range(draw.randrange(3))]
        self.place = draw.randrange(len(self.others) + 1)

    def _new_id(self, number: int) -> Any:
        kinds = {
            "constant": lambda: 1000 + number,
            "number": lambda: 1000 + 137 * self.run + number,
            "small": lambda: 7 + 3 * self.run + number,
            "uuid": lambda: str(uuid.UUID(int=self.draw.getrandbits(128), version=4)),
            "code": lambda: f"ORD-{10_000 + 137 * self.run + number}",
        }
        return kinds[self.story.ids]()

    def create(self, item: str) -> Any:
        self.count += 1
        id = self._new_id(self.count)
        self.done.append(("create", item))
        shape, status = self.story.shape, self.status
        if shape == "twice":
            return {"order_id": id, "id": self._new_id(50) if self.drifts else id, "status": status}
        if shape == "nested":
            return {"answer": {"order": {"order_id": id}}, "status": status}
        if shape in ("list", "picked"):
            orders = [{"item": f"old {at}", "order_id": other} for at, other in enumerate(self.others)]
            orders.insert(self.place if shape == "picked" else 0, {"item": item, "order_id": id})
            return {"orders": orders, "status": status}
        if shape == "json":
            return json.dumps({"order_id": id, "status": status})
        if shape == "text":
            return f"Order {id} was opened, and is {status}."
        return {"number" if self.drifts else "order_id": id, "status": status}

    def read_id(self, made: Any, item: str) -> Any:
        """Return what the agent reads in an output."""
        shape = self.story.shape
        if shape == "nested":
            return made["answer"]["order"]["order_id"]
        if shape in ("list", "picked"):
            return next(order["order_id"] for order in made["orders"] if order["item"] == item)
        if shape == "json":
            return json.loads(made)["order_id"]
        if shape == "text":
            word = made.split()[1]
            return int(word) if self.story.ids in ("number", "small") else word
        return made["order_id"] if "order_id" in made else made["number"]

    def look(self) -> dict[str, int]:
        return {"chair": self.prices[0], "table": self.prices[1]}

    def act(self, name: str, **arguments: Any) -> str:
        if name == "pay" and self.is_closed:
            raise Closed("the till is closed")
        self.done.append((name, *sorted(arguments.items())))
        if name == "close":
            self.pop_up = False
        return "done"


async def work(world: World, call: Call, qty: int) -> None:
    """The agent: what it does follows from what the tools return and from the page alone."""
    story = world.story
    total = sum((await call("look")).values()) if story.computes else 0
    made = await call("create", item="chair")
    if story.twins:
        made = await call("create", item="chair")
    id = world.read_id(made, "chair")
    if story.closes and world.pop_up:
        await call("close")
    if story.confirms:
        await call("confirm", order_id=id)
    rest: dict[str, Any] = {"total": total} if story.computes else {}
    if story.makes_up:
        rest["token"] = world.token
    if story.has_param:
        rest["count"] = qty
    name = "hold" if (story.branches and world.status == "held") or world.page == "busy" else "pay"
    if story.overlaps:
        await asyncio.gather(call("note", text="paying"), call(name, order_id=id, **rest))
    else:
        await call("note", text="paying")
        await call(name, order_id=id, **rest)


class Alone:
    """The agent without an engine."""

    def __init__(self, story: Story, run: int) -> None:
        self.world = World(story, run)
        self.error: Exception | None = None

        async def call(name: str, **arguments: Any) -> Any:
            if name == "look":
                return self.world.look()
            if name == "create":
                return self.world.create(**arguments)
            return self.world.act(name, **arguments)

        try:
            asyncio.run(work(self.world, call, self.world.qty))
        except Closed as error:
            self.error = error


class Played:
    """A story on an engine; `world` is that of the present run."""

    def __init__(self, story: Story, **options: Any) -> None:
        self.story = story
        self.options = options
        self.store = MemoryStore()
        self.world = World(story, 0)
        self.engine = self._open()
        self.draw = random.Random(f"mishaps {story.seed}")

    def _open(self) -> Engine:
        engine, story = Engine(self.store, observers=[], **self.options), self.story

        def effect(name: str) -> Any:
            return name if story.declares else None

        def check(name: str) -> Check | None:
            looked_at = ("pay", "hold") if story.is_checked else ()
            if name not in looked_at and not (story.closes and name in ("close", "confirm", "note", "pay", "hold")):
                return None
            return Check(lambda *_, **__: (self.world.pop_up and story.closes, self.world.page))

        @engine.tool(name="look", effect="read")
        async def look() -> dict[str, int]:
            return self.world.look()

        @engine.tool(name="create", effect=effect("write"))
        async def create(item: str) -> Any:
            await asyncio.sleep(0)
            return self.world.create(item)

        @engine.tool(check("close"), name="close", effect=effect("write"), optional=True)
        async def close() -> str:
            return self.world.act("close")

        @engine.tool(check("confirm"), name="confirm", effect=effect("idempotent"))
        async def confirm(order_id: Any) -> str:
            return self.world.act("confirm", order_id=order_id)

        @engine.tool(check("note"), name="note", effect=effect("write"))
        async def note(text: str) -> str:
            await asyncio.sleep(0)
            return self.world.act("note", text=text)

        @engine.tool(check("pay"), name="pay", effect=effect("write"))
        async def pay(order_id: Any, total: int = 0, token: str = "", count: int = 0) -> str:
            await asyncio.sleep(0)
            return self.world.act("pay", **_given(order_id, total, token, count))

        @engine.tool(check("hold"), name="hold", effect=effect("write"))
        async def hold(order_id: Any, total: int = 0, token: str = "", count: int = 0) -> str:
            await asyncio.sleep(0)
            return self.world.act("hold", **_given(order_id, total, token, count))

        tools = {tool.__name__: tool for tool in (look, create, close, confirm, note, pay, hold)}

        async def from_start(task: str, qty: int) -> None:
            await work(self.world, lambda name, **arguments: tools[name](**arguments), qty)

        async def going_on(task: str, qty: int, handover: Handover | None = None) -> None:
            """What was executed is not called again."""
            waiting = list(handover.executed) if handover else []

            async def call(name: str, **arguments: Any) -> Any:
                done = next((step for step in waiting if step.tool == name and step.arguments == arguments), None)
                if done is None:
                    return await tools[name](**arguments)
                waiting.remove(done)
                if done.error is not None:
                    raise done.error
                return done.result

            await work(self.world, call, qty)

        engine.set_agent(going_on if story.names_handover else from_start)
        return engine

    def play(self, run: int) -> tuple[str, Outcome | None, Exception | None]:
        """Play one run; return its mode and how it ended."""
        self.world = World(self.story, run)
        mode: Any = self.draw.choice(MODES)
        params = {"qty": self.world.qty} if self.story.has_param else None
        qty = self.world.qty if self.story.has_param else 0
        try:
            outcome = asyncio.run(self.engine.acall("order", qty, mode=mode, params=params))
        except (Closed, Missed, Diverged) as error:
            return mode, None, error
        self._suffer(outcome)
        return mode, outcome, None

    def _suffer(self, outcome: Outcome) -> None:
        mishap = self.draw.choice(MISHAPS)
        learning = [one for entry in self.engine._runtime.library.entries() for one in entry.trajectories]
        if mishap == "forget" and learning:
            self.engine.forget(self.draw.choice(learning).id)
        elif mishap == "forget learned" and outcome:
            self.engine.forget(outcome.trajectory_id or "")
        elif mishap == "bad" and outcome:
            outcome.report_bad("for a test")
        elif mishap == "prune":
            self.engine.prune(max_items=3)
        elif mishap == "restart":
            self.engine = self._open()


def _given(order_id: Any, total: int, token: str, count: int) -> dict[str, Any]:
    given = {"order_id": order_id, "total": total, "token": token, "count": count}
    return {name: value for name, value in given.items() if value or name == "order_id"}


def writes(world: World) -> Counter[str]:
    """Return what was done, but for repetitions of an idempotent call."""
    acts = [done for done in world.done if done[0] != "confirm"]
    return Counter(map(repr, [*acts, *dict.fromkeys(done for done in world.done if done[0] == "confirm")]))
