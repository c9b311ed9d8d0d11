"""Pictures of a row: blobs whatever their size, no part of what is compared, and kept by every store and document."""

from __future__ import annotations

import json
import random
from contextlib import closing
from pathlib import Path
from typing import Any

import msgspec
import pytest

from cli_cases import as_json, run
from muscle_mem import Check, DecodeError, Engine
from muscle_mem._core import codec
from muscle_mem._core.export.document import row_document, row_from_document
from muscle_mem._core.model.blobs import BLOB_PREFIX, pack_row, unpack_row
from muscle_mem._core.model.records import FORM, Body, Row, StepRecord
from muscle_mem._core.plan.identity import observation_id
from muscle_mem._core.plan.parallel import row_from_stored_order, row_to_stored_order
from muscle_mem.store import Observation, Stored, open_store

PNG = b"\x89PNG\r\n\x1a\n" + random.Random(1).randbytes(60)
SNAPSHOT = codec.encode("seen")


def a_row(*pictures: bytes, size: int = 3) -> Row:
    return Row(FORM, pre=(SNAPSHOT,) * size, post=(None,) * size, outputs=(SNAPSHOT,) * size, pictures=pictures)


@pytest.mark.parametrize("picture", [b"\x00", b"x", PNG, PNG * 2_000, BLOB_PREFIX + bytes(32)], ids=len)
def test_a_picture_is_a_blob_whatever_its_size(picture: bytes) -> None:
    row = a_row(picture, b"", picture)
    body, blobs = pack_row(row)
    assert blobs == (picture,)
    assert picture not in body or len(picture) == 1
    assert unpack_row(body, blobs) == row
    assert msgspec.msgpack.decode(body, type=Row).pictures[1] == b""
    with pytest.raises(DecodeError):
        unpack_row(body, ())
    with pytest.raises(DecodeError):
        unpack_row(body, (picture + b"!",))


def test_a_snapshot_and_a_picture_of_equal_bytes_share_a_blob() -> None:
    large = codec.encode("x" * 5_000)
    row = msgspec.structs.replace(a_row(large, large, b""), pre=(large,) * 3)
    body, blobs = pack_row(row)
    assert blobs == (large,)
    assert unpack_row(body, blobs) == row


def test_pictures_are_no_part_of_what_is_compared() -> None:
    assert len({observation_id("t", a_row(*pictures)) for pictures in ((), (PNG, b"", b""), (b"x", PNG, PNG))}) == 1


def test_pictures_follow_their_steps_into_the_stored_order_and_back() -> None:
    row = a_row(b"a", b"b", b"c")
    stored = row_to_stored_order(row, (2, 0, 1))
    assert stored.pictures == (b"b", b"c", b"a")
    assert row_from_stored_order(stored, (2, 0, 1)) == row


def test_a_document_holds_pictures() -> None:
    body = Body(FORM, tuple(StepRecord("t", "f", (), pre="x") for _ in range(3)))
    packed, _ = pack_row(a_row(PNG, b"", PNG))
    row = msgspec.msgpack.decode(packed, type=Row)
    document = json.loads(json.dumps(row_document(row)))
    assert row_from_document(document, body).pictures == row.pictures


@pytest.fixture
def pictured(tmp_path: Path) -> tuple[Path, Row]:
    """A store with one recording of two steps that has pictures."""
    path = tmp_path / "memory.db"
    with Engine(path) as engine:
        make(engine)
        id = engine("the task").trajectory_id
    assert id
    with closing(open_store(path)) as store:
        stored = store.get(id)
        assert stored
        ((_, seen),) = stored.observations
        row = msgspec.structs.replace(unpack_row(seen.body, seen.blobs), pictures=(PNG, b"small"))
        body, blobs = pack_row(row)
        store.forget((id,))
        store.seal(stored.sealed, Observation(id=seen.id, body=body, created=seen.created, blobs=blobs))
    return path, row


def make(engine: Engine) -> list[Any]:
    done: list[Any] = []
    shop = ["open"]
    tool = engine.tool(name="act", version=1, pre_check=Check(lambda n: shop[0], version=1))
    act = tool(lambda n: done.append(n))
    engine.set_agent(lambda task: [act(n) for n in (1000, 2000)] and None)
    return done


def rows(store: str | Path) -> list[Row]:
    with closing(open_store(str(store))) as opened:
        found: tuple[Stored, ...] = opened.scan().stored
        return [unpack_row(seen.body, seen.blobs) for one in found for _, seen in one.observations]


@pytest.mark.parametrize("kind", ["sqlite", "folder"])
def test_every_store_keeps_pictures(kind: str, pictured: tuple[Path, Row], tmp_path: Path) -> None:
    path, row = pictured
    assert rows(path) == [row]
    other = str(tmp_path / "other.db") if kind == "sqlite" else f"folder:///{tmp_path}/other"
    assert run("copy", str(path), other).exit_code == 0
    assert rows(other) == [row]
    assert run("verify", "--store", other).exit_code == 0


def test_export_and_import_keep_pictures(pictured: tuple[Path, Row], tmp_path: Path) -> None:
    path, row = pictured
    folder = tmp_path / "all"
    assert run("export", "--all", str(folder), "--store", str(path)).exit_code == 0
    other = str(tmp_path / "imported.db")
    assert run("import", str(folder), "--store", other).exit_code == 0
    assert rows(other) == [row]
    (file,) = folder.glob("*.json")
    document = json.loads(file.read_text())
    assert len(document["observations"][0]["evidence"]["pictures"]) == 2
    assert len(document["observations"][0]["blobs"]) == 2
    (one,) = as_json("ls", "--store", other)
    assert run("show", one["id"], "--store", other).exit_code == 0
    assert run("export", one["id"], "--format", "python", "--store", other).exit_code == 0


def test_a_recording_with_pictures_is_replayed(pictured: tuple[Path, Row]) -> None:
    with Engine(pictured[0]) as engine:
        done = make(engine)
        assert engine("the task")
        assert done == [1000, 2000]
