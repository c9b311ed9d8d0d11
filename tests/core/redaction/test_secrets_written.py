"""C11: a secret that stands in what is written in an encoding of its own; from four characters on it is looked for."""

from __future__ import annotations

from typing import Any

import pytest

from muscle_mem import Reason, Secret
from param_cases import World


def learned(secret: Any, given: Any) -> Any:
    """The outcome of a run that knows a secret and gives a tool something."""
    world = World()
    return world.run(lambda task: world.many(given), "log in", secrets={"pin": Secret(secret)})


@pytest.mark.parametrize("secret", ["k9:z", "k9:zQ", "k9:zQ7", "k9:zQ7x", "k9:zQ7x!", 4711, 471_112])
@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be", "utf-32-le", "utf-32-be", "hex"])
def test_c11_a_secret_of_four_characters_is_found_in_what_would_be_written(secret: Any, encoding: str) -> None:
    text = str(secret)
    data: Any = text.encode().hex() if encoding == "hex" else b"<" + text.encode(encoding) + b">"
    outcome = learned(secret, data)
    assert (outcome.learned, outcome.not_learned) == (False, Reason.OPAQUE_ARGUMENT)
    assert learned(secret, b"nothing of it").learned


def test_c11_a_secret_of_three_characters_would_be_found_in_everything() -> None:
    assert learned("k9:", "k9:".encode("utf-16-le")).learned
