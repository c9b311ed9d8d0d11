"""Trajectories as documents: the same bytes come back, and an edited file is read as carefully as a stranger's."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from document_cases import VALUES, orders_in
from muscle_mem import InvalidValueError
from muscle_mem._core import codec
from muscle_mem._core.export.json_values import from_json_value, to_json_value
from muscle_mem.store import Observation, Sealed, Standing, Stored, open_store
from muscle_mem.store.document import from_document, to_document
from muscle_mem.store.jsontext import from_text, to_text


@pytest.mark.parametrize("value", VALUES, ids=lambda value: type(value).__name__)
def test_every_kind_of_value_survives_json(value: Any) -> None:
    data = codec.encode(value)
    text = json.dumps(to_json_value(data), allow_nan=False)
    assert from_json_value(json.loads(text), "it") == data
    assert from_json_value(from_text(to_text(to_json_value(data))), "it") == data


SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.binary()
KEYS = st.text() | st.integers()
TREES = st.recursive(
    SCALARS, lambda inner: st.lists(inner) | st.dictionaries(KEYS, inner) | st.tuples(inner, inner), max_leaves=20
)


@given(TREES)
def test_any_value_survives_json(value: Any) -> None:
    data = codec.encode(value)
    assert from_json_value(from_text(to_text(to_json_value(data))), "it") == data


NAMES = st.sampled_from(["$int", "$set", "$object", "fields", "$time", "$path", "$dict", "$complex", "a"])
RUBBISH = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(NAMES, inner, max_size=2),
    max_leaves=8,
)


@given(RUBBISH)
def test_rubbish_is_refused_with_one_kind_of_error(value: Any) -> None:
    try:
        data = from_json_value(value, "it")
    except InvalidValueError as error:
        told = str(error)
    else:
        told = "it"
        codec.decode(data, lenient=True)
    assert told.startswith("it")


@pytest.fixture(scope="module")
def stored(tmp_path_factory: pytest.TempPathFactory) -> Stored:
    path = tmp_path_factory.mktemp("documents") / "store.db"
    ids = orders_in(path)
    store = open_store(path)
    found = store.get(ids[0])
    store.close()
    assert found is not None
    return found


def test_a_recorded_trajectory_comes_back_exactly(stored: Stored) -> None:
    document = to_document(stored, counts=True)
    assert "raw" not in json.dumps(document)
    assert from_document(from_text(to_text(document))) == stored


def test_ids_may_be_left_out_and_are_made_again(stored: Stored) -> None:
    document = to_document(stored, counts=True)
    del document["id"]
    for one in document["observations"]:
        del one["id"]
    assert from_document(document) == stored


def test_a_recording_that_does_not_say_when_it_was_made_is_as_old_as_can_be(stored: Stored) -> None:
    document = to_document(stored)
    for one in document["observations"]:
        del one["created"]
    assert {row.created for _, row in from_document(document).observations} == {0.0}


def test_without_counts_the_text_stays_the_same_after_a_hit(stored: Stored) -> None:
    hit = msgspec.structs.replace(stored, standing=msgspec.structs.replace(stored.standing, hits=99, last_hit=5.0))
    assert to_text(to_document(hit)) == to_text(to_document(stored))


def test_the_text_is_for_people_and_diffs(stored: Stored) -> None:
    lines = to_text(to_document(stored)).splitlines()
    assert '      "arguments": {"target": "Username", "text": {"$param": "name"}},' in lines
    assert max(map(len, lines)) <= 110
    nasty = msgspec.structs.replace(stored, sealed=msgspec.structs.replace(stored.sealed, task="\u202e\x9b ä 😀"))
    assert '"task": "\\u202e\\u009b ä 😀",' in to_text(to_document(nasty))


def test_bytes_of_another_release_are_kept_as_they_are() -> None:
    odd = Stored(
        sealed=Sealed(
            id="\ud83d\ude00", key=b"k", body=b"\xffrubbish", steps=3, task="\ud83d" + "\ude00", tags=("\ud800",)
        ),
        seq=1,
        standing=Standing(),
        observations=((1, Observation(id="o", body=b"\x00", blobs=(b"1", b""))),),
    )
    document = from_text(to_text(to_document(odd)))
    assert document["raw"] == "/3J1YmJpc2g="
    assert from_document(document, strict=False) == odd


def path_to(document: Any, *path: Any) -> Any:
    for name in path:
        document = document[name]
    return document


def put(*path: Any, value: Any) -> Callable[[Any], None]:
    def change(document: Any) -> None:
        path_to(document, *path[:-1])[path[-1]] = value

    return change


WRONG = [
    (put("muscle_mem", value=2), "form 2"),
    (put("key", value="xyz"), "key: "),
    (put("key", value="00"), "key: "),
    (put("task", value=3), "task: "),
    (put("steps", value={}), "steps: "),
    (put("steps", 0, "tool", value=None), "steps[0].tool: "),
    (put("steps", 0, "colour", value=1), "'colour'"),
    (put("steps", 0, "arguments", "text", value={"$parm": "name"}), "'$parm'"),
    (put("steps", 0, "arguments", "text", value={"$param": 1}), "steps[0].arguments.text.$param: "),
    (
        put("steps", 0, "arguments", "text", value={"$param": "name", "n": 1}),
        "steps[0].arguments.text: ",
    ),
    (put("steps", 0, "arguments", "text", value={"$output": 0}), "steps[0]: "),
    (put("steps", 0, "arguments", "text", value={"$set": [[1]]}), "steps[0].arguments.text: "),
    (put("steps", 0, "arguments", "text", value="Jane"), "id: its steps have the id "),
    (put("steps", 1, "guards", 0, "path", value=["a"]), "steps[1].guards[0].path: "),
    (put("steps", 0, "group", value=5), "steps: invalid parallel group at step 0"),
    (put("fixed", value={"name": "x"}), "fixed.name: "),
    (put("standing", value={"hits": -1}), "standing.hits: "),
    (put("observations", value=[]), "at least one recording"),
    (put("observations", 0, "steps", value=[]), "observations[0].steps: "),
    (put("observations", 0, "steps", 0, "pre", value=1), "observations[0].id: its snapshots have the id "),
    (
        put("observations", 0, "steps", 0, "output", value={"$bytes": "?"}),
        "observations[0].steps[0].output: ",
    ),
    (put("observations", 0, "steps", 0, "seconds", value="x"), "observations[0].steps[0].seconds: "),
    (put("observations", 0, "steps", 1, "pre", value=1), "observations[0].steps[1].pre: "),
    (put("observations", 0, "result", value=9), "observations[0].result: "),
    (put("observations", 0, "created", value=True), "observations[0].created: "),
]


@pytest.mark.parametrize(("change", "told"), WRONG, ids=[told for _, told in WRONG])
def test_an_edited_document_is_refused_with_the_place(stored: Stored, change: Callable[[Any], None], told: str) -> None:
    document = copy.deepcopy(to_document(stored))
    change(document)
    with pytest.raises(InvalidValueError) as caught:
        from_document(document)
    assert told in str(caught.value)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ('{"a": 1, "a": 2}', "'a' twice"),
        ("[NaN]", "NaN is not JSON"),
        ("{", "line 1, column 2"),
        ("[" * 100_000, "nested too deeply"),
        ("1" * 5000, "digits"),
    ],
)
def test_text_that_is_no_json_is_refused(text: str, told: str) -> None:
    with pytest.raises(InvalidValueError, match=told):
        from_text(text)


def test_any_part_replaced_by_anything_gives_the_trajectory_or_one_error(stored: Stored, tmp_path: Path) -> None:
    whole = to_document(stored)

    def places(value: Any, path: tuple[Any, ...] = ()) -> Any:
        yield path
        if isinstance(value, dict | list):
            for name, item in value.items() if isinstance(value, dict) else enumerate(value):
                yield from places(item, (*path, name))

    for path in list(places(whole))[1:]:
        for value in (None, [[]], {}, -1, {"$param": "name"}, {"a": {"$int": []}}):
            document = copy.deepcopy(whole)
            path_to(document, *path[:-1])[path[-1]] = value
            try:
                from_document(document)
            except InvalidValueError:
                pass
