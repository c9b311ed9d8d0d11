"""An agent on a real X desktop that remembers: it fills a form of a program that it sees as pixels only.

Run it with `python examples/desktop_x.py`. It starts Xvfb, a display without a screen, and a form drawn with Tk. The
agent takes screenshots, and clicks and types by XTEST, as a person's mouse and keyboard would. It needs Debian's xvfb,
python3-tk and libxtst6, and `pip install 'muscle-mem[images]'`; no network and no model: the agent looks for the
colored icons of the form. Pictures of each run go to the folder desktop-x-pictures; `--pictures FOLDER` names another,
`--composed FILE` writes all of them side by side.

What you see, and what the program asserts of itself:

    run 1   miss       nothing is known; the agent looks three times, fills two fields and presses Save
    run 2   hit        the same with another customer; the agent does not look at all
            (a new release of the program starts: a line has pushed the second field and the button down)
    run 3   diverged   the name is replayed; where the city was there is a text, so the agent goes on from there
    run 4   hit        what was learned in run 3 is replayed
"""

from __future__ import annotations

import argparse
import ctypes
import ctypes.util
import json
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from muscle_mem import Engine, checks

SIZE = (440, 280)
ICONS = {"name": (0xC0, 0x1C, 0x28), "city": (0x1C, 0x71, 0xD8), "save": (0x26, 0xA2, 0x69)}
RIGHT_OF_ICON = {"name": 260, "city": 260, "save": 60}  # pixels from an icon to what it stands for
REPLAYED, BY_AGENT = "#1b9e4b", "#e8710a"
HOW_TO_GET_IT = "Get it with: apt-get install xvfb python3-tk libxtst6 (Debian), and pip install 'muscle-mem[images]'"
PATIENCE = 10.0  # seconds for a program to start or to draw
SHIFT = 0xFFE1  # the keysym of the left shift key


# The desktop: a display of its own, a mouse and a keyboard by XTEST, and screenshots.


class Desktop:
    """An X display. Whoever uses it sees pixels, and has a mouse and a keyboard."""

    def __init__(self, display: str) -> None:
        self.display = display
        self._x11, self._xtst = _libraries()
        self._connection = self._x11.XOpenDisplay(display.encode())
        if not self._connection:
            raise OSError(f"cannot open the display {display}")

    def shot(self) -> Any:
        """What is on the screen, as an image of Pillow."""
        from PIL import ImageGrab

        return ImageGrab.grab(xdisplay=self.display)

    def click(self, x: int, y: int) -> None:
        """Move the mouse to a point and press its left button."""
        self._xtst.XTestFakeMotionEvent(self._connection, -1, x, y, 0)
        for is_press in (1, 0):
            self._xtst.XTestFakeButtonEvent(self._connection, 1, is_press, 0)
        self._x11.XSync(self._connection, 0)

    def type(self, text: str) -> None:
        """Press the keys of a text of Latin letters, digits and signs."""
        for character in text:
            key = self._x11.XKeysymToKeycode(self._connection, ord(character))
            if not key:
                raise ValueError(f"the keyboard has no key for {character!r}")
            needs_shift = self._x11.XKeycodeToKeysym(self._connection, key, 0) != ord(character)
            shift = [self._x11.XKeysymToKeycode(self._connection, SHIFT)] if needs_shift else []
            for code in (*shift, key):
                self._xtst.XTestFakeKeyEvent(self._connection, code, 1, 0)
            for code in (key, *shift):
                self._xtst.XTestFakeKeyEvent(self._connection, code, 0, 0)
        self._x11.XSync(self._connection, 0)

    def close(self) -> None:
        """Give up the connection."""
        self._x11.XCloseDisplay(self._connection)


def _libraries() -> tuple[Any, Any]:
    """Xlib and XTEST, with the types of what is called."""
    x11, xtst = (ctypes.CDLL(ctypes.util.find_library(name) or "") for name in ("X11", "Xtst"))
    connection, number, key = ctypes.c_void_p, ctypes.c_int, ctypes.c_uint
    x11.XOpenDisplay.argtypes, x11.XOpenDisplay.restype = [ctypes.c_char_p], connection
    x11.XCloseDisplay.argtypes = [connection]
    x11.XSync.argtypes = [connection, number]
    x11.XKeysymToKeycode.argtypes, x11.XKeysymToKeycode.restype = [connection, ctypes.c_ulong], ctypes.c_ubyte
    x11.XKeycodeToKeysym.argtypes = [connection, ctypes.c_ubyte, number]
    x11.XKeycodeToKeysym.restype = ctypes.c_ulong
    xtst.XTestFakeMotionEvent.argtypes = [connection, number, number, number, ctypes.c_ulong]
    xtst.XTestFakeButtonEvent.argtypes = [connection, key, number, ctypes.c_ulong]
    xtst.XTestFakeKeyEvent.argtypes = [connection, key, number, ctypes.c_ulong]
    return x11, xtst


# The engine, the tools, and their check: does the screen around this point look as it did when the agent acted there?

engine = Engine()


class Hand:
    """The tools: they act, and remember where, for the pictures."""

    def __init__(self, desktop: Desktop) -> None:
        self.desktop = desktop
        self.points: list[tuple[int, int]] = []
        self.before_click: Any = None

    @engine.method(pre_check=checks.image_similar(lambda self: self.desktop.shot(), around=(280, 44), wait=2.0))
    def fill(self, x: int, y: int, text: str) -> None:
        """Click into an empty field and type."""
        self.desktop.click(x, y)
        self.desktop.type(text)
        self.points.append((x, y))

    @engine.method(pre_check=checks.image_similar(lambda self: self.desktop.shot(), around=(100, 50), wait=2.0))
    def click(self, x: int, y: int) -> None:
        """Press the left mouse button."""
        self.before_click = drawn(self.desktop)
        self.desktop.click(x, y)
        self.points.append((x + 54, y))  # Beside the button, so that the picture shows what it is called.


# The agent. A model would look at the screenshot; this one looks for the icons.


class Agent:
    """Enters a customer. It goes on where a replay stopped."""

    def __init__(self, hand: Hand) -> None:
        self.hand = hand
        self.looks = 0

    def __call__(self, task: str, name: str, city: str, handover: Any = None) -> None:
        steps = (
            lambda: self.hand.fill(*self.find("name"), name),
            lambda: self.hand.fill(*self.find("city"), city),
            lambda: self.hand.click(*self.find("save")),
        )
        done = len(handover.executed) if handover is not None else 0
        for step in steps[done:]:
            step()

    def find(self, what: str) -> tuple[int, int]:
        """Look at the screen and say where to act for one of the icons."""
        import numpy

        self.looks += 1
        screen = numpy.asarray(self.hand.desktop.shot().convert("RGB"), dtype=numpy.int16)
        rows, columns = numpy.nonzero(abs(screen - ICONS[what]).max(axis=2) < 8)
        if not len(rows):
            raise LookupError(f"no icon for {what} is to be seen")
        return int(columns.mean()) + RIGHT_OF_ICON[what], int(rows.mean())


# The story

CUSTOMERS = (("Ann Lee", "Oslo"), ("Bob Ray", "Lima"), ("Carol Wu", "Rome"), ("Dan O'Neil", "Cork"))
STORY = (
    ("old", "miss", 0, 3, "the agent works, it is learned"),
    ("old", "hit", 3, 0, "replayed with another customer"),
    ("new", "diverged", 1, 2, "a changed form, so the agent goes on"),
    ("new", "hit", 3, 0, "replayed at the new places"),
)


def play(desktop: Desktop, python: str) -> list[tuple[str, Any]]:
    """Four runs, each asserted; returns the title and the picture of each."""
    hand = Hand(desktop)
    agent = Agent(hand)
    engine.set_agent(agent).set_context(hand)
    pictures: list[tuple[str, Any]] = []
    for layout in dict.fromkeys(story[0] for story in STORY):
        with open_form(desktop, python, layout) as form:
            for number, ((_, status, replayed, looks, title), (name, city)) in enumerate(
                zip(STORY, CUSTOMERS, strict=True), 1
            ):
                if STORY[number - 1][0] != layout:
                    continue
                hand.points.clear()
                agent.looks = 0
                params = {"name": name, "city": city}
                drawn(desktop)
                outcome = engine("enter a customer", **params, params=params)
                saved = json.loads(form.stdout.readline())
                seen = f"{outcome.steps} steps replayed, the agent looked {agent.looks} times"
                print(f"run {number}: {outcome.status}, {seen}")
                assert (outcome.status, outcome.steps, agent.looks) == (status, replayed, looks), outcome.message
                assert saved == params, saved
                if status == "diverged":
                    print(f"       {outcome.message}")
                pictures.append((f"{number}. {status}: {title}", marked(hand.before_click, hand.points, outcome.steps)))
    return pictures


@contextmanager
def open_form(desktop: Desktop, python: str, layout: str) -> Iterator[Any]:
    """The program with the form."""
    file = Path(__file__).with_name("desktop_x_form.py")
    command = [python, str(file), layout]
    environment = {"DISPLAY": desktop.display, "PATH": "/usr/bin:/bin", "LC_ALL": "C.UTF-8"}
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as form:
        try:
            assert form.stdout is not None
            if form.stdout.readline() != "ready\n":
                raise OSError("the form did not start")
            yield form
        finally:
            form.terminate()


def drawn(desktop: Desktop) -> Any:
    """A screenshot, once two in a row are the same and show the form."""
    deadline = time.monotonic() + PATIENCE
    last = desktop.shot()
    while time.monotonic() < deadline:
        time.sleep(0.05)
        now = desktop.shot()
        if now.tobytes() == last.tobytes() and len(now.getcolors(1 << 24)) > 8:
            return now
        last = now
    raise TimeoutError("the form was not drawn")


@contextmanager
def open_desktop() -> Iterator[Desktop]:
    """A display without a screen, on a number that is free."""
    command = ["Xvfb", "-displayfd", "1", "-screen", "0", f"{SIZE[0]}x{SIZE[1]}x24", "-nolisten", "tcp"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as server:
        try:
            assert server.stdout is not None
            number = server.stdout.readline().strip()
            if not number:
                raise OSError("Xvfb did not start")
            desktop = Desktop(f":{number}")
            yield desktop
            desktop.close()
        finally:
            server.terminate()


# The pictures


def marked(shot: Any, points: list[tuple[int, int]], replayed: int) -> Any:
    """A screenshot with its actions numbered: green those that were replayed, orange those of the agent."""
    from PIL import ImageDraw, ImageFont

    picture = shot.convert("RGB")
    pen = ImageDraw.Draw(picture)
    for number, (x, y) in enumerate(points, 1):
        colour = REPLAYED if number <= replayed else BY_AGENT
        pen.ellipse((x - 14, y - 14, x + 14, y + 14), fill=colour)
        pen.text((x, y), str(number), fill="white", font=ImageFont.load_default(17), anchor="mm")
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
        pen.rectangle((x, y + head, x + SIZE[0] - 1, y + head + SIZE[1] - 1), outline="#9a9996")
    for x, colour, text in ((gap, REPLAYED, "replayed"), (gap + 120, BY_AGENT, "done by the agent")):
        pen.ellipse((x, height - 26, x + 16, height - 10), fill=colour)
        pen.text((x + 24, height - 18), text, fill="#202124", font=font, anchor="lm")
    return sheet


def python_with_tk() -> str | None:
    """A Python that has Tk: this one, or that of the system."""
    for python in (sys.executable, "/usr/bin/python3"):
        if (
            shutil.which(python)
            and subprocess.run([python, "-c", "import tkinter"], capture_output=True).returncode == 0
        ):
            return python
    return None


def missing() -> str:
    """What keeps this example from running here, or nothing."""
    try:
        import numpy  # noqa: F401 - only whether it is there
        import PIL  # noqa: F401 - likewise
    except ImportError as error:
        return f"{error.name} is not installed"
    from PIL import features

    if not features.check("xcb"):
        return "this Pillow has no support for X"
    if not shutil.which("Xvfb"):
        return "Xvfb is not installed"
    for name in ("X11", "Xtst"):
        if not ctypes.util.find_library(name):
            return f"the library {name} is not installed"
    return "" if python_with_tk() else "no Python with Tk was found"


def main() -> int:
    parser = argparse.ArgumentParser(description="An agent on a real X desktop that remembers what it did.")
    parser.add_argument("--pictures", default="desktop-x-pictures", metavar="FOLDER", help="where the pictures go")
    parser.add_argument("--composed", metavar="FILE", help="write all of them side by side, too")
    given = parser.parse_args()
    what = missing()
    python = None if what else python_with_tk()
    if what or python is None:
        print(f"skipped: {what}. {HOW_TO_GET_IT}")
        return 0
    with open_desktop() as desktop:
        pictures = play(desktop, python)
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
