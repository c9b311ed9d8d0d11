"""A check of the text at a place on the screen."""

from __future__ import annotations

import inspect
import threading
import unicodedata
from collections.abc import Callable
from typing import Any

from .._core.model.text import safe_repr
from .._core.tools.check import Check
from ..errors import InvalidTypeError
from . import pictures
from .extras import need_ocr, need_pillow
from .given import Looking, ask, capture_of, identity, need_callable
from .image import AROUND, Place, place_of, require_place

SHOWN = 80
"""The maximum number of characters of a text in explanations."""

# A box is enlarged to 192 pixels instead of the usual 736. Words of a button that were enlarged twelve times were read
# worse, and reading took eight times as long.
ENGINE = {"Global.log_level": "error", "Det.limit_type": "min", "Det.limit_side_len": 192}


def screen_text(
    picture: Callable[..., Any] | None = None,
    *,
    box: tuple[int, int, int, int] | None = None,
    around: tuple[int, int] = AROUND,
    read: Callable[..., Any] | None = None,
    threshold: float = 1.0,
    x: str = "x",
    y: str = "y",
    scale: float = 1.0,
    **options: Any,
) -> Check:
    """Return a check that passes while a part of the screen has the same text.

    White space and case do not count. The text is read by RapidOCR from the extra `ocr`, or by `read`. All functions
    may be async.

    Args:
        picture: Takes the picture, as for `image_similar`. Without it, `read` finds the text.
        box: The part to read, as (x, y, width, height) in units of the tool.
        around: Without `box`, the (width, height) of the part around the tool's `x` and `y`, in units of the tool.
        read: Gets the part as a PIL image (extra `images`) and returns its text. Without `picture`, it gets those of
            the tool's arguments that it names, and no extra is needed.
        threshold: The lowest passing similarity, as the ratio of difflib. A value of 0.9 allows one wrong character in
            ten, even the one that distinguishes two files.
        x: The name of the tool's argument that holds the x coordinate.
        y: The name of the tool's argument that holds the y coordinate.
        scale: How many pixels of the picture one unit of the tool has; 2 on many laptops.
        options: Options of `Check`, such as wait= and every=.

    Raises:
        InvalidTypeError: An argument has the wrong type, or both `picture` and `read` are missing.
        InvalidValueError: An argument has a value that is not allowed.
        MissingExtraError: The extra that is needed is not installed.
    """
    if picture is None and read is None:
        raise InvalidTypeError("invalid screen_text(): expected picture= or read=, got neither. Pass one of them.")
    for name, function in (("picture", picture), ("read", read)):
        if function is not None:
            need_callable("screen_text", name, function)
    place = place_of("screen_text", "box", box, around, x, y, scale)
    if picture is not None:
        need_pillow("screen_text", "ocr" if read is None else "images")
        if read is None:
            need_ocr()
    return _text_check(picture, read, place, None, {"threshold": threshold, **options})


def _text_check(
    picture: Callable[..., Any] | None,
    read: Callable[..., Any] | None,
    place: Place,
    signature: inspect.Signature | None,
    options: dict[str, Any],
) -> Check:
    def look(args: tuple[Any, ...], kwargs: dict[str, Any]) -> Looking:
        if picture is None:
            text = yield ask(read or str, signature, args, kwargs)
        else:
            box = place.box(signature, args, kwargs)
            taken = yield ask(picture, signature, args, kwargs)
            part = pictures.cut(pictures.as_array(taken), box)
            text = read_by_engine(part) if read is None else (yield read(need_pillow().fromarray(part)))
        if not isinstance(text, str):
            raise InvalidTypeError(f"screen_text failed: expected a text from read=, got type {type(text).__name__}")
        return " ".join(text.split())

    def compare(current: str, candidate: str) -> float:
        return similarity(current, candidate)

    def describe(current: str, candidate: str) -> tuple[str, str]:
        near = "" if options["threshold"] >= 1 else f", at least {options['threshold']:g} alike"
        alike = f", {similarity(current, candidate):.2f} alike" if near else ""
        return safe_repr(current, SHOWN) + alike, safe_repr(candidate, SHOWN) + near

    def bind(found: inspect.Signature) -> Check:
        if picture is not None:
            require_place("screen_text", "box", place, found)
        return _text_check(picture, read, place, found, options)

    settings = (tuple(place) if picture is not None else None, "rapidocr" if read is None else "", options["threshold"])
    given = {**identity("screen_text", settings, (picture, read), options), "describe": describe, **options}
    capture = capture_of(look, picture, read)
    return Check(capture, compare, bind=bind if signature is None else None, **given)


def similarity(one: str, other: str) -> float:
    """Return the similarity of two texts.

    It is 1.0 only if they are equal except for white space, case and the spelling of characters.

    Args:
        one: One text.
        other: The other.
    """
    one, other = folded(one), folded(other)
    if one == other:
        return 1.0
    from difflib import SequenceMatcher  # Few programs need it, and it loads slowly.

    return SequenceMatcher(None, one, other, autojunk=False).ratio()


def folded(text: str) -> str:
    """Return a text in lower case, with single spaces and normalized characters."""
    return " ".join(unicodedata.normalize("NFKC", text).casefold().split())


# One engine serves the process: it takes seconds to load, and can be used by one caller at a time.
_engines: list[Any] = []
_one_at_a_time = threading.Lock()


def read_by_engine(part: pictures.Bytes) -> str:
    """Return the text of a picture, read line by line by RapidOCR."""
    with _one_at_a_time:
        if not _engines:
            _engines.append(need_ocr()(params=dict(ENGINE)))
        # The engine expects the channels in the order blue, green, red.
        found = _engines[0](part[:, :, ::-1], use_det=True, use_cls=False, use_rec=True)
    return " ".join(found.txts or ())
