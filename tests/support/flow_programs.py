"""Agent programs whose arguments have known sources, and the worlds that they act in.

A program is made from a family and a seed. In each run it meets other entities with other ids, in other orders and
other numbers, and outputs that drift. It marks each argument with the way by which it got the value, so that what an
engine infers from recordings of it can be compared with the truth. `flow_families` has the families, and `flow_trials`
runs programs on an engine.
"""

from __future__ import annotations

import dataclasses
import datetime
import json
import random
import uuid
import zlib
from collections.abc import Callable, Iterator
from typing import Any

START = datetime.datetime(2026, 3, 10, 12)
NAMES = """Ann Lee|Bob Ray|Cho Park|Dee Fox|Eve Moe|Kim van Dyk|José Ruiz|Mary-Ann Poe|Ian Gray|Lou Hart|Max Orr
Nia Bell|Olu Ade|Pia Roth|Quin Fay|Rui Costa|Sol Wirth|Tom Frei|Uma Nair|Vic Ohm""".replace("\n", "|").split("|")
CITIES = "Rome Oslo Bern Lima Kyiv Quito Cairo Turin Porto Basel Leeds Delhi".split()
GOODS = "lamp chair shelf kettle radio tent clock mirror basket ladder".split()
THINGS = "order ticket booking invoice case shipment parcel claim".split()
STATES = ("open", "closed", "paid")
EXTRAS = ("request", "took_ms", "version", "at", "links", "text")
MOVED = 0.02  # of the runs of a program that drifts: its outputs are wrapped otherwise, and no place is as it was
CHANGED = 0.08  # of them: the outputs have one field more or less
WRAPPERS = ("", "", "", "thing", "thing", "data", "result.item")

# How an argument got its value. `FIXED` kinds are the same in each run or come from no output. Of the others, each is a
# flow; the rules let those in `MAY_ACT` act by themselves.
FIXED = {"constant", "param", "judgement", "made"}
MAY_ACT = {
    "key",
    "argument",
    "first",
    "last",
    "only",
    "json",
    "mcp",
    "text",
    "convert",
    "field",
    "tuple",
    "small",
    "date",
}
ONLY_VOTES = {"nth", "cheapest", "filter", "joined", "each"}


@dataclasses.dataclass(frozen=True)
class Taken:
    """A value with the way by which the agent got it: what kind of way, and from where."""

    kind: str
    value: Any
    source: str = ""


@dataclasses.dataclass(frozen=True)
class Tool:
    """A tool of a program: its parameters as source text, its effect, and what it answers in a world."""

    name: str
    parameters: tuple[str, ...]
    effect: str
    answer: Callable[[World, dict[str, Any]], Any]


@dataclasses.dataclass(frozen=True)
class Receipt:
    """An output that is an object."""

    number: Any
    state: str
    total: int


def dig(value: Any, name: str) -> Any:
    """The first value under a name, wherever it is: an agent finds a field that has moved."""
    if isinstance(value, dict):
        if name in value:
            return value[name]
        value = list(value.values())
    for item in value if isinstance(value, list | tuple) else ():
        found = dig(item, name)
        if found is not None:
            return found
    return None


class World:
    """What the tools answer in one run: equal seeds and turns answer alike."""

    def __init__(self, program: Program, turn: int) -> None:
        self.program, self.turn = program, turn
        self.now = START + datetime.timedelta(days=turn, hours=turn)
        self.created = 0
        self.writes: list[tuple[str, str]] = []
        rng = self.random("world")
        self.has_moved = program.drifts and rng.random() < MOVED
        extras = set(program.extras)
        if program.drifts and rng.random() < CHANGED:
            extras ^= {rng.choice(EXTRAS)}
        self.extras = sorted(extras)

    def random(self, what: str) -> random.Random:
        return random.Random(zlib.crc32(f"{self.program.seed} {self.turn} {what}".encode()))

    def id(self, at: int, style: str = "", what: str = "id") -> Any:
        """The id of an entity. `at` tells the entities of a run apart; counted ids go on from run to run."""
        style = style or self.program.ids
        number = self.turn * self.program.pace + at
        if style == "mixed":
            style = ("t7001", "uuid", "code")[self.random(f"{what} style").randrange(3)]
        rng = self.random(f"{what} {at}")
        if style == "seven":
            return 7 + number
        if style == "thousand":
            return 1000 + number
        if style == "long":
            return 4_816_203_115 + 7_919 * number
        if style == "uuid":
            return str(uuid.UUID(int=rng.getrandbits(128), version=4))
        if style == "hex":
            return f"{rng.getrandbits(96):024x}"
        if style == "code":
            return f"{rng.choice('ABCDEF')}{rng.randrange(10**5):05d}-{rng.choice('KLMN')}"
        return f"{self.program.prefix}-{7001 + number}"

    def new_id(self, style: str = "", what: str = "id") -> Any:
        self.created += 1
        return self.id(self.created, style, what)

    def records(self, least: int = 3, most: int = 7, what: str = "records") -> list[dict[str, Any]]:
        """Entities of this run, in any order: each with an id, a name, a city, a price of its own and a state."""
        rng = self.random(what)
        count = rng.randrange(least, most + 1)
        names, prices = rng.sample(NAMES, count), rng.sample(range(101, 999), count)
        states = [rng.choice(STATES) for _ in range(count)]
        offset = 0 if self.program.ids == "seven" else self.program.pace // 3 + len(what)
        places = rng.sample(range(1, 12), count)
        return [
            self.drift(
                {
                    self.program.field: self.id(offset + places[at], what=what),
                    "name": names[at],
                    "city": rng.choice(CITIES),
                    "price": prices[at],
                    **({"state": states[at]} if self.program.has_states else {}),
                },
                f"{what} {at}",
            )
            for at in range(count)
        ]

    def drift(self, record: dict[str, Any], what: str = "") -> dict[str, Any]:
        """A record with this program's fields that are of no use, in this run's order of keys; rarely with one more."""
        rng = self.random("drift")
        more = {
            "request": str(uuid.UUID(int=self.random(f"request {what}").getrandbits(128), version=4)),
            "took_ms": self.random(f"took {what}").randrange(3, 90),
            "version": 3,
            "at": (self.now + datetime.timedelta(seconds=rng.randrange(900))).isoformat(),
            "text": f"served by {self.random(f'text {what}').choice(GOODS)} for you",
            "links": {"self": f"/{self.program.thing}s"},
        }
        record = {**record, **{name: more[name] for name in self.extras}}
        names = list(record)
        if self.program.drifts:
            rng.shuffle(names)
        return {name: record[name] for name in names}

    def shaped(self, record: dict[str, Any], what: str = "") -> Any:
        """A record as this program's tools wrap it, or wrapped otherwise in a run in which it has moved."""
        wrapper = "payload" if self.has_moved else self.program.wrapper
        record = self.drift(record, what)
        for name in reversed(wrapper.replace("thing", self.program.thing).split(".") if wrapper else []):
            record = self.drift({name: record}, f"{what} {name}")
        return record


class Program:
    """One agent, its tools and what differs from program to program: names, ids, wrappers, effects."""

    def __init__(self, family: str, seed: int) -> None:
        self.family, self.seed = family, seed
        rng = self.rng = random.Random(zlib.crc32(f"{family} {seed}".encode()))
        self.thing = rng.choice(THINGS)
        self.prefix = self.thing[0].upper()
        self.ids = rng.choice(
            ("seven", "thousand", "thousand", "uuid", "hex", "t7001", "t7001", "code", "long", "mixed")
        )
        self.pace = 13 if self.ids == "seven" else rng.randrange(36, 60)
        self.field = rng.choice((f"{self.thing}_id", f"{self.thing}_id", "id", "id", "number"))
        named = (f"{self.thing}_id", f"{self.thing}_id", "id" if self.field == "id" else f"{self.thing}_id")
        self.argument = rng.choice((*named, self.thing))
        self.wrapper = rng.choice(WRAPPERS)
        self.drifts = rng.random() < 0.8
        self.extras = rng.sample(EXTRAS, rng.randrange(3))
        self.has_states = rng.random() < 0.2
        self.tools: dict[str, Tool] = {}
        self.agent: Callable[[Any], Any] = lambda run: None
        self.params: Callable[[World], dict[str, Any]] = lambda world: {}
        FAMILIES[family].make(self)

    def reads(self, name: str, *parameters: str, answer: Callable[[World, dict[str, Any]], Any]) -> str:
        return self.tool(name, parameters, "read", answer)

    def creates(self, name: str, *parameters: str, answer: Callable[[World, dict[str, Any]], Any]) -> str:
        return self.tool(name, parameters, "write", answer)

    def writes(self, name: str, *parameters: str) -> str:
        """A tool that uses what the agent has found; one in eight is idempotent, and one in twelve irreversible."""
        effect = self.rng.choice(("write",) * 19 + ("idempotent",) * 3 + ("irreversible",) * 2)
        return self.tool(name, parameters, effect, lambda world, given: {"ok": True})

    def tool(self, name: str, parameters: tuple[str, ...], effect: str, answer: Callable[..., Any]) -> str:
        self.tools[name] = Tool(name, parameters, effect, answer)
        return name

    def use(self, run: Any, value: Taken, *, times: int = 2) -> None:
        """Use a found id, in up to `times` steps, as this program does."""
        for name in self.uses[:times]:
            run.do(name, **{self.argument: value})

    def with_uses(self, most: int = 3) -> None:
        """Give the program tools that take one id each."""
        verbs = self.rng.sample(("pay", "approve", "ship", "close", "assign", "confirm", "archive"), most)
        self.uses = [
            self.writes(f"{verb}_{self.thing}", self.argument) for verb in verbs[: self.rng.randrange(1, most + 1)]
        ]

    def __repr__(self) -> str:
        return f"{self.family}-{self.seed} ({self.ids}, {self.field} to {self.argument}, {self.wrapper or 'flat'})"


@dataclasses.dataclass(frozen=True)
class Family:
    """Programs of one kind: how one is made, and how many of a hundred are of it."""

    make: Callable[[Program], None]
    weight: int


FAMILIES: dict[str, Family] = {}


def family(weight: int) -> Callable[[Callable[[Program], None]], Callable[[Program], None]]:
    """Register a family under the name of the function that makes its programs."""

    def register(make: Callable[[Program], None]) -> Callable[[Program], None]:
        FAMILIES[make.__name__] = Family(make, weight)
        return make

    return register


def programs(count: int, seed: int = 0) -> Iterator[Program]:
    """Programs in the proportions of the families, the same for equal seeds."""
    rng = random.Random(seed)
    names = [name for name, one in FAMILIES.items() for _ in range(one.weight)]
    dealt: list[str] = []
    for number in range(count):
        if not dealt:
            dealt = rng.sample(names, len(names))
        yield Program(dealt.pop(), seed * 1_000_003 + number)


def as_json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)
