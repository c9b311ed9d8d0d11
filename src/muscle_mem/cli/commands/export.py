"""`muscle-mem export`: trajectories as JSON files or as Python functions.

The files are for version control, the functions are for editing.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import click
import msgspec

from ..._core.export.source_options import PythonSource, SourceOptions
from ..._files import read_regular, write_regular
from ..._reading.exporting import file_name, json_text, python_text
from ..._reading.loading import holds_flows
from ..._reading.text import count, printable
from ...errors import InvalidValueError
from ...store import Store, Stored
from ..completion import complete_ids
from ..finding import Filter, get_stored
from ..opening import NotDoneError, json_option, open_existing, store_option
from ..output import print_json
from ..progress import watched
from .ls import filters

ENDINGS = {"json": ".json", "python": ".py"}


class Export(msgspec.Struct, frozen=True, kw_only=True):
    """Options of an export. `folder` is set for --all, else `id`."""

    id: str | None
    folder: Path | None
    kind: str
    output: Path | None
    overwrite: bool
    tools_from: str
    types_from: tuple[str, ...]
    name: str
    awaits: bool
    chosen: Filter
    as_json: bool

    def validate(self) -> None:
        """Raise UsageError for options that contradict each other or are not names."""
        if (self.id is None) == (self.folder is None):
            raise click.UsageError("expected either ID or --all DIR. Pass one of them.")
        if self.folder is not None and (self.output is not None or self.name):
            raise click.UsageError("--output and --name cannot be combined with --all. Remove them, or pass an ID.")
        if self.id is not None and self.chosen:
            raise click.UsageError("--state, --scope and --task cannot be combined with an ID. Remove them.")
        _ensure_name("--tools-from", self.tools_from.split("."))
        for module in self.types_from:
            _ensure_name("--types-from", module.split("."))
        _ensure_name("--name", [self.name])

    def source_of(self, stored: Stored, store: Store) -> PythonSource:
        """Return a trajectory in the format of this export. Raises InvalidValueError."""
        if self.kind == "json":
            return PythonSource(json_text(stored))
        return python_text(stored, SourceOptions(self.tools_from, self.types_from, self.name, self.awaits), store)

    def leaves_out(self, stored: Stored) -> bool:
        """Return whether this export has no form for a trajectory."""
        return self.kind == "python" and holds_flows(stored)


@click.command(name="export", short_help="Write trajectories as JSON files or Python functions.")
@click.argument("id", metavar="[ID]", required=False, shell_complete=complete_ids)
@click.option("--all", "folder", type=click.Path(path_type=Path), metavar="DIR", help="Write one file each into DIR.")
@click.option(
    "--format", "kind", type=click.Choice(tuple(ENDINGS)), default="json", show_default=True, help="Set the format."
)
@click.option("--output", "-o", type=click.Path(path_type=Path), metavar="FILE", help="Write to FILE, not to stdout.")
@click.option("--overwrite", is_flag=True, help="Replace the file of --output if it exists.")
@click.option("--tools-from", metavar="MODULE", default="", help="Python: import the tools from this module.")
@click.option(
    "--types-from", metavar="MODULE", multiple=True, help="Python: trust the classes of this module. Repeatable."
)
@click.option("--name", metavar="NAME", default="", help="Python: set the name of the function.")
@click.option("--async", "awaits", is_flag=True, help="Python: write an async function, for async tools.")
@filters
@json_option
@store_option
def export(store: str | None, **options: Any) -> None:
    """Export one trajectory, or with --all one file for each that matches the filters.

    JSON is complete and deterministic; read it back with `muscle-mem import`. Python is a function that calls your own
    tools: parameters, secrets and checks are its arguments. Replay counts are not exported. Secrets are never stored,
    so they are not exported either.

    Python imports a class only from the modules of --tools-from and --types-from. An argument with another class is
    left out: it becomes an argument of the function. Read a function before you run it. Flows of recordings
    have no Python form; --all skips them.

    \b
    Example:
      muscle-mem export 5c7a40f4 --format python --tools-from shop
      muscle-mem export --all trajectories --state trusted
    """
    wanted = Export(**options)
    wanted.validate()
    with open_existing(store) as source:
        if wanted.folder is not None:
            with watched("reading", source) as seen:
                chosen = list(wanted.chosen.select(seen))
            _export_all(source, [one for one in chosen if not wanted.leaves_out(one)], wanted, wanted.folder)
            return
        _export_one(source, get_stored(source, wanted.id or ""), wanted)


def _ensure_name(option: str, parts: Sequence[str]) -> None:
    value = ".".join(parts)
    if value and not all(part.isidentifier() for part in parts):
        raise click.UsageError(f"{option}: expected a Python name, got {value!r}. Use letters, digits and underscores.")


def _export_one(store: Store, stored: Stored, wanted: Export) -> None:
    id, output = stored.sealed.id, wanted.output
    try:
        source = wanted.source_of(stored, store)
    except InvalidValueError as error:
        raise NotDoneError(f"cannot write {id} as {wanted.kind}: {error}") from error
    text = source.text
    if output is not None:
        if not wanted.overwrite and _would_replace(output, text):
            raise NotDoneError(f"file {str(output)!r} exists and was not changed. Pass another path, or --overwrite.")
        _write(output, text)
    if wanted.as_json:
        file = str(output) if output else None
        print_json({"id": id, "format": wanted.kind, "file": file, "text": text, "left_out": list(source.left_out)})
    elif output is None:
        click.echo(text, nl=False)
    _report_left_out({id: source.left_out}, wanted)


def _export_all(store: Store, found: Iterable[Stored], wanted: Export, folder: Path) -> None:
    texts: dict[str, str] = {}
    failed: dict[str, str] = {}
    left_out: dict[str, Sequence[str]] = {}
    for stored in found:
        try:
            source = wanted.source_of(stored, store)
            texts[file_name(stored, ENDINGS[wanted.kind])] = source.text
            left_out[stored.sealed.id] = source.left_out
        except InvalidValueError as error:
            failed[stored.sealed.id] = str(error)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise NotDoneError(f"cannot create folder {str(folder)!r}: {error.strerror}. Pass another path.") from error
    for name, text in texts.items():
        _write(folder / name, text, follow_links=False)
    _report_all(wanted, folder, sorted(texts), failed)
    _report_left_out(left_out, wanted)
    if failed:
        click.get_current_context().exit(1)


def _report_all(wanted: Export, folder: Path, files: list[str], failed: dict[str, str]) -> None:
    if wanted.as_json:
        errors = [{"id": id, "why": why} for id, why in failed.items()]
        print_json({"folder": str(folder), "files": files, "failed": errors})
        return
    click.echo(f"Wrote {count(len(files), 'trajectory', 'trajectories')} to {printable(folder)}.")
    for id, why in failed.items():
        click.echo(f"Not written: {printable(id)}: {printable(why)}", err=True)


def _report_left_out(left_out: Mapping[str, Sequence[str]], wanted: Export) -> None:
    """Print on stderr what the source of each trajectory does not contain.

    The JSON of one trajectory contains it already.
    """
    for id, whys in left_out.items():
        for why in whys if not (wanted.as_json and wanted.folder is None) else ():
            click.echo(f"Left out of {printable(id)}: {printable(why)}", err=True)


def _would_replace(path: Path, text: str) -> bool:
    """Return whether a write would replace other content."""
    try:
        return path.is_file() and read_regular(path) != text.encode()
    except OSError:
        return True


def _write(path: Path, text: str, *, follow_links: bool = True) -> None:
    try:
        write_regular(path, text.encode(), follow_links=follow_links)
    except OSError as error:
        raise NotDoneError(f"cannot write {str(path)!r}: {error.strerror}. Pass another path.") from error
