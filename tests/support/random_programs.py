"""Random programs: deterministic agents with two to five tools, run in a world that changes between the runs.

A hit is wrong if the calls of writing tools that it made are not those that the same agent would have made in the same
world. `program_parts` says what such programs do, `program_worlds` in what.
"""

from __future__ import annotations

import copy
import json
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time
from random import Random
from typing import Any, NamedTuple

from muscle_mem import Engine
from program_parts import CHOICES, CONDITIONS, FIGURES, FLAGS, IDS, TEXTS, Data, Part, draw
from program_worlds import FIRST, GOODS, LAST, World, change, new_world, read, show

RUNS = 6
NOTHING = ("send", "desk", "nothing found")
ACROSS_PAGES = ("cheapest", "dearest", "most in stock", "earliest", "latest")
STATES_OF_RECORDS = ("state", "state upper", "next state")
KINDS = ["seen", "param", "unseen"]
Tools = dict[str, Callable[..., Any]]


class Hit(NamedTuple):
    """A hit, the class of its program, and what was wrong, if anything was."""

    seed: int
    kind: str
    parts: tuple[str, ...]
    done: list[Any]
    due: list[Any]
    value_differs: bool

    @property
    def wrong(self) -> bool:
        """Return whether the agent would have made other calls."""
        return [exact(call) for call in self.done] != [exact(call) for call in self.due]


def exact(value: Any) -> str:
    """Return a text that differs if a value or its type does."""
    return repr(value)


@dataclass
class Act:
    """A call of a writing tool: under which condition, with which arguments, and for which records."""

    tool: str
    arguments: list[tuple[str, Part]]
    condition: Part
    each: str = ""
    otherwise: bool = False

    @property
    def uses_records(self) -> bool:
        """Return whether its arguments hold something of a record."""
        return bool(self.each) or any("record" in part.needs for _, part in self.arguments)


@dataclass
class Program:
    """What the agent does in every run."""

    rng: Random
    shape: str
    names: list[str]
    acts: list[Act] = field(default_factory=list)
    choice: Part = CHOICES[0]
    searches: bool = False
    details: str = ""
    settings: str = ""
    pages: bool = False
    params: list[str] = field(default_factory=list)
    returns: str = ""
    lacked: bool = False  # what the last run did for a reason that no replay sees
    met_by_chance: bool = False  # whether a param of the last run equaled a value that was read

    def parts(self) -> Iterator[Part]:
        """Yield the parts of the program."""
        yield self.choice
        for act in self.acts:
            yield act.condition
            yield from (part for _, part in act.arguments)

    @property
    def kind(self) -> str:
        """Return the class of the part that is seen least."""
        if self.pages and self.choice.name in ACROSS_PAGES:
            return "unseen"
        return max((part.kind for part in self.parts()), key=KINDS.index)

    def labels(self) -> tuple[str, ...]:
        """Return what a person needs to understand a wrong hit."""
        first = [self.shape, f"choose {self.choice.name}", f"details {self.details}", f"settings {self.settings}"]
        first += ["pages"] * self.pages + ["searches"] * self.searches + self.params
        acts = [
            f"{act.tool}({', '.join(f'{name}={part.name}' for name, part in act.arguments)}) if {act.condition.name}"
            + (f" each {act.each}" if act.each else "")
            for act in self.acts
        ]
        return (*first, *acts)

    def __call__(self, tools: Tools, params: dict[str, Any], today: date) -> Any:
        """Do the task, as the agent does."""
        self.lacked = self.met_by_chance = False
        data = Data(params, today)
        if self.settings:
            data.settings = _settings(tools["get_settings"]())
        data.records = self._records(tools, params)
        data.record = self.choice.make(data) or {}
        if not data.record:
            self.lacked = bool(data.records)
            return tools["send"](*NOTHING[1:])
        if self.details:
            data.record = {**data.record, **self._detail(tools, data.record["id"])}
            data.records = [data.record if r["id"] == data.record["id"] else r for r in data.records]
        is_used = is_chosen_used = skips = skips_chosen = False
        for act in self.acts:
            if act.condition.make(data):
                is_done = self._do(act, tools, data) and act.uses_records
                is_used, is_chosen_used = is_done or is_used, (is_done and not act.each) or is_chosen_used
                skips = skips or act.each == "ok"
            else:
                skips_chosen = skips_chosen or ("record" in act.condition.needs and not self.details)
                if act.otherwise:
                    data.answer = tools[act.tool](*["none" for _ in act.arguments])
        self.met_by_chance = _is_equal_by_chance(data)
        self.lacked = (skips and not is_used) or (skips_chosen and not is_chosen_used)
        self.lacked = self.lacked or self._hides_choice() or self.met_by_chance
        return data.answer if self.returns == "answer" else None

    def _hides_choice(self) -> bool:
        """Return whether the chosen record shows only in a word that stands for its state."""
        made = [part for act in self.acts if not act.each for _, part in act.arguments if "record" in part.needs]
        return bool(made) and not self.details and all(part.name in STATES_OF_RECORDS for part in made)

    def _do(self, act: Act, tools: Tools, data: Data) -> bool:
        """Make the calls of an act; return whether there was one."""
        chosen = data.record
        match act.each:
            case "":
                records = [chosen]
            case "ok":
                records = [record for record in data.records if record["ok"]]
            case "two":
                records = data.records[:2]
            case _:
                records = list(data.records)
        for record in records:
            data.record = record
            data.answer = tools[act.tool](**{name: part.make(data) for name, part in act.arguments})
        data.record = chosen
        return bool(records)

    def _records(self, tools: Tools, params: dict[str, Any]) -> list[dict[str, Any]]:
        if self.pages:
            records, page = [], 1
            while page:
                output = tools["list_page"](page=page)
                records += read(self.shape, self.names, output["rows"])
                page = output["next"]
            return records
        output = tools["search"](query=params["text"]) if self.searches else tools["list_items"]()
        return read(self.shape, self.names, output)

    def _detail(self, tools: Tools, number: Any) -> dict[str, Any]:
        output = tools["get_item"](item_id=number)
        if isinstance(output, str):
            return json.loads(output) if output[0] == "{" else _lines(output)
        return output


def _is_equal_by_chance(data: Data) -> bool:
    """Return whether a param equals a value that the agent may have computed: it is taken for the param (E1)."""
    seen = [sum(record["price"] for record in data.records), len(data.records)]
    return any(value in seen for value in data.params.values())


def _lines(text: str) -> dict[str, Any]:
    pairs = [line.split(": ", 1) for line in text.split("\n")]
    return {name: int(value) if value.isdigit() else value == "yes" if name == "ok" else value for name, value in pairs}


def _settings(output: Any) -> dict[str, Any]:
    if isinstance(output, str):
        return json.loads(output)
    return output.get("data", output)


def new_program(rng: Random, world: World) -> Program:
    """Return a program for a world."""
    program = Program(rng, world.shape, list(world.names))
    careful = rng.random()
    program.params = rng.choice([[], ["text"], ["n"], ["text", "n"], ["date"], ["text", "n", "date"]])
    program.settings = rng.choice(["", "", "dict", "json", "nested"])
    program.details = rng.choice(["", "", "", "dict", "json", "lines"])
    program.pages = rng.random() < 0.2
    program.searches = "text" in program.params and not program.pages and rng.random() < 0.3
    program.returns = rng.choice(["", "answer"])
    fields = {f"record.{name}" for name in world.names}
    known = {*world.names, *fields, *program.params} | ({"settings"} if program.settings else set())
    program.choice = draw(CHOICES, known, rng, careful)
    known |= {"record"} | ({"today"} if rng.random() < 0.3 else set())
    if program.details:
        known |= {"record.qty", "record.ok"}
    for place in range(rng.choice([1, 1, 2, 3])):
        program.acts.append(_act(rng, known | ({"answer"} if place else set()), careful, world))
    return program


def _act(rng: Random, known: set[str], careful: float, world: World) -> Act:
    tool = rng.choice("order send pay mark report".split())
    each = rng.choice(["", "", "", "", "all", "two", "ok" if "ok" in world.names else "all"])
    if each:
        known = {name for name in known if name != "answer" and name.removeprefix("record.") in {*world.names, *known}}
        known -= {f"record.{name}" for name in ("qty", "ok") if name not in world.names}
    act = Act(tool, [], draw(CONDITIONS, known, rng, careful), each, rng.random() < 0.3)
    kinds = {
        "order": {"item_id": IDS, "qty": FIGURES},
        "send": {"to": TEXTS, "text": TEXTS},
        "pay": {"amount": FIGURES, "currency": FLAGS},
        "mark": {"item_id": IDS, "state": FLAGS},
        "report": {"title": TEXTS, "values": FIGURES + IDS},
    }
    for name, parts in kinds[tool].items():
        act.arguments.append((name, draw(parts, known, rng, careful)))
    return act


class Live:
    """The world that the tools look at; another one may take its place."""

    def __init__(self, world: World, program: Program) -> None:
        self.world = world
        self.program = program

    def tools(self) -> Tools:
        """Return the tools of the program."""
        live, program = self, self.program

        def list_items() -> Any:
            return show(live.world, live.world.records)

        def search(query: str) -> Any:
            return show(live.world, [r for r in live.world.records if query[0] != "Z"])

        def list_page(page: int) -> Any:
            records = live.world.records
            rows = records[(page - 1) * 3 : page * 3]
            return {"rows": show(live.world, rows), "next": page + 1 if page * 3 < len(records) else None}

        def get_item(item_id: Any) -> Any:
            found = next(r for r in live.world.records if r["id"] == item_id)
            record = {
                "qty": 4,
                "ok": True,
                **{key: found[key] for key in ("name", "qty", "ok", "owner") if key in found},
            }
            if program.details == "lines":
                texts = {
                    key: "yes" if value is True else "no" if value is False else value for key, value in record.items()
                }
                return "\n".join(f"{name}: {value}" for name, value in texts.items())
            return json.dumps(record) if program.details == "json" else record

        def get_settings() -> Any:
            settings = dict(live.world.settings)
            return (
                json.dumps(settings)
                if program.settings == "json"
                else {"data": settings}
                if program.settings == "nested"
                else settings
            )

        def order(item_id: Any, qty: Any) -> Any:
            live.world.writes.append(("order", item_id, qty))
            return {"ok": live.world.answers["ok"], "code": live.world.answers["code"]}

        def send(to: Any, text: Any) -> None:
            live.world.writes.append(("send", to, text))

        def pay(amount: Any, currency: Any) -> Any:
            live.world.writes.append(("pay", amount, currency))
            return f"paid, receipt {live.world.answers['code']}"

        def mark(item_id: Any, state: Any) -> Any:
            live.world.writes.append(("mark", item_id, state))
            return True

        def report(title: Any, values: Any) -> Any:
            live.world.writes.append(("report", title, values))
            return {"ok": live.world.answers["ok"], "id": live.world.answers["code"]}

        made = [list_items, search, list_page, get_item, get_settings, order, send, pay, mark, report]
        return {tool.__name__: tool for tool in made}


def params_of(rng: Random, program: Program, pool: list[dict[str, Any]]) -> dict[str, Any]:
    """Return the params of a run: those of an earlier one or new ones."""
    if pool and rng.random() < 0.6:
        return rng.choice(pool)
    text = f"{rng.choice(FIRST)} {rng.choice(LAST)}" if rng.random() < 0.6 else rng.choice(GOODS)
    day = date(2025, rng.randint(1, 12), rng.randint(1, 28))
    made = {"text": text, "n": rng.choice([1, 2, 3, 12, 40, 150, 1500, rng.randint(1, 5000)]), "date": day}
    pool.append({name: made[name] for name in program.params})
    return pool[-1]


def hits_of(seed: int, generalize: str = "computed", runs: int = RUNS) -> tuple[list[Hit], Counter[str]]:
    """Return the hits of one program, and the reasons of its runs."""
    rng = Random(f"program {seed}")
    world = new_world(rng)
    program = new_program(rng, world)
    live = Live(world, program)
    engine = Engine(generalize=generalize, clock=lambda: _noon(live.world.today))  # type: ignore[arg-type]
    writing = rng.choice(["write", "write", "idempotent"])
    undeclared = rng.random() < 0.1
    plain = live.tools()
    reading = {"list_items", "search", "list_page", "get_item", "get_settings"}
    tools = {
        name: engine.tool(effect="write" if undeclared else "read" if name in reading else writing)(tool)
        for name, tool in plain.items()
    }
    given: dict[str, Any] = {}
    engine.set_agent(lambda task: program(tools, given, live.world.today))
    pool: list[dict[str, Any]] = []
    hits, reasons = [], Counter[str]()
    lacks: set[str] = set()
    took_for_param = False  # A value that was read equaled a param in a recording, and is taken for the param (E1).
    for place in range(runs):
        if place:
            change(live.world, rng)
        given = params_of(rng, program, pool)
        before = copy.deepcopy(live.world)
        live.world.writes = []
        task = " ".join(["do the job", *(f"with {value}" for value in given.values())])
        outcome = engine(task, params=given)
        reasons[outcome.reason] += 1
        if not outcome and program.lacked:
            lacks.add(exact(live.world.writes))
            took_for_param = took_for_param or program.met_by_chance
        if outcome:
            after, live.world = live.world, before
            live.world.writes = []
            value = program(plain, given, live.world.today)
            is_unseen = program.lacked or took_for_param or exact(after.writes) in lacks
            kind = "unseen" if is_unseen else program.kind
            differs = outcome.value is not None and exact(outcome.value) != exact(value)
            hits.append(Hit(seed, kind, program.labels(), after.writes, live.world.writes, differs))
            live.world = after
    return hits, reasons


def _noon(day: date) -> float:
    return datetime.combine(day, time(12), UTC).timestamp()
