"""The codec by example: the form of each type, what is equal, arrays, fold and unfold."""

from __future__ import annotations

import datetime as dt
import json
import pathlib
import subprocess
import sys

import numpy as np
import pytest

import paths
from codec_cases import EXAMPLES, CodecColour, CodecFrozen, CodecModel, CodecPoint, CodecRights, CodecRow, nested, same
from muscle_mem._core import codec
from muscle_mem.errors import DecodeError, NotStorableError

GOLDEN = json.loads((paths.GOLDEN / "codec.json").read_text("utf-8"))

# --- the form ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", EXAMPLES)
def test_the_form_of_each_type_is_the_one_in_the_golden_file(name):
    assert codec.encode(EXAMPLES[name]).hex() == GOLDEN[name]


@pytest.mark.parametrize("name", EXAMPLES)
def test_golden_bytes_give_the_value_back(name):
    codec.encode(EXAMPLES[name])  # makes the classes known
    assert same(codec.decode(bytes.fromhex(GOLDEN[name])), EXAMPLES[name])


def test_every_example_is_in_the_golden_file_and_no_other():
    assert GOLDEN.keys() == EXAMPLES.keys()


def test_the_version_stands_in_front():
    assert codec.encode(1)[0] == codec.VERSION == 1
    with pytest.raises(DecodeError, match="version 2"):
        codec.decode(b"\x02\x01")
    with pytest.raises(DecodeError, match="empty"):
        codec.decode(b"")
    with pytest.raises(DecodeError, match="got str"):
        codec.decode("\x01")


def test_a_digest_is_sha_256():
    assert codec.digest(b"") == bytes.fromhex("e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855")


# --- equal content, equal bytes ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("one", "two"),
    [
        ({"a": 1, "b": 2}, {"b": 2, "a": 1}),
        ({1: 1, "b": {"x": 1, "y": 2}}, {"b": {"y": 2, "x": 1}, 1: 1}),
        (CodecPoint({"a": 1, "b": 2}), CodecPoint({"b": 2, "a": 1})),
        (CodecModel(x=1, p=1, q=2), CodecModel(x=1, q=2, p=1)),
        (CodecModel(x=1, y="y"), CodecModel(x=1)),
        (float("nan"), -float("nan")),
        (np.array([np.nan, 1.0]), np.array([-np.nan, 1.0])),
    ],
)
def test_equal_content_has_equal_canonical_bytes(one, two):
    assert codec.canonical(one) == codec.canonical(two)


def test_types_and_signs_are_content():
    family = [
        *(True, 1, 1.0, "1", b"1", 1 + 0j, np.float64(1), np.int64(1), np.int32(1), [1], (1,), {1}),
        *(frozenset({1}), {1: 1}, {"1": 1}, bytearray(b"1"), 0.0, -0.0, np.array([1.0]), np.array(1.0)),
        *(CodecRow(1, "b"), (1, "b"), CodecRights.READ, pathlib.PurePosixPath("1"), None, False, 0, "", b"", [], {}),
    ]
    assert len({codec.canonical(value) for value in family}) == len(family)


def test_the_faithful_form_keeps_the_order_of_a_dict():
    assert list(codec.decode(codec.encode({"b": 1, "a": 2, 3: 0}))) == ["b", "a", 3]


def test_padding_of_a_structured_array_is_no_content():
    layout = np.dtype([("a", "i1"), ("b", "<f8")], align=True)
    clean = np.zeros(1, layout)
    dirty = np.frombuffer(b"\x00" + b"\xee" * 7 + bytes(8), layout)
    assert codec.encode(clean) == codec.encode(dirty)


# --- arrays -----------------------------------------------------------------------------------------------


def test_a_decoded_array_is_a_copy_of_its_own_that_can_be_changed():
    data = codec.encode(np.arange(3))
    one, two = codec.decode(data), codec.decode(data)
    one[0] = 9
    assert two[0] == 0


@pytest.mark.parametrize("order", ["C", "F"])
def test_arrays_keep_shape_and_content_in_any_memory_order(order):
    array = np.array([[1, 2, 3], [4, 5, 6]], order=order)
    again = codec.decode(codec.encode(array))
    assert again.tolist() == array.tolist()
    assert codec.decode(codec.encode(array[::-1, ::2])).tolist() == array[::-1, ::2].tolist()


@pytest.mark.parametrize(
    "kind", ["?", "i1", "u8", ">i4", "f2", "f4", "c8", "c16", "S3", "U3", "V3", "M8[D]", "m8", "m8[25us]"]
)
def test_every_plain_dtype_comes_back(kind):
    array = np.zeros((2, 2), dtype=kind)
    again = codec.decode(codec.encode(array))
    assert (again.dtype, again.shape, again.tobytes()) == (array.dtype, array.shape, array.tobytes())
    assert same(codec.decode(codec.encode(array[0, 0])), array[0, 0])


def test_nested_structures_keep_offsets_and_padding():
    inner = np.dtype([("t", "<M8[s]"), ("s", "S3")], align=True)
    layout = np.dtype({"names": ["a", "in"], "formats": ["<u2", (inner, (2,))], "offsets": [4, 16], "itemsize": 64})
    array = np.zeros(3, dtype=layout)
    array["a"] = [1, 2, 3]
    again = codec.decode(codec.encode(array))
    assert again.dtype == layout
    assert again.tobytes() == array.tobytes()


# --- fold and unfold --------------------------------------------------------------------------------------


def test_leaves_do_not_unfold():
    for value in (1, "x", b"", None, 1.5, dt.UTC, CodecColour.RED, np.zeros(2), bytearray(), object(), int, len):
        assert codec.unfold(value) is None


def test_leaves_can_be_replaced_and_types_stay():
    def shout(value):
        found = codec.unfold(value)
        if found is None:
            return value.upper() if type(value) is str else value
        kind, children = found
        return codec.fold(kind, [shout(child) for child in children])

    value = {"k": [CodecRow("a"), CodecFrozen(("b", {"c"})), CodecModel(x="d", more="e")]}
    value["k"][2]._seen = "f"
    model = CodecModel(x="D", y="Y", more="E")
    model._seen = "F"
    assert shout(value) == {"K": [CodecRow("A", "B"), CodecFrozen(("B", {"C"})), model]}


@pytest.mark.parametrize(
    ("kind", "children"),
    [
        ("dict", [1, 2, True, 3]),
        ("dict", [1]),
        ("set", [[]]),
        ("frozenset", [{}]),
        ("nonsense", []),
        ("dataclass\0nowhere:Nothing\0x", [1]),
        ("dataclass\0codec_cases:CodecPoint\0x\0y", [1]),
        ("dataclass\0codec_cases:CodecPoint\0x\0y", [1, 2, 3]),
        ("pydantic\0codec_cases:CodecModel\0x\0y", [1, 2]),
    ],
)
def test_children_that_do_not_fit_are_refused(kind, children):
    codec.add_known_classes(CodecPoint | CodecModel)
    with pytest.raises(DecodeError):
        codec.fold(kind, children)


# --- what may be shared -----------------------------------------------------------------------------------


def test_values_that_never_change_may_be_shared():
    for name in ("none", "big int", "nan", "str", "bytes", "decimal", "zoned datetime", "uuid", "posix path", "flags"):
        assert codec.is_immutable(EXAMPLES[name]), name
    assert codec.is_immutable((1, frozenset({(2, "x")}), CodecRow(1), CodecFrozen((1,)), np.float64(1)))


def test_values_that_may_change_are_not_shared():
    for value in ([], {}, set(), bytearray(), CodecPoint(1), np.zeros(1), EXAMPLES["pydantic model"], object()):
        assert not codec.is_immutable(value)
        assert not codec.is_immutable((1, value))
    assert not codec.is_immutable(CodecRow([]))
    assert not codec.is_immutable(CodecFrozen({}))
    deep = ()
    for _ in range(5000):
        deep = (deep,)
    assert not codec.is_immutable(deep)


# --- what comes along -------------------------------------------------------------------------------------


def test_the_codec_brings_no_library_along():
    code = (
        "import sys; from muscle_mem._core import codec; codec.decode(codec.encode([1]))\n"
        "print(sorted({'numpy', 'pydantic', 'torch', 'attrs', 'pickle'} & sys.modules.keys()))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_near_the_end_of_the_stack_both_ways_refuse():
    data = codec.encode(nested(60))

    def sink(action, error):
        try:
            return sink(action, error)
        except RecursionError:
            with pytest.raises(error):
                action()

    sink(lambda: codec.decode(data), DecodeError)
    sink(lambda: codec.encode(nested(60)), NotStorableError)
