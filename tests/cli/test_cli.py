"""The command line as a whole: which store, stored text on a terminal, the program without the users' code."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

import muscle_mem
from cli_cases import as_json, edit, lit, plain_body, plain_row, run, seal
from muscle_mem._core.model.records import StepRecord
from muscle_mem._reading.text import duration, iso, local, printable, size
from muscle_mem.cli import main
from muscle_mem.store import MemoryStore, SqliteStore

# --- which store


def test_the_store_is_named_by_the_command_the_group_or_the_environment(shop: tuple[str, list[str]]) -> None:
    path, ids = shop
    assert ids[0] in run("ls", "--store", path).stdout
    assert ids[0] in run("--store", path, "ls").stdout
    assert ids[0] in run("ls", env={"MUSCLE_MEM_STORE": path}).stdout
    assert ids[0] in run("ls", "--store", f"sqlite:///{path}?busy_timeout=5").stdout
    assert ids[0] in run("--store", "/nowhere.db", "ls", "--store", path, env={"MUSCLE_MEM_STORE": "/x"}).stdout


@pytest.mark.parametrize("command", ["ls", "show abcdef", "stats", "forget abcdef", "forget --all --yes", "doctor"])
def test_no_command_makes_a_store_that_is_not_there(command: str, tmp_path: Path) -> None:
    for name in ("new.db", "no/such/folder/new.db"):
        result = run(*command.split(), "--store", str(tmp_path / name))
        assert result.exit_code == 2
        assert repr(str(tmp_path / name)) in result.stderr
        assert result.stderr.count("\n") == 1
    result = run(*command.split(), "--store", f"sqlite:///{tmp_path}/new%20one.db")
    assert result.exit_code == 2
    assert "new one.db" in result.stderr
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("command", ["ls", "stats", "doctor"])
def test_a_store_that_cannot_be_used_is_one_line_and_code_2(command: str, tmp_path: Path) -> None:
    (tmp_path / "text.db").write_text("no database at all, and long enough to be looked at " * 40)
    edit(tmp_path / "foreign.db", "CREATE TABLE t(x)")
    MemoryStore().close()
    SqliteStore(tmp_path / "newer.db").close()
    edit(tmp_path / "newer.db", "PRAGMA user_version = 99")
    edit(tmp_path / "newer.db", "UPDATE meta SET value = 99")
    (tmp_path / "empty.db").touch()
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir() if path.suffix == ".db"}
    cases = {
        str(tmp_path / "text.db"): "text.db",
        str(tmp_path / "foreign.db"): "foreign.db",
        str(tmp_path / "newer.db"): "newer.db",
        str(tmp_path / "empty.db"): "empty.db",
        str(tmp_path): f"'folder:///{tmp_path}'",
        "folder:///not/there": "folder:////",
        "memory:": "'memory:'",
        "sqlite://": "'sqlite://'",
        "mongodb://u:hunter2@host/db": "mongodb",
        "sqlite://host/db": "host",
        "": "''",
        "a" * 5000: "File name too long",
    }
    for name, words in cases.items():
        result = run(command, "--store", name)
        assert (result.exit_code, result.stderr.count("\n"), result.stdout) == (2, 1, ""), name
        assert words in result.stderr
        assert "hunter2" not in result.stderr
    assert before == {path.name: path.read_bytes() for path in tmp_path.iterdir() if path.suffix == ".db"}


def test_without_any_store_the_message_says_how_to_name_one() -> None:
    for env in ({}, {"MUSCLE_MEM_STORE": ""}):
        result = run("ls", env=env)
        assert result.exit_code == 2
        assert "MUSCLE_MEM_STORE" in result.stderr


def test_a_read_only_store_is_read_and_not_forgotten_in(
    shop: tuple[str, list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    path, ids = shop
    monkeypatch.setattr("muscle_mem.store.sqlite.opening.os.access", lambda *_: False)
    assert len(as_json("ls", "--store", path)) == 3
    assert as_json("doctor", "--store", path)["ok"] is True
    result = run("forget", ids[0], "--store", path)
    assert result.exit_code == 2
    assert "read-only" in result.stderr


# --- stored text


def test_no_stored_text_reaches_the_terminal_raw(shop: tuple[str, list[str]]) -> None:
    path, ids = shop
    outputs = [run(*command, "--store", path).stdout for command in (["ls"], ["stats"], ["doctor"], ["show", ids[2]])]
    for output in outputs:
        assert all(character.isprintable() or character == "\n" for character in output)
    assert "log in \\x1b[31mred\\x1b[0m \\x07\\x9b\\u202eevil\\u2028[bold]x[/bold]" in outputs[0]
    assert "looks [bold]wrong\\x07" in outputs[0]
    assert "[red]b, a @tenant" in outputs[0]


def test_a_lone_surrogate_is_shown_and_told(tmp_path: Path) -> None:
    path = tmp_path / "lone.db"
    body = plain_body(StepRecord("t", "f", (("x", lit("\udc80")),)))
    seal(path, "abcd", body, plain_row(), task="a \ud800 b")
    for command in ("ls", "show abcd"):
        shown = run(*command.split(), "--store", str(path)).stdout
        assert "a \\ud800 b" in shown
    assert "t(x='\\udc80')" in shown
    assert as_json("ls", "--store", str(path))[0]["task"].encode("utf-8", "surrogatepass") == b"a \xed\xa0\x80 b"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain text, Grüße, 漢字, 🎉", "plain text, Grüße, 漢字, 🎉"),
        ("a\nb\r\tc", "a\\nb\\r\\tc"),
        ("\x00\x1b]0;title\x07\x7f\x85\x9b", "\\x00\\x1b]0;title\\x07\\x7f\\x85\\x9b"),
        ("\u202a\u202e\u2066\u200b\ufeff\u2028", "\\u202a\\u202e\\u2066\\u200b\\ufeff\\u2028"),
        ("\ud800\udfff\U000e0041\u3164", "\\ud800\\udfff\\U000e0041\\u3164"),
        ("", ""),
    ],
)
def test_what_is_not_plainly_printable_is_shown_by_its_number(text: str, shown: str) -> None:
    assert printable(text) == shown


def test_every_code_point_comes_out_printable() -> None:
    everything = "".join(map(chr, (*range(0x10000), *range(0x10000, 0x110000, 97))))
    assert printable(everything).isprintable()
    assert printable("\x1b" * 100, 10) == "\\x1b\\x1b\\…"


def test_times_and_sizes_for_people() -> None:
    assert [duration(s) for s in (0, 1e-6, 0.0042, 0.12, 12.34, 303, 7500)] == [
        "0 s", "<0.1 ms", "4.2 ms", "0.12 s", "12.3 s", "5 min 3 s", "2 h 5 min",
    ]  # fmt: skip
    assert [size(n) for n in (0, 999, 41_000, 2_500_000)] == ["0 bytes", "999 bytes", "41.0 kB", "2.5 MB"]
    assert iso(1e9) == "2001-09-09T01:46:40.000Z"
    for odd in (0.0, float("inf"), 1e300, -1e300):
        assert iso(odd) is None
        assert local(odd) == "never"


# --- the program


def program(*arguments: str, **env: str) -> subprocess.CompletedProcess[str]:
    variables = {name: value for name, value in os.environ.items() if not name.startswith("MUSCLE_MEM")}
    return subprocess.run(
        [sys.executable, "-W", "error", "-m", "muscle_mem", *arguments],
        capture_output=True,
        text=True,
        encoding="utf-8",
        env={**variables, **env},
        stdin=subprocess.DEVNULL,
        timeout=60,
    )


def test_a_program_without_the_users_code_reads_the_store(shop: tuple[str, list[str]]) -> None:
    path, ids = shop
    done = program("show", ids[0][:6], MUSCLE_MEM_STORE=path)
    assert (done.returncode, done.stderr) == (0, "")
    assert re.search(r"pre-snapshot: \{'at': <Record of [\w.]*cli_cases:Point\(x=1, label='Username'\)>\}", done.stdout)
    assert "type_text(target='Username', text=name)" in done.stdout
    report = json.loads(program("doctor", "--json", MUSCLE_MEM_STORE=path).stdout)
    assert report["ok"] is True
    unknown = [one["what"] for one in report["notices"] if one["kind"] == "unknown_class"]
    assert [re.split(r"[: ]", one)[1] for one in unknown] == ["Colour", "Point"]
    assert all("in 3 trajectories" in one for one in unknown)


def test_a_terminal_of_few_letters_gets_numbers_for_the_rest(tmp_path: Path) -> None:
    path = tmp_path / "letters.db"
    seal(path, "abcd", plain_body(StepRecord("grüße", "f", (("x", lit("漢字")),))), plain_row(), task="Grüße 漢字 🎉")
    for command in ("ls", "show abcd"):
        done = program(*command.split(), MUSCLE_MEM_STORE=str(path), PYTHONIOENCODING="ascii")
        assert (done.returncode, done.stderr) == (0, "")
        assert "Gr\\xfc\\xdfe" in done.stdout


def test_the_program_fails_in_one_line_without_a_traceback(tmp_path: Path) -> None:
    done = program("ls", "--store", str(tmp_path / "no.db"))
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (2, "", 1)
    assert done.stderr.startswith("Error: ")
    assert repr(str(tmp_path / "no.db")) in done.stderr


def test_importing_the_library_loads_nothing_of_the_command_line() -> None:
    code = "import muscle_mem, sys; print([m for m in ('click', 'rich', 'muscle_mem.cli') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.strip() == "[]"


def test_the_version_is_the_librarys() -> None:
    assert run("--version").stdout == f"muscle-mem {muscle_mem.__version__}\n"


def test_every_command_has_help_with_an_example_and_json() -> None:
    assert sorted(main.commands) == [
        "approve",
        "backup",
        "copy",
        "demo",
        "diff",
        "doctor",
        "export",
        "flows",
        "forget",
        "import",
        "inspect",
        "ls",
        "mcp",
        "migrate",
        "prune",
        "report-bad",
        "report-good",
        "show",
        "stats",
        "tail",
        "verify",
    ]
    overview = run("--help").stdout
    for name, command in main.commands.items():
        text = run(name, "--help").stdout
        assert f"Example:\n    muscle-mem {name}" in text
        assert "--json" in text or name == "mcp"  # whose output is the protocol
        assert command.short_help is not None
        assert f"  {name}" in overview
        assert command.short_help in overview


@pytest.mark.skipif(sys.platform == "win32", reason="no pseudo-terminals")
def test_on_a_terminal_ids_are_short_and_lines_fit(shop: tuple[str, list[str]]) -> None:
    path, ids = shop
    shown = on_terminal(["ls", "--store", path], columns=100)
    plain = re.sub(r"\x1b\[[0-9;]*m", "", shown)
    assert ids[0][:12] in plain
    assert ids[0] not in plain
    assert max(map(len, plain.splitlines())) <= 100
    narrow = re.sub(r"\x1b\[[0-9;]*m", "", on_terminal(["ls", "--store", path], columns=30))
    assert "quarantine" in narrow
    assert ids[0][:12] in narrow


def on_terminal(arguments: list[str], columns: int) -> str:
    """What a person would see in a window of so many columns."""
    import fcntl
    import struct
    import termios

    ours, theirs = os.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 40, columns, 0, 0))
    env = {**os.environ, "TERM": "xterm"}
    process = subprocess.Popen(
        [sys.executable, "-m", "muscle_mem", *arguments], stdin=theirs, stdout=theirs, stderr=theirs, env=env
    )
    os.close(theirs)
    seen = b""
    try:
        while part := os.read(ours, 4096):
            seen += part
    except OSError:  # how Linux says that the other end is closed
        pass
    os.close(ours)
    assert process.wait(60) == 0
    return seen.decode()
