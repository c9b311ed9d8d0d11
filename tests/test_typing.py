"""Types are a feature: what a user's type checker sees of the public API."""

from __future__ import annotations

from pathlib import Path

from mypy import api


def test_the_samples_type_check_strictly_with_every_ignore_needed() -> None:
    """`--warn-unused-ignores` (part of strict) makes each expected refusal fail if it is accepted."""
    out, err, code = api.run(["--strict", str(Path(__file__).with_name("typing_samples.py"))])
    assert code == 0, out + err
