"""Pictures as arrays, and their similarity. It loads numpy on first use."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any

from ..errors import InvalidTypeError, InvalidValueError
from .extras import need_numpy, need_pillow

if TYPE_CHECKING:
    import numpy
    from numpy.typing import NDArray

    Bytes = NDArray[numpy.uint8]
    Floats = NDArray[numpy.float64]

Box = tuple[int, int, int, int]
WINDOW = 7
"""The side in pixels of the squares that are compared."""

C1, C2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2  # The usual constants of SSIM.

PATCH = 20
"""The side in squares of the patches, of which the least similar one counts."""

SHARE = 0.15
"""The lowest share of squares with structure in a patch that counts."""

STRUCTURE = 4.0
"""The lowest variance (in gray levels squared) of a square with structure."""


def as_array(picture: Any) -> Bytes:
    """Return a picture as an array of height x width x 3 bytes.

    `picture` is an array of bytes (height x width, with 1, 3 or 4 channels in the order red, green, blue, alpha), a
    Pillow image, or the bytes of a PNG or another format that Pillow opens. Raises InvalidTypeError otherwise.
    """
    numpy = need_numpy()
    if isinstance(picture, bytes | bytearray | memoryview):
        picture = need_pillow().open(io.BytesIO(picture))
    if hasattr(picture, "convert") and hasattr(picture, "size"):
        return _of(numpy.asarray(picture.convert("RGB")))
    if not isinstance(picture, numpy.ndarray):
        raise InvalidTypeError(
            f"invalid picture: expected a PIL image, a numpy array or bytes of a PNG, got type {type(picture).__name__}"
        )
    channels = picture.shape[2] if picture.ndim == 3 else 1
    if picture.dtype != numpy.uint8 or picture.ndim not in (2, 3) or channels not in (1, 3, 4) or not picture.size:
        raise InvalidTypeError(
            "invalid picture: expected an array of shape (height, width) or (height, width, 1, 3 or 4) and dtype "
            f"uint8, got {picture.shape} of {picture.dtype}"
        )
    flat = picture.reshape(*picture.shape[:2], channels)
    return _of(flat[:, :, :3] if channels >= 3 else numpy.repeat(flat, 3, axis=2))


def _of(array: Any) -> Bytes:
    found: Bytes = array
    return found


def cut(array: Bytes, box: Box) -> Bytes:
    """Return the part of a picture inside a box, cut at its edges.

    Args:
        array: The picture.
        box: The box, as (x, y, width, height) in pixels.

    Raises:
        InvalidValueError: No part of the box is inside the picture.
    """
    x, y, width, height = box
    tall, wide = array.shape[:2]
    found = array[max(y, 0) : max(y + height, 0), max(x, 0) : max(x + width, 0)]
    if not found.size:
        raise InvalidValueError(
            f"invalid region: expected part of the picture of {wide} x {tall}, got {width} x {height} at x={x}, y={y}"
        )
    return found


def grey(array: Bytes) -> Bytes:
    """Return a picture in shades of gray, by the weights of ITU-R BT.601."""
    numpy = need_numpy()
    weights = numpy.array([299, 587, 114], dtype=numpy.uint32)
    return _of(((array.astype(numpy.uint32) @ weights + 500) // 1000).astype(numpy.uint8))


def smaller(array: Bytes, longest: int) -> Bytes:
    """Return a gray picture shrunk by a whole factor, with averaged pixels.

    Args:
        array: The gray picture.
        longest: The longest side of the result, in pixels.
    """
    numpy = need_numpy()
    height, width = array.shape
    factor = -(-max(height, width) // longest)
    if factor == 1:
        return array
    rows, columns = numpy.arange(0, height, factor), numpy.arange(0, width, factor)
    sums = numpy.add.reduceat(numpy.add.reduceat(array.astype(numpy.uint32), rows, axis=0), columns, axis=1)
    tall = numpy.diff(numpy.append(rows, height))
    wide = numpy.diff(numpy.append(columns, width))
    counts = numpy.outer(tall, wide)
    return _of(((sums + counts // 2) // counts).astype(numpy.uint8))


def likeness(one: Bytes, other: Bytes) -> float:
    """Return the similarity of two gray pictures where they are least similar.

    It is 1.0 for equal pictures and about 0 for unrelated ones, with four digits. It is 0.0 for different sizes.

    It is the structural similarity (SSIM) of Wang, Bovik, Sheikh and Simoncelli (2004) in squares of 7 x 7 pixels of
    the slightly blurred pictures. The squares are averaged over each patch of 20 x 20 pixels, and the lowest average
    counts. Squares without structure are left out: a screen is mostly empty, and an average over all of it would miss
    another word on a button.

    Args:
        one: One picture.
        other: The other.
    """
    numpy = need_numpy()
    if one.shape != other.shape:
        return 0.0
    found, shows = _similar(_soft(one), _soft(other))
    if not shows.any():
        return round(float(found.mean()), 4)
    side = min(PATCH, *found.shape)
    share = _means(shows.astype(numpy.float64), side)
    total = _means(numpy.where(shows, found, 0.0), side)
    enough = share > SHARE
    worst = (total[enough] / share[enough]).min() if enough.any() else 1.0
    return round(float(min(worst, found[shows].mean())), 4)


def _soft(array: Bytes) -> Floats:
    """Return a picture blurred over 3 x 3 pixels.

    So grain and the edges of letters count for less.
    """
    numpy = need_numpy()
    return _means(numpy.pad(array.astype(numpy.float64), 1, mode="edge"), 3)


def _similar(a: Floats, b: Floats) -> tuple[Floats, Any]:
    """Return the similarity of each square, and whether it has structure in one."""
    numpy = need_numpy()
    side = min(WINDOW, *a.shape)
    mean_a, mean_b = _means(a, side), _means(b, side)
    variance_a = _means(a * a, side) - mean_a * mean_a
    variance_b = _means(b * b, side) - mean_b * mean_b
    shared = _means(a * b, side) - mean_a * mean_b
    light = (2 * mean_a * mean_b + C1) / (mean_a * mean_a + mean_b * mean_b + C1)
    found = light * (2 * shared + C2) / (variance_a + variance_b + C2)
    return found, numpy.maximum(variance_a, variance_b) > STRUCTURE


def _means(array: Floats, side: int) -> Floats:
    """Return the mean of each square of side x side, from sums along both axes."""
    numpy = need_numpy()
    height, width = array.shape
    sums = numpy.zeros((height + 1, width + 1))
    sums[1:, 1:] = array.cumsum(axis=0).cumsum(axis=1)
    squares = sums[side:, side:] - sums[:-side, side:] - sums[side:, :-side] + sums[:-side, :-side]
    found: Floats = squares / (side * side)
    return found
