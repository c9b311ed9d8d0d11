"""The inspector in a real browser: each page, each action, keys, no script that is stored, and no need of scripts."""

from __future__ import annotations

import json
import shutil
import threading
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("playwright")

from inspector_pictures import LOOPBACK, browsing
from inspector_server import Client, served
from inspector_store import REPORT, SHOP, make_store
from inspector_texts import SCRIPTS, seal_text
from muscle_mem._reading.flows import all_learned
from muscle_mem._reading.loading import holds_flows
from muscle_mem.demo.browser import find_browser
from muscle_mem.inspector.serving import Serving
from muscle_mem.store import SqliteStore, Stored
from muscle_mem.store.history import HistoryBatch, PastRun
from muscle_mem.store.paging import each

pytestmark = pytest.mark.skipif(find_browser() is None, reason="no browser")
NEVER = "iframe, object, embed, base, video, marquee, math, body style, body link, body meta"
PAGES = ("/", "/runs", "/trajectories", "/review", "/lint?file=1")


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store of 100 tasks and 10,000 runs."""
    path = tmp_path_factory.mktemp("large") / "work.db"
    make_store(path)
    return path


@pytest.fixture
def work(large: Path, tmp_path: Path) -> Iterator[tuple[SqliteStore, Client]]:
    """A copy of that store, and its server."""
    with closing(SqliteStore(shutil.copy(large, tmp_path / "work.db"))) as store, served(store) as client:
        yield store, client


def watched(page: Any) -> list[str]:
    """What goes wrong in a page: errors of scripts, and what the policy forbids."""
    wrong: list[str] = []
    page.on("console", lambda message: wrong.append(message.text) if message.type in ("error", "warning") else None)
    page.on("pageerror", lambda error: wrong.append(str(error)))
    page.on("dialog", lambda dialog: (wrong.append("dialog"), dialog.dismiss()))
    page.on("response", lambda answer: wrong.append(f"{answer.status} {answer.url}") if answer.status >= 400 else None)
    return wrong


def recordings(store: SqliteStore, task: str) -> list[Stored]:
    return [one for one in each(store) if one.sealed.task.startswith(task) and not holds_flows(one)]


def test_each_page_opens_without_an_error_in_light_and_dark_wide_and_narrow(work: tuple[SqliteStore, Client]) -> None:
    store, client = work
    shop, other = recordings(store, SHOP.split("{")[0])
    (report,) = recordings(store, REPORT)
    run = store.history_runs(limit=1)[0]
    pages = (*PAGES, f"/trajectory/{shop.sealed.id}", f"/trajectory/{report.sealed.id}", f"/run/{run.seq}",
             f"/task/{shop.sealed.key.hex()}?ask=x", f"/compare?a={shop.sealed.id}&b={other.sealed.id}",
             "/compare", "/trajectories?task=Ada", "/runs?reason=new_task")  # fmt: skip
    for width, scheme in ((1280, "light"), (390, "dark")):
        with browsing(client, viewport={"width": width, "height": 800}, color_scheme=scheme) as page:
            wrong = watched(page)
            for path in pages:
                page.goto(f"http://{client.host}{path}", wait_until="load")
                assert page.locator("h1").count() == 1, path
                assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), (path, width)
                assert page.evaluate("[...document.images].every(one => !one.complete || one.naturalWidth)"), path
            assert wrong == []


def test_a_person_approves_strikes_compares_exports_and_forgets(work: tuple[SqliteStore, Client]) -> None:
    store, client = work
    shop, other = recordings(store, SHOP.split("{")[0])
    with browsing(client) as page:
        wrong = watched(page)
        page.goto(f"http://{client.host}/")
        page.get_by_role("link", name="Refund the order of").first.click()
        page.locator(f'a[href="/trajectory/{shop.sealed.id}"]').first.click()
        page.get_by_label("Reason").fill("read it <b>twice</b>")
        page.get_by_role("button", name="Approve").click()
        page.get_by_role("status").filter(has_text="Approved.").wait_for()
        standing = store.get(shop.sealed.id).standing  # type: ignore[union-attr]
        assert (standing.state, standing.reason) == ("trusted", "approved: read it <b>twice</b>")
        page.get_by_role("button", name="Strike").click()
        page.get_by_role("status").filter(has_text="Struck.").wait_for()
        assert [flow.status for one in all_learned(store) for flow in one.shown()] == ["struck"]
        page.get_by_role("button", name="Confirm").click()
        page.get_by_role("status").filter(has_text="Confirmed.").wait_for()
        assert [flow.status for one in all_learned(store) for flow in one.shown()] == ["acts"]
        page.locator("summary", has_text="Compare").click()
        page.get_by_label("With the trajectory").fill(other.sealed.id)
        page.get_by_role("button", name="Compare").click()
        page.get_by_text("argument order_id").wait_for()
        page.goto(f"http://{client.host}/trajectory/{shop.sealed.id}")
        page.locator("summary", has_text="Export").click()
        with page.expect_download() as saved:
            page.get_by_role("link", name="JSON document").click()
        assert json.loads(Path(saved.value.path()).read_text())["id"] == shop.sealed.id
        page.locator("summary", has_text="Forget").click()
        page.get_by_role("button", name="Forget it permanently").click()
        page.get_by_role("status").filter(has_text="Forgotten.").wait_for()
        assert store.get(shop.sealed.id) is None
        assert wrong == []


def test_new_runs_appear_while_the_page_is_open(work: tuple[SqliteStore, Client]) -> None:
    store, client = work
    with browsing(client) as page:
        page.goto(f"http://{client.host}/runs")
        page.locator("#live-state", has_text="live").wait_for()
        run = PastRun(
            id="now", at=time.time(), status="diverged", reason="check_refused", task="<i>now</i> here", step=3
        )
        store.add_history(HistoryBatch(id="now", runs=(run,)))
        began = time.monotonic()
        page.locator("tr.new", has_text="<i>now</i> here").wait_for(timeout=4_000)
        assert time.monotonic() - began < 2.5
        page.locator("tr.new a", has_text="check_refused").click()
        page.get_by_role("heading", name="Stopped at step 3").wait_for()


def test_keys_go_to_pages_through_lists_and_into_the_search(work: tuple[SqliteStore, Client]) -> None:
    _, client = work
    with browsing(client) as page:
        page.goto(f"http://{client.host}/")
        page.keyboard.press("g")
        page.keyboard.press("t")
        page.wait_for_url("**/trajectories")
        page.keyboard.press("j")
        page.keyboard.press("j")
        second = page.locator("[data-item]").nth(1).locator("a").first.get_attribute("href")
        assert page.evaluate("document.activeElement.getAttribute('href')") == second
        page.keyboard.press("/")
        page.keyboard.type("Ada")
        page.keyboard.press("Enter")
        page.wait_for_url("**/trajectories?task=Ada")
        page.goto(f"http://{client.host}/")
        page.keyboard.press("Tab")
        assert page.evaluate("document.activeElement.textContent") == "Skip to the content"


def test_all_pages_are_read_and_changes_made_without_scripts(work: tuple[SqliteStore, Client]) -> None:
    store, client = work
    (report,) = recordings(store, REPORT)
    with browsing(client, java_script_enabled=False) as page:
        for path in (*PAGES, f"/trajectory/{report.sealed.id}"):
            assert page.goto(f"http://{client.host}{path}").status == 200
            assert page.locator("main").inner_text()
        page.get_by_role("button", name="Report good").click()
        page.get_by_role("status").filter(has_text="Reported good.").wait_for()
        assert store.get(report.sealed.id).standing.state == "trusted"  # type: ignore[union-attr]


def test_the_token_in_a_file_opens_the_browser_once(work: tuple[SqliteStore, Client], tmp_path: Path) -> None:
    from playwright.sync_api import sync_playwright

    store, other = work
    serving = Serving(store)
    thread = threading.Thread(target=serving.run, daemon=True)
    thread.start()
    file = tmp_path / "open.html"
    file.write_text(f'<meta http-equiv="refresh" content="0; url={serving.url}">')
    url = serving.url
    try:
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=find_browser(), args=LOOPBACK)
            context = browser.new_context()
            page = context.new_page()
            page.goto(file.as_uri())  # From a file, which is another site, to the first page.
            page.wait_for_url(f"http://127.0.0.1:{serving.port}/")
            page.get_by_role("heading", name="Overview").wait_for()
            assert page.goto(url).status == 403
            # Another inspector in the same browser: each keeps its own cookie.
            name, _, value = other.cookie.partition("=")
            context.add_cookies([{"name": name, "value": value, "url": f"http://{other.host}"}])
            assert page.goto(f"http://{other.host}/").status == 200
            assert page.goto(f"http://127.0.0.1:{serving.port}/review").status == 200
            assert len(context.cookies()) == 2
            assert browser.new_context().new_page().goto(f"http://127.0.0.1:{serving.port}/").status == 403
            browser.close()
    finally:
        serving.stop()
        thread.join(10)


EVIL = """
<iframe src="http://HOST/"></iframe>
<script>
window.read = "no";
fetch("http://HOST/", {credentials: "include"})
  .then(answer => answer.text()).then(text => { window.read = text }, () => 0);
fetch("http://HOST/judge", {method: "POST", mode: "no-cors", credentials: "include",
                            body: new URLSearchParams({id: "ID", verdict: "bad", csrf: "CSRF"})});
</script>
<form method="post" action="http://HOST/judge">
<input name="id" value="ID"><input name="verdict" value="bad"><input name="csrf" value="CSRF"><button>go</button></form>
"""


def test_a_page_of_another_site_can_neither_read_nor_change(work: tuple[SqliteStore, Client], tmp_path: Path) -> None:
    store, client = work
    one = next(one for one in each(store) if one.standing.state == "fresh")
    evil = tmp_path / "evil.html"
    text = EVIL.replace("HOST", client.host).replace("ID", one.sealed.id)
    evil.write_text(text.replace("CSRF", client.serving.session.csrf))
    with browsing(client) as page:
        page.goto(evil.as_uri())
        page.wait_for_timeout(300)
        assert page.evaluate("window.read") == "no"
        assert page.frames[1].evaluate("document.body.innerText").find("Overview") < 0
        with page.expect_navigation() as gone:
            page.click("button")
        assert gone.value.status == 403
    assert store.get(one.sealed.id) == one


SHARES = 5
LOOK = """never => ({
    hit: window.__hit ?? null,
    scripts: document.scripts.length,
    never: document.querySelectorAll(never).length,
    links: [...document.links].every(one => one.protocol === "http:"),
})"""


@pytest.fixture(scope="module")
def scripted(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[str]]:
    """A store of the 200 scripts, and the ids of their trajectories."""
    path = tmp_path_factory.mktemp("scripts") / "store.db"
    with closing(SqliteStore(path)) as store:
        return path, [seal_text(store, at + 1, text, now=time.time()) for at, text in enumerate(SCRIPTS)]


@pytest.mark.parametrize("share", range(SHARES))
def test_of_200_stored_scripts_none_runs(share: int, scripted: tuple[Path, list[str]], tmp_path: Path) -> None:
    assert len(set(SCRIPTS)) == 200
    made, ids = scripted
    with (
        closing(SqliteStore(shutil.copy(made, tmp_path / "store.db"))) as store,
        served(store) as client,
        browsing(client) as page,
    ):
        wrong = watched(page)
        page.add_init_script("addEventListener('securitypolicyviolation', e => console.error(e.blockedURI))")
        numbers = [one.seq for one in store.history_runs(limit=300)][::-1]
        assert len(numbers) == 200
        pages = [PAGES[share], f"/trajectories?after={200 - 40 * share}", f"/runs?after={numbers[-1] - 40 * share}"]
        for at in range(share, len(SCRIPTS), SHARES):
            key = (at + 1).to_bytes(32, "big").hex()
            kinds = (f"/trajectory/{ids[at]}", f"/run/{numbers[at]}", f"/task/{key}?ask=x",
                     f"/compare?a={ids[at]}&b={ids[at - 1]}")  # fmt: skip
            pages += kinds if at % 10 == share else (kinds[(at // SHARES) % 4],)
        for path in pages:
            answer = page.goto(f"http://{client.host}{path}", wait_until="load")
            assert answer.status == 200, path
            assert page.evaluate(LOOK, NEVER) == {"hit": None, "scripts": 1, "never": 0, "links": True}, path
            assert page.title().endswith("- muscle_mem"), path
        look_at_live_runs(store, client, page, SCRIPTS[share::SHARES])
        assert wrong == []


def look_at_live_runs(store: SqliteStore, client: Client, page: Any, texts: list[str]) -> None:
    page.goto(f"http://{client.host}/runs")
    page.locator("#live-state", has_text="live").wait_for()
    for at, text in enumerate(texts):
        run = PastRun(id=f"n{at}", at=1.0, status=text[:50], reason=text, task=text, tool=text, step=1)
        store.add_history(HistoryBatch(id=f"n{at}", runs=(run,)))
    page.locator("tr.new").nth(len(texts) - 1).wait_for()
    assert page.locator("tr.new").count() == len(texts)
    assert page.evaluate("window.__hit") is None
