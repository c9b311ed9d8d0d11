"""For tests about keys, params and data flow: an engine with what its tools did and what it told; keys of calls."""

from __future__ import annotations

import copy
import datetime as dt
import enum
import inspect
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from muscle_mem import Engine, Outcome
from muscle_mem._core.binding.params.search import Params
from muscle_mem._core.binding.tasks.key import normalize_arguments, task_key
from muscle_mem._core.tools.tool import signature_of


@dataclass
class Letter:
    """A value with fields, as agents pass it around."""

    to: Any
    text: Any = ""


@dataclass(frozen=True)
class Address:
    """A value that cannot change."""

    street: Any
    number: Any = 1


class Colour(enum.StrEnum):
    """A choice that is a text, too."""

    RED = "crimson"
    BLUE = "azure"


class Client:
    """A thing without a canonical form, as a browser page or a connection is."""

    def __init__(self, name: str = "client") -> None:
        self._name = name

    def __deepcopy__(self, memo: Any) -> Client:
        return self


class Order:
    """A plain object with an id, as clients of services return them."""

    def __init__(self, id: int) -> None:
        self.id = id


class World:
    """An engine whose tools write down what they were called with.

    `send(to, text, n)` and `many(*args, **kwargs)` only take; `give(label)` answers what `answers[label]` holds, and
    calls it first if it is a function.
    """

    def __init__(self, **options: Any) -> None:
        self.events: list[Any] = []
        self.calls: list[tuple[Any, ...]] = []
        self.answers: dict[str, Any] = {}
        self.engine = Engine(observers=self.events.append, **options)
        self.send = self.tool("send", lambda to=None, text=None, n=None: None)
        self.many = self.tool("many", lambda *args, **kwargs: None)
        self.give = self.tool("give", self._give)

    def tool(self, name: str, fn: Callable[..., Any], **options: Any) -> Any:
        """Register a function as a tool that also writes down its calls."""

        def told(*args: Any, **kwargs: Any) -> Any:
            self.calls.append((name, *copy.deepcopy(args), *sorted(copy.deepcopy(kwargs).items())))
            return fn(*args, **kwargs)

        told.__signature__ = inspect.signature(fn)
        return self.engine.tool(name=name, version=1, effect="read", **options)(told)

    def _give(self, label: str = "it") -> Any:
        answer = self.answers[label]
        return answer() if callable(answer) else answer

    def made(self) -> list[tuple[Any, ...]]:
        """The calls since this was asked last."""
        made, self.calls[:] = list(self.calls), []
        return made

    def told(self, code: str) -> list[Any]:
        """The notices of one code."""
        return [event for event in self.events if getattr(event, "code", None) == code]

    def run(self, agent: Callable[..., Any], *args: Any, **keywords: Any) -> Outcome:
        """One call of the engine with this agent."""
        self.engine.set_agent(agent)
        return self.engine(*args, **keywords)


class Play(World):
    """The same agent with one set of params and then with another, under one key."""

    def twice(self, agent: Callable[..., Any], first: dict[str, Any], then: dict[str, Any]) -> Outcome:
        """Record with `first`, call with `then`: whatever comes, the calls must be those the agent would make."""
        self.run(agent, key="task", params=first, **first)
        self.made()
        outcome = self.run(agent, key="task", params=then, **then)
        done = self.made()
        self.run(agent, mode="off", **then)
        wanted = self.made()
        assert repr(done) == repr(wanted), f"{outcome!r} made other calls than the agent would have made"
        return outcome


Call = tuple[tuple[Any, ...], dict[str, Any]]


def call(*args: Any, **kwargs: Any) -> Call:
    return args, kwargs


def key_of(agent: Callable[..., Any], one: Call, **given: Any) -> bytes:
    """The key of a call of an agent."""
    params = Params(given.pop("params", None))
    return task_key(normalize_arguments(signature_of(agent), *one), params, **given)


def golden_keys() -> dict[str, str]:
    """The keys of some tasks, as they must be on every machine, today and in years."""
    agent = lambda task, more=None, *rest, **named: None
    when = dt.datetime(2024, 2, 29, 12, 30, tzinfo=dt.UTC)
    given = {"who": "Zoë", "n": 1234, "small": 7}
    calls: dict[str, bytes] = {
        "text": key_of(agent, call("pay the bill")),
        "params": key_of(agent, call("to Zoë: 1234, 7", ["Zoë", 7, 1234, {"Zoë": "x"}]), params=given),
        "containers": key_of(agent, call({"b": [1, (2.5, None)], "a": {"x", "y", 3}}, frozenset({"q", "r"}), 2**80)),
        "classes": key_of(agent, call(Letter("a", Address("b")), when, [b"\x00", -0.0, True], x=when.date())),
        "parts": key_of(agent, call("t"), scope="tenant-42", tags=("a", "b")),
        "custom": task_key(((), {}), Params(None), custom="my key"),
        "odd": key_of(agent, call("\ud800", **{"\udfff": 1}), tags=("\ud83d",)),
    }
    return {name: digest.hex() for name, digest in calls.items()}
