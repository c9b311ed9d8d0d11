"""Measures what `checks.image_similar` answers for screens that are the same and for screens that have changed.

    python scripts/measure_images.py            the table of docs/guides/checks.md
    python scripts/measure_images.py --json     one line of JSON

Needs the extra `images`. The screens are drawn with Pillow's own font, so that everybody gets the same figures.
"""

from __future__ import annotations

import argparse
import io
import json
import random
from collections.abc import Callable

import numpy
from PIL import Image, ImageChops, ImageColor, ImageDraw, ImageFont

from muscle_mem._core import codec
from muscle_mem.checks import image, pictures

WORDS = ("Save", "OK", "Submit order", "A", "Next", "Add to cart", "Sign in", "Delete")
OTHERS = ("Send", "No", "Cancel order", "B", "Back", "Buy it now!", "Sign up", "Rename")
SIZE = (800, 600)
Draw = Callable[[int], Image.Image]


class Look:
    """How a screen is drawn: a form with a button at (x, y), and what may differ."""

    def __init__(self, number: int) -> None:
        spread = random.Random(number)
        self.number = number
        self.word = WORDS[number % len(WORDS)]
        self.x, self.y = spread.randrange(150, 640), spread.randrange(120, 480)
        self.size = spread.choice((12, 14, 16))
        self.back, self.ink = "#f4f5f7", "#202124"
        self.face, self.label = spread.choice((("#1a73e8", "#ffffff"), ("#e8eaed", "#202124"), ("#2e7d32", "#ffffff")))
        self.shift = (0.0, 0.0)
        self.enabled = True
        self.shown = True

    def draw(self) -> Image.Image:
        """The screen, anti-aliased."""
        picture = Image.new("RGB", SIZE, self.back)
        pen = ImageDraw.Draw(picture)
        font = ImageFont.load_default(self.size)
        pen.rectangle((0, 0, SIZE[0], 40), fill="#d2d6dc" if self.back == "#f4f5f7" else "#303134")
        pen.text((16, 10), "Orders  Customers  Reports", fill=self.ink, font=font)
        for row in range(6):
            top = 70 + 80 * row
            pen.text((60, top), f"Field {row + self.number}", fill=self.ink, font=font)
            pen.rectangle((60, top + 24, 300, top + 50), outline="#80868b")
            pen.text((430, top), f"A note on line {row}", fill=self.ink, font=font)
        if self.shown:
            self._button(pen, font)
        return picture

    def _button(self, pen: ImageDraw.ImageDraw, font: ImageFont.FreeTypeFont) -> None:
        x, y = self.x + self.shift[0], self.y + self.shift[1]
        half = pen.textlength(self.word, font=font) / 2 + 14
        face, label = (self.face, self.label) if self.enabled else ("#eceff1", "#b0bec5")
        pen.rounded_rectangle((x - half, y - 16, x + half, y + 16), 5, fill=face, outline="#5f6368")
        pen.text((x, y), self.word, fill=label, font=font, anchor="mm")


def changed(number: int, **how: object) -> Image.Image:
    """The screen with some of its traits changed."""
    look = Look(number)
    for name, value in how.items():
        setattr(look, name, value)
    return look.draw()


def with_pointer(number: int) -> Image.Image:
    picture = Look(number).draw()
    look = Look(number)
    x, y = look.x + 22, look.y + 8
    shape = [(x, y), (x, y + 16), (x + 4, y + 12), (x + 7, y + 18), (x + 9, y + 17), (x + 6, y + 11), (x + 11, y + 11)]
    ImageDraw.Draw(picture).polygon(shape, fill="black", outline="white")
    return picture


def with_caret(number: int) -> Image.Image:
    picture = Look(number).draw()
    look = Look(number)
    ImageDraw.Draw(picture).line((look.x - 50, look.y - 30, look.x - 50, look.y - 14), fill="black")
    return picture


def grainy(number: int) -> Image.Image:
    whole = numpy.asarray(Look(number).draw()) + numpy.random.default_rng(number).normal(0, 6, (*SIZE[::-1], 1))
    return Image.fromarray(whole.round().clip(0, 255).astype(numpy.uint8))


def as_jpeg(number: int) -> Image.Image:
    kept = io.BytesIO()
    Look(number).draw().save(kept, "JPEG", quality=80)
    return Image.open(kept)


def smoothed(number: int) -> Image.Image:
    """Drawn at twice the size and shrunk: other edges, as of another graphics driver."""
    picture = Look(number).draw()
    return picture.resize((SIZE[0] * 3, SIZE[1] * 3), Image.Resampling.BICUBIC).resize(SIZE, Image.Resampling.BILINEAR)


def with_dialog(number: int) -> Image.Image:
    picture = Look(number).draw()
    pen = ImageDraw.Draw(picture)
    pen.rectangle((200, 180, 600, 420), fill="#ffffff", outline="#5f6368")
    font = ImageFont.load_default(16)
    pen.text((224, 200), "Your session has expired", fill="#202124", font=font)
    pen.rounded_rectangle((500, 370, 580, 402), 5, fill="#1a73e8")
    pen.text((540, 386), "Sign in", fill="#ffffff", font=font, anchor="mm")
    return picture


def as_bright(face: str) -> str:
    """Another color that is as bright: the red in place of the blue."""
    red, green, blue = ImageColor.getrgb(face)[:3]
    wanted = 299 * red + 587 * green + 114 * blue
    other = min(range(256), key=lambda level: abs(299 * 30 + 587 * level + 114 * 90 - wanted))
    return f"#{30:02x}{other:02x}{90:02x}"


SAME: dict[str, Draw] = {
    "the same picture": lambda n: Look(n).draw(),
    "grain (deviation of 6 gray levels)": grainy,
    "sent as JPEG, quality 80": as_jpeg,
    "other rendering of edges": smoothed,
    "a little darker (2 %)": lambda n: Look(n).draw().point(lambda v: int(v * 0.98)),
}
BETWEEN: dict[str, Draw] = {
    "a caret blinks beside the button": with_caret,
    "the pointer is on the button": with_pointer,
    "all of it moved by one pixel": lambda n: ImageChops.offset(Look(n).draw(), 1, 0),
    "another color, as bright": lambda n: changed(n, face=as_bright(Look(n).face)),
}
CHANGED: dict[str, Draw] = {
    "another text on the button": lambda n: changed(n, word=OTHERS[n % len(OTHERS)]),
    "the button moved by 6 pixels": lambda n: changed(n, shift=(6.0, 0.0)),
    "the button moved by 40 pixels": lambda n: changed(n, shift=(40.0, 24.0)),
    "the button is gone": lambda n: changed(n, shown=False),
    "the button is disabled": lambda n: changed(n, enabled=False),
    "a dialog over it": with_dialog,
    "dark mode": lambda n: changed(n, back="#202124", ink="#e8eaed", face="#8ab4f8", label="#202124"),
    "an empty page": lambda _: Image.new("RGB", SIZE, "white"),
}


def scores(draw: Draw, many: int, around: tuple[int, int]) -> list[float]:
    """The score of each screen against how it was recorded."""
    found = []
    for number in range(many):
        look = Look(number)
        if draw is with_dialog and not (200 < look.x < 600 and 180 < look.y < 420):
            continue
        box = image.box_around(look.x, look.y, around)
        one, two = (image.thumbnail(picture, box) for picture in (draw(number), look.draw()))
        found.append(pictures.likeness(one, two))
    return sorted(found)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--screens", type=int, default=40)
    parser.add_argument("--around", type=int, nargs=2, default=image.AROUND)
    given = parser.parse_args()
    found = {
        kind: {name: scores(draw, given.screens, tuple(given.around)) for name, draw in cases.items()}
        for kind, cases in (("the same", SAME), ("changed", CHANGED), ("neither", BETWEEN))
    }
    lowest = min(min(one) for one in found["the same"].values())
    highest = max(max(one) for one in found["changed"].values())
    if given.json:
        told = {kind: {name: [one[0], one[-1]] for name, one in cases.items()} for kind, cases in found.items()}
        print(json.dumps({"screens": given.screens, "lowest_same": lowest, "highest_changed": highest, **told}))
        return
    print("| what is seen | lowest | median | highest |\n| --- | --- | --- | --- |")
    for kind, cases in found.items():
        print(f"| **{kind}** | | | |")
        for name, one in cases.items():
            print(f"| {name} | {one[0]:.3f} | {one[len(one) // 2]:.3f} | {one[-1]:.3f} |")
    kept = sorted(
        len(
            codec.canonical(
                image.snapshot(Look(n).draw(), (Look(n).x - 60, Look(n).y - 30, *given.around), "thumbnail")
            )
        )
        for n in range(given.screens)
    )
    print(f"\nstored: {kept[0]} to {kept[-1]} bytes, median {kept[len(kept) // 2]}")
    print(f"the lowest of the same: {lowest:.3f}; the highest of the changed: {highest:.3f}")


if __name__ == "__main__":
    main()
