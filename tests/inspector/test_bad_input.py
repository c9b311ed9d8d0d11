"""What is stored may be anything: damaged, altered, signed, locked, huge, in other scripts, or not a picture."""

from __future__ import annotations

import http.client
import io
import random
import sqlite3
import zlib
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from canaries import PLAIN, found_in
from cli_cases import lit
from inspector_server import Client, served
from inspector_texts import seal_text
from muscle_mem import Check, Engine, Secret
from muscle_mem._core import codec
from muscle_mem._core.binding.references.masking import pack_mask
from muscle_mem._core.model.records import Node, Par, Tpl
from muscle_mem._reading.loading import holds_flows
from muscle_mem.errors import StoreError
from muscle_mem.inspector.pictures import UndecodablePictureError, difference, open_picture, png, snapshot_picture
from muscle_mem.inspector.values import MOST, block, readable, text_block
from muscle_mem.store import MemoryStore, SqliteStore
from muscle_mem.store.history import HistoryBatch, PastRun
from muscle_mem.store.paging import each
from muscle_mem.store.sqlite.unverified import UnverifiedStore, open_unverified

KEY = "a key of sixteen bytes or more"
PAGES = ("/", "/runs", "/trajectories", "/review", "/lint?file=1")


def record(path: Path | str, tasks: tuple[str, ...] = ("open the door",), **options: Any) -> None:
    with Engine(str(path), **options) as engine:

        @engine.tool(effect="write", pre_check=Check(lambda at: {"at": at}))
        def look(at: str) -> str:
            return at

        engine.set_agent(lambda task: look(task))
        for task in tasks:
            engine(task)


def change(path: Path, statement: str, *values: Any) -> None:
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute(statement, values)


@pytest.mark.parametrize("signing_key", [None, KEY])
def test_an_altered_row_is_red_and_is_forgotten_on_demand(tmp_path: Path, signing_key: str | None) -> None:
    path = tmp_path / "store.db"
    record(path, ("open the door", "close the door"), signing_key=signing_key)
    change(path, "UPDATE trajectory SET task = 'pay the bill' WHERE task = 'open the door'")
    with closing(SqliteStore(path, signing_key=signing_key)) as store, served(store) as client:
        (damaged,) = store.scan().damaged
        for page in ("/", "/trajectories"):
            text = client.get(page).text
            assert 'class="card bad" aria-label="Damaged rows"' in text
            assert damaged.id in text
            assert "pay the bill" not in text
        assert "problem" in client.get("/lint").text
        found = client.get(f"/trajectory/{damaged.id}")
        assert (found.status, "is damaged" in found.text) == (500, True)
        assert client.post("/judge", id=damaged.id, verdict="approved").status == 500
        assert client.post("/forget", id=damaged.id).status == 303
        assert "Damaged rows" not in client.get("/").text


def test_a_signed_store_without_its_key_is_shown_unverified_and_read_only(tmp_path: Path) -> None:
    path = tmp_path / "store.db"
    record(path, ("open the door",), signing_key=KEY)
    with pytest.raises(StoreError, match="signing_key is needed"):
        SqliteStore(path)
    before = path.read_bytes()
    store = open_unverified(path)
    assert isinstance(store, UnverifiedStore)
    with closing(store), served(store, why_read_only="no key", is_unverified=True) as client:
        (one,) = (one for one in each(store) if not holds_flows(one))
        for page in (*PAGES, f"/trajectory/{one.sealed.id}", f"/task/{one.sealed.key.hex()}"):
            text = client.get(page).text
            assert "Not verified." in text
            assert 'method="post"' not in text
        assert client.post("/judge", id=one.sealed.id, verdict="good").status == 404
        for work in (store.forget, lambda: store.add_history(HistoryBatch(id="x")), lambda: store.lead(b"x")):
            with pytest.raises(StoreError, match="read-only"):
                work()
    assert path.read_bytes() == before
    record(tmp_path / "plain.db")
    assert open_unverified(tmp_path / "plain.db") is None


@pytest.fixture
def locked(tmp_path: Path) -> Iterator[tuple[Client, str]]:
    """A store that another program holds locked."""
    path = tmp_path / "store.db"
    record(path)
    with closing(SqliteStore(path, busy_timeout=0.1)) as store, served(store) as client:
        id = next(each(store)).sealed.id
        with closing(sqlite3.connect(path, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            yield client, id


def test_a_locked_store_is_read_and_a_change_says_why_it_failed(locked: tuple[Client, str]) -> None:
    client, id = locked
    assert client.get(f"/trajectory/{id}").status == 200
    found = client.post("/judge", id=id, verdict="good")
    assert found.status == 503
    assert "The store cannot be used" in found.text
    assert "lock" in found.text


class AwayStore(MemoryStore):
    """A store on a server that goes away."""

    away = False

    def __getattribute__(self, name: str) -> Any:
        if name in ("find", "get", "scan", "history_counts", "history_runs", "note", "forget") and type(self).away:
            raise StoreError("the server closed the connection")
        return super().__getattribute__(name)


def test_a_server_that_goes_away_is_reported_and_used_again(monkeypatch: pytest.MonkeyPatch) -> None:
    store = AwayStore()
    record_in = Engine(store)

    @record_in.tool(effect="read")
    def look(at: str) -> str:
        return at

    record_in.set_agent(lambda task: look(task))
    record_in("look")
    id = next(each(store)).sealed.id
    with served(store) as client:
        connection = http.client.HTTPConnection("127.0.0.1", client.serving.port, timeout=15)
        connection.request("GET", "/runs/live", headers={"Cookie": client.cookie})
        live = connection.getresponse()
        while not live.readline().startswith(b"event: counts"):
            pass
        monkeypatch.setattr(AwayStore, "away", True)
        for page in (*PAGES[:4], f"/trajectory/{id}", "/run/1"):
            found = client.get(page)
            assert found.status == 503, page
            assert "the server closed the connection" in found.text
        assert "the server closed the connection" in client.get("/lint").text
        assert client.post("/judge", id=id, verdict="good").status == 503
        while not live.readline().startswith(b"event: trouble"):
            pass
        monkeypatch.setattr(AwayStore, "away", False)
        assert client.get("/").status == 200
        store.add_history(HistoryBatch(id="b", runs=(PastRun(id="r", at=1.0, status="miss", reason="mode"),)))
        while not live.readline().startswith(b"event: run"):
            pass
        live.close()
        connection.close()


TEXTS = {
    "control": "\x00\x07\x1b[31mred\x1b[0m\r\x9b",
    "right to left": "שלום \u202eevil\u202c ‏عربي\u2066x",
    "invisible": "a\u200b\u2060\u115fb",
    "surrogate": "lone \udcff surrogate \ud800",
    "markup": "</title><script>alert(1)</script>&amp;<!--",
    "quotes": "\"' onmouseover=alert(1) x='",
    "template": "{{ 7 * 7 }}{% raw %}${x}",
    "long word": "w" * 5_000,
    "megabyte": "lorem ipsum\n" * 90_000,
    "emoji": "👩‍👩‍👧 ﷽",
}


@pytest.mark.parametrize("name", TEXTS)
def test_any_text_is_shown_as_text_in_bounded_pages(name: str, tmp_path: Path) -> None:
    text = TEXTS[name]
    with closing(SqliteStore(tmp_path / "store.db")) as store:
        id, other = seal_text(store, 1, text), seal_text(store, 2, text + "!")
        key = (1).to_bytes(32, "big").hex()
        with served(store) as client:
            number = store.history_runs(limit=1)[0].seq
            pages = (*PAGES, f"/trajectory/{id}", f"/task/{key}", f"/run/{number}", f"/compare?a={id}&b={other}",
                     f"/task/{key}?ask=x&scope=x")  # fmt: skip
            for page in pages:
                found = client.get(page)
                assert found.status == 200, (page, found.text[:2000])
                assert len(found.body) < 600_000, (page, len(found.body))
                shown = found.text
                for character in "\x00\x07\x1b\x9b\u202e\u2066\u200f\u115f":
                    assert character not in shown
                assert "<script>alert" not in shown
                assert "onmouseover=alert(1) x='" not in shown.replace("&#39;", "")
                assert "49${x}" not in shown
            for kind in ("json", "python"):
                assert client.get(f"/export?id={id}&format={kind}").status in (200, 409)


def test_values_are_bounded_and_never_raise() -> None:
    deep: Any = []
    for _ in range(4_000):
        deep = [deep]
    for value in (10**5000, {"b": b"x" * 10_000}, {1: {2, 3}}, float("nan"), [float("inf")], "a" * 10**6, None):
        assert len(block(codec.encode(value)).text) <= MOST
    assert readable({"b": b"x" * 10_000}) == '{\n  "b": "<10000 bytes>"\n}'
    assert block(b"\x7f\x01").kind == "undecodable"
    assert text_block("x" * (MOST + 7)).left_out == 7
    assert readable(deep)
    assert readable("a\nb") == "a\nb"
    assert readable("short") == "'short'"


def encoded(picture: Image.Image, form: str, **options: Any) -> bytes:
    kept = io.BytesIO()
    picture.save(kept, form, **options)
    return kept.getvalue()


def test_a_picture_is_decoded_and_encoded_again_without_what_is_not_pixels() -> None:
    from PIL.PngImagePlugin import PngInfo

    told = PngInfo()
    told.add_text("Comment", "<script>")
    source = encoded(Image.new("RGB", (4, 3), "red"), "PNG", pnginfo=told, icc_profile=b"<script>", dpi=(7, 7))
    assert b"iCCP" in source
    made = png(open_picture(source + b"<script>trailing</script>"))
    assert [name for name in (b"script", b"iCCP", b"tEXt", b"pHYs") if name in made] == []
    with Image.open(io.BytesIO(made)) as again:
        assert (again.size, again.getpixel((0, 0)), again.info) == ((4, 3), (255, 0, 0), {})
    for form, mode in (("JPEG", "L"), ("GIF", "P"), ("WEBP", "RGBA"), ("BMP", "RGB"), ("PNG", "RGBA"), ("PNG", "I;16")):
        assert png(open_picture(encoded(Image.new(mode, (9, 9)), form))).startswith(b"\x89PNG")


@pytest.mark.parametrize("seed", range(8))
def test_bytes_that_are_not_a_picture_are_refused(seed: int) -> None:
    chance = random.Random(seed)
    good = encoded(Image.effect_noise((60, 40), 80), ("PNG", "JPEG", "GIF", "WEBP")[seed % 4])
    for _ in range(60):
        broken = bytearray(good[: chance.randrange(1, len(good))] if chance.random() < 0.5 else good)
        for _ in range(chance.randrange(1, 20)):
            broken[chance.randrange(len(broken))] = chance.randrange(256)
        try:
            png(open_picture(bytes(broken)))
        except UndecodablePictureError:
            pass
    for data in (b"", b"\x89PNG\r\n\x1a\n", b"%!PS-Adobe-3.0 EPSF-3.0\n", b"<svg xmlns='http://www.w3.org/2000/svg'/>"):
        with pytest.raises(UndecodablePictureError):
            open_picture(data)


def test_pictures_of_more_than_16_megapixels_are_refused_before_they_are_decoded() -> None:
    exact = encoded(Image.new("1", (4000, 4000)), "PNG")
    assert open_picture(exact).size == (4000, 4000)
    with pytest.raises(UndecodablePictureError, match="more than 16 megapixels"):
        open_picture(encoded(Image.new("1", (4001, 4000)), "PNG"))
    for size in ((4001, 4000), (30_000, 30_000), (2**31 - 1, 2**31 - 1)):
        header = b"IHDR" + size[0].to_bytes(4, "big") + size[1].to_bytes(4, "big") + b"\x01\x00\x00\x00\x00"
        bomb = b"\x89PNG\r\n\x1a\n" + b"\x00\x00\x00\x0d" + header + zlib.crc32(header).to_bytes(4, "big") + exact[33:]
        with pytest.raises(UndecodablePictureError):
            open_picture(bomb)
    for grey in ({"thumbnail": (300, 2), "grey": b""}, {"thumbnail": (2, 2), "grey": b"no"},
                 {"thumbnail": (0, 0), "grey": b""}, {"png": b"no"}, {"png": "text"}, {"thumbnail": 1, "grey": b""},
                 "text", 7, {"thumbnail": (True, 2), "grey": b""}):  # fmt: skip
        with pytest.raises(UndecodablePictureError):
            snapshot_picture(codec.encode(grey))
    pixels = zlib.compress(b"\x00\xff\x00\xff" + b"more" * 1_000_000)
    assert snapshot_picture(codec.encode({"thumbnail": (2, 2), "grey": pixels})).getpixel((1, 0)) == 255


def test_a_difference_marks_what_differs_and_needs_equal_sizes() -> None:
    one, other = Image.new("RGB", (20, 20), "white"), Image.new("RGB", (20, 20), "white")
    other.putpixel((5, 5), (0, 0, 0))
    found = difference(one, other)
    assert found.getpixel((5, 5)) == (224, 49, 49)
    assert found.getpixel((15, 15)) == (255, 255, 255)
    with pytest.raises(UndecodablePictureError, match="sizes differ"):
        difference(one, Image.new("RGB", (20, 21)))


def test_no_page_shows_a_secret(tmp_path: Path) -> None:
    path = tmp_path / "store.db"
    token = Secret(PLAIN)
    with Engine(str(path)) as engine:
        world = {"at": PLAIN}

        @engine.tool(effect="write", pre_check=Check(lambda password, note: {"form": world["at"]}))
        def log_in(password: str, note: str) -> str:
            return f"welcome, your password is {PLAIN}"

        engine.set_agent(lambda task, password: log_in(password, "as agreed"))
        engine("log in", password=token)
        world["at"] = "another page"
        engine("log in", password=token)
    with closing(SqliteStore(path)) as store, served(store) as client:
        runs = store.history_runs()
        assert runs
        pages = [*PAGES, *(f"/run/{one.seq}" for one in runs)]
        for one in each(store):
            pages += [f"/trajectory/{one.sealed.id}", f"/task/{one.sealed.key.hex()}", f"/export?id={one.sealed.id}",
                      f"/export?id={one.sealed.id}&format=python"]  # fmt: skip
        assert len(pages) > len(PAGES) + 2
        for page in pages:
            assert not found_in(client.get(page).body, PLAIN), page


def test_a_snapshot_with_params_is_shown_with_their_names() -> None:
    masked = pack_mask(
        Node("dict", (lit("who"), Par("name"), lit("rows"), Node("list", (lit(1), Tpl(("order ", "id", "!"))))))
    )
    assert block(masked).text == '{\n  "rows": [\n    1,\n    "order {id}!"\n  ],\n  "who": "{name}"\n}'
    assert "name" in block(pack_mask(Node("set", (Par("name"),)))).text
