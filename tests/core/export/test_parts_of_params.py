"""E1, E2, A1b: parts of params and secrets of pydantic in shown, exported and imported recordings."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import msgspec
import pytest
from pydantic import SecretStr

from cli_cases import as_json, run
from muscle_mem import Engine, InvalidValueError
from muscle_mem._core.export.document import body_document, body_from_document
from muscle_mem._core.model.records import Body, Leafwise, Lit, Part, PartOf, StepRecord, body_bytes
from param_cases import Address

ORDER: dict[str, Any] = {"name": "Ann Lee", "qty": 150, "to": Address("Elm Street", 1200), "tags": ["express", "paid"]}


def agent_of(engine: Engine, calls: list[Any]) -> None:
    @engine.tool
    def save(*values: Any) -> None:
        calls.append(values)

    def agent(task: str, order: dict[str, Any], who: str, pin: Any) -> None:
        save(order["name"], str(order["qty"]), order["to"].street, order["to"].number, *order["tags"])
        save(who, pin)

    engine.set_agent(agent)


def recorded(path: Path) -> tuple[str, str]:
    """The store and the id of a recording with parts of params, a part of another param and a secret of pydantic."""
    with Engine(str(path)) as engine:
        agent_of(engine, [])
        pin = SecretStr("hunter2-hunter2")
        params = {"order": ORDER, "who": "Ann", "whole": "Ann Bell", "pin": pin}
        outcome = engine("save", ORDER, "Ann", pin, params=params)
        assert outcome.learned
        return str(path), str(outcome.trajectory_id)


def test_a_recording_with_parts_of_params_is_shown_exported_and_imported_again(tmp_path: Path) -> None:
    store, id = recorded(tmp_path / "one.db")
    shown = run("show", id, "--store", store).output
    for text in ("order['name']", "str(order['qty'])", "order['to'].street", "order['tags'][0]", "was a part of"):
        assert text in shown
    exported = run("export", id, "--store", store).output
    assert json.loads(exported)
    assert "hunter2" not in exported
    (tmp_path / "one.json").write_text(exported, encoding="utf-8")
    other = str(tmp_path / "other.db")
    assert run("import", str(tmp_path / "one.json"), "--store", other).exit_code == 0
    first, second = as_json("show", id, "--store", store, "--json"), as_json("show", id, "--store", other, "--json")
    assert first["steps"] == second["steps"]
    source = run("export", id, "--store", store, "--format", "python").output
    for text in ("order['name']", "str(order['qty'])", "order['to'].street"):
        assert text in source.replace('"', "'")
    compile(source, "exported.py", "exec")


def test_a_stored_condition_holds_in_another_process_too(tmp_path: Path) -> None:
    store, _ = recorded(tmp_path / "one.db")
    calls: list[Any] = []
    with Engine(store) as engine:
        agent_of(engine, calls)
        then = {"name": "Bob Ray", "qty": 7, "to": Address("Oak Road", 5), "tags": ["slow", "unpaid"]}
        pin = SecretStr("other-other-other")
        params = {"order": then, "who": "Bob", "whole": "Ann Bell", "pin": pin}
        outcome = engine("save", then, "Bob", pin, params=params)
        assert not outcome, "the part of the other param has changed"
        assert calls[-1] == ("Bob", pin)


BODY = Body(
    form=1,
    steps=(StepRecord("save", "", (("x", Part("p", ("a", 0, ".b"), "text")), ("y", Part("n", (), "number")))),),
    params=("n", "p", "q"),
    leafwise=(Leafwise("p", (("a", 0, ".b"), ()), b"\x01\x02", ((("a", 0, ".b"), 1, -1),)),),
    parts=(PartOf("n", "q", ("k",), (0, 1, 2)),),
)


def test_the_document_of_a_body_has_all_of_it() -> None:
    document = json.loads(json.dumps(body_document(BODY)))
    assert body_bytes(body_from_document(document)) == body_bytes(BODY)
    assert msgspec.msgpack.decode(body_bytes(BODY), type=Body) == BODY


def test_a_body_without_parts_has_the_bytes_that_it_had_before() -> None:
    steps = (StepRecord("a", "", (("x", Lit(b"\x01\x02")),)),)
    plain = msgspec.structs.replace(BODY, steps=steps, leafwise=(), parts=())
    assert len(msgspec.msgpack.decode(body_bytes(plain))) == 8
    assert msgspec.msgpack.decode(body_bytes(plain), type=Body) == plain


@pytest.mark.parametrize(
    "change",
    [
        {"leafwise": []},
        {"leafwise": {"p": {"paths": [[1.5]], "digest": "00"}}},
        {"leafwise": {"p": {"paths": [], "digest": "x"}}},
        {"leafwise": {"p": {}}},
        {"parts": {}},
        {"parts": [{"name": "n", "other": 1}]},
        {"parts": [{"name": 5}]},
        {"steps": [{"tool": "a", "arguments": {"x": {"$param": "p", "form": "nonsense"}}}]},
        {"steps": [{"tool": "a", "arguments": {"x": {"$param": "p", "path": "abc"}}}]},
    ],
)
def test_a_damaged_document_is_refused(change: dict[str, Any]) -> None:
    with pytest.raises(InvalidValueError):
        body_from_document({**body_document(BODY), **change})
