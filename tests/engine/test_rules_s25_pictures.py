"""Pictures for people: what image checks keep, and what tools show of their steps."""

from __future__ import annotations

import io
import sys
import zlib
from typing import Any

import numpy as np
import pytest

from muscle_mem import Check, Engine, InvalidTypeError, Secret
from muscle_mem.checks import image_similar
from muscle_mem.store import MemoryStore
from muscle_mem.store.history import PICTURE_BYTES
from muscle_mem.store.pictures import check_picture, picture_hash, small_picture

Image = pytest.importorskip("PIL.Image")


def png(size: tuple[int, int] = (4, 4), color: int = 7) -> bytes:
    made = io.BytesIO()
    Image.new("RGB", size, (color, 0, 0)).save(made, "PNG")
    return made.getvalue()


def noise(height: int, width: int) -> Any:
    return np.random.default_rng(1).integers(0, 255, (height, width, 3), dtype=np.uint8)


class Screen:
    """A screen with an agent that clicks on it, and types a secret if it has one."""

    def __init__(self, **options: Any) -> None:
        self.pixels = noise(300, 300)
        self.store = MemoryStore()
        self.notices: list[Any] = []
        self.engine = Engine(self.store, **{"observers": self.notices.append, "pictures": "steps", **options})
        self.taken: list[Any] = []

        def shot(text: Any) -> bytes:
            self.taken.append(text)
            return png(color=len(self.taken))

        self.click = self.engine.tool(name="click", picture=shot)(lambda text: f"clicked {text}")
        self.engine.set_agent(lambda task: [self.click("first"), self.click("second")][-1])

    def run(self, task: str = "task", **given: Any) -> str:
        id = self.engine(task, **given).trajectory_id
        assert id is not None
        return id

    def flush(self) -> MemoryStore:
        self.engine._runtime.library.history.flush()
        return self.store


@pytest.mark.parametrize("pictures", ["checks", "off"])
def test_s25_a_failed_image_check_shows_what_it_saw_beside_what_it_expected(pictures: Any) -> None:
    screen = Screen(pictures=pictures)
    check = image_similar(lambda text: screen.pixels, region=(0, 0, 300, 300))
    look = screen.engine.tool(name="look", pre_check=check)(lambda text: text)
    screen.engine.set_agent(lambda task: look("here"))
    screen.run()
    screen.pixels = 255 - screen.pixels
    screen.run()
    run = screen.flush().history_runs()[0]
    assert run.reason == "first_check_refused"
    if pictures == "off":
        assert (run.seen_picture, run.expected_picture) == ("", "")
        return
    shown = [screen.store.picture(hash) for hash in (run.seen_picture, run.expected_picture)]
    assert all(data is not None and len(data) <= PICTURE_BYTES for data in shown)
    seen, expected = (np.asarray(Image.open(io.BytesIO(data or b""))).astype(int) for data in shown)
    assert abs(seen + expected - 255).mean() < 3  # One is the negative of the other.


def test_s25_pictures_of_steps_are_kept_with_the_trajectory_and_forgotten_with_it() -> None:
    screen = Screen()
    id = screen.run()
    found = screen.flush().step_pictures(id)
    assert [screen.store.picture(found[step]) for step in (0, 1)] == [png(color=1), png(color=2)]
    stored = screen.store.get(id)
    assert stored is not None
    assert b"PNG" not in stored.observations[0][1].body + b"".join(stored.observations[0][1].blobs)
    assert screen.engine("task")
    assert screen.taken == ["first", "second"]  # A replay takes none.
    screen.engine.forget(id)
    assert screen.store.step_pictures(id) == {}
    assert screen.store.picture(picture_hash(png(color=1))) is None


def test_s25_a_recording_has_the_same_id_with_pictures_and_without() -> None:
    assert len({Screen(pictures=pictures).run() for pictures in ("steps", "checks", "off")}) == 1


@pytest.mark.parametrize("options", [{"pictures": "checks"}, {"history": "off"}])
def test_s25_no_picture_is_kept_of_a_step_unless_it_is_asked_for(options: dict[str, Any]) -> None:
    screen = Screen(**options)
    id = screen.run()
    assert screen.flush().step_pictures(id) == {}
    assert screen.taken == []


def test_s25_a_step_that_was_given_a_secret_has_no_picture() -> None:
    screen = Screen()
    screen.engine.set_agent(lambda task: [screen.click(Secret("kanarie")), screen.click("kanarie"), screen.click("x")])
    id = screen.run(secrets={"code": "kanarie"})
    assert list(screen.flush().step_pictures(id)) == [2]
    assert screen.taken == ["x"]


def test_s25_unless_its_tool_says_how_to_mask_it() -> None:
    masks: list[Any] = []
    screen = Screen()

    def shot(user: str, code: Any, mask: tuple[str, ...]) -> bytes:
        masks.append(mask)
        return png()

    enter = screen.engine.tool(name="enter", picture=shot, secret=["code"])(lambda user, code: "entered")
    screen.engine.set_agent(lambda task: [enter("erik", Secret("kanarie")), enter("erik", code=Secret("kanarie"))])
    id = screen.run(secrets={"code": "kanarie"})
    assert masks == [("code",), ("code",)]
    assert list(screen.flush().step_pictures(id)) == [0, 1]


def test_s25_an_image_check_of_a_step_with_a_secret_shows_nothing() -> None:
    screen = Screen()
    check = image_similar(lambda code: screen.pixels, region=(0, 0, 300, 300))
    enter = screen.engine.tool(name="enter", pre_check=check, secret=["code"])(lambda code: "entered")
    screen.engine.set_agent(lambda task: enter(Secret("kanarie")))
    screen.run(secrets={"code": "kanarie"})
    screen.pixels = 255 - screen.pixels
    screen.run(secrets={"code": "kanarie"})
    run = screen.flush().history_runs()[0]
    assert (run.reason, run.seen_picture, run.expected_picture) == ("first_check_refused", "", "")


@pytest.mark.parametrize("wrong", [lambda text: 1 / 0, lambda text: b"text", lambda text: "text", lambda: None])
def test_a_picture_that_fails_is_reported_once_and_costs_nothing_else(wrong: Any) -> None:
    screen = Screen()
    click = screen.engine.tool(name="press", picture=wrong)(lambda text: text)
    screen.engine.set_agent(lambda task: [click("first"), click("second")])
    id = screen.run()
    assert screen.flush().step_pictures(id) == {}
    assert [one.code for one in screen.notices if getattr(one, "code", "") == "picture"] == ["picture"]


def test_a_picture_may_be_none() -> None:
    screen = Screen()
    click = screen.engine.tool(name="press", picture=lambda text: None)(lambda text: text)
    screen.engine.set_agent(lambda task: click("first"))
    id = screen.run()
    assert screen.flush().step_pictures(id) == {}
    assert not [one for one in screen.notices if getattr(one, "code", "") == "picture"]


async def later(text: str) -> bytes:
    return png()


@pytest.mark.parametrize("wrong", ["file.png", 3, later])
def test_only_a_plain_function_takes_pictures(wrong: Any) -> None:
    with pytest.raises(InvalidTypeError, match="picture="):
        Engine().tool(name="x", picture=wrong)(lambda text: text)


def test_s25_large_pictures_are_scaled_down() -> None:
    large = io.BytesIO()
    Image.fromarray(noise(900, 1200)).save(large, "PNG")
    for taken in (large.getvalue(), noise(900, 1200), Image.fromarray(noise(900, 1200))):
        made = small_picture(taken)
        assert 1_000 < len(made) <= PICTURE_BYTES
        width, height = Image.open(io.BytesIO(made)).size
        assert abs(width / height - 4 / 3) < 0.05


def test_s25_large_pictures_are_left_out_without_pillow(monkeypatch: pytest.MonkeyPatch) -> None:
    small = png()
    monkeypatch.setitem(sys.modules, "PIL", None)
    assert small_picture(b"\x89PNG\r\n\x1a\n" + bytes(PICTURE_BYTES)) == b""
    assert small_picture(small) == small


def test_a_thumbnail_that_hardly_compresses_is_made_smaller() -> None:
    grey = np.random.default_rng(1).integers(0, 255, (256, 256), dtype=np.uint8)
    made = check_picture({"thumbnail": (256, 256), "grey": zlib.compress(grey.tobytes()), "size": (1, 1)})
    assert 1_000 < len(made) <= PICTURE_BYTES
    assert np.array_equal(np.asarray(Image.open(io.BytesIO(made))), grey[::2, ::2])


@pytest.mark.parametrize(
    "snapshot",
    [None, "text", {}, {"thumbnail": (2, 2), "grey": b"x"}, {"thumbnail": (9999, 9999), "grey": b""}, {"thumbnail": 3}],
)
def test_other_snapshots_have_no_picture(snapshot: Any) -> None:
    assert check_picture(snapshot) == b""


def test_a_check_without_pictures_shows_texts_alone() -> None:
    screen = Screen()
    shown = ["one"]
    look = screen.engine.tool(name="look", pre_check=Check(lambda: shown[0]))(lambda: None)
    screen.engine.set_agent(lambda task: look())
    screen.run()
    shown[0] = "two"
    screen.run()
    assert screen.flush().history_runs()[0].seen_picture == ""
