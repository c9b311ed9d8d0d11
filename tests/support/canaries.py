"""For tests of secrets: values that nothing may show, and every form in which something might show them."""

from __future__ import annotations

import base64
import contextlib
import logging
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote, quote_plus

from click.testing import CliRunner

from muscle_mem import Diverged, Engine, Missed, MuscleMemError, Outcome
from muscle_mem._events import Event, event_text
from muscle_mem.cli import main

PLAIN = "kanarie-Qx7-vogel"
ODD = "käna\"rie'\\Qx7\n☃-vögel"


def forms(text: str) -> set[bytes]:
    """The bytes by which a text would be found: its encodings, and base64, hex, URL and repr forms of each."""
    found: set[bytes] = set()
    for encoding in ("utf-8", "utf-16-le", "utf-16-be", "utf-32-le"):
        raw = text.encode(encoding)
        found |= {raw, raw.hex().encode(), raw.hex().upper().encode()}
        found |= set(_in_base64(raw))
    shown = {
        repr(text)[1:-1],
        repr(repr(text))[2:-2],
        ascii(text)[1:-1],
        quote(text),
        quote(text, safe=""),
        quote_plus(text),
    }
    return found | {one.encode() for one in shown} | {repr(text.encode())[2:-1].encode()}


def _in_base64(raw: bytes) -> Iterator[bytes]:
    """What is common to all base64 texts of bytes in which `raw` stands, for each of the three alignments."""
    for before in range(3):
        for encode in (base64.b64encode, base64.urlsafe_b64encode):
            whole = encode(b"\0" * before + raw)
            yield whole[(0, 2, 3)[before] : (before + len(raw)) // 3 * 4]


def found_in(blob: bytes, *texts: str) -> list[bytes]:
    """Where the forms of secrets stand in some bytes, each with what is around it."""
    found = []
    for form in (form for text in texts for form in forms(text)):
        at = blob.find(form)
        if at >= 0:
            found.append(blob[max(0, at - 200) : at + len(form) + 60])
    return found


class Spy:
    """Everything that can be seen of some runs on one SQLite file: files, log, events, texts, hand-overs, commands."""

    def __init__(self, folder: Path, **options: Any) -> None:
        self.folder = folder
        self.store = folder / "memory.db"
        self.seen: list[str] = []
        self.live: list[Any] = []
        self.engines: list[Engine] = []
        self.engine = self.open(**options)

    def open(self, **options: Any) -> Engine:
        """One more engine on the same file, with the default log and an observer."""
        from muscle_mem._events import log_event

        self.engines.append(Engine(self.store, observers=[log_event, self.hear], **options))
        return self.engines[-1]

    def hear(self, event: Event) -> None:
        self.seen += [repr(event), str(event), event_text(event)]

    def tell(self, told: Any) -> None:
        """Keep every text that there is of something."""
        self.seen += [repr(told), str(told), format(told)]
        for name in ("message", "not_learned_message", "seen", "expected"):
            self.seen.append(str(getattr(told, name, "")))
        for name in ("divergence", "handover", "outcome"):
            if getattr(told, name, None) is not None:
                self.tell(getattr(told, name))
        if hasattr(told, "as_messages"):
            self.seen += [told.as_text(), told.as_text(400), told.as_text(150), repr(told.as_messages())]
            for step in (*told.executed, *told.remaining):
                self.tell(step)

    def run(self, agent: Callable[..., Any], *args: Any, engine: Engine | None = None, **given: Any) -> Outcome | None:
        """Explain a call and make it; what comes of it is looked at, whatever it is."""
        engine = engine or self.engine
        engine.set_agent(agent)
        asked = {name: value for name, value in given.items() if name not in ("on_divergence", "success")}
        try:
            explanation = engine.explain(*args, **asked)
            self.tell(explanation)
            for one in explanation.considered:
                self.tell(one)
            outcome = engine(*args, **given)
        except (Missed, Diverged) as error:
            self.tell(error)
            self.seen += [repr(error.args), repr(error.__cause__), repr(getattr(error, "__notes__", ""))]
            return None
        except MuscleMemError as error:
            self.seen += [repr(error), repr(error.__cause__)]
            return None
        except Exception as error:  # the user's own passes unchanged, but for the note that is ours
            self.seen += getattr(error, "__notes__", [])
            return None
        self.tell(outcome)
        return outcome

    def commands(self) -> None:
        """What the command line shows of the store."""
        runner = CliRunner()
        store = str(self.store)
        ids = [stored.sealed.id for stored in self.engine._runtime.library.store.scan().stored]
        calls = [["ls"], ["stats"], ["stats", "--full"], ["doctor"], *(["show", id] for id in ids)]
        for call in calls:
            for more in ([], ["--json"]):
                done = runner.invoke(main, [*call, "--store", store, *more])
                assert done.exit_code in (0, 1), (call, done.output, done.exception)
                self.seen.append(done.output)
        for more in ([], ["--json"]):
            done = runner.invoke(main, ["tail", "--no-follow", "-n", "1000", "--store", store, *more])
            assert done.exit_code == 0
            self.seen.append(done.output)

    def blob(self, log: str = "") -> bytes:
        """All of it as bytes, the files as they are now, with what is not written back yet."""
        for engine in self.engines:
            engine._runtime.library.history.flush()
            assert "history" not in engine._runtime.store_health.failures
        self.commands()
        files = [path for path in sorted(self.folder.rglob("*")) if path.is_file()]
        assert any(path.name == "memory.db" for path in files)
        assert any(path.name == "memory.db-wal" for path in files)
        return b"\n".join(
            [
                *(path.read_bytes() for path in files),
                *(one.encode("utf-8", "replace") for one in self.seen),
                log.encode("utf-8", "replace"),
            ]
        )


@contextlib.contextmanager
def all_logged(caplog: Any) -> Iterator[None]:
    with caplog.at_level(logging.DEBUG):
        yield
