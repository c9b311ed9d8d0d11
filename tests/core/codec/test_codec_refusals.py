"""What the codec refuses, with the path to it and the ways out."""

from __future__ import annotations

import collections
import dataclasses
import datetime as dt
import socket
import sys
import threading

import numpy as np
import pytest

from codec_cases import CodecColour, CodecFrozen, CodecModel, CodecPoint, CodecRights, CodecRow, nested, refusal
from muscle_mem._core import codec
from muscle_mem._core.codec import registry
from muscle_mem.errors import DecodeError, TooLargeError


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
        collections.defaultdict(lambda: 0),
        collections.UserDict(),
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
    assert error.type_name == registry.display_name(type(value))


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
