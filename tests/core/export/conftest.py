"""What the tests of exports share: an environment that names no store, and no class that stays known."""

from __future__ import annotations

from cli_cases import no_store_in_the_environment
from known_classes import no_class_is_left_behind

__all__ = ["no_class_is_left_behind", "no_store_in_the_environment"]
