"""One file of a `FolderStore`: a trajectory's document, with digests."""

from __future__ import annotations

import hmac
import json
import os
from typing import Any

import msgspec

from ...errors import InvalidValueError
from .. import jsontext
from ..base import Observation, Sealed, Standing, Stored
from ..digest import Signer, sha256
from ..document import Document, from_document, standing_of, to_document

_OTHER_FIELDS = ("standing", "observations", "seq", "digests")


class FileEntry:
    """The contents of one file.

    `sealed` or `standing` is None if it is damaged; `problem` is then the reason. `stored_seq` is the sequence number
    in the file, `seq` the one in use. `damaged_observations` maps each observation that fails its digest, as JSON, to
    the reason. Damaged observations stay in the file unchanged.
    """

    __slots__ = (
        "damaged_observations",
        "id",
        "key",
        "name",
        "observations",
        "problem",
        "sealed",
        "seq",
        "standing",
        "stored_seq",
    )

    def __init__(self, id: str, key: bytes, sealed: Sealed | None, seq: int, standing: Standing | None) -> None:
        self.name = ""
        self.id = id
        self.key = key
        self.sealed = sealed
        self.seq = self.stored_seq = seq
        self.standing = standing
        self.observations: dict[str, tuple[int, Observation]] = {}
        self.damaged_observations: dict[str, str] = {}
        self.problem = ""

    def copy(self) -> FileEntry:
        """Return a copy that can be changed and written."""
        made = FileEntry(self.id, self.key, self.sealed, self.seq, self.standing)
        made.name = self.name
        made.observations = dict(self.observations)
        made.damaged_observations = dict(self.damaged_observations)
        return made

    def add(self, observation: Observation) -> None:
        """Add an observation, or renew the one with the same id.

        A recorded observation keeps its contents, and takes the entry's sequence number and the new creation time. A
        refresh replaces other refreshes, and does not change an observation with its id.
        """
        known = self.observations.get(observation.id)
        if observation.refresh:
            for id, (_, old) in list(self.observations.items()):
                if old.refresh and id != observation.id:
                    del self.observations[id]
            if known is None:
                self.observations[observation.id] = (self.seq, observation)
        elif known is None or known[1].refresh:
            self.observations[observation.id] = (self.seq, observation)
        else:
            self.observations[observation.id] = (
                self.seq,
                msgspec.structs.replace(known[1], created=observation.created),
            )

    def is_observation_damaged(self, id: str) -> bool:
        """Return whether the entry has a damaged observation with this id."""
        return any(json.loads(kept).get("id") == id for kept in self.damaged_observations)

    def stored(self) -> Stored:
        """Return the trajectory of an intact entry."""
        assert self.sealed is not None
        assert self.standing is not None
        rows = sorted(self.observations.values(), key=lambda row: (-row[0], row[1].refresh, row[1].id))
        return Stored(sealed=self.sealed, seq=self.seq, standing=self.standing, observations=tuple(rows))


def entry_text(entry: FileEntry, sign: Signer = sha256) -> str:
    """Return the text that is written for an entry."""
    document = to_document(entry.stored(), counts=True)
    for item in document["observations"]:
        item["digest"] = _digest(sign, "observation", entry.id, item)
    document["observations"] += [json.loads(kept) for kept in entry.damaged_observations]
    document["digests"] = {
        "trajectory": _digest(sign, "trajectory", entry.id, _own_fields(document)),
        "standing": _digest(sign, "standing", entry.id, [document["seq"], document["standing"]]),
    }
    return jsontext.to_text(document)


def _own_fields(document: Document) -> Document:
    return {name: value for name, value in document.items() if name not in _OTHER_FIELDS}


def _digest(sign: Signer, kind: str, id: str, content: Any) -> str:
    data = json.dumps([kind, id.encode("utf-8", "surrogatepass").hex(), content], sort_keys=True, allow_nan=False)
    return sign(data.encode("ascii")).hex()


def _equal(given: Any, made: str) -> bool:
    return isinstance(given, str) and hmac.compare_digest(given.encode("utf-8", "replace"), made.encode())


def read_entry(data: bytes, sign: Signer = sha256) -> FileEntry:
    """Return the contents of a file, with each part checked by its digest.

    Never raises. Problems are reported in the entry.
    """
    try:
        document = jsontext.from_text(data)
    except InvalidValueError as error:
        return _damaged_entry("", b"", f"the file of a trajectory is not JSON: {error}")
    id, key = _name_of(document)
    try:
        whole = {**document, "observations": [], "standing": {}}
        stored = from_document(whole, strict=False)
        digests = document["digests"]
        rest = document["observations"]
        if not _equal(digests["trajectory"], _digest(sign, "trajectory", stored.sealed.id, _own_fields(document))):
            return _damaged_entry(id, key, "the trajectory fails its digest")
        if not _equal(digests["standing"], _digest(sign, "standing", id, [document["seq"], document["standing"]])):
            return _damaged_entry(id, key, "the standing fails its digest")
        entry = FileEntry(id, key, stored.sealed, stored.seq, standing_of(document["standing"]))
        for one in rest:
            _read_observation(entry, whole, one, sign)
    except (InvalidValueError, KeyError, TypeError, AttributeError, ValueError) as error:
        return _damaged_entry(id, key, f"the file of the trajectory cannot be read: {type(error).__name__}: {error}")
    return entry


def _read_observation(entry: FileEntry, whole: Document, one: Any, sign: Signer) -> None:
    try:
        plain = {name: value for name, value in one.items() if name != "digest"}
        if not _equal(one["digest"], _digest(sign, "observation", entry.id, plain)):
            raise InvalidValueError("it fails its digest")
        ((seq, observation),) = from_document({**whole, "observations": [plain]}, strict=False).observations
    except (InvalidValueError, KeyError, TypeError, AttributeError, ValueError) as error:
        name = one.get("id") if isinstance(one, dict) else one
        entry.damaged_observations[json.dumps(one)] = f"its observation {name!s:.40}: {error}"
        return
    entry.observations[observation.id] = (seq, observation)


def _name_of(document: Any) -> tuple[str, bytes]:
    """Return the id and the key of a document, as far as they can be determined."""
    held = document if isinstance(document, dict) else {}
    try:
        stored = from_document(
            {"muscle_mem": held["muscle_mem"], "id": held["id"], "key": held["key"], "raw": "", "observations": []},
            strict=False,
        )
    except (InvalidValueError, KeyError):
        return str(held.get("id", "")), b""
    return stored.sealed.id, stored.sealed.key


def unusable_entry(error: OSError) -> FileEntry:
    """Return the entry of a file that is not a regular file, or too large."""
    return _damaged_entry("", b"", f"the file {os.path.basename(error.filename)!r} cannot be read: {error.strerror}")


def _damaged_entry(id: str, key: bytes, what: str) -> FileEntry:
    entry = FileEntry(id, key, None, 0, None)
    entry.problem = what
    return entry
