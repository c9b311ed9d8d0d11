"""The libraries that some checks need and the package does not: loaded when such a check is made."""

from __future__ import annotations

from typing import Any

from ..errors import MissingExtraError


def need_numpy(check: str = "image_similar", extra: str = "images") -> Any:
    """The numpy module."""
    try:
        import numpy
    except ImportError as error:
        raise MissingExtraError(f"{check} needs numpy; pip install 'muscle-mem[{extra}]'") from error
    return numpy


def need_pillow(check: str = "image_similar", extra: str = "images") -> Any:
    """The PIL.Image module."""
    try:
        from PIL import Image
    except ImportError as error:
        raise MissingExtraError(f"{check} needs Pillow; pip install 'muscle-mem[{extra}]'") from error
    return Image


def need_ocr() -> Any:
    """The class RapidOCR."""
    try:
        import onnxruntime  # noqa: F401 - what RapidOCR reads with; it does not bring it
        from rapidocr import RapidOCR
    except ImportError as error:
        raise MissingExtraError(
            "screen_text has no engine that reads. Install one (300 MB) with pip install 'muscle-mem[ocr]', or give "
            "read=, a function of yours that returns the text, such as pytesseract.image_to_string"
        ) from error
    return RapidOCR
