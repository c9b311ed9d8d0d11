"""Password fields are secret without being told: in the store, in messages, and in pictures."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import pytest

from muscle_mem import Reason, Secret
from muscle_mem.store.memory import MemoryStore
from playwright_desk import Desk

LOGIN = """<script>log = []</script><style>input { display: block; width: 300px; height: 60px; font-size: 40px }</style>
<label>User <input name=user></label>
<label>Password <input type=password name=pw></label>
<label>Code <input name=code autocomplete=one-time-code></label>
<button onclick="log.push(document.querySelector('[name=pw]').value)">Sign in</button>"""
TODAY, LATER = "correct-horse-1", "battery-staple-2"


@pytest.fixture
def kept(make_desk: Any, tmp_path: Path) -> tuple[Desk, Path]:
    path = tmp_path / "memory.db"
    return make_desk(store=str(path)), path


def sign_in(desk: Desk, password: Any) -> None:
    desk.page.get_by_label("User").fill("ann")
    desk.page.get_by_label("Password").fill(password)
    desk.page.get_by_role("button").click()


def stored(path: Path) -> bytes:
    return b"".join(file.read_bytes() for file in path.parent.iterdir() if file.is_file())


def test_a_password_that_nobody_declared_is_not_stored(kept: tuple[Desk, Path]) -> None:
    desk, path = kept
    desk.learn(lambda: sign_in(desk, TODAY), LOGIN)
    missed = desk.run(html=LOGIN)
    assert missed.reason is Reason.SECRET_MISSING
    assert "'pw'" in missed.message
    hit = desk.run(html=LOGIN, secrets={"pw": LATER})
    assert (hit.status, desk.log()) == ("hit", [LATER]), hit.message
    desk.engine.close()
    assert TODAY.encode() not in stored(path)
    assert LATER.encode() not in stored(path)


def test_a_secret_of_the_run_is_bound_by_its_name(kept: tuple[Desk, Path]) -> None:
    desk, path = kept

    def agent(password: Secret[str]) -> None:
        sign_in(desk, password.value)

    desk.learn(agent, LOGIN, password=Secret(TODAY))
    hit = desk.run(html=LOGIN, password=Secret(LATER))
    assert (hit.status, desk.log()) == ("hit", [LATER]), hit.message
    desk.engine.close()
    assert TODAY.encode() not in stored(path)


def test_typing_and_codes_count_as_well(desk: Desk) -> None:
    def agent() -> None:
        desk.page.locator("[name=pw]").press_sequentially(TODAY)
        desk.page.fill("[name=code]", "490613")

    desk.learn(agent, LOGIN)
    missed = desk.run(html=LOGIN)
    assert missed.reason is Reason.SECRET_MISSING
    hit = desk.run(html=LOGIN, secrets={"pw": LATER, "code": "77777"})
    assert hit.status == "hit", hit.message
    assert desk.real.input_value("[name=pw]") == LATER


def test_a_field_that_has_become_a_password_field_is_not_typed_into(desk: Desk) -> None:
    desk.learn(lambda: desk.page.get_by_label("User").fill("ann"), LOGIN)
    refused = desk.run(lambda: None, LOGIN.replace("name=user", "name=user type=password"))
    assert "'User', not a password field, got textbox 'User', a password field" in refused.message


@pytest.mark.parametrize("how", ["input_value", "get_attribute"])
def test_reading_a_password_field_is_not_learned(desk: Desk, how: str) -> None:
    def agent() -> Any:
        field = desk.page.get_by_label("Password")
        return field.input_value() if how == "input_value" else field.get_attribute("value")

    outcome = desk.run(agent, LOGIN.replace("name=pw", f"name=pw value={TODAY}"))
    assert outcome.not_learned is Reason.UNLEARNABLE
    assert outcome.value == TODAY


def test_a_restarted_agent_types_a_password_once(desk: Desk) -> None:
    """The replay has signed in; the page of the restarted agent's first steps is gone."""
    gone = LOGIN.replace(".value)", ".value); document.body.innerHTML = '<button>Orders</button>'")

    def agent(button: str = "Orders") -> None:
        sign_in(desk, TODAY)
        desk.page.get_by_role("button", name=button).click()

    desk.learn(agent, gone)
    renamed = gone.replace("Orders", "Purchases")
    outcome = desk.run(lambda: agent("Purchases"), renamed, secrets={"pw": TODAY})
    assert outcome.status == "diverged"
    assert outcome.learned, outcome.not_learned_message
    assert desk.log() == [TODAY]


def test_pictures_cover_password_fields_and_secrets(desk: Desk) -> None:
    from PIL import Image

    def agent(name: Secret[str]) -> None:
        desk.page.get_by_label("User").fill(name.value)
        desk.page.locator("[name=pw]").fill(TODAY)

    desk.show(LOGIN)
    shown = Image.open(io.BytesIO(desk.page.picture())).convert("RGB")
    user = desk.real.locator("[name=user]").bounding_box()
    password = desk.real.locator("[name=pw]").bounding_box()
    assert _colour(shown, user) == "white"
    assert _colour(shown, password) == "grey"
    desk.learn(agent, name=Secret("Ann Lee"))
    data = desk.page.picture()
    after = Image.open(io.BytesIO(data)).convert("RGB")
    assert (_colour(after, user), _colour(after, password)) == ("grey", "grey")
    assert len(data) <= 32 << 10
    desk.real.locator("[name=pw]").evaluate("field => field.type = 'text'")  # as a button to show it does
    shown_by_the_page = Image.open(io.BytesIO(desk.page.picture())).convert("RGB")
    assert _colour(shown_by_the_page, password) == "grey"


def test_a_recording_keeps_a_picture_of_each_action_for_people(context: Any) -> None:
    from PIL import Image

    store = MemoryStore()
    desk = Desk(context, store=store, pictures="steps")
    outcome = desk.learn(lambda: sign_in(desk, TODAY), LOGIN)
    desk.engine._runtime.library.history.flush()
    found = store.step_pictures(outcome.trajectory_id)
    assert sorted(found) == [0, 1, 2]
    shown = [Image.open(io.BytesIO(store.picture(found[step]))).convert("RGB") for step in (0, 1)]
    password = desk.real.locator("[name=pw]").bounding_box()
    assert [_colour(one, password) for one in shown] == ["grey", "grey"]
    assert desk.run(html=LOGIN, secrets={"pw": LATER}).status == "hit"


def _colour(picture: Any, box: Any) -> str:
    """Whether the field has one colour, and which."""
    left, top = box["x"] + 8, box["y"] + 8
    part = picture.crop((left, top, left + box["width"] - 16, top + box["height"] - 16))
    levels = [high for _, high in part.getextrema()] + [low for low, _ in part.getextrema()]
    if min(levels) > 230:
        return "white"
    return "grey" if max(levels) < 110 and max(levels) - min(levels) < 20 else "mixed"
