"""External tools: rules for calls that a framework or a server makes."""

from __future__ import annotations

import asyncio
import inspect
from typing import Any

import pytest

from muscle_mem import Check, Engine, Outcome, Reason
from muscle_mem._runtime.external_tools import Offer, schema_version, see_external, signature_of_schema
from muscle_mem.errors import InvalidTypeError, InvalidValueError, NotReadyError
from muscle_mem.events import NoticeEvent

SCHEMA = {"type": "object", "properties": {"order": {"type": "string"}}, "required": ["order"]}


def run(engine: Engine, calls: list[Any], **options: Any) -> Outcome:
    """Do a task in a session whose model requests these calls, and then ends."""
    script = [calls, []]
    with engine.session("the task", **options) as session:
        while True:
            turn = session.next()
            if hasattr(turn, "outcome"):
                return turn.outcome  # type: ignore[no-any-return]
            if hasattr(turn, "handover"):
                session.said(script.pop(0))
            else:
                session.done(turn, {"done": turn.name})


def test_a_tool_that_is_no_function_is_recorded_and_replayed_under_its_check() -> None:
    engine, state = Engine(observers=lambda event: None), {"open": True}
    engine.external_tool("refund", Check(lambda order: state["open"]), effect="write")
    assert run(engine, [("refund", {"order": "A-1001"})]).learned
    assert run(engine, []).steps == 1
    state["open"] = False
    assert run(engine, []).reason is Reason.FIRST_CHECK_REFUSED


def test_its_captures_may_be_async_in_an_async_session() -> None:
    engine = Engine(observers=lambda event: None)

    async def look(order: str) -> str:
        return f"{order} is open"

    engine.external_tool("refund", Check(look))

    async def once(calls: list[Any]) -> Outcome:
        script = [calls, []]
        async with engine.asession("the task") as session:
            while True:
                turn = await session.next()
                if hasattr(turn, "outcome"):
                    return turn.outcome  # type: ignore[no-any-return]
                if hasattr(turn, "handover"):
                    await session.said(script.pop(0))
                else:
                    await session.done(turn, "refunded")

    assert asyncio.run(once([("refund", {"order": "A-1001"})])).learned
    assert asyncio.run(once([])).steps == 1
    assert run(engine, []).reason is Reason.NEEDS_ACALL


def test_only_a_caller_that_makes_the_call_replays_it() -> None:
    engine = Engine(observers=lambda event: None)
    engine.external_tool("refund", effect="write")
    assert run(engine, [("refund", {"order": "A-1001"})], key="k").learned
    engine.set_agent(lambda task: "asked")
    outcome = engine("the task", key="k")
    assert (outcome.status, outcome.reason) == ("miss", Reason.TOOL_MISSING)
    assert run(engine, [], key="k").steps == 1  # Nothing counted against it.


def test_the_function_that_stands_for_it_says_who_can_call_it() -> None:
    engine = Engine()
    engine.external_tool("refund")
    with pytest.raises(NotReadyError, match="'refund' is an external tool"):
        next(iter(engine._runtime.tools)).fn(order="A-1001")


def offered(engine: Engine, schema: Any = SCHEMA, **annotations: Any) -> Any:
    return see_external(engine._runtime, Offer("refund", schema, **annotations))


def test_a_changed_schema_is_a_changed_tool_unless_a_version_is_declared() -> None:
    changed = {**SCHEMA, "properties": {**SCHEMA["properties"], "note": {"type": "string"}}}  # type: ignore[dict-item]
    for version, expected in ((None, Reason.TOOL_CHANGED), ("1", Reason.HIT)):
        engine = Engine(observers=lambda event: None)
        engine.external_tool("refund", effect="write", version=version)
        offered(engine)
        assert run(engine, [("refund", {"order": "A-1001"})]).learned
        offered(engine)
        assert run(engine, []).reason is Reason.HIT
        offered(engine, changed)
        assert run(engine, []).reason is expected


def test_a_newly_required_argument_is_a_changed_tool_under_a_version_too() -> None:
    engine = Engine(observers=lambda event: None)
    engine.external_tool("refund", effect="write", version="1")
    offered(engine)
    assert run(engine, [("refund", {"order": "A-1001"})]).learned
    offered(engine, {**SCHEMA, "properties": {"order": {}, "why": {}}, "required": ["order", "why"]})
    assert run(engine, []).reason is Reason.TOOL_CHANGED


def test_texts_for_the_model_are_no_part_of_a_schema() -> None:
    told = {"title": "Refund", "type": "object", "required": ["order"]}
    told["properties"] = {"order": {"type": "string", "description": "Its number."}}
    assert schema_version(told) == schema_version(SCHEMA)
    named = {"type": "object", "properties": {"description": {"type": "string"}}}
    assert schema_version(named) != schema_version({"type": "object", "properties": {}})
    assert schema_version({"properties": {"a": {}, "b": {}}}) == schema_version({"properties": {"b": {}, "a": {}}})


@pytest.mark.parametrize(
    ("annotations", "effect"),
    [
        ({}, None),
        ({"read_only": True, "destructive": True}, "read"),
        ({"destructive": True, "idempotent": True}, "irreversible"),
        ({"idempotent": True}, "idempotent"),
        ({"idempotent": True, "destructive": False}, "idempotent"),
        ({"destructive": False}, "write"),
        ({"read_only": False}, None),
    ],
)
def test_annotations_say_the_effect_where_none_is_declared(annotations: Any, effect: Any) -> None:
    assert offered(Engine(), **annotations).effect == effect
    declared = Engine()
    declared.external_tool("refund", effect="write")
    assert offered(declared, **annotations).effect == "write"


def test_a_strict_engine_does_not_replay_what_was_never_declared() -> None:
    for declares in (False, True):
        engine = Engine(strict=True, observers=lambda event: None)
        if declares:
            engine.external_tool("refund")
        offered(engine, read_only=True)
        assert run(engine, [("refund", {"order": "A-1001"})]).learned
        expected = Reason.HIT if declares else Reason.NOT_REPLAYABLE
        assert run(engine, []).reason is expected


def test_rules_hold_whether_they_are_given_before_or_after_the_tool_is_seen() -> None:
    for is_first in (True, False):
        engine = Engine(observers=lambda event: None)
        if is_first:
            engine.external_tool("refund", Check(lambda order: order), secret=["order"])
        offered(engine)
        if not is_first:
            engine.external_tool("refund", Check(lambda order: order), secret=["order"])
        tool = engine._runtime.tools.external_tool_named("refund")
        assert tool is not None
        assert tool.pre is not None
        assert tool.secret == {"order"}
        assert tool.fingerprint == f"v:{schema_version(SCHEMA)}"


def test_a_capture_that_cannot_take_the_arguments_is_told_at_first_sight() -> None:
    notices: list[Any] = []
    engine = Engine(observers=notices.append)
    engine.external_tool("refund", Check(lambda number: number))
    tool = offered(engine)
    assert tool.pre is not None
    [notice] = [event for event in notices if isinstance(event, NoticeEvent)]
    assert notice.code == "external_tool"
    assert run(engine, [("refund", {"order": "A-1001"})]).not_learned is Reason.CAPTURE_FAILED


def test_seeing_a_tool_again_changes_nothing() -> None:
    engine = Engine()
    tool, version = offered(engine), engine._runtime.tools.version
    assert offered(engine) is tool
    assert offered(engine, None) is tool
    assert engine._runtime.tools.version == version


def test_any_names_of_arguments_fit_a_signature() -> None:
    assert str(signature_of_schema(SCHEMA)) == "(*, order, **arguments)"
    closed = {"properties": {"a": {"default": 3}, "from": {}}, "required": ["from"], "additionalProperties": False}
    assert str(signature_of_schema(closed)) == "(*, a=3, **arguments)"
    assert str(signature_of_schema({"properties": {}, "additionalProperties": False})) == "()"
    assert str(signature_of_schema({"properties": {"arguments": {}}})) == "(*, arguments=None, **arguments_)"
    for odd in (None, {}, {"properties": None}, {"properties": [], "required": 3}):
        assert signature_of_schema(odd) == inspect.signature(lambda **arguments: None)


@pytest.mark.parametrize(
    ("options", "error"),
    [
        ({"name": None}, InvalidTypeError),
        ({"name": ""}, InvalidValueError),
        ({"name": "a", "effect": "writes"}, InvalidValueError),
        ({"name": "a", "pre_check": 3}, InvalidTypeError),
        ({"name": "a", "colour": 3}, InvalidTypeError),
    ],
)
def test_bad_rules_are_refused(options: dict[str, Any], error: type[Exception]) -> None:
    with pytest.raises(error):
        Engine().external_tool(options.pop("name"), **options)
