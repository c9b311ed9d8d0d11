"""A check of the picture around an action."""

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

AROUND = (120, 60)
"""The default width and height in pixels of the region around the tool's x and y."""

LONGEST = 256
"""The longest side in pixels of a stored thumbnail."""

THRESHOLD = 0.85
"""The default lowest passing score, measured by scripts/measure_images.py."""

KEEP = ("thumbnail", "pixels")

Snapshot = dict[str, Any]


class Place(NamedTuple):
    """A fixed region, or a size around the tool's arguments `x` and `y`.

    Both are in units of the tool, each of which has `scale` pixels.
    """

    region: pictures.Box | None
    around: tuple[int, int]
    x: str
    y: str
    scale: float

    def box(self, signature: inspect.Signature | None, args: tuple[Any, ...], kwargs: dict[str, Any]) -> pictures.Box:
        """Return the box of a call, in pixels of the picture.

        Args:
            signature: The signature of the tool, or None if it is unknown.
            args: The positional arguments of the call.
            kwargs: The arguments of the call that were passed by name.
        """
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
    """Return a check that passes while the screen around an action looks the same.

    The score is the structural similarity of the least similar patch, from 1.0 (equal) down. See
    `docs/guides/checks.md` for measured scores. It stores a compressed gray thumbnail of at most 256 x 256
    pixels. Needs the extra `images`.

    Args:
        picture: Takes the picture. It gets those of the tool's arguments that it names, or nothing, or the first. It
            returns a PIL image, a numpy array (height x width x 1, 3 or 4 bytes) or the bytes of a PNG. It may be
            async.
        region: The part to compare, as (x, y, width, height) in units of the tool.
        around: Without `region`, the (width, height) of the part around the tool's `x` and `y`, in units of the tool.
        threshold: The lowest passing score.
        keep: What to store: "thumbnail", or "pixels" for the region in color as well, as a PNG for people to look at.
        x: The name of the tool's argument that holds the x coordinate.
        y: The name of the tool's argument that holds the y coordinate.
        scale: How many pixels of the picture one unit of the tool has; 2 on many laptops.
        options: Options of `Check`, such as wait= and every=.

    Raises:
        InvalidTypeError: An argument has the wrong type.
        InvalidValueError: An argument has a value that is not allowed.
        MissingExtraError: The extra `images` is not installed.
    """
    need_callable("image_similar", "picture", picture)
    need_numpy()
    place = place_of("image_similar", "region", region, around, x, y, scale)
    if keep not in KEEP:
        raise InvalidValueError(
            f"invalid image_similar(keep=...): expected one of {', '.join(map(repr, KEEP))}, got {keep!r}"
        )
    if isinstance(threshold, int | float) and not isinstance(threshold, bool) and not threshold <= 1:
        raise InvalidValueError(
            f"invalid image_similar(threshold=...): expected at most 1.0, got {threshold!r}. Lower it."
        )
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
    """Return the part of a picture that is compared.

    It is the box in gray, shrunk to at most 256 pixels on each side.

    Args:
        picture: A picture as `pictures.as_array` takes it.
        box: The part, as (x, y, width, height) in pixels.
    """
    return pictures.smaller(pictures.grey(pictures.cut(pictures.as_array(picture), box)), LONGEST)


def snapshot(picture: Any, box: pictures.Box, keep: str) -> Snapshot:
    """Return what is stored of a picture.

    It holds the place, the size and the thumbnail of a part, and its pixels if `keep` is "pixels".

    Args:
        picture: A picture as `pictures.as_array` takes it.
        box: The part, as (x, y, width, height) in pixels.
        keep: "thumbnail" or "pixels".
    """
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
    """Return the thumbnail of a snapshot. Raises InvalidValueError for others."""
    width, height = snapshot["thumbnail"]
    if not (0 < width <= LONGEST and 0 < height <= LONGEST):
        raise InvalidValueError(
            f"invalid thumbnail: expected at most {LONGEST} x {LONGEST} pixels, got {width} x {height}"
        )
    data = zlib.decompressobj().decompress(snapshot["grey"], width * height)
    numpy = need_numpy()
    found: pictures.Bytes = numpy.frombuffer(data, numpy.uint8).reshape(height, width)
    return found


def _told(snapshot: Snapshot) -> str:
    x, y, _, _ = snapshot["place"]
    width, height = snapshot["size"]
    return f"{width} x {height} pixels at x={x}, y={y}"


def box_around(x: float, y: float, size: tuple[int, int]) -> pictures.Box:
    """Return a box (x, y, width, height) around a point.

    Args:
        x: The x coordinate of the point.
        y: The y coordinate of the point.
        size: The width and height of the box.
    """
    return math.floor(x) - size[0] // 2, math.floor(y) - size[1] // 2, size[0], size[1]


def _scaled(box: pictures.Box, scale: float) -> pictures.Box:
    if scale == 1:
        return box
    x, y, width, height = (round(number * scale) for number in box)
    return x, y, width, height


def _number(value: Any, name: str) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise InvalidTypeError(
            f"invalid argument {name!r} of the tool: expected a coordinate, got {value!r}. Pass a fixed place."
        )
    return value


def place_of(check: str, name: str, region: Any, around: Any, x: str, y: str, scale: float) -> Place:
    """Return the place that the arguments of a check describe.

    Args:
        check: The name of the check.
        name: The name of its argument for a fixed region.
        region: The fixed region, or None.
        around: The width and height of the part around the tool's arguments.
        x: The name of the tool's argument that holds the x coordinate.
        y: The name of the tool's argument that holds the y coordinate.
        scale: How many pixels one unit of the tool has.

    Raises:
        InvalidTypeError: An argument has the wrong type.
        InvalidValueError: An argument has a value that is not allowed.
    """
    if region is not None:
        region = _whole(check, name, region, 4)
    around = _whole(check, "around", around, 2)
    for box in (region, around):
        if box is not None and min(box[-2:]) <= 0:
            raise InvalidValueError(f"invalid {check}(): expected a width and a height above 0, got {box!r}")
    for coordinate in (x, y):
        if not isinstance(coordinate, str):
            raise InvalidTypeError(
                f"invalid {check}(x=..., y=...): expected names of the tool's arguments, got {coordinate!r}"
            )
    if isinstance(scale, bool) or not isinstance(scale, int | float):
        raise InvalidTypeError(f"invalid {check}(scale=...): expected a number of pixels, got {scale!r}")
    if not 0 < scale < math.inf:
        raise InvalidValueError(f"invalid {check}(scale=...): expected a number above 0, got {scale!r}")
    return Place(region, around, x, y, float(scale))


def _whole(check: str, name: str, given: Any, many: int) -> Any:
    form = "(x, y, width, height)" if many == 4 else "(width, height)"
    if not isinstance(given, tuple | list) or not all(type(number) is int for number in given):
        raise InvalidTypeError(f"invalid {check}({name}=...): expected {form} in whole pixels, got {given!r}")
    if len(given) != many:
        raise InvalidValueError(f"invalid {check}({name}=...): expected {form}, got {given!r}")
    return tuple(given)


def require_place(check: str, name: str, place: Place, signature: inspect.Signature) -> None:
    """Raise InvalidValueError if a tool lacks the arguments that a place uses.

    Args:
        check: The name of the check.
        name: The name of its argument for a fixed region.
        place: The place.
        signature: The signature of the tool.
    """
    missing = [one for one in (place.x, place.y) if one not in signature.parameters]
    if place.region is None and missing:
        raise InvalidValueError(
            f"invalid {check}(): expected an argument {missing[0]!r} of the tool, got "
            f"{', '.join(signature.parameters) or 'none'}. Name it with x= and y=, or pass a fixed "
            f"{name}=(x, y, width, height)."
        )
