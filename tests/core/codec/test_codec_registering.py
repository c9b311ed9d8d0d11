"""Types with functions of the users' own, and the classes that annotations make known."""

from __future__ import annotations

import collections
import dataclasses
import enum
import typing

import pydantic
import pytest

from codec_cases import CodecBox, forget, make_class, refusal
from muscle_mem._core import codec
from muscle_mem._core.codec import registry
from muscle_mem.errors import DecodeError, InvalidTypeError, UnknownTypeError

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
    assert not codec.is_immutable(Celsius(1))


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
    registry._registered.pop("codec-celsius")
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
        ({"cls": 5}, "cls=.*5"),
        ({"cls": Celsius}, "encode= and decode="),
        ({"cls": Celsius, "encode": str}, "encode= and decode="),
        ({"cls": Celsius, "decode": str}, "encode= and decode="),
        ({"cls": Celsius, "encode": str, "decode": 5}, "decode=.*5"),
        ({"cls": Celsius, "encode": str, "decode": str, "name": ""}, "name=.*''"),
        ({"cls": Celsius, "encode": str, "decode": str, "name": 5}, "name=.*5"),
        ({"cls": int, "encode": str, "decode": int}, "cls=.*int"),
        ({"cls": dict}, "cls=.*dict"),
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
    codec.add_known_classes(annotation)
    assert {cls for cls in everything if registry.known_class(registry.class_name(cls))} == set(found)


def test_know_never_raises():
    class Hostile:
        def __getattr__(self, name):
            raise RuntimeError(name)

    for annotation in ("KnownLeaf", None, 5, ..., typing.Any, Hostile(), [Hostile()], object(), typing.Self):
        codec.add_known_classes(annotation)


def test_one_name_that_cannot_be_resolved_does_not_hide_the_others():
    class Half:
        __annotations__ = {"gone": "Nowhere", "leaf": KnownLeaf}

    codec.add_known_classes(dataclasses.dataclass(Half))
    assert registry.known_class(f"{__name__}:KnownLeaf")
