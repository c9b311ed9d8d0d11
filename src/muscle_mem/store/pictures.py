"""Pictures for people, in at most 32 KiB. Pillow is used only to scale large ones."""

from __future__ import annotations

import hashlib
import io
import struct
import zlib
from typing import Any

from .history import PICTURE_BYTES

MAGIC = (b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff")
LONGEST = 1_024
"""The longest side of a scaled picture, in pixels."""

SHORTEST = 64
LARGEST_THUMBNAIL = 256


def picture_hash(data: bytes) -> str:
    """Return the name under which a store keeps a picture."""
    return hashlib.sha256(data).hexdigest()


def check_picture(snapshot: Any) -> bytes:
    """Return what an image check kept as a PNG; empty for other snapshots.

    It is the part in color if the check keeps pixels and they are small enough, else the gray thumbnail.
    """
    if not isinstance(snapshot, dict):
        return b""
    png = snapshot.get("png")
    if isinstance(png, bytes) and len(png) <= PICTURE_BYTES and png.startswith(MAGIC[0]):
        return png
    try:
        width, height = snapshot["thumbnail"]
        if not (0 < width <= LARGEST_THUMBNAIL and 0 < height <= LARGEST_THUMBNAIL):
            return b""
        rows = zlib.decompressobj().decompress(snapshot["grey"], width * height)
    except (KeyError, TypeError, ValueError, zlib.error):
        return b""
    if len(rows) != width * height:
        return b""
    made = _grey_png(width, height, rows)
    while len(made) > PICTURE_BYTES:
        rows = b"".join(rows[at * width : (at + 1) * width : 2] for at in range(0, height, 2))
        width, height = (width + 1) // 2, (height + 1) // 2
        made = _grey_png(width, height, rows)
    return made


def _grey_png(width: int, height: int, rows: bytes) -> bytes:
    lines = b"".join(b"\0" + rows[at * width : (at + 1) * width] for at in range(height))
    head = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    chunks = ((b"IHDR", head), (b"IDAT", zlib.compress(lines, 9)), (b"IEND", b""))
    return MAGIC[0] + b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data)) for kind, data in chunks
    )


def small_picture(taken: Any) -> bytes:
    """Return a picture of a tool in at most 32 KiB; empty if that is not possible.

    Larger ones are scaled down if Pillow is installed.

    Args:
        taken: Bytes of a PNG or JPEG, an image of Pillow, or an array of bytes as `image_similar` takes it. None is no
            picture.

    Raises:
        TypeError: It is something else.
    """
    if taken is None:
        return b""
    if isinstance(taken, bytes | bytearray | memoryview):
        data = bytes(taken)
        if not data.startswith(MAGIC):
            raise TypeError("expected bytes of a PNG or JPEG, got other bytes")
        return data if len(data) <= PICTURE_BYTES else _scaled(data)
    if hasattr(taken, "convert") or hasattr(taken, "__array_interface__"):
        return _scaled(taken)
    raise TypeError(f"expected bytes of a PNG or JPEG, an image or an array, got {type(taken).__name__}")


def _scaled(taken: Any) -> bytes:
    try:
        from PIL import Image
    except ImportError:
        return b""
    opened: Any = taken
    if isinstance(taken, bytes):
        opened = Image.open(io.BytesIO(taken))
    elif not hasattr(taken, "convert"):
        opened = Image.fromarray(taken)
    image = opened.convert("RGB")
    longest = min(LONGEST, max(image.size))
    while longest >= SHORTEST:
        made = image.copy()
        made.thumbnail((longest, longest))
        for quality in (80, 60, 40):
            kept = io.BytesIO()
            made.save(kept, "JPEG", quality=quality)
            if kept.tell() <= PICTURE_BYTES:
                return kept.getvalue()
        longest //= 2
    return b""
