"""Types are a feature: what a user's type checker sees of the public API."""

from __future__ import annotations

from mypy import api

from paths import SUPPORT


def test_the_samples_type_check_strictly_with_every_ignore_needed() -> None:
    """`--warn-unused-ignores` (part of strict) makes each expected refusal fail if it is accepted."""
    out, err, code = api.run(["--strict", str(SUPPORT / "typing_samples.py")])
    assert code == 0, out + err
