"""`muscle-mem export`: trajectories as files, to keep in git, or as Python functions to go on with by hand."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import click

from ..._core.export.python_source import python_source
from ...errors import InvalidValueError
from ...store import Store, Stored
from ...store.document import to_document
from ...store.jsontext import to_text
from ...store.paging import pages
from ..finding import full_id, matches
from ..opening import NotDoneError, json_option, open_existing, store_option
from ..output import print_json
from ..reading import load_body, load_rows
from ..text import count, printable
from .ls import filters

ENDINGS = {"json": ".json", "python": ".py"}


@click.command(name="export", short_help="Write trajectories as JSON files or Python functions.")
@click.argument("id", metavar="[ID]", required=False)
@click.option("--all", "folder", type=click.Path(path_type=Path), metavar="DIR", help="Write all into this folder.")
@click.option("--format", "kind", type=click.Choice(tuple(ENDINGS)), default="json", show_default=True)
@click.option("--output", "-o", type=click.Path(path_type=Path), metavar="FILE", help="Write into this file.")
@click.option("--overwrite", is_flag=True, help="Replace the file of --output if it is there.")
@click.option("--tools-from", metavar="MODULE", default="", help="Python: import the tools from this module.")
@click.option("--name", metavar="NAME", default="", help="Python: the name of the function.")
@click.option("--async", "awaits", is_flag=True, help="Python: an async function, for tools that are async.")
@filters
@json_option
@store_option
def export(
    id: str | None,
    folder: Path | None,
    kind: str,
    output: Path | None,
    overwrite: bool,
    tools_from: str,
    name: str,
    awaits: bool,
    states: tuple[str, ...],
    scope: str | None,
    task: str | None,
    as_json: bool,
    store: str | None,
) -> None:
    """Export a trajectory, or with --all every one that --state, --scope and --task leave: a file for each.

    JSON is complete, always the same for the same trajectory, and comes back by `muscle-mem import`. Python is a
    function that calls your own tools: params, secrets and checks are its arguments. How often a trajectory was
    replayed is not exported, and secrets were never stored.

    \b
    Example:
      muscle-mem export 5c7a40f4 --format python --tools-from shop
      muscle-mem export --all trajectories --state trusted
    """
    if (id is None) == (folder is None):
        raise click.UsageError("Give an ID, or --all DIR.")
    if folder is not None and (output is not None or name):
        raise click.UsageError("--output and --name are for one trajectory; --all names files and functions itself.")
    if id is not None and (states or scope is not None or task is not None):
        raise click.UsageError("--state, --scope and --task choose among --all; an ID says it alone.")
    _ensure_names(tools_from, name)

    def write(stored: Stored) -> str:
        return to_text(to_document(stored)) if kind == "json" else _python(stored, tools_from, name, awaits)

    with open_existing(store) as source:
        if folder is not None:
            found = [one for page, _ in pages(source) for one in page if matches(one, states, scope, task)]
            _export_all(found, folder, ENDINGS[kind], write, as_json)
            return
        stored = _get(source, id or "")
    try:
        text = write(stored)
    except InvalidValueError as error:
        raise NotDoneError(f"{stored.sealed.id} cannot be written as {kind}: {error}") from error
    if output is not None:
        if not overwrite and _holds_another(output, text):
            raise NotDoneError(
                f"There is a file at {str(output)!r} already; it was not touched. Give another path, or --overwrite."
            )
        _write(output, text)
    if as_json:
        print_json({"id": stored.sealed.id, "format": kind, "file": str(output) if output else None, "text": text})
    elif output is None:
        click.echo(text, nl=False)


def _ensure_names(tools_from: str, name: str) -> None:
    for option, value, parts in (("--tools-from", tools_from, tools_from.split(".")), ("--name", name, [name])):
        if value and not all(part.isidentifier() for part in parts):
            raise click.UsageError(f"{option} {value!r} is not a name in Python.")


def _get(source: Store, id: str) -> Stored:
    stored = source.get(full_id(source, id))
    if stored is None:
        raise NotDoneError(f"There is no trajectory {id!r} any more.")
    return stored


def _python(stored: Stored, tools_from: str, name: str, awaits: bool) -> str:
    opened_body = load_body(stored)
    if opened_body.body is None:
        raise InvalidValueError(opened_body.error)
    rows = [seen.row for seen in load_rows(opened_body) if seen.row is not None and not seen.error]
    return python_source(
        opened_body.body,
        rows[0] if rows else None,
        task=stored.sealed.task,
        id=stored.sealed.id,
        tools_from=tools_from,
        name=name,
        awaits=awaits,
    )


def file_name(stored: Stored, ending: str) -> str:
    """The name of a trajectory's file: always the same, with its task for people and its id as the unique part."""
    words = re.sub(r"[^a-z0-9]+", "_" if ending == ".py" else "-", stored.sealed.task.casefold())[:40].strip("-_")
    mark = "_" if ending == ".py" else "-"
    return f"{words or 'trajectory'}{mark}{re.sub(r'[^0-9a-zA-Z]', '', stored.sealed.id)[:12]}{ending}"


def _export_all(
    found: Sequence[Stored], folder: Path, ending: str, write: Callable[[Stored], str], as_json: bool
) -> None:
    texts: dict[str, str] = {}
    failed: list[tuple[str, str]] = []
    for stored in found:
        try:
            texts[file_name(stored, ending)] = write(stored)
        except InvalidValueError as error:
            failed.append((stored.sealed.id, str(error)))
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise NotDoneError(f"The folder {str(folder)!r} cannot be made ({error.strerror}).") from error
    for name, text in texts.items():
        _write(folder / name, text)
    if as_json:
        report: dict[str, Any] = {"folder": str(folder), "files": sorted(texts)}
        print_json(report | {"failed": [{"id": id, "why": why} for id, why in failed]})
    else:
        click.echo(f"Wrote {count(len(texts), 'trajectory', 'trajectories')} into {printable(folder)}.")
        for id, why in failed:
            click.echo(f"Not written: {printable(id)}: {printable(why)}", err=True)
    if failed:
        click.get_current_context().exit(1)


def _holds_another(path: Path, text: str) -> bool:
    """Whether writing would replace a file; not if it is this text already, nor a device such as a pipe."""
    try:
        return path.is_file() and path.read_bytes() != text.encode()
    except OSError:
        return True


def _write(path: Path, text: str) -> None:
    try:
        path.write_text(text, encoding="utf-8", newline="\n")
    except OSError as error:
        raise NotDoneError(f"{str(path)!r} cannot be written ({error.strerror}).") from error
