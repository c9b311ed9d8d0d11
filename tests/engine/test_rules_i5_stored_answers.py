"""I5: the stored form of answers: stores of released versions open, and documents hold the answer."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import msgspec
import pytest

from muscle_mem import Engine
from muscle_mem._core.export.document import body_document, body_from_document, row_document, row_from_document
from muscle_mem._core.model.blobs import decode_message, pack_row
from muscle_mem._core.model.records import FinalAnswer, Lit, Row
from muscle_mem._core.plan.identity import observation_id
from muscle_mem._core.plan.parallel import decode_body, reorder_row
from muscle_mem.store import open_store


def learned(store: Any, **options: Any) -> Engine:
    engine = Engine(store, answer="recorded", **options)
    look = engine.tool(name="look", effect="read")(lambda order: {"order": order, "paid": True})

    def agent(task: str, order: str) -> str:
        look(order)
        return f"{order} is paid."

    engine.set_agent(agent)
    engine("look", "A-1001", params={"order": "A-1001"})
    return engine


def stored_row(path: Path) -> tuple[Any, Row]:
    store = open_store(str(path))
    [stored] = store.scan().stored
    [(_, observation)] = stored.observations
    store.close()
    return stored, decode_message(observation.body, Row)


OLD_FIELDS = [
    (field.name, field.type) if field.required else (field.name, field.type, field.default)
    for field in msgspec.structs.fields(Row)[: Row.__struct_fields__.index("final")]
]
OldRow: Any = msgspec.defstruct("OldRow", OLD_FIELDS, array_like=True)


def test_i5_a_row_of_an_earlier_release_has_no_answer() -> None:
    row = Row(1, (None,), (None,), outputs=(b"",))
    values = msgspec.msgpack.decode(msgspec.msgpack.encode(row))
    assert Row.__struct_fields__.index("answers") + 1 == Row.__struct_fields__.index("final")
    for older in (values[: Row.__struct_fields__.index("final")], values[:4]):
        assert decode_message(msgspec.msgpack.encode(older), Row).final is None


def test_i5_an_earlier_release_reads_past_an_answer() -> None:
    row = Row(1, (None,), (None,), final=FinalAnswer(Lit(b"\x01"), (b"0",)))
    found = msgspec.msgpack.decode(pack_row(row)[0], type=OldRow)
    assert (found.form, found.pre, found.answers) == (1, (None,), ())


def test_i5_rows_without_an_answer_keep_their_ids() -> None:
    row = Row(1, (b"a",), (None,), outputs=(b"",))
    assert observation_id("trajectory", row) == observation_id("trajectory", msgspec.structs.replace(row, final=None))
    answered = msgspec.structs.replace(row, final=FinalAnswer(Lit(b"\x01"), (b"0",)))
    other = msgspec.structs.replace(row, final=FinalAnswer(Lit(b"\x01"), (b"1",)))
    reworded = msgspec.structs.replace(row, final=FinalAnswer(Lit(b"\x02"), (b"0",)))
    assert len({observation_id("trajectory", each) for each in (row, answered, other, reworded)}) == 3


def test_i5_a_document_holds_the_answer(tmp_path: Path) -> None:
    engine = learned(str(tmp_path / "memory.db"))
    engine.close()
    stored, row = stored_row(tmp_path / "memory.db")
    assert row.final is not None
    body = decode_body(stored.sealed.body)
    document = json.loads(json.dumps([body_document(body), row_document(row)]))
    assert row_from_document(document[1], body_from_document(document[0])) == row


@pytest.mark.parametrize("first", [0, 1])
def test_i5_the_results_of_overlapping_calls_belong_to_their_calls(first: int) -> None:
    totals = {"A-1001": 30, "B-2002": 40}
    engine = Engine(answer="recorded")

    @engine.tool(name="look", effect="read")
    async def look(order: str) -> dict[str, Any]:
        await asyncio.sleep(0)
        return {"total": totals[order]}

    async def agent(task: str) -> str:
        orders = list(totals) if first == 0 else list(totals)[::-1]
        await asyncio.gather(*map(look, orders))
        return "A costs 30, B costs 40."

    engine.set_agent(agent)

    async def twice() -> list[Any]:
        await engine.acall("look")
        same = await engine.acall("look")
        totals["A-1001"], totals["B-2002"] = 40, 30
        return [same, await engine.acall("look")]

    same, swapped = asyncio.run(twice())
    assert (same.status, same.value) == ("hit", "A costs 30, B costs 40.")
    assert (swapped.status, swapped.value) == ("hit", None)


def test_i5_show_prints_the_answer_of_a_recording(tmp_path: Path) -> None:
    from click.testing import CliRunner

    from muscle_mem.cli import main

    path = str(tmp_path / "memory.db")
    engine = learned(path)
    [stored] = engine._runtime.library.store.scan().stored
    engine.close()
    shown = CliRunner().invoke(main, ["show", stored.sealed.id, "--store", path])
    assert "f'{order} is paid.'" in shown.output
    shown = CliRunner().invoke(main, ["show", stored.sealed.id, "--store", path, "--json"])
    assert json.loads(shown.output)["observations"][0]["answer"] == "f'{order} is paid.'"


def test_i5_the_results_of_an_answer_move_with_their_steps() -> None:
    row = Row(1, (b"a", b"b", b"c"), (None,) * 3, final=FinalAnswer(Lit(b"x"), (b"0", b"1", b"2")))
    moved = reorder_row(row, (2, 0, 1))
    assert moved.final is not None
    assert moved.pre == (b"b", b"c", b"a")
    assert moved.final.results == (b"1", b"2", b"0")
