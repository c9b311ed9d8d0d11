"""Agents that go through lists, with what they would do in each world: whole lists, early exits, filters and others.

A program is made from a family and a seed. In each run it meets a list of another length with other elements. What an
engine replays is compared with what the agent does alone in the same world.
"""

from __future__ import annotations

import dataclasses
import json
import random
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from muscle_mem import Engine, Outcome

WORDS = "lamp chair shelf kettle radio tent clock mirror basket ladder spoon carpet bottle jacket".split()
PEOPLE = "ann bob cho dee eve kim lou max nia olu pia rui sol tom uma vic".split()
STATES = ("new", "open", "late")

Calls = list[tuple[str, tuple[tuple[str, Any], ...]]]


@dataclasses.dataclass(frozen=True)
class Family:
    """Programs of one kind: `act` is the agent, and `is_whole` says that it goes through each whole list."""

    name: str
    act: Callable[[Program, Acting], Any]
    is_whole: bool
    weight: int


FAMILIES: dict[str, Family] = {}


def family(*, whole: bool = False, weight: int = 1) -> Callable[[Any], Any]:
    """Add a family."""

    def add(act: Any) -> Any:
        FAMILIES[act.__name__] = Family(act.__name__, act, whole, weight)
        return act

    return add


class World:
    """What one run meets: `count` elements, and answers that follow from them."""

    def __init__(self, program: Program, turn: int, count: int) -> None:
        self.random = made = random.Random(f"{program.family.name} {program.seed} {turn}")
        self.turn = turn
        self.elements = [program.element(made, at) for at in range(count)]
        ids = [element[program.key] for element in self.elements]
        self.number = {id: at for at, id in enumerate(ids)}
        self.found_at = made.randrange(count + 2) if count else 0
        self.score = [made.randrange(1, 6) for _ in ids]
        self.is_good = [made.random() < 0.6 for _ in ids]
        self.lines = [[f"L-{made.randrange(10_000, 99_999)}" for _ in range(made.randrange(1, 4))] for _ in ids]


class Acting:
    """The tools of a program in one world, as an agent calls them."""

    def __init__(self, program: Program, call: Callable[[str, dict[str, Any]], Any], world: World) -> None:
        self.program = program
        self.call = call
        self.world = world

    def __getattr__(self, name: str) -> Callable[..., Any]:
        return lambda **arguments: self.call(name, arguments)

    def items(self, **arguments: Any) -> list[Any]:
        """Call the list tool, and return the elements."""
        return self.program.elements_of(self.call("list_items", arguments))


class Program:
    """One agent, whose forms the seed decides."""

    def __init__(self, name: str, seed: int) -> None:
        self.family = FAMILIES[name]
        self.seed = seed
        made = random.Random(f"{name} {seed}")
        self.key = made.choice(("id", "order_id", "code", "number"))
        self.form = made.choice(("dict", "dict", "list", "json", "mcp", "deep", "scalars"))
        if name in ("filter_by_word", "filter_by_bool", "filter_by_number", "nested_inside", "elements_alike"):
            self.form = made.choice(("dict", "list", "json"))
        self.id_kind = made.choice(("text", "text", "number", "uuid"))
        self.has_state = made.random() < 0.3
        self.has_flag = made.random() < 0.3
        self.has_person = made.random() < 0.5
        self.answer = made.choice(("none", "ok", "receipt", "state"))
        self.body = made.choice(("write", "write", "read_write", "two_writes"))
        self.end = made.choice(("nothing", "constant", "count"))
        self.total_name = made.choice(("", "", "total", "count"))
        self.limit = made.choice((3, 5, 10))
        self.effect = made.choice(("write", "write", "idempotent"))
        self.argument = made.choice(("id", self.key, "item"))

    def element(self, made: random.Random, at: int) -> dict[str, Any]:
        """Return an element of a list."""
        kind = self.id_kind
        id: Any = (
            made.randrange(10_000, 99_999)
            if kind == "number"
            else f"{made.getrandbits(64):016x}"
            if kind == "uuid"
            else f"{self.key[:2].upper()}-{made.randrange(10_000, 99_999)}"
        )
        found: dict[str, Any] = {self.key: id, "title": f"{made.choice(WORDS)} {made.randrange(10, 99)}"}
        found["price"] = made.randrange(100, 9_900) / 100
        if self.has_person:
            found["customer"] = made.choice(PEOPLE)
        if self.has_state:
            found["status"] = made.choice(STATES[:2])
        if self.has_flag:
            found["gift"] = made.random() < 0.5
        if self.family.name == "filter_by_word":
            found["status"] = made.choice(("pending", "pending", "shipped"))
        if self.family.name == "filter_by_bool":
            found["paid"] = made.random() < 0.6
        return found

    def listed(self, elements: Sequence[Any], **beside: Any) -> Any:
        """Return a list as the tool returns it."""
        found: Any = [element[self.key] for element in elements] if self.form == "scalars" else list(elements)
        if self.total_name and "next" not in beside:
            beside.setdefault(self.total_name, len(elements))
        if self.form in ("dict", "scalars"):
            return {"items": found, **beside}
        if self.form == "list" and not beside:
            return found
        if self.form == "deep":
            return {"data": {"page": {"items": found, **beside}}}
        whole = {"items": found, **beside}
        if self.form == "json":
            return json.dumps(whole)
        if self.form == "mcp":
            return {"content": [{"type": "text", "text": json.dumps(whole)}], "isError": False}
        return whole

    def elements_of(self, output: Any) -> list[Any]:
        """Return the elements in an output of the list tool."""
        if isinstance(output, str):
            output = json.loads(output)
        if isinstance(output, dict) and "content" in output:
            output = json.loads(output["content"][0]["text"])
        if isinstance(output, dict) and "data" in output:
            output = output["data"]["page"]
        return output if isinstance(output, list) else output["items"]

    def id_of(self, element: Any) -> Any:
        """Return the id of an element."""
        return element[self.key] if isinstance(element, dict) else element


class Trial:
    """A program on an engine, run after run."""

    def __init__(self, program: Program, **options: Any) -> None:
        self.program = program
        self.engine = Engine(**options)
        self.world = World(program, 0, 0)
        self.log: Calls = []
        self.by_agent: Calls = []
        self.in_agent = False
        self.tools: dict[str, Callable[..., Any]] = {}
        self._add_tools()
        self.engine.set_agent(self._agent)

    def _add_tools(self) -> None:
        argument = self.program.argument
        effects = {"list_items": "read", "look": "read", "act": self.program.effect, "mark": "write", "report": "write"}
        for tool, parameters in (
            ("list_items", "page=None, limit=None"),
            ("look", argument),
            ("act", argument),
            ("mark", f"{argument}, line=None"),
            ("report", "text"),
        ):
            names = [part.split("=")[0].strip() for part in parameters.split(",")]
            given = ", ".join(f"{name}={name}" for name in names)
            source = f"def {tool}({parameters}):\n    return world_answer({tool!r}, dict({given}))"
            scope: dict[str, Any] = {"world_answer": self._answer}
            exec(source, scope)
            self.tools[tool] = self.engine.tool(effect=effects[tool], version="1")(scope[tool])

    def _answer(self, name: str, arguments: dict[str, Any]) -> Any:
        arguments = {key: value for key, value in arguments.items() if value is not None}
        call = name, tuple(sorted(arguments.items()))
        self.log.append(call)
        if self.in_agent:
            self.by_agent.append(call)
        return answer(self.program, self.world, name, arguments)

    def _agent(self, task: str) -> Any:
        self.in_agent = True
        try:
            acting = Acting(self.program, lambda name, arguments: self.tools[name](**arguments), self.world)
            return self.program.family.act(self.program, acting)
        finally:
            self.in_agent = False

    def alone(self, turn: int, count: int) -> Calls:
        """Return what the agent does in a world without an engine."""
        world, made = World(self.program, turn, count), []

        def call(name: str, arguments: dict[str, Any]) -> Any:
            made.append((name, tuple(sorted(arguments.items()))))
            return answer(self.program, world, name, arguments)

        self.program.family.act(self.program, Acting(self.program, call, world))
        return made

    def run(self, turn: int, count: int, mode: Any = None) -> Outcome:
        """Run the task in a world."""
        self.world = World(self.program, turn, count)
        self.log, self.by_agent = [], []
        return self.engine(f"do the {self.program.family.name} work", **({"mode": mode} if mode else {}))

    def wrong_writes(self, due: Calls) -> list[str]:
        """Return the calls with an effect that the agent would not have made, and those that lack after a hit."""
        writes = [call for call in self.log if call[0] not in ("list_items", "look")]
        wanted = Counter(map(repr, (call for call in due if call[0] not in ("list_items", "look"))))
        return sorted((Counter(map(repr, writes)) - wanted).elements()) + [
            f"lacks {call}" for call in sorted((wanted - Counter(map(repr, writes))).elements())
        ]


def answer(program: Program, world: World, name: str, arguments: dict[str, Any]) -> Any:
    """Return what a tool answers in a world."""
    if name == "list_items":
        return _listed(program, world, arguments)
    if name == "report":
        return None
    at = world.number.get(arguments.get(program.argument), 0)
    if name == "look":
        found: dict[str, Any] = {"title": f"thing {at + 1}", "weight": world.random.randrange(100, 900)}
        if program.family.name == "until_bool":
            found["available"] = at == world.found_at
        if program.family.name == "until_word":
            found["result"] = "match" if at == world.found_at else "none"
        if program.family.name == "until_number":
            found["score"] = world.score[at] if at < len(world.score) else 1
        if program.family.name == "only_good":
            found["in_stock"] = world.is_good[at]
        if program.family.name == "nested":
            found["lines"] = world.lines[at]
        return found
    if program.answer == "none":
        return None
    if program.answer == "ok":
        return {"ok": True}
    if program.answer == "receipt":
        return {"receipt": f"R-{world.turn}{at:04}", "ok": True}
    return {"state": STATES[at % 2], "done": True}


def _listed(program: Program, world: World, arguments: dict[str, Any]) -> Any:
    elements = world.elements
    if program.family.name in ("pages_by_cursor", "pages_by_flag", "pages_by_total"):
        size = program.limit
        first = (arguments.get("page") or 0) * size
        page = elements[first : first + size]
        goes_on = first + size < len(elements)
        if program.family.name == "pages_by_cursor":
            return program.listed(page, next=f"c{first + size}" if goes_on else None)
        if program.family.name == "pages_by_flag":
            return program.listed(page, has_more=goes_on)
        return program.listed(page, total=len(elements))
    if arguments.get("limit"):
        return program.listed(elements[: arguments["limit"]])
    if program.family.name == "nested_inside":
        inner = [{**element, "lines": world.lines[at]} for at, element in enumerate(elements)]
        return program.listed(inner)
    return program.listed(elements)


# -- families


def _work(program: Program, acting: Acting, elements: Sequence[Any]) -> None:
    for element in elements:
        given = {program.argument: program.id_of(element)}
        if program.body == "read_write":
            acting.look(**given)
        acting.act(**given)
        if program.body == "two_writes":
            acting.mark(**given)


def _end(program: Program, acting: Acting, count: int) -> None:
    if program.end == "constant":
        acting.report(text="all done")
    if program.end == "count":
        acting.report(text=f"{count} items done")


@family(whole=True, weight=6)
def whole(program: Program, acting: Acting) -> None:
    """Do something for each element."""
    elements = acting.items()
    _work(program, acting, elements)
    if program.end == "constant":
        _end(program, acting, len(elements))


@family(whole=True)
def whole_and_count(program: Program, acting: Acting) -> None:
    """Do something for each element, and report how many there were."""
    elements = acting.items()
    _work(program, acting, elements)
    _end(program, acting, len(elements))


@family(whole=True)
def empty_or_long(program: Program, acting: Acting) -> None:
    """Do something for each element of lists that are empty, or much longer than ever."""
    _work(program, acting, acting.items())


def _until(program: Program, acting: Acting, field: str, value: Any) -> None:
    for element in acting.items():
        given = {program.argument: program.id_of(element)}
        if acting.look(**given)[field] == value:
            acting.act(**given)
            return


def _look_until(program: Program, acting: Acting, field: str, value: Any) -> None:
    for element in acting.items():
        given = {program.argument: program.id_of(element)}
        acting.mark(**given)
        if acting.look(**given)[field] == value:
            break
    acting.report(text="looked")


@family(weight=2)
def until_bool(program: Program, acting: Acting) -> None:
    """Look until something is available."""
    (_until if program.end == "count" else _look_until)(program, acting, "available", True)


@family(weight=2)
def until_word(program: Program, acting: Acting) -> None:
    """Look until a word is found."""
    (_until if program.end == "count" else _look_until)(program, acting, "result", "match")


@family(weight=2)
def until_number(program: Program, acting: Acting) -> None:
    """Look until a score is the best."""
    (_until if program.end == "count" else _look_until)(program, acting, "score", 5)


@family()
def first_n(program: Program, acting: Acting) -> None:
    """Do something for the first elements."""
    _work(program, acting, acting.items()[: program.limit])


@family()
def only_one(program: Program, acting: Acting) -> None:
    """Do something for the first element."""
    _work(program, acting, acting.items()[:1])


@family()
def filter_by_word(program: Program, acting: Acting) -> None:
    """Do something for the elements in a state."""
    _work(program, acting, [one for one in acting.items() if one["status"] == "pending"])


@family()
def filter_by_bool(program: Program, acting: Acting) -> None:
    """Do something for the elements with a flag."""
    _work(program, acting, [one for one in acting.items() if one["paid"]])


@family()
def filter_by_number(program: Program, acting: Acting) -> None:
    """Do something for the elements above a price."""
    _work(program, acting, [one for one in acting.items() if one["price"] > 20])


@family()
def only_good(program: Program, acting: Acting) -> None:
    """Look at each element, and do something for some."""
    for element in acting.items():
        given = {program.argument: program.id_of(element)}
        if acting.look(**given)["in_stock"]:
            acting.act(**given)


@family()
def backwards(program: Program, acting: Acting) -> None:
    """Do something for each element, the last first."""
    _work(program, acting, acting.items()[::-1])


@family()
def pages_by_cursor(program: Program, acting: Acting) -> None:
    """Do something for each element of all pages."""
    page = 0
    while True:
        elements = acting.items(**({"page": page} if page else {}))
        _work(program, acting, elements)
        if len(acting.world.elements) <= (page + 1) * program.limit:
            return
        page += 1


def _pages(name: str) -> None:
    def act(program: Program, acting: Acting) -> None:
        pages_by_cursor(program, acting)

    act.__name__ = name
    family()(act)


_pages("pages_by_flag")
_pages("pages_by_total")


@family()
def asked_for(program: Program, acting: Acting) -> None:
    """Do something for each element of a list that was asked for with a limit."""
    elements = acting.items(limit=program.limit)
    _work(program, acting, elements)
    if len(elements) == program.limit:
        acting.report(text="there may be more")


@family()
def nested(program: Program, acting: Acting) -> None:
    """Do something for each line of each element."""
    for element in acting.items():
        given = {program.argument: program.id_of(element)}
        for line in acting.look(**given)["lines"]:
            acting.mark(**given, line=line)


@family()
def nested_inside(program: Program, acting: Acting) -> None:
    """Do something for each line that stands in each element."""
    for element in acting.items():
        for line in element["lines"]:
            acting.mark(**{program.argument: program.id_of(element)}, line=line)


@family()
def judgement(program: Program, acting: Acting) -> None:
    """Do something for the elements that are chosen by judgement."""
    picked = random.Random(repr(acting.world.elements))
    _work(program, acting, [one for one in acting.items() if picked.random() < 0.7])


@family()
def judged_text(program: Program, acting: Acting) -> None:
    """Pass something with each element that is made up anew."""
    for element in acting.items():
        acting.act(**{program.argument: program.id_of(element)})
        acting.report(text=f"dear {acting.world.random.choice(PEOPLE)}")


@family()
def stops_early(program: Program, acting: Acting) -> None:
    """Stop in the middle, for no reason in an output."""
    elements = acting.items()
    stop = random.Random(repr(elements)).randrange(1, len(elements) + 2)
    _work(program, acting, elements[:stop])


def programs(count: int, seed: int = 0, names: Sequence[str] = ()) -> Iterator[Program]:
    """Yield so many programs, each family in proportion."""
    wanted = [name for name, one in FAMILIES.items() for _ in range(one.weight) if not names or name in names]
    for number in range(count):
        yield Program(wanted[number % len(wanted)], seed * 10_007 + number)
