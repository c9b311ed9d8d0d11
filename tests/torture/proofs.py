"""The list of proofs, by name."""

from __future__ import annotations

from . import (
    decoder,
    failovers,
    fleet,
    fleet_engines,
    full_disk,
    fuzz,
    io_errors,
    kill_points,
    kills,
    migrations,
    postgres,
    power,
    properties,
    stampede,
    writers,
)
from .figures import Proof

PROOFS: dict[str, Proof] = {
    "kills": kills.PROOF,
    "kill-points": kill_points.PROOF,
    "io-errors": io_errors.PROOF,
    "full-disk": full_disk.PROOF,
    "power": power.PROOF,
    "fuzz": fuzz.PROOF,
    "writers": writers.PROOF,
    "stampede": stampede.PROOF,
    "migrations": migrations.PROOF,
    "decoder": decoder.PROOF,
    **postgres.PROOFS,
    **fleet.PROOFS,
    **fleet_engines.PROOFS,
    **failovers.PROOFS,
    **properties.PROOFS,
}
