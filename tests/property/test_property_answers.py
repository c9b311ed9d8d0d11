"""I5: a recorded answer that a hit gives back is what the agent would have said in this run."""

from __future__ import annotations

import random
from datetime import datetime
from typing import Any

import pytest

from muscle_mem import Engine

RUNS = 40
NAMES = ("Ada Low", "Bob Miller", "Zoë von Haug", "eve straße")
TEXTS = ("paid", "open", "in the cellar", "17 EUR", "see A-1001")


def ignore(event: Any) -> None:
    """Take an event, and do nothing."""


class World:
    """A world in which an agent looks something up, acts on it and tells of both in its own words.

    Its words rest on the task, the params and the results alone, as the user says with `answer="recorded"`.
    """

    def __init__(self, rng: random.Random) -> None:
        self.rng = rng
        self.day = 1_770_000_000.0
        self.shelf: dict[str, Any] = {}
        mode = rng.choice(MODES)
        # What a condition on a param chooses is seen by "confirmed" alone, in an answer as in an argument.
        self.sentences = rng.sample(range(10 if mode == "computed" else 11), rng.randint(1, 3))
        self.engine = Engine(answer="recorded", observers=ignore, clock=lambda: self.day, generalize=mode)
        self.look = self.engine.tool(name="look", effect="read")(lambda name: self.shelf.get(name, "nothing"))
        self.note = self.engine.tool(name="note", effect="idempotent")(lambda name, amount: None)
        self.engine.set_agent(self.agent)

    def agent(self, task: str, name: str, amount: int) -> Any:
        found = self.look(name)
        self.note(name, amount)
        return self.words(name, amount, found)

    def words(self, name: str, amount: int, found: Any) -> Any:
        forms = (
            f"I looked at {name}.",
            f"{name.upper()}!",
            f"Dear {name.split()[0]},",
            f"It is {found}.",
            f"{amount} were noted.",
            f"With tax {amount * 3}.",
            f"{len(str(found))} letters.",
            "Paid." if found == "paid" else "Not paid.",
            "Done.",
            f"Written on {datetime.fromtimestamp(self.day).date()}.",
            "More than ten." if amount > 10 else "Not much.",
        )
        return " ".join(forms[at] for at in self.sentences)

    def change(self) -> None:
        name = self.rng.choice(NAMES)
        self.shelf[name] = self.rng.choice([*TEXTS, self.rng.randint(0, 30), {"state": self.rng.choice(TEXTS)}])
        self.day += self.rng.choice([0, 0, 86_400])


MODES: tuple[Any, ...] = ("computed", "confirmed")


@pytest.mark.parametrize("seed", range(60))
def test_i5_a_recorded_answer_is_what_the_agent_would_say(seed: int) -> None:
    rng = random.Random(seed)
    world = World(rng)
    given = 0
    for _ in range(RUNS):
        if rng.random() < 0.3:
            world.change()
        name, amount = rng.choice(NAMES), rng.choice([3, 12, 40])
        outcome = world.engine("tell", name, amount, params={"name": name, "amount": amount})
        expected = world.words(name, amount, world.shelf.get(name, "nothing"))
        if outcome.value_source == "recorded":
            given += 1
        elif outcome:
            assert outcome.value_source in ("none", "step")
        if outcome.value is not None:
            assert outcome.value == expected, (seed, outcome, world.sentences)
    assert given or seed  # The proof is worth nothing if no answer is ever given back.
