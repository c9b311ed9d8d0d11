"""A recording as a Python script: it calls the memory page, and does the same on it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from click.testing import CliRunner

from muscle_mem.cli import main

SITE = """<script>log = []</script><label>Name <input name=who oninput="log.push(value)"></label>
<label>Password <input type=password name=pw oninput="log.push(value)"></label>
<label>Size <select onchange="log.push(value)"><option>S<option>M</select></label>
<ul><li>Ann <button onclick="log.push('Ann')">Edit</button><li>Bob <button onclick="log.push('Bob')">Edit</button></ul>
<button onclick="log.push(confirm('Sure?'))">Delete</button>
<button onclick="const w = window.open('about:blank'); w.document.write(
 `<title>Terms</title><button onclick='opener.log.push(7)'>Agree</button>`)">Terms</button>
<a download="report.csv" href="data:text/csv,a;b">Report</a><p id=total>12.00 EUR</p>"""


def test_the_script_of_a_recording_does_the_same(make_desk: Any, tmp_path: Path) -> None:
    store = str(tmp_path / "memory.db")
    desk = make_desk(store=store)
    page: Any = desk.page

    def agent(name: str) -> Any:
        page.get_by_label("Name").fill(name)
        page.get_by_label("Password").fill("hunter-2")
        page.get_by_label("Size").select_option("M")
        page.get_by_role("listitem").filter(has_text="Bob").get_by_role("button").click()
        page.answer_dialog("Sure?")
        page.get_by_role("button", name="Delete").click()
        with page.expect_popup() as opened:
            page.get_by_role("button", name="Terms").click()
        opened.value.get_by_role("button", name="Agree").click()
        with page.expect_download() as coming:
            page.get_by_role("link", name="Report").click()
        assert coming.value.suggested_filename == "report.csv"
        return page.locator("#total").inner_text()

    outcome = desk.learn(agent, SITE, name="Ann", params={"name": "Ann"})
    assert desk.log() == ["Ann", "hunter-2", "M", "Bob", True, 7]
    exported = CliRunner().invoke(
        main, ["export", outcome.trajectory_id, "--format", "python", "--name", "again", "--store", store]
    )
    assert exported.exit_code == 0, exported.output
    script = exported.stdout
    assert 'page.click(role="button", within=[{"role": "listitem", "has_text": "Bob"}])' in script
    assert 'page.click(role="button", name="Agree", tab="tab2")' in script
    assert 'page.fill_secret(label="Password", pw=pw)' in script
    assert "hunter-2" not in script
    names: dict[str, Any] = {}
    exec(script, names)
    arguments = {key: None for key in names["again"].__code__.co_varnames if key.startswith(("before_", "after_"))}
    desk.show(SITE)
    assert names["again"](desk.page, name="Cid", pw="other-3", **arguments) == "12.00 EUR"
    assert desk.log() == ["Cid", "other-3", "M", "Bob", True, 7]
