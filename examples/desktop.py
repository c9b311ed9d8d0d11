"""A computer-use agent that remembers: it finds buttons by looking at the screen, and its clicks are replayed.

Run it with `python examples/desktop.py`. The screen is a page in a browser that is driven by nothing but its pixels: a
screenshot, and a mouse at x and y. It needs a Chromium-like browser and `pip install 'muscle-mem[demo]'`, no network
and no model: the agent looks for the pictures of the letters. Pictures of each run go to the folder desktop-pictures;
`--pictures FOLDER` names another, `--composed FILE` writes all of them side by side.

What you see, and what the program asserts of itself:

    run 1   miss       nothing is known; the agent looks six times and clicks six times
    run 2   hit        six clicks are replayed; the agent does not look at all
            (B and E change places with the empty places beside them)
    run 3   diverged   A is replayed; where B was there is nothing, so the agent goes on from there
    run 4   hit        what was learned in run 3 is replayed
"""

from __future__ import annotations

import argparse
import io
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from muscle_mem import Engine, checks
from muscle_mem.demo.browser import ARGS, find_browser

SIZE = (480, 300)
BUTTON = 56  # pixels
WORD = "ABCDEF"
PLACES = {"A": (40, 50), "B": (140, 50), "C": (340, 50), "D": (40, 180), "E": (240, 180), "F": (340, 180)}
MOVED = {"B": (240, 50), "E": (140, 180)}
REPLAYED, BY_AGENT = "#1b9e4b", "#e8710a"
HOW_TO_GET_ONE = (
    "Get one with: pip install 'muscle-mem[demo]', and apt-get install chromium (Debian) or python -m playwright "
    "install chromium; or name one in MUSCLE_MEM_BROWSER."
)


# The screen. Whoever uses it sees pixels and has a mouse; `clicks` is for our assertions only.


class Screen:
    """A desktop with a few buttons on it."""

    def __init__(self, page: Any) -> None:
        self._page = page

    def show(self, places: dict[str, tuple[int, int]]) -> None:
        """Draw the buttons where they are now; none of them was pressed."""
        buttons = "".join(
            f"<img data-letter={letter} src='{face(letter)}' style='left:{x}px;top:{y}px'>"
            for letter, (x, y) in places.items()
        )
        self._page.set_content(
            "<style>body{margin:0;background:#dfe3e8}img{position:absolute}</style>"
            f"<title></title>{buttons}<script>pressed = '';"
            "onclick = event => { pressed += event.target.dataset.letter || '-' }</script>"
        )

    def shot(self) -> bytes:
        """What is on the screen, as a PNG."""
        png: bytes = self._page.screenshot()
        return png

    def click(self, x: int, y: int) -> None:
        """Press the mouse button at a point."""
        self._page.mouse.click(x, y)

    @property
    def pressed(self) -> str:
        """The letters of the buttons that were pressed, "-" for a click into the void."""
        return str(self._page.evaluate("pressed"))


def letter_picture(letter: str) -> Any:
    """How a button looks: what the screen shows, and what the agent looks for."""
    from PIL import Image, ImageDraw, ImageFont

    picture = Image.new("RGB", (BUTTON, BUTTON), "#dfe3e8")
    pen = ImageDraw.Draw(picture)
    pen.rounded_rectangle((0, 0, BUTTON - 1, BUTTON - 1), 8, fill="#ffffff", outline="#5f6368")
    pen.text((BUTTON / 2, BUTTON / 2), letter, fill="#202124", font=ImageFont.load_default(30), anchor="mm")
    return picture


def face(letter: str) -> str:
    """A button's picture as an address that a page can show."""
    import base64

    kept = io.BytesIO()
    letter_picture(letter).save(kept, "PNG")
    return "data:image/png;base64," + base64.b64encode(kept.getvalue()).decode()


# The engine, the tool, and the check: does the screen around this point look as it did when the agent clicked there?

engine = Engine()


class Hand:
    """The tool: it clicks, and remembers where and who asked for it, for the pictures."""

    def __init__(self, screen: Screen) -> None:
        self.screen = screen
        self.clicks: list[tuple[int, int]] = []

    @engine.method(pre_check=checks.image_similar(lambda self: self.screen.shot(), around=(80, 80)))
    def click(self, x: int, y: int) -> None:
        self.screen.click(x, y)
        self.clicks.append((x, y))


# The agent. A model would look at the screenshot; this one compares it with pictures of the letters.


class Agent:
    """Types a word on the buttons. It goes on where a replay stopped."""

    def __init__(self, hand: Hand) -> None:
        self.hand = hand
        self.looks = 0

    def __call__(self, word: str, handover: Any = None) -> str:
        done = len(handover.executed) if handover is not None else 0
        for letter in word[done:]:
            x, y = self.find(letter)
            self.hand.click(x, y)
        return f"pressed {word}"

    def find(self, letter: str) -> tuple[int, int]:
        """Look at the screen and say where the middle of a button is."""
        import numpy
        from PIL import Image

        self.looks += 1
        screen = numpy.asarray(Image.open(io.BytesIO(self.hand.screen.shot())).convert("L"), dtype=numpy.int16)
        wanted = numpy.asarray(letter_picture(letter).convert("L"), dtype=numpy.int16)
        windows = numpy.lib.stride_tricks.sliding_window_view(screen, wanted.shape)[::2, ::2]
        coarse = numpy.abs(windows[:, :, ::4, ::4] - wanted[::4, ::4]).mean(axis=(2, 3))
        best = min(numpy.argsort(coarse, axis=None)[:40], key=lambda at: self._miss(windows, wanted, at))
        if self._miss(windows, wanted, best) > 4:
            raise LookupError(f"no button {letter} is to be seen")
        row, column = numpy.unravel_index(best, coarse.shape)
        return int(column) * 2 + BUTTON // 2, int(row) * 2 + BUTTON // 2

    @staticmethod
    def _miss(windows: Any, wanted: Any, at: int) -> float:
        row, column = divmod(int(at), windows.shape[1])
        return float(abs(windows[row, column] - wanted).mean())


# The story


def play(screen: Screen) -> list[tuple[str, Any]]:
    """Four runs, each asserted; returns the title and the picture of each."""
    hand = Hand(screen)
    agent = Agent(hand)
    engine.set_agent(agent).set_context(hand)
    pictures = []
    story = (
        ("miss", 0, 6, PLACES, "the agent works, its clicks are learned"),
        ("hit", 6, 0, PLACES, "all is replayed"),
        ("diverged", 1, 5, {**PLACES, **MOVED}, "B and E moved: the agent goes on"),
        ("hit", 6, 0, {**PLACES, **MOVED}, "replayed at the new places"),
    )
    for number, (status, replayed, looks, places, title) in enumerate(story, 1):
        screen.show(places)
        before = screen.shot()
        hand.clicks.clear()
        agent.looks = 0
        outcome = engine(WORD)
        print(f"run {number}: {outcome.status}, {outcome.steps} clicks replayed, the agent looked {agent.looks} times")
        assert (outcome.status, outcome.steps, agent.looks) == (status, replayed, looks), outcome.message
        assert screen.pressed == WORD, screen.pressed
        if status == "diverged":
            print(f"       {outcome.message}")
        pictures.append((f"{number}. {status}: {title}", marked(before, hand.clicks, outcome.steps)))
    return pictures


# The pictures


def marked(shot: bytes, clicks: list[tuple[int, int]], replayed: int) -> Any:
    """A screenshot with its clicks numbered: green those that were replayed, orange those of the agent."""
    from PIL import Image, ImageDraw, ImageFont

    picture = Image.open(io.BytesIO(shot)).convert("RGB")
    pen = ImageDraw.Draw(picture)
    for number, (x, y) in enumerate(clicks, 1):
        colour = REPLAYED if number <= replayed else BY_AGENT
        pen.ellipse((x - 30, y - 30, x + 30, y + 30), outline=colour, width=4)
        pen.ellipse((x + 12, y + 12, x + 34, y + 34), fill=colour)
        pen.text((x + 23, y + 23), str(number), fill="white", font=ImageFont.load_default(15), anchor="mm")
    return picture


def composed(pictures: list[tuple[str, Any]]) -> Any:
    """All stages in one picture, with a line that says what the colors mean."""
    from PIL import Image, ImageDraw, ImageFont

    gap, head, foot = 12, 30, 34
    width, height = (SIZE[0] + gap) * 2 + gap, (SIZE[1] + head + gap) * 2 + foot
    sheet = Image.new("RGB", (width, height), "white")
    pen = ImageDraw.Draw(sheet)
    font = ImageFont.load_default(17)
    for index, (title, picture) in enumerate(pictures):
        x, y = gap + index % 2 * (SIZE[0] + gap), index // 2 * (SIZE[1] + head + gap)
        pen.text((x, y + head / 2), title, fill="#202124", font=font, anchor="lm")
        sheet.paste(picture, (x, y + head))
    for x, colour, text in ((gap, REPLAYED, "replayed"), (gap + 120, BY_AGENT, "clicked by the agent")):
        pen.ellipse((x, height - 26, x + 16, height - 10), fill=colour)
        pen.text((x + 24, height - 18), text, fill="#202124", font=font, anchor="lm")
    return sheet


@contextmanager
def open_screen(browser: str) -> Iterator[Screen]:
    """A browser window without a network."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=browser, args=list(ARGS))
        try:
            context = opened.new_context(viewport={"width": SIZE[0], "height": SIZE[1]}, offline=True)
            yield Screen(context.new_page())
        finally:
            opened.close()


def missing() -> str:
    """What keeps this example from running here, or nothing."""
    try:
        import numpy  # noqa: F401 - only whether it is there
        import PIL  # noqa: F401 - likewise
        import playwright  # noqa: F401 - likewise
    except ImportError as error:
        return f"{error.name} is not installed"
    return "" if find_browser() else "no Chromium-like browser was found"


def main() -> int:
    parser = argparse.ArgumentParser(description="A computer-use agent that remembers its clicks.")
    parser.add_argument("--pictures", default="desktop-pictures", metavar="FOLDER", help="where the pictures go")
    parser.add_argument("--composed", metavar="FILE", help="write all of them side by side, too")
    given = parser.parse_args()
    what = missing()
    browser = find_browser()
    if what or browser is None:
        print(f"skipped: {what}. {HOW_TO_GET_ONE}")
        return 0
    with open_screen(browser) as screen:
        pictures = play(screen)
    folder = Path(given.pictures)
    folder.mkdir(parents=True, exist_ok=True)
    for number, (_, picture) in enumerate(pictures, 1):
        picture.save(folder / f"run-{number}.png")
    print(f"pictures: {folder}")
    if given.composed:
        composed(pictures).convert("P", palette=1, colors=64).save(given.composed, optimize=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
