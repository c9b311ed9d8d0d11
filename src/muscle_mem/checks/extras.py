"""Optional libraries that some checks need, loaded when such a check is made."""

from __future__ import annotations

from typing import Any

from ..errors import MissingExtraError


def need_numpy(check: str = "image_similar", extra: str = "images") -> Any:
    """Return the numpy module.

    Args:
        check: The name of the check that needs it.
        extra: The name of the extra that installs it.
    """
    try:
        import numpy
    except ImportError as error:
        raise MissingExtraError(f"{check} needs numpy. Install it with pip install 'muscle-mem[{extra}]'.") from error
    return numpy


def need_pillow(check: str = "image_similar", extra: str = "images") -> Any:
    """Return the PIL.Image module.

    Args:
        check: The name of the check that needs it.
        extra: The name of the extra that installs it.
    """
    try:
        from PIL import Image
    except ImportError as error:
        raise MissingExtraError(f"{check} needs Pillow. Install it with pip install 'muscle-mem[{extra}]'.") from error
    return Image


def need_ocr() -> Any:
    """Return the class RapidOCR."""
    try:
        import onnxruntime  # noqa: F401 - RapidOCR needs it, but does not install it
        from rapidocr import RapidOCR
    except ImportError as error:
        raise MissingExtraError(
            "screen_text needs an OCR engine. Install one (300 MB) with pip install 'muscle-mem[ocr]', or pass a "
            "function that returns the text as read=, such as pytesseract.image_to_string."
        ) from error
    return RapidOCR
