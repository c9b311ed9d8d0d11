"""The codec by example: each type, each refusal with its path, classes that come, go and change."""

from __future__ import annotations

import collections
import dataclasses
import datetime as dt
import enum
import functools
import gc
import json
import pathlib
import socket
import subprocess
import sys
import threading
import types
import typing
import weakref

import numpy as np
import pydantic
import pytest

from codec_cases import (
    EXAMPLES,
    CodecBox,
    CodecColour,
    CodecFrozen,
    CodecModel,
    CodecPoint,
    CodecRights,
    CodecRow,
    same,
)
from muscle_mem._core import codec, codec_types
from muscle_mem.errors import (
    DecodeError,
    InvalidTypeError,
    NotStorableError,
    TooLargeError,
    UnknownTypeError,
)

GOLDEN = json.loads((pathlib.Path(__file__).parent / "golden" / "codec.json").read_text("utf-8"))


@pytest.fixture(autouse=True)
def _no_class_is_left_behind():
    saved = codec_types.snapshot()
    yield
    codec_types.restore(saved)


def forget(cls):
    """Make a class unknown again, as in another process."""
    codec_types._current.pop(cls, None)
    codec_types._by_name.pop(codec_types.class_name(cls), None)


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
    with pytest.raises(DecodeError, match="of version 2"):
        codec.decode(b"\x02\x01")
    with pytest.raises(DecodeError, match="empty"):
        codec.decode(b"")
    with pytest.raises(DecodeError, match="not str"):
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


# --- refusals ---------------------------------------------------------------------------------------------


def refusal(value, error=NotStorableError):
    with pytest.raises(error) as caught:
        codec.encode(value)
    with pytest.raises(error):
        codec.canonical(value)
    return caught.value


def test_a_refusal_tells_the_path_the_type_and_the_ways_out():
    with socket.socket() as sock:
        error = refusal({"items": [1, 2, 3, CodecPoint(0, sock)]})
    assert str(error).startswith("['items'][3].y: socket.socket is not storable; pass it as a param")
    assert "muscle_mem.register" in str(error)
    assert (error.path, error.type_name) == ("['items'][3].y", "socket.socket")


@pytest.mark.parametrize(
    ("value", "path"),
    [
        ([object()], "[0]"),
        (({"k": object()},), "[0]['k']"),
        ({(1, len): 2}, f"[key {(1, len)!r}][1]"),
        (CodecRow(1, object()), ".b"),
        (CodecModel(x=1, more=[object()]), ".more[0]"),
        ({"a\ud800": [2**80, object()]}, "['a\\ud800'][1]"),
        (CodecFrozen(CodecPoint(1, [object()])), ".left.y[0]"),
    ],
)
def test_the_path_leads_through_every_container(value, path):
    assert refusal(value).path == path


def no_generator():
    yield 1


class PlainThing:
    pass


class TextLike(str):
    __slots__ = ()


@pytest.mark.parametrize(
    "value",
    [
        object(),
        int,
        len,
        no_generator,
        no_generator(),
        sys,
        threading.Lock(),
        PlainThing(),
        TextLike("x"),
        memoryview(b"x"),
        collections.defaultdict(list),
        collections.OrderedDict(),
        np.array([object()], dtype=object),
        np.ma.array([1]),
        np.longdouble(1),
        np.array(["x"], dtype=np.dtypes.StringDType()),
        np.dtype("i4"),
        slice("a", "b"),
        NotImplemented,
    ],
    ids=lambda value: type(value).__name__,
)
def test_what_has_no_form_is_refused(value):
    error = refusal(value)
    assert error.path == ""
    assert error.type_name == codec_types.spoken_name(type(value))


def test_a_subclass_of_a_builtin_is_refused_with_the_reason():
    assert "derives from str, but only the exact type is" in str(refusal(TextLike("x")))


def test_a_foreign_tzinfo_is_refused():
    class OddZone(dt.tzinfo):
        def utcoffset(self, when):
            return dt.timedelta(0)

    assert "OddZone; use datetime.timezone" in str(refusal(dt.datetime(2024, 1, 1, tzinfo=OddZone())))


def test_a_cycle_is_refused_and_named():
    loop = [1]
    loop.append({"again": loop})
    error = refusal(loop)
    assert "contains itself" in str(error)
    assert error.path == "[1]['again']"
    point = CodecPoint(1)
    point.y = [point]
    assert refusal(point).path == ".y[0]"


def test_the_same_object_twice_is_no_cycle():
    shared = [1]
    assert codec.decode(codec.encode([shared, shared])) == [[1], [1]]


def nested(levels):
    value = 1
    for _ in range(levels):
        value = [value]
    return value


def test_sixty_four_containers_are_the_depth():
    assert codec.decode(codec.encode(nested(64))) == nested(64)
    assert "64 containers" in str(refusal(nested(65), TooLargeError))
    deep = codec.encode(nested(64))
    with pytest.raises(DecodeError, match="too deep"):
        codec.decode(b"\x01\x92\x00" + deep[1:])


@pytest.mark.parametrize(
    "leaf", [2**70, "\ud800", CodecColour.RED, CodecRights(3), dt.UTC, dt.date(2024, 1, 1), (), {}]
)
def test_what_fits_in_depth_when_written_fits_when_read(leaf):
    for levels in (62, 63, 64):
        value = leaf
        for _ in range(levels):
            value = [value]
        try:
            data = codec.encode(value)
        except TooLargeError:
            continue
        assert codec.encode(codec.decode(data)) == data


@pytest.mark.parametrize(
    "value",
    [
        [0] * 11,
        (None,) * 11,
        {str(i): i for i in range(11)},
        {i: i for i in range(6)},
        set(range(11)),
        [[[0] * 4] * 3],
        [CodecPoint(1, 2)] * 4,
    ],
)
def test_more_values_than_the_cap_are_refused(value):
    with pytest.raises(TooLargeError, match="more than 10 values"):
        codec.encode(value, max_nodes=10)


@pytest.mark.parametrize(
    "value",
    ["x" * 101, b"x" * 101, ["x" * 60] * 2, {"x" * 60: "y" * 60}, 2**1000, [2**500] * 2, bytearray(101), np.zeros(20)],
    ids=lambda value: type(value).__name__,
)
def test_more_bytes_than_the_cap_are_refused(value):
    with pytest.raises(TooLargeError, match="100 bytes"):
        codec.encode(value, max_bytes=100)


def test_many_references_to_one_large_string_are_refused_before_they_are_copied():
    big = "x" * 2**23
    with pytest.raises(TooLargeError):
        codec.encode([big] * 10_000)
    explosion = ["x"]
    for _ in range(40):
        explosion = [explosion, explosion]
    with pytest.raises(TooLargeError):
        codec.encode(explosion)


def test_a_value_that_raises_when_it_is_read_is_refused():
    @dataclasses.dataclass(slots=True)
    class Slotted:
        x: int

    unset = object.__new__(Slotted)
    assert "field 'x' that is not set" in str(refusal([unset]))


# --- classes ----------------------------------------------------------------------------------------------


def test_an_instance_is_rebuilt_without_running_its_code():
    ran = []

    @dataclasses.dataclass
    class Loud:
        x: int
        made: int = dataclasses.field(init=False, default=0)

        def __post_init__(self):
            ran.append("post_init")

        def __setattr__(self, name, value):
            ran.append(name)
            object.__setattr__(self, name, value)

    loud = Loud(1)
    object.__setattr__(loud, "made", 7)
    ran.clear()
    again = codec.decode(codec.encode(loud))
    assert (type(again), again.x, again.made, ran) == (Loud, 1, 7, [])


def test_an_attribute_that_is_no_field_is_not_lost_silently():
    point = CodecPoint(1)
    point.note = "x"
    assert "attribute 'note' that is not a field" in str(refusal(point))


def test_a_cached_property_and_the_mark_of_a_generic_are_no_loss():
    box = CodecBox[int](5)
    assert box.double == (5, 5)
    again = codec.decode(codec.encode(box))
    assert again == box
    assert again.double == (5, 5)


def test_a_dataclass_that_is_a_dict_or_an_exception_is_refused():
    @dataclasses.dataclass
    class Failing(Exception):
        code: int

    @dataclasses.dataclass
    class DictLike(dict):
        x: int

    assert "derives from Exception" in str(refusal(Failing(1)))
    assert "derives from dict" in str(refusal(DictLike(1)))


def test_a_field_behind_a_property_is_refused():
    @dataclasses.dataclass
    class Behind:
        x: int

    Behind.x = property(lambda self: 1, lambda self, value: None)
    assert "field 'x' that is a descriptor" in str(refusal(Behind(1)))


def test_a_subclass_of_a_namedtuple_with_attributes_is_refused():
    class Wide(CodecRow):
        pass

    assert codec.decode(codec.encode(Wide(1))) == (1, "b")
    wide = Wide(1)
    wide.note = 1
    assert "'note'" in str(refusal(wide))


def test_a_pydantic_model_keeps_extra_private_and_given_fields():
    model = CodecModel(x=1, more=2)
    model._seen = [3]
    again = codec.decode(codec.encode(model))
    assert again == model
    assert (again.model_extra, again._seen, again.model_fields_set) == ({"more": 2}, [3], {"x", "more"})


def test_an_enum_is_stored_by_the_name_of_its_member():
    data = codec.encode(CodecColour.GREEN)
    assert b"GREEN" in data
    with pytest.raises(UnknownTypeError, match="no member 'GREET'"):
        codec.decode(data.replace(b"GREEN", b"GREET"))


def test_a_flag_whose_bits_are_gone_is_an_unknown_type():
    data = codec.encode(CodecRights(3))
    with pytest.raises(UnknownTypeError, match="changed"):
        codec.decode(data[:-1] + b"\x07")


def make_class(*fields, name="CodecMade", **options):
    return dataclasses.make_dataclass(name, fields, namespace={"__module__": __name__}, **options)


def test_the_latest_class_of_a_name_wins():
    first = make_class("x")
    data = codec.encode(first(1))
    assert type(codec.decode(data)) is first
    second = make_class("x")
    codec.encode(second(1))
    assert type(codec.decode(data)) is second
    codec.encode(first(2))  # an old instance that is still about does not take the name back
    assert type(codec.decode(data)) is second


def test_a_class_that_is_gone_is_not_kept_alive():
    first = weakref.ref(make_class("x"))
    codec.know(first())
    codec.know(make_class("x"))
    gc.collect()
    assert first() is None


def test_a_class_that_gained_a_field_with_a_default_still_fits():
    data = codec.encode(make_class("x")(1))
    later = make_class("x", ("y", list, dataclasses.field(default_factory=list)), ("z", int, 5))
    codec.know(later)
    again = codec.decode(data)
    assert (type(again), again.x, again.y, again.z) == (later, 1, [], 5)


@pytest.mark.parametrize("fields", [("y",), ("x", "y"), ()])
def test_a_class_whose_fields_changed_is_an_unknown_type(fields):
    data = codec.encode(make_class("x")(1))
    codec.know(make_class(*fields))
    with pytest.raises(UnknownTypeError, match="has changed since this was stored") as caught:
        codec.decode(data)
    assert caught.value.type_name == f"{__name__}:CodecMade"
    assert codec.decode(data, lenient=True).x == 1


def test_a_class_that_became_another_kind_is_an_unknown_type():
    data = codec.encode(make_class("x")(1))
    codec.know(enum.Enum("CodecMade", ["x"], module=__name__))
    with pytest.raises(UnknownTypeError, match="it was a dataclass and is a enum"):
        codec.decode(data)


def test_a_pydantic_model_that_gained_a_default_still_fits():
    made = functools.partial(pydantic.create_model, "CodecGrown", __module__=__name__)
    data = codec.encode(made(x=(int, ...))(x=1))
    codec.know(made(x=(int, ...), y=(int, 2)))
    assert codec.decode(data).y == 2
    codec.know(made(z=(int, ...)))
    with pytest.raises(UnknownTypeError):
        codec.decode(data)


# --- classes that are not known ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "attributes"),
    [
        (CodecPoint(1, [2]), {"x": 1, "y": [2]}),
        (CodecRow(1), {"a": 1, "b": "b"}),
        (CodecModel(x=1, more=2), {"x": 1, "y": "y", "more": 2, "_seen": 0}),
        (CodecColour.GREEN, {"name": "GREEN"}),
        (CodecRights(3), {"value": 3}),
    ],
    ids=lambda value: type(value).__name__,
)
def test_an_unknown_class_is_refused_or_becomes_a_record(value, attributes):
    data, form = codec.encode([value]), codec.canonical([value])
    forget(type(value))
    with pytest.raises(UnknownTypeError) as caught:
        codec.decode(data)
    assert caught.value.type_name == codec_types.class_name(type(value))
    (record,) = codec.decode(data, lenient=True)
    assert type(record) is codec.Record
    assert {name: getattr(record, name) for name in attributes} == attributes
    assert codec.encode([record]) == data
    assert codec.canonical([record]) == form


def test_a_record_is_read_only_comparable_and_shows_itself():
    data, other = codec.encode(CodecPoint(1)), codec.encode(CodecPoint(2))
    forget(CodecPoint)
    one, two, three = (codec.decode(each, lenient=True) for each in (data, data, other))
    assert one == two != three
    assert hash(one) == hash(two)
    assert one != 1
    assert repr(one) == "<Record of codec_cases:CodecPoint(x=1, y=0)>"
    assert {"x", "y"} <= set(dir(one))
    with pytest.raises(AttributeError, match="read-only"):
        one.x = 5
    with pytest.raises(AttributeError, match="read-only"):
        del one.x
    with pytest.raises(AttributeError, match="has no attribute 'z'"):
        one.z  # noqa: B018 - to read it is what is tested


def test_unknown_instances_may_be_keys_and_items_of_sets():
    value = {CodecFrozen(1): {CodecFrozen(2), CodecFrozen(3)}}
    data = codec.encode(value)
    forget(CodecFrozen)
    assert codec.encode(codec.decode(data, lenient=True)) == data


def test_without_numpy_an_array_is_an_unknown_type(monkeypatch):
    data = codec.encode({"a": np.arange(3), "b": np.float64(1)})
    monkeypatch.delitem(sys.modules, "numpy")
    with pytest.raises(UnknownTypeError, match="numpy is not imported"):
        codec.decode(data)
    found = codec.decode(data, lenient=True)
    assert found["a"].shape == (3,)
    assert codec.encode(found) == data


def test_a_time_zone_that_this_machine_does_not_know_is_an_unknown_type():
    data = codec.encode([EXAMPLES["zoned datetime"]]).replace(b"Europe/Berlin", b"Europe/Atlnts")
    with pytest.raises(UnknownTypeError, match="time zone"):
        codec.decode(data)
    (record,) = codec.decode(data, lenient=True)
    assert record.isoformat == "2024-10-27T02:30:00"
    assert codec.encode([record]) == data


@pytest.mark.parametrize("key", ["../../etc/pass", "/etc/passwd//", "Europe/../Ber", "."])
def test_the_key_of_a_time_zone_can_name_no_other_file(key):
    data = codec.encode([EXAMPLES["zoneinfo"]]).replace(b"\xadEurope/Berlin", bytes([0xA0 + len(key)]) + key.encode())
    with pytest.raises(DecodeError, match="the key of a time zone"):
        codec.decode(data)


def test_a_tensor_is_stored_as_its_array(monkeypatch):
    class Tensor:
        device = types.SimpleNamespace(type="cpu")

        def __init__(self, array):
            self.array = array

        def detach(self):
            return self

        def numpy(self):
            return self.array

    Tensor.__module__ = "torch"
    data = codec.encode(Tensor(np.arange(3)))
    with pytest.raises(UnknownTypeError, match="torch is not imported"):
        codec.decode(data)
    monkeypatch.setitem(sys.modules, "torch", types.SimpleNamespace(from_numpy=Tensor))
    assert codec.decode(data).array.tolist() == [0, 1, 2]


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


# --- registration -----------------------------------------------------------------------------------------


class Celsius:
    def __init__(self, degrees):
        self.degrees = degrees

    def __eq__(self, other):
        return type(other) is Celsius and self.degrees == other.degrees

    __hash__ = None


def test_a_registered_type_goes_through_its_own_functions():
    codec.register(Celsius, encode=lambda value: {"d": value.degrees}, decode=lambda stored: Celsius(stored["d"]))
    data = codec.encode([Celsius(20.5)])
    assert codec.decode(data) == [Celsius(20.5)]
    assert f"{__name__}:Celsius".encode() in data
    assert codec.unfold(Celsius(1)) is None
    assert not codec.immutable(Celsius(1))


def test_a_later_registration_replaces_the_earlier():
    codec.register(Celsius, encode=lambda value: value.degrees, decode=Celsius, name="celsius")
    data = codec.encode(Celsius(1))
    codec.register(Celsius, encode=lambda value: [value.degrees], decode=lambda s: ("new", s), name="celsius")
    assert codec.decode(data) == ("new", 1)
    assert codec.decode(codec.encode(Celsius(1))) == ("new", [1])


def test_a_registration_comes_before_what_a_class_is():
    cls = make_class("x")
    codec.register(cls, encode=lambda value: value.x, decode=lambda x: cls(x * 2), name="codec-doubled")
    assert codec.decode(codec.encode(cls(2))).x == 4


def test_a_registered_name_outlives_the_move_of_a_class():
    old = make_class("x", name="CodecOld")
    codec.register(old, name="codec-thing")
    data = codec.encode(old(1))
    new = make_class("x", name="CodecNew")
    codec.register(new, name="codec-thing")
    assert type(codec.decode(data)) is new


def test_an_unregistered_name_is_an_unknown_type():
    codec.register(Celsius, encode=lambda value: value.degrees, decode=Celsius, name="codec-celsius")
    data = codec.encode(Celsius(1))
    codec_types._registered.pop("codec-celsius")
    with pytest.raises(UnknownTypeError, match="codec-celsius"):
        codec.decode(data)
    record = codec.decode(data, lenient=True)
    assert record.value == 1
    assert codec.encode(record) == data


def test_registered_functions_that_raise_are_refusals():
    def fail(_):
        raise ValueError("boom")

    codec.register(Celsius, encode=fail, decode=fail, name="codec-failing")
    error = refusal([Celsius(1)])
    assert error.path == "[0]"
    assert "ValueError: boom" in str(error)
    codec.register(Celsius, encode=lambda value: object(), decode=fail, name="codec-failing")
    assert "object is not storable" in str(refusal(Celsius(1)))
    codec.register(Celsius, encode=lambda value: 1, decode=fail, name="codec-failing")
    with pytest.raises(DecodeError, match="boom"):
        codec.decode(codec.encode(Celsius(1)))


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"cls": 5}, "takes a class, not 5"),
        ({"cls": Celsius}, "give encode= and decode="),
        ({"cls": Celsius, "encode": str}, "needs both"),
        ({"cls": Celsius, "decode": str}, "needs both"),
        ({"cls": Celsius, "encode": str, "decode": 5}, "decode= is not callable"),
        ({"cls": Celsius, "encode": str, "decode": str, "name": ""}, "not empty"),
        ({"cls": Celsius, "encode": str, "decode": str, "name": 5}, "not empty"),
        ({"cls": int, "encode": str, "decode": int}, "stored as it is"),
        ({"cls": dict}, "stored as it is"),
    ],
)
def test_misuse_of_register_is_told(arguments, words):
    with pytest.raises(InvalidTypeError, match=words):
        codec.register(**arguments)


# --- know -------------------------------------------------------------------------------------------------


@dataclasses.dataclass
class KnownLeaf:
    n: int


@dataclasses.dataclass
class KnownTree:
    leaf: KnownLeaf | None
    trees: list[KnownTree]


class KnownColour(enum.Enum):
    RED = 1


class KnownRow(typing.NamedTuple):
    leaf: KnownLeaf


class KnownModel(pydantic.BaseModel):
    rows: dict[str, KnownRow]


KnownNew = typing.NewType("KnownNew", KnownLeaf)
KnownVar = typing.TypeVar("KnownVar", bound=KnownLeaf)


@pytest.mark.parametrize(
    ("annotation", "found"),
    [
        (KnownLeaf, [KnownLeaf]),
        (KnownLeaf | None, [KnownLeaf]),
        (typing.Optional[KnownRow], [KnownRow, KnownLeaf]),  # noqa: UP045 - the old spelling is walked too
        (list[dict[str, tuple[KnownColour, ...]]], [KnownColour]),
        (typing.Annotated[KnownModel, "x"], [KnownModel, KnownRow, KnownLeaf]),
        (KnownTree, [KnownTree, KnownLeaf]),
        (typing.Literal[KnownColour.RED], [KnownColour]),
        (collections.abc.Callable[[KnownLeaf], KnownColour], [KnownLeaf, KnownColour]),
        (KnownNew, [KnownLeaf]),
        (KnownVar, [KnownLeaf]),
        (CodecBox[KnownLeaf], [CodecBox, KnownLeaf]),
    ],
    ids=str,
)
def test_know_finds_the_classes_of_an_annotation(annotation, found):
    everything = (KnownLeaf, KnownTree, KnownColour, KnownRow, KnownModel, CodecBox)
    for cls in everything:
        forget(cls)
    codec.know(annotation)
    assert {cls for cls in everything if codec_types.known(codec_types.class_name(cls))} == set(found)


def test_know_never_raises():
    class Hostile:
        def __getattr__(self, name):
            raise RuntimeError(name)

    for annotation in ("KnownLeaf", None, 5, ..., typing.Any, Hostile(), [Hostile()], object(), typing.Self):
        codec.know(annotation)


def test_one_name_that_cannot_be_resolved_does_not_hide_the_others():
    class Half:
        __annotations__ = {"gone": "Nowhere", "leaf": KnownLeaf}

    codec.know(dataclasses.dataclass(Half))
    assert codec_types.known(f"{__name__}:KnownLeaf")


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
    codec.know(CodecPoint | CodecModel)
    with pytest.raises(DecodeError):
        codec.fold(kind, children)


# --- what may be shared -----------------------------------------------------------------------------------


def test_values_that_never_change_may_be_shared():
    for name in ("none", "big int", "nan", "str", "bytes", "decimal", "zoned datetime", "uuid", "posix path", "flags"):
        assert codec.immutable(EXAMPLES[name]), name
    assert codec.immutable((1, frozenset({(2, "x")}), CodecRow(1), CodecFrozen((1,)), np.float64(1)))


def test_values_that_may_change_are_not_shared():
    for value in ([], {}, set(), bytearray(), CodecPoint(1), np.zeros(1), EXAMPLES["pydantic model"], object()):
        assert not codec.immutable(value)
        assert not codec.immutable((1, value))
    assert not codec.immutable(CodecRow([]))
    assert not codec.immutable(CodecFrozen({}))
    deep = ()
    for _ in range(5000):
        deep = (deep,)
    assert not codec.immutable(deep)


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
