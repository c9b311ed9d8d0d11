"""The list of proofs, by name."""

from __future__ import annotations

from . import full_disk, fuzz, io_errors, kill_points, kills, power, writers
from .figures import Proof

PROOFS: dict[str, Proof] = {
    "kills": kills.PROOF,
    "kill-points": kill_points.PROOF,
    "io-errors": io_errors.PROOF,
    "full-disk": full_disk.PROOF,
    "power": power.PROOF,
    "fuzz": fuzz.PROOF,
    "writers": writers.PROOF,
}
