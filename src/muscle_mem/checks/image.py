"""The picture around an action: whether it still looks as it did."""

from __future__ import annotations

import inspect
import io
import math
import zlib
from collections.abc import Callable
from typing import Any, NamedTuple

from .._core.tools.check import Check
from ..errors import InvalidTypeError, InvalidValueError
from . import pictures
from .extras import need_numpy, need_pillow
from .given import Looking, argument, ask, capture_of, identity, need_callable

AROUND = (120, 60)  # pixels, the tool's x and y in the middle
LONGEST = 256  # pixels; the longest side of what is stored
THRESHOLD = 0.85  # measured by scripts/measure_images.py
KEEP = ("thumbnail", "pixels")

Snapshot = dict[str, Any]


class Place(NamedTuple):
    """Where a check looks: a fixed region, or a size around the tool's arguments `x` and `y`, in pixels x `scale`."""

    region: pictures.Box | None
    around: tuple[int, int]
    x: str
    y: str
    scale: float

    def box(self, signature: inspect.Signature | None, args: tuple[Any, ...], kwargs: dict[str, Any]) -> pictures.Box:
        """The box of a call, in pixels of the picture."""
        if self.region is not None:
            return _scaled(self.region, self.scale)
        x, y = (_number(argument(signature, name, args, kwargs), name) for name in (self.x, self.y))
        return _scaled(box_around(x, y, self.around), self.scale)


def image_similar(
    picture: Callable[..., Any],
    *,
    region: tuple[int, int, int, int] | None = None,
    around: tuple[int, int] = AROUND,
    threshold: float = THRESHOLD,
    keep: str = "thumbnail",
    x: str = "x",
    y: str = "y",
    scale: float = 1.0,
    **options: Any,
) -> Check:
    """Passes while the screen around the action looks as it did when recorded.

    `picture` takes the picture: it gets those of the tool's arguments that it names (or nothing, or the first) and
    returns a PIL image, a numpy array (height x width x 1, 3 or 4 bytes) or the bytes of a PNG; it may be async.
    `region` is the part to look at as (x, y, width, height); without it, a part of the size `around` with the tool's
    arguments `x` and `y` (their names) in the middle. Both are in the units of the tool; `scale` is how many pixels of
    the picture one unit has, 2 on many laptops. The score is the structural similarity of the least similar patch,
    from 1.0 (equal) down; see `docs/how-to/write-a-good-check.md` for what it was measured to be.

    Stored is a grey thumbnail of at most 256 x 256 pixels, compressed; with keep="pixels" the region in colour, too, as
    a PNG for people to look at. Needs the extra `images`. Raises InvalidTypeError or InvalidValueError for misuse.
    """
    need_callable("image_similar", "picture", picture)
    need_numpy()
    place = place_of("image_similar", "region", region, around, x, y, scale)
    if keep not in KEEP:
        raise InvalidValueError(f"image_similar(keep={keep!r}): say one of {', '.join(map(repr, KEEP))}")
    if isinstance(threshold, int | float) and not isinstance(threshold, bool) and not threshold <= 1:
        raise InvalidValueError(f"image_similar(threshold={threshold!r}): no score is above 1.0")
    return _image_check(picture, place, keep, None, {"threshold": threshold, **options})


def _image_check(
    picture: Callable[..., Any], place: Place, keep: str, signature: inspect.Signature | None, options: dict[str, Any]
) -> Check:
    def look(args: tuple[Any, ...], kwargs: dict[str, Any]) -> Looking:
        box = place.box(signature, args, kwargs)
        taken = yield ask(picture, signature, args, kwargs)
        return snapshot(taken, box, keep)

    def compare(current: Snapshot, candidate: Snapshot) -> float:
        if current["size"] != candidate["size"]:
            return 0.0
        return pictures.likeness(_opened(current), _opened(candidate))

    def describe(current: Snapshot, candidate: Snapshot) -> tuple[str, str]:
        score = compare(current, candidate)
        alike = f"{score:.2f} alike" if current["size"] == candidate["size"] else "of another size"
        return f"{_told(current)}, {alike}", f"{_told(candidate)}, at least {options['threshold']:g} alike"

    def bind(found: inspect.Signature) -> Check:
        require_place("image_similar", "region", place, found)
        return _image_check(picture, place, keep, found, options)

    known = identity("image_similar", (tuple(place), keep, options["threshold"]), (picture,), options)
    given = {**known, "describe": describe, **options}
    capture = capture_of(look, picture)
    return Check(capture, compare, bind=bind if signature is None else None, **given)


def thumbnail(picture: Any, box: pictures.Box) -> pictures.Bytes:
    """What is compared of a picture: the box in grey, shrunk until it is at most 256 pixels on each side."""
    return pictures.smaller(pictures.grey(pictures.cut(pictures.as_array(picture), box)), LONGEST)


def snapshot(picture: Any, box: pictures.Box, keep: str) -> Snapshot:
    """What is stored of a picture: where the part is, its size, its thumbnail, its pixels if they are to be kept."""
    whole = pictures.as_array(picture)
    part = pictures.cut(whole, box)
    small = thumbnail(whole, box)
    height, width = small.shape
    found: Snapshot = {
        "place": box,
        "size": (part.shape[1], part.shape[0]),
        "thumbnail": (width, height),
        "grey": zlib.compress(small.tobytes(), 9),
    }
    if keep == "pixels":
        kept = io.BytesIO()
        need_pillow().fromarray(part).save(kept, "PNG")
        found["png"] = kept.getvalue()
    return found


def _opened(snapshot: Snapshot) -> pictures.Bytes:
    """The thumbnail of a snapshot. Raises InvalidValueError for anything else."""
    width, height = snapshot["thumbnail"]
    if not (0 < width <= LONGEST and 0 < height <= LONGEST):
        raise InvalidValueError(f"a thumbnail of {width} x {height} was not made by image_similar")
    data = zlib.decompressobj().decompress(snapshot["grey"], width * height)
    numpy = need_numpy()
    found: pictures.Bytes = numpy.frombuffer(data, numpy.uint8).reshape(height, width)
    return found


def _told(snapshot: Snapshot) -> str:
    x, y, _, _ = snapshot["place"]
    width, height = snapshot["size"]
    return f"{width} x {height} pixels at x={x}, y={y}"


def box_around(x: float, y: float, size: tuple[int, int]) -> pictures.Box:
    """A box (x, y, width, height) of this size with a point in its middle."""
    return math.floor(x) - size[0] // 2, math.floor(y) - size[1] // 2, size[0], size[1]


def _scaled(box: pictures.Box, scale: float) -> pictures.Box:
    if scale == 1:
        return box
    x, y, width, height = (round(number * scale) for number in box)
    return x, y, width, height


def _number(value: Any, name: str) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise InvalidTypeError(
            f"the tool's argument {name!r} is not a coordinate: {value!r}; give the check a fixed place"
        )
    return value


def place_of(check: str, name: str, region: Any, around: Any, x: str, y: str, scale: float) -> Place:
    """The place that a check's arguments mean. Raises InvalidTypeError or InvalidValueError if they mean none."""
    if region is not None:
        region = _whole(check, name, region, 4)
    around = _whole(check, "around", around, 2)
    for box in (region, around):
        if box is not None and min(box[-2:]) <= 0:
            raise InvalidValueError(f"{check}: a width and a height must be above 0, got {box!r}")
    for coordinate in (x, y):
        if not isinstance(coordinate, str):
            raise InvalidTypeError(f"{check}(x=, y=) are the names of the tool's arguments, got {coordinate!r}")
    if isinstance(scale, bool) or not isinstance(scale, int | float):
        raise InvalidTypeError(f"{check}(scale=...) must be a number of pixels, got {scale!r}")
    if not 0 < scale < math.inf:
        raise InvalidValueError(f"{check}(scale=...) must be above 0, got {scale!r}")
    return Place(region, around, x, y, float(scale))


def _whole(check: str, name: str, given: Any, many: int) -> Any:
    form = "(x, y, width, height)" if many == 4 else "(width, height)"
    if not isinstance(given, tuple | list) or not all(type(number) is int for number in given):
        raise InvalidTypeError(f"{check}({name}=...) must be {form} in whole pixels, got {given!r}")
    if len(given) != many:
        raise InvalidValueError(f"{check}({name}=...) must be {form}, got {given!r}")
    return tuple(given)


def require_place(check: str, name: str, place: Place, signature: inspect.Signature) -> None:
    """Raises InvalidValueError if a tool has no such arguments to look around."""
    missing = [one for one in (place.x, place.y) if one not in signature.parameters]
    if place.region is None and missing:
        raise InvalidValueError(
            f"{check}: the tool has no argument {missing[0]!r} to look around; it has "
            f"{', '.join(signature.parameters) or 'none'}. Name them with x= and y=, or give a fixed "
            f"{name}=(x, y, width, height)"
        )
