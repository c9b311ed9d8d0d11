"""The text that stands on the screen at a known place, read by an engine or by a function of the user's."""

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

SHOWN = 80  # characters of a text in explanations
# A box is enlarged until its shorter side has so many pixels, not the usual 736: the words of a button, blown up twelve
# times, were read worse and took eight times as long.
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
    """Passes while a part of the screen says what it said when recorded, white space and case apart.

    `picture`, `around`, `x`, `y` and `scale` are those of `image_similar`; `box` is a fixed place as (x, y, width,
    height). The text is read by RapidOCR from the extra `ocr`, or by `read`: a function that gets the part as a PIL
    image (extra `images`) and returns its text. Without `picture`, `read` gets those of the tool's arguments that it
    names and finds the text by itself; that needs no extra. All of them may be async.

    With a `threshold` below 1.0 the texts need only be that similar, as difflib's ratio says: 0.9 forgives one
    character in ten, even the one that distinguishes two files. Raises MissingExtraError if no engine is there,
    InvalidTypeError or InvalidValueError for misuse.
    """
    if picture is None and read is None:
        raise InvalidTypeError("screen_text needs a picture, or read=, a function that returns the text")
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
            raise InvalidTypeError(f"read must return the text, got {type(text).__name__}")
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
    """How alike two texts are: 1.0 only if they are equal but for white space, case and spelling of characters."""
    one, other = folded(one), folded(other)
    if one == other:
        return 1.0
    from difflib import SequenceMatcher  # loads more than most programs need

    return SequenceMatcher(None, one, other, autojunk=False).ratio()


def folded(text: str) -> str:
    """A text in one case, with single spaces, and with one spelling of each character (NFKC)."""
    return " ".join(unicodedata.normalize("NFKC", text).casefold().split())


_engines: list[Any] = []  # one for the process: it takes seconds to load, and serves one caller at a time
_one_at_a_time = threading.Lock()


def read_by_engine(part: pictures.Bytes) -> str:
    """The text of a picture, line by line, read by RapidOCR."""
    with _one_at_a_time:
        if not _engines:
            _engines.append(need_ocr()(params=dict(ENGINE)))
        found = _engines[0](part[:, :, ::-1], use_det=True, use_cls=False, use_rec=True)  # it reads blue, green, red
    return " ".join(found.txts or ())
