"""`muscle-mem import`: trajectories from JSON files, all or none."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import click
import msgspec

from ..._core.model.learned import REJECTED, STRUCK, evidence_bytes, read_entries
from ..._core.plan.identity import evidence_id
from ..._files import read_regular
from ..._reading.loading import holds_flows
from ..._reading.text import count, printable
from ...errors import DecodeError, InvalidValueError, StoreError
from ...store import QUARANTINED, TRUSTED, Note, Observation, Standing, Store, Stored
from ...store.document import ensure_known_state, from_document
from ...store.jsontext import from_text
from ...store.verdicts import APPROVED, IMPORTED, is_pending, unapproved
from ..opening import NotDoneError, json_option, open_existing, store_option
from ..output import print_json


class Import(msgspec.Struct):
    """Result of an import: ids of new trajectories, and of those that existed.

    The recordings of those `left_out` were not added, because they were not approved.
    """

    new: list[str] = msgspec.field(default_factory=list)
    known: list[str] = msgspec.field(default_factory=list)
    left_out: list[str] = msgspec.field(default_factory=list)


class Options(msgspec.Struct, frozen=True):
    """Which states imported trajectories get."""

    trust: bool
    approve: bool


@click.command(name="import", short_help="Read trajectories from JSON files.")
@click.argument("files", metavar="FILE...", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--trust", is_flag=True, help="Keep the trust state in the files. Use it only for files that you trust.")
@click.option("--approve", is_flag=True, help="Approve all imported trajectories for replay.")
@json_option
@store_option
def import_(files: tuple[Path, ...], trust: bool, approve: bool, as_json: bool, store: str | None) -> None:
    """Import files that `muscle-mem export` wrote. Each FILE is a file or a folder.

    The store is created if necessary, and ids stay the same. A new trajectory is quarantined until you approve it, as
    with `muscle-mem approve`, or record the same calls yourself. --approve approves all of them, and --trust keeps the
    state in the files. A quarantine in a file is always kept.

    Without these options, an existing trajectory gets no new recordings, and only evidence against flows is imported.
    All files are validated before anything is written. If a file is invalid or the store fails, nothing new is
    imported.

    \b
    Example:
      muscle-mem import trajectories/ --store memory.db
      muscle-mem import pay-the-bill-5c7a40f4aa01.json --approve
    """
    if trust and approve:
        raise click.UsageError("--trust and --approve exclude each other. Pass one of them.")
    found = read_files(files)
    options = Options(trust, approve)
    with open_existing(store, make=True) as target:
        done = _import(target, found, options)
    if as_json:
        print_json({"imported": done.new, "known": done.known, "left_out": done.left_out})
    else:
        _print(done, options)


def _print(done: Import, options: Options) -> None:
    known = len(done.known)
    more = f"; {known} already existed" if known else ""
    click.echo(f"Imported {count(len(done.new), 'trajectory', 'trajectories')}{more}.")
    if done.new and not (options.trust or options.approve):
        click.echo("Not replayed until you approve them: `muscle-mem show ID`, then `muscle-mem approve ID`.")
    for id in done.left_out:
        click.echo(f"{printable(id)}: its recordings were not added. Review the file, then pass --approve.", err=True)


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


def _import(target: Store, found: list[Stored], options: Options) -> Import:
    done = Import()
    try:
        for stored in found:
            known = target.get(stored.sealed.id)
            if holds_flows(stored) and not (options.trust or options.approve):
                _import_doubts(target, stored, known, done)
                continue
            (done.new if known is None else done.known).append(stored.sealed.id)
            if known is None:
                _seal(target, _as_new(stored, options), stored.standing.held or options.trust)
            elif options.trust or options.approve or is_pending(known.standing):
                _add(target, stored, known, options)
            elif not _has_all(known, stored):
                done.left_out.append(stored.sealed.id)
    except StoreError as error:
        _take_back(target, done.new)
        raise StoreError(f"{error} No new trajectory was imported.") from error
    return done


def _import_doubts(target: Store, stored: Stored, known: Stored | None, done: Import) -> None:
    """Import what speaks against flows from evidence that was not approved (P5).

    It can only have the agent asked more often. Flows themselves are derived from recordings.
    """
    id = stored.sealed.id
    kept = [(seq, row) for seq, row in ((seq, _doubts(id, row)) for seq, row in stored.observations) if row is not None]
    if known is not None:
        done.known.append(id)
    if [row.id for _, row in kept] != [row.id for _, row in stored.observations] and not (
        known is not None and _has_all(known, stored)
    ):
        done.left_out.append(id)
    quarantined = stored.standing.state == QUARANTINED
    if not kept and not (quarantined and known is None):
        return
    if known is None:
        done.new.append(id)
    standing = stored.standing if quarantined else Standing()
    rows = tuple(kept) or ((0, _row_of(id, stored.observations[0][1], ())),)
    _seal(target, msgspec.structs.replace(stored, observations=rows, standing=standing), known is None and quarantined)


def _doubts(id: str, row: Observation) -> Observation | None:
    """Return evidence without what speaks for flows; None if nothing is left."""
    try:
        entries = read_entries(row.body)
    except DecodeError:
        return None
    against = [entry for entry in entries if entry[:1] in (STRUCK, REJECTED)]
    return row if len(against) == len(entries) > 0 else _row_of(id, row, against) if against else None


def _row_of(id: str, row: Observation, entries: Iterable[bytes]) -> Observation:
    body = evidence_bytes(entries)
    return msgspec.structs.replace(row, id=evidence_id(id, body), body=body)


def _as_new(stored: Stored, options: Options) -> Stored:
    """Return a trajectory with its standing in a store that lacks it (P5)."""
    standing = stored.standing
    if options.trust:
        return stored
    if not options.approve:
        standing = unapproved(standing)
    elif standing.state != QUARANTINED or is_pending(standing):
        standing = msgspec.structs.replace(standing, state=TRUSTED, reason=f"{APPROVED}: {IMPORTED}", held=False)
    return msgspec.structs.replace(stored, standing=standing)


def _add(target: Store, stored: Stored, known: Stored, options: Options) -> None:
    """Add recordings to a trajectory that the store has."""
    if options.trust:
        _seal(target, stored, True)
        return
    standing = known.standing
    if options.approve and is_pending(standing):
        standing = msgspec.structs.replace(standing, state=TRUSTED, reason=f"{APPROVED}: {IMPORTED}", held=False)
    _seal(target, msgspec.structs.replace(stored, standing=standing), standing != known.standing)


def _has_all(known: Stored, stored: Stored) -> bool:
    ids = {observation.id for _, observation in known.observations}
    return all(observation.id in ids for _, observation in stored.observations)


def _seal(target: Store, stored: Stored, by_person: bool) -> None:
    """Write all recordings of a trajectory.

    `by_person` sets its standing even if the store has it.
    """
    standing = stored.standing
    state, reason = standing.state, standing.reason
    sealed = msgspec.structs.replace(stored.sealed, state=state, reason=reason)
    note = Note(id=sealed.id, state=state, reason=reason, held=standing.held, strikes=0, by_person=True)
    rows = sorted((observation for _, observation in reversed(stored.observations)), key=lambda one: one.refresh)
    if holds_flows(stored):  # Importing evidence again changes nothing.
        known = target.get(sealed.id)
        there = set() if known is None else {observation.id for _, observation in known.observations}
        rows = [row for row in rows if row.id not in there]
        if not rows and by_person:
            target.note((note,))
    if rows:
        rows[0] = msgspec.structs.replace(rows[0], refresh=False)  # A refresh cannot start a trajectory.
    for index, observation in enumerate(rows):
        target.seal(sealed, observation, note if by_person and index == 0 else None)


def _take_back(target: Store, ids: list[str]) -> None:
    try:
        target.forget(tuple(ids))
    except StoreError:  # The caller already reports the first failure.
        pass
