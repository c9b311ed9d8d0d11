"""The checks that look at a screen: pictures and the text in them."""

from __future__ import annotations

import io
import sqlite3
import sys
from pathlib import Path
from typing import Any

import numpy
import pytest
from PIL import Image, ImageDraw, ImageFont

from muscle_mem import Engine, checks
from muscle_mem._core import codec
from muscle_mem.checks import image, pictures, text
from paths import ROOT
from ready_made_checks import again, attached, learned, reason, told


class Screen:
    """A screen of 400 x 300 with a button in the middle."""

    def __init__(self) -> None:
        self.word = "Save"
        self.at = (200, 150)
        self.back = "#f4f5f7"

    def shot(self) -> Image.Image:
        picture = Image.new("RGB", (400, 300), self.back)
        pen = ImageDraw.Draw(picture)
        x, y = self.at
        pen.rounded_rectangle((x - 40, y - 15, x + 40, y + 15), 5, fill="#1a73e8")
        pen.text((x, y), self.word, fill="white", font=ImageFont.load_default(14), anchor="mm")
        return picture

    def png(self) -> bytes:
        kept = io.BytesIO()
        self.shot().save(kept, "PNG")
        return kept.getvalue()


@pytest.fixture
def screen() -> Screen:
    return Screen()


def click(x: int, y: int) -> None: ...


# --- image_similar


def test_an_unchanged_screen_passes_and_a_changed_one_does_not(screen: Screen) -> None:
    engine = learned(checks.image_similar(screen.shot), click, 200, 150)
    assert engine("a task")
    screen.word = "Delete"
    passed, seen, expected = told(engine)
    assert not passed
    assert seen.startswith("120 x 60 pixels at x=140, y=120, 0.")
    assert expected == "120 x 60 pixels at x=140, y=120, at least 0.85 alike"
    screen.word, screen.at = "Save", (206, 150)
    assert not engine("a task", mode="frozen")
    screen.at = (200, 150)
    assert engine("a task")


def test_what_changes_elsewhere_does_not_matter(screen: Screen) -> None:
    engine = learned(checks.image_similar(screen.shot), click, 60, 40)
    screen.word = "Delete"
    assert engine("a task")


def test_a_dialog_over_the_button_is_seen(screen: Screen) -> None:
    covered: list[bool] = []

    def shot() -> Image.Image:
        picture = screen.shot()
        if covered:
            ImageDraw.Draw(picture).rectangle((150, 100, 260, 200), fill="white", outline="black")
        return picture

    engine = learned(checks.image_similar(shot), click, 200, 150)
    covered.append(True)
    assert engine("a task").reason == "first_check_refused"


@pytest.mark.parametrize("form", ["image", "png", "array", "with alpha", "grey"])
def test_a_picture_may_come_in_several_forms(form: str, screen: Screen) -> None:
    def shot() -> Any:
        picture = screen.shot()
        forms = {
            "image": picture.convert("P"),
            "png": screen.png(),
            "array": numpy.asarray(picture),
            "with alpha": numpy.asarray(picture.convert("RGBA")),
            "grey": numpy.asarray(picture.convert("L")),
        }
        return forms[form]

    engine = learned(checks.image_similar(shot), click, 200, 150)
    assert engine("a task")
    screen.word = "Delete"
    assert not engine("a task")


@pytest.mark.parametrize(
    "picture", [None, "shot.png", numpy.zeros((4, 4)), numpy.zeros((4, 4, 2), numpy.uint8), b"no picture"], ids=repr
)
def test_what_is_no_picture_is_an_error_of_the_check(picture: Any) -> None:
    outcome = attached(checks.image_similar(lambda: picture), click, 2, 2)("a task")
    assert outcome.not_learned == "capture_failed"


def test_a_failing_capture_in_a_replay_is_a_refusal_with_its_reason(screen: Screen) -> None:
    broken: list[bool] = []

    def shot() -> Image.Image:
        if broken:
            raise OSError("no display")
        return screen.shot()

    engine = learned(checks.image_similar(shot), click, 200, 150)
    broken.append(True)
    outcome = engine("a task")
    assert outcome.reason == "first_check_refused"
    assert "no display" in outcome.message


def test_a_fixed_region_needs_no_coordinates_and_one_outside_is_an_error(screen: Screen) -> None:
    engine = learned(checks.image_similar(screen.shot, region=(150, 120, 100, 60)), lambda: None)
    assert engine("a task")
    screen.word = "Delete"
    assert not engine("a task")
    outcome = attached(checks.image_similar(screen.shot, region=(500, 0, 10, 10)))("a task")
    assert "picture of 400 x 300" in outcome.not_learned_message


def test_the_coordinates_may_have_other_names_and_another_scale(screen: Screen) -> None:
    def tap(left: int, top: int) -> None: ...

    engine = learned(checks.image_similar(screen.shot, x="left", y="top", scale=2.0, around=(60, 30)), tap, 100, 75)
    assert told(engine)[1].startswith("120 x 60 pixels at x=140, y=120")
    with pytest.raises(ValueError, match="argument 'x' of the tool, got left, top"):
        attached(checks.image_similar(screen.shot), tap)


def test_the_picture_is_taken_by_a_function_of_the_tools_arguments(screen: Screen) -> None:
    class Desk:
        def __init__(self) -> None:
            self.screen = screen

    def press(desk: Any, x: int, y: int) -> None: ...

    for shot in (lambda desk: desk.screen.shot(), lambda d: d.screen.shot(), lambda *args: args[0].screen.shot()):
        engine = Engine()
        tool = engine.tool(pre_check=checks.image_similar(shot), ignore=["desk"], inject={"desk": Desk})(press)
        engine.set_agent(lambda task, tool=tool: tool(Desk(), 200, 150))
        assert engine("a task").learned
        assert engine("a task")


def test_only_a_small_grey_thumbnail_is_stored_unless_pixels_are_asked_for(screen: Screen) -> None:
    box = image.box_around(200, 150, (120, 60))
    small, whole = (image.snapshot(screen.shot(), box, keep) for keep in ("thumbnail", "pixels"))
    assert len(codec.canonical(small)) < 1200
    assert set(whole) - set(small) == {"png"}
    assert Image.open(io.BytesIO(whole["png"])).getpixel((30, 20)) == (0x1A, 0x73, 0xE8)
    large = image.snapshot(
        numpy.random.default_rng(1).integers(0, 255, (2000, 3000), numpy.uint8), (0, 0, 3000, 2000), "thumbnail"
    )
    assert large["thumbnail"] == (250, 167)
    assert len(codec.canonical(large)) < 256 * 256


def test_it_is_stored_and_found_again(screen: Screen, tmp_path: Path) -> None:
    for keep in image.KEEP:
        path = tmp_path / f"{keep}.db"
        assert again(lambda keep=keep: checks.image_similar(screen.shot, keep=keep), path, click, 200, 150) == [
            "miss",
            "hit",
        ]


@pytest.mark.parametrize(
    "other",
    [{"threshold": 0.9}, {"around": (100, 60)}, {"keep": "pixels"}, {"region": (0, 0, 9, 9)}, {"scale": 2.0}],
    ids=repr,
)
def test_other_options_are_another_check(other: dict[str, Any], screen: Screen, tmp_path: Path) -> None:
    def make(**options: Any) -> Any:
        return lambda: checks.image_similar(screen.shot, **options)

    assert reason(make(), make(**other), tmp_path / "m.db", click, 200, 150) == "check_changed"


def test_another_way_to_take_the_picture_is_another_check(screen: Screen) -> None:
    one, two, three = (
        checks.image_similar(lambda: screen.shot()),
        checks.image_similar(lambda: screen.shot().convert("L")),
        checks.image_similar(lambda: screen.shot(), version=1),
    )
    prints = [check.identify(lambda _: None) for check in (one, two, three)]
    assert len(set(prints)) == 3
    assert prints[2] == "v:1"


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"picture": None}, "callable"),
        ({"region": (1, 2, 3)}, r"\(x, y, width, height\)"),
        ({"region": (1, 2, 3, 0)}, "above 0"),
        ({"region": (1.0, 2, 3, 4)}, "whole pixels"),
        ({"around": (0, 5)}, "above 0"),
        ({"keep": "everything"}, "'thumbnail', 'pixels'"),
        ({"threshold": 1.5}, "threshold="),
        ({"threshold": "high"}, "threshold="),
        ({"scale": 0}, "above 0"),
        ({"x": 3}, "names of the tool's arguments"),
    ],
    ids=repr,
)
def test_wrong_options_of_image_similar_are_refused_at_once(options: dict[str, Any], words: str) -> None:
    with pytest.raises((TypeError, ValueError), match=words):
        checks.image_similar(**{"picture": lambda: None, **options})


def test_the_score_is_that_of_the_least_similar_patch() -> None:
    spread = numpy.random.default_rng(7)
    one = spread.integers(0, 255, (60, 120), numpy.uint8)
    other = one.copy()
    other[:20, :20] = spread.integers(0, 255, (20, 20), numpy.uint8)
    assert pictures.likeness(one, one) == 1.0
    assert pictures.likeness(one, other) == pictures.likeness(other, one) < 0.4
    assert pictures.likeness(one, one[:, :60]) == 0.0
    assert pictures.likeness(numpy.zeros((3, 3), numpy.uint8), numpy.full((3, 3), 255, numpy.uint8)) < 0.01


def test_the_measured_default_lies_between_the_same_and_the_changed() -> None:
    import runpy

    names = runpy.run_path(str(ROOT / "scripts" / "measure_images.py"))
    for kind, right in (
        ("SAME", lambda low, high: low > image.THRESHOLD),
        ("CHANGED", lambda low, high: high < image.THRESHOLD),
    ):
        for name, draw in names[kind].items():
            found = names["scores"](draw, 4, image.AROUND)
            assert right(found[0], found[-1]), (name, found)


def test_without_numpy_it_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "numpy", None)
    with pytest.raises(ImportError, match=r"muscle-mem\[images\]"):
        checks.image_similar(lambda: None)


# --- screen_text


def test_a_readers_own_text_needs_no_engine_and_no_picture() -> None:
    said = ["Order  No. 1"]
    engine = learned(checks.screen_text(read=lambda: said[0]))
    said[0] = " ORDER no. 1\n"
    assert engine("a task")
    said[0] = "Order No. 2"
    assert told(engine) == (False, "'Order No. 2'", "'Order No. 1'")


def test_a_threshold_forgives_what_an_engine_misreads() -> None:
    said = ["The quick brown fox"]
    engine = learned(checks.screen_text(read=lambda: said[0], threshold=0.9))
    said[0] = "The quick brovn fox"
    assert engine("a task")
    said[0] = "A slow brown dog"
    passed, seen, expected = told(engine)
    assert not passed
    assert seen.endswith("alike")
    assert expected.endswith(", at least 0.9 alike")


def test_a_reader_gets_the_part_of_the_picture(screen: Screen) -> None:
    sizes: list[Any] = []

    def read(part: Image.Image) -> str:
        sizes.append(part.size)
        return "blue" if part.getpixel((2, 10)) == (0x1A, 0x73, 0xE8) else "other"

    engine = learned(checks.screen_text(screen.shot, box=(162, 140, 70, 20), read=read))
    assert sizes == [(70, 20)]
    assert engine("a task")
    screen.at = (300, 50)
    assert told(engine) == (False, "'other'", "'blue'")


def test_what_is_read_is_stored_and_found_again(tmp_path: Path) -> None:
    def read() -> str:
        return "naïve “text”\n"

    assert again(lambda: checks.screen_text(read=read), tmp_path / "m.db") == ["miss", "hit"]
    with sqlite3.connect(tmp_path / "m.db") as store:
        assert store.execute("SELECT max(length(body)) FROM observation").fetchone()[0] < 400
    store.close()
    one, two = (lambda: checks.screen_text(read=read)), (lambda: checks.screen_text(read=read, threshold=0.8))
    assert reason(one, two, tmp_path / "n.db") == "check_changed"


@pytest.mark.parametrize("answer", [None, 3, b"text"], ids=repr)
def test_a_reader_that_returns_no_text_is_an_error_of_the_check(answer: Any) -> None:
    outcome = attached(checks.screen_text(read=lambda: answer))("a task")
    assert outcome.not_learned == "capture_failed"
    assert "text from read=" in outcome.not_learned_message


def test_without_an_engine_it_names_the_ways_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "rapidocr", None)
    with pytest.raises(ImportError, match=r"muscle-mem\[ocr\].*read="):
        checks.screen_text(lambda: None)
    with pytest.raises(TypeError, match="read="):
        checks.screen_text()


class StandIn:
    """RapidOCR's place: reads whether the picture came in the order blue, green, red."""

    def __init__(self, params: dict[str, Any]) -> None:
        assert params == text.ENGINE

    def __call__(self, part: Any, **options: bool) -> Any:
        assert options == {"use_det": True, "use_cls": False, "use_rec": True}
        lines = ("Save", "now") if tuple(part[10, 2]) == (0xE8, 0x73, 0x1A) else None
        return type("Found", (), {"txts": lines})


def test_the_engine_reads_line_by_line(screen: Screen, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(text, "need_ocr", lambda: StandIn)
    monkeypatch.setattr(text, "_engines", [])
    engine = learned(checks.screen_text(screen.shot, box=(162, 140, 70, 20)))
    screen.at = (300, 50)
    assert told(engine) == (False, "''", "'Save now'")


def test_the_real_engine_reads_a_button(screen: Screen) -> None:
    pytest.importorskip("rapidocr")
    pytest.importorskip("onnxruntime")
    engine = learned(checks.screen_text(screen.shot), click, 200, 150)
    assert told(engine)[1] == "'Save'"
    screen.word = "Delete"
    assert told(engine) == (False, "'Delete'", "'Save'")


def test_a_picture_may_be_awaited(screen: Screen) -> None:
    import asyncio

    async def shot() -> Image.Image:
        return screen.shot()

    async def main() -> None:
        for take in (shot, lambda: shot()):
            engine = Engine()

            @engine.tool(pre_check=checks.all_of(checks.screen_text(take, read=lambda part: "x"), checks.age(60)))
            async def press(x: int, y: int) -> None: ...

            engine.set_agent(lambda task, press=press: press(200, 150))
            assert (await engine.acall("a task")).learned
            assert await engine.acall("a task")

    asyncio.run(main())
