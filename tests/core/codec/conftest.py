"""Each test of the codec leaves no class known that it made."""

from __future__ import annotations

from known_classes import no_class_is_left_behind

__all__ = ["no_class_is_left_behind"]
