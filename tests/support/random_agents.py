"""Random agents whose arguments have known sources, and the worlds that they act in.

An agent is a short program: calls whose arguments are made of constants, of its params, of the outputs of earlier
calls, or of the day. What it does in a world is a function of all of these: what a replay did can be compared with what
the agent would have done.
"""

from __future__ import annotations

import datetime
import random
import zlib
from collections.abc import Callable
from typing import Any

from muscle_mem import Engine, Outcome

START = datetime.datetime(2026, 3, 10, 12)
NAMES = ["Ann Lee", "Bob Ray", "Cho Park", "Dee Fox", "Eve Moe", "Kim van Dyk", "José Ruiz", "Mary-Ann Poe"]
CITIES = ["Rome", "Oslo", "Bern", "Lima", "Kyiv", "New York"]
MAILS = ["ann@acme.com", "bob@corp.org", "cho.park@post.net", "dee@fox.io"]
WORDS = ["blue", "small", "urgent", "paid", "open"]
TITLES = ["dentist", "tax office", "team lunch", "car wash", "piano lesson", "yoga", "parents' evening"]

Expression = Callable[["Scene"], Any]
Log = list[tuple[Any, ...]]


class Scene:
    """What an agent sees in one run: its params, the day, the outputs so far."""

    def __init__(self, params: dict[str, Any], day: datetime.date) -> None:
        self.params = params
        self.day = day
        self.outputs: list[Any] = []


class World:
    """What the tools answer in one run. Equal seeds answer alike; `fresh` says that ids are new in each run."""

    def __init__(self, seed: int, turn: int, *, fresh: bool, calm: bool) -> None:
        self.seed, self.turn, self.fresh, self.calm = seed, turn, fresh, calm

    def random(self, what: str, *, stable: bool = False) -> random.Random:
        """A source of answers: the same in each run of a calm world, and for what is stable."""
        turn = 0 if stable or self.calm else self.turn
        return random.Random(zlib.crc32(f"{self.seed} {turn} {what}".encode()))

    def create(self, what: Any) -> dict[str, Any]:
        rng = self.random(f"create {what!r}", stable=not self.fresh)
        return {"order_id": rng.choice([rng.randrange(1, 99), rng.randrange(1000, 9999), f"A-{rng.randrange(10**6)}"])}

    def price(self, what: Any) -> dict[str, Any]:
        rng = self.random(f"price {what!r}")
        amount = rng.choice([rng.randrange(100, 5000), rng.randrange(1000, 99999) / 100])
        text = f"{amount:,.2f} EUR"
        return {"amount": amount, "text": text, "currency": "EUR"}

    def listing(self, what: Any) -> dict[str, Any]:
        rng, ids = self.random(f"list {what!r}"), self.random("ids", stable=not self.fresh)
        records = [
            {
                "id": 10 + ids.randrange(80) + 100 * at,
                "title": title,
                "price": rng.randrange(20, 900),
                "free": rng.random() < 0.5,
            }
            for at, title in enumerate(rng.sample(TITLES, rng.randrange(2, 5)))
        ]
        return {"items": records, "next": rng.choice([None, None, "p2"])}

    def status(self, what: Any) -> dict[str, Any]:
        rng = self.random(f"status {what!r}")
        return {"in_stock": rng.random() < 0.6, "state": rng.choice(["open", "closed", "paid"])}

    def due(self, what: Any) -> dict[str, Any]:
        day = START.date() + datetime.timedelta(self.random(f"due {what!r}").randrange(500, 900))
        return {"due": f"{day:%d.%m.%Y}"}

    def person(self, what: Any) -> dict[str, Any]:
        rng = self.random(f"person {what!r}")
        return {"name": rng.choice(NAMES), "mail": rng.choice(MAILS)}


READS = ("price", "listing", "status", "due", "person")


class Agent:
    """A random program. `kind` is what its arguments are made of."""

    def __init__(self, seed: int, kind: str) -> None:
        self.rng = random.Random(seed)
        self.kind = kind
        self.params = PARAMS.get(kind, lambda rng: {})
        self.statements: list[Callable[[Scene, Any], None]] = []
        KINDS[kind](self)
        for _ in range(self.rng.randrange(0, 2)):
            constant = self.rng.choice(["done", "Save", "menu/file", "#main"])
            self.statements.append(lambda scene, tools, text=constant: tools.do("press", text))

    def __call__(self, scene: Scene, tools: Any) -> Any:
        for statement in self.statements:
            statement(scene, tools)
        return scene.outputs[-1] if scene.outputs else None

    def does(self, role: str, *arguments: Expression) -> None:
        self.statements.append(lambda scene, tools: tools.do(role, *(make(scene) for make in arguments)))

    def asks(self, tool: str, *arguments: Expression) -> None:
        self.statements.append(
            lambda scene, tools: scene.outputs.append(getattr(tools, tool)(*(make(scene) for make in arguments)))
        )


def param(name: str = "p") -> Expression:
    return lambda scene: scene.params[name]


def constant(value: Any) -> Expression:
    return lambda scene: value


def _number(agent: Agent) -> None:
    """Totals, texts with totals, flags: computed from a number."""
    rng = agent.rng
    factor, add, bound = rng.randrange(2, 300), rng.randrange(1, 50), rng.randrange(50, 500)
    forms: list[Expression] = [
        lambda s: s.params["p"] * factor,
        lambda s: s.params["p"] + add,
        lambda s: f"{s.params['p']} pieces are {s.params['p'] * factor} EUR",
        lambda s: f"{s.params['p'] * 1.19:.2f}",
        lambda s: s.params["p"] > bound,
        lambda s: f"{s.params['p'] * factor:,}",
        lambda s: [s.params["p"], s.params["p"] * factor],
        lambda s: {"qty": s.params["p"], "total": s.params["p"] * factor},
        lambda s: str(s.params["p"]),
        lambda s: f"no{s.params['p']}",
        lambda s: f"VAT {s.params['p']}.75",
        lambda s: f"1,{s.params['p']}",
        lambda s: -s.params["p"],
    ]
    if rng.random() < 0.7:
        agent.does("order", param())
    for form in rng.sample(forms, rng.randrange(1, 3)):
        agent.does("use", form)


def _date(agent: Agent) -> None:
    rng = agent.rng
    days = rng.randrange(1, 40)
    parse = datetime.date.fromisoformat
    forms: list[Expression] = [
        lambda s: (parse(s.params["p"]) + datetime.timedelta(days)).isoformat(),
        lambda s: parse(s.params["p"]) + datetime.timedelta(days),
        lambda s: f"{parse(s.params['p']):%A}",
        lambda s: f"{parse(s.params['p']):%B}",
        lambda s: f"{parse(s.params['p']):%d.%m.%Y}",
        lambda s: parse(s.params["p"]).day,
        lambda s: f"{parse(s.params['p']):%d/%m}",
        lambda s: parse(s.params["p"]).year,
    ]
    if rng.random() < 0.7:
        agent.does("from", param())
    for form in rng.sample(forms, rng.randrange(1, 3)):
        agent.does("use", form)


def _text(agent: Agent) -> None:
    """Parts, templates and other spellings of a name."""
    rng = agent.rng
    forms: list[Expression] = [
        lambda s: f"Dear {s.params['p'].split()[0]},",
        lambda s: s.params["p"].split()[-1],
        lambda s: f"Dear {s.params['p']}, hello.",
        lambda s: s.params["p"].upper(),
        lambda s: s.params["p"].lower().replace(" ", "-"),
        lambda s: s.params["p"].replace(" ", "%20"),
        lambda s: f"{s.params['p']}.pdf",
        lambda s: f"{s.params['p']}'s file",
        lambda s: "".join(word[0] for word in s.params["p"].split()),
        lambda s: {"first": s.params["p"].split()[0], "all": s.params["p"]},
        lambda s: f"x{s.params['p']}y",
        lambda s: s.params["p"].split(),
        lambda s: s.params["p"][:4],
    ]
    if rng.random() < 0.7:
        agent.does("to", param())
    for form in rng.sample(forms, rng.randrange(1, 3)):
        agent.does("use", form)


def _mail(agent: Agent) -> None:
    rng = agent.rng
    forms: list[Expression] = [
        lambda s: s.params["p"].split("@")[1],
        lambda s: s.params["p"].split("@")[0],
        lambda s: f"mailto:{s.params['p']}",
        lambda s: f"old.{s.params['p']}",
        lambda s: f"<{s.params['p']}>",
    ]
    if rng.random() < 0.7:
        agent.does("to", param())
    for form in rng.sample(forms, rng.randrange(1, 3)):
        agent.does("use", form)


def _list(agent: Agent) -> None:
    forms: list[Expression] = [
        lambda s: sum(s.params["p"]),
        lambda s: len(s.params["p"]),
        lambda s: max(s.params["p"]),
        lambda s: ", ".join(map(str, s.params["p"])),
        lambda s: s.params["p"],
        lambda s: s.params["p"][0],
    ]
    for form in agent.rng.sample(forms, agent.rng.randrange(1, 3)):
        agent.does("use", form)


def _small(agent: Agent) -> None:
    forms: list[Expression] = [
        lambda s: s.params["p"],
        lambda s: str(s.params["p"]),
        lambda s: f"{s.params['p']} x",
        lambda s: {"p": s.params["p"]},
        lambda s: s.params["p"] + 1,
    ]
    for form in agent.rng.sample(forms, agent.rng.randrange(1, 3)):
        agent.does("use", form)


def _ids(agent: Agent) -> None:
    """An id of what was created, as it is or inside a text."""
    agent.asks("create", constant(agent.rng.choice(["chair", "table"])))
    forms: list[Expression] = [
        lambda s: s.outputs[0]["order_id"],
        lambda s: f"order {s.outputs[0]['order_id']}",
        lambda s: {"order_id": s.outputs[0]["order_id"], "note": "x"},
        lambda s: s.outputs[0],
    ]
    agent.does("pay", agent.rng.choice(forms))


def _record(agent: Agent) -> None:
    """A record of a list, by a title, or by a reason."""
    rng = agent.rng
    agent.asks("listing", constant("all"))
    title = rng.choice(TITLES)
    items: Callable[[Scene], list[Any]] = lambda s: s.outputs[0]["items"]
    choices: list[Callable[[Scene], Any]] = [
        lambda s: next((one for one in items(s) if one["title"] == title), items(s)[0]),
        lambda s: min(items(s), key=lambda one: one["price"]),
        lambda s: max(items(s), key=lambda one: one["price"]),
        lambda s: next((one for one in items(s) if one["free"]), items(s)[-1]),
        lambda s: items(s)[0],
        lambda s: items(s)[-1],
    ]
    choose = rng.choice(choices)
    field = rng.choice(["id", "title", "id"])
    agent.does("open", lambda s: choose(s)[field])


def _each(agent: Agent) -> None:
    agent.asks("listing", constant("all"))

    def loop(scene: Scene, tools: Any) -> None:
        for one in scene.outputs[0]["items"]:
            tools.do("archive", one["id"])

    agent.statements.append(loop)


def _page(agent: Agent) -> None:
    agent.asks("listing", constant("page 1"))

    def more(scene: Scene, tools: Any) -> None:
        if scene.outputs[0]["next"]:
            tools.do("page", scene.outputs[0]["next"])
        tools.do("finish")

    agent.statements.append(more)


def _branch(agent: Agent) -> None:
    """One of two ways, by an answer."""
    agent.asks("status", constant("chair"))
    by_state = agent.rng.random() < 0.5

    def turn(scene: Scene, tools: Any) -> None:
        answer = scene.outputs[0]
        if answer["state"] != "closed" if by_state else answer["in_stock"]:
            tools.do("buy", "chair")
        elif agent.kind == "branch":
            tools.do("wait", "chair")

    agent.statements.append(turn)


def _computed(agent: Agent) -> None:
    """Numbers and dates made of outputs."""
    rng = agent.rng
    if rng.random() < 0.4:
        agent.asks("due", constant("bill"))
        agent.does("remind", lambda s: datetime.datetime.strptime(s.outputs[0]["due"], "%d.%m.%Y").date().isoformat())
        return
    agent.asks("price", constant("chair"))
    agent.asks("price", constant("table"))
    forms: list[Expression] = [
        lambda s: s.outputs[0]["amount"] + s.outputs[1]["amount"],
        lambda s: float(s.outputs[0]["text"].split()[0].replace(",", "")),
        lambda s: round(s.outputs[0]["amount"] * 1.19, 2),
        lambda s: f"in all {s.outputs[0]['amount']} EUR",
        lambda s: s.outputs[0]["amount"] > 1000,
        lambda s: f"{s.outputs[1]['amount']:.0f}",
    ]
    agent.does("pay", rng.choice(forms))


def _person(agent: Agent) -> None:
    agent.asks("person", constant("customer"))
    forms: list[Expression] = [
        lambda s: s.outputs[0]["name"],
        lambda s: f"Dear {s.outputs[0]['name'].split()[0]},",
        lambda s: s.outputs[0]["name"].lower().replace(" ", "-"),
        lambda s: s.outputs[0]["mail"].split("@")[1],
    ]
    agent.does("write", agent.rng.choice(forms))


def _today(agent: Agent) -> None:
    forms: list[Expression] = [
        lambda s: s.day.isoformat(),
        lambda s: s.day + datetime.timedelta(1),
        lambda s: f"{s.day:%d.%m.%Y}",
        lambda s: f"{s.day:%B} report",
        lambda s: f"report {s.day:%Y-%m}",
        lambda s: s.day.year,
    ]
    agent.does("book", agent.rng.choice(forms))


def _lookup(agent: Agent) -> None:
    """A constant that is looked up by a text: no call shows it, so it is not seen under the default."""
    table = {city: f"code {chr(65 + index)}" for index, city in enumerate(CITIES)}
    agent.does("city", param())
    agent.does("use", lambda s: table[s.params["p"]])


def _threshold(agent: Agent) -> None:
    """Another way for large numbers: no call shows it, either."""
    bound = agent.rng.randrange(200, 900)

    def turn(scene: Scene, tools: Any) -> None:
        if scene.params["p"] > bound:
            tools.do("ask", "boss")
        tools.do("order", scene.params["p"])

    agent.statements.append(turn)


KINDS: dict[str, Callable[[Agent], None]] = {
    "number": _number,
    "date": _date,
    "text": _text,
    "mail": _mail,
    "list": _list,
    "small": _small,
    "ids": _ids,
    "record": _record,
    "each": _each,
    "page": _page,
    "branch": _branch,
    "answer": _branch,
    "computed": _computed,
    "person": _person,
    "today": _today,
    "lookup": _lookup,
    "threshold": _threshold,
}
PARAMS: dict[str, Callable[[random.Random], dict[str, Any]]] = {
    "number": lambda rng: {"p": rng.randrange(100, 1000)},
    "date": lambda rng: {"p": (datetime.date(2031, 1, 1) + datetime.timedelta(rng.randrange(900))).isoformat()},
    "text": lambda rng: {"p": rng.choice(NAMES)},
    "mail": lambda rng: {"p": rng.choice(MAILS)},
    "list": lambda rng: {"p": [rng.randrange(100, 999) for _ in range(rng.randrange(1, 5))]},
    "small": lambda rng: {"p": rng.randrange(1, 9)},
    "lookup": lambda rng: {"p": rng.choice(CITIES)},
    "threshold": lambda rng: {"p": rng.randrange(100, 1000)},
}


class Tools:
    """The tools of one run: they write down what was called, and answer as the world does."""

    def __init__(self) -> None:
        self.world: World | None = None
        self.log: Log = []

    def do(self, role: str, *values: Any) -> None:
        self.log.append((role, *values))

    def create(self, what: Any) -> Any:
        self.log.append(("create", what))
        return self.world.create(what)

    def price(self, what: Any) -> Any:
        return self.world.price(what)

    def listing(self, what: Any) -> Any:
        return self.world.listing(what)

    def status(self, what: Any) -> Any:
        return self.world.status(what)

    def due(self, what: Any) -> Any:
        return self.world.due(what)

    def person(self, what: Any) -> Any:
        return self.world.person(what)


class Trial:
    """One random agent on an engine, and beside it the same agent alone."""

    def __init__(self, seed: int, kind: str, **options: Any) -> None:
        self.rng = random.Random(seed + 1)
        self.agent = Agent(seed, kind)
        self.seed = seed
        self.fresh = self.rng.random() < 0.5
        self.tools, self.alone = Tools(), Tools()
        self.now = START
        self.engine = Engine(clock=lambda: self.now.timestamp(), **options)
        wrapped: Any = type("Wrapped", (), {})()
        declared = self.rng.random() < 0.7
        for name in ("do", "create", *READS):
            effect: Any = "read" if name in READS and declared else None
            setattr(wrapped, name, self.engine.tool(name=name, effect=effect)(getattr(self.tools, name)))
        self.engine.set_agent(lambda task, p=None: self.agent(self.scene, wrapped))
        self.scene = Scene({}, START.date())

    def run(self, turn: int) -> tuple[Outcome, Log, Log]:
        """Do the task in another world; returns what was done, and what the agent alone would do."""
        params = self.agent.params(self.rng)
        self.now = START + datetime.timedelta(days=turn * 20)
        world = World(self.seed, turn, fresh=self.fresh, calm=self.rng.random() < 0.4)
        for tools in (self.tools, self.alone):
            tools.world, tools.log = world, []
        self.agent(Scene(params, self.now.date()), self.alone)
        self.scene = Scene(params, self.now.date())
        outcome = self.engine("the task", params.get("p"), params=params or None)
        return outcome, self.tools.log, self.alone.log
