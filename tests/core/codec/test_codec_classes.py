"""Classes in the codec: rebuilt without their code; those that change, go, or were never known."""

from __future__ import annotations

import dataclasses
import enum
import functools
import gc
import sys
import types
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
    forget,
    make_class,
    refusal,
)
from muscle_mem._core import codec
from muscle_mem._core.codec import registry
from muscle_mem.errors import DecodeError, UnknownTypeError

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
    codec.add_known_classes(first())
    codec.add_known_classes(make_class("x"))
    gc.collect()
    assert first() is None


def test_a_class_that_gained_a_field_with_a_default_still_fits():
    data = codec.encode(make_class("x")(1))
    later = make_class("x", ("y", list, dataclasses.field(default_factory=list)), ("z", int, 5))
    codec.add_known_classes(later)
    again = codec.decode(data)
    assert (type(again), again.x, again.y, again.z) == (later, 1, [], 5)


@pytest.mark.parametrize("fields", [("y",), ("x", "y"), ()])
def test_a_class_whose_fields_changed_is_an_unknown_type(fields):
    data = codec.encode(make_class("x")(1))
    codec.add_known_classes(make_class(*fields))
    with pytest.raises(UnknownTypeError, match="CodecMade") as caught:
        codec.decode(data)
    assert caught.value.type_name == f"{make_class.__module__}:CodecMade"
    assert codec.decode(data, lenient=True).x == 1


def test_a_class_that_became_another_kind_is_an_unknown_type():
    data = codec.encode(make_class("x")(1))
    codec.add_known_classes(enum.Enum("CodecMade", ["x"], module=make_class.__module__))
    with pytest.raises(UnknownTypeError, match=r"dataclass.*enum"):
        codec.decode(data)


def test_a_pydantic_model_that_gained_a_default_still_fits():
    made = functools.partial(pydantic.create_model, "CodecGrown", __module__=__name__)
    data = codec.encode(made(x=(int, ...))(x=1))
    codec.add_known_classes(made(x=(int, ...), y=(int, 2)))
    assert codec.decode(data).y == 2
    codec.add_known_classes(made(z=(int, ...)))
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
    assert caught.value.type_name == registry.class_name(type(value))
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
    with pytest.raises(DecodeError, match="key of a time zone"):
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
