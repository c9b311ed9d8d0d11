"""`muscle-mem inspect`: one line with a URL, a file for the browser, and clear errors."""

from __future__ import annotations

import json
import os
import re
import signal
import sqlite3
import stat
import subprocess
import sys
import urllib.error
import urllib.request
import webbrowser
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest

from cli_cases import run
from inspector_server import served
from muscle_mem.errors import StoreError
from muscle_mem.inspector.serving import Serving
from muscle_mem.store import SqliteStore

KEY = "a key of sixteen bytes or more"


@contextmanager
def inspecting(*words: str, **environment: str) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """A process of the command, and its first line."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith("MUSCLE_MEM_")}
    process = subprocess.Popen(
        [sys.executable, "-W", "error", "-m", "muscle_mem", "inspect", *words],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**clean, "PYTHONUNBUFFERED": "1", **environment},
    )
    try:
        assert process.stdout is not None
        line = process.stdout.readline()
        host = line.split("/")[2]
        with pytest.raises(
            urllib.error.HTTPError, match="403"
        ) as refused:  # It answers, so that it can be interrupted.
            urllib.request.urlopen(f"http://{host}/")
        refused.value.close()
        yield process, line
    finally:
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=20)
        assert process.returncode == 0, errors
        assert errors == ""


def test_it_prints_one_line_of_json_and_goes_on(path: Path) -> None:
    with inspecting("--store", str(path), "--json") as (process, line):
        found = json.loads(line)
        assert sorted(found) == ["port", "read_only", "url"]
        assert found["url"].startswith(f"http://127.0.0.1:{found['port']}/enter?token=")
        assert found["read_only"] is False
        with urllib.request.urlopen(found["url"]) as answer:
            assert answer.status == 200
        with pytest.raises(urllib.error.HTTPError, match="403") as refused:
            urllib.request.urlopen(found["url"])
        refused.value.close()
        assert process.poll() is None


def test_it_prints_a_url_and_what_is_allowed(path: Path) -> None:
    with inspecting("--store", str(path), "--no-open", "--read-only") as (process, line):
        assert re.fullmatch(r"Inspector: http://127\.0\.0\.1:\d+/enter\?token=[\w-]{43}\n", line)
        assert process.stdout is not None
        assert process.stdout.readline() == "Read-only: --read-only was given.\n"
        assert process.stdout.readline() == "The URL works once. Press Ctrl-C to stop.\n"


def test_it_ends_at_once_while_a_live_page_is_open(path: Path) -> None:
    with inspecting("--store", str(path), "--json") as (process, line):
        host = urlsplit(json.loads(line)["url"]).netloc
        with urllib.request.urlopen(json.loads(line)["url"]) as answer:
            cookie = answer.headers["set-cookie"].split(";")[0]
        live = urllib.request.urlopen(urllib.request.Request(f"http://{host}/runs/live", headers={"Cookie": cookie}))
        assert live.readline() == b"retry: 2000\n"
        process.send_signal(signal.SIGINT)
        assert process.wait(10) == 0
        live.close()


def test_a_signed_store_without_its_key_is_read_only(tmp_path: Path) -> None:
    path = str(tmp_path / "signed.db")
    SqliteStore(path, signing_key=KEY).close()
    with inspecting("--store", path, "--json") as (_, line):
        assert json.loads(line)["read_only"] is True
    with inspecting("--store", path, "--json", MUSCLE_MEM_SIGNING_KEY=KEY) as (_, line):
        assert json.loads(line)["read_only"] is False
    found = run("inspect", "--store", path, env={"MUSCLE_MEM_SIGNING_KEY": KEY + "!"})
    assert found.exit_code == 2
    assert "not signed with this key" in found.stderr


@pytest.mark.parametrize("name", ["missing.db", "folder", "text.db", "newer.db"])
def test_a_store_that_cannot_be_used_is_one_line(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    if name == "folder":
        path.mkdir()
    elif name == "text.db":
        path.write_text("text " * 1000)
    elif name == "newer.db":
        SqliteStore(path).close()
        with closing(sqlite3.connect(path)) as connection, connection:
            connection.execute("UPDATE meta SET value = 99 WHERE name = 'min_reader'")
            connection.execute("PRAGMA user_version = 99")
    found = run("inspect", "--store", str(path), "--no-open")
    assert found.exit_code == 2
    assert len(found.stderr.splitlines()) == 1
    assert not (tmp_path / "missing.db").exists()


def test_a_port_in_use_and_odd_names_of_hosts_are_refused(path: Path, store: SqliteStore) -> None:
    with served(store) as client:
        found = run("inspect", "--store", str(path), "--port", str(client.serving.port))
        assert (found.exit_code, "is not available" in found.stderr) == (2, True)
        with pytest.raises(StoreError, match="--port 0"):
            Serving(store, port=client.serving.port)
    for host in ("http://x", "x:80", "", "*", "a b", "x/"):
        assert run("inspect", "--store", str(path), "--allow-host", host).exit_code == 2


def test_without_the_extra_it_says_what_to_install(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [one for one in sys.modules if one.startswith("muscle_mem.inspector")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "uvicorn", None)
    found = run("inspect", "--store", str(path))
    assert found.exit_code == 2
    assert "pip install 'muscle-mem[inspector]'" in found.stderr


def test_the_browser_gets_a_file_that_only_this_user_reads(
    store: SqliteStore, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    opened: list[str] = []
    monkeypatch.setattr(webbrowser, "open", lambda url: opened.append(url) is None)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    monkeypatch.setenv("DISPLAY", ":1")
    serving = Serving(store)
    assert serving.open()
    file = Path(unquote(urlsplit(opened[0]).path))
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert serving.session.token in file.read_text()
    assert serving.session.token not in opened[0]
    assert serving.session.exchange(serving.session.token)
    assert not file.exists()  # The token is void, and so is the file.
    serving.close()
    another = Serving(store)
    another.open()
    another.close()
    assert list(tmp_path.glob("muscle-mem-*")) == []


def test_without_a_desktop_no_browser_is_opened(store: SqliteStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.delenv("DISPLAY", raising=False)
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
    monkeypatch.setattr(webbrowser, "open", lambda url: pytest.fail("opened"))
    serving = Serving(store)
    assert not serving.open()
    serving.close()


def test_nothing_of_it_is_loaded_by_the_package() -> None:
    code = (
        "import sys, muscle_mem, muscle_mem.cli; muscle_mem.Engine();"
        "print([one for one in sys.modules if '.inspector' in one or one in ('starlette', 'uvicorn', 'jinja2')])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
