"""Pictures of a store, decoded and encoded again.

So no stored byte reaches the browser.
"""

from __future__ import annotations

import io
import zlib
from typing import TYPE_CHECKING, Any

from .._core.binding.references.masking import is_masked
from .._reading.text import decoded

if TYPE_CHECKING:
    from PIL.Image import Image

MOST_PIXELS = 16_000_000
MOST_BYTES = 64_000_000
LONGEST_THUMBNAIL = 256
FORMATS = ("PNG", "JPEG", "GIF", "WEBP", "BMP")
_MAGIC = (b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff", b"GIF8", b"RIFF", b"BM")
MARK = (224, 49, 49)
THRESHOLD = 24


class UndecodablePictureError(ValueError):
    """Error for bytes that are not a picture, or one that is too large."""


def picture_name(id: str, number: int, step: int, role: str) -> str:
    """Return the name of a picture in addresses.

    Args:
        id: The id of the trajectory.
        number: The number of the recording, from 1.
        step: The step.
        role: What the picture is of.
    """
    return f"{role}.{number}.{step}.{id}"


def is_picture(data: bytes) -> bool:
    """Return whether a stored value has the form of one that holds a picture."""
    if not data or is_masked(data):
        return False
    value, error = decoded(data)
    return not error and _bytes_of(value) is not None


def snapshot_picture(data: bytes) -> Image:
    """Return the picture in a stored value. Raises UndecodablePictureError."""
    value, error = (None, "masked") if is_masked(data) else decoded(data)
    found = None if error else _bytes_of(value)
    if found is None:
        raise UndecodablePictureError("the value holds no picture")
    if isinstance(found, tuple):
        return _grey(*found)
    return open_picture(found)


def _bytes_of(value: Any) -> bytes | tuple[bytes, int, int] | None:
    """Return the encoded picture of a value, or gray pixels with width and height."""
    if isinstance(value, bytes):
        return value if value.startswith(_MAGIC) else None
    if type(value) is not dict:
        return None
    if isinstance(value.get("png"), bytes):
        return bytes(value["png"])
    size, grey = value.get("thumbnail"), value.get("grey")
    if isinstance(grey, bytes) and isinstance(size, tuple | list) and len(size) == 2:
        width, height = size
        if type(width) is int and type(height) is int:
            return grey, width, height
    return None


def _grey(data: bytes, width: int, height: int) -> Image:
    if not (0 < width <= LONGEST_THUMBNAIL and 0 < height <= LONGEST_THUMBNAIL):
        raise UndecodablePictureError(f"the thumbnail of {width} x {height} pixels is too large")
    from PIL import Image

    try:
        pixels = zlib.decompressobj().decompress(data, width * height)
        return Image.frombytes("L", (width, height), pixels)
    except Exception as error:  # The bytes come from the store.
        raise UndecodablePictureError(f"the thumbnail cannot be decoded: {error}") from error


def open_picture(data: bytes) -> Image:
    """Return the picture of encoded bytes, without their metadata.

    Raises UndecodablePictureError for other bytes, and for more than MOST_PIXELS pixels.
    """
    if len(data) > MOST_BYTES:
        raise UndecodablePictureError(f"the picture has {len(data)} bytes, more than {MOST_BYTES}")
    from PIL import Image

    try:
        with Image.open(io.BytesIO(data), formats=FORMATS) as opened:
            width, height = opened.size
            if width * height > MOST_PIXELS:
                raise UndecodablePictureError(
                    f"the picture has {width} x {height} pixels, more than {MOST_PIXELS // 1_000_000} megapixels"
                )
            return opened.convert("RGBA" if "A" in opened.mode or "transparency" in opened.info else "RGB")
    except UndecodablePictureError:
        raise
    except Exception as error:  # A decoder may raise anything for crafted bytes.
        raise UndecodablePictureError(f"the picture cannot be decoded: {type(error).__name__}") from error


def png(picture: Image) -> bytes:
    """Return a picture as a PNG that holds its pixels and nothing else."""
    from PIL import Image

    clean = Image.new(picture.mode, picture.size)
    clean.paste(picture)
    kept = io.BytesIO()
    clean.save(kept, "PNG")
    return kept.getvalue()


def difference(one: Image, other: Image) -> Image:
    """Return the second picture in light gray, with the differences in red.

    Raises UndecodablePictureError if their sizes differ.
    """
    if one.size != other.size:
        raise UndecodablePictureError(f"the sizes differ: {one.size} and {other.size}")
    from PIL import Image, ImageChops, ImageFilter

    before, after = one.convert("RGB"), other.convert("RGB")
    changed = ImageChops.difference(before, after).convert("L").point(lambda level: 255 if level > THRESHOLD else 0)
    mask = changed.filter(ImageFilter.MaxFilter(3)) if min(one.size) >= 3 else changed
    pale = Image.blend(after.convert("L").convert("RGB"), Image.new("RGB", after.size, (255, 255, 255)), 0.6)
    pale.paste(MARK, mask=mask)
    return pale
