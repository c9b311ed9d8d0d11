"""D4: a divergence carries what was seen and expected, encoded as recordings are, bounded and without secrets."""

from __future__ import annotations

import base64
import copy
import dataclasses
import datetime
import decimal
import hashlib
import pickle
from typing import Any

import numpy
import pytest

from muscle_mem import Check, Engine, Outcome, Reason, Secret
from muscle_mem._core import codec
from muscle_mem._core.record.shown_snapshot import MAX_SNAPSHOT_BYTES

PASSWORD = "correct horse battery"


@dataclasses.dataclass
class Page:
    title: str
    rows: list[Any]


class World:
    """Two steps, of which the second has a check of what the test says, before or after it."""

    def __init__(self, *, post: bool = False, check: Check | None = None, is_async: bool = False) -> None:
        self.seen: Any = None
        self.output: Any = {"id": 4711}
        self.engine = Engine()
        found = check or Check(lambda *args, **kwargs: self.seen)
        checks: dict[str, Any] = {"post_check": found} if post else {"pre_check": found}

        @self.engine.tool(effect="read", answers="any")
        def find() -> Any:
            return self.output

        @self.engine.tool(**checks)
        def act(id: Any, password: Any = None) -> None: ...

        self.find, self.act = find, act
        self.engine.set_agent(self.agent)

    def agent(self, task: str, secret: Any = None) -> None:
        self.act(self.find()["id"], secret)

    def diverged(self, before: Any, after: Any, *args: Any, **options: Any) -> Outcome:
        self.seen = before
        assert self.engine("task", *args, **options).learned
        self.seen = after
        outcome = self.engine("task", *args, **options)
        assert outcome.status == "diverged", outcome
        return outcome


PAIRS = [
    ("yes", "no"),
    (1, 2.5),
    ({"a": [1, (2, None)]}, {"a": []}),
    (b"\x00", b"\xff" * 100),
    (Page("Orders", [1, 2]), Page("Orders", [1])),
    (datetime.date(2026, 1, 1), decimal.Decimal("1.10")),
    (numpy.zeros(3), numpy.ones(3)),
    (None, "text"),
]


@pytest.mark.parametrize("post", [False, True])
@pytest.mark.parametrize(("before", "after"), PAIRS, ids=lambda value: type(value).__name__)
def test_both_values_of_a_check_are_carried(before: Any, after: Any, post: bool) -> None:
    outcome = World(post=post).diverged(before, after)
    found = outcome.divergence
    assert found is not None
    assert found.reason is (Reason.POST_CHECK_REFUSED if post else Reason.CHECK_REFUSED)
    assert found.seen_snapshot == codec.encode(after)
    assert found.expected_snapshot == codec.encode(before)
    for again in (pickle.loads(pickle.dumps(outcome)), copy.deepcopy(outcome), copy.copy(outcome)):
        assert again.divergence.seen_snapshot == found.seen_snapshot
        assert again.divergence.expected_snapshot == found.expected_snapshot
    assert "snapshot" not in repr(found)


def test_a_stale_output_carries_the_value_in_the_output() -> None:
    world = World()
    world.seen = "same"
    assert world.engine("task").learned
    world.output = {"id": 4712}
    found = world.engine("task").divergence
    assert found is not None
    assert found.reason is Reason.STALE_OUTPUT
    assert (found.seen_snapshot, found.expected_snapshot) == (codec.encode(4712), codec.encode(4711))
    world.output = {}
    world.engine.set_agent(lambda task: world.find() and None)
    found = world.engine("task").divergence
    assert found is not None
    assert found.reason is Reason.FLOW_UNCLEAR
    assert found.expected_snapshot == codec.encode(4712)
    assert isinstance(found.seen_snapshot, str)


@pytest.mark.parametrize(
    "large", ["x" * MAX_SNAPSHOT_BYTES, list(range(20_000)), numpy.zeros(5_000), object(), type("Odd", (), {})()]
)
def test_a_value_that_is_large_or_has_no_encoding_is_a_text(large: Any) -> None:
    check = Check(lambda *args, **kwargs: box[0], lambda now, then: now is True or type(now) is type(then))
    box: list[Any] = ["small"]
    world = World(check=check)
    assert world.engine("task").learned
    box[0] = [large] if isinstance(large, str) else large
    found = world.engine("task").divergence
    assert found is not None
    assert found.seen_snapshot == found.seen
    assert found.expected_snapshot == codec.encode("small")


def test_a_value_of_16_kib_is_carried_whole() -> None:
    text = "x" * (MAX_SNAPSHOT_BYTES - 10)
    found = World().diverged(text, text[1:]).divergence
    assert found is not None
    assert codec.decode(found.expected_snapshot) == text  # type: ignore[arg-type] # They are bytes.
    assert codec.decode(found.seen_snapshot) == text[1:]  # type: ignore[arg-type]


def test_a_tool_that_raised_has_no_values() -> None:
    engine = Engine()
    fails: list[bool] = []

    @engine.tool(effect="read")
    def look() -> None:
        if fails:
            raise LookupError("no")

    @engine.tool(effect="read")
    def first() -> None: ...

    engine.set_agent(lambda task: (first(), look() if not fails else None))
    assert engine("task").learned
    fails.append(True)
    found = engine("task").divergence
    assert found is not None
    assert (found.seen_snapshot, found.expected_snapshot) == (None, None)


def forms(secret: str) -> dict[str, Any]:
    """Snapshots with a secret in every form that is recognized."""
    return {
        "whole": secret,
        "within": f"hello {secret}!",
        "deep": {"a": [("b", secret)], "keep": 1},
        "key": {secret: 1},
        "upper": secret.upper(),
        "bytes": secret.encode(),
        "UTF-16": b"<" + secret.encode("utf-16-le") + b">",
        "base64": base64.b64encode(f"ann:{secret}".encode()).decode(),
        "hex": secret.encode().hex(),
        "sha256": hashlib.sha256(secret.encode()).hexdigest(),
        "dataclass": Page(f"of {secret}", [secret]),
        "set": {secret, "other"},
    }


@pytest.mark.parametrize("post", [False, True])
@pytest.mark.parametrize("form", forms(PASSWORD))
def test_no_secret_is_in_them(form: str, post: bool) -> None:
    outcome = World(post=post).diverged("plain", forms(PASSWORD)[form], Secret(PASSWORD))
    found = outcome.divergence
    assert found is not None
    assert found.expected_snapshot == codec.encode("plain")
    data = found.seen_snapshot
    if isinstance(data, bytes):
        assert "***" in repr(codec.decode(data, lenient=True))
        if form == "deep":
            assert codec.decode(data) == {"a": [("b", "***")], "keep": 1}
    for raw in (PASSWORD.encode(), PASSWORD.upper().encode(), PASSWORD.encode("utf-16-le")):
        assert raw not in (data if isinstance(data, bytes) else str(data).encode())


def test_a_secret_that_the_agent_reveals_later_is_not_in_them_either() -> None:
    engine = Engine()
    seen: list[Any] = ["plain"]

    @engine.tool(effect="read")
    def look() -> None: ...

    @engine.tool(pre_check=Check(lambda: seen[0]), effect="read")
    def press() -> None: ...

    @engine.tool(secret=["password"])
    def login(password: str) -> None: ...

    def agent(task: str) -> None:
        look()
        press()
        if seen[0] != "plain":
            login(PASSWORD)

    engine.set_agent(agent)
    assert engine("task").learned
    seen[0] = {"form": PASSWORD}
    outcome = engine("task")
    assert outcome.divergence is not None
    assert outcome.divergence.seen_snapshot == codec.encode({"form": "***"})


def test_two_keys_that_become_equal_leave_a_text() -> None:
    found = World().diverged("plain", {PASSWORD: 1, PASSWORD.upper(): 2}, Secret(PASSWORD)).divergence
    assert found is not None
    assert isinstance(found.seen_snapshot, str)
    assert PASSWORD not in found.seen_snapshot
