"""`muscle-mem import`: trajectories from JSON files, all or none."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import click
import msgspec

from ..._files import read_regular
from ...errors import InvalidValueError, StoreError
from ...store import FRESH, QUARANTINED, TRUSTED, Note, Store, Stored
from ...store.document import ensure_known_state, from_document
from ...store.jsontext import from_text
from ..opening import NotDoneError, json_option, open_existing, store_option
from ..output import print_json
from ..text import count


class Import(msgspec.Struct):
    """Result of an import: ids of new trajectories, and of those that existed."""

    new: list[str] = msgspec.field(default_factory=list)
    known: list[str] = msgspec.field(default_factory=list)


@click.command(name="import", short_help="Read trajectories from JSON files.")
@click.argument("files", metavar="FILE...", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--trust", is_flag=True, help="Keep the trust state in the files. Use it only for files that you trust.")
@json_option
@store_option
def import_(files: tuple[Path, ...], trust: bool, as_json: bool, store: str | None) -> None:
    """Import files that `muscle-mem export` wrote. Each FILE is a file or a folder.

    The store is created if necessary. Ids stay the same, so a trajectory that exists only gains recordings. A new
    trajectory starts as fresh, even if it was trusted in the store that exported it; --trust keeps its state. A
    quarantine is always kept. All files are validated before anything is written. If a file is invalid or the store
    fails, nothing new is imported.

    \b
    Example:
      muscle-mem import trajectories/ --store memory.db
      muscle-mem import pay-the-bill-5c7a40f4aa01.json --trust
    """
    found = read_files(files)
    with open_existing(store, make=True) as target:
        done = _import(target, found, trust)
    if as_json:
        print_json({"imported": done.new, "known": done.known})
    else:
        known = len(done.known)
        more = f"; {known} already existed" if known else ""
        click.echo(f"Imported {count(len(done.new), 'trajectory', 'trajectories')}{more}.")


def read_files(files: Iterable[Path]) -> list[Stored]:
    """Return the trajectories of files and folders, oldest first.

    Raises NotDoneError, which names the file and the position.
    """
    paths: list[Path] = []
    for path in files:
        inside = sorted(path.glob("*.json")) if path.is_dir() else [path]
        if not inside:
            raise NotDoneError(
                f"cannot import {str(path)!r}: expected JSON files in the folder, got none. Pass another folder."
            )
        paths += inside
    found: dict[str, tuple[Path, Stored]] = {}
    for path in paths:
        stored = read_file(path)
        if stored.sealed.id in found and found[stored.sealed.id][1] != stored:
            other = found[stored.sealed.id][0]
            raise NotDoneError(
                f"cannot import {str(other)!r} and {str(path)!r}: expected one version of a trajectory. Pass one file."
            )
        found[stored.sealed.id] = (path, stored)
    return sorted((stored for _, stored in found.values()), key=lambda one: (one.seq, one.sealed.id))


def read_file(path: Path) -> Stored:
    """Return the trajectory of a file. Raises NotDoneError, which names the position."""
    try:
        data = read_regular(path)
    except OSError as error:
        raise NotDoneError(f"cannot read {str(path)!r}: {error.strerror}. Correct the path.") from error
    try:
        stored = from_document(from_text(data))
        ensure_known_state(stored)
    except InvalidValueError as error:
        raise NotDoneError(f"cannot read {str(path)!r}: {error}. Nothing was imported.") from error
    return stored


def _import(target: Store, found: list[Stored], trust: bool) -> Import:
    done = Import()
    try:
        for stored in found:
            known = target.get(stored.sealed.id) is not None
            (done.known if known else done.new).append(stored.sealed.id)
            _seal(target, stored, trust, new=not known)
    except StoreError as error:
        _take_back(target, done.new)
        raise StoreError(f"{error} No new trajectory was imported.") from error
    return done


def _seal(target: Store, stored: Stored, trust: bool, *, new: bool) -> None:
    standing = stored.standing
    state, reason = standing.state, standing.reason
    if state == TRUSTED and not trust:
        state, reason = FRESH, ""
    sealed = msgspec.structs.replace(stored.sealed, state=state, reason=reason)
    note = None
    if trust or (new and standing.held and state == QUARANTINED):
        note = Note(id=sealed.id, state=state, reason=reason, held=standing.held, strikes=0, by_person=True)
    rows = sorted((observation for _, observation in reversed(stored.observations)), key=lambda one: one.refresh)
    rows[0] = msgspec.structs.replace(rows[0], refresh=False)  # A refresh cannot start a trajectory.
    for index, observation in enumerate(rows):
        target.seal(sealed, observation, note if index == 0 else None)


def _take_back(target: Store, ids: list[str]) -> None:
    try:
        target.forget(tuple(ids))
    except StoreError:  # The caller already reports the first failure.
        pass
