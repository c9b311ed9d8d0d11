"""Classes and example values that the tests of the codec share."""

from __future__ import annotations

import collections
import dataclasses
import datetime as dt
import decimal
import enum
import fractions
import functools
import ipaddress
import pathlib
import types
import typing
import uuid
import zoneinfo

import msgspec
import numpy as np
import pydantic
import pytest

from muscle_mem._core import codec
from muscle_mem._core.codec import registry
from muscle_mem.errors import NotStorableError

T = typing.TypeVar("T")


@dataclasses.dataclass
class CodecPoint:
    x: object
    y: object = 0


@dataclasses.dataclass(frozen=True, slots=True)
class CodecFrozen:
    left: object
    right: object = None


@dataclasses.dataclass
class CodecBox(typing.Generic[T]):
    item: T
    count: typing.ClassVar[int] = 0
    seed: dataclasses.InitVar[int] = 3
    hidden: list[int] = dataclasses.field(init=False)

    def __post_init__(self, seed: int) -> None:
        self.hidden = [seed]

    @functools.cached_property
    def double(self) -> tuple[T, T]:
        return self.item, self.item


class CodecRow(typing.NamedTuple):
    a: object
    b: object = "b"


class CodecColour(enum.Enum):
    RED = (1, [2])
    GREEN = "g"


class CodecNumber(enum.IntEnum):
    ONE = 1


class CodecWord(enum.StrEnum):
    YES = "yes"


class CodecRights(enum.Flag):
    READ = 1
    WRITE = 2


class CodecModel(pydantic.BaseModel):
    model_config = pydantic.ConfigDict(extra="allow", arbitrary_types_allowed=True)
    x: object
    y: object = "y"
    _seen: object = pydantic.PrivateAttr(0)


class CodecStruct(msgspec.Struct):
    x: object
    y: int = 3


BERLIN = zoneinfo.ZoneInfo("Europe/Berlin")
CET = dt.timezone(dt.timedelta(hours=1), "CET")
ALIGNED = np.dtype([("a", "i1"), ("b", "<f8", (2,))], align=True)


def _model() -> CodecModel:
    model = CodecModel(x=[1], more={"k": 1})
    model._seen = (1, 2)
    return model


# One value for each form the codec writes; the names are those of the golden file.
EXAMPLES: dict[str, object] = {
    "none": None,
    "true": True,
    "false": False,
    "zero": 0,
    "int": -1234567,
    "int of 64 bits": 2**64 - 1,
    "big int": 2**64,
    "big negative int": -(10**40),
    "float": 0.1,
    "nan": float("nan"),
    "infinity": float("-inf"),
    "negative zero": -0.0,
    "complex": complex(1.5, float("nan")),
    "empty str": "",
    "str": "grüße 🐍",
    "str with surrogate": "a\ud800b",
    "bytes": b"\x00\xff",
    "bytearray": bytearray(b"abc"),
    "ellipsis": ...,
    "range": range(1, 2**70, 3),
    "slice": slice(None, 5, 2),
    "decimal": decimal.Decimal("1.50"),
    "decimal exponent": decimal.Decimal("-1E+50"),
    "decimal snan": decimal.Decimal("sNaN12"),
    "fraction": fractions.Fraction(-1, 3),
    "uuid": uuid.UUID("12345678-1234-5678-1234-567812345678"),
    "posix path": pathlib.PurePosixPath("/a/b c"),
    "windows path": pathlib.PureWindowsPath("C:\\a\\b"),
    "path of an odd name": pathlib.PurePosixPath("/a/\udcff"),
    "date": dt.date(2024, 2, 29),
    "time": dt.time(1, 2, 3, 4, fold=1),
    "time with zone": dt.time(1, 2, tzinfo=CET),
    "naive datetime": dt.datetime(2024, 1, 2, 3, 4, 5, 6),
    "utc datetime": dt.datetime(2024, 1, 2, tzinfo=dt.UTC),
    "offset datetime": dt.datetime(2024, 1, 2, tzinfo=dt.timezone(dt.timedelta(hours=-3, microseconds=1))),
    "named offset datetime": dt.datetime(2024, 1, 2, tzinfo=CET),
    "zoned datetime": dt.datetime(2024, 10, 27, 2, 30, fold=1, tzinfo=BERLIN),
    "timedelta": dt.timedelta(-1, 5, 7),
    "timezone": dt.timezone(dt.timedelta(minutes=-30), "X"),
    "zoneinfo": BERLIN,
    "empty list": [],
    "list": [1, "a", [2.5, None]],
    "tuple": (1, ("a",), ()),
    "empty dict": {},
    "dict": {"b": 1, "a": [2]},
    "dict with other keys": {1: "a", (2, 3): {"b": b""}, None: 0, "s": 1.5},
    "dict with odd keys": {"\ud800": 1, "a": 2},
    "set": {3, 1, "x"},
    "frozenset": frozenset({(1, 2), frozenset()}),
    "dataclass": CodecPoint([1], CodecFrozen(None)),
    "generic dataclass": CodecBox[int](5),
    "namedtuple": CodecRow(1),
    "enum": CodecColour.RED,
    "int enum": CodecNumber.ONE,
    "str enum": CodecWord.YES,
    "flag": CodecRights.READ,
    "flags": CodecRights.READ | CodecRights.WRITE,
    "no flags": CodecRights(0),
    "pydantic model": _model(),
    "constructed model": CodecModel.model_construct(x=1),
    "msgspec struct": CodecStruct(1, 2),
    "array": np.arange(6, dtype="<i4").reshape(2, 3),
    "empty array": np.zeros((0, 3), dtype="<f8"),
    "array without axes": np.array(1.5, dtype="<f8"),
    "big-endian array": np.array([1, 2], dtype=">u2"),
    "text array": np.array(["ab", "c"], dtype="<U2"),
    "time array": np.array(["2024-01-01", "NaT"], dtype="<M8[ns]"),
    "structured array": np.zeros(2, dtype=ALIGNED),
    "float64": np.float64(0.5),
    "numpy bool": np.bool_(True),
    "numpy str": np.str_("abc"),
    "numpy bytes": np.bytes_(b"abc"),
    "numpy time": np.datetime64("2024-01-01", "s"),
    "numpy record": np.zeros(1, dtype=ALIGNED)[0],
    "ordered dict": collections.OrderedDict({"b": 1, "a": [2], (3,): None}),
    "default dict": collections.defaultdict(list, {"b": [1], 2: []}),
    "default dict without a factory": collections.defaultdict(None, a=1),
    "counter": collections.Counter({"b": 2, "a": -1}),
    "namespace": types.SimpleNamespace(b=1, a=types.SimpleNamespace()),
    "namespace with odd names": types.SimpleNamespace(**{"\ud800": 1, "a b": 2}),
    "ip address": ipaddress.ip_address("192.0.2.1"),
    "ip address with scope": ipaddress.ip_address("fe80::1%eth0"),
    "ip network": ipaddress.ip_network("2001:db8::/32"),
    "ip interface": ipaddress.ip_interface("192.0.2.1/24"),
}


def same(one: object, two: object) -> bool:
    """Whether two values are the same in content and exact type, all the way down; NaN is the same as NaN."""
    if type(one) is not type(two):
        return False
    if isinstance(one, np.ndarray | np.generic):
        return (one.dtype, one.shape, one.tobytes()) == (two.dtype, two.shape, two.tobytes())
    if isinstance(one, list | tuple):
        return len(one) == len(two) and all(map(same, one, two))
    if isinstance(one, types.SimpleNamespace):
        return same(vars(one), vars(two))
    if isinstance(one, collections.defaultdict) and one.default_factory is not two.default_factory:
        return False
    if isinstance(one, dict):
        return same([*one.items()], [*two.items()])
    if isinstance(one, set | frozenset):
        return len(one) == len(two) and all(any(same(a, b) for b in two) for a in one)
    if isinstance(one, enum.Enum):
        return one is two
    if isinstance(one, pydantic.BaseModel):
        parts = ("__dict__", "__pydantic_extra__", "__pydantic_private__", "__pydantic_fields_set__")
        return all(same(getattr(one, part), getattr(two, part)) for part in parts)
    if dataclasses.is_dataclass(one):
        return all(same(getattr(one, f.name), getattr(two, f.name)) for f in dataclasses.fields(one))
    if isinstance(one, msgspec.Struct):
        return same(msgspec.structs.astuple(one), msgspec.structs.astuple(two))
    if isinstance(one, dt.datetime | dt.time):
        return (repr(one), one.fold) == (repr(two), two.fold)
    return repr(one) == repr(two)


def forget(cls):
    """Make a class unknown again, as in another process."""
    registry._current.pop(cls, None)
    registry._by_name.pop(registry.class_name(cls), None)


def nested(levels):
    value = 1
    for _ in range(levels):
        value = [value]
    return value


def refusal(value, error=NotStorableError):
    with pytest.raises(error) as caught:
        codec.encode(value)
    with pytest.raises(error):
        codec.canonical(value)
    return caught.value


def make_class(*fields, name="CodecMade", **options):
    return dataclasses.make_dataclass(name, fields, namespace={"__module__": __name__}, **options)
