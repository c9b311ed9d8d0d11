"""Estimates of what a model would cost in the agent's place."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from .model import FIXED_CHARACTERS
from .watch import PageAction

CHARACTERS_PER_TOKEN = 4
SECONDS_PER_CALL = 2.0


@dataclass(frozen=True)
class Price:
    """List price of a model, in dollars for a million tokens."""

    model: str
    tokens_in: float
    tokens_out: float


PRICES = (Price("gpt-4o-mini", 0.15, 0.60), Price("gpt-4.1", 2.00, 8.00))
TOKEN_SOURCE = (
    f"Tokens: {CHARACTERS_PER_TOKEN} characters each, OpenAI's rule of thumb. The text counted is what this demo sends "
    "to a model before each step: the task, the tools and the pages since the model was asked in this run. "
    "Not counted: screenshots, prompt caching, and the list of replayed steps that an agent gets when it takes over."
)
PRICE_SOURCE = "List prices (openai.com/api/pricing), in dollars for a million tokens in and out: {}.".format(
    "; ".join(f"{price.model} {price.tokens_in:.2f} and {price.tokens_out:.2f}" for price in PRICES)
)
ASSUMED_SECONDS = (
    f"Seconds: {SECONDS_PER_CALL:g} a call are an assumption, within the 1.5 to 4 s that are published for browser "
    "agents (datarekha.com, Computer-use latency engineering, 2026)."
)
MEASURED_SECONDS = "Seconds: {seconds:.1f} a call were measured in this run."


@dataclass(frozen=True)
class Bill:
    """Calls of a model, with their tokens."""

    calls: int = 0
    tokens_in: int = 0
    tokens_out: int = 0

    def __add__(self, other: Bill) -> Bill:
        return Bill(self.calls + other.calls, self.tokens_in + other.tokens_in, self.tokens_out + other.tokens_out)

    @property
    def tokens(self) -> int:
        """All tokens, in and out."""
        return self.tokens_in + self.tokens_out

    def dollars(self, price: Price) -> float:
        """Return what the tokens cost."""
        return (self.tokens_in * price.tokens_in + self.tokens_out * price.tokens_out) / 1_000_000


def bills(instruction: str, actions: Sequence[PageAction]) -> list[Bill]:
    """Return one bill for each action, as if a model had decided all of them.

    As in ModelAgent, each request contains all earlier pages and calls of the conversation.
    """
    made = []
    sent = FIXED_CHARACTERS + len(instruction)
    for action in actions:
        sent += action.page_characters
        made.append(Bill(1, _tokens(sent), _tokens(action.call_characters)))
        sent += action.call_characters
    return made


def total(found: Iterable[Bill]) -> Bill:
    """Return the sum of bills."""
    return sum(found, Bill())


def _tokens(characters: int) -> int:
    return -(-characters // CHARACTERS_PER_TOKEN)
