"""The kinds of suspicions, and how recordings compare what they depend on.

A replay needs no more of suspicions. How they are found is in `suspicion`, `param_suspicion` and `derived`.
"""

from __future__ import annotations

import datetime
from collections.abc import Sequence
from typing import Any

import msgspec

from ... import codec
from ...model.records import Suspicion, Witness
from ..params.search import Params

COMPUTED, MADE_UP, DERIVED = "computed", "made_up", "derived"
PARAM, PART = "param", "part"
SAME, CONVERTED, JOINED, INSIDE, FOLDED = "same", "converted", "joined", "inside", "folded"
IRREVERSIBLE = "irreversible"
DAY, MONTH, YEAR, RANDOM = "day", "month", "year", "random"


def trace_digest(key: bytes, params: Params, name: str) -> bytes:
    """Return the digest by which recordings of one key compare a param's value."""
    return codec.digest(key + params.digest_of(name))[:16]


def local_day(now: float) -> str:
    """Return the local date of a moment, in ISO form."""
    return datetime.datetime.fromtimestamp(now).date().isoformat()


def witness_identity(found: Sequence[Sequence[Suspicion]], seen: Witness) -> bytes:
    """Return what of a witness makes a recording another one.

    Return nothing where nothing depends on it.
    """
    by_day = any(suspicion.kind == MADE_UP for step in found for suspicion in step)
    figures = (tuple(pair for pair in suspicion.sources if pair[0] >= 0) for step in found for suspicion in step)
    sources = tuple(filter(None, figures))
    if not by_day and not seen.params and not sources:
        return b""
    circumstances: tuple[Any, ...] = (seen.params, (seen.day, seen.process) if by_day else ())
    return msgspec.msgpack.encode((*circumstances, sources) if sources else circumstances)
