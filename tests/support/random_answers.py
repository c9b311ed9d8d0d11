"""Random agents that go one of several ways by what tools answer: alone, together, or with the page that a check sees.

Each day the answers are others: a flag, a word, a record or none, a list in which something is looked for, a sentence
that denies something or does not, a field that stands elsewhere. A hit is wrong if the agent would have acted
otherwise.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from random import Random
from typing import Any, NamedTuple

from muscle_mem import Check, Engine

DAYS = 14
STATES = ("open", "held", "lost")
SENTENCES = ("The parcel {n} has left the house in {p}.", "The parcel {n} has not left the house in {p}.")
PLACES = ("Bern", "Oslo", "Rome")


class Feature(NamedTuple):
    """A part of an answer: what it may be today, how it is written, and what the agent makes of it."""

    values: tuple[Any, ...]
    write: Callable[[Any, Random], dict[str, Any]]


def _rows(state: str, rng: Random) -> dict[str, Any]:
    """Return a list in which one record is `late`, or none."""
    rows = [
        {"title": f"letter {rng.randrange(400, 900)} of the pile", "status": rng.choice(STATES)}
        for _ in range(rng.randrange(1, 4))
    ]
    if state == "late":
        rows.insert(rng.randrange(len(rows) + 1), {"title": "the letter that is late", "status": "late"})
    return {"rows": rows}


def _match(value: bool, rng: Random) -> dict[str, Any]:
    """Return a record or None, some days under another name."""
    if not value:
        return {"match": None}
    record = {"number": f"A-{rng.randrange(400, 900)}"}
    return {"person": {"match": record}} if rng.random() < 0.15 else {"match": record}


LOOKED_FOR = Feature(("late", "fine"), _rows)
FEATURES = (
    Feature((True, False), lambda value, rng: {"ready": value}),
    Feature(("yes", "no"), lambda value, rng: {"paid": value}),
    Feature(STATES, lambda value, rng: {"state": value}),
    Feature((0, 3), lambda value, rng: {"left": value}),
    Feature((True, False), _match),
    LOOKED_FOR,
    Feature((0, 1), lambda value, rng: {"note": SENTENCES[value].format(n=rng.randrange(400, 900), p="Bern")}),
    Feature((True, False), lambda value, rng: {"items": [f"thing {rng.randrange(400, 900)}"] if value else []}),
    Feature(
        (True, False), lambda value, rng: {"free": value, "at": rng.choice(PLACES), "size": rng.randrange(400, 900)}
    ),
)


class Scene:
    """One agent, and the world that it asks."""

    def __init__(self, seed: int) -> None:
        self.rng = rng = Random(f"answers {seed}")
        self.features = [rng.choice(FEATURES) for _ in range(rng.choice((1, 1, 2, 2, 3)))]
        self.pages = rng.choice((("day",), ("day",), ("day", "night")))
        self.deciding = rng.sample(range(len(self.features)), min(len(self.features), rng.choice((1, 2))))
        self.sees_page = len(self.pages) > 1 and len(self.deciding) < 2 and rng.random() < 0.7
        self.is_checked = len(self.pages) > 1
        if any(self.features[at] is LOOKED_FOR for at in self.deciding):  # If it is not there, nothing is done.
            self.deciding, self.sees_page = [self.deciding[0]], False
        ways: list[tuple[str, ...]] = [(), ("send",), ("send", "file"), ("file",), ("call", "send")]
        self.ways = rng.sample(ways, rng.choice((2, 3)))
        self.looks_once_more = rng.random() < 0.3
        self.table: dict[tuple[Any, ...], tuple[str, ...]] = {}
        self.today: list[Any] = []
        self.outputs: list[Any] = []
        self.page = "day"
        self.done: list[str] = []

    def morning(self) -> None:
        """Draw the answers of the day."""
        self.today = [self.rng.choice(feature.values) for feature in self.features]
        self.outputs = [
            feature.write(value, self.rng) for feature, value in zip(self.features, self.today, strict=True)
        ]
        self.page = self.rng.choice(self.pages)
        self.done = []

    def way(self) -> tuple[str, ...]:
        """Return what the agent does today: the same for the same answers that decide."""
        seen = (*(self.today[at] for at in self.deciding), self.page if self.sees_page else "")
        if seen[0] == "fine":
            return ()
        return self.table.setdefault(seen, self.rng.choice(self.ways))

    def tool(self, what: str) -> Callable[[str], None]:
        """Return a tool that writes down that it was called."""

        def act(title: str) -> None:
            self.done.append(what)

        return act

    def work(self, ask: Callable[[int], Any], act: Callable[[str, str], Any]) -> None:
        """Do the task with these tools."""
        for at in range(len(self.features)):
            ask(at)
        late = next(
            (row["title"] for output in self.outputs for row in output.get("rows", ()) if row["status"] == "late"), ""
        )
        for what in self.way():
            act(what, late)
            if self.looks_once_more:
                ask(0)


def hits_of(seed: int, generalize: str = "computed", days: int = DAYS) -> Iterator[tuple[str, str]]:
    """Yield the kind of each hit, and what was wrong with it."""
    scene = Scene(seed)
    engine = Engine(generalize=generalize)  # type: ignore[arg-type]

    def read(at: int) -> Any:
        return scene.outputs[at]

    check = Check(lambda *_: scene.page) if scene.is_checked else None
    ask = engine.tool(check, name="ask", effect="read" if scene.rng.random() < 0.8 else None)(read)
    tools = {what: engine.tool(check, name=what, effect="write")(scene.tool(what)) for what in ("send", "file", "call")}
    engine.set_agent(lambda task: scene.work(ask, lambda what, title: tools[what](title)))
    for day in range(days):
        scene.morning()
        due = list(scene.way())
        outcome = engine("the task")
        if outcome:
            fault = f"answers {seed} day {day}: did {scene.done}, the agent would do {due}"
            yield "answers", "" if scene.done == due else fault
    engine.close()
